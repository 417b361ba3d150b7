//! Mutants: ways in which something between the manager and its machine or its clients can be broken on purpose. Each
//! is there for one oracle (see `check/`), which must notice it, while no other does: an oracle that has never been
//! seen to fail proves nothing.
//!
//! A mutant has no state. It meddles with a step of a plan, an event on its way in, an answer, or a reply on its way
//! out.

mod events;

use crate::backend::SimBackend;
use crate::kernel::{Caller, CgroupId, File, Kernel, Pid};
use cgarbiter_core::effect::{Message, Severity, Signal};
use cgarbiter_core::event::CgroupEvents;
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::{Op, Outcome, Step};
use cgarbiter_core::{Answer, CallId, Found, Report};

/// Calls of this number and above are a mutant's own; nobody waits for the answer.
const OWN_CALLS: u64 = 1 << 62;

/// Where counters that fall begin.
const FALLING_FROM: u64 = 1 << 60;

/// One way to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Directories of slices stay, and are said to be gone.
    KeepsDirectories,
    /// Records stay, and are said to be removed.
    KeepsRecords,
    /// A call is answered twice.
    RepliesTwice,
    /// Writes into the subtree that a delegated unit's owner made.
    WritesIntoDelegated,
    /// Limits are written when the processes are in already.
    AttachesFirst,
    /// Takes along another process of the cgroup that a process is moved from.
    TakesAlong,
    /// Of several processes that are moved into a cgroup at once only the first is; the others are said to be gone.
    LeavesBehind,
    /// What a request asked for before it was refused stays.
    KeepsHalf,
    /// Of a value that was refused nobody hears.
    KeepsSilent,
    /// Counters are shown smaller and smaller.
    ResetsCounters,
    /// Everybody is taken for root.
    TakesAllForRoot,
    /// With each report looks at every unit.
    LooksAtEverything,
    /// With the settings of one unit has something to write for every unit.
    WritesEverything,
    /// Nobody hears that a cgroup has become empty.
    LosesNotices,
    /// A stop stops nothing, and is said to be done.
    StopsNothing,
    /// A scope is said to be gone as soon as its job is done.
    TakesLeave,
    /// An arbiter that starts overlooks the record of a scope.
    ForgetsRecords,
    /// An arbiter that starts kills what it finds in scopes.
    KillsWhatItFinds,
    /// A record is written where it is to be, and not aside.
    WritesInPlace,
    /// A record is left to the machine to write to the disk.
    SyncsNothing,
    /// Units come in no order.
    ForgetsOrder,
    /// Whoever is made begins at once.
    BeginsAtOnce,
    /// Every job that begins is said to be of the same unit.
    NamesAnother,
    /// A service that fails again and again is started at once, and given up late.
    NeverTires,
    /// A program is started twice.
    BeginsTwice,
    /// Nobody hears that a process has ended.
    WaitsForNobody,
    /// Only the first process of a service is ended with it.
    SparesDescendants,
    /// A stop is said to be done at once, and made afterwards.
    StopsLater,
}

impl Mutant {
    /// Every one, in the order of the oracles they are for.
    pub const ALL: [Self; 26] = [
        Self::KeepsDirectories,
        Self::KeepsRecords,
        Self::RepliesTwice,
        Self::WritesIntoDelegated,
        Self::AttachesFirst,
        Self::TakesAlong,
        Self::LeavesBehind,
        Self::KeepsHalf,
        Self::KeepsSilent,
        Self::ResetsCounters,
        Self::TakesAllForRoot,
        Self::LooksAtEverything,
        Self::WritesEverything,
        Self::LosesNotices,
        Self::StopsNothing,
        Self::TakesLeave,
        Self::KillsWhatItFinds,
        Self::SyncsNothing,
        Self::ForgetsOrder,
        Self::BeginsAtOnce,
        Self::NamesAnother,
        Self::NeverTires,
        Self::BeginsTwice,
        Self::WaitsForNobody,
        Self::SparesDescendants,
        Self::StopsLater,
    ];

    /// Those that only a crash brings to light.
    pub const OF_CRASHES: [Self; 3] = [Self::ForgetsRecords, Self::KillsWhatItFinds, Self::WritesInPlace];

    /// Whether it shows in a world in which nothing goes wrong but that the arbiter is killed.
    #[must_use]
    pub fn is_of_crashes(self) -> bool {
        Self::OF_CRASHES.contains(&self)
    }

    /// Its name, as the command line has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KeepsDirectories => "keeps-directories",
            Self::KeepsRecords => "keeps-records",
            Self::RepliesTwice => "replies-twice",
            Self::WritesIntoDelegated => "writes-into-delegated",
            Self::AttachesFirst => "attaches-first",
            Self::TakesAlong => "takes-along",
            Self::LeavesBehind => "leaves-behind",
            Self::KeepsHalf => "keeps-half",
            Self::KeepsSilent => "keeps-silent",
            Self::ResetsCounters => "resets-counters",
            Self::TakesAllForRoot => "takes-all-for-root",
            Self::LooksAtEverything => "looks-at-everything",
            Self::WritesEverything => "writes-everything",
            Self::LosesNotices => "loses-notices",
            Self::StopsNothing => "stops-nothing",
            Self::TakesLeave => "takes-leave",
            Self::ForgetsRecords => "forgets-records",
            Self::KillsWhatItFinds => "kills-what-it-finds",
            Self::WritesInPlace => "writes-in-place",
            Self::SyncsNothing => "syncs-nothing",
            Self::ForgetsOrder => "forgets-order",
            Self::BeginsAtOnce => "begins-at-once",
            Self::NamesAnother => "names-another",
            Self::NeverTires => "never-tires",
            Self::BeginsTwice => "begins-twice",
            Self::WaitsForNobody => "waits-for-nobody",
            Self::SparesDescendants => "spares-descendants",
            Self::StopsLater => "stops-later",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::OF_CRASHES).find(|mutant| mutant.name() == name)
    }

    /// The oracle that it is there for.
    #[must_use]
    pub fn oracle(self) -> &'static str {
        match self {
            Self::KeepsDirectories | Self::KeepsRecords => "realized",
            Self::RepliesTwice => "answers",
            Self::WritesIntoDelegated => "territory",
            Self::AttachesFirst => "limits-first",
            Self::TakesAlong | Self::LeavesBehind => "places",
            Self::KeepsHalf | Self::KeepsSilent => "limits",
            Self::ResetsCounters => "counters",
            Self::TakesAllForRoot => "permissions",
            Self::LooksAtEverything | Self::WritesEverything => "work",
            Self::LosesNotices => "progress",
            Self::StopsNothing | Self::TakesLeave => "promises",
            Self::ForgetsRecords | Self::KillsWhatItFinds | Self::WritesInPlace => "survival",
            Self::SyncsNothing => "durability",
            Self::ForgetsOrder | Self::BeginsAtOnce => "order",
            Self::NamesAnother => "jobs",
            Self::NeverTires | Self::BeginsTwice => "restarts",
            Self::WaitsForNobody => "zombies",
            Self::SparesDescendants | Self::StopsLater => "descendants",
        }
    }

    /// Does the next step of the plan, or something like it.
    pub(crate) fn step(self, backend: &mut SimBackend) -> Option<Report> {
        let next = backend.next_step().cloned();
        let plan: Vec<Step> = backend.running().map(|(plan, _)| plan.steps.to_vec()).unwrap_or_default();
        if let (Self::KeepsDirectories, Some(Op::Rmdir { cgroup, .. })) = (self, next.as_ref().map(|step| &step.op))
            && cgroup.as_str().ends_with(".slice")
        {
            return backend.record(Ok(Outcome::Done));
        }
        let removed = next.as_ref().is_some_and(|step| matches!(step.op, Op::RemoveFile { directory: false, .. }));
        if self == Self::KeepsRecords && removed {
            return backend.record(Ok(Outcome::Done));
        }
        let at = backend.running().map_or(0, |(_, done)| done);
        if self == Self::AttachesFirst && is_before_processes(&plan, at) {
            return backend.record(Ok(Outcome::Done));
        }
        if self == Self::LeavesBehind && is_another(&plan, at) {
            return backend.record(Ok(Outcome::Gone));
        }
        if let (Self::TakesAlong, Some(Op::Attach { cgroup, pin })) = (self, next.as_ref().map(|step| &step.op)) {
            let left = backend.pinned(*pin).and_then(|pid| backend.kernel().cgroup_of(pid));
            let report = backend.step();
            // Others would end when the last of them is taken away.
            if left == Some(CgroupId::ROOT) {
                take_along(backend, CgroupId::ROOT, cgroup);
            }
            return report;
        }
        if let (Self::BeginsTwice, Some(Op::Spawn { cgroup, command })) = (self, next.as_ref().map(|step| &step.op)) {
            // What is refused once is refused twice.
            let _ = backend.spawn(cgroup, command);
        }
        let report = backend.step();
        if let (Self::AttachesFirst, Some(report)) = (self, &report) {
            catch_up(backend, &plan, report.outcomes.len());
        }
        if self == Self::WritesIntoDelegated {
            write_below_delegated(backend.kernel_mut());
        }
        report
    }

    /// Does so many parts of the next step, or something like them.
    pub(crate) fn step_partly(self, backend: &mut SimBackend, parts: usize) {
        let written = backend.next_step().and_then(|step| match &step.op {
            Op::WriteFile { file, content, .. } => Some((file.clone(), content[..content.len() / 2].to_owned())),
            _ => None,
        });
        match written {
            Some((file, half)) if self == Self::WritesInPlace => backend.store_mut().write(file, half),
            _ => backend.step_partly(parts),
        }
    }

    /// What an arbiter that starts is told to be there.
    pub(crate) fn found(self, mut found: Found, backend: &mut SimBackend) -> Found {
        match self {
            Self::ForgetsRecords => found.files.retain(|file| !file.path.ends_with(".scope")),
            Self::KillsWhatItFinds => {
                let kernel = backend.kernel_mut();
                for cgroup in found.cgroups.iter().filter(|cgroup| cgroup.path.as_str().ends_with(".scope")) {
                    if let Ok(id) = kernel.lookup(&Caller::INIT, cgroup.path.as_str().as_bytes()) {
                        let _ = kernel.write(&Caller::INIT, id, File::CgroupKill, b"1");
                    }
                }
            }
            _ => {}
        }
        found
    }

    /// What is answered instead of this to the question of this number.
    pub(crate) fn answer(self, answer: &Answer, question: u64) -> Answer {
        match (self, answer) {
            (Self::ResetsCounters, Answer::Readings(Some(readings))) => {
                let mut readings = readings.clone();
                readings.counters.cpu_nsec = readings.counters.cpu_nsec.map(|_| FALLING_FROM / question);
                Answer::Readings(Some(readings))
            }
            (Self::LosesNotices, Answer::Events(Some(events))) => {
                Answer::Events(Some(CgroupEvents { populated: true, ..*events }))
            }
            _ => answer.clone(),
        }
    }

    /// What is told instead of this signal.
    pub(crate) fn signal(self, signal: Signal) -> Signal {
        match signal {
            Signal::JobNew { id, .. } if self == Self::NamesAnother => {
                Signal::JobNew { id, unit: UnitName::parse("another.service").expect("a name") }
            }
            signal => signal,
        }
    }

    /// What is told beside this signal.
    pub(crate) fn also(self, signal: &Signal) -> Option<Signal> {
        match signal {
            Signal::JobRemoved { unit, result: "done", .. }
                if self == Self::TakesLeave && unit.as_str().ends_with(".scope") =>
            {
                Some(Signal::UnitRemoved(unit.clone()))
            }
            _ => None,
        }
    }

    /// Whether the operator is told.
    pub(crate) fn tells(self, message: &Message) -> bool {
        self != Self::KeepsSilent || message.severity == Severity::Info
    }

    /// How often a call is answered.
    pub(crate) fn replies(self, call: CallId) -> usize {
        match self {
            _ if call.0 >= OWN_CALLS => 0,
            Self::RepliesTwice if call.0 % 8 == 7 => 2,
            _ => 1,
        }
    }
}

fn write_procs(kernel: &mut Kernel, cgroup: CgroupId, pid: Pid) {
    // A process that has ended meanwhile is not moved.
    let _ = kernel.write(&Caller::INIT, cgroup, File::CgroupProcs, pid.to_string().as_bytes());
}

/// A limit of a cgroup that processes enter later in the plan.
fn is_before_processes(plan: &[Step], at: usize) -> bool {
    let Some(Op::Write { cgroup, file, .. }) = plan.get(at).map(|step| &step.op) else { return false };
    let enters = |step: &Step| matches!(&step.op, Op::Attach { cgroup: to, .. } if to == cgroup);
    *file != "cgroup.freeze" && plan[at..].iter().any(enters)
}

/// A process is moved where this plan has moved another.
fn is_another(plan: &[Step], at: usize) -> bool {
    let into = |step: &Step| if let Op::Attach { cgroup, .. } = &step.op { Some(cgroup.clone()) } else { None };
    let Some(cgroup) = plan.get(at).and_then(into) else { return false };
    plan[..at].iter().any(|step| into(step).as_ref() == Some(&cgroup))
}

/// Writes what was held back.
fn catch_up(backend: &mut SimBackend, plan: &[Step], done: usize) {
    for at in (0..done).filter(|at| is_before_processes(plan, *at)) {
        let Op::Write { cgroup, file, value } = &plan[at].op else { continue };
        let found = backend.kernel().lookup(&Caller::INIT, cgroup.as_str().as_bytes());
        if let (Ok(id), Some(file)) = (found, File::from_name(file.as_bytes())) {
            // A file that is not there would have been refused in its turn, too.
            let _ = backend.kernel_mut().write(&Caller::INIT, id, file, value.as_bytes());
        }
    }
}

fn take_along(backend: &mut SimBackend, from: CgroupId, to: &CgroupPath) {
    let arbiter = backend.arbiter();
    let Ok(id) = backend.kernel().lookup(&Caller::INIT, to.as_str().as_bytes()) else { return };
    let left = backend.kernel().tasks_in(from).find(|pid| *pid > Kernel::KTHREADD && *pid != arbiter);
    left.into_iter().for_each(|pid| write_procs(backend.kernel_mut(), id, pid));
}

fn write_below_delegated(kernel: &mut Kernel) {
    for cgroup in kernel.below(CgroupId::ROOT) {
        if kernel.get_xattr(&Caller::INIT, cgroup, None, b"user.delegate").is_ok() {
            let children: Vec<CgroupId> = kernel.children(cgroup).map(|(_, child)| child).collect();
            for child in children {
                // One that is about to go is not written.
                let _ = kernel.write(&Caller::INIT, child, File::CgroupMaxDescendants, b"7");
            }
        }
    }
}
