//! What clients ask for, decoded but not judged: strings are as they came, so that each check happens once, in the
//! order in which systemd makes it. `systemd1/decode.rs` makes these from method calls.

use crate::error::Refusal;
use crate::plan::Pin;
use crate::value::Value;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Names one request until its reply has gone out; chosen by the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// How a request names a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitRef {
    /// By name; empty means the caller's own unit.
    Name(String),
    /// By the last component of its object path, still escaped; may be `self` or an invocation id. Addressing an object
    /// loads the unit.
    Object(String),
}

/// How a request names a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobRef {
    /// By number.
    Id(u32),
    /// By the last component of its object path.
    Object(String),
}

/// The job verbs of the Manager and Unit interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its method")]
pub enum JobVerb {
    Start,
    Stop,
    Reload,
    Restart,
    TryRestart,
    ReloadOrRestart,
    ReloadOrTryRestart,
}

/// What is to be done about unit files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileVerb {
    /// Make the links that the files ask for.
    Enable,
    /// Remove all links to them.
    Disable,
    /// Both, one after the other.
    Reenable,
    /// Make files from elsewhere known.
    Link,
    /// Make the names stand for nothing.
    Mask,
    /// Let them stand for files again.
    Unmask,
    /// Remove what the operator has put beside and before what is installed.
    Revert,
    /// Tie the files to a unit, whatever they ask for.
    AddDependency {
        /// The unit.
        target: String,
        /// `Wants` or `Requires`.
        kind: String,
    },
}

/// Properties of one unit, in the order given; names may repeat.
pub type PropertyList = Vec<(String, Value)>;

/// One request.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "named as the methods of reference 07.3")]
pub enum Request {
    StartTransient {
        name: String,
        mode: String,
        properties: PropertyList,
        auxiliary: Vec<(String, PropertyList)>,
    },
    Job {
        unit: UnitRef,
        verb: JobVerb,
        mode: String,
    },
    EnqueueJob {
        unit: UnitRef,
        kind: String,
        mode: String,
    },
    Kill {
        unit: UnitRef,
        whom: String,
        signal: i32,
    },
    Freeze {
        unit: UnitRef,
    },
    Thaw {
        unit: UnitRef,
    },
    ResetFailed {
        unit: UnitRef,
    },
    ResetFailedAll,
    SetProperties {
        unit: UnitRef,
        runtime: bool,
        properties: PropertyList,
    },
    Ref {
        unit: UnitRef,
    },
    Unref {
        unit: UnitRef,
    },
    Abandon {
        unit: UnitRef,
    },
    Attach {
        unit: UnitRef,
        subpath: String,
        pids: Vec<u32>,
    },
    Processes {
        unit: UnitRef,
    },
    GetUnit {
        name: String,
    },
    LoadUnit {
        name: String,
    },
    UnitByPid {
        pid: u32,
    },
    /// The front end has pinned the process behind the descriptor; none when it is no pidfd of a live process.
    UnitByPidFd {
        pin: Option<Pin>,
    },
    UnitByControlGroup {
        path: String,
    },
    UnitByInvocationId {
        id: Vec<u8>,
    },
    UnitFileState {
        name: String,
    },
    UnitFiles {
        states: Vec<String>,
        patterns: Vec<String>,
    },
    /// `with_info`: the answer says whether there was anything to install.
    ChangeUnitFiles {
        verb: FileVerb,
        files: Vec<String>,
        runtime: bool,
        force: bool,
        with_info: bool,
    },
    UnitFileLinks {
        name: String,
        runtime: bool,
    },
    ListUnits {
        states: Vec<String>,
        patterns: Vec<String>,
    },
    ListUnitsByNames {
        names: Vec<String>,
    },
    ListJobs,
    GetJob {
        id: u32,
    },
    /// Jobs that wait for this one (`after`), or that it waits for.
    JobNeighbours {
        job: JobRef,
        after: bool,
    },
    CancelJob {
        job: JobRef,
    },
    ClearJobs,
    Subscribe,
    Unsubscribe,
    Reload,
    /// The daemon is to be replaced by the program that is installed now, which takes over everything.
    Reexecute,
    SetEnvironment {
        unset: Vec<String>,
        set: Vec<String>,
    },
    Get {
        object: Object,
        interface: String,
        property: String,
    },
    GetAll {
        object: Object,
        interface: String,
    },
    /// No property is writable through `Properties.Set`, but the refusal depends on whether it exists.
    Set {
        object: Object,
        interface: String,
        property: String,
        value: Value,
    },
    Introspect {
        path: String,
    },
    /// The state of the units that match, in words for a person; of all without patterns.
    Dump {
        patterns: Vec<String>,
    },
    /// A method that is not served: this refusal, or the lack of privilege if that is what the caller has.
    NotServed(Refusal),
    /// Show the steps that a request would take; change nothing.
    Plan(Box<Request>),
}

/// The object of a property request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// `/org/freedesktop/systemd1`
    Manager,
    /// A unit object.
    Unit(UnitRef),
    /// A job object.
    Job(JobRef),
    /// `/org/freedesktop/LogControl1`
    LogControl,
}
