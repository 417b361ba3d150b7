//! Jobs at work: how they are enqueued, and run (reference 03.4). How they end is in `results.rs`.

use super::Manager;
use crate::client::Client;
use crate::effect::{Audience, Effect, Reply, Severity, Signal};
use crate::error::{Refusal, RefusalKind};
use crate::job::{Job, JobId, JobMode, JobResult, JobType};
use crate::jobs::Rank;
use crate::names::UnitType;
use crate::ordering;
use crate::plan::PlanId;
use crate::request::CallId;
use crate::settings::RareSettings;
use crate::time::INFINITY;
use crate::timers::TimerReason;
use crate::transaction;
use crate::unit::{ActiveState, LoadState, State, UnitId};
use crate::work::RecordWork;
use alloc::format;
use alloc::vec::Vec;

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
        let present = self.jobs.of_unit(unit).map(|job| (job.id, job.kind.merge(kind)));
        match present {
            Some((id, Some(merged))) => return self.merge_into(id, merged, irreversible, ignore_order),
            Some((id, None)) => self.cancel_alone(id),
            None => {}
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

    /// One job does what both would, and is what either was to be.
    fn merge_into(&mut self, id: JobId, merged: JobType, irreversible: bool, ignore_order: bool) {
        let job = self.jobs.get_mut(id).expect("it was found among them");
        let (unit, blocks_others) = (job.unit, !job.ignore_order);
        job.irreversible |= irreversible;
        job.ignore_order |= ignore_order;
        let goes_on = job.running && job.kind == merged;
        if ignore_order && blocks_others {
            self.requeue_neighbours(unit);
        }
        if goes_on {
            return;
        }
        let merged = merged.collapse(self.graph.unit(unit).active());
        let slice = self.graph.unit(unit).slice;
        self.jobs.set_kind(id, merged, slice);
        let job = self.jobs.get_mut(id).expect("it was there a line ago");
        (job.running, job.is_unrecorded) = (false, false);
        self.jobs.queue(id);
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

    pub(super) fn send_held_reply(&mut self, id: JobId) {
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
}
