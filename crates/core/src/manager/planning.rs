//! From invalidated units to a plan: one in flight at a time, everything that has piled up meanwhile in the next.

use super::{InFlight, Manager};
use crate::effect::{Effect, Reply};
use crate::error::Refusal;
use crate::jobs::Rank;
use crate::plan::{Plan, PlanId, Step};
use crate::propagation;
use crate::realize::{Builder, wanted_attributes};
use crate::realized::Written;
use crate::request::CallId;
use crate::unit::UnitId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// So many recovered units are looked after in one plan, so that requests need not wait for all of them.
const RECOVERED_PER_PLAN: usize = 128;

impl Manager {
    /// Marks a unit's cgroup as to be compared.
    pub(super) fn queue_realize(&mut self, id: UnitId) {
        self.realize.insert(id);
    }

    /// The same, and the slices above that lack a controller for it.
    pub(super) fn queue_realize_up(&mut self, id: UnitId) {
        let slices: Vec<UnitId> = self.graph.ancestors(id).collect();
        self.realize.insert(id);
        self.realize_slices(&slices);
    }

    /// Marks those of the slices whose `cgroup.subtree_control` is not what it should be.
    pub(super) fn realize_slices(&mut self, slices: &[UnitId]) {
        for slice in slices {
            let unit = self.graph.unit(*slice);
            let wanted = propagation::enable_mask(&self.graph, &self.config, *slice) | unit.realized.foreign_enabled;
            // Where nobody is up, controllers stay as they are until something is set again.
            if unit.realized.is_used() && unit.realized.enabled != wanted {
                self.realize.insert(*slice);
            }
        }
    }

    /// Is there anything for a plan?
    pub(super) fn has_to_plan(&self) -> bool {
        !self.realize.is_empty() || !self.loose.is_empty() || !self.recovered.is_empty()
    }

    /// The answer to a call whose work is done, and yet to be put on record: a successor would not know of it. Bounded:
    /// the plan after the next has it at the latest.
    pub(super) fn done_when_recorded(&mut self, call: CallId) -> Option<Reply> {
        self.unrecorded.push_back((call, None, PlanId(self.next_plan + 2)));
        None
    }

    /// The same for a call that is refused after it has left something on record, which is to be taken back first.
    pub(super) fn refuse_when_recorded(&mut self, call: CallId, refusal: Refusal) {
        self.unrecorded.push_back((call, Some(refusal), PlanId(self.next_plan + 2)));
    }

    /// Sends the replies that waited for a record.
    pub(super) fn release_recorded_replies(&mut self) {
        let seen_to = match self.in_flight {
            Some(_) => PlanId(self.next_plan - 1),
            None => PlanId(u64::MAX),
        };
        while self.unrecorded.front().is_some_and(|(_, _, plan)| *plan <= seen_to) {
            let (call, refusal, _) = self.unrecorded.pop_front().expect("it was looked at");
            self.reply(call, refusal.map_or(Ok(Reply::Done), Err));
        }
    }

    /// Hands out the next plan, if none is in flight and there is something to do. Units for which nothing has to be
    /// done go on at once.
    pub(super) fn plan(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        while self.has_to_plan() {
            let recovered = self.recovered.len().min(RECOVERED_PER_PLAN);
            self.realize.extend(self.recovered.drain(..recovered));
            let invalidated = core::mem::take(&mut self.realize);
            for id in &invalidated {
                if self.graph.get(*id).is_some() {
                    self.skip_signals(*id);
                    let unit = self.graph.unit_mut(*id);
                    let is_up = unit.realized.exists && !unit.active().is_inactive_or_failed();
                    unit.work.note_planned(is_up || unit.work.starting);
                }
            }
            let steps = self.build(&invalidated);
            for (id, _) in &steps {
                self.graph.unit_mut(*id).work.in_plan = true;
            }
            if !steps.is_empty() || !self.loose.is_empty() {
                self.hand_out(steps);
            }
            for id in invalidated {
                if self.graph.get(id).is_some_and(|unit| !unit.work.in_plan) {
                    self.work_done(id);
                }
            }
            self.run_jobs();
            if self.in_flight.is_some() {
                break;
            }
        }
    }

    /// Look: the steps that would be taken if every unit were compared now. When all is quiet there are none, but for
    /// values that the kernel has refused. Costs by the number of units: for checks.
    #[must_use]
    pub fn outstanding(&self) -> Vec<Step> {
        let mut next_watch = self.next_watch;
        let mut builder = Builder::new(&self.graph, &self.config, self.now, &mut next_watch);
        self.graph.iter().for_each(|(id, _)| builder.add_unit(id));
        builder.finish().into_iter().map(|(_, step)| step).collect()
    }

    fn build(&mut self, invalidated: &BTreeSet<UnitId>) -> Vec<(UnitId, Step)> {
        let mut next_watch = self.next_watch;
        let mut builder = Builder::new(&self.graph, &self.config, self.now, &mut next_watch);
        // Like their jobs: those that need not wait for each other go by rank.
        let mut order: Vec<UnitId> = invalidated.iter().copied().filter(|id| self.graph.get(*id).is_some()).collect();
        if order.len() > 1 {
            order.sort_by_cached_key(|id| Rank::of(self.graph.unit(*id)));
        }
        order.into_iter().for_each(|id| builder.add_unit(id));
        let steps = builder.finish();
        self.next_watch = next_watch;
        steps
    }

    fn hand_out(&mut self, steps: Vec<(UnitId, Step)>) {
        self.next_plan += 1;
        let mut all = core::mem::take(&mut self.loose);
        let mut units = Vec::with_capacity(steps.len());
        all.reserve_exact(steps.len());
        for (unit, step) in steps {
            units.push(unit);
            all.push(step);
        }
        let plan = Plan { id: PlanId(self.next_plan), steps: all.into() };
        self.effects.push_back(Effect::Run(plan.clone()));
        let installs = core::mem::take(&mut self.installs);
        self.in_flight = Some(InFlight { plan, units, installs });
    }

    /// All steps that the unit needed have been taken.
    pub(super) fn work_done(&mut self, id: UnitId) {
        let work = &mut self.graph.unit_mut(id).work;
        work.surprises = 0;
        let planned = core::mem::take(&mut work.planned);
        if work.intents.as_ref().is_some_and(|intents| intents.is_empty()) {
            work.intents = None;
        }
        for call in planned.replies {
            self.reply(call, Ok(Reply::Done));
        }
        if planned.compared {
            self.forget_staleness(id);
        }
        let work = &self.graph.unit(id).work;
        if planned.end && work.ending.is_some() {
            self.ended(id);
        } else if planned.prune && work.prune {
            self.pruned(id);
        } else if planned.start && work.starting {
            self.started(id);
        }
        // A start may have waited for the record.
        self.update_recorded_job(id);
        self.requeue(id);
    }

    /// All values of a cgroup that was not made by this arbiter have been written. Those that a fresh one has need not
    /// be remembered.
    fn forget_staleness(&mut self, id: UnitId) {
        if !self.graph.unit(id).realized.stale {
            return;
        }
        let wanted = wanted_attributes(&self.graph, &self.config, id);
        let realized = &mut self.graph.unit_mut(id).realized;
        realized.stale = false;
        let is_default = |written: &Written| {
            let mut same = wanted.iter().filter(|one| one.file == written.file && *one.device == *written.device);
            same.any(|one| one.is_default && one.value == *written.value)
        };
        realized.written.retain(|written| !is_default(written));
        realized.written.shrink_to_fit();
    }
}
