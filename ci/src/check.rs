//! `cargo ci check`: everything that decides without a virtual machine. Adding a check is adding a line to `CHECKS`.

use crate::{Outcome, files, step};
use clap::Args;
use std::{path::Path, process::Command};

/// Name and command line, in the order in which they run.
const CHECKS: &[(&str, &[&str])] = &[
    ("fmt", &["cargo", "fmt", "--all", "--check"]),
    ("clippy", &["cargo", "clippy", "-q", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("test", &["cargo", "test", "--workspace", "--no-fail-fast"]),
    (
        "swarm",
        &[
            "cargo",
            "run",
            "-q",
            "-p",
            "cgarbiter-sim",
            "--",
            "swarm",
            "--runs",
            "600",
            "--steps",
            "300",
            "--minutes",
            "1",
        ],
    ),
    (
        "exhaustive",
        &[
            "cargo",
            "run",
            "-q",
            "-p",
            "cgarbiter-sim",
            "--",
            "exhaustive",
            "--units",
            "3",
            "--depth",
            "2",
            "--worlds",
            "20000",
            "--jobs",
            "2",
        ],
    ),
    ("crash", &["cargo", "run", "-q", "-p", "cgarbiter-sim", "--", "crash", "--sample", "20"]),
    ("mutants", &["cargo", "run", "-q", "-p", "cgarbiter-sim", "--", "mutants", "--runs", "40"]),
    ("mutant-cores", &["cargo", "ci", "mutant-cores"]),
    ("fuzz", &["cargo", "test", "--manifest-path", "fuzz/Cargo.toml"]),
    ("deny", &["cargo", "deny", "--offline", "check", "licenses", "bans", "sources"]),
];

/// Checks that need a program which not every machine has: left out, and said so, where it is missing.
const OPTIONAL: &[(&str, &str)] = &[("deny", "cargo-deny")];

#[derive(Args)]
pub(crate) struct Options {
    /// Only the checks whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

/// Runs all checks, also after one has failed, so that one run tells everything.
pub(crate) fn run(options: &Options) -> Outcome {
    let mut failed = Vec::new();
    let mut ran = 0;
    for (name, words) in CHECKS {
        if options.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        ran += 1;
        if let Some((_, program)) = OPTIONAL.iter().find(|(optional, _)| optional == name)
            && !installed(program)
        {
            println!("left out {name}: {program} is not installed");
            continue;
        }
        match step::run(name, &mut step::command(words)) {
            Ok(log) if *name == "test" => println!("{}", count_tests(&log)?),
            Ok(_) => {}
            Err(why) => failed.push(why),
        }
    }
    match (ran, failed.as_slice()) {
        (0, _) => Err("no check has such a name".into()),
        (_, []) => Ok(()),
        (_, failed) => Err(failed.join(", ")),
    }
}

fn installed(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program} >/dev/null")]).status().is_ok_and(|s| s.success())
}

/// Adds up the closing lines of all test binaries.
fn count_tests(log: &Path) -> Outcome<String> {
    let (passed, failed) = sum_test_results(&files::read(log)?);
    if passed == 0 {
        return Err("cargo test ran no test".into());
    }
    Ok(format!("{passed} passed, {failed} failed"))
}

fn sum_test_results(text: &str) -> (u64, u64) {
    let mut sums = (0, 0);
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let words: Vec<&str> = line.split([' ', ';']).collect();
        let before = |word: &str| -> u64 {
            let at = words.iter().position(|w| *w == word).unwrap_or(0);
            at.checked_sub(1).and_then(|at| words[at].parse().ok()).unwrap_or(0)
        };
        sums.0 += before("passed");
        sums.1 += before("failed");
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::sum_test_results;

    #[test]
    fn closing_lines_of_all_binaries_add_up() {
        let text = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored; finished in 0.01s\n\
                    test result: FAILED. 40 passed; 2 failed; 1 ignored; finished in 0.01s\n";
        assert_eq!(sum_test_results(text), (43, 2));
        assert_eq!(sum_test_results("no tests here: 9 passed"), (0, 0));
    }
}
