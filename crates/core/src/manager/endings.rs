//! How units come to their end: the signals of a scope's stop, deadlines, what becomes of the unit, and the removal of
//! its directory. What services do on their way there is in `service.rs`.

use super::Manager;
use crate::effect::Severity;
use crate::error::OpError;
use crate::job::JobResult;
use crate::names::UnitType;
use crate::plan::Signals;
use crate::settings::KillMode;
use crate::time::INFINITY;
use crate::timers::TimerReason;
use crate::unit::{ActiveState, State, UnitId, UnitResult};
use crate::work::Ending;
use alloc::format;
use alloc::string::String;

/// Signal numbers of Linux.
pub(super) const SIGHUP: i32 = 1;
pub(super) const SIGKILL: i32 = 9;
pub(super) const SIGCONT: i32 = 18;
/// How long until a cgroup that would not go is tried again, in microseconds.
const RETRY_USEC: u64 = 500_000;
/// When a cgroup that could not be watched is tried again.
const WATCH_RETRY_USEC: u64 = 5_000_000;

impl Manager {
    pub(super) fn arm_stop_timer(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let settings = &unit.settings;
        let abort = settings.service().timeout_abort_usec.filter(|_| settings.service.is_some());
        let timeout = match unit.state {
            State::StopWatchdog | State::FinalWatchdog => abort.unwrap_or(settings.timeout_stop_usec),
            _ => settings.timeout_stop_usec,
        };
        self.arm(id, TimerReason::StopTimeout, timeout);
    }

    /// Sends the signals of a stop phase and waits for the processes to go.
    pub(super) fn signal_phase(&mut self, id: UnitId, state: State, result: UnitResult) {
        if self.graph.unit(id).unit_type() == UnitType::Service {
            self.enter_signal(id, state, result);
            return;
        }
        self.note_result(id, result);
        self.timers.clear(id, TimerReason::RuntimeMax);
        let unit = self.graph.unit_mut(id);
        let kill = &unit.settings.kill;
        let is_kill = state == State::StopSigkill;
        let everything = match kill.mode {
            KillMode::ControlGroup => true,
            KillMode::Mixed => is_kill,
            KillMode::Process | KillMode::None => false,
        };
        let first = if is_kill { kill.final_signal } else { kill.signal };
        let signals = Signals {
            first,
            then_continue: first != SIGKILL && first != SIGCONT,
            then_hangup: kill.send_sighup && !is_kill && first != SIGHUP,
        };
        if !everything || !unit.realized.exists {
            self.no_scope_signalled(id, state);
            return;
        }
        self.push_signal(id, signals, None, None);
        self.arm_stop_timer(id);
        self.set_state(id, state);
    }

    /// A stop phase of a scope found nobody to wait for.
    fn no_scope_signalled(&mut self, id: UnitId, state: State) {
        let unit = self.graph.unit(id);
        let result = unit.result;
        match state {
            State::StopSigterm if unit.settings.kill.send_sigkill && unit.settings.kill.mode == KillMode::Mixed => {
                self.signal_phase(id, State::StopSigkill, result);
            }
            _ => self.end(id, result, true),
        }
    }

    /// The first result that is not success stays.
    pub(super) fn note_result(&mut self, id: UnitId, result: UnitResult) {
        let unit = self.graph.unit_mut(id);
        if unit.result == UnitResult::Success && result != UnitResult::Success {
            unit.result = result;
            self.queue_type_changed(id);
            self.note_record(id);
        }
    }

    /// It is over: the cgroup is removed, then the unit becomes dead or failed. With `force` also when the kernel says
    /// that somebody is still there.
    pub(super) fn end(&mut self, id: UnitId, result: UnitResult, force: bool) {
        self.enter_dead(id, result, Ending { force, restart: true });
    }

    /// The plan has tried to remove the cgroup of a unit that is ending.
    pub(super) fn ended(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        let ending = unit.work.ending.take().expect("only ending units end");
        if unit.realized.exists && !ending.force {
            // A process slipped in: the kernel is the judge.
            self.tell(Severity::Info, Some(id), String::from("not empty after all"));
            self.retry_later(id);
            // What the plan left out because it was to end the unit.
            self.queue_realize(id);
            self.catch_up_deadline(id);
            return;
        }
        // What was to be pruned has gone with it.
        unit.work.prune &= unit.realized.exists;
        let is_service = unit.unit_type() == UnitType::Service;
        let failed = !unit.result.is_well() && unit.unit_type() != UnitType::Slice;
        if is_service {
            self.decide_restart(id, ending);
        }
        match self.graph.unit(id).state {
            State::Failed => self.start_came_to_nothing(id),
            _ if failed => self.set_state(id, State::Failed),
            State::Dead => self.start_came_to_nothing(id),
            _ => self.set_state(id, State::Dead),
        }
        if is_service {
            self.service_ended(id);
        }
        if self.graph.unit(id).realized.exists {
            // A directory that stays hands down no more than is needed.
            self.queue_realize(id);
        }
        // The timers were cleared with the state.
        self.retry_later(id);
        if let Some(slice) = self.graph.unit(id).slice {
            self.prune_if_dead(slice);
        }
        self.queue_collect(id);
    }

    /// A deadline of its stop may have passed while it seemed to be over.
    fn catch_up_deadline(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let has_passed =
            unit.settings.timeout_stop_usec != INFINITY && !self.timers.is_set(id, TimerReason::StopTimeout);
        if unit.unit_type() == UnitType::Service && unit.active() == ActiveState::Deactivating && has_passed {
            self.service_timed_out(id, TimerReason::StopTimeout);
        }
    }

    /// A unit that was starting is dead again without having been up; its job has to hear of it.
    fn start_came_to_nothing(&mut self, id: UnitId) {
        self.note_record(id);
        // One that waited for the start to end has its turn.
        self.requeue(id);
        let Some(job) = self.jobs.of_unit(id).filter(|job| job.running) else { return };
        let (job, kind) = (job.id, job.kind);
        let result = if kind.stops_first() { JobResult::Done } else { JobResult::Failed };
        self.finish_job(job, result);
    }

    /// The kernel refused something that the unit's start needs.
    pub(super) fn start_failed(&mut self, id: UnitId, error: &OpError) {
        self.tell(Severity::Error, Some(id), format!("start failed: {error}"));
        let is_slice = self.graph.unit(id).unit_type() == UnitType::Slice;
        self.abort_start(id, if is_slice { UnitResult::Success } else { UnitResult::Resources });
    }

    /// A deadline has passed.
    pub(super) fn timed_out(&mut self, id: UnitId, reason: TimerReason) {
        let unit = self.graph.unit(id);
        match reason {
            TimerReason::Retry => self.retry(id),
            // The time to end in begins when that is asked for.
            TimerReason::StopTimeout if self.has_unsent_signals(id) => self.arm_stop_timer(id),
            _ if reason != TimerReason::JobTimeout && unit.unit_type() == UnitType::Service => {
                self.service_timed_out(id, reason);
            }
            TimerReason::JobTimeout => {
                if let Some(job) = unit.job {
                    self.finish_job(job, JobResult::Timeout);
                }
            }
            TimerReason::RuntimeMax if unit.state == State::Running => {
                self.signal_phase(id, State::StopSigterm, UnitResult::Timeout);
            }
            TimerReason::StopTimeout => match unit.state {
                State::StopSigterm if unit.settings.kill.send_sigkill => {
                    self.signal_phase(id, State::StopSigkill, UnitResult::Timeout);
                }
                State::StopSigterm | State::StopSigkill => {
                    self.tell(
                        Severity::Warning,
                        Some(id),
                        String::from("processes still around after the stop timeout"),
                    );
                    self.end(id, UnitResult::Timeout, true);
                }
                _ => {}
            },
            TimerReason::RuntimeMax
            | TimerReason::StartTimeout
            | TimerReason::Restart
            | TimerReason::Watchdog
            | TimerReason::PidFile => {}
        }
    }

    /// Looks again at a cgroup that could not be removed.
    pub(super) fn retry(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        if !unit.realized.exists || unit.work.starting {
            return;
        }
        if unit.active().is_inactive_or_failed() {
            unit.work.prune = true;
            self.queue_realize(id);
            return;
        }
        if unit.realized.watch.is_none() || unit.service.as_ref().is_some_and(|service| service.is_unwatched()) {
            self.queue_realize(id);
        }
        if let Some(watch) = self.graph.unit(id).realized.watch {
            self.look_at(watch);
        }
    }

    /// Has a cgroup watched, or looked at, that could not be: nobody would hear that it has become empty.
    pub(super) fn watch_later(&mut self, id: UnitId) {
        self.timers.set(id, TimerReason::Retry, self.now.monotonic.after(WATCH_RETRY_USEC));
    }

    /// A plan has tried to remove what a dead unit left behind.
    pub(super) fn pruned(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        unit.work.prune = false;
        if unit.realized.exists {
            // What it no longer needs is switched off all the same.
            self.queue_realize(id);
        }
        self.retry_later(id);
        self.requeue(id);
        self.queue_collect(id);
        if let Some(slice) = self.graph.unit(id).slice {
            self.prune_if_dead(slice);
        }
    }

    /// Has a directory that would not go tried again. Of a slice, always: nobody watches it; the end of its last member
    /// sees to that while it has any. Of others, when it was not somebody inside who kept it.
    fn retry_later(&mut self, id: UnitId) {
        let work = &mut self.graph.unit_mut(id).work;
        let try_again = core::mem::take(&mut work.try_again);
        let unit = self.graph.unit(id);
        let is_slice = unit.unit_type() == UnitType::Slice;
        let mut members = self.graph.members(id);
        let has_members = members.any(|member| self.graph.unit(member).realized.is_used());
        if unit.realized.is_used() && !has_members && (is_slice || try_again) {
            self.timers.set(id, TimerReason::Retry, self.now.monotonic.after(RETRY_USEC));
        }
    }

    /// A slice that is down but kept its directory for a member may be able to go now.
    pub(super) fn prune_if_dead(&mut self, slice: UnitId) {
        let unit = self.graph.unit_mut(slice);
        if unit.realized.is_used() && !unit.perpetual && unit.active().is_inactive_or_failed() && !unit.work.starting {
            unit.work.prune = true;
            self.queue_realize(slice);
        }
    }
}
