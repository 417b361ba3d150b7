//! The work for one event is bounded, however many units there are.

use super::{Next, Oracle, Past, Verdict, View};
use crate::world::Effort;
use cgarbiter_core::Step;
use std::collections::BTreeSet;

/// More steps than one unit's part of a plan ever has.
const STEPS_OF_UNIT_MAX: usize = 40;
/// More questions than one event ever asks, beside one for each unit of the plan that it ends.
const QUESTIONS_MAX: u64 = 3;

#[derive(Clone, Default)]
pub(super) struct Work {
    before: Effort,
    /// Units of the plan in flight.
    units: usize,
}

impl Oracle for Work {
    fn name(&self) -> &'static str {
        "work"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        self.before = view.world.effort();
        let Next::Step(_) = next else { return Ok(()) };
        let Some((plan, _)) = view.world.backend().running() else { return Ok(()) };
        let units: BTreeSet<_> = plan.steps.iter().map(|step: &Step| &step.unit).collect();
        self.units = units.len();
        if plan.steps.len() > STEPS_OF_UNIT_MAX * units.len() {
            return Err(format!("{} steps for {} units", plan.steps.len(), units.len()));
        }
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        let bound = match past {
            Past::Step(..) => QUESTIONS_MAX + self.units as u64,
            Past::Request(..) => QUESTIONS_MAX,
            Past::Told(_) | Past::Crash | Past::PowerCut => return Ok(()),
        };
        let asked = view.world.effort().questions - self.before.questions;
        if asked > bound {
            return Err(format!("{asked} questions for one event"));
        }
        Ok(())
    }
}
