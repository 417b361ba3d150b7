//! Events and the answers to questions, as text.

use crate::cursor::{Cursor, ParseError};
use crate::tables::{choice, record};
use crate::text::{Parse, Print};
use cgarbiter_core::event::{CgroupEvents, ExitStatus, Handed, Member, PinAnswer, Readings};
use cgarbiter_core::exec::ExecFailure;
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::{Answer, Event};

record!(ExecFailure { status, what, errno });
choice!(ExitStatus { Code(code), Signal(number), Dumped(number), Lost });

choice!(Answer {
    Processes(processes),
    Cgroup { pid, cgroup },
    Events(events),
    Readings(readings),
    Members(members),
    Pids(pids),
    Flag(flag),
    UnitFiles(files),
    Failed(error),
});

choice!(PinAnswer { Held { pin, uid }, Gone, KernelThread, Manager });
record!(CgroupEvents { populated, frozen, oom_kills });
record!(Readings { counters, effective_cpus, effective_mems });
record!(Handed { pin, same });
record!(UnitFile { path, link, content });
choice!(Content { Text(text), Unreadable(error) });
record!(Member { cgroup, pid, command });

/// A word for what happened, and what belongs to it: `request 3 {id=2 …} StartTransient{…}`.
impl Print for Event {
    fn print(&self, out: &mut String) {
        let (word, parts): (&str, &[&dyn Print]) = match self {
            Self::Request { call, client, request } => ("request", &[call, client, request]),
            Self::ClientConnected(client) => ("connected", &[client]),
            Self::ClientGone(client) => ("gone", &[client]),
            Self::BusNameGone(name) => ("name-gone", &[name]),
            Self::PlanDone(report) => ("done", &[report]),
            Self::ReadDone { id, answer } => ("read", &[id, answer]),
            Self::CgroupChanged { watch } => ("changed", &[watch]),
            Self::Executed { pid, failure } => ("executed", &[pid, failure]),
            Self::Exited { pid, status } => ("exited", &[pid, status]),
            Self::Notified { pid, uid, cgroup, message, descriptors } => {
                ("notified", &[pid, uid, cgroup, message, descriptors])
            }
            Self::HungUp(pin) => ("hung-up", &[pin]),
            Self::SuccessorWanted => ("successor-wanted", &[]),
            Self::SuccessorChecked(unfit) => ("successor-checked", &[unfit]),
            Self::GivingWay => ("giving-way", &[]),
        };
        out.push_str(word);
        for part in parts {
            out.push(' ');
            part.print(out);
        }
    }
}

impl Parse for Event {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = cursor.place();
        Ok(match cursor.word(EXPECTED)? {
            "request" => Self::Request {
                call: Parse::parse(cursor)?,
                client: Parse::parse(cursor)?,
                request: Parse::parse(cursor)?,
            },
            "connected" => Self::ClientConnected(Parse::parse(cursor)?),
            "gone" => Self::ClientGone(Parse::parse(cursor)?),
            "name-gone" => Self::BusNameGone(Parse::parse(cursor)?),
            "done" => Self::PlanDone(Parse::parse(cursor)?),
            "read" => Self::ReadDone { id: Parse::parse(cursor)?, answer: Parse::parse(cursor)? },
            "changed" => Self::CgroupChanged { watch: Parse::parse(cursor)? },
            "executed" => Self::Executed { pid: Parse::parse(cursor)?, failure: Parse::parse(cursor)? },
            "exited" => Self::Exited { pid: Parse::parse(cursor)?, status: Parse::parse(cursor)? },
            "notified" => Self::Notified {
                pid: Parse::parse(cursor)?,
                uid: Parse::parse(cursor)?,
                cgroup: Parse::parse(cursor)?,
                message: Parse::parse(cursor)?,
                descriptors: Parse::parse(cursor)?,
            },
            "hung-up" => Self::HungUp(Parse::parse(cursor)?),
            "successor-wanted" => Self::SuccessorWanted,
            "successor-checked" => Self::SuccessorChecked(Parse::parse(cursor)?),
            "giving-way" => Self::GivingWay,
            _ => return Err(cursor.wrong_at(at, EXPECTED)),
        })
    }
}

const EXPECTED: &str = "one of start request connected gone name-gone done read changed executed exited notified \
    hung-up successor-wanted successor-checked giving-way timeout end";
