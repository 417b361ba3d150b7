//! Snapshots: all cgroups of the imagined kernel in the form in which the recording has them.

use serde_json::{Value, json};

use super::actors::Player;
use super::{Object, latin};
use crate::kernel::{Caller, CgroupId, Errno, File};

/// The files of a full snapshot.
pub const SNAPSHOT_FILES: [File; 25] = [
    File::CpuIdle,
    File::CpuMax,
    File::CpuMaxBurst,
    File::CpuWeight,
    File::CpuWeightNice,
    File::CpusetCpus,
    File::CpusetCpusEffective,
    File::CpusetCpusPartition,
    File::CpusetMems,
    File::CpusetMemsEffective,
    File::HugetlbMax,
    File::HugetlbRsvdMax,
    File::IoMax,
    File::IoWeight,
    File::MemoryHigh,
    File::MemoryLow,
    File::MemoryMax,
    File::MemoryMin,
    File::MemoryOomGroup,
    File::MemorySwapHigh,
    File::MemorySwapMax,
    File::MiscMax,
    File::PidsCurrent,
    File::PidsMax,
    File::RdmaMax,
];

impl Player {
    /// Levels: `events` (who is where, populated, frozen), `core`, `full`.
    pub(super) fn snapshot(&self, level: &str) -> Value {
        let cgroups = self.kernel.below(CgroupId::ROOT).into_iter();
        let entries = cgroups.map(|cgroup| match level {
            "events" => self.snapshot_events(cgroup),
            _ => self.snapshot_entry(cgroup, level == "full"),
        });
        entries.map(Value::Object).collect()
    }

    fn snapshot_events(&self, cgroup: CgroupId) -> Object {
        let mut entry = Object::new();
        entry.insert("g".to_owned(), latin(&self.kernel.path(cgroup)));
        entry.insert("threads".to_owned(), self.names_or_errno(cgroup, File::CgroupThreads));
        if let Ok(events) = self.text(cgroup, File::CgroupEvents) {
            entry.insert("pop".to_owned(), number(&events, "populated"));
            entry.insert("frozen".to_owned(), number(&events, "frozen"));
        }
        entry
    }

    fn names_or_errno(&self, cgroup: CgroupId, file: File) -> Value {
        match self.text(cgroup, file) {
            Ok(text) => self.names_in(&text),
            Err(errno) => errno.name().into(),
        }
    }

    fn text(&self, cgroup: CgroupId, file: File) -> Result<String, Errno> {
        self.kernel.read(&Caller::INIT, cgroup, file)
    }

    fn snapshot_entry(&self, cgroup: CgroupId, full: bool) -> Object {
        let mut entry = Object::new();
        entry.insert("g".to_owned(), latin(&self.kernel.path(cgroup)));
        let owner = self.kernel.stat(cgroup, None).expect("the cgroup is there").uid;
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
            self.text(cgroup, file).map(|text| entry.insert(key.to_owned(), text.trim_end().into())).ok();
        }
        for (key, file) in [("procs", File::CgroupProcs), ("threads", File::CgroupThreads)] {
            entry.insert(key.to_owned(), self.names_or_errno(cgroup, file));
        }
        self.snapshot_state(cgroup, &mut entry);
        if full {
            entry.insert("f".to_owned(), self.snapshot_files(cgroup).into());
        }
        entry
    }

    fn snapshot_state(&self, cgroup: CgroupId, entry: &mut Object) {
        let stat = self.text(cgroup, File::CgroupStat).expect("every cgroup has it");
        entry.insert("nd".to_owned(), number(&stat, "nr_descendants"));
        if let Ok(events) = self.text(cgroup, File::CgroupEvents) {
            entry.insert("pop".to_owned(), number(&events, "populated"));
            entry.insert("frozen".to_owned(), number(&events, "frozen"));
            let wish = self.text(cgroup, File::CgroupFreeze).expect("beside cgroup.events");
            entry.insert("freeze".to_owned(), json!(wish.trim_end().parse::<u64>().expect("0 or 1")));
        }
    }

    fn snapshot_files(&self, cgroup: CgroupId) -> Object {
        let there = SNAPSHOT_FILES.into_iter();
        let texts = there.filter_map(|file| self.text(cgroup, file).ok().map(|text| (file, text)));
        let stripped =
            texts.map(|(file, text)| (file.name().to_owned(), text.strip_suffix('\n').unwrap_or(&text).into()));
        stripped.collect()
    }
}

/// The number behind a key in a text of lines `KEY NUMBER`.
fn number(text: &str, key: &str) -> Value {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let value = lines.find(|(name, _)| *name == key).expect("the key is there").1;
    json!(value.parse::<u64>().expect("a number"))
}

/// The first entry of two snapshots that is not the same, cut down to the keys that differ.
pub(crate) fn first_difference(expected: &Value, got: &Value) -> (String, String) {
    let none = Vec::new();
    let (expected, got) = (expected.as_array().unwrap_or(&none), got.as_array().unwrap_or(&none));
    for (one, other) in expected.iter().zip(got).filter(|(one, other)| one != other) {
        let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { continue };
        return (differing(one, other), differing(other, one));
    }
    (format!("{} cgroups", expected.len()), format!("{} cgroups", got.len()))
}

fn differing(entry: &Object, other: &Object) -> String {
    let kept = entry.iter().filter(|(key, value)| *key == "g" || other.get(*key) != Some(value));
    let kept = kept.map(|(key, value)| {
        let value = match (value.as_object(), other.get(key).and_then(Value::as_object)) {
            (Some(files), Some(others)) => {
                let kept = files.iter().filter(|(name, text)| others.get(*name) != Some(text)).map(super::owned);
                Value::Object(kept.collect())
            }
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(kept.collect()).to_string()
}
