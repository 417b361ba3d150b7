//! Back to the beginning: no test processes, no cgroups, a root as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Gid, Pid, Signal, Uid, WaitId, WaitIdOptions};

use cgarbiter_sim::kernel::File;

use super::settle::until;
use super::{Real, handles::Handles, look, operations};

/// Until cgroups that were removed have let go of what they had, on a machine that is busy with other things.
const OFFLINE_TAKES: Duration = Duration::from_secs(60);

/// Modes of the root directory and its files.
pub(super) struct Modes(Vec<(PathBuf, u32)>);

impl Modes {
    pub(super) fn of(top: &Path) -> Self {
        let entries = fs::read_dir(top).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path()).chain([top.to_owned()]);
        Self(
            paths
                .filter_map(|path| fs::metadata(&path).ok().map(|it| (path, it.permissions().mode() & 0o7777)))
                .collect(),
        )
    }

    /// Owners, modes and attributes as they were.
    fn put_back(&self) {
        for (path, mode) in &self.0 {
            let changed = fs::metadata(path).is_ok_and(|now| now.permissions().mode() & 0o7777 != *mode);
            rustix::fs::chown(path, Some(Uid::ROOT), Some(Gid::ROOT)).ok();
            if changed {
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).ok();
            }
            for name in operations::xattr_names(path).unwrap_or_default() {
                rustix::fs::removexattr(path, name).ok();
            }
        }
    }
}

/// The options of the cgroup2 mount at this path.
pub(super) fn mount_options(path: &Path) -> Result<String, String> {
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("/proc/self/mounts: {error}"))?;
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = fields.find(|fields| fields.len() > 3 && Path::new(fields[1]) == path && fields[2] == "cgroup2");
    let options = mount.ok_or_else(|| format!("{} is not a cgroup2 mount", path.display()))?[3];
    let own = ["nsdelegate", "memory_recursiveprot", "favordynmods", "memory_localevents", "pids_localevents"];
    Ok(options.split(',').filter(|option| own.contains(option)).collect::<Vec<_>>().join(","))
}

/// Removes all cgroups, the deepest first.
pub(super) fn remove_cgroups(top: &Path) -> Result<(), String> {
    let subtree_control = top.join("cgroup.subtree_control");
    let mut why = String::new();
    for _ in 0..2000 {
        why.clear();
        let paths = look::cgroups(top);
        if paths.len() == 1 {
            let on = fs::read_to_string(&subtree_control).unwrap_or_default();
            for name in on.split_whitespace() {
                fs::write(&subtree_control, format!("-{name}")).map_err(|error| format!("-{name}: {error}"))?;
            }
            return Ok(());
        }
        for path in paths[1..].iter().rev() {
            if let (Err(error), true) = (fs::remove_dir(path), why.is_empty()) {
                let threads = fs::read_to_string(path.join("cgroup.threads")).unwrap_or_default();
                let first = threads.lines().next().unwrap_or("none");
                let stat = fs::read_to_string(format!("/proc/{first}/stat")).unwrap_or_default();
                let threads = format!("{threads} {stat}");
                why = format!("{}: {error}; in it: {threads:?}", path.display());
            }
        }
        sleep(Duration::from_millis(1));
    }
    Err(why)
}

impl Real {
    pub(super) fn clear(&mut self) -> Result<(), String> {
        for path in look::cgroups(&self.mount.0).iter().filter(|_| self.freezes) {
            fs::write(path.join("cgroup.freeze"), "0").ok();
        }
        self.bury();
        // The driver, should it have moved itself.
        fs::write(self.mount.0.join("cgroup.procs"), "0").map_err(|error| format!("cgroup.procs: {error}"))?;
        (self.handles, self.slots) = (Handles::default(), 0);
        (self.freezes, self.partitions) = (false, false);
        self.modes.put_back();
        remove_cgroups(&self.mount.0).map_err(|why| format!("{why}, of {:?}", self.names))?;
        self.wait_for_processors()?;
        for (file, text) in [("cgroup.max.depth", "max"), ("cgroup.max.descendants", "max"), ("cgroup.pressure", "1")] {
            fs::write(self.mount.0.join(file), text).map_err(|error| format!("{file}: {error}"))?;
        }
        self.names.clear();
        let zswap = self.mount.0.join("memory.zswap.writeback");
        if zswap.exists() {
            fs::write(zswap, "1").map_err(|error| format!("memory.zswap.writeback: {error}"))?;
        }
        self.mount.remount("").map_err(|error| format!("remount: {error}"))
    }

    /// The kernel gives back the processors of partitions that are gone when it finds the time.
    fn wait_for_processors(&self) -> Result<(), String> {
        let processors = || look::read(&self.mount.0, File::CpusetCpusEffective);
        if until(OFFLINE_TAKES, || processors() == self.processors) {
            return Ok(());
        }
        Err(format!("cpuset.cpus.effective of the root was {:?} and is {:?}", self.processors, processors()))
    }

    /// Kills all test processes and waits for them.
    fn bury(&mut self) {
        for task in std::mem::take(&mut self.tasks).into_values().filter(|task| !task.thread && !task.reaped) {
            let pid = Pid::from_raw(task.tid).expect("processes have positive numbers");
            rustix::process::kill_process(pid, Signal::KILL).ok();
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).ok();
        }
    }
}
