//! What happens outside and is told to the core: requests, reports, readings, notices, departures.

use crate::client::{Client, ClientId};
use crate::error::OpError;
use crate::exec::ExecFailure;
use crate::names::CgroupPath;
use crate::plan::{Counters, Pin, Report, WatchId};
use crate::request::{CallId, Request};
use crate::unit_files::UnitFile;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A client asks.
    Request {
        /// Names the request until its reply.
        call: CallId,
        /// Who asks, as the kernel says.
        client: Client,
        /// For what.
        request: Request,
    },
    /// A peer-to-peer client has connected, and gets signals from now on.
    ClientConnected(ClientId),
    /// A connection, or a name on the bus, has gone; its references and subscriptions go with it.
    ClientGone(ClientId),
    /// A name on the bus has lost its owner.
    BusNameGone(String),
    /// The plan in flight has been run.
    PlanDone(Report),
    /// A reading asked for by [`Effect::Read`](crate::effect::Effect::Read).
    ReadDone {
        /// Which.
        id: ReadId,
        /// What was found.
        answer: Answer,
    },
    /// A watched cgroup may have changed. A hint: the state is read again before it is believed.
    CgroupChanged {
        /// Which watch.
        watch: WatchId,
    },
    /// A process that a plan spawned has become its program, if that was to be told, or could not. In that case it
    /// ends with the status of the failure, which is told next.
    Executed {
        /// Which.
        pid: u32,
        /// Why not.
        failure: Option<ExecFailure>,
    },
    /// A process that a plan spawned has ended.
    Exited {
        /// Which.
        pid: u32,
        /// How.
        status: ExitStatus,
    },
    /// A process has written to `$NOTIFY_SOCKET`. All but the message is the kernel's word.
    Notified {
        /// Who.
        pid: u32,
        /// As which user.
        uid: u32,
        /// Where it is, below the managed root; none when it has gone, or lives elsewhere.
        cgroup: Option<CgroupPath>,
        /// What: lines of `NAME=VALUE`.
        message: String,
        /// The descriptors that came along, held by the backend until they are let go of.
        descriptors: Vec<Handed>,
    },
    /// The other end of a descriptor that came with a message has gone, or it is of no use any more.
    HungUp(Pin),
    /// Somebody without a bus (a signal) wants the program that is installed now to take over.
    SuccessorWanted,
    /// The program that is installed now has been tried out, as
    /// [`Effect::CheckSuccessor`](crate::effect::Effect::CheckSuccessor) asked; why it will not do.
    SuccessorChecked(Option<String>),
    /// It takes over now: what is told in answer is the last that anybody hears of us.
    GivingWay,
}

/// A descriptor that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handed {
    /// Held under this number.
    pub pin: Pin,
    /// Others that are held and are the same open file.
    pub same: Vec<Pin>,
}

/// How a child ended (`waitid`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By this signal, leaving a core image.
    Dumped(i32),
    /// Nobody can tell: it was no child of ours any more, and the kernel does not say.
    Lost,
}

/// Number of a reading; grows by one with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadId(pub u64);

/// A question about the present state of kernel and processes. The driver answers each before it hands in the next
/// event, so that requests of one client keep their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Take hold of these processes. Answer: [`Answer::Processes`], in the same order.
    Pin(Vec<u32>),
    /// The cgroup that a process is in. Answer: [`Answer::Cgroup`].
    CgroupOf(u32),
    /// The same for a pinned process, which is then let go.
    CgroupOfPin(Pin),
    /// `cgroup.events` of a cgroup. Answer: [`Answer::Events`].
    Events(CgroupPath),
    /// Counters and effective sets. Answer: [`Answer::Readings`].
    Readings(CgroupPath),
    /// Every process in the cgroup and below. Answer: [`Answer::Members`].
    Members(CgroupPath),
    /// Processes in the cgroup and below whose parents are not in there. Answer: [`Answer::Pids`].
    Orphans(CgroupPath),
    /// The process that a file names, and where it is. Answer: [`Answer::Cgroup`], for process 0 when there is no such
    /// file, or no number in it.
    PidFile(String),
    /// Whether a bus name has an owner. Answer: [`Answer::Flag`].
    BusNameOwned(String),
    /// The files in these directories for units, and those in the directories beside units in there (`.d`, `.wants`,
    /// `.requires`, `.upholds`), of which only the names count. A path that leads to a file means that file. Answer:
    /// [`Answer::UnitFiles`].
    UnitFiles(Vec<Arc<str>>),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One entry per pid asked for.
    Processes(Vec<PinAnswer>),
    /// Its path below the managed root; none when the process is gone or lives outside the root.
    Cgroup {
        /// Which process it was.
        pid: u32,
        /// Where it is.
        cgroup: Option<CgroupPath>,
    },
    /// What `cgroup.events` says; none when the cgroup is gone.
    Events(Option<CgroupEvents>),
    /// What the cgroup's files say; none when the cgroup is gone.
    Readings(Option<Readings>),
    /// Processes with their cgroup and command line; none when the cgroup is gone.
    Members(Option<Vec<Member>>),
    /// Processes by number.
    Pids(Vec<u32>),
    /// Yes or no.
    Flag(bool),
    /// All that there are.
    UnitFiles(Vec<UnitFile>),
    /// The question could not be answered.
    Failed(OpError),
}

/// What is known of a process that was to be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinAnswer {
    /// Held.
    Held {
        /// By this.
        pin: Pin,
        /// Real user of the process.
        uid: u32,
    },
    /// There is no such process (zombies count as gone).
    Gone,
    /// A thread of the kernel: cannot be moved.
    KernelThread,
    /// The arbiter itself or process 1: must not be moved.
    Manager,
}

/// The two values of `cgroup.events`, and the kill count that goes with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupEvents {
    /// Some process lives in it or below.
    pub populated: bool,
    /// Everything below stands still.
    pub frozen: bool,
    /// `oom_kill` of `memory.events`, where that exists.
    pub oom_kills: Option<u64>,
}

/// Everything that read-only properties show of a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Counters.
    pub counters: Counters,
    /// `cpuset.cpus.effective`, as in the file.
    pub effective_cpus: Option<String>,
    /// `cpuset.mems.effective`, as in the file.
    pub effective_mems: Option<String>,
}

/// A process seen in a cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where, below the managed root.
    pub cgroup: CgroupPath,
    /// Its pid.
    pub pid: u32,
    /// Its command line, quoted for people; `[comm]` where it has none.
    pub command: String,
}
