//! When nothing goes wrong any more, everything comes to its end: no job waits for ever, no unit is on its way for
//! ever, and none goes on without anybody in it.

use super::realized::may_be_others;
use super::{Oracle, Verdict, View};
use cgarbiter_core::job::Job;
use cgarbiter_core::names::UnitType;
use cgarbiter_core::unit::{ActiveState, FreezerState, State, Unit, UnitId};

#[derive(Clone)]
pub(super) struct Progress;

impl Oracle for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn healed(&mut self, view: &View<'_>) -> Verdict {
        let manager = view.world.manager();
        let waits = |job: &&Job| !is_at_work(view, job.unit, manager.graph().unit(job.unit));
        if let Some(job) = manager.jobs().iter().find(waits) {
            let unit = manager.graph().unit(job.unit);
            return Err(format!(
                "the {} job of {}, which is {}, waits for ever",
                job.kind.as_str(),
                unit.name,
                unit.state.sub()
            ));
        }
        for (id, unit) in manager.graph().iter() {
            let cgroup = manager.graph().cgroup_path(id);
            if is_at_work(view, id, unit) {
                continue;
            }
            check_unit(view, unit, cgroup.as_ref().map(|path| path.as_str()))?;
        }
        Ok(())
    }
}

/// A oneshot service has all the time in the world, as long as its program runs, or after a crash whoever is there.
fn is_at_work(view: &View<'_>, id: UnitId, unit: &Unit) -> bool {
    let is_known = unit.service.as_ref().is_some_and(|service| service.main_pid.is_some());
    let cgroup = || view.world.manager().graph().cgroup_path(id);
    let has_members = || cgroup().and_then(|path| view.value(path.as_str(), "cgroup.events"));
    unit.state == State::Start && (is_known || has_members().is_some_and(|events| events.contains("populated 1")))
}

fn check_unit(view: &View<'_>, unit: &Unit, cgroup: Option<&str>) -> Verdict {
    let name = &unit.name;
    if matches!(unit.active(), ActiveState::Activating | ActiveState::Deactivating | ActiveState::Reloading) {
        return Err(format!("{name} is {} for ever", unit.active().as_str()));
    }
    if matches!(unit.freezer, FreezerState::Freezing | FreezerState::Thawing) {
        return Err(format!("{name} is {} for ever", unit.freezer.as_str()));
    }
    let Some(cgroup) = cgroup.filter(|_| unit.unit_type() == UnitType::Scope) else { return Ok(()) };
    let events = view.value(cgroup, "cgroup.events").unwrap_or_default();
    let is_populated = events.contains("populated 1");
    if unit.active() == ActiveState::Active && !is_populated {
        return Err(format!("{name} is {} with nobody in it", unit.state.sub()));
    }
    // One that was made for the settings of a unit that is down stays.
    let is_left_over = unit.active().is_inactive_or_failed() && !unit.realized.idle;
    let is_others = |found| !unit.realized.exists && may_be_others(view, unit, found);
    if is_left_over && view.find(cgroup).is_some_and(|found| !is_others(found)) && !is_populated {
        return Err(format!("{name} is {} and its empty cgroup is never removed", unit.state.sub()));
    }
    Ok(())
}
