//! Plans and what came of them, as text.

use crate::tables::{choice, record};
use crate::text::Print;
use cgarbiter_core::Op;
use cgarbiter_core::exec::{DirectoryKind, ExecStep, FileMode, Mounts, Stream};
use cgarbiter_core::plan::{Cause, Counters, OnError, Outcome, Report, Signals, Spawn, Step};
use cgarbiter_core::settings::CpuSet;

record!(Report { plan, outcomes, failed });
record!(Counters { cpu_nsec, memory_current, tasks_current, io, oom_kills });

choice!(Outcome {
    Done,
    Refused(error),
    Made { id },
    Seen { id, enabled },
    Controllers { enabled, refused },
    Attached,
    Gone,
    Signalled { count },
    Spawned { pid },
    Counters(counters),
});

/// `x.scope Start Stop Mkdir{cgroup=/x.scope}`: for whom, why, what an error means, what.
impl Print for Step {
    fn print(&self, out: &mut String) {
        let Self { unit, cause, on_error, op } = self;
        unit.print(out);
        for word in [cause as &dyn Print, on_error, op] {
            out.push(' ');
            word.print(out);
        }
    }
}

choice!(out Cause { Start, Stop, SetProperties, Kill, Freeze, Member, Collect, Failed, Recover, Install });
choice!(out OnError { Stop, Report });
record!(out Signals { first, then_continue, then_hangup });
record!(out Spawn { path, arguments, environment, setup, stored, no_env_expand, tell_executed });

choice!(out ExecStep {
    Identity { user, group, supplementary },
    Stream { number, stream },
    OomScoreAdjust(value),
    Nice(value),
    Scheduler { policy, priority, reset_on_fork },
    CpuAffinity(set),
    IoPriority { class, level },
    Directories { kind, names, mode },
    UMask(mask),
    Environment { pass, set, files, unset },
    Groups,
    Mounts(mounts),
    RootDirectory(path),
    Limit { limit, soft, hard },
    BoundingSet(set),
    Become { ambient },
    SecureBits(bits),
    NoNewPrivileges,
    IgnoreSigpipe,
    WorkingDirectory { path, optional },
});

choice!(out Stream {
    Null,
    Arbiter,
    Same(number),
    File { path, mode },
    Terminal { path, force },
    Handle(handle),
});

choice!(out FileMode { Read, ReadWrite, Append, Truncate });
choice!(out DirectoryKind { Runtime, State, Cache, Logs, Configuration });
record!(out Mounts { private_tmp, private_devices, read_only, read_write, inaccessible, empty });

impl Print for CpuSet {
    fn print(&self, out: &mut String) {
        self.0.print(out);
    }
}

choice!(out Op {
    WriteFile { file, content, spares_others },
    RemoveFile { file, directory },
    RenewRecord { file, section },
    MoveFile { file, to },
    Link { file, target },
    RemoveEmpty { directory },
    WatchProcess { cgroup, pid },
    Mkdir { cgroup },
    Observe { cgroup },
    Rmdir { cgroup, watch },
    SubtreeControl { cgroup, enable, disable },
    Write { cgroup, file, value },
    WriteDevice { cgroup, file, device, value },
    Watch { cgroup, watch, memory },
    Attach { cgroup, pin },
    SignalAll { cgroup, signals, spare },
    SignalOne { pid, signals },
    Delegate { cgroup, user, group },
    Xattr { cgroup, name, value },
    Spawn { cgroup, command },
    ReadCounters { cgroup },
    RemoveRuntime { directories },
});
