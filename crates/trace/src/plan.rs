//! Plans and what came of them, as text.

use crate::tables::{choice, record};
use crate::text::Print;
use cgarbiter_core::Op;
use cgarbiter_core::plan::{Cause, Counters, OnError, Outcome, Report, Signals, Spawn, Step};

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

choice!(out Cause { Start, Stop, SetProperties, Kill, Freeze, Member, Collect, Failed, Recover });
choice!(out OnError { Stop, Report });
record!(out Signals { first, then_continue, then_hangup });
record!(out Spawn { path, arguments, environment });

choice!(out Op {
    WriteFile { file, content },
    RemoveFile { file, directory },
    RenewRecord { file, section },
    MoveFile { file, to },
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
});
