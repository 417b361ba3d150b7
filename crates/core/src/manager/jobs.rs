//! Jobs at work: enqueueing, running, finishing (reference 03.4, 03.8).

use super::Manager;
use crate::atoms::Atom;
use crate::client::Client;
use crate::effect::{Audience, Effect, Reply, Severity, Signal};
use crate::error::{Refusal, RefusalKind};
use crate::graph::Edge;
use crate::job::{Job, JobId, JobMode, JobResult, JobType};
use crate::jobs::Rank;
use crate::names::UnitType;
use crate::ordering;
use crate::plan::PlanId;
use crate::request::CallId;
use crate::settings::{RareSettings, ServiceType};
use crate::time::INFINITY;
use crate::timers::TimerReason;
use crate::transaction;
use crate::unit::{ActiveState, LoadState, State, UnitId, UnitResult};
use crate::work::RecordWork;
use alloc::format;
use alloc::vec::{IntoIter, Vec};

/// A job that has ended.
struct Finished {
    unit: UnitId,
    /// The units whose start fails because of that.
    dependents: IntoIter<UnitId>,
}

impl Manager {
    /// Asks a unit to become something on behalf of a client; the number of the job that will see to it.
    ///
    /// # Errors
    /// What systemd refuses; nothing has changed then.
    pub(super) fn enqueue(
        &mut self,
        id: UnitId,
        kind: JobType,
        mode: JobMode,
        client: &Client,
    ) -> Result<JobId, Refusal> {
        self.enqueue_for(id, kind, mode, Some(client))
    }

    /// The same, for a client or of our own accord.
    ///
    /// # Errors
    /// What systemd refuses; nothing has changed then.
    pub(super) fn enqueue_for(
        &mut self,
        id: UnitId,
        kind: JobType,
        mode: JobMode,
        client: Option<&Client>,
    ) -> Result<JobId, Refusal> {
        self.check_request(id, kind, mode)?;
        let kind = kind.collapse(self.graph.unit(id).active());
        if kind == JobType::Nop {
            return Ok(self.do_nothing(id));
        }
        let installable = transaction::build(&self.graph, &self.jobs, id, kind, mode)?;
        for unit in &installable.cancel {
            if let Some(job) = self.jobs.of_unit(*unit).map(|job| job.id) {
                self.cancel_alone(job);
            }
        }
        for (unit, kind) in &installable.jobs {
            self.install(*unit, *kind, installable.irreversible, installable.ignore_order);
        }
        let anchor = self.jobs.of_unit(id).map(|job| job.id).expect("the anchor job has just been installed");
        let job = self.jobs.get_mut(anchor).expect("the anchor job exists");
        if let Some(client) = client.filter(|client| !job.owners.contains(&client.id)) {
            job.owners.push(client.id);
        }
        self.announce_job(anchor);
        Ok(anchor)
    }

    fn check_request(&self, id: UnitId, kind: JobType, mode: JobMode) -> Result<(), Refusal> {
        let unit = self.graph.unit(id);
        let name = &unit.name;
        let invalid = |text: &str| Err(Refusal::new(RefusalKind::InvalidArgs, text));
        if kind == JobType::Stop && unit.load != LoadState::Loaded && unit.active() == ActiveState::Inactive {
            return Err(Refusal::new(RefusalKind::NoSuchUnit, format!("Unit {name} not loaded.")));
        }
        let rare = unit.settings.rare.as_deref();
        let refuses = match kind {
            JobType::Start => rare.is_some_and(|rare| rare.refuse_manual_start),
            JobType::Stop => rare.is_some_and(|rare| rare.refuse_manual_stop),
            JobType::Restart | JobType::TryRestart => {
                rare.is_some_and(|rare| rare.refuse_manual_start || rare.refuse_manual_stop)
            }
            _ => false,
        };
        if refuses {
            return Err(Refusal::new(
                RefusalKind::OnlyByDependency,
                format!(
                    "Operation refused, unit {name} may be requested by dependency only (it is configured to refuse manual start/stop)."
                ),
            ));
        }
        match mode {
            JobMode::Isolate if kind != JobType::Start => invalid("Isolate is only valid for start."),
            JobMode::Isolate if !rare.is_some_and(|rare| rare.allow_isolate) => {
                Err(Refusal::new(RefusalKind::NoIsolation, "Operation refused, unit may not be isolated."))
            }
            JobMode::Triggering if kind != JobType::Stop => invalid("--job-mode=triggering is only valid for stop."),
            _ if kind == JobType::Stop => Ok(()),
            _ => unit.load_error.as_deref().map_or(Ok(()), |error| Err(error.clone())),
        }
    }

    /// A job that is over before it begins: announced and removed all the same.
    fn do_nothing(&mut self, id: UnitId) -> JobId {
        let job = self.jobs.next_id();
        let unit = self.graph.unit(id).name.clone();
        if self.graph.unit(id).marks.changed {
            self.announce_unit(id);
        }
        self.effects.push_back(Effect::Emit(Signal::JobNew { id: job.0, unit: unit.clone() }, Audience::All));
        let removed = Signal::JobRemoved { id: job.0, unit, result: JobResult::Done.as_str() };
        self.after_replies.push(Effect::Emit(removed, Audience::All));
        job
    }

    /// Installs one job of a transaction next to what the unit has (reference 03.4).
    fn install(&mut self, unit: UnitId, kind: JobType, irreversible: bool, ignore_order: bool) {
        if let Some(present) = self.jobs.of_unit(unit) {
            let (id, running, old) = (present.id, present.running, present.kind);
            match old.merge(kind) {
                None => self.cancel_alone(id),
                Some(_) if running && old.is_superset_of(kind) => return,
                Some(merged) => {
                    let merged = merged.collapse(self.graph.unit(unit).active());
                    let slice = self.graph.unit(unit).slice;
                    self.jobs.set_kind(id, merged, slice);
                    let job = self.jobs.get_mut(id).expect("it was there a line ago");
                    job.irreversible |= irreversible;
                    (job.running, job.is_unrecorded) = (false, false);
                    self.jobs.queue(id);
                    return;
                }
            }
        }
        let id = self.jobs.next_id();
        let job = Job {
            id,
            unit,
            kind,
            running: false,
            is_unrecorded: false,
            irreversible,
            ignore_order,
            owners: Vec::new(),
            held_reply: None,
            announced: false,
            installed_at: self.now.monotonic,
            rank: Rank::of(self.graph.unit(unit)),
        };
        self.installed_jobs = self.installed_jobs.wrapping_add(1);
        let slice = self.graph.unit(unit).slice;
        self.jobs.insert(job, slice);
        self.graph.unit_mut(unit).job = Some(id);
        self.arm_job_timer(unit, |rare| rare.job_timeout_usec);
        self.new_jobs.push_back(id);
        self.queue_changed(unit);
    }

    /// Holds the reply with a job's number until its processes are in place, so that clients that look instead of
    /// waiting find them. Bounded: a few plans at most, however busy we are.
    pub(super) fn hold_reply(&mut self, job: JobId, call: CallId) {
        let depth = self.jobs.get(job).map_or(0, |job| self.graph.ancestors(job.unit).count());
        let latest = PlanId(self.next_plan + 2 + depth as u64);
        match self.jobs.get_mut(job) {
            Some(entry) if entry.held_reply.is_none() => {
                entry.held_reply = Some(call);
                self.held.push_back((job, latest));
            }
            _ => self.reply(call, Ok(Reply::Job(job.0))),
        }
    }

    /// Sends replies that need not or may not wait any longer.
    pub(super) fn release_held_replies(&mut self) {
        let quiet = self.in_flight.is_none() && self.waiting.is_empty();
        let due = PlanId(self.next_plan);
        if self.held.is_empty() || !quiet && self.held_seen == due {
            return;
        }
        self.held_seen = due;
        let held = core::mem::take(&mut self.held);
        for (job, latest) in held {
            if self.jobs.get(job).is_none_or(|job| job.held_reply.is_none()) {
                continue;
            }
            if quiet || latest <= due {
                self.send_held_reply(job);
            } else {
                self.held.push_back((job, latest));
            }
        }
    }

    fn send_held_reply(&mut self, id: JobId) {
        if let Some(call) = self.jobs.get_mut(id).and_then(|job| job.held_reply.take()) {
            self.reply(call, Ok(Reply::Job(id.0)));
        }
    }

    /// Runs every job whose turn it is.
    pub(super) fn run_jobs(&mut self) {
        while let Some(id) = self.jobs.take_queued() {
            let Some(job) = self.jobs.get(id).filter(|job| !job.running) else { continue };
            let (unit, kind, ignore_order) = (job.unit, job.kind, job.ignore_order);
            if ignore_order || !ordering::is_blocked(&self.graph, &self.jobs, unit, kind) {
                self.run_job(id, unit, kind);
            }
        }
    }

    fn run_job(&mut self, id: JobId, unit: UnitId, kind: JobType) {
        self.jobs.get_mut(id).expect("only installed jobs are run").running = true;
        self.arm_job_timer(unit, |rare| rare.job_running_timeout_usec);
        let state = self.graph.unit(unit).active();
        let result = match kind {
            JobType::Start => self.run_start(id, unit, state),
            JobType::VerifyActive if state.is_active_or_reloading() => Some(JobResult::Done),
            JobType::VerifyActive if state == ActiveState::Activating => self.wait_again(id),
            JobType::VerifyActive => Some(JobResult::Skipped),
            JobType::Stop | JobType::Restart => self.run_stop(id, unit, state),
            JobType::Reload if self.graph.unit(unit).can_reload() => self.reload_service(unit),
            JobType::Reload => Some(JobResult::Invalid),
            JobType::Nop | JobType::TryRestart | JobType::TryReload | JobType::ReloadOrStart => {
                unreachable!("{} is never installed", kind.as_str())
            }
        };
        if let Some(result) = result {
            self.finish_job(id, result);
        }
    }

    /// A job may wait, and run, only for so long.
    fn arm_job_timer(&mut self, unit: UnitId, timeout: fn(&RareSettings) -> Option<u64>) {
        let timeout = self.graph.unit(unit).settings.rare.as_deref().and_then(timeout);
        if let Some(timeout) = timeout.filter(|timeout| *timeout != INFINITY) {
            let at = self.now.monotonic.after(timeout);
            self.timers.set_sooner(unit, TimerReason::JobTimeout, at);
        }
    }

    pub(super) fn wait_again(&mut self, id: JobId) -> Option<JobResult> {
        self.jobs.get_mut(id).expect("only installed jobs wait").running = false;
        None
    }

    fn run_start(&mut self, id: JobId, unit: UnitId, state: ActiveState) -> Option<JobResult> {
        let target = self.graph.unit(unit);
        if target.state == State::AutoRestart {
            // The pause ends by itself; a restart is what hurries it up.
            return self.wait_again(id);
        }
        if target.work.starting || state == ActiveState::Activating {
            return None;
        }
        match state {
            ActiveState::Active | ActiveState::Reloading if target.work.ending.is_some() => self.wait_again(id),
            ActiveState::Active | ActiveState::Reloading => {
                // A slice taken over while it was up has new settings. They are on record before anybody is told that
                // it is up with them, or the next arbiter would know nothing of them.
                self.queue_realize(unit);
                self.mark_if_unmarked(unit);
                let is_recorded = self.graph.unit(unit).work.record == RecordWork::Kept;
                if is_recorded && !self.is_to_be_marked(unit) { Some(JobResult::Done) } else { self.wait_again(id) }
            }
            ActiveState::Deactivating => self.wait_again(id),
            _ if target.work.ending.is_some() || target.work.prune => self.wait_again(id),
            _ if target.load != LoadState::Loaded => Some(JobResult::Invalid),
            _ if target.unit_type() == UnitType::Scope && target.state == State::Failed => Some(JobResult::Failed),
            _ if target.unit_type() == UnitType::Scope && target.times.inactive_exit.is_set() => Some(JobResult::Once),
            _ if !target.unit_type().is_managed() => Some(JobResult::Unsupported),
            _ if target.transient && target.fragment.is_none() => {
                self.start_unrecorded(unit);
                Some(JobResult::Failed)
            }
            _ if target.unit_type() == UnitType::Service && !self.may_start(unit) => {
                self.start_refused(unit);
                Some(JobResult::Failed)
            }
            _ => {
                self.start_unit(unit);
                None
            }
        }
    }

    /// The record could not be put in its place, and what was to stand in it is not known any more.
    fn start_unrecorded(&mut self, unit: UnitId) {
        let text = "start failed: the unit has no record, and has to be made anew";
        self.tell(Severity::Error, Some(unit), text.into());
        if self.graph.unit(unit).unit_type() == UnitType::Service {
            self.start_refused(unit);
        }
    }

    /// A start that the limit forbids leaves the unit failed.
    fn start_refused(&mut self, unit: UnitId) {
        self.service_mut(unit).will_restart = false;
        self.set_state(unit, State::Failed);
        self.service_ended(unit);
    }

    fn run_stop(&mut self, id: JobId, unit: UnitId, state: ActiveState) -> Option<JobResult> {
        let work = &self.graph.unit(unit).work;
        let starting = work.starting;
        if starting && work.in_plan {
            // Its processes are being moved right now; they can be stopped when they are in place.
            return self.wait_again(id);
        }
        if state.is_inactive_or_failed() && !starting {
            // The end of a start that has failed is still to be seen to: it is not to come back after that.
            return if work.ending.is_some() { self.wait_again(id) } else { Some(JobResult::Done) };
        }
        if state != ActiveState::Deactivating {
            self.stop_unit(unit);
        }
        None
    }

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
    fn requeue_neighbours(&mut self, unit: UnitId) {
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
