//! A service that starts again and again is given up, and none is started while its program still runs: there is never
//! a second instance.

use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::Said;
use crate::world::Visible;
use cgarbiter_core::plan::{Op, Outcome, Spawn};
use cgarbiter_core::request::{Request, UnitRef};
use cgarbiter_core::{CallId, Instant};

use cgarbiter_core::value::Value;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hasher;

/// So many starts within so long are allowed, counted from the first of them (reference 02.9): a stretch that begins
/// elsewhere may hold those of two counts.
const STARTS_MAX: usize = 2 * 5;
const INTERVAL_USEC: u64 = 10_000_000;

#[derive(Clone, Default)]
pub(super) struct Restarts {
    /// When the program of each unit was started, the last times.
    starts: BTreeMap<String, VecDeque<Instant>>,
    is_reloading: bool,
    /// Calls that have the count begin anew, if they are accepted: of which unit, or of all, and since when.
    resets: BTreeMap<CallId, (Option<String>, Instant)>,
}

impl Oracle for Restarts {
    fn name(&self) -> &'static str {
        "restarts"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        match next {
            Next::Step(step) => {
                let Op::Spawn { cgroup, command } = &step.op else { return Ok(()) };
                match said_of(view, cgroup.as_str(), command) {
                    Some((name, said)) if said.ends_main && running(view, said) > 0 => {
                        Err(format!("{name} is started, and its program still runs"))
                    }
                    _ => Ok(()),
                }
            }
            Next::Request(call, _, request) => {
                self.asked(*call, request, view.world.now());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        match past {
            Past::Step(step, Ok(Outcome::Spawned { .. }), _) => {
                let Op::Spawn { cgroup, command } = &step.op else { return Ok(()) };
                let Some((name, said)) = said_of(view, cgroup.as_str(), command) else { return Ok(()) };
                if said.ends_main && running(view, said) > 1 {
                    return Err(format!("the program of {name} was started, and runs twice"));
                }
                self.count(name, view.world.now())
            }
            Past::Told(Visible::Reply { call, result }) => {
                self.answered(*call, result.is_ok());
                Ok(())
            }
            Past::Told(Visible::Signal { message, .. }) => {
                match (message.member, message.body.as_slice()) {
                    ("Reloading", [Value::Bool(begins)]) => self.is_reloading = *begins,
                    // Its count goes with a unit.
                    ("UnitRemoved", [Value::Str(name), _]) if !self.is_reloading => drop(self.starts.remove(name)),
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn crashed(&mut self) {
        *self = Self::default();
    }

    fn size(&self) -> usize {
        self.starts.values().map(VecDeque::len).sum::<usize>() + self.resets.len()
    }

    fn hash_memory(&self, now: Instant, state: &mut dyn Hasher) {
        state.write_u8(u8::from(self.is_reloading));
        for (name, starts) in &self.starts {
            state.write(name.as_bytes());
            starts.iter().for_each(|at| state.write_u64(now.0 - at.0));
        }
        for (unit, since) in self.resets.values() {
            unit.iter().for_each(|name| state.write(name.as_bytes()));
            state.write_u64(now.0 - since.0);
        }
    }
}

impl Restarts {
    fn asked(&mut self, call: CallId, request: &Request, now: Instant) {
        let unit = match request {
            Request::ResetFailed { unit: UnitRef::Name(name) } if !name.is_empty() => Some(name.clone()),
            // Of all, of the caller's own, or of one named as an object.
            Request::ResetFailed { .. } | Request::ResetFailedAll => None,
            _ => return,
        };
        self.resets.insert(call, (unit, now));
    }

    /// The count of the unit, or of all, has begun anew, unless that was refused.
    fn answered(&mut self, call: CallId, is_accepted: bool) {
        let Some((unit, since)) = self.resets.remove(&call).filter(|_| is_accepted) else { return };
        for (_, starts) in self.starts.iter_mut().filter(|(name, _)| unit.as_ref().is_none_or(|unit| unit == *name)) {
            starts.retain(|at| *at >= since);
        }
    }

    fn count(&mut self, name: &str, now: Instant) -> Verdict {
        let starts = self.starts.entry(name.to_owned()).or_default();
        starts.push_back(now);
        if starts.len() <= STARTS_MAX {
            return Ok(());
        }
        let first = starts.pop_front().expect("there are some");
        let is_of = |unit: &Option<String>| unit.as_deref().is_none_or(|unit| unit == name);
        let is_open = self.resets.values().any(|(unit, _)| is_of(unit));
        if !is_open && now < first.after(INTERVAL_USEC) {
            return Err(format!("{name} is started {} times in less than ten seconds", STARTS_MAX + 1));
        }
        Ok(())
    }
}

/// The unit of which this is the only program.
fn said_of<'a>(view: &View<'a>, cgroup: &str, command: &Spawn) -> Option<(&'a str, &'a Said)> {
    let name = cgroup.rsplit('/').next()?;
    let (name, said) = view.reference.said().find(|(other, _)| *other == name)?;
    let is_it = said.cgroup == cgroup && said.program.as_ref() == Some(&command.arguments);
    is_it.then_some((name, said))
}

/// How many processes in the cgroup of the unit, and below, run its program. Those that a program leaves behind are
/// said to run it, too: of such a program nobody knows.
fn running(view: &View<'_>, said: &Said) -> usize {
    let Some(program) = said.program.as_ref().map(|words| words.join(" ")).filter(|program| !program.contains('&'))
    else {
        return 0;
    };
    let (backend, Some(top)) = (view.world.backend(), view.find(&said.cgroup)) else { return 0 };
    let kernel = backend.kernel();
    let inside = kernel.below(top).into_iter().flat_map(|cgroup| kernel.tasks_in(cgroup).collect::<Vec<_>>());
    inside.filter(|pid| view.is_alive(*pid) && backend.command_of(*pid) == Some(&program)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts as often as is allowed, and once more after this was asked for and answered.
    fn once_more(request: &Request, is_accepted: bool) -> Verdict {
        let mut restarts = Restarts::default();
        (0..STARTS_MAX as u64).try_for_each(|at| restarts.count("a.service", Instant(at)))?;
        restarts.asked(CallId(1), request, Instant(100));
        restarts.answered(CallId(1), is_accepted);
        restarts.count("a.service", Instant(101))
    }

    #[test]
    fn only_its_own_reset_that_was_accepted_begins_the_count_anew() {
        let of = |name: &str| Request::ResetFailed { unit: UnitRef::Name(name.into()) };
        assert!(once_more(&Request::ListJobs, true).is_err());
        assert!(once_more(&of("b.service"), true).is_err(), "of another unit");
        assert!(once_more(&of("a.service"), false).is_err() && once_more(&Request::ResetFailedAll, false).is_err());
        assert_eq!(once_more(&of("a.service"), true), Ok(()));
        assert_eq!(once_more(&Request::ResetFailedAll, true), Ok(()));
    }

    #[test]
    fn a_reset_that_is_not_answered_may_count_or_not() {
        let mut restarts = Restarts::default();
        restarts.asked(CallId(1), &Request::ResetFailedAll, Instant(0));
        let often = |restarts: &mut Restarts| {
            (0..=STARTS_MAX as u64).try_for_each(|at| restarts.count("a.service", Instant(at)))
        };
        assert_eq!(often(&mut restarts), Ok(()));
        restarts.answered(CallId(1), false);
        assert!(often(&mut restarts).is_err());
    }
}
