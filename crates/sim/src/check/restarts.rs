//! A service that starts again and again is given up, and none is started while its program still runs: there is never
//! a second instance.

use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::Said;
use crate::world::Visible;
use cgarbiter_core::Instant;
use cgarbiter_core::plan::{Op, Outcome, Spawn};
use cgarbiter_core::request::Request;
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
            Next::Request(_, _, Request::ResetFailed { .. } | Request::ResetFailedAll) => {
                self.starts.clear();
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
        self.starts.values().map(VecDeque::len).sum()
    }

    fn hash_memory(&self, state: &mut dyn Hasher) {
        for (name, starts) in &self.starts {
            state.write(name.as_bytes());
            state.write_usize(starts.len());
        }
    }
}

impl Restarts {
    fn count(&mut self, name: &str, now: Instant) -> Verdict {
        let starts = self.starts.entry(name.to_owned()).or_default();
        starts.push_back(now);
        if starts.len() <= STARTS_MAX {
            return Ok(());
        }
        let first = starts.pop_front().expect("there are some");
        if now < first.after(INTERVAL_USEC) {
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
