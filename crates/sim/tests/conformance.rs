//! The comparison of two kernels, tried on two imagined ones: the same agree, and a wrong rule is found and shrunk.

use cgarbiter_sim::conformance::{Imagined, Progress, recording, run};
use cgarbiter_sim::kernel::{Config, Version};
use cgarbiter_sim::vectors::kernel::replay;

fn compare(one: Config, other: Config, scenarios: u64, differences: usize) -> Progress {
    let mut go_on = |progress: &Progress| progress.scenarios < scenarios && progress.found.len() < differences;
    run(1, &mut Imagined::new(one), &mut Imagined::new(other), &mut go_on).expect("imagined kernels begin at once")
}

#[test]
fn equal_kernels_agree() {
    let progress = compare(Config::default(), Config::default(), 60, 1);
    assert_eq!((progress.scenarios, progress.differ), (60, 0), "{:?}", progress.found);
    assert!(progress.agree > 4000, "{progress}");
}

/// A rule that is wrong: children die at birth in a cgroup that was killed before.
#[test]
fn a_wrong_rule_is_found_and_shrunk() {
    let wrong = Config { kill_at_birth: true, ..Config::default() };
    let progress = compare(Config::default(), wrong, 2000, 1);
    let found = progress.found.first().expect("found");
    let operations: Vec<&str> = found.steps.iter().filter_map(|step| step["op"].as_str()).collect();
    assert_eq!(operations, ["mkdir", "write", "spawn", "snap"], "{found}");
    assert_eq!(found.steps[1]["f"], "cgroup.kill");
}

/// What was found is a recording: right on the kernel that it was made with, wrong on the other.
#[test]
fn what_was_found_can_be_replayed() {
    let progress = compare(Config::of(Version::V6_12), Config::of(Version::V6_1), 2000, 1);
    let found = progress.found.first().expect("releases differ");
    let machine = |release: &str| {
        let text = format!(r#"{{"op":"machine","kernel":"{release}"}}"#);
        serde_json::from_str(&text).expect("an object")
    };
    let right = replay(&recording(&machine("6.1.0"), "found", found)).expect("well formed");
    assert_eq!((right.differ, right.skipped), (0, 0), "{right:?}");
    assert_eq!(right.agree, found.steps.len());
    let wrong = replay(&recording(&machine("6.12.0"), "found", found)).expect("well formed");
    assert_eq!((wrong.differ, wrong.agree), (1, found.steps.len() - 1), "{wrong:?}");
}
