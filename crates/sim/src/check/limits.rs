//! Limits that were promised stand in the kernel; of what was refused, nothing does.

use super::realized::may_be_others;
use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::Promise;
use crate::world::Visible;
use cgarbiter_core::CallId;
use cgarbiter_core::request::Request;
use cgarbiter_core::settings::Settings;

#[derive(Clone, Default)]
pub(super) struct Limits {
    /// The call that is being looked at, the unit it is about, and how that was configured before.
    before: Option<(CallId, String, Option<Settings>)>,
}

impl Oracle for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        self.before = None;
        if let Next::Request(call, _, Request::SetProperties { unit, .. }) = next {
            let (cgarbiter_core::request::UnitRef::Name(name) | cgarbiter_core::request::UnitRef::Object(name)) = unit;
            self.before = Some((*call, name.clone(), settings(view, name)));
        }
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        if matches!(past, Past::Crash) {
            self.before = None;
        }
        let Past::Told(Visible::Reply { call, result: Err(refusal) }) = past else { return Ok(()) };
        let Some((_, unit, Some(before))) = self.before.take_if(|(asked, ..)| asked == call) else { return Ok(()) };
        match settings(view, &unit) {
            Some(after) if after != before => Err(format!("{unit} has changed, and the call was refused: {refusal}")),
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        view.reference.units().try_for_each(|(name, promise)| check_unit(view, name, promise))
    }
}

fn settings(view: &View<'_>, name: &str) -> Option<Settings> {
    let graph = view.world.manager().graph();
    graph.find(name).map(|id| graph.unit(id).settings.clone())
}

fn check_unit(view: &View<'_>, name: &str, promise: &Promise) -> Verdict {
    let graph = view.world.manager().graph();
    let Some(unit) = graph.find(name).map(|id| graph.unit(id)) else { return Ok(()) };
    let cgroup = promise.cgroup.as_str();
    if unit.active().is_inactive_or_failed() || view.reference.is_meddled(cgroup) {
        return Ok(());
    }
    let Some(found) = view.find(cgroup) else { return Ok(()) };
    if !unit.realized.exists && may_be_others(view, unit, found) {
        return Ok(());
    }
    for (file, wanted) in &promise.limits {
        let is_pending = promise.pending.iter().any(|(_, pending, _)| pending == file);
        let Some(value) = view.value_in(found, file) else { continue };
        if value != *wanted && !is_pending && !view.reference.is_refused(cgroup, file) {
            return Err(format!("{name} was promised {wanted} in {file}, which holds {value}"));
        }
    }
    Ok(())
}
