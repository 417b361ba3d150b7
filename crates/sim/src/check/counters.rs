//! Counters that clients are shown never fall within one activation of a unit.

use super::{Next, Oracle, Past, Verdict, View};
use crate::world::Visible;
use cgarbiter_core::CallId;
use cgarbiter_core::request::{Object, Request, UnitRef};
use cgarbiter_core::unit::State;
use cgarbiter_core::value::Value;
use std::collections::BTreeMap;

/// "Not known."
const UNKNOWN: u64 = u64::MAX;

#[derive(Clone, Default)]
pub(super) struct Counters {
    asked: BTreeMap<CallId, String>,
    /// The last reading, by unit and activation.
    seen: BTreeMap<String, ([u8; 16], u64)>,
}

impl Oracle for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn before(&mut self, _view: &View<'_>, next: &Next<'_>) -> Verdict {
        if let Next::Request(call, _, Request::Get { object: Object::Unit(UnitRef::Object(label)), property, .. }) =
            next
            && property == "CPUUsageNSec"
        {
            self.asked.insert(*call, label.replace("_2e", ".").replace("_2d", "-"));
        }
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        if matches!(past, Past::Crash) {
            self.asked.clear();
            // Whose record could not be written, which was told, may have ended since.
            let paths = &view.world.manager().config().unit_paths;
            let graph = view.world.manager().graph();
            // What one has used of whom nobody is left any more is not on record.
            let has_exited = |unit: &str| graph.find(unit).is_some_and(|id| graph.unit(id).state == State::Exited);
            let is_left = |unit: &str| view.reference.is_left(&format!("{}/{unit}", paths.transient));
            self.seen.retain(|unit, _| !is_left(unit) && !has_exited(unit));
        }
        let Past::Told(Visible::Reply { call, result }) = past else { return Ok(()) };
        let Some(unit) = self.asked.remove(call) else { return Ok(()) };
        let graph = view.world.manager().graph();
        // A unit that is down may be given another directory, for a member that was started without it.
        let up = graph.find(&unit).map(|id| graph.unit(id)).filter(|unit| unit.active().is_active_or_reloading());
        let activation = up.and_then(|unit| unit.invocation_id);
        let shown = match result.as_deref() {
            Ok([Value::Variant(value)]) => **value == Value::U64(UNKNOWN),
            _ => true,
        };
        let (Some(activation), false, Ok([Value::Variant(value)])) = (activation, shown, result.as_deref()) else {
            self.seen.remove(&unit);
            return Ok(());
        };
        let Value::U64(now) = **value else { return Err(format!("CPUUsageNSec of {unit} is {value:?}")) };
        let before = self.seen.insert(unit.clone(), (activation, now));
        match before {
            Some((same, before)) if same == activation && now < before => {
                Err(format!("{unit} has used {now} ns of the processor, and {before} before"))
            }
            _ => Ok(()),
        }
    }

    fn size(&self) -> usize {
        self.asked.len()
    }
}
