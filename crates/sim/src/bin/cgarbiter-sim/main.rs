//! The simulator's command line.

#[allow(clippy::disallowed_types, reason = "a run is told how long it may take, in real time")]
mod conformance;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "how long it took, in real time")]
mod crash;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "threads, and a rate in real time")]
mod exhaustive;
mod mutants;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a real kernel takes real time")]
mod real;
mod search;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "threads, and a limit in real time")]
mod swarm;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cgarbiter_sim::replay;
use cgarbiter_sim::vectors::systemd::{Expected, Options, Score};
use cgarbiter_sim::vectors::{self, Played, Tally};
use clap::{Args, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything outside the arbiter's core, imagined.
///
/// Exit status of the searches: 0 nothing found, 3 wrong answer, 4 lost progress, 5 crash; 2 when something could not
/// be read or written.
#[derive(Parser)]
#[command(name = "cgarbiter-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replay recordings of real kernels or of systemd, and count where the imagined ones answer the same
    Vectors(Vectors),
    /// Hand what a daemon has recorded (`cgarbiterd --record`) to the core once more, and compare what comes out; or
    /// tell again what a search has found
    Replay(Replay),
    /// Run one seed: a world in which everything may go wrong, and oracles that watch
    Run(search::Run),
    /// Run many seeds, each with its own subset of faults, until one fails or time is up
    Swarm(swarm::Swarm),
    /// Visit every world that a small machine can come to by a few calls, deaths and crashes, in every order
    Exhaustive(exhaustive::Exhaustive),
    /// Make what a search has found shorter
    Shrink(search::Shrink),
    /// Kill the daemon after every step of everything that changes something, and its successor after every step of
    /// its recovery
    Crash(crash::Crash),
    /// Break one thing after another on purpose, and see whether its oracle notices
    Mutants(mutants::Mutants),
    /// Draw operations on cgroups at random, do them on this machine's kernel and on an imagined one, and compare
    Conformance(conformance::Options),
}

#[derive(Args)]
struct Replay {
    /// The trace, or a file that a search has written
    file: PathBuf,
    /// Stop before this line of the trace
    #[arg(long, value_name = "LINE")]
    until: Option<usize>,
    /// Print what goes in and what comes out, until something differs
    #[arg(long)]
    print: bool,
    /// Check after each input what must always be true; slow with many units
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct Vectors {
    /// Files of JSON lines, plain or compressed with gzip
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Show so many differing steps of each scenario (recordings of systemd)
    #[arg(long, default_value_t = 2)]
    show: usize,
    /// Leave out what is labelled as behaviour that need not be copied
    #[arg(long)]
    no_quirks: bool,
    /// Only scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print everything that happens, step by step
    #[arg(long)]
    trace: bool,
    /// Differences that are there on purpose, and floors of groups
    #[arg(long, value_name = "FILE")]
    expected: Option<PathBuf>,
}

/// 0 when all is well, 1 when something differs, 2 when something could not be read; searches tell more (`search.rs`).
fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Vectors(arguments) => replay_all(&arguments),
        Command::Replay(arguments) => replay_trace(&arguments),
        Command::Run(arguments) => search::run(&arguments),
        Command::Swarm(arguments) => swarm::swarm(&arguments),
        Command::Exhaustive(arguments) => exhaustive::exhaustive(&arguments),
        Command::Shrink(arguments) => search::shrink(&arguments),
        Command::Crash(arguments) => crash::crash(&arguments),
        Command::Mutants(arguments) => mutants::mutants(&arguments),
        Command::Conformance(options) => conformance::compare(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            writeln!(io::stderr(), "cgarbiter-sim: {error}").ok();
            ExitCode::from(2)
        }
    }
}

fn replay_trace(arguments: &Replay) -> io::Result<ExitCode> {
    let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", arguments.file.display()));
    let bytes = fs::read(&arguments.file).map_err(|error| named(&error))?;
    if search::is_story(&bytes) {
        return search::replay(&arguments.file, arguments.print);
    }
    let options = replay::Options { until: arguments.until, check: arguments.check };
    let mut out = io::stdout().lock();
    let mut watch = |line: &str| {
        if arguments.print {
            writeln!(out, "{line}").ok();
        }
    };
    let verdict = replay::replay(&bytes, &options, &mut watch).map_err(|error| named(&error))?;
    writeln!(out, "{verdict}")?;
    Ok(if verdict.agrees() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn replay_all(arguments: &Vectors) -> io::Result<ExitCode> {
    let expected = read_expected(arguments.expected.as_deref())?;
    let (mut all, mut score, mut unread) = (Tally::default(), Score::default(), false);
    let mut out = io::stdout().lock();
    for file in &arguments.files {
        match vectors::play_file(file) {
            Ok(Played::Kernel(tally)) => {
                print_tally(&mut out, file, &tally)?;
                all.add(&tally);
            }
            Ok(Played::Systemd(read)) => read.replay(&arguments.options(), &mut score),
            Err(error) => {
                unread = true;
                writeln!(io::stderr(), "{error}")?;
            }
        }
    }
    print_score(&mut out, arguments, &score)?;
    if arguments.files.len() > 1 && score.groups.is_empty() {
        writeln!(out, "in all: {all}")?;
    }
    let differs = all.differ > 0 || expected.unexpected(&score).next().is_some();
    Ok(match (unread, differs) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

fn read_expected(file: Option<&Path>) -> io::Result<Expected> {
    let Some(file) = file else { return Ok(Expected::default()) };
    toml::from_str(&fs::read_to_string(file)?).map_err(io::Error::other)
}

fn print_tally(out: &mut impl Write, file: &Path, tally: &Tally) -> io::Result<()> {
    writeln!(out, "{}: {tally}", file.display())?;
    for difference in &tally.differences {
        writeln!(out, "  {difference}")?;
    }
    Ok(())
}

fn print_score(out: &mut impl Write, arguments: &Vectors, score: &Score) -> io::Result<()> {
    for line in &score.traces {
        writeln!(out, "{line}")?;
    }
    let mut shown = ("", 0);
    for difference in &score.differences {
        shown = if shown.0 == difference.scenario { (shown.0, shown.1 + 1) } else { (&difference.scenario, 1) };
        if shown.1 <= arguments.show {
            writeln!(out, "{difference}")?;
        }
    }
    for (group, count) in &score.groups {
        writeln!(out, "{group:<24} {count}")?;
    }
    if !score.groups.is_empty() {
        writeln!(out, "{:<24} {}, {} left out", "in all", score.total(), score.skipped)?;
    }
    Ok(())
}

impl Vectors {
    fn options(&self) -> Options {
        Options { no_quirks: self.no_quirks, only: self.only.clone(), trace: self.trace }
    }
}
