//! From replies and signals to message bodies.

use super::SignalMessage;
use super::objects::{JOB, JOB_PREFIX, MANAGER, MANAGER_PATH, PROPERTIES, SCOPE};
use crate::effect::{JobRow, ProcessRow, Reply, Signal, StepRow, UnitRow};
use crate::install::Change;
use crate::names::{UNIT_PREFIX, UnitName, label_escape, unit_object_path};
use crate::value::Value;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// The body of a reply.
#[must_use]
pub fn encode_reply(reply: Reply) -> Vec<Value> {
    match reply {
        Reply::Done => Vec::new(),
        Reply::Job(id) => vec![job_path(id)],
        Reply::Unit(name) => vec![unit_path(&name)],
        Reply::UnitByInvocation(id) => vec![invocation_path(&id)],
        Reply::UnitOfPid { unit, invocation_id } => {
            let id = invocation_id.map_or_else(Vec::new, Vec::from);
            vec![unit_path(&unit), Value::str(&unit), Value::Bytes(id)]
        }
        Reply::EnqueuedJob { job, affected } => enqueued(&job, &affected),
        Reply::Units(rows) => vec![rows_of("(ssssssouso)", rows.iter().map(unit_row))],
        Reply::Jobs(rows) => vec![rows_of("(usssoo)", rows.iter().map(job_row))],
        Reply::Processes(rows) => vec![rows_of("(sus)", rows.into_iter().map(process_row))],
        Reply::Text(text) => vec![Value::Str(text)],
        Reply::UnitFiles(rows) => vec![rows_of("(ss)", rows.into_iter().map(unit_file_row))],
        Reply::FileChanges { carries, changes } => {
            let rows = rows_of("(sss)", changes.into_iter().map(change_row));
            carries.map(Value::Bool).into_iter().chain([rows]).collect()
        }
        Reply::Texts(texts) => vec![Value::strings(texts)],
        Reply::Value(value) => vec![Value::Variant(Box::new(value))],
        Reply::Properties(properties) => vec![Value::dict(properties)],
        Reply::Steps(rows) => vec![rows_of("(sss)", rows.into_iter().map(step_row))],
    }
}

/// A signal as a message.
#[must_use]
pub fn encode_signal(signal: Signal) -> SignalMessage {
    match signal {
        Signal::UnitNew(name) => of_manager("UnitNew", vec![Value::str(&name), unit_path(&name)]),
        Signal::UnitRemoved(name) => of_manager("UnitRemoved", vec![Value::str(&name), unit_path(&name)]),
        Signal::JobNew { id, unit } => of_manager("JobNew", vec![Value::U32(id), job_path(id), Value::str(&unit)]),
        Signal::JobRemoved { id, unit, result } => {
            of_manager("JobRemoved", vec![Value::U32(id), job_path(id), Value::str(&unit), Value::str(result)])
        }
        Signal::UnitChanged { unit, interface, changed, invalidated } => {
            changed_message(unit_object_path(&unit), interface, changed, &invalidated)
        }
        Signal::JobChanged { id, state } => {
            changed_message(job_path_text(id), JOB.name, vec![("State", Value::str(state))], &[])
        }
        Signal::RequestStop(name) => SignalMessage {
            path: unit_object_path(&name),
            interface: SCOPE.name,
            member: "RequestStop",
            body: Vec::new(),
        },
        Signal::Reloading(active) => of_manager("Reloading", vec![Value::Bool(active)]),
        Signal::UnitFilesChanged => of_manager("UnitFilesChanged", Vec::new()),
    }
}

/// A job's object path.
pub(super) fn job_path(id: u32) -> Value {
    Value::Path(job_path_text(id))
}

/// A unit's object path.
pub(super) fn unit_path(name: &UnitName) -> Value {
    Value::Path(unit_object_path(name))
}

fn job_path_text(id: u32) -> String {
    let mut text = String::with_capacity(JOB_PREFIX.len() + 10);
    text.push_str(JOB_PREFIX);
    // Writing into a String cannot fail.
    let _ = write!(text, "{id}");
    text
}

fn invocation_path(id: &[u8; 16]) -> Value {
    let mut hex = String::with_capacity(32);
    for byte in id {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Value::Path(format!("{UNIT_PREFIX}{}", label_escape(&hex)))
}

fn of_manager(member: &'static str, body: Vec<Value>) -> SignalMessage {
    SignalMessage { path: MANAGER_PATH.into(), interface: MANAGER.name, member, body }
}

fn changed_message(
    path: String,
    interface: &str,
    changed: Vec<(&'static str, Value)>,
    invalidated: &[&'static str],
) -> SignalMessage {
    let body = vec![Value::str(interface), Value::dict(changed), Value::strings(invalidated)];
    SignalMessage { path, interface: PROPERTIES.name, member: "PropertiesChanged", body }
}

fn rows_of(signature: &str, rows: impl Iterator<Item = Vec<Value>>) -> Value {
    Value::Array(signature.into(), rows.map(Value::Struct).collect())
}

fn unit_row(row: &UnitRow) -> Vec<Value> {
    let (id, kind, path) = match row.job {
        Some((id, kind)) => (id, kind, job_path(id)),
        None => (0, "", Value::path("/")),
    };
    vec![
        Value::str(&row.name),
        Value::str(&row.description),
        Value::str(row.load),
        Value::str(row.active),
        Value::str(row.sub),
        Value::str(""),
        unit_path(&row.name),
        Value::U32(id),
        Value::str(kind),
        path,
    ]
}

fn job_row(row: &JobRow) -> Vec<Value> {
    vec![
        Value::U32(row.id),
        Value::str(&row.unit),
        Value::str(row.kind),
        Value::str(row.state),
        job_path(row.id),
        unit_path(&row.unit),
    ]
}

fn enqueued(job: &JobRow, affected: &[JobRow]) -> Vec<Value> {
    let mut body = enqueued_row(job);
    body.push(rows_of("(uosos)", affected.iter().map(enqueued_row)));
    body
}

fn enqueued_row(row: &JobRow) -> Vec<Value> {
    vec![Value::U32(row.id), job_path(row.id), Value::str(&row.unit), unit_path(&row.unit), Value::str(row.kind)]
}

fn process_row(row: ProcessRow) -> Vec<Value> {
    vec![Value::Str(row.cgroup), Value::U32(row.pid), Value::Str(row.command)]
}

fn unit_file_row((path, state): (String, String)) -> Vec<Value> {
    vec![Value::Str(path), Value::Str(state)]
}

fn change_row(change: Change) -> Vec<Value> {
    vec![Value::str(change.kind.as_str()), Value::Str(change.path), Value::Str(change.source)]
}

fn step_row(row: StepRow) -> Vec<Value> {
    vec![Value::str(&row.unit), Value::str(row.cause), Value::Str(row.step)]
}
