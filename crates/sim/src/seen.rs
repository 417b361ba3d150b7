//! What a search has seen: how often each kind of operation, request and question has come, and how often something
//! rare of the machine. What never comes is not searched, however many seeds there are.

use cgarbiter_core::plan::Op;
use cgarbiter_core::{Question, Request};
use std::collections::BTreeMap;

/// An enumeration's variants by their names, and the place of each.
macro_rules! variants {
    ($names:ident, $place:ident, $type:ident: $($variant:ident)*) => {
        const $names: &[&str] = &[$(stringify!($variant)),*];

        fn $place(value: &$type) -> usize {
            enum Place { $($variant),* }
            match value {
                $($type::$variant { .. } => Place::$variant as usize,)*
            }
        }
    };
}

variants!(OPS, place_of_op, Op:
    WriteFile RenewRecord RemoveFile MoveFile Link RemoveEmpty RemoveRuntime Mkdir Observe Rmdir SubtreeControl Write
    WriteDevice Watch Attach SignalAll SignalOne Delegate Xattr Spawn WatchProcess ReadCounters);

variants!(REQUESTS, place_of_request, Request:
    StartTransient Job EnqueueJob Kill Freeze Thaw ResetFailed ResetFailedAll SetProperties Ref Unref Abandon Attach
    Processes GetUnit LoadUnit UnitByPid UnitByPidFd UnitByControlGroup UnitByInvocationId UnitFileState UnitFiles
    ChangeUnitFiles UnitFileLinks ListUnits ListUnitsByNames ListJobs GetJob JobNeighbours CancelJob ClearJobs Subscribe
    Unsubscribe Reload Reexecute SetEnvironment Get GetAll Set Introspect Dump NotServed Plan);

variants!(QUESTIONS, place_of_question, Question:
    Pin Members CgroupOfPin Events Orphans CgroupOf Readings PidFile UnitFiles BusNameOwned);

/// Counts, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    ops: [u64; OPS.len()],
    requests: [u64; REQUESTS.len()],
    questions: [u64; QUESTIONS.len()],
    /// Processes that the kernel has killed for want of memory.
    pub oom_kills: u64,
}

impl Default for Seen {
    fn default() -> Self {
        let (ops, requests, questions) = ([0; OPS.len()], [0; REQUESTS.len()], [0; QUESTIONS.len()]);
        Self { ops, requests, questions, oom_kills: 0 }
    }
}

impl Seen {
    /// In: a step is taken, or refused.
    pub fn op(&mut self, op: &Op) {
        self.ops[place_of_op(op)] += 1;
    }

    /// In: a request reaches the manager.
    pub fn request(&mut self, request: &Request) {
        self.requests[place_of_request(request)] += 1;
    }

    /// In: the manager asks.
    pub fn question(&mut self, question: &Question) {
        self.questions[place_of_question(question)] += 1;
    }

    /// In: what another run has seen.
    pub fn add(&mut self, other: &Self) {
        let pairs = self.ops.iter_mut().zip(&other.ops).chain(self.requests.iter_mut().zip(&other.requests));
        pairs.chain(self.questions.iter_mut().zip(&other.questions)).for_each(|(sum, count)| *sum += count);
        self.oom_kills += other.oom_kills;
    }

    /// Out: the counts, by the names of the kinds: operations, requests, questions.
    #[must_use]
    pub fn counts(&self) -> [BTreeMap<&'static str, u64>; 3] {
        [(OPS, &self.ops[..]), (REQUESTS, &self.requests[..]), (QUESTIONS, &self.questions[..])]
            .map(|(names, counts)| names.iter().copied().zip(counts.iter().copied()).collect())
    }

    /// Out: the kinds that have never come.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let counts = self.counts().into_iter().flatten();
        let oom_kills = std::iter::once(("out-of-memory kill", self.oom_kills));
        counts.chain(oom_kills).filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_not_missing() {
        let mut seen = Seen::default();
        assert_eq!(seen.missing().len(), OPS.len() + REQUESTS.len() + QUESTIONS.len() + 1);
        seen.request(&Request::Reload);
        seen.question(&Question::Readings(cgarbiter_core::names::CgroupPath::root()));
        let mut sum = Seen::default();
        (0..2).for_each(|_| sum.add(&seen));
        assert_eq!(sum.counts()[1]["Reload"], 2);
        assert!(!sum.missing().contains(&"Readings"));
    }
}
