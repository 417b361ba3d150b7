//! The life of a service: which step follows which (reference 02.5). Here is the way from its start to its end, step by
//! step; what the ends of processes mean is in `service/exits.rs`, restarts are in `service/restart.rs`.

mod commands;
mod deadlines;
mod exits;
mod notify;
mod pid_file;
mod restart;
mod store;

use super::Manager;
use super::endings::{SIGCONT, SIGHUP, SIGKILL};
use crate::effect::Severity;
use crate::error::OpError;
use crate::job::{JobResult, JobType};
use crate::plan::Signals;
use crate::service::{NotifyState, Role, ServiceState};
use crate::settings::{ExitType, KillMode, ServiceCommand, ServiceSettings, ServiceType};
use crate::time::{INFINITY, Timestamp};
use crate::timers::TimerReason;
use crate::unit::{ActiveState, State, UnitId, UnitResult};
use crate::work::{Ending, SignalIntent};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

impl Manager {
    pub(super) fn service_mut(&mut self, id: UnitId) -> &mut ServiceState {
        self.graph.unit_mut(id).service.get_or_insert_with(Box::default)
    }

    pub(super) fn service(&self, id: UnitId) -> &ServiceState {
        self.graph.unit(id).service.as_deref().unwrap_or(ServiceState::NONE)
    }

    pub(super) fn service_settings(&self, id: UnitId) -> &ServiceSettings {
        self.graph.unit(id).settings.service()
    }

    fn state(&self, id: UnitId) -> State {
        self.graph.unit(id).state
    }

    /// The first process of a start is put into the work for the next plan, which makes the cgroup, too.
    pub(super) fn prepare_service(&mut self, id: UnitId) {
        let state = self.service_mut(id);
        if core::mem::take(&mut state.forget_restarts) {
            state.restarts = 0;
        }
        let former = state.main_pid.take().into_iter().chain(state.control_pid.take());
        let former: Vec<u32> = former.collect();
        (state.main_known, state.is_watched, state.control, state.spawning) = (false, false, None, None);
        (state.forbid_restart, state.reload_result, state.command_index) = (false, UnitResult::Success, 0);
        state.notified = Default::default();
        state.runs.clear();
        self.children.retain(|pid, _| !former.contains(pid));
        self.queue_type_changed(id);
        let first = [ServiceCommand::Condition, ServiceCommand::StartPre];
        let settings = self.service_settings(id);
        match first.into_iter().find(|step| !settings.commands(*step).is_empty()) {
            Some(step) => self.prepare_control(id, step, 0),
            None => self.prepare_main(id),
        }
    }

    /// The plan of the start is through: the first process runs, if there is one.
    pub(super) fn service_started(&mut self, id: UnitId) {
        match (self.service(id).control, self.service(id).main_known) {
            (Some(_), _) => self.process_begun(id, Role::Control),
            (None, true) => self.process_begun(id, Role::Main),
            (None, false) => self.enter_start_post(id),
        }
    }

    /// A process runs: from now on the service is in the state that belongs to it.
    pub(super) fn process_begun(&mut self, id: UnitId, role: Role) {
        let state = self.state(id);
        if state.is_signal_phase() {
            // It came too late, and hears what the others have heard.
            self.enter_signal(id, state, UnitResult::Success);
            return;
        }
        match (role, self.service(id).control) {
            (Role::Control, Some((step, _))) => self.enter_step(id, step),
            (Role::Control, None) => {}
            (Role::Main, _) => self.main_begun(id),
        }
    }

    fn main_begun(&mut self, id: UnitId) {
        match self.service_settings(id).kind() {
            ServiceType::Simple | ServiceType::Idle => self.enter_start_post(id),
            ServiceType::Exec
            | ServiceType::Oneshot
            | ServiceType::Notify
            | ServiceType::NotifyReload
            | ServiceType::Forking => {
                self.enter_step(id, ServiceCommand::Start);
            }
        }
    }

    /// The state that belongs to a step, with the time that it may take.
    fn enter_step(&mut self, id: UnitId, step: ServiceCommand) {
        let state = match step {
            ServiceCommand::Condition => State::Condition,
            ServiceCommand::StartPre => State::StartPre,
            ServiceCommand::Start => State::Start,
            ServiceCommand::StartPost => State::StartPost,
            ServiceCommand::Reload => State::Reload,
            ServiceCommand::Stop => State::Stop,
            ServiceCommand::StopPost => State::StopPost,
        };
        self.set_state(id, state);
        if state.active() == ActiveState::Deactivating {
            self.arm_stop_timer(id);
        } else if self.state(id) == state {
            self.arm_start_timer(id);
        }
    }

    fn arm_start_timer(&mut self, id: UnitId) {
        let timeout = self.timeout_start(id);
        self.arm(id, TimerReason::StartTimeout, timeout);
    }

    pub(super) fn timeout_start(&self, id: UnitId) -> u64 {
        let settings = self.service_settings(id);
        let default = match settings.kind() {
            ServiceType::Oneshot => INFINITY,
            _ => self.config.defaults.timeout_start_usec,
        };
        settings.timeout_start_usec.unwrap_or(default)
    }

    pub(super) fn arm(&mut self, id: UnitId, reason: TimerReason, timeout: u64) {
        if timeout == INFINITY {
            self.timers.clear(id, reason);
        } else {
            self.timers.set(id, reason, self.now.monotonic.after(timeout));
        }
    }

    pub(super) fn enter_start_pre(&mut self, id: UnitId) {
        self.run_step(id, ServiceCommand::StartPre, Self::run_main);
    }

    /// The service itself.
    pub(super) fn run_main(&mut self, id: UnitId) {
        self.service_mut(id).control = None;
        self.prepare_main(id);
        if self.service(id).spawning.is_none() {
            self.enter_start_post(id);
        } else {
            self.queue_spawn(id);
        }
    }

    pub(super) fn enter_start_post(&mut self, id: UnitId) {
        self.run_step(id, ServiceCommand::StartPost, |manager, id| {
            manager.enter_running(id, UnitResult::Success, false);
        });
    }

    /// It is up, if anybody is there; `is_empty` says that its cgroup is known to be empty.
    pub(super) fn enter_running(&mut self, id: UnitId, result: UnitResult, is_empty: bool) {
        self.service_mut(id).control = None;
        self.note_result(id, result);
        if result != UnitResult::Success {
            self.enter_signal(id, State::StopSigterm, result);
        } else if self.is_good(id, is_empty) {
            self.go_on_running(id);
        } else if self.service_settings(id).remain_after_exit {
            self.set_state(id, State::Exited);
            // Nobody is left in the cgroup, most likely: then it goes.
            self.look_at_unit(id);
        } else {
            self.enter_stop(id, UnitResult::Success);
        }
    }

    fn go_on_running(&mut self, id: UnitId) {
        if self.service(id).notified.state == NotifyState::Reloading {
            self.reload_by_notice(id);
            return;
        }
        let was_up = self.graph.unit(id).active().is_active_or_reloading();
        self.set_state(id, State::Running);
        if self.state(id) != State::Running {
            return;
        }
        if !was_up {
            let runtime_max = self.graph.unit(id).settings.runtime_max_usec;
            self.arm(id, TimerReason::RuntimeMax, runtime_max);
            self.start_watchdog(id);
        }
        let service = self.service(id);
        let (stops, is_unsure) = (service.notified.state == NotifyState::Stopping, !service.main_known);
        if stops {
            self.stop_by_notice(id);
        } else if is_unsure {
            // Whether anybody is there at all.
            self.look_at_unit(id);
        }
    }

    /// Somebody is there whom it consists of.
    fn is_good(&self, id: UnitId, is_empty: bool) -> bool {
        let service = self.service(id);
        let lives_on = !service.main_known || self.service_settings(id).exit_type == ExitType::Cgroup;
        service.main_pid.is_some() || lives_on && !is_empty && self.graph.unit(id).realized.exists
    }

    pub(super) fn look_at_unit(&mut self, id: UnitId) {
        if let Some(watch) = self.graph.unit(id).realized.watch {
            self.look_at(watch);
        }
    }

    /// Begins to reload; what becomes of the job, if that is known already.
    pub(super) fn reload_service(&mut self, id: UnitId) -> Option<JobResult> {
        match self.graph.unit(id).active() {
            ActiveState::Active => {}
            ActiveState::Reloading => return self.wait_again_for(id),
            _ => return Some(JobResult::Invalid),
        }
        self.service_mut(id).reload_result = UnitResult::Success;
        let settings = self.service_settings(id);
        let (signal, notifies) = (i32::from(settings.reload_signal), settings.kind() == ServiceType::NotifyReload);
        let has_commands = !settings.commands(ServiceCommand::Reload).is_empty();
        if notifies {
            let Some(pid) = self.service(id).main_pid else { return Some(JobResult::Failed) };
            self.service_mut(id).notified.state = NotifyState::Unknown;
            let signals = Signals { first: signal, then_continue: false, then_hangup: false };
            self.push_signal(id, signals, Some(pid), None);
        }
        if has_commands {
            self.run_step(id, ServiceCommand::Reload, |_, _| {});
        } else {
            self.set_state(id, State::ReloadSignal);
            self.arm_start_timer(id);
        }
        None
    }

    fn wait_again_for(&mut self, id: UnitId) -> Option<JobResult> {
        self.jobs.of_unit(id).map(|job| job.id).and_then(|job| self.wait_again(job))
    }

    /// Stops because somebody has asked for it.
    pub(super) fn stop_service(&mut self, id: UnitId) {
        self.service_mut(id).forbid_restart = true;
        match self.state(id) {
            State::AutoRestart => {
                // A start may have failed just now, whose end is still to be seen to.
                self.graph.unit_mut(id).work.ending.iter_mut().for_each(|ending| ending.restart = false);
                self.set_state(id, State::Dead);
            }
            State::Running | State::Exited => self.enter_stop(id, UnitResult::Success),
            state if state.active() == ActiveState::Deactivating => {}
            _ => self.enter_signal(id, State::StopSigterm, UnitResult::Success),
        }
    }

    pub(super) fn enter_stop(&mut self, id: UnitId, result: UnitResult) {
        self.note_result(id, result);
        self.run_step(id, ServiceCommand::Stop, |manager, id| {
            manager.enter_signal(id, State::StopSigterm, UnitResult::Success);
        });
    }

    /// The processes of the service are gone, or given up; `is_empty` says that the cgroup is known to be empty.
    pub(super) fn enter_stop_post(&mut self, id: UnitId, result: UnitResult, is_empty: bool) {
        self.note_result(id, result);
        let has_commands = !self.service_settings(id).commands(ServiceCommand::StopPost).is_empty();
        if is_empty && !has_commands {
            self.enter_dead(id, result, Ending { force: false, restart: true });
            return;
        }
        self.run_step(id, ServiceCommand::StopPost, |manager, id| {
            manager.enter_signal(id, State::FinalSigterm, UnitResult::Success);
        });
    }

    /// Sends the signals of a phase and waits for the processes to go.
    pub(super) fn enter_signal(&mut self, id: UnitId, state: State, result: UnitResult) {
        assert!(state.is_signal_phase(), "{} is no phase of signals", state.sub());
        self.note_result(id, result);
        if self.graph.unit(id).work.ending.is_some() {
            return;
        }
        let awaits_birth = self.cancel_spawn(id);
        let signals = self.signals_of(id, state);
        let unit = self.graph.unit(id);
        let is_kill = matches!(state, State::StopSigkill | State::FinalSigkill);
        let whole = match unit.settings.kill.mode {
            KillMode::ControlGroup => true,
            KillMode::Mixed => is_kill,
            KillMode::Process | KillMode::None => false,
        };
        let whole = whole && unit.realized.exists;
        let service = self.service(id);
        let own: Vec<u32> = service.main_pid.into_iter().chain(service.control_pid).collect();
        let nobody = own.is_empty() && !awaits_birth && !whole || unit.settings.kill.mode == KillMode::None;
        self.forget_signals(id);
        if nobody {
            self.nobody_signalled(id, state, false);
            return;
        }
        if whole {
            self.push_signal(id, signals, None, Some(state));
        } else {
            own.into_iter().for_each(|pid| self.push_signal(id, signals, Some(pid), Some(state)));
        }
        self.set_state(id, state);
        self.arm_stop_timer(id);
    }

    fn signals_of(&self, id: UnitId, state: State) -> Signals {
        let kill = &self.graph.unit(id).settings.kill;
        let restarts = self.jobs.kind_of(id) == Some(JobType::Restart);
        let (first, is_polite) = match state {
            State::StopSigkill | State::FinalSigkill => (kill.final_signal, false),
            State::StopWatchdog | State::FinalWatchdog => (kill.watchdog_signal, false),
            State::StopSigterm if restarts => (kill.restart_signal.unwrap_or(kill.signal), true),
            _ => (kill.signal, true),
        };
        Signals {
            first,
            then_continue: first != SIGKILL && first != SIGCONT,
            then_hangup: kill.send_sighup && is_polite && first != SIGHUP,
        }
    }

    pub(super) fn push_signal(&mut self, id: UnitId, signals: Signals, only: Option<u32>, phase: Option<State>) {
        let intent = SignalIntent { signals, only, spare: Vec::new(), by_client: None, phase, is_planned: false };
        self.graph.unit_mut(id).work.intents_mut().signals.push(intent);
        self.queue_realize(id);
    }

    /// Signals of an earlier phase that have not been sent are not to be sent any more.
    fn forget_signals(&mut self, id: UnitId) {
        let work = &mut self.graph.unit_mut(id).work;
        let Some(intents) = &mut work.intents else { return };
        intents.signals.retain(|signal| signal.phase.is_none() || signal.is_planned);
        if intents.is_empty() {
            work.intents = None;
        }
    }

    /// Nobody heard the signals of this phase. With `is_empty`, because nobody is there.
    pub(super) fn nobody_signalled(&mut self, id: UnitId, state: State, is_empty: bool) {
        let kills = self.graph.unit(id).settings.kill.send_sigkill && !is_empty;
        match state {
            State::StopWatchdog | State::StopSigterm if kills => {
                self.enter_signal(id, State::StopSigkill, UnitResult::Success);
            }
            state if state.is_stop_phase() => self.enter_stop_post(id, UnitResult::Success, is_empty),
            State::FinalWatchdog | State::FinalSigterm if kills => {
                self.enter_signal(id, State::FinalSigkill, UnitResult::Success);
            }
            _ => self.enter_dead(id, UnitResult::Success, Ending { force: !is_empty, restart: true }),
        }
    }

    /// It is over, as soon as its cgroup has been removed.
    pub(super) fn enter_dead(&mut self, id: UnitId, result: UnitResult, ending: Ending) {
        self.note_result(id, result);
        self.forget_signals(id);
        let former = self.graph.unit(id).work.ending;
        let force = ending.force || former.is_some_and(|former| former.force);
        let restart = ending.restart && former.is_none_or(|former| former.restart);
        self.graph.unit_mut(id).work.ending = Some(Ending { force, restart });
        if self.graph.unit(id).leaves_processes() {
            // On record before anybody is told that it is over: a directory with processes in it says that it is up.
            self.record_due(id);
        }
        self.queue_realize(id);
    }

    /// The kernel has killed a process because memory ran out.
    pub(super) fn service_out_of_memory(&mut self, id: UnitId) {
        if self.graph.unit(id).settings.oom_policy() == crate::settings::OomPolicy::Continue {
            return;
        }
        let oom = UnitResult::OomKill;
        match self.state(id) {
            State::Running | State::Exited => self.enter_stop(id, oom),
            State::StopSigterm | State::StopWatchdog => self.enter_signal(id, State::StopSigkill, oom),
            State::StopPost | State::FinalSigterm | State::FinalWatchdog => {
                self.enter_signal(id, State::FinalSigkill, oom);
            }
            State::StopSigkill | State::FinalSigkill => self.note_result(id, oom),
            State::Dead | State::Failed | State::AutoRestart => {}
            _ => self.enter_signal(id, State::StopSigterm, oom),
        }
    }

    /// A process could not be started for want of something.
    pub(super) fn spawn_refused(&mut self, id: UnitId, error: &OpError) {
        self.tell(Severity::Error, Some(id), format!("not started: {error}"));
        self.drop_spawn(id);
        if self.graph.unit(id).active().is_inactive_or_failed() {
            return;
        }
        let resources = UnitResult::Resources;
        match self.state(id) {
            State::Reload => {
                self.service_mut(id).reload_result = resources;
                self.enter_running(id, UnitResult::Success, false);
            }
            State::StartPost | State::Running => self.enter_stop(id, resources),
            State::StopPost => self.enter_signal(id, State::FinalSigterm, resources),
            state if state.is_signal_phase() => self.enter_signal(id, state, resources),
            _ => self.enter_signal(id, State::StopSigterm, resources),
        }
    }

    /// When something happened just now.
    pub(super) fn moment(&self) -> Timestamp {
        self.now.into()
    }
}
