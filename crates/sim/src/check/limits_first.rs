//! No process is in a cgroup before the limits that were asked for are.

use super::limits::holds;
use super::{Next, Oracle, Past, Verdict, View};
use crate::kernel::Caller;
use cgarbiter_core::plan::{Op, PlanId};
use cgarbiter_core::{Instant, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

#[derive(Clone, Default)]
pub(super) struct LimitsFirst {
    /// Made, and nobody has been let in.
    fresh: BTreeSet<String>,
    /// What was promised when the plan was begun, by cgroup.
    promised: BTreeMap<String, BTreeMap<&'static str, String>>,
    plan: PlanId,
}

impl Oracle for LimitsFirst {
    fn name(&self) -> &'static str {
        "limits-first"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        self.note_plan(view);
        let Next::Step(step) = next else { return Ok(()) };
        match &step.op {
            Op::Attach { cgroup, .. } | Op::Spawn { cgroup, .. } => {
                self.fresh.remove(cgroup.as_str());
                return self.check_above(view, cgroup.as_str());
            }
            Op::Rmdir { cgroup, .. } => {
                self.fresh.remove(cgroup.as_str());
            }
            _ => {}
        }
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        let Past::Step(step, result, _) = past else { return Ok(()) };
        if let (Op::Mkdir { cgroup }, Ok(Outcome::Made { .. })) = (&step.op, result) {
            self.fresh.insert(cgroup.as_str().to_owned());
        }
        let kernel = view.world.backend().kernel();
        for cgroup in self.fresh.iter().filter(|cgroup| !cgroup.ends_with(".slice")) {
            match kernel.lookup(&Caller::INIT, cgroup.as_bytes()) {
                Ok(id) if kernel.is_populated(id) => {
                    return Err(format!("somebody is in {cgroup} before its limits are"));
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn quiet(&mut self, _view: &View<'_>) -> Verdict {
        self.fresh.clear();
        self.promised.clear();
        Ok(())
    }

    fn crashed(&mut self) {
        *self = Self::default();
    }

    fn size(&self) -> usize {
        self.fresh.len()
    }

    fn hash_memory(&self, _: Instant, mut state: &mut dyn Hasher) {
        (&self.fresh, &self.promised).hash(&mut state);
    }
}

impl LimitsFirst {
    /// A plan that is new was made for what is promised now, when everything that came before it has been told.
    fn note_plan(&mut self, view: &View<'_>) {
        let Some((plan, _)) = view.world.backend().running() else { return };
        if plan.id != self.plan {
            self.plan = plan.id;
            let units = view.reference.units();
            self.promised = units.map(|(_, unit)| (unit.cgroup.clone(), unit.limits.clone())).collect();
        }
    }

    /// The limits of the unit, and of all slices above it, as far as they were promised when the plan was made.
    fn check_above(&self, view: &View<'_>, cgroup: &str) -> Verdict {
        let mut at = cgroup;
        while !at.is_empty() {
            if let (Some((name, promise)), Some(limits)) = (view.reference.unit_at(at), self.promised.get(at)) {
                let graph = view.world.manager().graph();
                // A slice that is not up limits nobody: whoever asks to ignore dependencies gets what was asked for.
                if graph.find(name).is_none_or(|id| graph.unit(id).active().is_inactive_or_failed()) && at != cgroup {
                    at = at.rsplit_once('/').map_or("", |(above, _)| above);
                    continue;
                }
                for (file, wanted) in limits.iter().filter(|(file, wanted)| promise.limits.get(*file) == Some(*wanted))
                {
                    let excused =
                        view.reference.is_value_refused(at, file, wanted) || view.reference.is_meddled(at, file);
                    let changing = promise.pending.iter().any(|(_, pending, _)| pending == file);
                    let value = view.value(at, file);
                    if !holds(value.as_deref(), file, wanted) && !excused && !changing && !lacks_controllers(view, at) {
                        let value = value.unwrap_or_else(|| "not there".to_owned());
                        return Err(format!(
                            "a process enters {cgroup}, and {file} of {name} is {value}, not {wanted}"
                        ));
                    }
                }
            }
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        Ok(())
    }
}

/// A slice above was refused controllers: files may be missing.
pub(super) fn lacks_controllers(view: &View<'_>, cgroup: &str) -> bool {
    let mut at = cgroup;
    while let Some((above, _)) = at.rsplit_once('/') {
        if view.reference.is_refused(above, "cgroup.subtree_control") {
            return true;
        }
        at = above;
    }
    false
}
