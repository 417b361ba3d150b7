//! The core's output for kernel and store: a `Plan` of ordered `Step`s, and the `Report` that answers it.
//!
//! Whatever outlives the daemon is a step here: records on disk and cgroup operations in one list, so that a crash is a
//! number, k of n. Steps are run in order. A step that fails ends the plan, unless it says that its refusal is only to
//! be reported; the steps before it count as done, those after it were not tried.

use crate::controllers::ControllerMask;
use crate::error::OpError;
use crate::exec::ExecStep;
use crate::names::{CgroupPath, UnitName};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Number of a plan; grows by one with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanId(pub u64);

/// A watch on a cgroup's `cgroup.events` (and `memory.events`), numbered by the core and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(pub u64);

/// A process the backend holds on to by a pidfd, so that its number cannot come to mean another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin(pub u64);

impl Pin {
    /// Numbers with this bit are descriptors that are no processes: a client's standard streams.
    pub const OTHER: u64 = 1 << 63;
}

/// Ordered operations; one plan is in flight at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its number, which the report repeats.
    pub id: PlanId,
    /// What to do, in this order.
    pub steps: Arc<[Step]>,
}

/// One operation with the unit it serves and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The unit this is done for.
    pub unit: UnitName,
    /// Why, in one word for a reader of the plan.
    pub cause: Cause,
    /// What an error of this step means.
    pub on_error: OnError,
    /// What to do.
    pub op: Op,
}

/// What the step serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Cause {
    Start,
    Stop,
    SetProperties,
    Kill,
    Freeze,
    Member,
    Collect,
    Failed,
    Recover,
    Install,
}

impl Cause {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::SetProperties => "set-properties",
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Member => "member",
            Self::Collect => "collect",
            Self::Failed => "failed",
            Self::Recover => "recover",
            Self::Install => "install",
        }
    }
}

/// What an error of a step means for the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The plan ends here.
    Stop,
    /// The plan goes on; the refusal stands in the report by name.
    Report,
}

/// An operation on kernel or store. "Already so" is success for all of them, except where it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Puts a record in the store: written aside, renamed over, parent directories made. The path is absolute and
    /// logical (`/run/cgarbiter/transient/x.scope`); the store adds its prefix.
    WriteFile {
        /// Where.
        file: Arc<str>,
        /// The whole content.
        content: String,
        /// Only where nothing lies, or a record: a file of somebody else stays as it is, and the answer is `EEXIST`,
        /// whatever else stands in the way. Nothing of ours is there then.
        spares_others: bool,
    },
    /// Puts another state section into a record ([`persist::renew`](crate::persist::renew)), as
    /// [`WriteFile`](Op::WriteFile) does. A record that is damaged stays as it is: `EBADMSG`.
    RenewRecord {
        /// Where.
        file: Arc<str>,
        /// The section.
        section: String,
    },
    /// Removes a record; a missing one is fine. With `directory`, a drop-in directory and what is in it.
    RemoveFile {
        /// Where.
        file: Arc<str>,
        /// Whether it is a directory.
        directory: bool,
    },
    /// Moves a record to another place, over what is there; directories are made, a missing record is fine.
    MoveFile {
        /// From where.
        file: Arc<str>,
        /// Where to.
        to: Arc<str>,
    },
    /// Puts a symbolic link in its place, whatever link or file was there: made aside, renamed over, parent directories
    /// made.
    Link {
        /// Where.
        file: Arc<str>,
        /// What it says.
        target: Arc<str>,
    },
    /// Removes a directory of links or records if nothing is in it; a missing one, and one that is not empty, is fine.
    RemoveEmpty {
        /// Which.
        directory: Arc<str>,
    },
    /// Removes what a service had below `/run`, with all that is in it: a link is removed, never followed. Missing ones
    /// are fine.
    RemoveRuntime {
        /// Absolute paths.
        directories: Vec<String>,
    },
    /// Makes one directory (mode 0755). An existing one ends the plan with `EEXIST`: it is news, since its attributes
    /// are then unknown. Answer: [`Outcome::Made`].
    Mkdir {
        /// Which.
        cgroup: CgroupPath,
    },
    /// Looks at a directory that exists already. Answer: [`Outcome::Seen`].
    Observe {
        /// Which.
        cgroup: CgroupPath,
    },
    /// Removes the directory after all its sub-directories, deepest first. A missing one is fine; one with processes
    /// answers `EBUSY`. The watch is let go of when, and only when, the directory is gone.
    Rmdir {
        /// Which.
        cgroup: CgroupPath,
        /// The watch on it.
        watch: Option<WatchId>,
    },
    /// Writes `+c` or `-c` to `cgroup.subtree_control`, one write per controller.
    /// Answer: [`Outcome::Controllers`], the controllers now enabled as far as the writes went.
    SubtreeControl {
        /// Whose children get or lose them.
        cgroup: CgroupPath,
        /// To switch on.
        enable: ControllerMask,
        /// To switch off.
        disable: ControllerMask,
    },
    /// Writes an interface file, a newline appended.
    Write {
        /// Whose.
        cgroup: CgroupPath,
        /// Which file, e.g. `memory.max`.
        file: &'static str,
        /// What, without the newline.
        value: String,
    },
    /// Writes a line of an interface file that is about one block device: `MAJ:MIN VALUE`. The path is resolved now: a
    /// block device to itself, a partition to its disk, another path to the device of its file system (reference 04.7).
    WriteDevice {
        /// Whose.
        cgroup: CgroupPath,
        /// Which file, e.g. `io.max`.
        file: &'static str,
        /// The device, as configured.
        device: String,
        /// What follows the device's number.
        value: String,
    },
    /// Begins to report changes of `cgroup.events` and, with `memory`, of `memory.events`; reports the present state
    /// once after the plan, so that no edge is lost.
    Watch {
        /// Whose.
        cgroup: CgroupPath,
        /// The number that notices will carry.
        watch: WatchId,
        /// Out-of-memory news, too.
        memory: bool,
    },
    /// Moves a pinned process here, verifies that it is here, and lets go of it.
    /// Answer: [`Outcome::Attached`] or [`Outcome::Gone`] when it had already ended.
    Attach {
        /// Where to.
        cgroup: CgroupPath,
        /// Whom.
        pin: Pin,
    },
    /// Sends a signal to every process in the cgroup and below it, again and again until no new process turns up,
    /// except to those in `spare`. Answer: [`Outcome::Signalled`].
    SignalAll {
        /// Where.
        cgroup: CgroupPath,
        /// Which signals, in order, to each process.
        signals: Signals,
        /// Pids that are left out.
        spare: Vec<u32>,
    },
    /// Sends signals to one of our own children by number. Answer: [`Outcome::Signalled`].
    SignalOne {
        /// Whom.
        pid: u32,
        /// Which.
        signals: Signals,
    },
    /// Hands the directory and the kernel's list of delegatable files to a user (reference 09.2).
    Delegate {
        /// Which.
        cgroup: CgroupPath,
        /// Who gets it: a name or a number, resolved by the backend.
        user: Arc<str>,
        /// The group, likewise.
        group: Option<Arc<str>>,
    },
    /// Sets or removes an extended attribute of the directory.
    Xattr {
        /// Whose.
        cgroup: CgroupPath,
        /// Name with namespace, e.g. `user.invocation_id`.
        name: &'static str,
        /// Its value, or removal.
        value: Option<String>,
    },
    /// Starts a process in the cgroup. Answer: [`Outcome::Spawned`], as soon as it is born. What became of its program,
    /// and its end, arrive as events.
    Spawn {
        /// Where.
        cgroup: CgroupPath,
        /// What.
        command: alloc::boxed::Box<Spawn>,
    },
    /// Waits for the end of a process that an arbiter before us has spawned: takes hold of it, if it is in the cgroup.
    /// Its end arrives as an event. Answer: [`Outcome::Done`], or [`Outcome::Gone`] when it is not there.
    WatchProcess {
        /// Where it has to be.
        cgroup: CgroupPath,
        /// Which.
        pid: u32,
    },
    /// Reads the counters once more before they vanish. Answer: [`Outcome::Counters`].
    ReadCounters {
        /// Whose.
        cgroup: CgroupPath,
    },
}

/// The signals of one kill operation (reference 02.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signals {
    /// First to each process.
    pub first: i32,
    /// Follow with `SIGCONT`, so that a stopped process hears of it.
    pub then_continue: bool,
    /// Follow with `SIGHUP`.
    pub then_hangup: bool,
}

/// A command to start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spawn {
    /// Absolute path of the program.
    pub path: String,
    /// Arguments, the program's own name first.
    pub arguments: Vec<String>,
    /// `NAME=VALUE`: what the arbiter hands over. [`ExecStep::Environment`] adds to it.
    pub environment: Vec<String>,
    /// What it does before it becomes the program, in this order.
    pub setup: Vec<ExecStep>,
    /// Descriptors that it finds at 3 and above, by the numbers they are held under, and their names. One that has gone
    /// meanwhile is left out.
    pub stored: Vec<(u64, String)>,
    /// `$NAME` in the arguments stays as it is.
    pub no_env_expand: bool,
    /// Whether it is to be told when it has become the program; that it could not is told in any case.
    pub tell_executed: bool,
}

impl Spawn {
    /// A command without environment and without settings; the arguments begin with the program's own name.
    #[must_use]
    pub fn new<'a>(path: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.into_iter().map(String::from).collect(),
            environment: Vec::new(),
            setup: Vec::new(),
            stored: Vec::new(),
            no_env_expand: false,
            tell_executed: false,
        }
    }
}

/// What a plan did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which plan.
    pub plan: PlanId,
    /// One answer for each step that was done or whose refusal is only reported; shorter than the plan when it ended
    /// early.
    pub outcomes: Vec<Outcome>,
    /// Why it ended early: the answer to the step after the last outcome.
    pub failed: Option<OpError>,
}

/// The answer to one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, nothing to tell.
    Done,
    /// Refused, but the plan went on.
    Refused(OpError),
    /// The cgroup was made; its id.
    Made {
        /// Inode number of the directory.
        id: u64,
    },
    /// The cgroup is there; its id and what its `cgroup.subtree_control` holds.
    Seen {
        /// Inode number of the directory.
        id: u64,
        /// Enabled for children.
        enabled: ControllerMask,
    },
    /// What is enabled for children now.
    Controllers {
        /// The whole set, of those that are ours to deal with.
        enabled: ControllerMask,
        /// The first write the kernel refused, if one was.
        refused: Option<OpError>,
    },
    /// The process is in the cgroup.
    Attached,
    /// The process ended before it could be moved or watched.
    Gone,
    /// How many processes got the signal.
    Signalled {
        /// Processes that were there.
        count: u32,
    },
    /// The process runs.
    Spawned {
        /// Its pid.
        pid: u32,
    },
    /// Counters as far as the files exist.
    Counters(Counters),
}

/// Accounting counters of a cgroup; none where the file does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `cpu.stat usage_usec`, in ns.
    pub cpu_nsec: Option<u64>,
    /// `memory.current`, bytes.
    pub memory_current: Option<u64>,
    /// `pids.current`.
    pub tasks_current: Option<u64>,
    /// `io.stat` summed over devices: rbytes, rios, wbytes, wios.
    pub io: Option<[u64; 4]>,
    /// `oom_kill` of `memory.events`.
    pub oom_kills: Option<u64>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.op, f)
    }
}

/// A cgroup below the managed root as a plan prints it: without the leading slash, the root as `/`.
struct Short<'a>(&'a CgroupPath);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().strip_prefix('/').unwrap_or("/"))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteFile { file, .. } => write!(f, "record   {file}"),
            Self::RenewRecord { file, .. } => write!(f, "renew    {file}"),
            Self::RemoveFile { file, .. } => write!(f, "forget   {file}"),
            Self::MoveFile { file, to } => write!(f, "move     {file} {to}"),
            Self::Link { file, target } => write!(f, "link     {file} {target}"),
            Self::RemoveEmpty { directory } => write!(f, "prune    {directory}"),
            Self::RemoveRuntime { directories } => write!(f, "clear    {}", directories.join(" ")),
            Self::Mkdir { cgroup } => write!(f, "mkdir    {}", Short(cgroup)),
            Self::Observe { cgroup } => write!(f, "observe  {}", Short(cgroup)),
            Self::Rmdir { cgroup, .. } => write!(f, "rmdir    {}", Short(cgroup)),
            Self::SubtreeControl { cgroup, enable, disable } => {
                write!(f, "write    {} cgroup.subtree_control", Short(cgroup))?;
                enable.controllers().try_for_each(|c| write!(f, " +{}", c.name()))?;
                disable.controllers().try_for_each(|c| write!(f, " -{}", c.name()))
            }
            Self::Write { cgroup, file, value } => write!(f, "write    {} {file} {value}", Short(cgroup)),
            Self::WriteDevice { cgroup, file, device, value } => {
                write!(f, "write    {} {file} {device} {value}", Short(cgroup))
            }
            Self::Watch { cgroup, .. } => write!(f, "watch    {}", Short(cgroup)),
            Self::Attach { cgroup, pin } => write!(f, "attach   {} pin {}", Short(cgroup), pin.0),
            Self::SignalAll { cgroup, signals, .. } => write!(f, "signal   {} {}", Short(cgroup), signals.first),
            Self::SignalOne { pid, signals } => write!(f, "signal   pid {pid} {}", signals.first),
            Self::Delegate { cgroup, user, .. } => write!(f, "delegate {} {user}", Short(cgroup)),
            Self::Xattr { cgroup, name, value } => {
                write!(f, "xattr    {} {name} {}", Short(cgroup), value.as_deref().unwrap_or("-"))
            }
            Self::Spawn { cgroup, command } => write!(f, "spawn    {} {}", Short(cgroup), command.path),
            Self::WatchProcess { cgroup, pid } => write!(f, "watch    {} pid {pid}", Short(cgroup)),
            Self::ReadCounters { cgroup } => write!(f, "read     {} counters", Short(cgroup)),
        }
    }
}
