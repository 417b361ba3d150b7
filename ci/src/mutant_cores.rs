//! `cargo ci mutant-cores`: puts historical bugs back, one at a time, and demands that the stories about them fail.
//!
//! Each bug is a patch in `ci/mutant-cores`, with the tests that must fail with it in its first lines. All patches go
//! into one copy of the sources, each behind a switch that the copy alone has, so that there is one build and as many
//! runs as there are bugs. Nothing of that is in the tree itself.

mod copy;
mod patch;

use crate::{Outcome, files, step};
use copy::Copy;
use patch::{Mutant, Story};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Which bug is to be there, for the patched programs.
const SWITCH: &str = "CGARBITER_MUTANT";
/// Targets of which every test must have a bug that it notices.
const COMPLETE: &str = "history";
/// What a test program ends with when a test has failed.
const TEST_FAILED: i32 = 101;
/// What a test says that cannot run on this machine.
const SKIPPED: &str = "*** SKIPPED:";
/// Longer than any of these tests takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Programs of tests by package and target.
type Programs = BTreeMap<(String, String), PathBuf>;

/// Builds the copy, runs every pair of bug and story, and prints what came of each.
pub(crate) fn run() -> Outcome {
    let mutants = patch::all()?;
    let copy = Copy::lay_out(&mutants)?;
    let programs = build(&copy, &mutants)?;
    let mut wrong = unbroken(&programs)?;
    wrong.extend(unnoticed(&programs, &mutants)?);
    let width = mutants.iter().map(|mutant| mutant.name.len()).max().unwrap_or(0);
    let mut seen = 0;
    for mutant in &mutants {
        for story in &mutant.fails {
            let verdict = try_out(&programs[&story.target()], story, mutant)?;
            println!("{:width$}  {:11}  {}", mutant.name, verdict.word(), story.test);
            seen += usize::from(verdict == Verdict::Failed);
            if matches!(verdict, Verdict::Passed | Verdict::Broke) {
                wrong.push(format!("{} does not fail as it should with {}", story.test, mutant.name));
            }
        }
    }
    println!("{seen} pairs of bug and story, {} bugs", mutants.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// An assertion did not hold.
    Failed,
    /// It says that it cannot run on this machine.
    LeftOut,
    /// It did not end, or the program ended otherwise.
    Broke,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "noticed",
            Self::Passed => "NOT NOTICED",
            Self::LeftOut => "left out",
            Self::Broke => "BROKE",
        }
    }
}

fn build(copy: &Copy, mutants: &[Mutant]) -> Outcome<Programs> {
    let targets: BTreeSet<(String, String)> =
        mutants.iter().flat_map(|mutant| &mutant.fails).map(Story::target).collect();
    let mut programs = Programs::new();
    for (package, target) in targets {
        let words = ["cargo", "test", "--no-run", "--message-format=json", "-p", &package, "--test", &target];
        let mut command = step::command(&words);
        command.env("CARGO_TARGET_DIR", copy.target()).env("CARGO_PROFILE_DEV_DEBUG", "0");
        let log = step::run_in(&copy.tree(), &format!("build {package} {target}"), &mut command)?;
        let program = step::executable(&files::read(&log)?, &target);
        let program = program.ok_or_else(|| format!("cargo did not say where the tests of {package} {target} are"))?;
        programs.insert((package, target), program);
    }
    Ok(programs)
}

/// Without any bug, every story holds in the copy, too: the patches alone change nothing.
fn unbroken(programs: &Programs) -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    for ((package, target), program) in programs.iter().filter(|((_, target), _)| target == COMPLETE) {
        let status = Command::new(program).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.map_err(|e| format!("start {}: {e}", program.display()))?;
        if !status.success() {
            wrong.push(format!("{package} {target} fails with all bugs switched off"));
        }
    }
    Ok(wrong)
}

/// Stories that have not been seen to fail with anything.
fn unnoticed(programs: &Programs, mutants: &[Mutant]) -> Outcome<Vec<String>> {
    let named: BTreeSet<&str> =
        mutants.iter().flat_map(|mutant| &mutant.fails).map(|story| story.test.as_str()).collect();
    let mut wrong = Vec::new();
    for (_, program) in programs.iter().filter(|((_, target), _)| target == COMPLETE) {
        let output = Command::new(program).args(["--list", "--format", "terse"]).output();
        let output = output.map_err(|e| format!("start {}: {e}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let tests = text.lines().filter_map(|line| line.strip_suffix(": test"));
        let left = tests.filter(|test| !named.contains(test));
        wrong.extend(left.map(|test| format!("no patch in ci/mutant-cores names {test}")));
    }
    Ok(wrong)
}

/// Runs one test with one bug.
fn try_out(program: &Path, story: &Story, mutant: &Mutant) -> Outcome<Verdict> {
    let log = |name: &str| files::target().join("mutant-cores").join(name);
    let open = |path: &Path| File::create(path).map_err(|e| format!("make {}: {e}", path.display()));
    let mut command = Command::new(program);
    command.args(["--exact", "--nocapture", &story.test]).env("RUST_BACKTRACE", "0").env(SWITCH, &mutant.name);
    command.stdout(open(&log("out"))?).stderr(open(&log("err"))?);
    let mut child = command.spawn().map_err(|e| format!("start {}: {e}", program.display()))?;
    let Some(status) = wait(&mut child).map_err(|e| format!("wait for {}: {e}", program.display()))? else {
        return Ok(Verdict::Broke);
    };
    let text = files::read(&log("out"))?;
    let told = |word: &str| text.lines().any(|line| line == format!("test {} ... {word}", story.test));
    Ok(match status.code() {
        Some(0) if files::read(&log("err"))?.contains(SKIPPED) => Verdict::LeftOut,
        Some(0) if told("ok") => Verdict::Passed,
        Some(TEST_FAILED) if told("FAILED") => Verdict::Failed,
        _ => Verdict::Broke,
    })
}

/// Waits for the end; none when it does not come.
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait().map(|_| None)
}
