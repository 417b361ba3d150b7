//! The verbs about unit files: enable, disable, reenable, mask, unmask, link, revert, list-unit-files. After a change
//! the manager is told to read its files again, as systemctl does.

use std::path::PathBuf;

use serde::Serialize;
use zbus::OwnedObjectPath;

use crate::args::client::{Enable, FileList, Files, ListFiles};

use super::client::Client;
use super::error::{Error, Result};
use super::job::JobWatch;
use super::names;
use super::output::{self, Output};
use super::plan;
use super::table::{Align, render};

/// kind, path, where it leads
type Record = (String, String, String);

/// One link made or removed; the shape in JSON.
#[derive(Debug, Serialize)]
struct Change {
    change: String,
    path: String,
    target: Option<String>,
}

impl From<Record> for Change {
    fn from((change, path, target): Record) -> Self {
        Self { change, path, target: Some(target).filter(|target| !target.is_empty()) }
    }
}

/// A method about unit files.
#[derive(Debug, Clone, Copy)]
struct Verb {
    /// The word of the command line, and of `PlanUnitFiles`.
    word: &'static str,
    member: &'static str,
    takes: Takes,
}

/// The arguments of a method beside the names, and what the answer begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    RuntimeAndForceWithInfo,
    RuntimeAndForce,
    Runtime,
    Nothing,
}

const fn verb(word: &'static str, member: &'static str, takes: Takes) -> Verb {
    Verb { word, member, takes }
}

const ENABLE: Verb = verb("enable", "EnableUnitFiles", Takes::RuntimeAndForceWithInfo);
const REENABLE: Verb = verb("reenable", "ReenableUnitFiles", Takes::RuntimeAndForceWithInfo);
const DISABLE: Verb = verb("disable", "DisableUnitFiles", Takes::Runtime);
const MASK: Verb = verb("mask", "MaskUnitFiles", Takes::RuntimeAndForce);
const UNMASK: Verb = verb("unmask", "UnmaskUnitFiles", Takes::Runtime);
const LINK: Verb = verb("link", "LinkUnitFiles", Takes::RuntimeAndForce);
const REVERT: Verb = verb("revert", "RevertUnitFiles", Takes::Nothing);

pub(super) async fn enable(client: &Client, args: &Enable, out: &mut Output) -> Result<()> {
    enable_as(client, ENABLE, args, out).await
}

pub(super) async fn reenable(client: &Client, args: &Enable, out: &mut Output) -> Result<()> {
    enable_as(client, REENABLE, args, out).await
}

pub(super) async fn disable(client: &Client, args: &Enable, out: &mut Output) -> Result<()> {
    change(client, DISABLE, &args.files, out).await?;
    if args.now && !args.files.plan { jobs(client, "StopUnit", &args.files, out).await } else { Ok(()) }
}

pub(super) async fn mask(client: &Client, args: &Files, out: &mut Output) -> Result<()> {
    change(client, MASK, args, out).await.map(drop)
}

pub(super) async fn unmask(client: &Client, args: &Files, out: &mut Output) -> Result<()> {
    change(client, UNMASK, args, out).await.map(drop)
}

pub(super) async fn link(client: &Client, args: &Files, out: &mut Output) -> Result<()> {
    change(client, LINK, args, out).await.map(drop)
}

pub(super) async fn revert(client: &Client, args: &FileList, out: &mut Output) -> Result<()> {
    let args = Files { names: args.names.clone(), runtime: false, force: false, plan: args.plan };
    change(client, REVERT, &args, out).await.map(drop)
}

async fn enable_as(client: &Client, verb: Verb, args: &Enable, out: &mut Output) -> Result<()> {
    let carries = change(client, verb, &args.files, out).await?;
    if !carries && !args.files.plan && !out.is_json() {
        output::note("nothing in [Install] of these files says what to do: they are started by others, or by name");
    }
    if args.now && !args.files.plan { jobs(client, "StartUnit", &args.files, out).await } else { Ok(()) }
}

/// Makes the change, prints it, and has the files read again. Whether there was anything to install.
async fn change(client: &Client, verb: Verb, args: &Files, out: &mut Output) -> Result<bool> {
    let names = full_names(&args.names)?;
    if args.plan {
        plan::files(client, verb.word, &names, args.runtime, args.force, out).await?;
        return Ok(true);
    }
    let what = format!("cannot {} {}", verb.word, names.join(", "));
    let (carries, records): (bool, Vec<Record>) = match verb.takes {
        Takes::RuntimeAndForceWithInfo => {
            client.manager(&what, verb.member, &(&names, args.runtime, args.force)).await?
        }
        Takes::RuntimeAndForce => {
            (true, client.manager(&what, verb.member, &(&names, args.runtime, args.force)).await?)
        }
        Takes::Runtime => (true, client.manager(&what, verb.member, &(&names, args.runtime)).await?),
        Takes::Nothing => (true, client.manager(&what, verb.member, &(&names,)).await?),
    };
    let changes: Vec<Change> = records.into_iter().map(Change::from).collect();
    if out.is_json() {
        out.json(&changes)?;
    } else {
        changes.iter().for_each(|change| out.line(describe(change)));
    }
    reload(client).await?;
    Ok(carries)
}

fn describe(Change { change, path, target }: &Change) -> String {
    match (change.as_str(), target) {
        ("unlink", _) => format!("removed {path}"),
        (_, Some(target)) => format!("linked {path} -> {target}"),
        (other, None) => format!("{other} {path}"),
    }
}

/// Has the manager read its files again.
pub(super) async fn reload(client: &Client) -> Result<()> {
    client.manager("cannot have the unit files read again", "Reload", &()).await
}

/// Starts or stops what was enabled or disabled; templates have nothing to start.
async fn jobs(client: &Client, member: &str, args: &Files, _: &mut Output) -> Result<()> {
    let mut watch = JobWatch::start(client).await?;
    for name in full_names(&args.names)?.iter().filter(|name| !name.contains("@.") && !name.starts_with('/')) {
        let what = format!("cannot {} {name}", if member == "StopUnit" { "stop" } else { "start" });
        let job: OwnedObjectPath = client.manager(&what, member, &(name, "replace")).await?;
        watch.wait(name, &job).await?;
    }
    Ok(())
}

/// Paths are made absolute, everything else is the name of a unit.
fn full_names(given: &[String]) -> Result<Vec<String>> {
    let full = |name: &String| {
        if !name.contains('/') {
            return Ok(names::mangle(name, "service"));
        }
        let path = std::path::absolute(PathBuf::from(name))
            .map_err(|e| Error::io(format!("cannot tell where {name} lies"), e))?;
        path.into_os_string().into_string().map_err(|_| Error::Usage(format!("{name}: paths of units are text")))
    };
    given.iter().map(full).collect()
}

const COLUMNS: &[(&str, Align)] = &[("UNIT FILE", Align::Left), ("STATE", Align::Left), ("PATH", Align::Left)];

/// A unit file; the shape in JSON.
#[derive(Debug, Serialize)]
struct FileRow {
    unit: String,
    state: String,
    path: String,
}

pub(super) async fn list_unit_files(client: &Client, args: &ListFiles, out: &mut Output) -> Result<()> {
    let patterns: Vec<String> = args.patterns.iter().map(|pattern| names::mangle_pattern(pattern)).collect();
    let what = "cannot list unit files";
    let records: Vec<(String, String)> =
        client.manager(what, "ListUnitFilesByPatterns", &(&args.state, &patterns)).await?;
    let row = |(path, state): (String, String)| FileRow {
        unit: path.rsplit('/').next().unwrap_or_default().to_owned(),
        state,
        path,
    };
    let mut rows: Vec<FileRow> = records.into_iter().map(row).collect();
    rows.retain(|row| {
        args.types.is_empty() || names::type_of(&row.unit).is_some_and(|t| args.types.iter().any(|w| w == t))
    });
    rows.sort_by(|a, b| a.unit.cmp(&b.unit));
    if out.is_json() {
        return out.json(&rows);
    }
    let cells = |row: &FileRow| [&row.unit, &row.state, &row.path].map(Clone::clone).to_vec();
    out.text(render(COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>()));
    out.line(format_args!("\n{} unit {}", rows.len(), if rows.len() == 1 { "file" } else { "files" }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_and_paths_made_absolute() {
        let here = std::env::current_dir().expect("somewhere").join("x/a.service").display().to_string();
        let names = ["a", "b.slice", "/opt/c.service", "x/a.service"].map(String::from);
        assert_eq!(full_names(&names).expect("fine"), ["a.service", "b.slice", "/opt/c.service", &here]);
    }

    #[test]
    fn changes_in_words() {
        let change = |kind: &str, target: &str| describe(&Change::from((kind.into(), "/etc/a".into(), target.into())));
        assert_eq!(change("symlink", "/usr/a"), "linked /etc/a -> /usr/a");
        assert_eq!(change("unlink", ""), "removed /etc/a");
    }
}
