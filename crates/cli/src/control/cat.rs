//! `cat`: the files of a unit, in the order in which they count, each under its path. They are read where the client
//! runs, which is where the manager's are.

use std::fs;

use serde::Serialize;

use crate::args::client::Units;

use super::change::expand;
use super::client::Client;
use super::error::{Error, NOT_LOADED, Result};
use super::output::{self, Output};
use super::units;

/// A file of a unit; the shape in JSON.
#[derive(Debug, Serialize)]
struct UnitFile {
    unit: String,
    path: String,
    text: String,
}

pub(super) async fn cat(client: &Client, args: &Units, out: &mut Output) -> Result<()> {
    let mut shown = Vec::new();
    let mut status = None;
    for unit in expand(client, &args.units).await? {
        let what = format!("cannot show the files of {unit}");
        let properties = client.unit(&what, &unit).await?;
        let fragment = units::text(&properties, "FragmentPath").to_owned();
        let paths: Vec<String> = Some(fragment)
            .filter(|path| !path.is_empty())
            .into_iter()
            .chain(units::texts(&properties, "DropInPaths"))
            .collect();
        if paths.is_empty() {
            output::report(&Error::Usage(format!("{unit} has no files")), out.is_json());
            status.get_or_insert(NOT_LOADED);
        }
        for path in paths {
            let text = fs::read(&path).map_err(|e| Error::io(format!("cannot read {path}"), e))?;
            shown.push(UnitFile { unit: unit.clone(), path, text: String::from_utf8_lossy(&text).into_owned() });
        }
    }
    if out.is_json() {
        out.json(&shown)?;
    } else {
        for (number, UnitFile { path, text, .. }) in shown.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            out.text(format_args!("{gap}# {path}\n{text}{end}"));
        }
    }
    status.map_or(Ok(()), |status| Err(Error::Status(status)))
}
