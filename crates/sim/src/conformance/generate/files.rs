//! Steps about directories and files.

use super::{File, Object, Profile, View, below, reading, step, write};
use crate::conformance::values;
use crate::kernel::CgroupId;

/// Settings that a manager writes.
const SETTINGS: [File; 22] = [
    File::CpuWeight,
    File::CpuWeightNice,
    File::CpuIdle,
    File::CpuMax,
    File::CpuMaxBurst,
    File::IoWeight,
    File::IoMax,
    File::MemoryMin,
    File::MemoryLow,
    File::MemoryHigh,
    File::MemoryMax,
    File::MemorySwapMax,
    File::MemorySwapHigh,
    File::MemoryOomGroup,
    File::PidsMax,
    File::CpusetCpus,
    File::CpusetMems,
    File::CpusetCpusPartition,
    File::CpusetCpusExclusive,
    File::HugetlbMax,
    File::CgroupPressure,
    File::MemoryZswapMax,
];

/// Never written at random: they are global, or what they do depends on the machine.
const LEFT_ALONE: [File; 5] =
    [File::IoCostModel, File::IoCostQos, File::MemoryReclaim, File::MemoryPeak, File::MemorySwapPeak];

/// Lists of processes are written by steps of their own.
const MEMBERS: [File; 2] = [File::CgroupProcs, File::CgroupThreads];

/// Those of `security.` are left out: who may change them is up to the security modules that are loaded.
const ATTRIBUTES: [&str; 8] =
    ["user.delegate", "user.invocation_id", "user.a", "trusted.delegate", "trusted.b", "system.d", "user.", "nodot"];

impl View<'_> {
    pub(super) fn mkdir(&mut self) -> Object {
        let parent = self.path();
        let name = match self.dice().below(30) {
            0 => self.dice().pick(&["cgroup.x", "cpu.x", "a b", "\u{e4}", "memory.max", "x\ny", "...", "cgroup.procs"]),
            1..=4 => self.dice().pick(&["app.slice", "run-1.scope", "d"]),
            _ => self.dice().pick(&["a", "b", "c"]),
        };
        let step = step("mkdir", &[("g", below(&parent, name).into())]);
        self.acted(step)
    }

    pub(super) fn rmdir(&mut self) -> Object {
        let path = self.path();
        let step = step("rmdir", &[("g", path.into())]);
        self.acted(step)
    }

    pub(super) fn control(&mut self) -> Object {
        let path = self.path();
        let text = self.text_for(File::CgroupSubtreeControl);
        let step = write(&path, File::CgroupSubtreeControl, &text);
        self.acted(step)
    }

    fn text_for(&mut self, file: File) -> String {
        let dry = self.dry();
        values::text(&mut self.generator.dice, self.player.kernel.config(), file, dry)
    }

    /// A setting where it is, or nearly.
    pub(super) fn write_setting(&mut self) -> Object {
        let cgroup = self.cgroup();
        let there = self.settings_in(cgroup);
        let file = match there.is_empty() || self.dice().percent(8) {
            true => *self.dice().of(&SETTINGS),
            false => *self.dice().of(&there),
        };
        let (path, text) = (self.path_of(cgroup), self.text_for(file));
        let step = write(&path, file, &text);
        self.acted(step)
    }

    fn settings_in(&self, cgroup: CgroupId) -> Vec<File> {
        let there = |file: &File| self.player.kernel.stat(cgroup, Some(*file)).is_ok();
        SETTINGS.into_iter().filter(there).collect()
    }

    /// Any file, any text.
    pub(super) fn write_odd(&mut self) -> Object {
        let files: Vec<File> =
            File::all().filter(|file| !LEFT_ALONE.contains(file) && !MEMBERS.contains(file)).collect();
        let (file, path) = (*self.dice().of(&files), self.path());
        // A freeze or kill of those who act would leave the question unanswered.
        let text = self.text_for(file);
        let step = write(&path, file, &text);
        if matches!(file, File::CgroupFreeze | File::CgroupKill) { step } else { self.acted(step) }
    }

    pub(super) fn write_core(&mut self, file: File) -> Object {
        let (path, text) = (self.path(), self.text_for(file));
        let mut step = write(&path, file, &text);
        if self.generator.profile == Profile::Delegate && self.dice().percent(50) {
            step.insert("u".to_owned(), 1000.into());
        }
        step
    }

    pub(super) fn levels(&mut self) -> Object {
        let file = *self.dice().of(&[File::CgroupMaxDepth, File::CgroupMaxDescendants]);
        let (path, text) = (self.path(), self.text_for(file));
        let step = write(&path, file, &text);
        self.acted(step)
    }

    pub(super) fn read(&mut self) -> Object {
        let cgroup = self.cgroup();
        let mut path = self.path_of(cgroup);
        let kernel = &self.player.kernel;
        let all: Vec<File> = File::all().collect();
        let mut there: Vec<File> =
            all.iter().copied().filter(|file| kernel.stat(cgroup, Some(*file)).is_ok()).collect();
        if self.dice().percent(5) {
            there = all;
        }
        let file = *self.dice().of(&there);
        let mut name = file.name();
        if self.dice().percent(2) {
            name = self.dice().pick(&[".", "cgroup.foo", "memory.limit"]);
            path = self.path();
        }
        let mut step = step("read", &[("g", path.into()), ("f", name.into())]);
        if let Some(how) = reading(file).filter(|_| name == file.name()) {
            step.insert("how".to_owned(), how.into());
        }
        self.acted(step)
    }

    pub(super) fn list(&mut self) -> Object {
        let path = self.path();
        let step = step("ls", &[("g", path.into())]);
        self.acted(step)
    }

    /// A directory, or one of the files that are handed to others with it.
    fn handed_over(&mut self) -> (String, &'static str) {
        let file =
            self.dice().pick(&[".", ".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "pids.max"]);
        (self.path(), file)
    }

    pub(super) fn owner(&mut self) -> Object {
        let (path, file) = self.handed_over();
        let place = [("g", path.into()), ("f", file.into())];
        let mut step = match self.dice().below(10) {
            0..=4 => {
                let mut step = step("chown", &place);
                let (uid, gid) =
                    (*self.dice().of(&[1000, 1000, 1000, 1001, 0]), *self.dice().of(&[1000, 1000, 1001, 0]));
                step.insert("uid".to_owned(), uid.into());
                step.insert("gid".to_owned(), gid.into());
                step
            }
            5 | 6 => {
                let mut step = step("chmod", &place);
                let mode = self.dice().pick(&["0644", "0755", "0700", "0777", "0666", "0000", "0444", "1777", "0070"]);
                step.insert("mode".to_owned(), mode.into());
                step
            }
            7 => {
                let mut step = step("access", &place);
                let mode = self.dice().pick(&["r", "w", "x", "rw", "rwx"]);
                step.insert("m".to_owned(), mode.into());
                step
            }
            _ => step("stat", &place),
        };
        if matches!(step["op"].as_str(), Some("chown")) && self.dice().percent(70) {
            return step;
        }
        step = self.acted(step);
        step
    }

    pub(super) fn xattr(&mut self) -> Object {
        let (path, file) = self.handed_over();
        let name = self.dice().pick(&ATTRIBUTES);
        let place = [("g", path.into()), ("f", file.into()), ("x", name.into())];
        let step = match self.dice().below(8) {
            0..=3 => {
                let mut step = step("xset", &place);
                let data = self.dice().pick(&["", "1", "0123456789abcdef0123456789abcdef", "a\0b"]);
                step.insert("d".to_owned(), data.into());
                if self.dice().percent(30) {
                    let how = self.dice().pick(&["create", "replace"]);
                    step.insert("how".to_owned(), how.into());
                }
                step
            }
            4 | 5 => step("xget", &place),
            6 => step("xrm", &place),
            _ => step("xlist", &place[..2]),
        };
        self.acted(step)
    }

    /// What a file system of files would do, and this one refuses.
    pub(super) fn names(&mut self) -> Object {
        let (path, other) = (self.path(), self.path());
        let name = self.dice().pick(&["new", "a", "cgroup.procs", "pids.max"]);
        let place = [("g", path.into()), ("f", name.into())];
        let step = match self.dice().below(5) {
            0 => step("creat", &place),
            1 => step("symlink", &place),
            2 => step(
                "unlink",
                &[("g", place[0].1.clone()), ("f", self.dice().pick(&["cgroup.procs", "pids.max"]).into())],
            ),
            3 => step("rename", &[("g", place[0].1.clone()), ("to", below(&other, name).into())]),
            _ => step("rename", &[("g", place[0].1.clone()), ("to", other.into())]),
        };
        self.acted(step)
    }

    /// Descriptors that outlive what they are of, and the rights with which they were opened.
    pub(super) fn descriptor(&mut self) -> Object {
        let count = self.generator.descriptors.len();
        if count == 0 || self.dice().percent(30) {
            return self.open();
        }
        let position = self.dice().below(count);
        let members = MEMBERS.contains(&self.generator.descriptors[position]);
        let handle = [("h", format!("h{}", position + 1).into())];
        let mut step = match self.dice().below(8) {
            0..=2 => step("fdread", &handle),
            3 | 4 => {
                let mut step = step("fdwrite", &handle);
                let text = self.dice().pick(&["max", "9999999", "2", "+pids", ""]);
                step.insert("d".to_owned(), text.into());
                step
            }
            5 | 6 if members && !self.dry() => {
                let mut step = step("fdmove", &handle);
                step.insert("p".to_owned(), self.anybody().into());
                step
            }
            _ => step("fdclose", &handle),
        };
        if self.dice().percent(20) {
            step.insert("u".to_owned(), 1000.into());
        }
        step
    }

    fn open(&mut self) -> Object {
        let (file, mode) = *self.dice().of(&[
            (File::CgroupProcs, "w"),
            (File::CgroupThreads, "w"),
            (File::CgroupEvents, "r"),
            (File::PidsMax, "w"),
            (File::PidsMax, "r"),
            (File::CgroupMaxDepth, "r"),
            (File::CgroupType, "r"),
            (File::CgroupControllers, "r"),
        ]);
        self.generator.descriptors.push(file);
        let handle = format!("h{}", self.generator.descriptors.len());
        let path = self.path();
        let fields = [("h", handle.into()), ("g", path.into()), ("f", file.name().into()), ("m", mode.into())];
        let mut step = step("open", &fields);
        if self.dice().percent(40) {
            step.insert("u".to_owned(), 1000.into());
        }
        step
    }

    pub(super) fn watch(&mut self) -> Object {
        if !self.generator.watches.is_empty() && self.dice().percent(60) {
            let watch = self.generator.watches.clone();
            let watch = self.dice().of(&watch).clone();
            return step("check", &[("w", watch.into())]);
        }
        let name = format!("w{}", self.generator.watches.len() + 1);
        self.generator.watches.push(name.clone());
        let (file, path) = (self.dice().pick(&["cgroup.events", "cgroup.events", "pids.events"]), self.path());
        step("watch", &[("w", name.into()), ("g", path.into()), ("f", file.into())])
    }
}
