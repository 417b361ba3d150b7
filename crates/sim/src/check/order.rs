//! No job begins before one that is to come first: what a unit was said to come after starts before it and stops after
//! it, and whatever stops goes before whatever starts. Every unit comes after its slice.

use super::{Oracle, Past, Verdict, View};
use cgarbiter_core::job::{Job, JobType};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(super) struct Order {
    /// Jobs as they were when something had last happened.
    jobs: BTreeMap<u32, Begun>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Begun {
    unit: String,
    kind: JobType,
    is_running: bool,
    ignores_order: bool,
}

impl Begun {
    fn of(view: &View<'_>, job: &Job) -> Self {
        let unit = view.world.manager().graph().unit(job.unit).name.to_string();
        let ignores_order = view.reference.ignores_order(job.id.0, &unit);
        Self { unit, kind: job.kind, is_running: job.running, ignores_order }
    }

    /// Whether it had begun already with what it is about now.
    fn has_begun_with(&self, kind: JobType) -> bool {
        self.is_running && self.kind == kind
    }
}

impl Oracle for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        if matches!(past, Past::Told(_)) {
            return Ok(());
        }
        let jobs = view.world.manager().jobs().iter().map(|job| (job.id.0, Begun::of(view, job))).collect();
        let before = std::mem::replace(&mut self.jobs, jobs);
        let begins = |(id, job): &(&u32, &Begun)| {
            job.is_running && !job.ignores_order && !before.get(*id).is_some_and(|old| old.has_begun_with(job.kind))
        };
        for (id, job) in self.jobs.iter().filter(begins) {
            // Whoever comes later finds it begun.
            let could_wait = |other: &u32| before.contains_key(other) || !before.contains_key(id);
            let first = self.jobs.iter().find(|(other, first)| could_wait(other) && goes_first(view, first, job));
            if let Some((other, first)) = first {
                return Err(format!(
                    "job {id} ({} {}) begins, and job {other} ({} {}) is to come first",
                    job.kind.as_str(),
                    job.unit,
                    first.kind.as_str(),
                    first.unit
                ));
            }
        }
        Ok(())
    }

    fn crashed(&mut self) {
        self.jobs.clear();
    }

    fn size(&self) -> usize {
        self.jobs.len()
    }
}

/// Whether the other job is to end before this one may begin.
fn goes_first(view: &View<'_>, other: &Begun, job: &Begun) -> bool {
    let takes_part = |kind| kind != JobType::Nop;
    if other.ignores_order || !takes_part(other.kind) || !takes_part(job.kind) {
        return false;
    }
    let is_behind = view.reference.comes_after(&job.unit, &other.unit);
    let is_ahead = view.reference.comes_after(&other.unit, &job.unit);
    is_behind && !stops(job.kind) || is_ahead && stops(other.kind)
}

/// A restart begins with a stop.
fn stops(kind: JobType) -> bool {
    matches!(kind, JobType::Stop | JobType::Restart)
}
