//! What the core wants done, as text: one line each, a plan with its steps below it.

use crate::tables::{choice, record};
use crate::text::Print;
use cgarbiter_core::effect::{JobRow, Message, ProcessRow, Severity, StepRow, UnitRow};
use cgarbiter_core::install::{Change, ChangeKind};
use cgarbiter_core::{Audience, Effect, Question, Reply, Signal};

/// Without indent, and without the end of the last line.
impl Print for Effect {
    fn print(&self, out: &mut String) {
        let (word, parts): (&str, &[&dyn Print]) = match self {
            Self::Run(plan) => ("run", &[&plan.id]),
            Self::Read(id, question) => ("read", &[id, question]),
            Self::Reply(call, Ok(reply)) => ("reply", &[call, reply]),
            Self::Reply(call, Err(refusal)) => ("refuse", &[call, &refusal.kind, &refusal.message]),
            Self::Emit(signal, audience) => ("emit", &[audience, signal]),
            Self::Release(pins) => ("release", &[pins]),
            Self::Tell(Message { severity, unit, text }) => ("tell", &[severity, unit, text]),
            Self::CheckSuccessor => ("check-successor", &[]),
            Self::Reexecute => ("reexecute", &[]),
        };
        out.push_str(word);
        for part in parts {
            out.push(' ');
            part.print(out);
        }
        let Self::Run(plan) = self else { return };
        for step in &*plan.steps {
            out.push_str("\n    ");
            step.print(out);
        }
    }
}

choice!(out Audience { All, Private, Peer(name) });
choice!(out Severity { Info, Warning, Error });

choice!(out Question {
    Pin(pids),
    CgroupOf(pid),
    Orphans(cgroup),
    PidFile(file),
    CgroupOfPin(pin),
    Events(cgroup),
    Readings(cgroup),
    Members(cgroup),
    BusNameOwned(name),
    UnitFiles(search),
});

choice!(out Reply {
    Done,
    Job(id),
    Unit(unit),
    UnitByInvocation(id),
    UnitOfPid { unit, invocation_id },
    EnqueuedJob { job, affected },
    Units(rows),
    Jobs(rows),
    Processes(rows),
    Text(text),
    UnitFiles(rows),
    FileChanges { carries, changes },
    Texts(texts),
    Value(value),
    Properties(properties),
    Steps(rows),
});

record!(out UnitRow { name, description, load, active, sub, job });
record!(out JobRow { id, unit, kind, state });
record!(out ProcessRow { cgroup, pid, command });
record!(out Change { kind, path, source });
choice!(out ChangeKind { Symlink, Unlink });
record!(out StepRow { unit, cause, step });

choice!(out Signal {
    UnitNew(unit),
    UnitRemoved(unit),
    JobNew { id, unit },
    JobRemoved { id, unit, result },
    UnitChanged { unit, interface, changed, invalidated },
    JobChanged { id, state },
    RequestStop(unit),
    Reloading(active),
    UnitFilesChanged,
});
