//! `mutants`: a table of what is broken on purpose, and which oracles notice.

use cgarbiter_sim::check;
use cgarbiter_sim::mutants::Mutant;
use cgarbiter_sim::run::{Failure, Options};
use cgarbiter_sim::story::run_seed;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Mutants {
    /// How many runs for each mutant
    #[arg(long, default_value_t = 40)]
    runs: u64,
    /// How many things happen in each run
    #[arg(long, default_value_t = 400)]
    steps: u64,
    /// Print what each oracle said
    #[arg(long)]
    words: bool,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// A mutant, and who noticed it with which words.
type Row = (Mutant, BTreeMap<&'static str, String>);

/// 0 when each mutant is noticed by its oracle and by no other, 1 otherwise.
pub(crate) fn mutants(arguments: &Mutants) -> io::Result<ExitCode> {
    let rows = super::swarm::quietly(|| Mutant::ALL.map(|mutant| (mutant, noticed(arguments, mutant))));
    let is_well = rows.iter().all(|(mutant, seen)| seen.keys().eq([&mutant.oracle()]));
    let mut out = io::stdout().lock();
    if arguments.json {
        let row =
            |(mutant, seen): &Row| json!({ "mutant": mutant.name(), "oracle": mutant.oracle(), "noticed_by": seen });
        let rows: Vec<_> = rows.iter().map(row).collect();
        writeln!(out, "{}", json!({ "mutants": rows, "well": is_well }))?;
    } else {
        print_table(&mut out, &rows)?;
        for (mutant, seen) in &rows {
            for (oracle, what) in seen.iter().filter(|(oracle, _)| arguments.words || **oracle != mutant.oracle()) {
                writeln!(out, "{}, {oracle}: {what}", mutant.name())?;
            }
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Which oracles notice the mutant in some run, with what they say.
fn noticed(arguments: &Mutants, mutant: Mutant) -> BTreeMap<&'static str, String> {
    let options =
        Options { steps: arguments.steps, collects: true, mutant: Some(mutant), faultless: true, ..Options::default() };
    let mut all = BTreeMap::new();
    for seed in 0..arguments.runs {
        let mut ended = run_seed(seed, &options);
        match ended.failure {
            Some(Failure::Wrong(violation) | Failure::Stuck(violation)) => {
                ended.unsatisfied.insert(violation.oracle, violation.what);
            }
            Some(Failure::Panic(text)) => drop(ended.unsatisfied.insert("panic", text)),
            None => {}
        }
        for (oracle, what) in ended.unsatisfied {
            all.entry(oracle).or_insert_with(|| format!("seed {seed}: {what}"));
        }
    }
    all
}

fn print_table(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    write!(out, "{:<24}", "")?;
    check::NAMES.iter().try_for_each(|name| write!(out, " {name:>12}"))?;
    writeln!(out)?;
    for (mutant, seen) in rows {
        write!(out, "{:<24}", mutant.name())?;
        for name in check::NAMES {
            let word = match (name == mutant.oracle(), seen.contains_key(name)) {
                (true, true) => "noticed",
                (true, false) => "MISSED",
                (false, true) => "ALSO HERE",
                (false, false) => ".",
            };
            write!(out, " {word:>12}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
