//! The backend on the simulated kernel: runs a plan one step at a time, answers questions, reports what happens. It
//! draws no conclusions; everything it knows is in the kernel and the store, or dies with the arbiter.
//!
//! ```text
//! backend.begin(plan);                                   // in:   a plan
//! while backend.is_running() { report = backend.step() } //       one step at a time; a crash may come between any two
//! backend.answer(&question)                              // in:   a question, answered at once
//! backend.pass_time(now)                                 // in:   programs go on until then
//! backend.poll_event()                                   // out:  exits and notices
//! backend.poll_timeout()                                 // out:  when a program will do something by itself
//! backend.restart_arbiter(); backend.found(&unit_paths)  // what another arbiter finds
//! ```

mod acts;
mod answer;
mod apply;
mod canonical;
mod find;
mod heard;
mod parts;
mod pins;
mod programs;
mod real;
mod signals;
mod steps;
#[cfg(test)]
mod tests;
mod watches;

pub use real::Real;

use crate::kernel::{Caller, CgroupId, Config, Errno, File, Fork, Kernel, Pid};
use crate::store::Store;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Pin;
use cgarbiter_core::{Event, OpError, Outcome};
use pins::Pins;
use programs::Programs;
use real::Outside;
use std::collections::{BTreeSet, VecDeque};
use steps::Running;
use watches::Watches;

/// Numbers of arbiters that have been started again; below those that the kernel gives by itself.
const FIRST_ARBITER: Pid = 3;
const LAST_ARBITER: Pid = 99;

/// Kernel, store and processes as the arbiter reaches them.
#[derive(Clone, Debug)]
pub struct SimBackend {
    kernel: Kernel,
    store: Store,
    /// The arbiter's own process; services are its children.
    arbiter: Pid,
    running: Option<Running>,
    pins: Pins,
    watches: Watches,
    programs: Programs,
    outside: Outside,
    /// Whose end is to be told: spawned by this arbiter, or named by it.
    awaited: BTreeSet<Pid>,
    exits: VecDeque<Event>,
    /// The first of the notices comes before the first of the exits.
    notice_first: bool,
    /// What came of the last step.
    last: Option<Result<Outcome, OpError>>,
    /// Records are not written to the disk (see [`crate::mutants`]).
    forgets_to_sync: bool,
    /// Where the last step was: the next one is there, too, as a rule.
    nearby: Option<(CgroupPath, CgroupId)>,
}

impl SimBackend {
    /// A machine that has just come up: nothing in the tree, nothing in the store, the arbiter's process in the root.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut kernel = Kernel::new(config);
        let arbiter = begin_arbiter(&mut kernel, None);
        Self {
            kernel,
            store: Store::default(),
            arbiter,
            running: None,
            pins: Pins::default(),
            watches: Watches::default(),
            programs: Programs::default(),
            outside: Outside::default(),
            awaited: BTreeSet::new(),
            exits: VecDeque::new(),
            notice_first: false,
            last: None,
            forgets_to_sync: false,
            nearby: None,
        }
    }

    /// From now on no record is written to the disk by itself.
    pub(crate) fn forget_to_sync(&mut self) {
        self.forgets_to_sync = true;
    }

    /// The power goes, and the machine comes up again: nothing in the tree, nobody there, and the store as the disk has
    /// it; of what was not synced `is_lost` says what is lost.
    pub fn cut_power(&mut self, is_lost: impl FnMut(&str) -> bool) {
        let mut machine = Self::new(self.kernel.config().clone());
        machine.forgets_to_sync = self.forgets_to_sync;
        machine.store = std::mem::take(&mut self.store);
        machine.store.cut_power(is_lost);
        *self = machine;
    }

    /// Look: the kernel.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The kernel, for what others than the arbiter do to it.
    pub fn kernel_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }

    /// Look: the store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store, for what others than the arbiter do to it.
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Look: the arbiter's own process.
    #[must_use]
    pub fn arbiter(&self) -> Pid {
        self.arbiter
    }

    /// In: a client hands over a descriptor of a process; none when there is no such process.
    pub fn take_descriptor(&mut self, pid: Pid) -> Option<Pin> {
        self.take_in();
        self.kernel.state(pid).map(|_| self.pins.hold(pid))
    }

    /// In: lets go of pinned processes.
    pub fn release(&mut self, pins: &[Pin]) {
        pins.iter().for_each(|pin| self.pins.release(*pin));
    }

    /// Look: how many descriptors are held that are no processes.
    #[must_use]
    pub fn held_descriptors(&self) -> usize {
        self.pins.others.len()
    }

    /// Look: how many processes are held.
    #[must_use]
    pub fn held_processes(&self) -> usize {
        self.pins.held.len()
    }

    /// Look: the process that a pin holds.
    #[must_use]
    pub fn pinned(&self, pin: Pin) -> Option<Pid> {
        self.pins.get(pin)
    }

    /// The arbiter dies, and what it held dies with it: the plan in flight, pins, watches. Kernel and store stay.
    /// Then it starts again as another process.
    pub fn restart_arbiter(&mut self) {
        self.absorb();
        self.kernel.exit(self.arbiter, 0).expect("the arbiter lives");
        let _ = self.kernel.reap(Kernel::INIT, self.arbiter);
        let number = self.next_arbiter();
        self.arbiter = begin_arbiter(&mut self.kernel, number);
        (self.running, self.pins, self.watches) = (None, self.pins.cleared(), Watches::default());
        self.awaited.clear();
        self.exits.clear();
        self.notice_first = false;
    }

    /// A number that no other process gets: what runs after a restart has the numbers that it would have had without.
    fn next_arbiter(&self) -> Option<Pid> {
        let next = if self.arbiter < LAST_ARBITER { self.arbiter + 1 } else { FIRST_ARBITER };
        (FIRST_ARBITER..=LAST_ARBITER).contains(&next).then_some(next).filter(|pid| self.kernel.state(*pid).is_none())
    }

    fn myself(&self) -> Caller {
        Caller::root(self.arbiter)
    }

    fn find(&self, cgroup: &CgroupPath) -> Result<CgroupId, OpError> {
        self.kernel.lookup(&self.myself(), cgroup.as_str().as_bytes()).map_err(|errno| error(cgroup, "", errno))
    }

    /// The same for a step about one of its files, which is then what is missing.
    fn find_file_for_step(&mut self, cgroup: &CgroupPath, file: &str) -> Result<CgroupId, OpError> {
        self.find_for_step(cgroup).map_err(|missing| OpError::new(subject(cgroup, file), missing.errno))
    }

    /// The same for a step. A cgroup keeps its path as long as it is there, and the arbiter may go everywhere.
    fn find_for_step(&mut self, cgroup: &CgroupPath) -> Result<CgroupId, OpError> {
        match &self.nearby {
            Some((path, id)) if path == cgroup && self.kernel.exists(*id) => Ok(*id),
            _ => {
                let id = self.find(cgroup)?;
                self.nearby = Some((cgroup.clone(), id));
                Ok(id)
            }
        }
    }

    fn read(&self, cgroup: CgroupId, file: File) -> Result<String, Errno> {
        self.kernel.read(&self.myself(), cgroup, file)
    }

    fn path(&self, cgroup: CgroupId) -> CgroupPath {
        let path = String::from_utf8(self.kernel.path(cgroup)).unwrap_or_default();
        CgroupPath::parse(&path).unwrap_or_else(CgroupPath::root)
    }
}

/// The arbiter's process. What its services leave behind becomes its child.
fn begin_arbiter(kernel: &mut Kernel, number: Option<Pid>) -> Pid {
    let wanted = Fork { pid: number, ..Fork::default() };
    let arbiter = kernel.fork(&Caller::INIT, &wanted).expect("there is room for a process");
    kernel.set_subreaper(arbiter, true).expect("it lives");
    arbiter
}

/// An error as the core knows it, about a file of a cgroup (or about its directory).
fn error(cgroup: &CgroupPath, file: &str, errno: Errno) -> OpError {
    OpError::new(subject(cgroup, file), cgarbiter_core::Errno::from_raw(errno.number()))
}

/// A file of a cgroup, or its directory, as an error names it.
fn subject(cgroup: &CgroupPath, file: &str) -> String {
    match (cgroup.as_str(), file) {
        ("", "") => "/".to_owned(),
        (cgroup, "") => cgroup.to_owned(),
        (cgroup, file) => format!("{cgroup}/{file}"),
    }
}

/// An error about a process.
fn process_error(pid: Pid, errno: Errno) -> OpError {
    OpError::new(format!("/proc/{pid}"), cgarbiter_core::Errno::from_raw(errno.number()))
}

/// A process number as the core writes it.
fn number(pid: Pid) -> u32 {
    u32::try_from(pid).expect("the kernel numbers processes from 1")
}
