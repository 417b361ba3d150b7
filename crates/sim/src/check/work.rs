//! The work for one event is bounded by the event, however many units there are: a plan is about units that somebody or
//! something has named since the last one, and the slices above them.

use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::cgroup_of;
use crate::world::{Effort, Visible};
use cgarbiter_core::plan::{Cause, PlanId};
use cgarbiter_core::request::{PropertyList, Request, UnitRef};
use cgarbiter_core::unit::{State, Unit, UnitId};
use cgarbiter_core::value::Value;
use cgarbiter_core::{Event, Step};
use std::collections::BTreeSet;

/// More steps than one unit's part of a plan ever has.
const STEPS_OF_UNIT_MAX: usize = 40;
/// More questions than one event ever asks, beside one for each unit of the plan that it ends, or that is due.
const QUESTIONS_MAX: u64 = 3;
/// Settings that members are given by the slice above them.
const HANDED_DOWN: [&str; 4] =
    ["DefaultMemoryMin", "DefaultMemoryLow", "DisableControllers", "DefaultStartupMemoryLow"];

/// What it remembers is not hashed: of two ways to the same world each is judged by itself.
#[derive(Clone, Default)]
pub(super) struct Work {
    before: Effort,
    /// Units that are due.
    due: u64,
    /// The last plan that was seen, and units that it is about.
    plan: PlanId,
    units: BTreeSet<UnitId>,
    /// Named since that plan was made, with the slices above.
    named: BTreeSet<UnitId>,
    /// The same of the plan before: what it led to is told when the next one has been handed out.
    earlier: BTreeSet<UnitId>,
    /// Whatever there is was named since.
    everything: bool,
}

impl Oracle for Work {
    fn name(&self) -> &'static str {
        "work"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        self.before = view.world.effort();
        self.see_plan(view)?;
        match next {
            Next::Event(event) => self.note_event(view, event),
            Next::Due => {
                let due: BTreeSet<UnitId> = view.world.manager().due(view.world.now()).collect();
                self.due = due.len() as u64;
                due.into_iter().for_each(|id| self.name(view, id));
            }
            // As it is before: nobody lies in a unit that has gone.
            Next::Request(_, _, request) => self.note_request(view, request),
            Next::Step(_) | Next::Crash => {}
        }
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        let bound = match past {
            Past::Step(..) => QUESTIONS_MAX + self.units.len() as u64,
            Past::Request(.., request) => {
                self.note_request(view, request);
                QUESTIONS_MAX
            }
            Past::Handled => QUESTIONS_MAX + std::mem::take(&mut self.due),
            Past::Told(visible) => {
                self.note_told(view, visible);
                return Ok(());
            }
            Past::Crash | Past::PowerCut => {
                self.everything = true;
                return Ok(());
            }
        };
        let asked = view.world.effort().questions - self.before.questions;
        if asked > bound {
            return Err(format!("{asked} questions for one event"));
        }
        Ok(())
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        self.see_plan(view)?;
        self.units.clear();
        self.named.clear();
        self.earlier.clear();
        self.everything = false;
        Ok(())
    }

    fn crashed(&mut self) {
        *self = Self { everything: true, ..Self::default() };
    }

    fn size(&self) -> usize {
        self.units.len() + self.named.len() + self.earlier.len()
    }
}

impl Work {
    /// A plan that is new is about those who were named, or whom the last one was about, or who have jobs.
    fn see_plan(&mut self, view: &View<'_>) -> Verdict {
        let Some((plan, _)) = view.world.backend().running().filter(|(plan, _)| plan.id != self.plan) else {
            return Ok(());
        };
        let graph = view.world.manager().graph();
        let (units, everything) = (std::mem::take(&mut self.units), std::mem::take(&mut self.everything));
        let named = std::mem::take(&mut self.named);
        // Whom a plan was about may be asked after at its end; the answer is acted on while the next one is on its way.
        let earlier = std::mem::replace(&mut self.earlier, named.union(&units).copied().collect());
        self.plan = plan.id;
        // What is done about files of units that are no longer known is bounded by what they had.
        let steps = plan.steps.iter().filter(|step: &&Step| step.cause != Cause::Install);
        let steps = steps.filter_map(|step| Some((graph.find(step.unit.as_str())?, step)));
        // Of the same name there may be one again that was only spoken of.
        let is_gone = |id: UnitId, step: &Step| step.cause == Cause::Collect && !graph.unit(id).transient;
        let steps: Vec<(UnitId, &Step)> = steps.filter(|(id, step)| !is_gone(*id, step)).collect();
        // Who starts, starts with the slices above.
        let have_jobs = steps.iter().map(|(id, _)| *id).filter(|id| graph.unit(*id).job.is_some());
        let have_jobs: BTreeSet<UnitId> = have_jobs.flat_map(|id| graph.ancestors(id).chain([id])).collect();
        for (id, step) in steps {
            let is_new = self.units.insert(id);
            let is_known = || {
                let before = [&named, &earlier, &units].into_iter().any(|known| known.contains(&id));
                before || have_jobs.contains(&id)
            };
            if is_new && !everything && !is_known() {
                return Err(format!("nobody has named {}, and there is a step for it: {step}", step.unit));
            }
        }
        // So that the slices above are as well, when it is done.
        let units: Vec<UnitId> = self.units.iter().copied().collect();
        units.into_iter().for_each(|id| self.units.extend(graph.ancestors(id)));
        if plan.steps.len() > STEPS_OF_UNIT_MAX * self.units.len().max(1) {
            return Err(format!("{} steps for {} units", plan.steps.len(), self.units.len()));
        }
        Ok(())
    }

    fn name(&mut self, view: &View<'_>, id: UnitId) {
        let graph = view.world.manager().graph();
        if graph.get(id).is_some() {
            self.named.insert(id);
            self.named.extend(graph.ancestors(id));
        }
    }

    fn name_all(&mut self, view: &View<'_>, which: impl Fn(&Unit) -> bool) {
        let found = view.world.manager().graph().iter().filter(|(_, unit)| which(unit)).map(|(id, _)| id);
        let found: Vec<UnitId> = found.collect();
        found.into_iter().for_each(|id| self.name(view, id));
    }

    fn note_event(&mut self, view: &View<'_>, event: &Event) {
        match event {
            Event::CgroupChanged { watch } => self.name_all(view, |unit| unit.realized.watch == Some(*watch)),
            Event::Exited { pid, .. } | Event::Executed { pid, .. } | Event::Notified { pid, .. } => {
                let is_of = |unit: &Unit| {
                    let service = unit.service.as_ref();
                    service.is_some_and(|service| [service.main_pid, service.control_pid].contains(&Some(*pid)))
                };
                self.name_all(view, is_of);
            }
            // Whom they kept may go.
            Event::ClientGone(_) | Event::BusNameGone(_) => {
                self.name_all(view, |unit| !unit.references.is_empty() || unit.controller.is_some());
            }
            Event::Request { .. } | Event::PlanDone(_) | Event::ReadDone { .. } | Event::ClientConnected(_) => {}
            Event::HungUp(_) | Event::SuccessorWanted | Event::SuccessorChecked(_) | Event::GivingWay => {}
        }
    }

    fn note_request(&mut self, view: &View<'_>, request: &Request) {
        let graph = view.world.manager().graph();
        let hands_down = |list: &PropertyList| list.iter().any(|(key, _)| HANDED_DOWN.contains(&key.as_str()));
        let (name, with_members) = match request {
            Request::StartTransient { name, properties, .. } => (name, hands_down(properties)),
            Request::SetProperties { unit, properties, .. } => (named(unit), hands_down(properties)),
            // Of a slice, all that is in it.
            Request::Kill { unit, .. } | Request::Freeze { unit } | Request::Thaw { unit } => (named(unit), true),
            Request::Job { unit, .. }
            | Request::EnqueueJob { unit, .. }
            | Request::ResetFailed { unit }
            | Request::Ref { unit }
            | Request::Unref { unit }
            | Request::Abandon { unit }
            | Request::Attach { unit, .. } => (named(unit), false),
            Request::ResetFailedAll => return self.name_all(view, |unit| unit.state == State::Failed),
            Request::Reload | Request::Reexecute | Request::ChangeUnitFiles { .. } => {
                self.everything = true;
                return;
            }
            // Of these nothing comes for anybody but those whose jobs they end, which is told.
            _ => return,
        };
        if let Request::StartTransient { properties, .. } = request {
            // Where it is to lie.
            let slices = properties.iter().filter(|(key, _)| key == "Slice").filter_map(|(_, value)| value.as_str());
            slices.filter_map(|slice| graph.find(slice)).for_each(|slice| self.name(view, slice));
        }
        let Some(id) = graph.find(name) else { return };
        self.name(view, id);
        if with_members {
            let below = graph.iter().map(|(other, _)| other).filter(|other| graph.ancestors(*other).any(|up| up == id));
            self.named.extend(below);
        }
    }

    fn note_told(&mut self, view: &View<'_>, visible: &Visible) {
        let Visible::Signal { message, .. } = visible else { return };
        let unit = match (message.member, message.body.as_slice()) {
            ("JobNew" | "JobRemoved", [_, _, Value::Str(unit), ..]) | ("UnitRemoved", [Value::Str(unit), _]) => unit,
            _ => return,
        };
        let graph = view.world.manager().graph();
        if let Some(id) = graph.find(unit) {
            return self.name(view, id);
        }
        // The slices that it was in are still there.
        let known = view.reference.unit(unit).map(|promise| promise.cgroup.clone());
        let cgroup = known.unwrap_or_else(|| cgroup_of(unit, None));
        self.named.extend(cgroup.split('/').filter_map(|name| graph.find(name)));
        self.named.extend(graph.find("-.slice"));
    }
}

fn named(unit: &UnitRef) -> &String {
    let (UnitRef::Name(name) | UnitRef::Object(name)) = unit;
    name
}
