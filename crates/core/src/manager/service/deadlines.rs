//! Deadlines of a service that have passed.

use crate::effect::Severity;
use crate::manager::Manager;
use crate::manager::endings::SIGKILL;
use crate::plan::Signals;
use crate::service::NotifyState;
use crate::settings::FailureMode;
use crate::timers::TimerReason;
use crate::unit::{ActiveState, State, UnitId, UnitResult};
use crate::work::Ending;
use alloc::format;
use alloc::string::String;

impl Manager {
    /// A step of the way has taken too long.
    pub(in crate::manager) fn service_timed_out(&mut self, id: UnitId, reason: TimerReason) {
        if self.graph.unit(id).work.ending.is_some() {
            return;
        }
        match (reason, self.state(id)) {
            (TimerReason::RuntimeMax, State::Running | State::Exited) => {
                self.tell(Severity::Warning, Some(id), String::from("it has run for as long as it may"));
                self.enter_stop(id, UnitResult::Timeout);
            }
            (TimerReason::Restart, State::AutoRestart) => self.restart(id),
            (TimerReason::Watchdog, _) => self.watchdog_timed_out(id),
            (TimerReason::PidFile, _) => self.ask_for_pid_file(id),
            (TimerReason::StartTimeout, State::Reload | State::ReloadSignal | State::ReloadNotify) => {
                self.reload_timed_out(id);
            }
            (TimerReason::StartTimeout, state) if state.active() == ActiveState::Activating => {
                let mode = self.service_settings(id).timeout_start_failure;
                self.give_up_waiting(id, mode);
            }
            (TimerReason::StopTimeout, State::Stop) => {
                let mode = self.service_settings(id).timeout_stop_failure;
                self.give_up_waiting(id, mode);
            }
            (TimerReason::StopTimeout, state) => self.stop_timed_out(id, state),
            _ => {}
        }
    }

    fn reload_timed_out(&mut self, id: UnitId) {
        self.tell(Severity::Warning, Some(id), String::from("reload timed out"));
        self.cancel_spawn(id);
        if let Some(pid) = self.service(id).control_pid {
            let signals = Signals { first: SIGKILL, then_continue: false, then_hangup: false };
            self.push_signal(id, signals, Some(pid), None);
            self.service_mut(id).control_pid = None;
        }
        let service = self.service_mut(id);
        service.reload_result = UnitResult::Timeout;
        service.notified.state = NotifyState::Unknown;
        self.queue_type_changed(id);
        self.enter_running(id, UnitResult::Success, false);
    }

    /// A start, or the commands of a stop, took too long.
    fn give_up_waiting(&mut self, id: UnitId, mode: FailureMode) {
        self.tell(Severity::Warning, Some(id), format!("{} timed out", self.state(id).sub()));
        let kills = self.graph.unit(id).settings.kill.send_sigkill;
        match mode {
            FailureMode::Terminate => self.enter_signal(id, State::StopSigterm, UnitResult::Timeout),
            FailureMode::Abort => self.enter_signal(id, State::StopWatchdog, UnitResult::Timeout),
            FailureMode::Kill if kills => self.enter_signal(id, State::StopSigkill, UnitResult::Timeout),
            FailureMode::Kill => self.enter_stop_post(id, UnitResult::Timeout, false),
        }
    }

    fn stop_timed_out(&mut self, id: UnitId, state: State) {
        let timeout = UnitResult::Timeout;
        let kills = self.graph.unit(id).settings.kill.send_sigkill;
        let mode = self.service_settings(id).timeout_stop_failure;
        self.tell(Severity::Warning, Some(id), format!("{} timed out", state.sub()));
        let dead = |restart| Ending { force: true, restart };
        match (state, mode) {
            (State::StopSigterm, FailureMode::Abort) => self.enter_signal(id, State::StopWatchdog, timeout),
            (State::StopSigterm | State::StopWatchdog, _) if kills => {
                self.enter_signal(id, State::StopSigkill, timeout);
            }
            (State::StopSigterm | State::StopWatchdog | State::StopSigkill, _) => {
                self.enter_stop_post(id, timeout, false);
            }
            (State::StopPost, FailureMode::Terminate) => self.enter_signal(id, State::FinalSigterm, timeout),
            (State::StopPost | State::FinalSigterm, FailureMode::Abort) => {
                self.enter_signal(id, State::FinalWatchdog, timeout);
            }
            (State::StopPost | State::FinalSigterm | State::FinalWatchdog, _) if kills => {
                self.enter_signal(id, State::FinalSigkill, timeout);
            }
            (State::FinalSigkill, _) => {
                self.tell(Severity::Warning, Some(id), String::from("processes still around after the stop timeout"));
                self.enter_dead(id, timeout, dead(true));
            }
            _ => self.enter_dead(id, timeout, dead(false)),
        }
    }
}
