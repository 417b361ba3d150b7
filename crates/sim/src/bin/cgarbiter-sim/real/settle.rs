//! Waiting until the delayed effects of a step are there: births, deaths, freezing and thawing. A recording is made of
//! what is so then.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use cgarbiter_sim::kernel::File;
use cgarbiter_sim::vectors::kernel::Object;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::operations::text;
use super::{Real, Task, look};

/// What has not come true after so much time will not, on a busy machine either.
pub(super) const DEATHS_TAKE: Duration = Duration::from_secs(20);
const FREEZING_TAKES: Duration = Duration::from_secs(4);

/// Until the processors of a partition that was removed are given back.
const PARTITIONS_TAKE: Duration = Duration::from_millis(50);

/// Looks until it is so, or the time is over.
pub(super) fn until(most: Duration, so: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !so() {
        if start.elapsed() > most {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
    true
}

/// Ended, and not yet waited for.
pub(super) fn is_zombie(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(pid), options).is_ok_and(|status| status.is_some())
}

pub(super) fn wait_for_death(pid: Pid) {
    until(DEATHS_TAKE, || is_zombie(pid));
}

/// Is the thread of this number running or waiting for something other than its burial?
pub(super) fn lives(tid: i32) -> bool {
    !matches!(state(tid), None | Some('Z' | 'X'))
}

/// The letter for what a thread does; none when there is no such thread.
fn state(tid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{tid}/stat")).ok()?;
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
}

impl Real {
    /// Alive and not frozen.
    pub(super) fn can_act(&self, task: &Task) -> bool {
        !task.reaped && lives(task.tid) && !(self.freezes && self.is_frozen(task.tid))
    }

    fn is_frozen(&self, tid: i32) -> bool {
        let text = fs::read_to_string(format!("/proc/{tid}/cgroup")).unwrap_or_default();
        let path = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or("");
        look::value(&self.mount.0.join(path), File::CgroupEvents, "frozen") == Some(1)
    }

    /// A new process listens, or died, or was frozen before it could: then it sleeps, since it is the process and not
    /// only its cgroup that must have stopped.
    pub(super) fn wait_for_birth(&self, tid: i32, slot: usize) {
        let stopped = || self.freezes && state(tid) == Some('S') && self.is_frozen(tid);
        until(DEATHS_TAKE, || self.actor.channel.listens(slot) || !lives(tid) || stopped());
    }

    /// Whom a step is going to kill, if it does what it says: processes whose leader lives.
    pub(super) fn doomed(&self, step: &Object) -> Vec<i32> {
        if text(step, "f") != Some("cgroup.kill") || text(step, "op") != Some("write") {
            return Vec::new();
        }
        let paths = look::cgroups(&self.mount.path(step, "g"));
        let lists = paths.iter().filter_map(|path| look::read(path, File::CgroupProcs));
        let pids = lists.flat_map(|list| list.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>());
        pids.filter(|pid| self.names.contains_key(pid) && lives(*pid)).collect()
    }

    /// Waits for what the step has set going.
    pub(super) fn settle(&mut self, operation: &str, step: &Object, answer: &Object, doomed: &[i32]) {
        let succeeded = answer.get("r").is_some_and(|result| result == 0);
        if succeeded {
            doomed.iter().filter_map(|pid| Pid::from_raw(*pid)).for_each(wait_for_death);
        }
        if operation == "texit" && succeeded {
            let tid = self.tid(text(step, "t").unwrap_or(""));
            until(DEATHS_TAKE, || !lives(tid));
        }
        if text(step, "f") == Some(File::CgroupFreeze.name()) && succeeded {
            self.freezes = true;
        }
        if text(step, "f") == Some(File::CpusetCpusPartition.name()) && operation == "write" && succeeded {
            self.partitions = true;
        }
        let removes = operation == "rmdir" || text(step, "f") == Some(File::CgroupSubtreeControl.name());
        if self.partitions && removes && succeeded {
            sleep(PARTITIONS_TAKE);
        }
        if self.freezes {
            until(FREEZING_TAKES, || freezing_is_over(&self.mount.0, false));
        }
    }
}

/// Is every cgroup frozen that should be, and no other?
fn freezing_is_over(path: &Path, above: bool) -> bool {
    let wish = look::read(path, File::CgroupFreeze).is_some_and(|text| text.trim_end() == "1");
    let frozen = look::value(path, File::CgroupEvents, "frozen");
    let wanted = above || wish;
    if frozen.is_some_and(|frozen| (frozen == 1) != wanted) {
        return false;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.all(|entry| freezing_is_over(&entry.path(), wanted))
}
