//! `run`: a command in a new service, or, with `--scope`, this process in a new scope.

mod ending;
mod executable;
mod scope;
mod service;
mod stay;
mod terminal;
mod watch;

use std::ffi::OsString;
use std::fs;

use serde::Serialize;
use zbus::Variant;

use crate::args::client::{Global, Run};

use super::error::{Error, Result};
use super::names;
use super::output;

/// No auxiliary units.
const NO_UNITS: &[(&str, Vec<(&str, Variant<'static>)>)] = &[];

/// What was started; the shape on standard error with `--json`.
#[derive(Debug, Serialize)]
struct Started {
    unit: String,
    invocation_id: String,
}

impl Started {
    fn announce(&self, json: bool) {
        match serde_json::to_string(self) {
            Ok(text) if json => output::note(text),
            _ => output::note(format_args!("Running as unit: {}", self.unit)),
        }
    }
}

pub(super) fn run(global: &Global, args: &Run) -> Result<()> {
    if args.scope { scope::run(global, args).map(|never| match never {}) } else { service::run(global, args) }
}

/// The name that was asked for, or one that nobody has.
fn unit_name(args: &Run, unit_type: &str) -> Result<String> {
    let Some(name) = &args.unit else { return Ok(format!("run-r{}.{unit_type}", random_id()?)) };
    let unit = names::mangle(name, unit_type);
    match names::type_of(&unit) {
        Some(found) if found == unit_type => Ok(unit),
        _ => Err(Error::Usage(format!("{unit} is not the name of a {unit_type}"))),
    }
}

fn random_id() -> Result<String> {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")
        .map_err(|e| Error::io("cannot make up a name for the unit, give one with --unit", e))?;
    Ok(uuid.chars().filter(char::is_ascii_hexdigit).collect())
}

fn command_line(command: &[OsString]) -> String {
    command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
