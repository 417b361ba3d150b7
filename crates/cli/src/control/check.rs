//! `check`: unit files looked at without a server, with what would be skipped or make the unit unfit, line by line.

use std::fs;
use std::io::Read;
use std::path::Path;

use cgarbiter_core::Config;
use cgarbiter_core::install;
use cgarbiter_core::names::{NameForm, UnitName};
use cgarbiter_core::properties::default_settings;
use cgarbiter_core::unit_file::{self, Severity, Source, Warning};
use serde::Serialize;

use crate::args::client::Check;

use super::error::{Error, FAILURE, Result};
use super::output::{self, Output};

/// No unit file is as large as this.
const SIZE_MAX: u64 = 1 << 20;

/// One fault; the shape in JSON.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Fault {
    file: String,
    line: u32,
    key: Option<String>,
    text: String,
    /// `skipped`, `bad-setting` or `unreadable`.
    severity: &'static str,
}

pub(super) fn check(args: &Check, out: &mut Output) -> Result<()> {
    let mut faults = Vec::new();
    for path in &args.files {
        let file = path.display().to_string();
        match read(path) {
            Ok(text) => faults.extend(look_at(&unit_of(path), &file, &text)),
            Err(e) => faults.push(unreadable(file, e.to_string())),
        }
    }
    if out.is_json() {
        out.json(&faults)?;
    } else {
        faults.iter().for_each(|fault| out.line(describe(fault)));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Status(FAILURE)) }
}

/// Tells what is wrong with a text that is about to be put into a file of the unit.
pub(super) fn warn(unit: &str, file: &str, text: &str) {
    look_at(unit, file, text).iter().for_each(|fault| output::note(describe(fault)));
}

fn describe(Fault { file, line, key, text, .. }: &Fault) -> String {
    let key = key.as_deref().map_or_else(String::new, |key| format!(" {key}:"));
    if *line == 0 { format!("{file}:{key} {text}") } else { format!("{file}:{line}:{key} {text}") }
}

fn unreadable(file: String, text: String) -> Fault {
    Fault { file, line: 0, key: None, text, severity: "unreadable" }
}

/// The text of a plain file; anything else could keep us waiting.
fn read(path: &Path) -> std::io::Result<String> {
    let other = |text: &str| std::io::Error::other(text.to_owned());
    if !fs::metadata(path)?.is_file() {
        return Err(other("This is no file."));
    }
    let mut text = Vec::new();
    fs::File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > SIZE_MAX {
        return Err(other("No unit file is as large as this."));
    }
    String::from_utf8(text).map_err(|_| other("This is no text."))
}

/// The unit that a file is of: its name, or that of the directory for a drop-in.
fn unit_of(path: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.parent().map(name).filter(|directory| directory.ends_with(".d"));
    match beside.filter(|_| path.extension().is_some_and(|extension| extension == "conf")) {
        Some(directory) => directory.trim_end_matches(".d").to_owned(),
        None => name(path),
    }
}

fn look_at(unit: &str, file: &str, text: &str) -> Vec<Fault> {
    // A template is looked at as one of its instances; drop-ins of a type or a prefix as those of some unit.
    let instance = match NameForm::of(unit) {
        Some(NameForm::Template) => unit.replacen("@.", "@instance.", 1),
        Some(_) => unit.to_owned(),
        None => format!("example.{unit}"),
    };
    let Ok(name) = UnitName::parse(&instance) else {
        return vec![unreadable(file.to_owned(), format!("\"{unit}\" is not a valid unit name."))];
    };
    if !name.unit_type().is_managed() {
        let text = format!("Units of type {} are not managed here.", name.unit_type().suffix());
        return vec![unreadable(file.to_owned(), text)];
    }
    let config = Config::example();
    let mut settings = default_settings(name.unit_type(), &config);
    let source = Source { name: &name, path: file, config: &config };
    let mut warnings = unit_file::read(text, &source, &mut settings);
    warnings.extend(install::check(text, unit, &config));
    warnings.sort_by_key(|warning| warning.line);
    warnings.into_iter().map(|warning| fault(file, warning)).collect()
}

fn fault(file: &str, Warning { line, key, text, severity }: Warning) -> Fault {
    let severity = match severity {
        Severity::Skipped => "skipped",
        Severity::BadSetting => "bad-setting",
        Severity::Unreadable => "unreadable",
    };
    Fault { file: file.to_owned(), line, key: Some(key).filter(|key| !key.is_empty()), text, severity }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(unit: &str, text: &str) -> Vec<String> {
        look_at(unit, "F", text).iter().map(describe).collect()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = "[Unit]\nDescription=%i\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n";
        assert_eq!(faults("a@.service", good), Vec::<String>::new());
        let bad = "[Slice]\nMemoryMax=many\n\n[Install]\nWantedBy=x\nAlias=b.slice\nWanted=x\n";
        let said = faults("a.slice", bad);
        let begin = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let begins: Vec<String> = said.iter().map(|line| begin(line)).collect();
        assert_eq!(begins, ["F:2: MemoryMax:", "F:5: WantedBy:", "F:6: Alias:", "F:7: Wanted:"], "{said:?}");
        assert_eq!(faults("a.slice", "[Slice\n").len(), 1);
        assert_eq!(faults("a.timer", "").len(), 1);
        assert_eq!(faults("nonsense", "").len(), 1);
    }

    #[test]
    fn a_drop_in_is_its_units() {
        let unit = |path: &str| unit_of(Path::new(path));
        assert_eq!(unit("/etc/u/a.service"), "a.service");
        assert_eq!(unit("/etc/u/a.service.d/x.conf"), "a.service");
        assert_eq!(unit("u/slice.d/x.conf"), "slice");
        assert_eq!(faults("slice", "[Slice]\nMemoryMax=1M\n"), Vec::<String>::new());
    }
}
