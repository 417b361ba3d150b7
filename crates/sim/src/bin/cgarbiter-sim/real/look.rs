//! Snapshots of the real hierarchy, and the names of the processes in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cgarbiter_sim::kernel::File;
use cgarbiter_sim::vectors::kernel::{Object, SNAPSHOT_FILES};
use rustix::io;
use serde_json::Value;

use super::operations::{errno_name, latin};

/// All cgroups, parents before children, siblings by name.
pub(crate) fn cgroups(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(path) = waiting.pop() {
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut children: Vec<PathBuf> = directories.map(|entry| entry.path()).collect();
        children.sort_unstable_by(|one, other| other.as_os_str().as_bytes().cmp(one.as_os_str().as_bytes()));
        waiting.extend(children);
        found.push(path);
    }
    found
}

/// Names of test processes and threads by their numbers.
pub(crate) struct Names<'a>(pub(crate) &'a BTreeMap<i32, String>);

impl Names<'_> {
    /// The names in a list of numbers, without those of strangers.
    pub(crate) fn in_list(&self, text: &[u8]) -> Value {
        let numbers = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()?.parse().ok());
        let mut names: Vec<&str> = numbers.filter_map(|pid: i32| self.0.get(&pid).map(String::as_str)).collect();
        names.sort_unstable();
        names.into()
    }

    /// A snapshot of one of the levels `events`, `core`, `full`.
    pub(crate) fn snapshot(&self, top: &Path, level: &str) -> Value {
        let entries = cgroups(top).into_iter().map(|path| {
            let inside = path.strip_prefix(top).unwrap_or(Path::new(""));
            let name = [b"/", inside.as_os_str().as_bytes()].concat();
            let mut entry = Object::from_iter([("g".to_owned(), latin(&name))]);
            self.list(&mut entry, &path, "threads", File::CgroupThreads);
            events(&mut entry, &path);
            if level != "events" {
                self.core(&mut entry, &path);
            }
            if level == "full" {
                entry.insert("f".to_owned(), files(&path).into());
            }
            Value::Object(entry)
        });
        entries.collect()
    }

    fn list(&self, entry: &mut Object, path: &Path, key: &str, file: File) {
        let names = match fs::read(path.join(file.name())) {
            Ok(text) => self.in_list(&text),
            Err(error) => errno_name(io::Errno::from_io_error(&error).unwrap_or(io::Errno::IO)).into(),
        };
        entry.insert(key.to_owned(), names);
    }

    fn core(&self, entry: &mut Object, path: &Path) {
        self.list(entry, path, "procs", File::CgroupProcs);
        let owner = fs::metadata(path).map_or(0, |metadata| metadata.uid());
        if owner != 0 {
            entry.insert("uid".to_owned(), owner.into());
        }
        let texts = [
            ("type", File::CgroupType),
            ("ctl", File::CgroupControllers),
            ("sub", File::CgroupSubtreeControl),
            ("depth", File::CgroupMaxDepth),
            ("desc", File::CgroupMaxDescendants),
        ];
        for (key, file) in texts {
            if let Some(text) = read(path, file) {
                entry.insert(key.to_owned(), text.trim_end().into());
            }
        }
        if let Some(wish) = read(path, File::CgroupFreeze).and_then(|text| text.trim_end().parse::<u64>().ok()) {
            entry.insert("freeze".to_owned(), wish.into());
        }
        if let Some(number) = value(path, File::CgroupStat, "nr_descendants") {
            entry.insert("nd".to_owned(), number.into());
        }
    }
}

fn events(entry: &mut Object, path: &Path) {
    for (key, name) in [("pop", "populated"), ("frozen", "frozen")] {
        if let Some(number) = value(path, File::CgroupEvents, name) {
            entry.insert(key.to_owned(), number.into());
        }
    }
}

fn files(path: &Path) -> Object {
    let texts = SNAPSHOT_FILES.iter().filter_map(|file| Some((file.name(), read(path, *file)?)));
    texts.map(|(name, text)| (name.to_owned(), text.strip_suffix('\n').unwrap_or(&text).into())).collect()
}

pub(crate) fn read(path: &Path, file: File) -> Option<String> {
    fs::read_to_string(path.join(file.name())).ok()
}

/// The number behind a key.
pub(crate) fn value(path: &Path, file: File, key: &str) -> Option<u64> {
    let text = read(path, file)?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == key)?.1.parse().ok()
}
