//! Nothing is written outside the managed units, nor inside a subtree that was handed over.

use super::{Next, Oracle, Verdict, View};
use crate::kernel::Pid;
use crate::workload::MARKED;
use cgarbiter_core::Step;
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::{Cause, Op};
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Territory;

impl Oracle for Territory {
    fn name(&self) -> &'static str {
        "territory"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        let Next::Step(step) = next else { return Ok(()) };
        is_file_ours(view, &step.op, step.cause)?;
        is_signal_ours(view, step)?;
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

/// Files are written and removed among records and drop-ins, and where those that are unfit are put aside; links, to be
/// installed, where unit files are looked for.
fn is_file_ours(view: &View<'_>, op: &Op, cause: Cause) -> Verdict {
    let files = match op {
        Op::WriteFile { file, .. }
        | Op::RenewRecord { file, .. }
        | Op::RemoveFile { file, .. }
        | Op::Link { file, .. } => {
            vec![file]
        }
        Op::MoveFile { file, to } => vec![file, to],
        _ => return Ok(()),
    };
    let paths = &view.world.manager().config().unit_paths;
    let mut ours = vec![&paths.transient, &paths.runtime_control, &paths.persistent_control, &paths.quarantine];
    if cause == Cause::Install {
        ours.extend(&paths.search);
    }
    let is_ours = |file: &&&Arc<str>| {
        let is_below = |directory: &str| file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        ours.iter().any(|directory| is_below(directory))
    };
    match files.iter().find(|file| !is_ours(file)) {
        Some(file) => Err(format!("{op} reaches for {file}, which is no unit file")),
        None => Ok(()),
    }
}

/// A single process that is signalled is the arbiter's child, or lives in the unit that the step is for, or was born
/// there: a service's main process stays that when somebody moves it away.
fn is_signal_ours(view: &View<'_>, step: &Step) -> Verdict {
    let Op::SignalOne { pid, .. } = &step.op else { return Ok(()) };
    let (backend, pid) = (view.world.backend(), Pid::try_from(*pid).unwrap_or(0));
    let kernel = backend.kernel();
    let place = kernel.cgroup_of(pid).map(|id| String::from_utf8_lossy(&kernel.path(id)).into_owned());
    let birthplace = view.reference.home(pid).map(|home| home.birthplace.clone());
    let is_of_unit = |place: String| place.split('/').any(|name| name == step.unit.as_str());
    let is_inside = place.into_iter().chain(birthplace).any(is_of_unit);
    if is_inside || !view.is_alive(pid) || kernel.parent_of(pid) == Some(backend.arbiter()) {
        return Ok(());
    }
    Err(format!("{} is for {}, and the process is not in it", step.op, step.unit))
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
