//! What a unit's coming and going means for others: those to be started on success or failure, those that cannot be
//! without it, those that are to be kept up, and those that nobody needs any more (reference 03.10).

use super::Manager;
use crate::effect::Severity;
use crate::graph::Edge;
use crate::job::{JobMode, JobType};
use crate::unit::{ActiveState, UnitId};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Something to be seen to once the event has been worked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Consequence {
    /// Start what this unit names with `OnSuccess` or `OnFailure`.
    Trigger(UnitId, Edge),
    /// See whether this unit has lost one that it is bound to.
    Bound(UnitId),
    /// See whether this unit is down, and somebody who is up keeps it up.
    Upheld(UnitId),
    /// See whether this unit is up, and stops when nobody needs it.
    Unneeded(UnitId),
}

/// How often a unit is started or stopped of our own accord within this time (reference 03.10: rate limited).
const LIMIT_USEC: u64 = 10_000_000;
const LIMIT: u32 = 16;

/// Who needs a unit, and keeps one up that stops when it is not needed.
const NEEDED_BY: [Edge; 5] = [Edge::RequiredBy, Edge::RequisiteOf, Edge::WantedBy, Edge::BoundBy, Edge::UpheldBy];

impl Manager {
    /// Notes what follows from a change of state.
    pub(super) fn note_consequences(&mut self, id: UnitId, old: ActiveState, new: ActiveState) {
        if old == new || !self.graph.is_tied(id) && !self.stops_when_unneeded(id) {
            return;
        }
        self.note_needs(id, new);
        if !new.is_inactive_or_failed() {
            return;
        }
        // One that comes back has neither succeeded nor failed yet.
        let comes_back = self.graph.unit(id).service.as_ref().is_some_and(|service| service.will_restart);
        let edge = if new == ActiveState::Failed { Edge::OnFailure } else { Edge::OnSuccess };
        if !comes_back
            && (new == ActiveState::Failed || !old.is_inactive_or_failed())
            && self.graph.edges(id, edge).next().is_some()
        {
            self.consequences.push_back(Consequence::Trigger(id, edge));
        }
        let bound = self.graph.edges(id, Edge::BoundBy).map(Consequence::Bound);
        self.consequences.extend(bound);
    }

    /// Whom a unit keeps up, or lets go, or is kept up by.
    fn note_needs(&mut self, id: UnitId, new: ActiveState) {
        let needed = NEEDED_BY.iter().flat_map(|edge| self.graph.edges(id, edge.inverse()));
        let unneeded: Vec<UnitId> = needed.chain([id]).filter(|other| self.stops_when_unneeded(*other)).collect();
        self.consequences.extend(unneeded.into_iter().map(Consequence::Unneeded));
        if new.is_active_or_reloading() {
            self.consequences.extend(self.graph.edges(id, Edge::Upholds).map(Consequence::Upheld));
        }
        self.note_job_end(id);
    }

    /// After a job, a unit may be what it is not to be: what did not happen while it had one is done now.
    pub(super) fn note_job_end(&mut self, id: UnitId) {
        let is_upheld = self.graph.edges(id, Edge::UpheldBy).next().is_some();
        self.consequences.extend(is_upheld.then_some(Consequence::Upheld(id)));
        self.consequences.extend(self.stops_when_unneeded(id).then_some(Consequence::Unneeded(id)));
    }

    fn stops_when_unneeded(&self, id: UnitId) -> bool {
        self.graph.unit(id).settings.rare.as_ref().is_some_and(|rare| rare.stop_when_unneeded)
    }

    /// Sees to everything that was noted.
    pub(super) fn see_to_consequences(&mut self) {
        while let Some(consequence) = self.consequences.pop_front() {
            match consequence {
                Consequence::Trigger(id, edge) => self.trigger(id, edge),
                Consequence::Bound(id) => self.stop_when_unbound(id),
                Consequence::Upheld(id) => self.start_when_upheld(id),
                Consequence::Unneeded(id) => self.stop_when_unneeded(id),
            }
        }
    }

    fn trigger(&mut self, id: UnitId, edge: Edge) {
        if self.graph.get(id).is_none() {
            return;
        }
        let mode = if edge == Edge::OnFailure { JobMode::Replace } else { JobMode::Fail };
        let targets: Vec<UnitId> = self.graph.edges(id, edge).collect();
        for target in targets {
            if let Err(refusal) = self.enqueue_for(target, JobType::Start, mode, None) {
                let name = self.graph.unit(target).name.clone();
                self.tell(Severity::Warning, Some(id), format!("{}={name} not started: {refusal}", edge.name()));
            }
        }
    }

    fn stop_when_unbound(&mut self, id: UnitId) {
        let Some(unit) = self.graph.get(id) else { return };
        if unit.active() != ActiveState::Active || unit.job.is_some() {
            return;
        }
        let is_gone = |other: UnitId| {
            let other = self.graph.unit(other);
            other.job.is_none() && other.active().is_inactive_or_failed()
        };
        if !self.graph.edges(id, Edge::BindsTo).any(is_gone) {
            return;
        }
        if let Err(refusal) = self.enqueue_for(id, JobType::Stop, JobMode::Replace, None) {
            self.tell(Severity::Warning, Some(id), format!("not stopped with the unit it is bound to: {refusal}"));
        }
    }

    fn start_when_upheld(&mut self, id: UnitId) {
        let Some(unit) = self.graph.get(id) else { return };
        if !unit.active().is_inactive_or_failed() || unit.job.is_some() {
            return;
        }
        let upholds = |other: &UnitId| {
            let other = self.graph.unit(*other);
            other.job.is_none() && other.active().is_active_or_reloading()
        };
        let Some(by) = self.graph.edges(id, Edge::UpheldBy).find(upholds) else { return };
        let by = self.graph.unit(by).name.clone();
        self.act_by_itself(id, JobType::Start, format!("not started, though {by} upholds it"));
    }

    fn stop_when_unneeded(&mut self, id: UnitId) {
        let Some(unit) = self.graph.get(id).filter(|_| self.stops_when_unneeded(id)) else { return };
        if unit.active() != ActiveState::Active || unit.job.is_some() {
            return;
        }
        let needs = |other: UnitId| {
            let other = self.graph.unit(other);
            let comes_back = other.service.as_ref().is_some_and(|service| service.will_restart);
            other.job.is_some() || !other.active().is_inactive_or_failed() || comes_back
        };
        if !NEEDED_BY.iter().flat_map(|edge| self.graph.edges(id, *edge)).any(needs) {
            self.act_by_itself(id, JobType::Stop, "not stopped, though nobody needs it".into());
        }
    }

    /// Not too often, and not against what somebody has asked for.
    fn act_by_itself(&mut self, id: UnitId, kind: JobType, otherwise: String) {
        if !self.own_acts.entry(id).or_default().take(self.now.monotonic, LIMIT_USEC, LIMIT) {
            self.tell(Severity::Warning, Some(id), format!("{otherwise}: tried too often of late"));
        } else if let Err(refusal) = self.enqueue_for(id, kind, JobMode::Fail, None) {
            self.tell(Severity::Warning, Some(id), format!("{otherwise}: {refusal}"));
        }
    }
}
