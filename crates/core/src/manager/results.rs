//! How jobs end: what came of them, who fails with them, who is told, and who may go on (reference 03.8).

use super::Manager;
use crate::atoms::Atom;
use crate::effect::{Audience, Effect, Signal};
use crate::graph::Edge;
use crate::job::{Job, JobId, JobResult, JobType};
use crate::names::UnitType;
use crate::settings::ServiceType;
use crate::timers::TimerReason;
use crate::unit::{ActiveState, UnitId, UnitResult};
use crate::work::RecordWork;
use alloc::vec::{IntoIter, Vec};

/// A job that has ended.
struct Finished {
    unit: UnitId,
    /// The units whose start fails because of that.
    dependents: IntoIter<UnitId>,
}

impl Manager {
    /// Ends a job and those that cannot go on without it, tells everybody, and lets others go on (reference 03.8). Each
    /// goes on to its own dependents first, with a stack of its own: a chain of units can be of any length.
    pub(super) fn finish_job(&mut self, id: JobId, result: JobResult) {
        let mut stack: Vec<Finished> = self.finish_alone(id, result).into_iter().collect();
        while let Some(top) = stack.last_mut() {
            let Some(other) = top.dependents.next() else {
                let unit = top.unit;
                stack.pop();
                self.requeue_neighbours(unit);
                continue;
            };
            let starts = |job: &&Job| matches!(job.kind, JobType::Start | JobType::VerifyActive);
            if let Some(job) = self.jobs.of_unit(other).filter(starts).map(|job| job.id) {
                stack.extend(self.finish_alone(job, JobResult::Dependency));
            }
        }
    }

    /// Cancels a job, and nobody else's: another takes its place, or all others go as well.
    pub(super) fn cancel_alone(&mut self, id: JobId) {
        let is_done = self.jobs.get(id).is_some_and(|job| job.is_unrecorded);
        let result = if is_done { JobResult::Done } else { JobResult::Canceled };
        if let Some(finished) = self.finish_alone(id, result) {
            self.requeue_neighbours(finished.unit);
        }
    }

    /// The first half of a restart goes on as its second.
    fn restart_goes_on(&mut self, id: JobId, unit: UnitId) {
        self.jobs.set_kind(id, JobType::Start, self.graph.unit(unit).slice);
        self.jobs.get_mut(id).expect("its first half has just ended").running = false;
        self.jobs.queue(id);
        self.effects.push_back(Effect::Emit(Signal::JobChanged { id: id.0, state: "waiting" }, Audience::All));
        self.requeue_neighbours(unit);
    }

    /// Ends a job and tells everybody; who has to be seen to next, if it has ended.
    fn finish_alone(&mut self, id: JobId, result: JobResult) -> Option<Finished> {
        let job = self.jobs.get(id)?;
        let (unit, kind) = (job.unit, job.kind);
        if kind == JobType::Restart && result == JobResult::Done {
            self.restart_goes_on(id, unit);
            return None;
        }
        let slice = self.graph.unit(unit).slice;
        self.announce_job(id);
        self.send_held_reply(id);
        self.announce_unit(unit);
        self.jobs.remove(id, slice);
        self.timers.clear(unit, TimerReason::JobTimeout);
        self.graph.unit_mut(unit).job = None;
        if !matches!(result, JobResult::Done | JobResult::Skipped | JobResult::Canceled) {
            self.failed_jobs = self.failed_jobs.wrapping_add(1);
        }
        let name = self.graph.unit(unit).name.clone();
        let signal = Signal::JobRemoved { id: id.0, unit: name, result: result.as_str() };
        // A job that ends while its request is still being handled: the reply, with its number, comes first.
        let effect = Effect::Emit(signal, Audience::All);
        self.effects.push_back(effect);
        self.forget_start(unit);
        self.queue_changed(unit);
        self.queue_collect(unit);
        if self.graph.is_tied(unit) {
            self.note_job_end(unit);
        }
        Some(Finished { unit, dependents: self.dependents(unit, kind, result).into_iter() })
    }

    /// A unit whose first start never began stays as it was made, as long as somebody keeps it: drop-ins may follow.
    pub(super) fn record_made(&mut self, id: UnitId) {
        let work = &self.graph.unit(id).work;
        let is_written = work.record != RecordWork::Kept;
        if !is_written && work.intents.as_ref().is_some_and(|intents| intents.record.is_some()) {
            self.record_due(id);
        }
    }

    /// Processes that waited for a start are let go when none is to come.
    pub(super) fn forget_start(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        if unit.job.is_none() && !unit.work.starting && unit.active().is_inactive_or_failed() {
            self.record_made(id);
            self.forget_intents(id);
        }
    }

    /// The units whose start fails because a job has ended so.
    fn dependents(&self, unit: UnitId, kind: JobType, result: JobResult) -> Vec<UnitId> {
        let failed = result != JobResult::Done;
        let is_start = matches!(kind, JobType::Start | JobType::VerifyActive);
        let up = self.graph.unit(unit).active().is_active_or_activating();
        let atom = match kind {
            _ if failed && is_start => Atom::PropagateStartFailure,
            JobType::Stop if failed => Atom::PropagateStopFailure,
            JobType::Start | JobType::Reload if !failed && !up => Atom::PropagateInactiveStartAsFailure,
            _ => return Vec::new(),
        };
        atom.targets(&self.graph, unit)
    }

    /// Jobs that may have waited for this unit's job get another look.
    pub(super) fn requeue_neighbours(&mut self, unit: UnitId) {
        let mut neighbours: Vec<UnitId> =
            self.graph.edges(unit, Edge::After).chain(self.graph.edges(unit, Edge::Before)).collect();
        neighbours.extend(self.graph.unit(unit).slice);
        neighbours.push(unit);
        for other in neighbours {
            self.requeue(other);
        }
        if self.graph.unit(unit).unit_type() == UnitType::Slice {
            let waiting: Vec<JobId> = self.jobs.of_members(unit).filter(|job| !job.running).map(|job| job.id).collect();
            waiting.into_iter().for_each(|job| self.jobs.queue(job));
        }
    }

    /// The unit's own waiting job gets another look.
    pub(super) fn requeue(&mut self, unit: UnitId) {
        if let Some(job) = self.jobs.of_unit(unit).filter(|job| !job.running).map(|job| job.id) {
            self.jobs.queue(job);
        }
    }

    fn reload_outcome(&self, unit: UnitId) -> JobResult {
        let is_well = self.service(unit).reload_result == UnitResult::Success;
        if is_well { JobResult::Done } else { JobResult::Failed }
    }

    /// Whether only the record tells a successor that the unit has come up: it was told so, or saw somebody end.
    fn is_to_be_recorded(&self, id: UnitId) -> bool {
        let unit = self.graph.unit(id);
        let is_told = match unit.settings.service.as_ref().map(|service| service.kind()) {
            Some(ServiceType::Notify | ServiceType::NotifyReload | ServiceType::Forking | ServiceType::Oneshot) => true,
            Some(ServiceType::Simple | ServiceType::Exec | ServiceType::Idle) | None => false,
        };
        is_told && unit.work.record != RecordWork::Kept
    }

    /// The record that a job may have waited for is there, or will not be, which was told.
    pub(super) fn update_recorded_job(&mut self, unit: UnitId) {
        let is_recorded = self.graph.unit(unit).work.record == RecordWork::Kept;
        if let Some(job) = self.jobs.of_unit(unit).filter(|job| is_recorded && job.is_unrecorded) {
            self.finish_job(job.id, JobResult::Done);
        }
    }

    /// What a change of state means for the unit's job (reference 03.8).
    pub(super) fn update_job(&mut self, unit: UnitId) {
        let Some(job) = self.jobs.of_unit(unit) else { return };
        let (id, kind, running) = (job.id, job.kind, job.running);
        let state = self.graph.unit(unit).active();
        let result = match kind {
            _ if job.is_unrecorded => Some(JobResult::Done),
            JobType::Start if running && state.is_active_or_reloading() && self.is_to_be_recorded(unit) => {
                self.jobs.get_mut(id).expect("it was there a line ago").is_unrecorded = true;
                None
            }
            _ if !running => {
                self.requeue(unit);
                None
            }
            JobType::Start | JobType::VerifyActive => match state {
                ActiveState::Active | ActiveState::Reloading | ActiveState::Inactive => Some(JobResult::Done),
                ActiveState::Failed => Some(JobResult::Failed),
                ActiveState::Activating | ActiveState::Deactivating => None,
            },
            JobType::Reload => match state {
                ActiveState::Active => Some(self.reload_outcome(unit)),
                ActiveState::Inactive => Some(JobResult::Done),
                ActiveState::Failed => Some(JobResult::Failed),
                ActiveState::Activating | ActiveState::Reloading | ActiveState::Deactivating => None,
            },
            JobType::Stop | JobType::Restart if state.is_inactive_or_failed() => Some(JobResult::Done),
            JobType::Stop | JobType::Restart if state != ActiveState::Deactivating => Some(JobResult::Failed),
            _ => None,
        };
        if let Some(result) = result {
            self.finish_job(id, result);
        }
    }
}
