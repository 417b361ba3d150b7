//! `swarm`: many seeds, on several threads, until one fails or time is up.

use super::search::status;
use cgarbiter_sim::run::{Ended, Failure, Options};
use cgarbiter_sim::seen::Seen;
use cgarbiter_sim::story::{Story, run_seed};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct Swarm {
    /// For so long at most
    #[arg(long, default_value_t = 1.0, value_name = "MINUTES")]
    minutes: f64,
    /// So many runs at most
    #[arg(long, value_name = "COUNT")]
    runs: Option<u64>,
    /// The first seed; each run takes the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many things happen in each run before it heals
    #[arg(long, default_value_t = 1_000)]
    steps: u64,
    /// How many threads
    #[arg(long, default_value_t = 1)]
    jobs: u32,
    /// Go on after a failure, and count failures by kind
    #[arg(long)]
    keep_going: bool,
    /// Print the outcome as one line of JSON
    #[arg(long)]
    json: bool,
    /// Where to write the choices of the first failure
    #[arg(long, value_name = "FILE", default_value = "cgarbiter-sim.failure")]
    output: PathBuf,
}

/// What all threads add to.
#[derive(Default)]
struct Sum {
    /// Seeds that were begun.
    taken: AtomicU64,
    /// Runs that have ended.
    runs: AtomicU64,
    moves: AtomicU64,
    plan_steps: AtomicU64,
    rests: AtomicU64,
    seen: Mutex<Seen>,
    is_over: AtomicBool,
    failures: Mutex<Vec<(u64, Ended)>>,
}

pub(crate) fn swarm(arguments: &Swarm) -> io::Result<ExitCode> {
    let begin = Instant::now();
    let sum = Sum::default();
    quietly(|| {
        std::thread::scope(|scope| {
            for _ in 0..arguments.jobs.max(1) {
                scope.spawn(|| work(arguments, &sum, begin));
            }
            show_progress(arguments, &sum, begin);
        });
    });
    let mut failures = sum.failures.into_inner().unwrap_or_default();
    failures.sort_by_key(|(seed, _)| *seed);
    let seconds = begin.elapsed().as_secs_f64();
    let (runs, steps) = (sum.runs.into_inner(), sum.plan_steps.into_inner());
    let first = failures.first();
    if let Some((seed, _)) = first {
        let story = quietly(|| Story::of_seed(*seed, &arguments.options()).to_text());
        fs::write(&arguments.output, story)?;
    }
    let failure = first.and_then(|(_, ended)| ended.failure.as_ref());
    let mut out = io::stdout().lock();
    let seen = sum.seen.into_inner().unwrap_or_default();
    if arguments.json {
        let [ops, requests, questions] = seen.counts();
        let line = json!({
            "first_seed": arguments.seed, "runs": runs, "seconds": seconds, "plan_steps": steps,
            "rests": sum.rests.into_inner(), "ops": ops, "requests": requests, "questions": questions,
            "oom_kills": seen.oom_kills, "failures": failures.len(),
            "seed": first.map(|(seed, _)| seed),
            "failure": failure.map(Failure::kind),
            "what": failure.map(Failure::what),
        });
        writeln!(out, "{line}")?;
    } else {
        let rate = steps as f64 / seconds;
        writeln!(out, "{runs} runs from seed {} in {seconds:.1} s, {steps} plan steps, {rate:.0}/s", arguments.seed)?;
        let missing = seen.missing();
        if !missing.is_empty() {
            writeln!(out, "never seen: {}", missing.join(", "))?;
        }
        print_failures(&mut out, arguments, &failures)?;
    }
    Ok(status(failure))
}

fn print_failures(out: &mut impl Write, arguments: &Swarm, failures: &[(u64, Ended)]) -> io::Result<()> {
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (seed, ended) in failures {
        let kind = ended.failure.as_ref().map(Failure::kind).unwrap_or_default();
        kinds.entry(kind).or_default().push(*seed);
    }
    for (kind, seeds) in &kinds {
        writeln!(out, "{:>6} times {kind}, first with seed {}", seeds.len(), seeds[0])?;
    }
    if let Some((seed, ended)) = failures.first()
        && let Some(failure) = &ended.failure
    {
        writeln!(out, "seed {seed}: {}: {}", failure.kind(), failure.what())?;
        writeln!(out, "the choices are in {}: see `replay` and `shrink`", arguments.output.display())?;
    }
    Ok(())
}

impl Swarm {
    fn options(&self) -> Options {
        Options { steps: self.steps, ..Options::default() }
    }

    fn is_over(&self, sum: &Sum, begin: Instant) -> bool {
        let is_late = begin.elapsed().as_secs_f64() > self.minutes * 60.0;
        is_late || sum.is_over.load(Ordering::Relaxed)
    }
}

fn work(arguments: &Swarm, sum: &Sum, begin: Instant) {
    let options = arguments.options();
    while !arguments.is_over(sum, begin) {
        let number = sum.taken.fetch_add(1, Ordering::Relaxed);
        if arguments.runs.is_some_and(|runs| number >= runs) {
            break;
        }
        let seed = arguments.seed.wrapping_add(number);
        let ended = run_seed(seed, &options);
        sum.runs.fetch_add(1, Ordering::Relaxed);
        sum.moves.fetch_add(ended.moves, Ordering::Relaxed);
        sum.plan_steps.fetch_add(ended.plan_steps, Ordering::Relaxed);
        sum.rests.fetch_add(ended.rests, Ordering::Relaxed);
        if let Ok(mut seen) = sum.seen.lock() {
            seen.add(&ended.seen);
        }
        if ended.failure.is_some() {
            if let Ok(mut failures) = sum.failures.lock() {
                failures.push((seed, ended));
            }
            if !arguments.keep_going {
                sum.is_over.store(true, Ordering::Relaxed);
            }
        }
    }
    sum.is_over.store(true, Ordering::Relaxed);
}

/// A line that is written again and again, for people only.
fn show_progress(arguments: &Swarm, sum: &Sum, begin: Instant) {
    let is_shown = io::stderr().is_terminal() && !arguments.json;
    while !arguments.is_over(sum, begin) {
        std::thread::sleep(Duration::from_millis(if is_shown { 200 } else { 20 }));
        if is_shown {
            let seconds = begin.elapsed().as_secs_f64();
            let [runs, steps, rests] = [&sum.runs, &sum.plan_steps, &sum.rests].map(|n| n.load(Ordering::Relaxed));
            let rate = steps as f64 / seconds;
            let line = format!("\r{seconds:.0} s, {runs} runs, {rests} states at rest, {rate:.0} plan steps/s ");
            io::stderr().write_all(line.as_bytes()).ok();
        }
    }
    if is_shown {
        io::stderr().write_all(b"\n").ok();
    }
}

/// Without the message of each panic: it is in the outcome.
pub(crate) fn quietly<T>(act: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let value = act();
    std::panic::set_hook(hook);
    value
}
