//! A simulated tree with real processes in it: the daemon's backend where there is no cgroupfs to write, as in CI
//! without root. Controllers, limits and files are imagined; the processes in them are the clients' own, by their real
//! numbers.
//!
//! Like everything in this crate it makes no system call. The driver holds the real processes (by pidfds) and carries
//! between them and this:
//!
//! ```text
//! live.strangers(&question)      // out:  numbers it has not met; the driver introduces those that live
//! live.introduce(real)           // in:   a real process appears
//! live.answer(&question)         //       then the question can be answered
//! live.begin(plan)               // in:   a plan
//! live.poll_spawn()              // out:  the next step is a program to start; the driver starts it …
//! live.spawned(result)           // in:   … and says which process it is
//! live.step()                    //       every other step; the report after the last
//! live.poll_delivery()           // out:  a signal for a real process
//! live.ended(pid, status)        // in:   a real process has ended
//! live.poll_event()              // out:  what the arbiter is to hear
//! ```
//!
//! * A number means the process that was introduced under it until [`Live::ended`]. The driver reports the end before
//!   it introduces the next process of that number; a pidfd that becomes readable says so.
//! * Signals are not applied here. They go to the real process, and what comes of it comes back by [`Live::ended`], so
//!   nothing is believed dead that lives.
//! * Freezing is carried out by stopping: a real process that is frozen gets `SIGSTOP`, and `SIGCONT` when it is
//!   thawed.
//! * What real processes fork is met when it is asked about. It starts in the cgroup of its parent if the driver says
//!   so, as it would for real.

use crate::backend::{Real, SimBackend};
use crate::kernel::{Config, Errno};
use cgarbiter_core::event::ExitStatus;
use cgarbiter_core::plan::{Op, Pin, Spawn};
use cgarbiter_core::{Answer, Event, OpError, Outcome, Plan, Question, Report};

/// A signal for a real process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub pid: u32,
    /// Which.
    pub signal: i32,
}

/// The simulated tree with real processes. See the [module](self) for the order of calls.
#[derive(Clone, Debug)]
pub struct Live {
    backend: SimBackend,
}

impl Live {
    /// An empty tree. `arbiter` is the daemon's own process: it can neither be moved nor signalled.
    ///
    /// # Errors
    /// `EEXIST` or `EINVAL` when the number is none that a process can have.
    pub fn new(config: Config, arbiter: u32) -> Result<Self, Errno> {
        Ok(Self { backend: SimBackend::with_arbiter(config, arbiter)? })
    }

    /// Look: kernel and store.
    #[must_use]
    pub fn backend(&self) -> &SimBackend {
        &self.backend
    }

    /// Out: the processes that this question is about and that have not been introduced. The driver introduces those
    /// that live, and takes care to hear of their end, before the question is answered.
    #[must_use]
    pub fn strangers(&self, question: &Question) -> Vec<u32> {
        let asked: &[u32] = match question {
            Question::Pin(pids) => pids,
            Question::CgroupOf(pid) => std::slice::from_ref(pid),
            _ => &[],
        };
        asked.iter().copied().filter(|pid| !self.backend.is_known(*pid)).collect()
    }

    /// In: a real process that lives. One that is known already stays as it is.
    ///
    /// # Errors
    /// `EINVAL` for a number that no process can have, `EAGAIN` when a limit of its cgroup is reached.
    pub fn introduce(&mut self, real: &Real) -> Result<(), Errno> {
        self.backend.introduce(real)
    }

    /// In: a real process has ended. One that was never introduced is not missed.
    pub fn ended(&mut self, pid: u32, status: ExitStatus) {
        self.backend.end_real(pid, status);
    }

    /// In: a question, answered at once.
    pub fn answer(&mut self, question: &Question) -> Answer {
        self.backend.answer(question)
    }

    /// In: lets go of pinned processes.
    pub fn release(&mut self, pins: &[Pin]) {
        self.backend.release(pins);
    }

    /// In: a plan to run.
    pub fn begin(&mut self, plan: Plan) {
        self.backend.begin(plan);
    }

    /// Look: is a plan in flight?
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.backend.is_running()
    }

    /// Out: the program that the next step wants started. The answer is [`Live::spawned`], instead of [`Live::step`].
    #[must_use]
    pub fn poll_spawn(&self) -> Option<&Spawn> {
        match &self.backend.next_step()?.op {
            Op::Spawn { command, .. } => Some(command),
            _ => None,
        }
    }

    /// In: the program runs as this process, or could not be started. The report, if the plan ends with that.
    ///
    /// # Panics
    /// When the next step is no program to start.
    pub fn spawned(&mut self, result: Result<Real, OpError>) -> Option<Report> {
        let step = self.backend.next_step().cloned();
        let Some(Op::Spawn { cgroup, .. }) = step.map(|step| step.op) else { panic!("no program is to be started") };
        let result = result.and_then(|real| {
            let pid = real.pid;
            let child = Real { cgroup: Some(cgroup.clone()), ..real };
            let adopted = self.backend.adopt(&child);
            let number = |errno: Errno| cgarbiter_core::Errno::from_raw(errno.number());
            adopted.map_err(|errno| OpError::new(cgroup.to_string(), number(errno)))?;
            Ok(Outcome::Spawned { pid })
        });
        self.backend.record(result)
    }

    /// Does the next step; the report when it was the last.
    ///
    /// # Panics
    /// When a program has to be started first, see [`Live::poll_spawn`].
    pub fn step(&mut self) -> Option<Report> {
        assert!(self.poll_spawn().is_none(), "a program has to be started first");
        self.backend.step()
    }

    /// Out: a signal for a real process.
    #[must_use]
    pub fn poll_delivery(&mut self) -> Option<Delivery> {
        self.backend.take_delivery().map(|(pid, signal)| Delivery { pid, signal })
    }

    /// Out: what has happened.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.backend.poll_event()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgarbiter_core::event::PinAnswer;
    use cgarbiter_core::names::{CgroupPath, UnitName};
    use cgarbiter_core::plan::{Cause, OnError, PlanId, Signals, Step, WatchId};

    fn run(live: &mut Live, ops: Vec<Op>) -> Report {
        let unit = UnitName::parse("a.scope").expect("a name");
        let step = |op| Step { unit: unit.clone(), cause: Cause::Start, on_error: OnError::Stop, op };
        live.begin(Plan { id: PlanId(1), steps: ops.into_iter().map(step).collect() });
        loop {
            let spawns = live.poll_spawn().is_some();
            let report = if spawns { live.spawned(Ok(Real::new(900, 0))) } else { live.step() };
            if let Some(report) = report {
                return report;
            }
        }
    }

    fn with_scope() -> (Live, CgroupPath) {
        let mut live = Live::new(Config::default(), 500).expect("a free number");
        let scope = CgroupPath::parse("/a.scope").expect("a path");
        assert_eq!(live.strangers(&Question::Pin(vec![500, 700])), [700]);
        live.introduce(&Real::new(700, 1000)).expect("a free number");
        let Answer::Processes(held) = live.answer(&Question::Pin(vec![700])) else { panic!("no processes") };
        let [PinAnswer::Held { pin, uid: 1000 }] = held[..] else { panic!("{held:?}") };
        let watch = Op::Watch { cgroup: scope.clone(), watch: WatchId(1), memory: false };
        let ops = vec![Op::Mkdir { cgroup: scope.clone() }, watch, Op::Attach { cgroup: scope.clone(), pin }];
        assert_eq!(run(&mut live, ops).failed, None);
        while live.poll_event().is_some() {}
        (live, scope)
    }

    #[test]
    fn a_signal_is_delivered_and_the_end_comes_back() {
        let (mut live, cgroup) = with_scope();
        let signals = Signals { first: 15, then_continue: true, then_hangup: false };
        let report = run(&mut live, vec![Op::SignalAll { cgroup, signals, spare: Vec::new() }]);
        assert_eq!(report.outcomes, [Outcome::Signalled { count: 1 }]);
        assert_eq!(live.poll_delivery(), Some(Delivery { pid: 700, signal: 15 }));
        assert_eq!(live.poll_delivery(), Some(Delivery { pid: 700, signal: 18 }));
        assert_eq!(live.poll_event(), None, "it lives until its end is reported");
        live.ended(700, ExitStatus::Signal(15));
        assert_eq!(live.poll_event(), Some(Event::CgroupChanged { watch: WatchId(1) }));
        assert_eq!(live.strangers(&Question::CgroupOf(700)), [700]);
    }

    #[test]
    fn freezing_stops_real_processes_and_thawing_lets_them_go_on() {
        let (mut live, cgroup) = with_scope();
        let write = |value: &str| Op::Write { cgroup: cgroup.clone(), file: "cgroup.freeze", value: value.into() };
        run(&mut live, vec![write("1")]);
        assert_eq!(live.poll_delivery(), Some(Delivery { pid: 700, signal: 19 }));
        run(&mut live, vec![write("0")]);
        assert_eq!(live.poll_delivery(), Some(Delivery { pid: 700, signal: 18 }));
        assert_eq!(live.poll_delivery(), None);
    }

    #[test]
    fn a_service_is_a_child_whose_end_is_reported_as_it_was() {
        let (mut live, cgroup) = with_scope();
        let command = Box::new(Spawn::new("/bin/x", []));
        let report = run(&mut live, vec![Op::Spawn { cgroup, command }]);
        assert_eq!(report.outcomes, [Outcome::Spawned { pid: 900 }]);
        live.ended(900, ExitStatus::Dumped(11));
        assert_eq!(live.poll_event(), Some(Event::Exited { pid: 900, status: ExitStatus::Dumped(11) }));
    }
}
