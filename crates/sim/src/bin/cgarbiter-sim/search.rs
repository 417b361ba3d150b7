//! `run`, `shrink`, and `replay` of what they write: one list of choices, from a seed or a file.

use cgarbiter_sim::mutants::Mutant;
use cgarbiter_sim::run::{Ended, Failure, Options};
use cgarbiter_sim::story::{HEAD, Story, run_seed};
use clap::Args;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Run {
    /// The same seed gives the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many things happen before everything heals
    #[arg(long, default_value_t = 2_000)]
    steps: u64,
    /// Nothing goes wrong by itself
    #[arg(long)]
    faultless: bool,
    /// Ask neither oracles nor invariants, to see what they cost
    #[arg(long)]
    unwatched: bool,
    /// Break this on purpose (see the command `mutants`)
    #[arg(long, value_name = "NAME", value_parser = mutant)]
    mutant: Option<Mutant>,
    /// Print everything that happens
    #[arg(long)]
    trace: bool,
    /// Print the outcome as one line of JSON
    #[arg(long)]
    json: bool,
    /// Where to write the choices of a failure
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Shrink {
    /// A file that another command has written
    file: PathBuf,
    /// Where to write the shorter one; otherwise it takes the place of the file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn mutant(name: &str) -> Result<Mutant, String> {
    let names = Mutant::ALL.map(Mutant::name).join(", ");
    Mutant::from_name(name).ok_or_else(|| format!("there is none of this name; there are {names}"))
}

pub(crate) fn run(arguments: &Run) -> io::Result<ExitCode> {
    let options = Options {
        steps: arguments.steps,
        mutant: arguments.mutant,
        faultless: arguments.faultless,
        unwatched: arguments.unwatched,
        trace: arguments.trace,
        ..Options::default()
    };
    let before = processor_seconds();
    let ended = super::swarm::quietly(|| run_seed(arguments.seed, &options));
    let seconds = processor_seconds() - before;
    let mut out = io::stdout().lock();
    for line in &ended.trace {
        writeln!(out, "{line}")?;
    }
    if arguments.json {
        writeln!(out, "{}", outcome(&ended, arguments.seed))?;
    } else {
        print_outcome(&mut out, &ended)?;
        print_speed(&mut out, &ended, seconds)?;
    }
    if ended.failure.is_some()
        && let Some(file) = &arguments.output
    {
        fs::write(file, super::swarm::quietly(|| Story::of_seed(arguments.seed, &options).to_text()))?;
    }
    Ok(status(ended.failure.as_ref()))
}

/// What this process has taken of the processor so far.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).map_or(0.0, |time| time.as_secs_f64())
}

fn print_speed(out: &mut impl Write, ended: &Ended, seconds: f64) -> io::Result<()> {
    let [moves, steps] = [ended.moves, ended.plan_steps].map(|count| count as f64 / seconds);
    writeln!(out, "{seconds:.3} s of processor time: {moves:.0} moves and {steps:.0} plan steps a second")
}

/// Is this what a search writes, and not the trace of a daemon?
pub(crate) fn is_story(bytes: &[u8]) -> bool {
    bytes.starts_with(HEAD.as_bytes())
}

pub(crate) fn replay(file: &Path, print: bool) -> io::Result<ExitCode> {
    let story = read(file)?;
    let ended = super::swarm::quietly(|| story.tell(print));
    let mut out = io::stdout().lock();
    for line in &ended.trace {
        writeln!(out, "{line}")?;
    }
    print_outcome(&mut out, &ended)?;
    Ok(status(ended.failure.as_ref()))
}

pub(crate) fn shrink(arguments: &Shrink) -> io::Result<ExitCode> {
    let story = read(&arguments.file)?;
    let shorter = super::swarm::quietly(|| story.shrink());
    let file = arguments.output.as_ref().unwrap_or(&arguments.file);
    fs::write(file, super::swarm::quietly(|| shorter.to_text()))?;
    let (before, after) = (story.choices.len(), shorter.choices.len());
    let ended = super::swarm::quietly(|| shorter.tell(false));
    let mut out = io::stdout().lock();
    writeln!(out, "{after} choices instead of {before}, {} steps, in {}", shorter.options.steps, file.display())?;
    print_outcome(&mut out, &ended)?;
    Ok(status(ended.failure.as_ref()))
}

/// 0, or what tells failures apart.
pub(crate) fn status(failure: Option<&Failure>) -> ExitCode {
    failure.map_or(ExitCode::SUCCESS, |failure| ExitCode::from(failure.status()))
}

fn read(file: &Path) -> io::Result<Story> {
    Story::parse(&fs::read_to_string(file)?).map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
}

fn print_outcome(out: &mut impl Write, ended: &Ended) -> io::Result<()> {
    match &ended.failure {
        Some(failure) => writeln!(out, "{}: {}", failure.kind(), failure.what()),
        None => writeln!(out, "{} moves, {} plan steps, {} rests: well", ended.moves, ended.plan_steps, ended.rests),
    }
}

fn outcome(ended: &Ended, seed: u64) -> serde_json::Value {
    let failure = ended.failure.as_ref();
    json!({
        "seed": seed,
        "moves": ended.moves,
        "plan_steps": ended.plan_steps,
        "rests": ended.rests,
        "failure": failure.map(Failure::kind),
        "what": failure.map(Failure::what),
    })
}
