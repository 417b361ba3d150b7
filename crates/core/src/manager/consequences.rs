//! What the end of a unit means for others: those to be started on success or failure, those that cannot be without it
//! (reference 03.10).

use super::Manager;
use crate::effect::Severity;
use crate::graph::Edge;
use crate::job::{JobMode, JobType};
use crate::unit::{ActiveState, UnitId};
use alloc::format;
use alloc::vec::Vec;

/// Something to be seen to once the event has been worked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Consequence {
    /// Start what this unit names with `OnSuccess` or `OnFailure`.
    Trigger(UnitId, Edge),
    /// See whether this unit has lost one that it is bound to.
    Bound(UnitId),
}

impl Manager {
    /// Notes what follows from a change of state.
    pub(super) fn note_consequences(&mut self, id: UnitId, old: ActiveState, new: ActiveState) {
        if !new.is_inactive_or_failed() || old == new {
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

    /// Sees to everything that was noted.
    pub(super) fn see_to_consequences(&mut self) {
        while let Some(consequence) = self.consequences.pop_front() {
            match consequence {
                Consequence::Trigger(id, edge) => self.trigger(id, edge),
                Consequence::Bound(id) => self.stop_when_unbound(id),
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
}
