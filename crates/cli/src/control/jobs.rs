//! The verbs about jobs: start, restart, reload, list-jobs.

use serde::Serialize;
use zbus::OwnedObjectPath;

use crate::args::client::{Jobs, Reload};

use super::change::{Outcomes, expand};
use super::client::Client;
use super::error::Result;
use super::files;
use super::job::JobWatch;
use super::output::Output;
use super::plan;
use super::table::{Align, render};
use super::units;

/// A verb that makes a job: its word, its method, its type, and what is said of a unit when it is done.
struct Verb {
    word: &'static str,
    member: &'static str,
    done: &'static str,
}

const START: Verb = Verb { word: "start", member: "StartUnit", done: "started" };
const STOP: Verb = Verb { word: "stop", member: "StopUnit", done: "stopped" };
const RESTART: Verb = Verb { word: "restart", member: "RestartUnit", done: "restarted" };
const RELOAD: Verb = Verb { word: "reload", member: "ReloadUnit", done: "reloaded" };

pub(super) async fn start(client: &Client, args: &Jobs, out: &mut Output) -> Result<()> {
    run(client, START, args, out).await
}

pub(super) async fn stop(client: &Client, args: &Jobs, out: &mut Output) -> Result<()> {
    run(client, STOP, args, out).await
}

pub(super) async fn restart(client: &Client, args: &Jobs, out: &mut Output) -> Result<()> {
    run(client, RESTART, args, out).await
}

/// Without units, the manager reads its files again.
pub(super) async fn reload(client: &Client, args: &Reload, out: &mut Output) -> Result<()> {
    if args.units.is_empty() {
        files::reload(client).await?;
        return Outcomes::new(out).finish(out);
    }
    let args = Jobs { units: args.units.clone(), no_block: args.no_block, plan: args.plan };
    run(client, RELOAD, &args, out).await
}

async fn run(client: &Client, verb: Verb, args: &Jobs, out: &mut Output) -> Result<()> {
    let units = expand(client, &args.units).await?;
    if args.plan {
        return plan::jobs(client, verb.word, &units, out).await;
    }
    let mut outcomes = Outcomes::new(out);
    let mut watch = JobWatch::start(client).await?;
    let mut jobs = Vec::new();
    for unit in units {
        let what = format!("cannot {} {unit}", verb.word);
        let answer: Result<OwnedObjectPath> = client.manager(&what, verb.member, &(&unit, "replace")).await;
        match answer {
            Ok(job) => {
                units::warn_if_outdated(client, &unit).await;
                jobs.push((unit, job));
            }
            Err(error) => outcomes.add(&unit, verb.done, Err(error)),
        }
    }
    for (unit, job) in jobs {
        if args.no_block {
            outcomes.add(&unit, "queued", Ok(()));
        } else {
            let outcome = watch.wait(&unit, &job).await;
            outcomes.add(&unit, verb.done, outcome);
        }
    }
    outcomes.finish(out)
}

/// id, unit, type, state, path, unit's path
type Record = (u32, String, String, String, OwnedObjectPath, OwnedObjectPath);

/// A job; the shape in JSON.
#[derive(Debug, Serialize)]
struct JobRow {
    job: u32,
    unit: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
}

const COLUMNS: &[(&str, Align)] =
    &[("JOB", Align::Right), ("UNIT", Align::Left), ("TYPE", Align::Left), ("STATE", Align::Left)];

pub(super) async fn list_jobs(client: &Client, out: &mut Output) -> Result<()> {
    let records: Vec<Record> = client.manager("cannot list jobs", "ListJobs", &()).await?;
    let row = |(job, unit, kind, state, ..): Record| JobRow { job, unit, kind, state };
    let rows: Vec<JobRow> = records.into_iter().map(row).collect();
    if out.is_json() {
        return out.json(&rows);
    }
    if rows.is_empty() {
        out.line("no jobs");
        return Ok(());
    }
    let cells = |row: &JobRow| vec![row.job.to_string(), row.unit.clone(), row.kind.clone(), row.state.clone()];
    out.text(render(COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>()));
    Ok(())
}
