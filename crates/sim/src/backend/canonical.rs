//! What of kernel, store and what the arbiter holds its future depends on (see [`cgarbiter_core::canonical`]). Left out
//! are the arbiter's number, what came of the last step and where it was, and the numbers handed out last.

use super::SimBackend;
use super::pins::Pins;
use super::programs::Programs;
use super::real::Outside;
use super::steps::Running;
use super::watches::Watches;
use cgarbiter_core::canonical::{self, Kind};
use cgarbiter_core::{Event, Outcome};
use std::hash::{Hash, Hasher};

/// To be taken when the kernel's notices have been taken in ([`SimBackend::take_in`]).
impl Hash for SimBackend {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            kernel,
            store,
            arbiter,
            running,
            pins,
            watches,
            programs,
            outside,
            awaited,
            exits,
            notice_first,
            ..
        } = self;
        kernel.hash_canonical(*arbiter, state);
        (store, running, pins, watches, programs, outside, awaited).hash(state);
        (exits.len(), notice_first).hash(state);
        exits.iter().for_each(|event| hash_exit(event, state));
    }
}

/// The steps are the manager's, which hashes them.
impl Hash for Running {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { plan: _, outcomes } = self;
        outcomes.len().hash(state);
        outcomes.iter().for_each(|outcome| hash_outcome(outcome, state));
    }
}

impl Hash for Pins {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.held, &self.others).hash(state);
    }
}

impl Hash for Watches {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (number, cgroup) in &self.by_number {
            number.hash(state);
            cgroup.hash_name(state);
            self.by_cgroup.get(cgroup).map(|watch| watch.memory).hash(state);
        }
        (&self.new, &self.waiting).hash(state);
    }
}

/// Command lines are only shown.
impl Hash for Programs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.due.hash(state);
        self.programs
            .iter()
            .for_each(|(pid, program)| (pid, &program.acts, program.notifies, program.child).hash(state));
    }
}

impl Hash for Outside {
    fn hash<H: Hasher>(&self, _: &mut H) {
        assert!(self.real.is_empty() && self.deliveries.is_empty(), "a searched world has no real processes");
    }
}

fn hash_exit<H: Hasher>(event: &Event, state: &mut H) {
    match event {
        Event::Exited { pid, status } => (pid, status).hash(state),
        Event::Notified { pid, uid, cgroup, message, descriptors } => {
            (pid, uid, cgroup, message, descriptors).hash(state);
        }
        other => panic!("{other:?} does not wait here"),
    }
}

fn hash_outcome<H: Hasher>(outcome: &Outcome, state: &mut H) {
    std::mem::discriminant(outcome).hash(state);
    match outcome {
        Outcome::Made { id } => canonical::write(Kind::Directory, *id, state),
        Outcome::Seen { id, enabled } => {
            canonical::write(Kind::Directory, *id, state);
            enabled.hash(state);
        }
        Outcome::Refused(error) => error.hash(state),
        Outcome::Controllers { enabled, refused } => (enabled, refused).hash(state),
        Outcome::Signalled { count } => count.hash(state),
        Outcome::Spawned { pid } => pid.hash(state),
        // Counters are only shown.
        Outcome::Done | Outcome::Attached | Outcome::Gone | Outcome::Counters(_) => {}
    }
}
