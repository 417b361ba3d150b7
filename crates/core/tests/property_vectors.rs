//! The property table against what systemd 252 answered: every property array of the vectors is checked and applied,
//! and errors, values read back and unit files are compared. Where the arbiter differs on purpose, `expected.rs` says
//! so.

#[path = "property_vectors/expected.rs"]
mod expected;
#[path = "property_vectors/replay.rs"]
mod replay;
#[path = "property_vectors/wire.rs"]
mod wire;

use replay::{Replay, Tally};
use std::path::{Path, PathBuf};

fn vector_files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/systemd");
    let entries = std::fs::read_dir(&dir).expect("vectors/systemd is in the tree");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl" || ext == "gz"));
    files.sort();
    files
}

/// The file's text; the large ones are compressed.
fn text_of(path: &Path) -> String {
    if path.extension().is_some_and(|ext| ext == "gz") {
        let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().expect("gzip is installed");
        return String::from_utf8(output.stdout).expect("UTF-8");
    }
    std::fs::read_to_string(path).expect("readable")
}

fn replay_all() -> Tally {
    let mut tally = Tally::default();
    for path in vector_files() {
        for line in text_of(&path).lines().filter(|line| !line.starts_with("{\"header\"")) {
            let scenario = serde_json::from_str(line).expect("JSON");
            Replay::new(&scenario, &mut tally).run();
        }
    }
    tally
}

#[test]
fn properties_are_refused_read_and_written_as_systemd_does() {
    let tally = replay_all();
    let Tally { arrays, values, files, attributes, .. } = tally;
    let compared = [arrays, values, files, attributes];
    let least = [2000, 2200, 130, 280];
    assert!(compared.iter().zip(least).all(|(got, least)| *got >= least), "too little was compared: {compared:?}");
    assert!(tally.differences.is_empty(), "{} differences:\n{}", tally.differences.len(), tally.differences.join("\n"));
}
