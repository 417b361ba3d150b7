//! A stop reaches everybody: no stop of a unit is done before the unit's cgroup has once been empty, unless the unit
//! was said to leave some of them alone, or the kernel has refused the last that was sent to everybody.

use super::{Next, Oracle, Past, Verdict, View};
use crate::kernel::{Pid, Unsettled};
use crate::reference::Said;
use crate::world::Visible;
use cgarbiter_core::job::JobType;
use cgarbiter_core::plan::Op;
use cgarbiter_core::unit::ActiveState;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Instant, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;

#[derive(Clone, Default)]
pub(super) struct Descendants {
    /// Units that are being stopped, and whether nobody has been found in them since.
    stopping: BTreeMap<String, Stopping>,
    /// Units on their way down of which the kernel has not ended everybody when it was told to the last time.
    refused: BTreeSet<String>,
    /// Units that were up before the last thing happened.
    up: BTreeSet<String>,
    /// What jobs there were then, and what for.
    kinds: BTreeMap<u32, JobType>,
}

#[derive(Clone, Copy, Default)]
struct Stopping {
    job: u32,
    /// Nobody has been found in it once.
    was_empty: bool,
}

impl Oracle for Descendants {
    fn name(&self) -> &'static str {
        "descendants"
    }

    fn before(&mut self, view: &View<'_>, _next: &Next<'_>) -> Verdict {
        self.look(view);
        self.remember(view);
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        match past {
            Past::Told(Visible::Signal { message, .. }) => match (message.member, message.body.as_slice()) {
                ("JobRemoved", [Value::U32(job), _, Value::Str(unit), Value::Str(result)]) => {
                    self.ended(view, *job, unit, result == "done")
                }
                _ => Ok(()),
            },
            Past::Told(_) => Ok(()),
            Past::Step(step, result, _) => {
                if let Op::SignalAll { cgroup, .. } = &step.op {
                    let name = cgroup.as_str().rsplit('/').next().unwrap_or_default();
                    match result {
                        Err(_) | Ok(Outcome::Refused(_)) => self.refused.insert(name.to_owned()),
                        Ok(_) => self.refused.remove(name),
                    };
                }
                self.turned(view)
            }
            _ => {
                self.turned(view)?;
                self.remember(view);
                Ok(())
            }
        }
    }

    fn crashed(&mut self) {
        *self = Self::default();
    }

    fn size(&self) -> usize {
        self.stopping.len() + self.refused.len() + self.up.len() + self.kinds.len()
    }

    fn hash_memory(&self, _: Instant, state: &mut dyn Hasher) {
        for (name, stopping) in &self.stopping {
            state.write(name.as_bytes());
            state.write_u8(u8::from(stopping.was_empty));
        }
        self.refused.iter().for_each(|name| state.write(name.as_bytes()));
    }
}

impl Descendants {
    /// Who is being stopped, and whether anybody is in it.
    fn look(&mut self, view: &View<'_>) {
        let manager = view.world.manager();
        for job in manager.jobs().iter().filter(|job| job.running && stops(job.kind)) {
            let unit = manager.graph().unit(job.unit);
            let Some(name) = Some(unit.name.as_str()).filter(|name| is_leaf(name)) else { continue };
            let stopping = self.stopping.entry(name.to_owned()).or_default();
            if stopping.job != job.id.0 {
                *stopping = Stopping { job: job.id.0, ..Stopping::default() };
            }
            stopping.was_empty |= unit.realized.path.as_ref().is_some_and(|path| is_empty(view, path.as_str()));
        }
    }

    /// What there is when everything has been told: a step may have ended its plan.
    fn remember(&mut self, view: &View<'_>) {
        let manager = view.world.manager();
        self.kinds = manager.jobs().iter().map(|job| (job.id.0, job.kind)).collect();
        let counts =
            |(name, said): &(&str, &Said)| said.ends_all && is_leaf(name) && state_of(view, name).is_some_and(is_up);
        self.up = view.reference.said().filter(counts).map(|(name, _)| name.to_owned()).collect();
        self.refused.retain(|name| state_of(view, name) == Some(ActiveState::Deactivating));
    }

    /// A restart that has stopped its unit goes on as a start.
    fn turned(&mut self, view: &View<'_>) -> Verdict {
        let jobs = view.world.manager().jobs();
        let known: Vec<(u32, bool)> = jobs.iter().map(|job| (job.id.0, stops(job.kind))).collect();
        let turned = |stopping: &Stopping| known.contains(&(stopping.job, false));
        let units: Vec<String> =
            self.stopping.iter().filter(|(_, stopping)| turned(stopping)).map(|(name, _)| name.clone()).collect();
        for name in units {
            let stopping = self.stopping[&name];
            self.ended(view, stopping.job, &name, true)?;
        }
        self.look(view);
        Ok(())
    }

    fn ended(&mut self, view: &View<'_>, job: u32, name: &str, is_done: bool) -> Verdict {
        let is_stopped = match self.stopping.remove(name).filter(|stopping| stopping.job == job) {
            Some(stopping) => !stopping.was_empty,
            None => self.was_stopped_at_once(view, job, name),
        };
        let is_judged = is_done && is_stopped && !self.refused.contains(name);
        let said = view.reference.said_of(name).filter(|said| is_judged && said.ends_all);
        if said.is_some_and(|said| !is_empty(view, &said.cgroup)) {
            return Err(format!("the stop of {name} is done, and somebody is in there"));
        }
        Ok(())
    }

    /// Whether this job, which nobody has seen running, was a stop of a unit that was up: as it was asked for, or as it
    /// has come out.
    fn was_stopped_at_once(&self, view: &View<'_>, job: u32, name: &str) -> bool {
        let is_stop = match self.kinds.get(&job) {
            Some(kind) => stops(*kind),
            None => view.reference.is_stop(job) || !state_of(view, name).is_some_and(is_up),
        };
        is_stop && self.up.contains(name)
    }
}

fn stops(kind: JobType) -> bool {
    matches!(kind, JobType::Stop | JobType::Restart)
}

/// Whether it ends its processes itself: a slice has its members for that.
fn is_leaf(name: &str) -> bool {
    !name.ends_with(".slice")
}

/// What the manager says of the unit.
fn state_of(view: &View<'_>, name: &str) -> Option<ActiveState> {
    let graph = view.world.manager().graph();
    graph.find(name).map(|id| graph.unit(id).active())
}

fn is_up(state: ActiveState) -> bool {
    !state.is_inactive_or_failed()
}

/// Whether nobody is in the cgroup, or below, whom the kernel has not begun to end.
fn is_empty(view: &View<'_>, cgroup: &str) -> bool {
    let kernel = view.world.backend().kernel();
    let is_ending =
        |pid: Pid| kernel.unsettled().iter().any(|effect| matches!(effect, Unsettled::Death(other) if *other == pid));
    view.find(cgroup).is_none_or(|cgroup| {
        let everybody = kernel.below(cgroup).into_iter().flat_map(|cgroup| kernel.tasks_in(cgroup).collect::<Vec<_>>());
        !kernel.is_populated(cgroup) || everybody.into_iter().all(is_ending)
    })
}
