//! The table of deadlines: at most one per unit and reason.

use crate::time::Instant;
use crate::unit::UnitId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

/// Why to wake up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerReason {
    /// A stop takes too long.
    StopTimeout,
    /// A start takes too long.
    StartTimeout,
    /// The unit has run for as long as it may.
    RuntimeMax,
    /// A service is to be started anew.
    Restart,
    /// A service has not been heard of for too long.
    Watchdog,
    /// The unit's job has waited or run for as long as it may. It does not end with the unit's state, but with the job.
    JobTimeout,
    /// The file that names the main process is looked for again.
    PidFile,
    /// A cgroup that could not be removed or read is looked at again.
    Retry,
}

impl TimerReason {
    const FIRST: Self = Self::StopTimeout;
    const LAST: Self = Self::Retry;
}

/// Deadlines, soonest first.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    by_unit: BTreeMap<(UnitId, TimerReason), Instant>,
    by_time: BTreeSet<(Instant, UnitId, TimerReason)>,
}

/// By unit; the other index says the same.
impl Hash for Timers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.by_unit.hash(state);
    }
}

impl Timers {
    /// Sets or replaces a deadline.
    pub(crate) fn set(&mut self, unit: UnitId, reason: TimerReason, at: Instant) {
        self.clear(unit, reason);
        self.by_unit.insert((unit, reason), at);
        self.by_time.insert((at, unit, reason));
        assert!(self.by_unit.len() == self.by_time.len());
    }

    /// Is there such a deadline?
    pub(crate) fn is_set(&self, unit: UnitId, reason: TimerReason) -> bool {
        self.by_unit.contains_key(&(unit, reason))
    }

    /// Removes a deadline, if there is one.
    pub(crate) fn clear(&mut self, unit: UnitId, reason: TimerReason) {
        if let Some(at) = self.by_unit.remove(&(unit, reason)) {
            self.by_time.remove(&(at, unit, reason));
        }
    }

    /// Sets a deadline, unless there is a sooner one.
    pub(crate) fn set_sooner(&mut self, unit: UnitId, reason: TimerReason, at: Instant) {
        if self.by_unit.get(&(unit, reason)).is_none_or(|present| at < *present) {
            self.set(unit, reason, at);
        }
    }

    /// Moves a deadline, if there is one and it is sooner.
    pub(crate) fn set_later(&mut self, unit: UnitId, reason: TimerReason, at: Instant) {
        if self.by_unit.get(&(unit, reason)).is_some_and(|present| at > *present) {
            self.set(unit, reason, at);
        }
    }

    /// Removes all deadlines that come with the state of a unit.
    pub(crate) fn clear_all(&mut self, unit: UnitId) {
        let of_unit = self.by_unit.range((unit, TimerReason::FIRST)..=(unit, TimerReason::LAST));
        let reasons = of_unit.map(|((_, reason), _)| *reason).filter(|reason| *reason != TimerReason::JobTimeout);
        for reason in reasons.collect::<Vec<_>>() {
            self.clear(unit, reason);
        }
    }

    /// The soonest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, ..)| *at)
    }

    /// Takes out the soonest deadline that has passed.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(UnitId, TimerReason)> {
        let (at, unit, reason) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.clear(unit, reason);
        Some((unit, reason))
    }

    /// Look: units whose deadlines have passed, soonest first.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = UnitId> {
        self.by_time.iter().take_while(move |(at, ..)| *at <= now).map(|(_, unit, _)| *unit)
    }

    /// All of them; both indexes say the same.
    ///
    /// # Panics
    /// When they do not.
    pub(crate) fn check_indexes(&self) -> impl Iterator<Item = (UnitId, TimerReason)> {
        let by_time: BTreeSet<_> = self.by_unit.iter().map(|((unit, reason), at)| (*at, *unit, *reason)).collect();
        assert!(self.by_time == by_time, "deadlines");
        self.by_unit.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_a_state_goes_with_it_and_nothing_else() {
        let mut timers = Timers::default();
        let [before, unit, after] = [UnitId(1), UnitId(2), UnitId(3)];
        for reason in [TimerReason::StopTimeout, TimerReason::JobTimeout, TimerReason::PidFile, TimerReason::Retry] {
            [before, unit, after].into_iter().for_each(|unit| timers.set(unit, reason, Instant(20)));
        }
        timers.clear_all(unit);
        let left: Vec<_> = timers.check_indexes().filter(|(other, _)| *other == unit).collect();
        assert_eq!(left, [(unit, TimerReason::JobTimeout)]);
        assert_eq!(timers.check_indexes().count(), 9);
    }

    #[test]
    fn deadlines_come_due_in_order_and_once() {
        let mut timers = Timers::default();
        timers.set(UnitId(1), TimerReason::StopTimeout, Instant(20));
        timers.set(UnitId(2), TimerReason::StopTimeout, Instant(10));
        timers.set(UnitId(1), TimerReason::StopTimeout, Instant(5));
        assert_eq!(timers.next(), Some(Instant(5)));
        assert_eq!(timers.take_due(Instant(4)), None);
        assert_eq!(timers.take_due(Instant(30)), Some((UnitId(1), TimerReason::StopTimeout)));
        assert_eq!(timers.take_due(Instant(30)), Some((UnitId(2), TimerReason::StopTimeout)));
        assert_eq!(timers.take_due(Instant(30)), None);
    }
}
