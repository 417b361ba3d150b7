//! `crash`: the daemon is killed after every step of every change, and its successor after every step of the recovery.

use super::swarm::quietly;
use cgarbiter_sim::crash::{Occasion, Options, Row, Scenario, explore, tell};
use cgarbiter_sim::mutants::Mutant;
use clap::Args;
use serde_json::json;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

/// As of a wrong answer in the other searches.
const WRONG: u8 = 3;

#[derive(Args)]
pub(crate) struct Crash {
    /// Only occasions or scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Do not kill the successor, too
    #[arg(long)]
    once: bool,
    /// Kill the successor only at every so many moments
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    sample: u64,
    /// Break this on purpose
    #[arg(long, value_name = "NAME", value_parser = super::search::mutant)]
    mutant: Option<Mutant>,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn crash(arguments: &Crash) -> io::Result<ExitCode> {
    let begin = Instant::now();
    let options = Options { once: arguments.once, sample: arguments.sample, mutant: arguments.mutant };
    let mut out = io::stdout().lock();
    let mut rows: Vec<(Scenario, Row)> = Vec::new();
    for scenario in Occasion::ALL.iter().flat_map(|occasion| occasion.scenarios()) {
        if arguments.wants(&scenario) {
            let row = quietly(|| explore(&scenario, options));
            if !arguments.json {
                print_row(&mut out, &scenario, &row, options)?;
            }
            rows.push((scenario, row));
        }
    }
    if rows.is_empty() {
        return Err(io::Error::other("nothing has such a name"));
    }
    let seconds = begin.elapsed().as_secs_f64();
    if arguments.json {
        writeln!(out, "{}", as_json(&rows, seconds))?;
    } else {
        print_sum(&mut out, &rows, seconds)?;
    }
    let failed = rows.iter().any(|(_, row)| row.failure.is_some());
    Ok(if failed { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

impl Crash {
    fn wants(&self, scenario: &Scenario) -> bool {
        self.only.as_ref().is_none_or(|only| title(scenario).contains(only.as_str()))
    }
}

fn title(scenario: &Scenario) -> String {
    format!("{}: {}", scenario.occasion.word(), scenario.name)
}

fn print_row(out: &mut impl Write, scenario: &Scenario, row: &Row, options: Options) -> io::Result<()> {
    let Row { steps, cuts, second_cuts, failure } = row;
    let verdict = if failure.is_some() { "WRONG" } else { "well" };
    let title = title(scenario);
    writeln!(out, "{title:<66} {steps:>3} steps {cuts:>4} cuts {second_cuts:>6} second cuts  {verdict}")?;
    if let Some(failure) = failure {
        writeln!(out, "  {failure}\n  ---")?;
        for line in quietly(|| tell(scenario, options, failure)) {
            writeln!(out, "  {line}")?;
        }
    }
    out.flush()
}

fn print_sum(out: &mut impl Write, rows: &[(Scenario, Row)], seconds: f64) -> io::Result<()> {
    let (cuts, second) = sum(rows);
    let rate = (cuts + second) as f64 / seconds;
    let failed = rows.iter().filter(|(_, row)| row.failure.is_some()).count();
    writeln!(
        out,
        "{} scenarios, {cuts} cuts, {second} second cuts in {seconds:.1} s, {rate:.0}/s; {failed} failed",
        rows.len()
    )
}

fn sum(rows: &[(Scenario, Row)]) -> (u64, u64) {
    rows.iter().fold((0, 0), |(cuts, second), (_, row)| (cuts + row.cuts, second + row.second_cuts))
}

fn as_json(rows: &[(Scenario, Row)], seconds: f64) -> serde_json::Value {
    let (cuts, second_cuts) = sum(rows);
    let row = |(scenario, row): &(Scenario, Row)| {
        let failure = row.failure.as_ref();
        json!({
            "occasion": scenario.occasion.word(),
            "scenario": scenario.name,
            "steps": row.steps,
            "cuts": row.cuts,
            "second_cuts": row.second_cuts,
            "failure": failure.map(|failure| json!({
                "first": failure.first.to_string(),
                "second": failure.second.map(|second| second.to_string()),
                "wrong": failure.wrong,
            })),
        })
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    json!({ "scenarios": rows, "cuts": cuts, "second_cuts": second_cuts, "seconds": seconds })
}
