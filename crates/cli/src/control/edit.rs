//! `edit`: a drop-in of a unit, written in an editor or taken from standard input, put in its place as a whole or not
//! at all, and read by the manager.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::args::client::Edit;

use super::check;
use super::client::{Client, MANAGER, MANAGER_PATH};
use super::error::{Error, Result};
use super::files;
use super::names;
use super::output::{self, Output};
use super::units;

/// What was written; the shape in JSON.
#[derive(Debug, Serialize)]
struct Written {
    unit: String,
    path: PathBuf,
    changed: bool,
}

pub(super) async fn edit(client: &Client, args: &Edit, out: &mut Output) -> Result<()> {
    let is_watched = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !args.stdin && !is_watched {
        return Err(Error::Usage("an editor needs a terminal; --stdin takes the text from standard input".into()));
    }
    let unit = names::mangle(&args.unit, "service");
    let path = drop_in(&directory(client, args.runtime).await?, &unit, &args.drop_in)?;
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io(format!("cannot read {}", path.display()), e)),
    };
    let text = if args.stdin { from_stdin()? } else { from_editor(&path, &before)? };
    let changed = text != before && !(text.trim().is_empty() && before.is_empty());
    if changed {
        check::warn(&unit, &path.display().to_string(), &text);
        put(&path, &text)?;
        files::reload(client).await?;
    }
    if out.is_json() {
        out.json(&Written { unit, path, changed })?;
    } else {
        let done = if changed { "written" } else { "unchanged" };
        out.line(format_args!("{done}: {}", path.display()));
    }
    Ok(())
}

/// The operator's own directory among those that the manager reads: nothing is written there but by hand.
async fn directory(client: &Client, runtime: bool) -> Result<PathBuf> {
    let top = if runtime { "/run/" } else { "/etc/" };
    let what = "cannot find out where unit files lie";
    let properties = client.get_all(what, MANAGER_PATH, MANAGER).await?;
    let is_own = |path: &String| {
        let last = path.rsplit('/').next().unwrap_or_default();
        path.contains(top) && !last.contains("control") && !last.contains("transient") && !last.contains("generator")
    };
    let found = units::texts(&properties, "UnitPath").into_iter().find(is_own);
    found.map(PathBuf::from).ok_or_else(|| Error::Usage(format!("the manager reads no directory below {top}")))
}

fn drop_in(directory: &Path, unit: &str, name: &str) -> Result<PathBuf> {
    let name = name.strip_suffix(".conf").unwrap_or(name);
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(Error::Usage(format!("{name:?} is no name of a drop-in")));
    }
    Ok(directory.join(format!("{unit}.d")).join(format!("{name}.conf")))
}

fn from_stdin() -> Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|e| Error::io("cannot read standard input", e))?;
    Ok(text)
}

/// Lets the operator's editor work on a copy.
fn from_editor(path: &Path, text: &str) -> Result<String> {
    let fail = |e| Error::io("cannot make a copy to edit", e);
    let mut copy = tempfile::Builder::new().prefix("cgarbiter-").suffix(".conf").tempfile().map_err(fail)?;
    let begin = if text.is_empty() { format!("# {}\n", path.display()) } else { text.to_owned() };
    copy.write_all(begin.as_bytes()).and_then(|()| copy.flush()).map_err(fail)?;
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = ["CGARBITER_EDITOR", "VISUAL", "EDITOR"].iter().find_map(|name| set(name));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(copy.path()).status();
    let status = status.map_err(|source| Error::Exec { command: program.to_owned(), source })?;
    if !status.success() {
        return Err(Error::Usage(format!("{program} ended with {status}: nothing is changed")));
    }
    let edited = fs::read_to_string(copy.path()).map_err(|e| Error::io("cannot read what was edited", e))?;
    Ok(if edited == begin { text.to_owned() } else { edited })
}

/// As a whole or not at all, and on the disk when this returns.
fn put(path: &Path, text: &str) -> Result<()> {
    let fail = |e| Error::io(format!("cannot write {}", path.display()), e);
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(fail)?;
    let mut aside = tempfile::Builder::new().prefix(".cgarbiter-").tempfile_in(directory).map_err(fail)?;
    aside.write_all(text.as_bytes()).map_err(fail)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    aside.as_file().set_permissions(mode).and_then(|()| aside.as_file().sync_all()).map_err(fail)?;
    aside.persist(path).map_err(|e| fail(e.error))?;
    if let Err(e) = File::open(directory).and_then(|directory| directory.sync_all()) {
        output::note(format_args!("{}: {e}", directory.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_in_lies_beside_its_unit_and_nowhere_else() {
        let path = |name: &str| drop_in(Path::new("/etc/units"), "a.service", name).ok();
        assert_eq!(path("override"), Some("/etc/units/a.service.d/override.conf".into()));
        assert_eq!(path("50-x.conf"), Some("/etc/units/a.service.d/50-x.conf".into()));
        for bad in ["", "../x", ".hidden", ".conf"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_put_is_there_as_a_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.service.d/x.conf");
        for text in ["[Service]\n", ""] {
            put(&path, text).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
        assert_eq!(
            fs::read_dir(path.parent().expect("it has one")).expect("there").count(),
            1,
            "nothing is left aside"
        );
    }
}
