//! The imagined kernel answers every recorded operation as the real ones did.

use std::path::{Path, PathBuf};

use cgarbiter_sim::vectors::{self, Played};

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/kernel").join(name)
}

/// No difference, nothing left out, and as many steps as were recorded.
fn agrees(name: &str, steps: usize) {
    let Ok(Played::Kernel(tally)) = vectors::play_file(&recording(name)) else { panic!("{name} is no recording") };
    let told: Vec<String> = tally.differences.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{name}: {tally}\n{}", told.join("\n"));
    assert_eq!((tally.agree, tally.differ, tally.skipped), (steps, 0, 0), "{name}");
}

#[test]
fn linux_6_1() {
    agrees("curated-6.1.jsonl.gz", 2592);
    agrees("random-6.1.jsonl.gz", 12_211);
    agrees("found-6.1.jsonl", 67);
}

#[test]
fn linux_6_12() {
    agrees("curated-6.12.jsonl.gz", 2592);
    agrees("random-6.12.jsonl.gz", 12_211);
    agrees("found-6.12.jsonl", 42);
}

#[test]
fn linux_6_18() {
    agrees("curated-6.18.jsonl.gz", 2592);
    agrees("random-6.18.jsonl.gz", 12_211);
}

#[test]
fn linux_7_3() {
    agrees("curated-7.3.jsonl.gz", 2592);
    agrees("random-7.3.jsonl.gz", 12_211);
}

/// A recording of one kernel does not pass for another: differences are seen where there are some.
#[test]
fn kernels_are_told_apart() {
    let text = vectors::read_text(&recording("curated-6.1.jsonl.gz")).expect("a recording");
    let tally = vectors::kernel::replay(&text.replacen("6.1.0-56", "6.12.117", 1)).expect("well formed");
    let scenarios: Vec<&str> = tally.differences.iter().map(|difference| difference.scenario.as_str()).collect();
    assert!(scenarios.contains(&"file-lists") && scenarios.contains(&"cpuset-partition"), "{scenarios:?}");
}
