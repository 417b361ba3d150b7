//! How a service ends, and begins anew: the decision, the pause, and the limit on starts.

use crate::effect::Severity;
use crate::exec::DirectoryKind;
use crate::job::{JobMode, JobType};
use crate::manager::Manager;
use crate::plan::Op;
use crate::service::{RateLimit, shall_restart};
use crate::settings::Preserve;
use crate::time::Instant;
use crate::timers::TimerReason;
use crate::unit::{State, UnitId, UnitResult};
use crate::work::Ending;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Manager {
    /// Whether one more start is within the limit; counts it. One that is not leaves the service failed.
    pub(in crate::manager) fn may_start(&mut self, id: UnitId) -> bool {
        let (interval, burst) = self.graph.unit(id).settings.start_limit();
        let now: Instant = self.now.monotonic;
        if self.service_mut(id).starts.take(now, interval, burst) {
            return true;
        }
        self.tell(Severity::Error, Some(id), String::from("start request repeated too quickly"));
        let unit = self.graph.unit_mut(id);
        if unit.result == UnitResult::Success {
            unit.result = UnitResult::StartLimitHit;
        }
        self.queue_type_changed(id);
        false
    }

    /// Decides whether a service that has just come to its end is to be started anew.
    pub(in crate::manager) fn decide_restart(&mut self, id: UnitId, ending: Ending) -> bool {
        let stops = self.jobs.kind_of(id) == Some(JobType::Stop);
        let result = self.graph.unit(id).result;
        let restarts = ending.restart && !stops && shall_restart(self.service_settings(id), self.service(id), result);
        self.service_mut(id).will_restart = restarts;
        restarts
    }

    /// It is down: the pause before the next start begins, or it stays down.
    pub(in crate::manager) fn service_ended(&mut self, id: UnitId) {
        self.remove_runtime_directories(id);
        let service = self.service_mut(id);
        service.forbid_restart = false;
        if core::mem::take(&mut service.will_restart) {
            self.pause_before_restart(id);
            self.set_state(id, State::AutoRestart);
        } else {
            service.forget_restarts = true;
        }
    }

    /// What it had below `/run` goes, unless it is to stay, before the next start makes it anew.
    fn remove_runtime_directories(&mut self, id: UnitId) {
        let comes_back = self.service(id).will_restart || self.is_to_start(id);
        let exec = self.graph.unit(id).settings.exec();
        let stays = match exec.runtime_directory_preserve {
            Preserve::No => false,
            Preserve::Restart => comes_back,
            Preserve::Yes => true,
        };
        let (place, names) = (DirectoryKind::Runtime.place(), &exec.directories[DirectoryKind::Runtime as usize].names);
        let directories: Vec<String> = names.iter().map(|name| format!("{place}/{name}")).collect();
        if !stays && !directories.is_empty() {
            self.graph.unit_mut(id).work.intents_mut().files.push(Op::RemoveRuntime { directories });
            self.queue_realize(id);
        }
    }

    /// A start of it waits for its end.
    pub(in crate::manager) fn is_to_start(&self, id: UnitId) -> bool {
        let job = self.jobs.of_unit(id).map(|job| (job.kind, job.running));
        matches!(job, Some((JobType::Restart, _) | (JobType::Start, false)))
    }

    fn pause_before_restart(&mut self, id: UnitId) {
        let pause = self.service_settings(id).restart_usec;
        self.arm(id, TimerReason::Restart, pause);
    }

    /// The pause is over: those that cannot be without it are restarted, too.
    pub(super) fn restart(&mut self, id: UnitId) {
        if self.jobs.kind_of(id) == Some(JobType::Stop) {
            self.pause_before_restart(id);
            return;
        }
        match self.enqueue_for(id, JobType::Restart, JobMode::Replace, None) {
            Ok(_) => {
                let service = self.service_mut(id);
                service.restarts = service.restarts.saturating_add(1);
                service.forget_restarts = false;
                self.queue_type_changed(id);
            }
            Err(refusal) => {
                self.tell(Severity::Error, Some(id), format!("not restarted: {refusal}"));
                self.enter_dead(id, UnitResult::Resources, Ending { force: true, restart: false });
            }
        }
    }

    /// Somebody has looked at the failure: everything that was counted is forgotten.
    pub(in crate::manager) fn forget_failures(&mut self, id: UnitId) {
        if let Some(service) = &mut self.graph.unit_mut(id).service {
            service.starts = RateLimit::default();
            service.restarts = 0;
            service.forget_restarts = false;
            service.reload_result = UnitResult::Success;
        }
    }
}
