//! A stop reaches everybody: no stop of a unit is done before the unit's cgroup has once been empty, unless the unit
//! was said to leave some of them alone.

use super::{Next, Oracle, Past, Verdict, View};
use crate::kernel::{Pid, Unsettled};
use crate::world::Visible;
use cgarbiter_core::Outcome;
use cgarbiter_core::job::JobType;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use std::collections::BTreeMap;
use std::hash::Hasher;

#[derive(Clone, Default)]
pub(super) struct Descendants {
    /// Units that are being stopped, and whether nobody has been found in them since.
    stopping: BTreeMap<String, Stopping>,
}

#[derive(Clone, Copy, Default)]
struct Stopping {
    job: u32,
    /// Nobody has been found in it, or the kernel has not done as it was told.
    is_excused: bool,
}

impl Oracle for Descendants {
    fn name(&self) -> &'static str {
        "descendants"
    }

    fn before(&mut self, view: &View<'_>, _next: &Next<'_>) -> Verdict {
        self.look(view);
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
            Past::Step(step, Err(_) | Ok(Outcome::Refused(_)), _) => {
                if let Op::SignalAll { cgroup, .. } = &step.op {
                    let name = cgroup.as_str().rsplit('/').next().unwrap_or_default();
                    self.stopping.entry(name.to_owned()).and_modify(|stopping| stopping.is_excused = true);
                }
                self.turned(view)
            }
            _ => self.turned(view),
        }
    }

    fn crashed(&mut self) {
        self.stopping.clear();
    }

    fn size(&self) -> usize {
        self.stopping.len()
    }

    fn hash_memory(&self, state: &mut dyn Hasher) {
        for (name, stopping) in &self.stopping {
            state.write(name.as_bytes());
            state.write_u8(u8::from(stopping.is_excused));
        }
    }
}

impl Descendants {
    /// Who is being stopped, and whether anybody is in it.
    fn look(&mut self, view: &View<'_>) {
        let manager = view.world.manager();
        let stops = manager.jobs().iter().filter(|job| job.running && stops(job.kind));
        let units = stops.map(|job| (job.id.0, manager.graph().unit(job.unit).name.as_str()));
        for (job, name) in units.filter(|(_, name)| !name.ends_with(".slice")) {
            let stopping = self.stopping.entry(name.to_owned()).or_default();
            if stopping.job != job {
                *stopping = Stopping { job, is_excused: false };
            }
            stopping.is_excused |= is_empty(view, name);
        }
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
        let Some(stopping) = self.stopping.remove(name) else { return Ok(()) };
        let is_left = stopping.job == job && is_done && !stopping.is_excused && !is_empty(view, name);
        if is_left && view.reference.said_of(name).is_some_and(|said| said.ends_all) {
            return Err(format!("the stop of {name} is done, and somebody is in there"));
        }
        Ok(())
    }
}

fn stops(kind: JobType) -> bool {
    matches!(kind, JobType::Stop | JobType::Restart)
}

/// Whether nobody is in the cgroup of the unit, or below, whom the kernel has not begun to end, or nobody knows where
/// that is.
fn is_empty(view: &View<'_>, name: &str) -> bool {
    let cgroup = view.reference.said_of(name).and_then(|said| view.find(&said.cgroup));
    let kernel = view.world.backend().kernel();
    let is_ending =
        |pid: Pid| kernel.unsettled().iter().any(|effect| matches!(effect, Unsettled::Death(other) if *other == pid));
    cgroup.is_none_or(|cgroup| {
        let everybody = kernel.below(cgroup).into_iter().flat_map(|cgroup| kernel.tasks_in(cgroup).collect::<Vec<_>>());
        !kernel.is_populated(cgroup) || everybody.into_iter().all(is_ending)
    })
}
