//! What is heard of the kernel: exits and notices, in which order they come, and what is repeated, late or lost.

use super::{SimBackend, number};
use crate::kernel::{CgroupId, Exit, Notice, Pid, State};
use cgarbiter_core::Event;
use cgarbiter_core::event::ExitStatus;
use cgarbiter_core::plan::WatchId;

impl SimBackend {
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

    /// Look: is there something for [`poll_event`](Self::poll_event)?
    #[must_use]
    pub fn has_event(&self) -> bool {
        !self.exits.is_empty() || self.watches.any() || !self.kernel.notices().is_empty()
    }

    /// Look: how many exits and notices could come next ([`hasten`](Self::hasten) makes one of them the first).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.exits.len() + self.watches.waiting()
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

    /// In: a notice comes once more, or without anything having changed: the watch at this position, of all there are.
    pub fn repeat_notice(&mut self, position: usize) {
        self.absorb();
        self.watches.repeat(position);
    }

    /// In: a notice that was on its way when its watch was taken down comes after all.
    pub fn late_notice(&mut self, watch: WatchId) {
        self.watches.late(watch);
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

    /// Look: the cgroup behind a watch.
    #[must_use]
    pub fn watched(&self, watch: WatchId) -> Option<CgroupId> {
        self.watches.cgroup(watch)
    }

    /// In: nothing but that the kernel's notices are taken in, as before everything else that is done here.
    pub fn take_in(&mut self) {
        self.absorb();
    }

    /// Takes in the kernel's notices: pins of ended processes lose their hold, children are reaped, watches are marked.
    /// This happens before any number is looked up, so that a number used again is never taken for its predecessor.
    pub(super) fn absorb(&mut self) {
        for notice in self.kernel.take_notices() {
            match notice {
                Notice::Modified { cgroup, file } => self.watches.changed(cgroup, file),
                Notice::Deleted { child, .. } => self.watches.removed(child, self.kernel.tells_removals()),
                Notice::Exited { pid } => self.ended(pid),
                Notice::Created { .. } => {}
            }
        }
        // Those too who had ended before they became the arbiter's children.
        while let Some(pid) = self.kernel.zombie_child(self.arbiter) {
            let _ = self.kernel.reap(self.arbiter, pid);
        }
    }

    fn ended(&mut self, pid: Pid) {
        self.pins.ended(pid);
        self.programs.ended(pid);
        let told = self.outside.ended(pid);
        // Who is not reaped yet tells how it ended, whosever child it is.
        let state = self.kernel.state(pid);
        let _ = self.kernel.reap(self.arbiter, pid);
        if !self.awaited.remove(&pid) {
            return;
        }
        let status = match state {
            Some(State::Zombie(exit)) => told.unwrap_or(status_of(exit)),
            _ => ExitStatus::Lost,
        };
        self.exits.push_back(Event::Exited { pid: number(pid), status });
    }
}

fn status_of(exit: Exit) -> ExitStatus {
    match exit {
        Exit::Code(code) => ExitStatus::Code(i32::from(code)),
        Exit::Signal(signal) => ExitStatus::Signal(i32::from(signal)),
    }
}

/// The process that an exit, or what is heard of a process while it lives, is about.
fn process_of(event: &Event) -> Option<u32> {
    match event {
        Event::Exited { pid, .. } | Event::Executed { pid, .. } | Event::Notified { pid, .. } => Some(*pid),
        _ => None,
    }
}
