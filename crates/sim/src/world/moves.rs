//! What can happen next in the world, and that it happens: whole, in part, or refused.

use super::World;
use crate::trace;
use cgarbiter_core::{Errno, Event};

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The next step of the plan in flight, or its report.
    Plan,
    /// An exit or a notice of the kernel reaches the manager.
    Notice,
    /// What a client sent first reaches the manager.
    Client,
    /// A death or a freeze that the kernel has begun comes to pass (see [`kernel::Config::immediate`]).
    Kernel,
    /// A deadline of the manager has come.
    Timer,
}

impl World {
    /// What can happen now, the likeliest first: a plan goes on, then the kernel is heard, then clients, then what the
    /// kernel has begun, then time.
    pub fn moves(&self) -> impl Iterator<Item = Move> + use<> {
        let due = self.manager.poll_timeout().is_some_and(|at| at <= self.now);
        [
            (Move::Plan, self.backend.is_running()),
            (Move::Notice, self.backend.has_event()),
            (Move::Client, !self.sent.is_empty()),
            (Move::Kernel, !self.backend.kernel().unsettled().is_empty()),
            (Move::Timer, due),
        ]
        .into_iter()
        .filter_map(|(step, possible)| possible.then_some(step))
    }

    /// Does exactly one thing; false when there is nothing to do until time passes.
    pub fn step(&mut self) -> bool {
        let first = self.moves().next();
        if let Some(step) = first {
            self.make(step);
        }
        first.is_some()
    }

    /// Does one of the possible things.
    pub fn make(&mut self, step: Move) {
        match step {
            Move::Plan => self.plan_step(),
            Move::Notice => {
                if let Some(event) = self.backend.poll_event() {
                    self.deliver(event);
                }
            }
            Move::Client => {
                let event = self.sent.pop_front().expect("something was sent");
                self.deliver(event);
            }
            Move::Kernel => self.backend.kernel_mut().settle_one(0),
            Move::Timer => {
                self.note(|now| format!("{now} time-out"));
                self.effort.events += 1;
                self.manager.handle_timeout(self.clocks());
                self.check();
                self.pump();
            }
        }
    }

    /// Instead of a [`Move::Plan`]: the kernel refuses the next step.
    ///
    /// # Panics
    /// When no step is left to refuse.
    pub fn refuse_step(&mut self, errno: Errno) {
        self.note_step(&format!("  -> {errno}"));
        if let Some(report) = self.backend.refuse_step(errno) {
            self.deliver(Event::PlanDone(report));
        }
    }

    /// Instead of a [`Move::Plan`]: the next step is refused after so many parts of it are done
    /// ([`SimBackend::break_off_step`]).
    pub fn break_off_step(&mut self, parts: usize, errno: Errno) {
        self.note_step(&format!("  -> {errno} after {parts} parts"));
        if let Some(report) = self.backend.break_off_step(parts, errno) {
            self.deliver(Event::PlanDone(report));
        }
    }

    /// Look: between how many parts of the first of the [`moves`](Self::moves) a crash may come.
    #[must_use]
    pub fn cuts_in_move(&self) -> usize {
        if self.backend.is_running() { self.backend.cuts_in_step() } else { 0 }
    }

    /// So many parts of a [`Move::Plan`] are done. Only a [`crash`](Self::crash) may follow.
    pub fn make_partly(&mut self, parts: usize) {
        if parts == 0 {
            return;
        }
        self.note_step(&format!("  -> cut after {parts} parts"));
        match self.mutant {
            Some(mutant) => mutant.step_partly(&mut self.backend, parts),
            None => self.backend.step_partly(parts),
        }
    }

    fn plan_step(&mut self) {
        self.note_step("");
        let report = match self.mutant {
            Some(mutant) => mutant.step(&mut self.backend),
            None => self.backend.step(),
        };
        if let Some(report) = report {
            self.deliver(Event::PlanDone(report));
        }
    }

    fn note_step(&mut self, remark: &str) {
        let Some(step) = self.backend.next_step() else { return };
        self.seen.op(&step.op);
        if self.trace.is_some() {
            let line = trace::step(step);
            self.note(|_| format!("{line}{remark}"));
        }
    }
}
