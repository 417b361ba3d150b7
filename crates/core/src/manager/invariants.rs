//! What is always true of the manager's tables and queues between two events (see `invariants.rs`).

use super::Manager;
use super::process::Waiting;
use crate::invariants;
use crate::job::{Job, JobType};
use crate::ordering;
use crate::timers::TimerReason;
use crate::unit::{ActiveState, FreezerState, Marks, State, Unit, UnitId};
use alloc::collections::{BTreeMap, BTreeSet};

impl Manager {
    /// Checks everything that is always true between two events; see [`invariants::check`].
    ///
    /// # Panics
    /// When something is not.
    pub fn check(&self) {
        invariants::check(self);
    }

    /// Tables that say the same as the units do.
    pub(crate) fn check_tables(&self) {
        self.check_units_are_found();
        for id in self.freezing.keys() {
            let unit = self.graph.get(*id).expect("only units that exist are being frozen");
            let on_the_way = matches!(unit.freezer, FreezerState::Freezing | FreezerState::Thawing);
            assert!(on_the_way, "{} is {}, and somebody waits", unit.name, unit.freezer.as_str());
        }
        for (id, reason) in self.timers.check_indexes() {
            let unit = self.graph.get(id).expect("only units that exist have deadlines");
            let state = unit.active();
            let fits = match reason {
                TimerReason::StopTimeout => state == ActiveState::Deactivating,
                TimerReason::StartTimeout => matches!(state, ActiveState::Activating | ActiveState::Reloading),
                TimerReason::RuntimeMax | TimerReason::Watchdog => state.is_active_or_activating(),
                TimerReason::Restart => unit.state == State::AutoRestart,
                TimerReason::PidFile => matches!(unit.state, State::Start | State::StartPost),
                TimerReason::JobTimeout => unit.job.is_some(),
                TimerReason::Retry => unit.realized.exists || state.is_inactive_or_failed(),
            };
            assert!(fits, "{} is {} with a deadline for {reason:?}", unit.name, state.as_str());
        }
    }

    fn check_units_are_found(&self) {
        let (mut watched, mut references, mut controlled, mut failed, mut stored) = (0, 0, 0, 0, 0);
        let mut owned: BTreeMap<u32, u32> = BTreeMap::new();
        for (id, unit) in self.graph.iter() {
            let name = &unit.name;
            if let Some(watch) = &unit.realized.watch {
                watched += 1;
                assert!(self.watches.get(watch) == Some(&id), "{name} is not found by its watch");
            }
            for (client, _) in &unit.references {
                references += 1;
                assert!(self.references.contains(&(*client, id)), "{name} is not found by who refers to it");
            }
            if let Some(controller) = &unit.controller {
                controlled += 1;
                assert!(self.controlled.contains(&(controller.clone(), id)), "{name} is not found by its controller");
            }
            if unit.state == State::Failed {
                failed += 1;
                assert!(self.failed_units.contains(name), "{name} has failed, and is not among those");
            }
            if unit.owner != 0 {
                *owned.entry(unit.owner).or_default() += 1;
            }
            for descriptor in unit.service.iter().flat_map(|service| &service.store) {
                stored += 1;
                assert!(self.stored.get(&descriptor.pin) == Some(&id), "{name} has a descriptor that is not known");
            }
            // One that did not die in time may be a child, too, and of a unit that has gone.
            let own = unit.service.iter().flat_map(|service| service.main_pid.into_iter().chain(service.control_pid));
            for pid in own {
                assert!(self.children.get(&pid) == Some(&id), "{name} has a lost child");
            }
        }
        // Every unit is found, and nothing else is.
        assert!(self.watches.len() == watched, "{watched} watches in {:?}", self.watches);
        assert!(self.stored.len() == stored, "{stored} descriptors are kept of {:?}", self.stored);
        assert!(self.references.len() == references, "{references} references in {:?}", self.references);
        assert!(self.controlled.len() == controlled, "{controlled} controllers in {:?}", self.controlled);
        assert!(self.failed_units.len() == failed, "{failed} units have failed of {:?}", self.failed_units);
        assert!(self.units_by_owner == owned, "owners {:?} of {owned:?}", self.units_by_owner);
    }

    /// Queues are worked off, and what is held back is held back for a reason.
    pub(crate) fn check_queues(&self) {
        assert!(self.collect.is_empty() && self.changed.is_empty() && self.new_jobs.is_empty(), "a queue is not empty");
        assert!(self.after_replies.is_empty(), "effects were forgotten");
        assert!(!self.jobs.any_queued(), "jobs were not looked at");
        assert!(self.in_flight.is_some() || !self.has_to_plan(), "no plan was made");
        assert!(self.realize.iter().all(|id| self.graph.get(*id).is_some()), "a unit that has gone is to be realized");
        let in_plan: BTreeSet<UnitId> = self.in_flight.iter().flat_map(|plan| plan.units.iter().copied()).collect();
        assert!(in_plan.iter().all(|id| self.graph.get(*id).is_some()), "a plan is for a unit that has gone");
        for (id, unit) in self.graph.iter() {
            let (name, work) = (&unit.name, &unit.work);
            let asked = self.waiting.values().any(|w| matches!(w, Waiting::PropertyFiles { unit, .. } if *unit == id));
            let marks = Marks { announced: true, asked, ..Marks::default() };
            assert!(unit.marks == marks, "{name} is marked {:?}", unit.marks);
            assert!(work.in_plan == in_plan.contains(&id), "{name} is in the plan, or is not");
            let pending = work.is_pending() && !work.in_plan;
            // Processes wait for the start; everything else is seen to by the next plan.
            let waits = unit.job.is_some();
            let queued = self.realize.contains(&id) || self.recovered.contains(&id);
            let seen_to = work.in_plan || queued || waits;
            assert!(!pending || seen_to, "{name} has work that no plan will see to: {work:?}");
            assert!(work.planned.replies.is_empty() || work.in_plan, "{name} owes replies of no plan");
            assert!(work.attached == 0 || work.starting, "{name} counts processes without starting");
            assert!(self.is_kept(id), "nobody needs {name}");
        }
        for job in self.jobs.iter().filter(|job| job.held_reply.is_some()) {
            assert!(self.held.iter().any(|(id, _)| *id == job.id), "the reply of job {} is held for ever", job.id.0);
        }
        assert!(self.unrecorded.is_empty() || self.in_flight.is_some(), "a reply waits for a record, and no plan does");
        for waiting in self.waiting.values() {
            if let Waiting::Property { unit, .. }
            | Waiting::PropertyFiles { unit, .. }
            | Waiting::Processes { unit, .. } = waiting
            {
                assert!(self.graph.get(*unit).is_some(), "a reading is of a unit that has gone");
            }
        }
    }

    /// Every job runs, or waits for something that will end.
    pub(crate) fn check_progress(&self) {
        for job in self.jobs.iter() {
            let unit = self.graph.unit(job.unit);
            let moves = self.moves(unit);
            let waits = moves || !job.ignore_order && ordering::is_blocked(&self.graph, &self.jobs, job.unit, job.kind);
            assert!(if job.running { moves } else { waits }, "{} stands still: {}", unit.name, self.describe(job));
        }
    }

    /// Something is going on with the unit that will change its state.
    fn moves(&self, unit: &Unit) -> bool {
        let is_between = !matches!(unit.active(), ActiveState::Active | ActiveState::Inactive | ActiveState::Failed);
        unit.work.is_pending() || is_between
    }

    fn describe(&self, job: &Job) -> alloc::string::String {
        let unit = self.graph.unit(job.unit);
        let kind = if job.kind == JobType::Nop { "nothing" } else { job.kind.as_str() };
        alloc::format!("{kind} {} in state {}, {:?}", job.state(), unit.state.sub(), unit.work)
    }
}
