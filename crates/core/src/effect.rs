//! What the core wants done: run a plan, read a fact, answer a caller, tell the world, tell the operator.

use crate::client::ClientId;
use crate::error::Refusal;
use crate::event::{Question, ReadId};
use crate::install::Change;
use crate::names::UnitName;
use crate::plan::{Pin, Plan};
use crate::request::CallId;
use crate::value::Value;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Do this. Effects come out in the order in which they must become visible.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run these steps and report.
    Run(Plan),
    /// Find this out, before the next event is handed in.
    Read(ReadId, Question),
    /// Answer a request; comes exactly once for each.
    Reply(CallId, Result<Reply, Refusal>),
    /// Tell listeners.
    Emit(Signal, Audience),
    /// Let go of processes that were pinned and will not be attached.
    Release(Vec<Pin>),
    /// Tell the operator.
    Tell(Message),
    /// Find out whether the program that is installed now would start, and say so with
    /// [`Event::SuccessorChecked`](crate::event::Event::SuccessorChecked).
    CheckSuccessor,
    /// Give way to the program that is installed now, as soon as no plan is under way. It finds what is running as
    /// after a crash; everything that was answered so far has left, and
    /// [`Event::GivingWay`](crate::event::Event::GivingWay) comes before that.
    Reexecute,
}

/// Who hears a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every peer-to-peer connection, and the bus.
    All,
    /// Every peer-to-peer connection; the bus has no listener.
    Private,
    /// One peer on the bus.
    Peer(Arc<str>),
}

/// The body of a reply. `systemd1/encode.rs` turns it into message values.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Reply {
    Done,
    Job(u32),
    Unit(UnitName),
    /// The unit's object path by invocation id.
    UnitByInvocation([u8; 16]),
    UnitOfPid {
        unit: UnitName,
        invocation_id: Option<[u8; 16]>,
    },
    EnqueuedJob {
        job: JobRow,
        affected: Vec<JobRow>,
    },
    Units(Vec<UnitRow>),
    Jobs(Vec<JobRow>),
    Processes(Vec<ProcessRow>),
    Text(String),
    UnitFiles(Vec<(String, String)>),
    /// What was changed, and for some methods whether there was anything to install.
    FileChanges {
        carries: Option<bool>,
        changes: Vec<Change>,
    },
    Texts(Vec<String>),
    Value(Value),
    Properties(Vec<(&'static str, Value)>),
    Steps(Vec<StepRow>),
}

/// A row of ListUnits (reference 07.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the reference")]
pub struct UnitRow {
    pub name: UnitName,
    pub description: Arc<str>,
    pub load: &'static str,
    pub active: &'static str,
    pub sub: &'static str,
    /// Number and type of the unit's job.
    pub job: Option<(u32, &'static str)>,
}

/// A row of ListJobs (reference 07.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the reference")]
pub struct JobRow {
    pub id: u32,
    pub unit: UnitName,
    pub kind: &'static str,
    pub state: &'static str,
}

/// A row of GetUnitProcesses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the reference")]
pub struct ProcessRow {
    /// Path below the mount as clients see it.
    pub cgroup: String,
    pub pid: u32,
    pub command: String,
}

/// A step of a plan that was only asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub struct StepRow {
    pub unit: UnitName,
    pub cause: &'static str,
    pub step: String,
}

/// A signal of the API (reference 07.7, 07.8). Paths and bodies are made by `systemd1/encode.rs`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "named as the signals")]
pub enum Signal {
    UnitNew(UnitName),
    UnitRemoved(UnitName),
    JobNew {
        id: u32,
        unit: UnitName,
    },
    JobRemoved {
        id: u32,
        unit: UnitName,
        result: &'static str,
    },
    /// PropertiesChanged of one interface of a unit.
    UnitChanged {
        unit: UnitName,
        interface: &'static str,
        changed: Vec<(&'static str, Value)>,
        invalidated: Vec<&'static str>,
    },
    /// PropertiesChanged of a job: only ever its State.
    JobChanged {
        id: u32,
        state: &'static str,
    },
    RequestStop(UnitName),
    Reloading(bool),
    UnitFilesChanged,
}

/// Something an operator should know; the driver writes it to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How much it matters.
    pub severity: Severity,
    /// The unit it is about.
    pub unit: Option<UnitName>,
    /// In words.
    pub text: String,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For those who follow along.
    Info,
    /// Something asked for did not take effect.
    Warning,
    /// A job failed.
    Error,
}

/// Which peers hold a reference or a subscription, for tests and look-ups.
pub type Peer = ClientId;
