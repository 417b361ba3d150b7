//! When nothing is going on, nothing is left to do, what the manager believes of the kernel is so, and whatever bears
//! our mark, or is a record of ours, is some unit's.

use super::{Oracle, Verdict, View};
use crate::kernel::{Caller, CgroupId};
use crate::store::is_aside;
use cgarbiter_core::Step;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::UnitName;
use cgarbiter_core::plan::Op;
use cgarbiter_core::realized::Written;
use cgarbiter_core::unit::{State, Unit};

#[derive(Clone)]
pub(super) struct Realized;

impl Oracle for Realized {
    fn name(&self) -> &'static str {
        "realized"
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        at_rest(view)?;
        strangers(view)?;
        orphans(view)
    }
}

/// A directory that bears our mark is some unit's.
fn strangers(view: &View<'_>) -> Verdict {
    let (kernel, graph) = (view.world.backend().kernel(), view.world.manager().graph());
    for id in kernel.below(CgroupId::ROOT) {
        if kernel.get_xattr(&Caller::INIT, id, None, b"user.invocation_id").is_err() {
            continue;
        }
        let path = String::from_utf8_lossy(&kernel.path(id)).into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        let unit = graph.find(name).map(|unit| &graph.unit(unit).realized);
        let is_had = unit.is_some_and(|unit| unit.exists && (unit.id == 0 || unit.id == id.ino()));
        if !(is_had || view.reference.is_left_alone(&path)) {
            return Err(format!("{path} bears a mark, and no unit has it"));
        }
    }
    Ok(())
}

/// A record is some unit's, unless it could not be removed.
fn orphans(view: &View<'_>) -> Verdict {
    let directory = format!("{}/", view.world.manager().config().unit_paths.transient);
    for (file, _) in view.world.backend().store().below(&directory) {
        let name = file[directory.len()..].split(".d/").next().unwrap_or_default();
        let is_unit = UnitName::parse(name).is_ok_and(|name| name.unit_type().is_managed());
        let is_known = view.world.manager().graph().find(name).is_some();
        // Of one whose record could not be written, which was told, drop-ins may be all that is left.
        let is_left = view.reference.is_left(file) || view.reference.is_left(&format!("{directory}{name}"));
        if is_unit && !is_known && !is_aside(file) && !is_left {
            return Err(format!("{file} is there, and no unit of that name"));
        }
    }
    Ok(())
}

/// Nothing is left to do, and what is believed is so.
pub(crate) fn at_rest(view: &View<'_>) -> Verdict {
    if let Some(step) = view.world.manager().outstanding().into_iter().find(|step| !is_excused(view, step)) {
        return Err(format!("quiet, and {} still lacks: {}", step.unit, step.op));
    }
    let graph = view.world.manager().graph();
    for (id, unit) in graph.iter() {
        let above = unit.slice.map(|slice| graph.unit(slice));
        // Directories that somebody removed behind our back are found out about in time.
        let Some(cgroup) = graph.cgroup_path(id) else { continue };
        check_unit(view, unit, above, cgroup.as_str())?;
    }
    Ok(())
}

/// What the kernel has refused is not tried again by itself.
fn is_excused(view: &View<'_>, step: &Step) -> bool {
    let refused = |cgroup: &str, file: &str| view.reference.is_refused(cgroup, file);
    match &step.op {
        Op::Write { cgroup, file, .. } => refused(cgroup.as_str(), file),
        Op::WriteDevice { cgroup, file, device, .. } => refused(cgroup.as_str(), &format!("{file} {device}")),
        // What only units without a cgroup need is switched on with the first of them.
        Op::SubtreeControl { cgroup, enable, disable } => {
            let inside = format!("{}/", cgroup.as_str().trim_end_matches('/'));
            let graph = view.world.manager().graph();
            let is_below = |unit: &&Unit| {
                unit.realized.path.as_ref().is_some_and(|path| path.as_str().starts_with(&inside) && !path.is_root())
            };
            let below = graph
                .iter()
                .map(|(_, unit)| unit)
                .filter(is_below)
                .filter(|unit| unit.realized.exists && !unit.realized.idle);
            let needed: ControllerMask = below.map(|unit| unit.masks.own).collect();
            disable.is_empty() && (*enable & needed).is_empty() || refused(cgroup.as_str(), "cgroup.subtree_control")
        }
        Op::Watch { cgroup, .. } => refused(cgroup.as_str(), "watch"),
        Op::WatchProcess { cgroup, .. } => refused(cgroup.as_str(), "pidfd"),
        _ => false,
    }
}

fn check_unit(view: &View<'_>, unit: &Unit, above: Option<&Unit>, cgroup: &str) -> Verdict {
    let (name, realized) = (&unit.name, &unit.realized);
    let found = view.find(cgroup);
    let is_others = |found| may_be_others(view, unit, found) || view.reference.is_left_alone(cgroup);
    if found.is_some_and(|found| !realized.exists && is_others(found)) {
        return Ok(());
    }
    if realized.exists != found.is_some() {
        return Err(format!(
            "{name} is believed to have a cgroup: {}; it is there: {}",
            realized.exists,
            found.is_some()
        ));
    }
    let Some(found) = found else { return Ok(()) };
    if realized.id != 0 && realized.id != found.ino() {
        return Err(format!("{name} is believed to be cgroup {}, and is {}", realized.id, found.ino()));
    }
    let enabled = ControllerMask::parse(&view.value_in(found, "cgroup.subtree_control").unwrap_or_default());
    if !realized.is_unseen() && realized.enabled != enabled {
        return Err(format!("{name} is believed to hand down {}, and hands down {enabled}", realized.enabled));
    }
    if let Some(watch) = realized.watch
        && view.world.backend().watched(watch) != Some(found)
    {
        return Err(format!("the watch of {name} is not on its cgroup"));
    }
    let ours = realized.written.iter().filter(|written| !view.reference.is_meddled(cgroup, written.file));
    ours.into_iter().try_for_each(|written| check_value(view, unit, above, found, written))
}

/// An empty directory without our mark, where a unit that needs none is to have its own: nobody can tell whether it is
/// somebody else's, or one that was made the moment before an arbiter was killed.
pub(super) fn may_be_others(view: &View<'_>, unit: &Unit, cgroup: CgroupId) -> bool {
    let kernel = view.world.backend().kernel();
    let is_marked = kernel.get_xattr(&Caller::INIT, cgroup, None, b"user.invocation_id").is_ok();
    let is_down = unit.active().is_inactive_or_failed() || matches!(unit.state, State::AutoRestart | State::Exited);
    (unit.perpetual || is_down) && !is_marked && !kernel.is_populated(cgroup)
}

fn check_value(view: &View<'_>, unit: &Unit, above: Option<&Unit>, cgroup: CgroupId, written: &Written) -> Verdict {
    let epoch = match (written.controller, above) {
        (Some(controller), Some(above)) => above.realized.epochs[controller.index()],
        _ => written.epoch,
    };
    // Of what was refused, nothing is believed.
    let is_unknown = written.value.is_empty();
    if epoch != written.epoch || !written.device.is_empty() || is_unknown {
        return Ok(());
    }
    match view.value_in(cgroup, written.file) {
        Some(value) if value != *written.value && !is_same(&value, &written.value) => {
            Err(format!("{} was written {} to {}, which holds {value}", unit.name, written.value, written.file))
        }
        _ => Ok(()),
    }
}

/// Files that show more than was written.
fn is_same(shown: &str, written: &str) -> bool {
    shown.strip_prefix("default ").is_some_and(|rest| rest == written)
}
