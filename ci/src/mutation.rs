//! `cargo ci mutation`: changes the core's rules at random places, one at a time, and counts which changes no test
//! notices (docs/mutation.md). Hours of work; cargo-mutants does it, `.cargo/mutants.toml` says where.

use crate::{Outcome, files};
use clap::Args;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The first pass: quick tests of the core itself.
const QUICK: &[&str] = &["--lib", "--test", "plans", "--test", "refusals", "--test", "property_vectors"];
/// The second, for what has survived: the core in the imagined world.
const THOROUGH: &[&str] =
    &["--test", "history", "--test", "found", "--test", "unit_files", "--test", "systemd_vectors"];
/// What cargo-mutants ends with when something has survived, or has made a test run for ever.
const SURVIVORS: [i32; 2] = [2, 3];
/// Seconds that the tests of a pass may take.
const TEST_LIMIT: &str = "300";

#[derive(Args)]
pub(crate) struct Options {
    /// Only changes whose file or description this regular expression matches.
    #[arg(long, default_value = ".")]
    only: String,
    /// Which part of all changes, as in 2/8.
    #[arg(long)]
    shard: Option<String>,
}

/// Runs both passes and prints the share that has survived. What has survived and is not on the list is an error.
pub(crate) fn run(options: &Options) -> Outcome {
    let place = files::target().join("mutation");
    files::directory(&place)?;
    pass(options, &place, "cgarbiter-core", QUICK, false)?;
    pass(options, &place, "cgarbiter-sim", THOROUGH, true)?;
    let list = |name: &str| files::read(&place.join("mutants.out").join(name));
    let judged = judged(&files::read(&files::workspace().join("docs/mutation.md"))?);
    // The second pass tells of the first as of what it need not try.
    let noticed =
        list("caught.txt")?.lines().count() + list("previously_caught.txt").unwrap_or_default().lines().count();
    let missed = list("missed.txt")?;
    let survivors: Vec<String> = missed.lines().map(without_place).collect();
    let new: Vec<&String> = survivors.iter().filter(|one| !judged.contains(*one)).collect();
    println!("{noticed} noticed, {} survived, {} of them judged", survivors.len(), survivors.len() - new.len());
    new.iter().for_each(|one| println!("not judged yet: {one}"));
    if new.is_empty() { Ok(()) } else { Err(format!("{} changes that no test notices", new.len())) }
}

fn pass(options: &Options, place: &Path, package: &str, tests: &[&str], goes_on: bool) -> Outcome {
    let mut command = Command::new("nice");
    command.args([
        "-n",
        "19",
        "cargo",
        "mutants",
        "-p",
        "cgarbiter-core",
        "--no-shuffle",
        "--baseline",
        "skip",
        "-j1",
        "-t",
        TEST_LIMIT,
    ]);
    command.arg("--re").arg(&options.only).arg("--output").arg(place).args(["--test-package", package]);
    command.args(goes_on.then_some("--iterate"));
    command.args(options.shard.iter().flat_map(|shard| ["--shard", shard]));
    command.arg("--").args(tests).current_dir(files::workspace());
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_TEST_DEBUG", "0");
    let status = command.status().map_err(|e| format!("start cargo mutants: {e}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) if SURVIVORS.contains(&code) => Ok(()),
        _ => Err(format!("cargo mutants: {status} (cargo install cargo-mutants)")),
    }
}

/// `FILE:LINE:COLUMN: WHAT` without the place in the file, which every change above it moves.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    let file = parts.next().unwrap_or_default();
    let what = parts.nth(2).unwrap_or_default().trim();
    format!("{file}: {what}")
}

/// Rows of the list: file, change, why no test could notice it.
fn judged(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter(|line| line.starts_with("| `crates/")).map(|line| line.split(" | "));
    let pairs = cells.filter_map(|mut cells| Some((cells.next()?, cells.next()?)));
    pairs.map(|(file, what)| format!("{}: {}", inside(file), inside(what).replace("\\|", "|"))).collect()
}

/// What stands between the marks of code.
fn inside(cell: &str) -> &str {
    cell.trim_start_matches(['|', ' ', '`']).trim_end_matches([' ', '`'])
}

#[cfg(test)]
mod tests {
    use super::{judged, without_place};

    #[test]
    fn a_survivor_is_found_on_the_list_wherever_it_has_moved() {
        let text = "| file | change | why |\n|---|---|---|\n\
                    | `crates/core/src/x.rs` | `replace \\|\\| with && in f` | it is so |\n";
        let list = judged(text);
        assert!(list.contains(&without_place("crates/core/src/x.rs:12:9: replace || with && in f")));
        assert!(!list.contains(&without_place("crates/core/src/x.rs:12:9: replace || with && in g")));
    }

    #[test]
    fn paths_in_a_description_stay() {
        let line = "crates/core/src/x.rs:12:9: replace A::b -> c::D with Default::default()";
        assert_eq!(without_place(line), "crates/core/src/x.rs: replace A::b -> c::D with Default::default()");
    }
}
