//! What the server says about units, in our own types: the list records and typed looks at property maps.

use serde::Serialize;
use zbus::{OwnedObjectPath, Variant};

use super::client::{Client, PropertyMap, UNIT};
use super::error::{Error, Result};
use super::names;
use super::output;
use super::value;

/// As it comes: id, description, load, active and sub state, following, path, job id, job type, job path.
type Record = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// One unit of a list, and its shape in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnitRow {
    pub(crate) unit: String,
    pub(crate) description: String,
    pub(crate) load: String,
    pub(crate) active: String,
    pub(crate) sub: String,
    /// The pending job's type.
    pub(crate) job: Option<String>,
}

impl From<Record> for UnitRow {
    fn from((unit, description, load, active, sub, _, _, job_id, job, _): Record) -> Self {
        Self { unit, description, load, active, sub, job: (job_id != 0).then_some(job) }
    }
}

/// A process of a unit, and its shape in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) control_group: String,
}

/// Units in these states (any, if empty) whose name matches a pattern (any, if empty), by name.
pub(crate) async fn list(client: &Client, states: &[String], patterns: &[String]) -> Result<Vec<UnitRow>> {
    const WHAT: &str = "cannot list units";
    let answer: Result<Vec<Record>> = client.manager(WHAT, "ListUnitsByPatterns", &(states, patterns)).await;
    let records = match answer {
        Err(e) if is_missing(&e) && patterns.is_empty() => {
            client.manager(WHAT, "ListUnitsFiltered", &(states,)).await?
        }
        other => other?,
    };
    let mut rows: Vec<UnitRow> = records.into_iter().map(UnitRow::from).collect();
    rows.sort_by(|a, b| a.unit.cmp(&b.unit));
    Ok(rows)
}

/// Old servers lack the method, or a bus policy hides it.
fn is_missing(error: &Error) -> bool {
    matches!(error.name(), Some("org.freedesktop.DBus.Error.UnknownMethod" | "org.freedesktop.DBus.Error.AccessDenied"))
}

/// The processes of a unit and of all below it, by pid.
pub(crate) async fn processes(client: &Client, unit: &str) -> Result<Vec<Process>> {
    let what = format!("cannot list the processes of {unit}");
    let records: Vec<(String, u32, String)> = client.manager(&what, "GetUnitProcesses", &(unit,)).await?;
    let process = |(control_group, pid, command)| Process { pid, command, control_group };
    let mut processes: Vec<Process> = records.into_iter().map(process).collect();
    processes.sort_by_key(|process| process.pid);
    Ok(processes)
}

/// A text property; empty if absent.
pub(crate) fn text<'a>(map: &'a PropertyMap, name: &str) -> &'a str {
    match map.get(name).map(|value| &**value) {
        Some(Variant::Str(text)) => text.as_str(),
        _ => "",
    }
}

/// A number; none if absent or "not set".
pub(crate) fn number(map: &PropertyMap, name: &str) -> Option<u64> {
    match **map.get(name)? {
        Variant::U64(u64::MAX) => None,
        Variant::U64(number) => Some(number),
        Variant::U32(number) => Some(number.into()),
        _ => None,
    }
}

pub(crate) fn switch(map: &PropertyMap, name: &str) -> bool {
    matches!(map.get(name).map(|value| &**value), Some(Variant::Bool(true)))
}

/// A list of texts; empty if absent.
pub(crate) fn texts(map: &PropertyMap, name: &str) -> Vec<String> {
    match map.get(name).map(|value| &**value) {
        Some(Variant::Array(items)) => items.iter().map(|item| value::text(name, item)).collect(),
        _ => vec![],
    }
}

/// What is said of a unit whose files are others by now.
pub(super) fn outdated(unit: &str) -> String {
    format!("cgarbiter: the unit file or drop-ins of {unit} have changed on disk: run `cgarbiter reload`")
}

/// Says so of a unit of which that is true. What cannot be found out is no reason to fail.
pub(super) async fn warn_if_outdated(client: &Client, unit: &str) {
    let answer = client.get("", &names::unit_path(unit), UNIT, "NeedDaemonReload").await;
    if answer.is_ok_and(|value| matches!(*value, Variant::Bool(true))) {
        output::note(outdated(unit));
    }
}
