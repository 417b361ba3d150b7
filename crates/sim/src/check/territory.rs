//! Nothing is written outside the managed units, nor inside a subtree that was handed over.

use super::{Next, Oracle, Verdict, View};
use crate::workload::MARKED;
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::Op;

#[derive(Clone)]
pub(super) struct Territory;

impl Oracle for Territory {
    fn name(&self) -> &'static str {
        "territory"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        let Next::Step(step) = next else { return Ok(()) };
        let Some(cgroup) = cgroup_of(&step.op) else { return Ok(()) };
        if let Some(other) = cgroup.components().find(|name| !is_unit(name)) {
            // Only processes may be put deeper, where their owner asks for it.
            if !matches!(step.op, Op::Attach { .. }) {
                return Err(format!("{} reaches into {other}, which is no unit", step.op));
            }
        }
        if let Some((name, _)) = handed_over_above(view, cgroup)
            && !matches!(step.op, Op::Attach { .. })
        {
            return Err(format!("{} reaches into {name}, which was handed over", step.op));
        }
        Ok(())
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        for (cgroup, mark) in view.workload.foreign() {
            let value = view.value(cgroup, MARKED.name());
            // A unit's end takes the empty directories inside with it.
            if let (Some(value), wanted) = (value, mark.unwrap_or("max"))
                && value != wanted
            {
                return Err(format!("{cgroup} belongs to somebody else, and {} became {value}", MARKED.name()));
            }
        }
        match view
            .workload
            .foreign()
            .find(|(cgroup, _)| !view.exists(cgroup) && view.reference.unit_around(cgroup).is_none())
        {
            Some((cgroup, _)) if cgroup.matches('/').count() == 1 => {
                Err(format!("{cgroup} was somebody else's, and is gone"))
            }
            _ => Ok(()),
        }
    }
}

fn cgroup_of(op: &Op) -> Option<&CgroupPath> {
    match op {
        Op::WriteFile { .. }
        | Op::RemoveFile { .. }
        | Op::RenewRecord { .. }
        | Op::MoveFile { .. }
        | Op::Link { .. }
        | Op::RemoveEmpty { .. }
        | Op::RemoveRuntime { .. }
        | Op::WatchProcess { .. }
        | Op::SignalOne { .. } => None,
        Op::Mkdir { cgroup }
        | Op::Observe { cgroup }
        | Op::Rmdir { cgroup, .. }
        | Op::SubtreeControl { cgroup, .. }
        | Op::Write { cgroup, .. }
        | Op::WriteDevice { cgroup, .. }
        | Op::Watch { cgroup, .. }
        | Op::Attach { cgroup, .. }
        | Op::SignalAll { cgroup, .. }
        | Op::Delegate { cgroup, .. }
        | Op::Xattr { cgroup, .. }
        | Op::Spawn { cgroup, .. }
        | Op::ReadCounters { cgroup } => Some(cgroup),
    }
}

fn is_unit(component: &str) -> bool {
    UnitName::parse(component).is_ok_and(|name| name.unit_type().is_managed())
}

/// A delegated unit strictly above.
fn handed_over_above<'a>(view: &'a View<'_>, cgroup: &CgroupPath) -> Option<(&'a str, ())> {
    let mut at = cgroup.as_str();
    while let Some((above, _)) = at.rsplit_once('/') {
        if let Some((name, promise)) = view.reference.unit_at(above)
            && promise.delegated
        {
            return Some((name, ()));
        }
        at = above;
    }
    None
}
