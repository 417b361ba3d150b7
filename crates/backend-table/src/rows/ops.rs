//! Operations in few words.

use crate::player::path;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::{Op, Pin, Signals, Spawn, WatchId};

pub(super) const NONE: ControllerMask = ControllerMask::empty();

pub(super) fn mkdir(cgroup: &str) -> Op {
    Op::Mkdir { cgroup: path(cgroup) }
}

pub(super) fn observe(cgroup: &str) -> Op {
    Op::Observe { cgroup: path(cgroup) }
}

pub(super) fn rmdir(cgroup: &str) -> Op {
    Op::Rmdir { cgroup: path(cgroup), watch: None }
}

pub(super) fn rmdir_watched(cgroup: &str, watch: u64) -> Op {
    Op::Rmdir { cgroup: path(cgroup), watch: Some(WatchId(watch)) }
}

pub(super) fn write(cgroup: &str, file: &'static str, value: &str) -> Op {
    Op::Write { cgroup: path(cgroup), file, value: value.into() }
}

pub(super) fn enable(cgroup: &str, enable: ControllerMask) -> Op {
    Op::SubtreeControl { cgroup: path(cgroup), enable, disable: NONE }
}

pub(super) fn disable(cgroup: &str, disable: ControllerMask) -> Op {
    Op::SubtreeControl { cgroup: path(cgroup), enable: NONE, disable }
}

pub(super) fn watch(cgroup: &str, number: u64) -> Op {
    Op::Watch { cgroup: path(cgroup), watch: WatchId(number), memory: false }
}

pub(super) fn attach(cgroup: &str, pin: Pin) -> Op {
    Op::Attach { cgroup: path(cgroup), pin }
}

pub(super) fn signal_all(cgroup: &str, signal: i32) -> Op {
    Op::SignalAll { cgroup: path(cgroup), signals: one(signal), spare: Vec::new() }
}

pub(super) fn one(first: i32) -> Signals {
    Signals { first, then_continue: false, then_hangup: false }
}

pub(super) fn record(file: &str, content: &str) -> Op {
    Op::WriteFile { file: file.into(), content: content.into(), spares_others: false }
}

pub(super) fn first_record(file: &str, content: &str) -> Op {
    Op::WriteFile { file: file.into(), content: content.into(), spares_others: true }
}

pub(super) fn forget(file: &str) -> Op {
    Op::RemoveFile { file: file.into(), directory: false }
}

pub(super) fn forget_directory(file: &str) -> Op {
    Op::RemoveFile { file: file.into(), directory: true }
}

pub(super) fn move_file(file: &str, to: &str) -> Op {
    Op::MoveFile { file: file.into(), to: to.into() }
}

pub(super) fn link(file: &str, target: &str) -> Op {
    Op::Link { file: file.into(), target: target.into() }
}

pub(super) fn remove_empty(directory: &str) -> Op {
    Op::RemoveEmpty { directory: directory.into() }
}

/// Lives until a signal ends it.
pub(super) fn sleeper() -> Spawn {
    Spawn::new("/bin/sleep", ["/bin/sleep", "infinity"])
}

pub(super) fn shell(script: &str) -> Spawn {
    Spawn { no_env_expand: true, ..Spawn::new("/bin/sh", ["/bin/sh", "-c", script]) }
}

pub(super) fn switch(cgroup: &str, enable: ControllerMask, disable: ControllerMask) -> Op {
    Op::SubtreeControl { cgroup: path(cgroup), enable, disable }
}

pub(super) fn write_device(cgroup: &str, file: &'static str, device: &str, value: &str) -> Op {
    Op::WriteDevice { cgroup: path(cgroup), file, device: device.into(), value: value.into() }
}

pub(super) fn read_counters(cgroup: &str) -> Op {
    Op::ReadCounters { cgroup: path(cgroup) }
}

pub(super) fn spawn(cgroup: &str) -> Op {
    Op::Spawn { cgroup: path(cgroup), command: Box::new(sleeper()) }
}

pub(super) fn watch_process(cgroup: &str, pid: u32) -> Op {
    Op::WatchProcess { cgroup: path(cgroup), pid }
}

pub(super) fn signal_one(pid: u32, signal: i32) -> Op {
    Op::SignalOne { pid, signals: one(signal) }
}

pub(super) fn delegate(cgroup: &str, user: &str, group: Option<&str>) -> Op {
    Op::Delegate { cgroup: path(cgroup), user: user.into(), group: group.map(Into::into) }
}

pub(super) fn xattr(cgroup: &str, name: &'static str, value: Option<&str>) -> Op {
    Op::Xattr { cgroup: path(cgroup), name, value: value.map(Into::into) }
}

pub(super) fn renew(file: &str, section: &str) -> Op {
    Op::RenewRecord { file: file.into(), section: section.into() }
}

pub(super) fn remove_runtime(directories: &[String]) -> Op {
    Op::RemoveRuntime { directories: directories.to_vec() }
}

pub(super) fn watch_memory(cgroup: &str, number: u64) -> Op {
    Op::Watch { cgroup: path(cgroup), watch: WatchId(number), memory: true }
}
