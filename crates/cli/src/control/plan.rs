//! `plan`: the steps that a request would take; nothing changes.

use serde::Serialize;
use zbus::Variant;

use crate::args::client::{Plan, PlanStart, PlanUnit, Set};

use super::assign;
use super::client::Client;
use super::error::{Error, Result};
use super::names;
use super::output::Output;

/// No auxiliary units.
const NO_UNITS: &[(&str, Vec<(&str, Variant<'static>)>)] = &[];
/// What other servers answer, who do not have our interface.
const NOT_OURS: [&str; 4] = [
    "org.freedesktop.DBus.Error.UnknownObject",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.ServiceUnknown",
];

/// One step; the shape in JSON.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) unit: String,
    pub(super) cause: String,
    pub(super) step: String,
}

pub(super) async fn plan(client: &Client, plan: &Plan, out: &mut Output) -> Result<()> {
    let steps = match plan {
        Plan::Start(args) => start(client, args).await,
        Plan::Stop(args) => stop(client, args).await,
        Plan::Set(args) => set(client, args).await,
    };
    show(steps, out)
}

fn show(steps: Result<Vec<Step>>, out: &mut Output) -> Result<()> {
    let steps = steps.map_err(explain)?;
    if out.is_json() {
        return out.json(&steps);
    }
    print(&steps, out);
    Ok(())
}

/// The steps that jobs of this type would take, one unit after the other.
pub(super) async fn jobs(client: &Client, kind: &str, units: &[String], out: &mut Output) -> Result<()> {
    let mut steps = Vec::new();
    for unit in units {
        match job(client, unit, kind).await {
            Ok(more) => steps.extend(more),
            Err(error) => return show(Err(error), out),
        }
    }
    show(Ok(steps), out)
}

/// The steps that a change of unit files would take.
pub(super) async fn files(
    client: &Client,
    verb: &str,
    names: &[String],
    runtime: bool,
    force: bool,
    out: &mut Output,
) -> Result<()> {
    let what = format!("cannot plan to {verb} {}", names.join(", "));
    show(rows(client.arbiter(&what, "PlanUnitFiles", &(verb, names, runtime, force)).await), out)
}

/// One line a step: what is done, for which unit, and why.
pub(super) fn print(steps: &[Step], out: &mut Output) {
    if steps.is_empty() {
        out.line("nothing to do");
    }
    let width = steps.iter().map(|step| step.step.chars().count()).max().unwrap_or(0);
    for Step { unit, cause, step } in steps {
        let gap = " ".repeat(width - step.chars().count());
        out.line(format_args!("{step}{gap}   # {unit}: {cause}"));
    }
}

async fn start(client: &Client, args: &PlanStart) -> Result<Vec<Step>> {
    let unit = names::mangle(&args.unit, "scope");
    let mut properties = assign::parse_all(&args.properties)?
        .into_iter()
        .map(|property| (property.name, property.value.to_variant()))
        .collect::<Vec<_>>();
    if let Some(slice) = &args.slice {
        properties.push(("Slice".to_owned(), Variant::from(names::mangle(slice, "slice"))));
    }
    let mut pids = args.pids.clone();
    if pids.is_empty() && names::type_of(&unit) == Some("scope") {
        pids.push(std::process::id());
    }
    if !pids.is_empty() {
        properties.push(("PIDs".to_owned(), Variant::from(pids)));
    }
    rehearse_start(client, &unit, properties).await
}

/// The steps of starting a transient unit with these properties.
pub(super) async fn rehearse_start(
    client: &Client,
    unit: &str,
    properties: Vec<(String, Variant<'static>)>,
) -> Result<Vec<Step>> {
    let what = format!("cannot plan the start of {unit}");
    rows(client.arbiter(&what, "PlanTransientUnit", &(unit, "fail", properties, NO_UNITS)).await)
}

async fn stop(client: &Client, args: &PlanUnit) -> Result<Vec<Step>> {
    job(client, &names::mangle(&args.unit, "service"), "stop").await
}

async fn job(client: &Client, unit: &str, kind: &str) -> Result<Vec<Step>> {
    let what = format!("cannot plan the {kind} of {unit}");
    rows(client.arbiter(&what, "PlanUnitJob", &(unit, kind, "replace")).await)
}

async fn set(client: &Client, args: &Set) -> Result<Vec<Step>> {
    let unit = names::mangle(&args.unit, "service");
    let properties = assign::parse_all(&args.assignments)?;
    let properties: Vec<(&str, Variant<'_>)> =
        properties.iter().map(|property| (property.name.as_str(), property.value.to_variant())).collect();
    let what = format!("cannot plan a change of {unit}");
    rows(client.arbiter(&what, "PlanSetUnitProperties", &(&unit, args.runtime, properties)).await)
}

fn rows(answer: Result<Vec<(String, String, String)>>) -> Result<Vec<Step>> {
    Ok(answer?.into_iter().map(|(unit, cause, step)| Step { unit, cause, step }).collect())
}

/// A server that is not ours does not rehearse.
fn explain(error: Error) -> Error {
    match error {
        Error::Refused { what, name, .. } if NOT_OURS.contains(&name.as_str()) => {
            Error::Refused { what, name, text: "this server does not rehearse requests; cgarbiterd does".to_owned() }
        }
        other => other,
    }
}
