//! `exhaustive`: every world of a small machine, up to so many things that somebody does.

use super::search::status;
use cgarbiter_sim::exhaustive::{Deed, Found, Limits, Progress, Size, explore};
use cgarbiter_sim::mutants::Mutant;
use cgarbiter_sim::run::Failure;
use clap::Args;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct Exhaustive {
    /// What there is: 1 for a slice with a scope, 2 for two of each, 3 with one scope more that is handed over
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3))]
    units: u32,
    /// So many things that somebody does; the world's own moves between them, in every order, do not count
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=100))]
    depth: u32,
    /// So many distinct worlds at most
    #[arg(long, value_name = "COUNT")]
    worlds: Option<u64>,
    /// How many threads
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Of one world in so many, see that it comes to rest when nobody does anything any more; 0 for none
    #[arg(long, default_value_t = 64, value_name = "COUNT")]
    heal_one_in: u32,
    /// Keep so many waiting worlds in memory; the others are made again when it is their turn
    #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
    kept: usize,
    /// Break this on purpose (see the command `mutants`)
    #[arg(long, value_name = "NAME", value_parser = super::search::mutant)]
    mutant: Option<Mutant>,
    /// Print the outcome as one line of JSON
    #[arg(long)]
    json: bool,
    /// Where to write the way to a failure
    #[arg(long, value_name = "FILE", default_value = "cgarbiter-sim.failure")]
    output: PathBuf,
}

pub(crate) fn exhaustive(arguments: &Exhaustive) -> io::Result<ExitCode> {
    let begin = Instant::now();
    let limits = arguments.limits();
    let shower = Shower { begin, last: Mutex::new(begin), is_shown: !arguments.json };
    let found = super::swarm::quietly(|| explore(&limits, &|progress| shower.show(progress)));
    let seconds = begin.elapsed().as_secs_f64();
    if let Some((_, story)) = &found.failure {
        fs::write(&arguments.output, super::swarm::quietly(|| story.to_text()))?;
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", line(arguments, &found, seconds))?;
    } else {
        print(&mut out, arguments, &found, seconds)?;
    }
    Ok(status(found.failure.as_ref().map(|(failure, _)| failure)))
}

impl Exhaustive {
    fn limits(&self) -> Limits {
        Limits {
            size: Size::of(self.units).expect("the range is that of the sizes"),
            depth: self.depth,
            worlds: self.worlds.unwrap_or(u64::MAX),
            jobs: self.jobs,
            heal_one_in: self.heal_one_in,
            kept: self.kept,
            mutant: self.mutant,
        }
    }
}

/// Says where the search is: often to people, now and then to a file.
struct Shower {
    begin: Instant,
    last: Mutex<Instant>,
    is_shown: bool,
}

impl Shower {
    fn show(&self, progress: &Progress) {
        let is_seen = io::stderr().is_terminal();
        let pause = if is_seen { Duration::from_millis(200) } else { Duration::from_secs(10) };
        let Ok(mut last) = self.last.lock() else { return };
        if !self.is_shown || last.elapsed() < pause {
            return;
        }
        *last = Instant::now();
        let seconds = self.begin.elapsed().as_secs_f64();
        let Progress { depth, worlds, transitions, waiting, next } = progress;
        let merged = transitions.saturating_sub(*worlds);
        let rate = *worlds as f64 / seconds;
        let text = format!(
            "{seconds:.0} s, depth {depth}: {worlds} worlds, {merged} merged, {waiting} waiting, {next} for the next \
             depth, {rate:.0} worlds/s"
        );
        let text = if is_seen { format!("\r\x1b[K{text}") } else { format!("{text}\n") };
        io::stderr().write_all(text.as_bytes()).ok();
    }
}

fn print(out: &mut impl Write, arguments: &Exhaustive, found: &Found, seconds: f64) -> io::Result<()> {
    let Found { worlds, levels, completed, covered, .. } = found;
    let (deeds, merged) = (covered.transitions, covered.merged);
    writeln!(out, "{worlds} distinct worlds, {deeds} deeds, {merged} of them to worlds already known")?;
    writeln!(
        out,
        "{seconds:.1} s: {:.0} worlds/s, {:.0} deeds/s; at most {} MB resident",
        *worlds as f64 / seconds,
        deeds as f64 / seconds,
        resident_kib() / 1024
    )?;
    let done = completed.map_or("none".to_owned(), |depth| depth.to_string());
    writeln!(out, "met while each depth was visited: {levels:?}; completed up to depth {done}")?;
    writeln!(out, "{} of them seen to come to rest by themselves", covered.healed)?;
    writeln!(out, "{:<16} {:>12} {:>12}", "deed", "possible", "done")?;
    for (name, (possible, done)) in Deed::NAMES.iter().zip(covered.possible.iter().zip(covered.done)) {
        writeln!(out, "{name:<16} {possible:>12} {done:>12}")?;
    }
    writeln!(out, "{:<25} {:>16}", "plan step", "done")?;
    for (kind, count) in &covered.steps {
        writeln!(out, "{kind:<25} {count:>16}")?;
    }
    if let Some((failure, story)) = &found.failure {
        writeln!(out, "{}: {}", failure.kind(), failure.what())?;
        let (steps, file) = (story.options.steps, arguments.output.display());
        writeln!(out, "the way there, {steps} deeds long, is in {file}: see `replay` and `shrink`")?;
    }
    Ok(())
}

fn line(arguments: &Exhaustive, found: &Found, seconds: f64) -> Value {
    let covered = &found.covered;
    let deeds = Deed::NAMES.iter().zip(covered.possible.iter().zip(covered.done));
    let deeds: Map<String, Value> = deeds
        .map(|(name, (possible, done))| ((*name).to_owned(), json!({ "possible": possible, "done": done })))
        .collect();
    let failure = found.failure.as_ref().map(|(failure, _)| failure);
    json!({
        "units": arguments.units, "depth": arguments.depth, "worlds": found.worlds, "levels": found.levels,
        "completed": found.completed, "transitions": covered.transitions, "merged": covered.merged,
        "healed": covered.healed, "seconds": seconds, "resident_kib": resident_kib(),
        "deeds": deeds, "steps": covered.steps,
        "failure": failure.map(Failure::kind), "what": failure.map(Failure::what),
    })
}

/// The most memory this process has had.
fn resident_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
