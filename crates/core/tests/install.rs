//! What systemctl of systemd 252 was recorded to make of unit files, link by link and state by state
//! (`vectors/install`, made by the `record.py` there).

use cgarbiter_core::error::{Errno, OpError};
use cgarbiter_core::install;
use cgarbiter_core::request::FileVerb;
use cgarbiter_core::unit_files::{Content, UnitFile, UnitFiles};
use cgarbiter_core::{Config, Op};
use std::collections::BTreeMap;
use std::fmt::Write;

const RECORDED: &str = include_str!("../../../vectors/install/systemd-252.txt");

/// Files by path: a text, or where a link leads.
type Disk = BTreeMap<String, Result<String, String>>;

/// What is behind a path, followed to its end.
fn content(disk: &Disk, path: &str) -> Content {
    let mut at = path.to_owned();
    for _ in 0..40 {
        match disk.get(&at) {
            _ if at == "/dev/null" => return Content::Text("".into()),
            Some(Ok(text)) => return Content::Text(text.as_str().into()),
            Some(Err(target)) if target.starts_with('/') => at.clone_from(target),
            Some(Err(target)) => {
                let (directory, _) = at.rsplit_once('/').expect("absolute");
                at = match target.strip_prefix("../") {
                    Some(inside) => format!("{}/{inside}", directory.rsplit_once('/').expect("absolute").0),
                    None => format!("{directory}/{target}"),
                };
            }
            None => return Content::Unreadable(OpError::new(path, Errno::NoEnt)),
        }
    }
    Content::Unreadable(OpError::new(path, Errno::Loop))
}

fn index(disk: &Disk, config: &Config) -> UnitFiles {
    let mut index = UnitFiles::new(config.unit_paths.files());
    let file = |(path, entry): (&String, &Result<String, String>)| UnitFile {
        path: path.as_str().into(),
        link: entry.as_ref().err().map(|target| target.as_str().into()),
        content: content(disk, path),
    };
    index.replace(disk.iter().map(file));
    index
}

fn apply(disk: &mut Disk, op: &Op) {
    match op {
        Op::Link { file, target } => drop(disk.insert((**file).into(), Err((**target).into()))),
        Op::RemoveFile { file, directory: false } => drop(disk.remove(&**file)),
        Op::WriteFile { file, content, .. } => drop(disk.insert((**file).into(), Ok(content.clone()))),
        Op::RemoveEmpty { .. } => {}
        other => panic!("{other} is no step of this"),
    }
}

/// Does one step; whether it was done or refused. Every step is also taken back once, which has to bring back what was.
fn act(disk: &mut Disk, config: &Config, words: &[&str]) -> String {
    let (flags, mut words): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with("--"));
    let verb = match words.remove(0) {
        "enable" => FileVerb::Enable,
        "disable" => FileVerb::Disable,
        "reenable" => FileVerb::Reenable,
        "mask" => FileVerb::Mask,
        "unmask" => FileVerb::Unmask,
        "revert" => FileVerb::Revert,
        "link" => FileVerb::Link,
        "add-wants" => FileVerb::AddDependency { target: words.remove(0).into(), kind: "Wants".into() },
        "add-requires" => FileVerb::AddDependency { target: words.remove(0).into(), kind: "Requires".into() },
        other => panic!("{other}"),
    };
    let names: Vec<String> = words.into_iter().map(String::from).collect();
    let (runtime, force) = (flags.contains(&"--runtime"), flags.contains(&"--force"));
    match install::decide(index(disk, config), config, &verb, &names, runtime, force) {
        Err(refusal) => format!("refused {}", refusal.message),
        Ok(decision) => {
            let before = disk.clone();
            decision.steps.iter().for_each(|made| apply(disk, &made.op));
            let mut back = disk.clone();
            decision.steps.iter().rev().filter_map(|made| made.undo.as_ref()).for_each(|op| apply(&mut back, op));
            assert_eq!(back, before, "what takes it back");
            "done".into()
        }
    }
}

/// What the recording says after each step, as we see it.
fn look(disk: &Disk, config: &Config, asked: &[&str]) -> Vec<String> {
    let is_own = |path: &str| path.starts_with("/etc/") || path.starts_with("/run/");
    let entries = disk.iter().filter(|(path, _)| is_own(path));
    let mut seen: Vec<String> = entries
        .map(|(path, entry)| {
            format!("has {path} {}", entry.as_ref().err().map_or("", String::as_str)).trim_end().into()
        })
        .collect();
    let index = index(disk, config);
    seen.extend(install::list(&index, config).map(|(name, _, state)| format!("state {name} {state}")));
    for name in asked {
        let state = install::state(&index, config, name);
        seen.push(format!("ask {name} {}", state.unwrap_or("error")));
    }
    seen
}

/// Plays one scenario; the differences, with where they are.
fn play(scenario: &str, config: &Config) -> Result<(), String> {
    let mut lines = scenario.lines().peekable();
    let name = lines.next().unwrap_or("");
    let asked: Vec<&str> = scenario.lines().filter_map(|line| line.strip_prefix("ask ")?.split(' ').next()).collect();
    let asked: Vec<&str> =
        asked.iter().enumerate().filter(|(i, a)| !asked[..*i].contains(a)).map(|(_, a)| *a).collect();
    let mut disk = Disk::new();
    let mut step = "at the start";
    loop {
        while let Some(line) = lines.next_if(|line| line.starts_with("file ") || line.starts_with("link ")) {
            let mut parts = line.splitn(3, ' ');
            let kind = parts.next();
            let (path, content) = (parts.next().expect("a path").to_owned(), parts.next().unwrap_or(""));
            disk.insert(
                path,
                if kind == Some("file") { Ok(content.replace("\\n", "\n")) } else { Err(content.into()) },
            );
        }
        let mut wanted = Vec::new();
        let is_seen = |line: &&str| ["has ", "state ", "ask "].iter().any(|kind| line.starts_with(kind));
        while let Some(line) = lines.next_if(is_seen) {
            wanted.push(line.to_owned());
        }
        let mut seen = look(&disk, config, &asked);
        wanted.sort();
        seen.sort();
        if seen != wanted {
            let only = |these: &[String], those: &[String]| {
                these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join("; ")
            };
            let (missing, more) = (only(&wanted, &seen), only(&seen, &wanted));
            return Err(format!("{name}, {step}: systemd has [{missing}], we have [{more}]"));
        }
        let Some(line) = lines.next() else { return Ok(()) };
        step = line.strip_prefix("do ").unwrap_or_else(|| panic!("{name}: {line}"));
        let wanted = lines.next().expect("how it ended");
        let got = act(&mut disk, config, &step.split(' ').collect::<Vec<_>>());
        if got.split(' ').next() != Some(wanted) {
            return Err(format!("{name}, {step}: systemd: {wanted}, we: {got}"));
        }
    }
}

/// Where we differ on purpose.
const DIFFERENT: [(&str, &str); 2] = [
    // An instance is disabled with its template and not enabled again, though `enable` alone does that.
    ("drawn-24", "reenable d@2.service"),
    // An alias that cannot be fails `enable` and not `reenable`.
    ("drawn-37", "--runtime reenable d@.service"),
];

#[test]
fn what_systemctl_does_is_done() {
    let config = Config::example();
    let scenarios: Vec<&str> = RECORDED.split("scenario ").filter(|text| !text.is_empty()).collect();
    assert!(scenarios.len() > 80, "{}", scenarios.len());
    let differences: Vec<String> = scenarios.iter().filter_map(|text| play(text, &config).err()).collect();
    let is_known =
        |line: &&String| DIFFERENT.iter().any(|(scenario, step)| line.starts_with(&format!("{scenario}, {step}:")));
    assert_eq!(differences.iter().filter(is_known).count(), DIFFERENT.len(), "one of those is gone");
    let differences: Vec<&String> = differences.iter().filter(|line| !is_known(line)).collect();
    let mut report = String::new();
    for line in &differences {
        let _ = writeln!(report, "{line}");
    }
    assert!(differences.is_empty(), "{} of {} differ:\n{report}", differences.len(), scenarios.len());
}
