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

mod answer;
mod apply;
mod canonical;
mod find;
mod parts;
mod pins;
mod programs;
mod real;
mod signals;
#[cfg(test)]
mod tests;
mod watches;

pub use real::Real;

use crate::kernel::{Caller, CgroupId, Config, Disposition, Errno, Exit, File, Fork, Kernel, Notice, Pid, State};
use crate::store::Store;
use cgarbiter_core::event::{ExitStatus, Handed};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{OnError, Op, Pin, Step, WatchId};
use cgarbiter_core::{Event, Instant, OpError, Outcome, Plan, Report};
use pins::Pins;
use programs::{Act, Programs};
use real::Outside;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use watches::Watches;

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
    /// Spawned by an arbiter before this one, and held by this one.
    adopted: BTreeSet<Pid>,
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

/// A plan in flight.
#[derive(Clone, Debug)]
struct Running {
    plan: Plan,
    outcomes: Vec<Outcome>,
}

impl SimBackend {
    /// A machine that has just come up: nothing in the tree, nothing in the store, the arbiter's process in the root.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut kernel = Kernel::new(config);
        let arbiter = kernel.fork(&Caller::INIT, &Fork::default()).expect("an empty machine has room for a process");
        Self {
            kernel,
            store: Store::default(),
            arbiter,
            running: None,
            pins: Pins::default(),
            watches: Watches::default(),
            programs: Programs::default(),
            outside: Outside::default(),
            adopted: BTreeSet::new(),
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

    /// In: a plan to run. Only one is in flight at a time.
    pub fn begin(&mut self, plan: Plan) {
        assert!(self.running.is_none(), "one plan is in flight at a time");
        self.running = Some(Running { outcomes: Vec::with_capacity(plan.steps.len()), plan });
    }

    /// Look: is a plan in flight?
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Look: the step that [`step`](Self::step) would do next; none when only the report is left.
    #[must_use]
    pub fn next_step(&self) -> Option<&Step> {
        let running = self.running.as_ref()?;
        running.plan.steps.get(running.outcomes.len())
    }

    /// Look: the plan in flight, and how many of its steps have been done.
    #[must_use]
    pub fn running(&self) -> Option<(&Plan, usize)> {
        self.running.as_ref().map(|running| (&running.plan, running.outcomes.len()))
    }

    /// Look: what came of the last step.
    #[must_use]
    pub fn last_result(&self) -> Option<&Result<Outcome, OpError>> {
        self.last.as_ref()
    }

    /// Does the next step of the plan in flight; the report when it was the last.
    ///
    /// # Panics
    /// When no plan is in flight.
    pub fn step(&mut self) -> Option<Report> {
        let running = self.running.as_ref().expect("a plan is in flight");
        let (steps, next) = (Arc::clone(&running.plan.steps), running.outcomes.len());
        let Some(step) = steps.get(next) else {
            let running = self.running.take().expect("a plan is in flight");
            return Some(self.finish(running, None));
        };
        self.absorb();
        let result = self.apply(&step.op);
        self.stop_and_continue_after(&step.op);
        self.record(result)
    }

    /// In: the next step is not done, because the kernel answers this; the report when that ends the plan.
    ///
    /// # Panics
    /// When no plan is in flight, or none of its steps is left.
    pub fn refuse_step(&mut self, errno: cgarbiter_core::Errno) -> Option<Report> {
        let step = self.next_step().expect("a step is left to refuse");
        let refusal = OpError::new(subject(&step.op), errno);
        self.absorb();
        self.record(Err(refusal))
    }

    /// Takes down the answer to the next step; the report when it ends the plan.
    pub(crate) fn record(&mut self, result: Result<Outcome, OpError>) -> Option<Report> {
        let mut running = self.running.take().expect("a step belongs to a plan");
        self.last = Some(result.clone());
        let step = &running.plan.steps[running.outcomes.len()];
        match (result, step.on_error) {
            (Ok(outcome), _) => running.outcomes.push(outcome),
            (Err(error), OnError::Report) => running.outcomes.push(Outcome::Refused(error)),
            (Err(error), OnError::Stop) => return Some(self.finish(running, Some(error))),
        }
        if running.outcomes.len() == running.plan.steps.len() {
            return Some(self.finish(running, None));
        }
        self.running = Some(running);
        None
    }

    fn finish(&mut self, running: Running, failed: Option<OpError>) -> Report {
        assert!(failed.is_some() || running.outcomes.len() == running.plan.steps.len());
        self.watches.announce_new();
        Report { plan: running.plan.id, outcomes: running.outcomes, failed }
    }

    /// In: lets go of pinned processes.
    pub fn release(&mut self, pins: &[Pin]) {
        pins.iter().for_each(|pin| self.pins.release(*pin));
    }

    /// In: time goes on; programs that end by themselves until `now` have ended.
    pub fn pass_time(&mut self, now: Instant) {
        self.programs.set_time(now);
        while let Some((pid, act)) = self.programs.take_due(&self.kernel) {
            self.act(pid, act);
        }
    }

    /// A program does something. One that was killed meanwhile does nothing any more.
    fn act(&mut self, pid: Pid, act: Act) {
        if self.kernel.state(pid) != Some(State::Alive) {
            return;
        }
        let itself = Caller::root(pid);
        match act {
            Act::Sleep { .. } | Act::Live => {}
            Act::Ignore { signal } => drop(self.kernel.set_disposition(pid, signal, Disposition::Ignore)),
            Act::Raise { signal } => drop(self.kernel.kill(&itself, pid, signal)),
            Act::End { code } => drop(self.kernel.exit(pid, code)),
            Act::Notify { message } if self.programs.notifies(pid) => {
                let (uid, cgroup) = (self.kernel.caller(pid).map_or(0, |caller| caller.uid), self.place(pid));
                // One descriptor goes with what asks for it to be kept.
                let stores = message.lines().any(|line| line == "FDSTORE=1");
                let descriptors =
                    stores.then(|| Handed { pin: self.pins.hold_other(), same: Vec::new() }).into_iter().collect();
                self.exits.push_back(Event::Notified { pid: number(pid), uid, cgroup, message, descriptors });
            }
            Act::Notify { .. } => {}
            Act::Fork { acts } => {
                if let Ok(child) = self.kernel.fork(&itself, &Fork::default()) {
                    self.programs.forked(pid, child, acts);
                }
            }
            Act::WriteChild { file } => {
                let child = self.programs.child_of(pid);
                self.store.write(file, child.to_string());
            }
        }
    }

    /// Look: how many descriptors are held that are no processes.
    #[must_use]
    pub fn held_descriptors(&self) -> usize {
        self.pins.others.len()
    }

    /// Out: when a program will end by itself.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.programs.next_end(&self.kernel)
    }

    /// Out: what has happened. Exits come before notices of the cgroups that they leave empty, unless
    /// [`hasten`](Self::hasten) says otherwise.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.absorb();
        if !self.takes_notice() {
            return self.exits.pop_front();
        }
        self.notice_first = false;
        self.watches.take().map(|watch| Event::CgroupChanged { watch })
    }

    /// Look: what [`poll_event`](Self::poll_event) would give; the kernel is asked for what it has noticed.
    pub fn next_event(&mut self) -> Option<Event> {
        self.absorb();
        if !self.takes_notice() {
            return self.exits.front().cloned();
        }
        self.watches.first().map(|watch| Event::CgroupChanged { watch })
    }

    fn takes_notice(&self) -> bool {
        self.exits.is_empty() || self.notice_first && self.watches.any()
    }

    /// In: a notice comes once more, or without anything having changed: the watch at this position, of all there are.
    pub fn repeat_notice(&mut self, position: usize) {
        self.absorb();
        self.watches.repeat(position);
    }

    /// In: a notice that was on its way when its watch was taken down comes after all.
    pub fn late_notice(&mut self, watch: WatchId) {
        self.watches.late(watch);
    }

    /// In: what waits at this position, of exits and notices, comes first; what is heard of one process keeps its
    /// order.
    pub fn hasten(&mut self, position: usize) {
        self.absorb();
        let position = position % self.waiting().max(1);
        match position.checked_sub(usize::from(self.notice_first && self.watches.any())) {
            None => {}
            Some(exit) if exit < self.exits.len() => {
                self.notice_first = false;
                let about = process_of(&self.exits[exit]);
                let first = self.exits.iter().position(|event| process_of(event) == about).unwrap_or(exit);
                let event = self.exits.remove(first).expect("it waits");
                self.exits.push_front(event);
            }
            Some(_) => {
                self.watches.hasten(position - self.exits.len());
                self.notice_first = true;
            }
        }
    }

    /// Look: how many exits and notices could come next ([`hasten`](Self::hasten) makes one of them the first).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.exits.len() + self.watches.waiting()
    }

    /// In: the queue of notices has run over. Those that waited are lost; whoever reads the queue is told so, and looks
    /// at everything.
    pub fn overflow_notices(&mut self) {
        self.absorb();
        self.watches.overflow();
    }

    /// Look: every watch that is set up.
    #[must_use]
    pub fn watches(&self) -> Vec<WatchId> {
        self.watches.numbers()
    }

    /// Look: the process that a pin holds.
    #[must_use]
    pub fn pinned(&self, pin: Pin) -> Option<Pid> {
        self.pins.get(pin)
    }

    /// Look: the cgroup behind a watch.
    #[must_use]
    pub fn watched(&self, watch: WatchId) -> Option<CgroupId> {
        self.watches.cgroup(watch)
    }

    /// Look: is there something for [`poll_event`](Self::poll_event)?
    #[must_use]
    pub fn has_event(&self) -> bool {
        !self.exits.is_empty() || self.watches.any() || !self.kernel.notices().is_empty()
    }

    /// The arbiter dies, and what it held dies with it: the plan in flight, pins, watches. Kernel and store stay.
    /// Then it starts again as another process.
    pub fn restart_arbiter(&mut self) {
        self.absorb();
        self.kernel.exit(self.arbiter, 0).expect("the arbiter lives");
        let _ = self.kernel.reap(Kernel::INIT, self.arbiter);
        self.arbiter = self.kernel.fork(&Caller::INIT, &Fork::default()).expect("there is room for a process");
        (self.running, self.pins, self.watches) = (None, self.pins.cleared(), Watches::default());
        self.adopted.clear();
        self.exits.clear();
        self.notice_first = false;
    }

    /// In: nothing but that the kernel's notices are taken in, as before everything else that is done here.
    pub fn take_in(&mut self) {
        self.absorb();
    }

    /// Takes in the kernel's notices: pins of ended processes lose their hold, children are reaped, watches are marked.
    /// This happens before any number is looked up, so that a number used again is never taken for its predecessor.
    fn absorb(&mut self) {
        for notice in self.kernel.take_notices() {
            match notice {
                Notice::Modified { cgroup, file } => self.watches.changed(cgroup, file),
                Notice::Deleted { child, .. } => self.watches.removed(child),
                Notice::Exited { pid } => self.ended(pid),
                Notice::Created { .. } => {}
            }
        }
    }

    fn ended(&mut self, pid: Pid) {
        self.pins.ended(pid);
        self.programs.ended(pid);
        let told = self.outside.ended(pid);
        if self.adopted.remove(&pid) {
            // How it ended is told to its parent, which is not the arbiter any more.
            let pid = u32::try_from(pid).expect("the kernel numbers processes from 1");
            self.exits.push_back(Event::Exited { pid, status: ExitStatus::Lost });
            return;
        }
        if self.kernel.parent_of(pid) != Some(self.arbiter) {
            return;
        }
        if let (Ok(exit), Ok(pid)) = (self.kernel.reap(self.arbiter, pid), u32::try_from(pid)) {
            let seen = match exit {
                Exit::Code(code) => ExitStatus::Code(i32::from(code)),
                Exit::Signal(signal) => ExitStatus::Signal(i32::from(signal)),
            };
            let status = told.unwrap_or(seen);
            self.exits.push_back(Event::Exited { pid, status });
        }
    }

    fn myself(&self) -> Caller {
        Caller::root(self.arbiter)
    }

    fn find(&self, cgroup: &CgroupPath) -> Result<CgroupId, OpError> {
        self.kernel.lookup(&self.myself(), cgroup.as_str().as_bytes()).map_err(|errno| error(cgroup, "", errno))
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

/// What an operation is about, as its error names it.
fn subject(op: &Op) -> String {
    let file = |cgroup: &CgroupPath, file: &str| format!("{}/{file}", cgroup.as_str());
    match op {
        Op::WriteFile { file, .. }
        | Op::RemoveFile { file, .. }
        | Op::RenewRecord { file, .. }
        | Op::Link { file, .. }
        | Op::RemoveEmpty { directory: file }
        | Op::MoveFile { file, .. } => file.to_string(),
        Op::Write { cgroup, file: name, .. } | Op::WriteDevice { cgroup, file: name, .. } => file(cgroup, name),
        Op::SubtreeControl { cgroup, .. } => file(cgroup, "cgroup.subtree_control"),
        Op::Attach { cgroup, .. } | Op::SignalAll { cgroup, .. } => file(cgroup, "cgroup.procs"),
        Op::Xattr { cgroup, name, .. } => file(cgroup, name),
        Op::RemoveRuntime { directories } => directories.join(" "),
        Op::SignalOne { pid, .. } | Op::WatchProcess { pid, .. } => format!("pid {pid}"),
        Op::Mkdir { cgroup }
        | Op::Observe { cgroup }
        | Op::Rmdir { cgroup, .. }
        | Op::Watch { cgroup, .. }
        | Op::Delegate { cgroup, .. }
        | Op::Spawn { cgroup, .. }
        | Op::ReadCounters { cgroup } => cgroup.as_str().to_owned(),
    }
}

/// An error as the core knows it, about a file of a cgroup (or about its directory).
fn error(cgroup: &CgroupPath, file: &str, errno: Errno) -> OpError {
    let path = match (cgroup.as_str(), file) {
        ("", "") => "/".to_owned(),
        (cgroup, "") => cgroup.to_owned(),
        (cgroup, file) => format!("{cgroup}/{file}"),
    };
    OpError::new(path, cgarbiter_core::Errno::from_raw(errno.number()))
}

/// A process number as the core writes it.
fn number(pid: Pid) -> u32 {
    u32::try_from(pid).expect("the kernel numbers processes from 1")
}

/// The process that an exit, or what is heard of a process while it lives, is about.
fn process_of(event: &Event) -> Option<u32> {
    match event {
        Event::Exited { pid, .. } | Event::Executed { pid, .. } | Event::Notified { pid, .. } => Some(*pid),
        _ => None,
    }
}
