//! Limits that were promised stand in the kernel; of what was refused, nothing does.

use super::limits_first::lacks_controllers;
use super::realized::may_be_others;
use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::Promise;
use crate::world::Visible;
use cgarbiter_core::plan::Op;
use cgarbiter_core::request::Request;
use cgarbiter_core::settings::Settings;
use cgarbiter_core::{CallId, Errno, OpError, Outcome, Step};
use std::collections::BTreeSet;

#[derive(Clone, Default)]
pub(super) struct Limits {
    /// The call that is being looked at, the unit it is about, and how that was configured before.
    before: Option<(CallId, String, Option<Settings>)>,
    /// Files of which a value was refused, and nobody has been told: neither the operator nor a caller.
    untold: BTreeSet<String>,
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
        match past {
            Past::Crash => *self = Self::default(),
            Past::Step(step, result, _) => self.note_refused(step, result),
            Past::Told(Visible::Message(message)) => self.tell(&message.text),
            Past::Told(Visible::Reply { result: Err(refusal), .. }) => self.tell(&refusal.message),
            _ => {}
        }
        let Past::Told(Visible::Reply { call, result: Err(refusal) }) = past else { return Ok(()) };
        let Some((_, unit, Some(before))) = self.before.take_if(|(asked, ..)| asked == call) else { return Ok(()) };
        match settings(view, &unit) {
            Some(after) if after != before => Err(format!("{unit} has changed, and the call was refused: {refusal}")),
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        if let Some(file) = self.untold.pop_first() {
            return Err(format!("a value of {file} was refused, and nobody was told"));
        }
        view.reference.units().try_for_each(|(name, promise)| check_unit(view, name, promise))
    }
}

impl Limits {
    fn note_refused(&mut self, step: &Step, result: &Result<Outcome, OpError>) {
        let error = match result {
            Err(error) | Ok(Outcome::Refused(error) | Outcome::Controllers { refused: Some(error), .. }) => error,
            Ok(_) => return,
        };
        let is_limit = matches!(&step.op, Op::Write { .. } | Op::WriteDevice { .. } | Op::SubtreeControl { .. });
        // What is not there has nobody in it.
        if is_limit && !matches!(error.errno, Errno::NoEnt | Errno::NoDev) {
            self.untold.insert(error.file.to_string());
        }
    }

    fn tell(&mut self, text: &str) {
        self.untold.retain(|file| !text.contains(file.as_str()));
    }
}

/// Whether what stands in a file is what was promised: nothing limits nobody.
pub(super) fn holds(value: Option<&str>, file: &str, wanted: &str) -> bool {
    let is_none = matches!((file, wanted), (_, "max") | ("cpu.max", "max 100000") | ("cpu.weight", "100"));
    value.map_or(is_none, |value| value == wanted)
}

fn settings(view: &View<'_>, name: &str) -> Option<Settings> {
    let graph = view.world.manager().graph();
    graph.find(name).map(|id| graph.unit(id).settings.clone())
}

fn check_unit(view: &View<'_>, name: &str, promise: &Promise) -> Verdict {
    let graph = view.world.manager().graph();
    let Some(unit) = graph.find(name).map(|id| graph.unit(id)) else { return Ok(()) };
    let cgroup = promise.cgroup.as_str();
    if unit.active().is_inactive_or_failed() {
        return Ok(());
    }
    let Some(found) = view.find(cgroup) else { return Ok(()) };
    if !unit.realized.exists && may_be_others(view, unit, found) {
        return Ok(());
    }
    for (file, wanted) in &promise.limits {
        let is_pending = promise.pending.iter().any(|(_, pending, _)| pending == file);
        let value = view.value_in(found, file);
        let is_others =
            view.reference.is_value_refused(cgroup, file, wanted) || view.reference.is_meddled(cgroup, file);
        let excused = is_pending || is_others || lacks_controllers(view, cgroup);
        if !holds(value.as_deref(), file, wanted) && !excused {
            let value = value.unwrap_or_else(|| "nothing".to_owned());
            return Err(format!("{name} was promised {wanted} in {file}, which holds {value}"));
        }
    }
    Ok(())
}
