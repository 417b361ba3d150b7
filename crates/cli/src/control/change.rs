//! The verbs that change units, but for those that make jobs: set, kill, freeze, thaw, reset-failed.

use clap::ValueEnum;
use serde::Serialize;
use zbus::Variant;

use crate::args::client::{Kill, Patterns, Plan, Set, Units};

use super::assign;
use super::client::{Client, PATIENT};
use super::error::{Error, Result};
use super::names;
use super::output::{self, Output};
use super::plan;
use super::units;

/// What became of one unit; the shape in JSON.
#[derive(Debug, Serialize)]
struct Done {
    unit: String,
    result: &'static str,
}

/// Gathers outcomes; a failure with one unit does not keep the others from their turn.
pub(super) struct Outcomes {
    done: Vec<Done>,
    status: Option<u8>,
    json: bool,
}

impl Outcomes {
    pub(super) fn new(out: &Output) -> Self {
        Self { done: Vec::new(), status: None, json: out.is_json() }
    }

    pub(super) fn add(&mut self, unit: &str, result: &'static str, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.done.push(Done { unit: unit.to_owned(), result }),
            Err(error) => {
                output::report(&error, self.json);
                self.status.get_or_insert(error.exit_status());
            }
        }
    }

    /// The first failure decides the exit status.
    pub(super) fn finish(self, out: &mut Output) -> Result<()> {
        if out.is_json() {
            out.json(&self.done)?;
        }
        self.status.map_or(Ok(()), |status| Err(Error::Status(status)))
    }
}

pub(super) async fn set(client: &Client, args: &Set, out: &mut Output) -> Result<()> {
    if args.plan {
        return plan::plan(client, &Plan::Set(args.clone()), out).await;
    }
    let unit = names::mangle(&args.unit, "service");
    let properties = assign::parse_all(&args.assignments)?;
    let properties: Vec<(&str, Variant<'_>)> =
        properties.iter().map(|property| (property.name.as_str(), property.value.to_variant())).collect();
    let what = format!("cannot set properties of {unit}");
    let outcome = client.manager::<_, ()>(&what, "SetUnitProperties", &(&unit, args.runtime, properties)).await;
    outcome?;
    if out.is_json() {
        out.json(&[Done { unit, result: "set" }])?;
    }
    Ok(())
}

pub(super) async fn kill(client: &Client, args: &Kill, out: &mut Output) -> Result<()> {
    let signal = assign::signal(&args.signal).map_err(|reason| Error::Usage(format!("{}: {reason}", args.signal)))?;
    let whom = args.whom.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    each(client, &args.units, "signaled", out, async |unit| {
        let what = format!("cannot kill {unit}");
        client.manager(&what, "KillUnit", &(unit, &whom, signal)).await
    })
    .await
}

pub(super) async fn freeze(client: &Client, args: &Units, out: &mut Output) -> Result<()> {
    each(client, &args.units, "frozen", out, async |unit| {
        client.manager_within(PATIENT, &format!("cannot freeze {unit}"), "FreezeUnit", &(unit,)).await
    })
    .await
}

pub(super) async fn thaw(client: &Client, args: &Units, out: &mut Output) -> Result<()> {
    each(client, &args.units, "thawed", out, async |unit| {
        client.manager_within(PATIENT, &format!("cannot thaw {unit}"), "ThawUnit", &(unit,)).await
    })
    .await
}

pub(super) async fn reset_failed(client: &Client, args: &Patterns, out: &mut Output) -> Result<()> {
    if args.units.is_empty() {
        client.manager::<_, ()>("cannot reset failed units", "ResetFailed", &()).await?;
        return Outcomes::new(out).finish(out);
    }
    each(client, &args.units, "reset", out, async |unit| {
        client.manager(&format!("cannot reset {unit}"), "ResetFailedUnit", &(unit,)).await
    })
    .await
}

async fn each(
    client: &Client,
    units: &[String],
    result: &'static str,
    out: &mut Output,
    act: impl AsyncFn(&str) -> Result<()>,
) -> Result<()> {
    let mut outcomes = Outcomes::new(out);
    for unit in expand(client, units).await? {
        let outcome = act(&unit).await;
        outcomes.add(&unit, result, outcome);
    }
    outcomes.finish(out)
}

/// Full names; a pattern stands for the loaded units it matches.
pub(super) async fn expand(client: &Client, given: &[String]) -> Result<Vec<String>> {
    let (patterns, mut full): (Vec<String>, Vec<String>) =
        given.iter().map(|name| names::mangle_pattern(name)).partition(|name| names::is_pattern(name));
    if !patterns.is_empty() {
        let matched = units::list(client, &[], &patterns).await?.into_iter().map(|row| row.unit);
        full.extend(matched);
    }
    Ok(full)
}
