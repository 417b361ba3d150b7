//! The state of a recovered unit: what its record says, if there is a directory; without one only an end that is to be
//! remembered. Whether anybody is left in the directory is found out by the watch, as ever.

use super::super::Manager;
use super::super::process::Waiting;
use crate::effect::Severity;
use crate::event::{ExitStatus, Question};
use crate::found::FoundCgroup;
use crate::names::UnitType;
use crate::persist::Saved;
use crate::settings::ServiceType;
use crate::time::{INFINITY, Instant};
use crate::timers::TimerReason;
use crate::unit::{ActiveState, FreezerState, State, UnitId, UnitResult, parse_invocation};
use alloc::boxed::Box;
use alloc::string::ToString;

impl Manager {
    /// A slice that has its directory is up.
    pub(super) fn revive_slice(&mut self, id: UnitId, cgroup: &FoundCgroup) {
        self.believe(id, cgroup);
        self.identify(id, cgroup.invocation.as_deref().and_then(parse_invocation));
        let unit = self.graph.unit_mut(id);
        if !unit.perpetual {
            unit.state = State::Active;
            let now = self.now.into();
            (unit.times.inactive_exit, unit.times.active_enter, unit.times.state_change) = (now, now, now);
        }
        self.revive_freezer(id, cgroup);
    }

    /// A unit without a usable record ends up failed, where operators look, or up, while it has processes.
    pub(super) fn revive_damaged(&mut self, id: UnitId, cgroup: Option<&FoundCgroup>) {
        let now = self.now.into();
        let unit = self.graph.unit_mut(id);
        unit.times.state_change = now;
        unit.state = match (unit.unit_type(), cgroup) {
            (UnitType::Slice, Some(_)) => State::Active,
            (UnitType::Slice, None) => State::Dead,
            (_, Some(cgroup)) if cgroup.populated => State::Running,
            _ => State::Failed,
        };
        if unit.state == State::Failed {
            unit.result = UnitResult::Resources;
            let name = unit.name.clone();
            self.failed_units.insert(name);
        } else if unit.state != State::Dead {
            (unit.times.inactive_exit, unit.times.active_enter) = (now, now);
        }
        let Some(cgroup) = cgroup else { return };
        self.believe(id, cgroup);
        self.identify(id, cgroup.invocation.as_deref().and_then(parse_invocation));
        self.revive_freezer(id, cgroup);
        self.keep_controllers_above_unit(id);
    }

    /// A unit with a record.
    pub(super) fn revive(&mut self, id: UnitId, mut saved: Saved, cgroup: Option<&FoundCgroup>) {
        if saved.restarting && !cgroup.is_some_and(|cgroup| cgroup.populated) {
            (saved.state, saved.since, saved.step) = (Some(State::AutoRestart), saved.started, None);
        }
        let saved = &saved;
        if let Some(cgroup) = cgroup {
            self.believe(id, cgroup);
            self.revive_freezer(id, cgroup);
        }
        match self.graph.unit(id).unit_type() {
            // With a directory it has been taken over with the others.
            UnitType::Slice => {}
            // It had been stopped, and somebody stayed behind.
            _ if saved.state == Some(State::Dead) => self.revive_left(id, saved, cgroup),
            _ if cgroup.is_none() => self.revive_ended(id, saved),
            _ if saved.state == Some(State::Failed) => self.revive_ended(id, saved),
            // Its processes ended while nobody was there, or its start was cut before they came.
            UnitType::Scope if cgroup.is_some_and(|cgroup| !cgroup.populated) => {
                self.revive_ended(id, saved);
                self.graph.unit_mut(id).work.prune = true;
                self.queue_realize(id);
            }
            UnitType::Service => self.revive_service(id, saved, cgroup),
            _ => self.revive_up(id, saved, State::Running),
        }
        let name = self.graph.unit(id).controller.clone();
        if let Some(name) = name.filter(|_| cgroup.is_some()) {
            let question = Question::BusNameOwned(name.to_string());
            self.read(question, Waiting::RecoveredController { name });
        }
    }

    /// A unit that was down already. Its directory is to go with the last who is in it.
    fn revive_left(&mut self, id: UnitId, saved: &Saved, cgroup: Option<&FoundCgroup>) {
        let times = &mut self.graph.unit_mut(id).times;
        (times.inactive_exit, times.active_enter) = (saved.started, saved.started);
        (times.state_change, times.inactive_enter, times.active_exit) = (saved.since, saved.since, saved.since);
        if cgroup.is_some() {
            self.graph.unit_mut(id).work.prune = true;
            self.queue_realize(id);
        }
    }

    /// A unit whose directory has gone: it failed, remains after its exit, or nothing has to be known of it any more.
    fn revive_ended(&mut self, id: UnitId, saved: &Saved) {
        let unit = self.graph.unit_mut(id);
        let since = saved.since;
        match saved.state {
            Some(State::Exited | State::AutoRestart) => self.revive_up(id, saved, State::Exited),
            Some(_) if saved.result != UnitResult::Success => {
                unit.state = State::Failed;
                unit.result = saved.result;
                unit.times.inactive_exit = saved.started;
                unit.times.active_enter = saved.started;
                (unit.times.state_change, unit.times.inactive_enter, unit.times.active_exit) = (since, since, since);
                let name = unit.name.clone();
                self.failed_units.insert(name);
                self.record_due(id);
            }
            _ => {}
        }
    }

    /// A unit that is up, in a state that its record may know better.
    fn revive_up(&mut self, id: UnitId, saved: &Saved, state: State) {
        let unit = self.graph.unit_mut(id);
        let stops = saved.state.filter(|state| state.active() == ActiveState::Deactivating);
        unit.state = saved.state.filter(|_| stops.is_none()).unwrap_or(state);
        unit.result = saved.result;
        unit.times.inactive_exit = saved.started;
        unit.times.state_change = if saved.state.is_some() { saved.since } else { saved.started };
        if unit.active() == ActiveState::Active {
            unit.times.active_enter = saved.started;
        }
        let runtime_max = unit.settings.runtime_max_usec;
        let state = unit.state;
        if runtime_max != INFINITY && matches!(state, State::Running | State::Exited) {
            self.timers.set(id, TimerReason::RuntimeMax, Instant(saved.started.monotonic).after(runtime_max));
        }
        match stops {
            Some(stop) => self.go_on_stopping(id, saved, stop),
            None => self.revive_deadlines(id, saved, state),
        }
    }

    /// The time of a step, or of the pause before a restart, has not begun anew.
    fn revive_deadlines(&mut self, id: UnitId, saved: &Saved, state: State) {
        if self.graph.unit(id).unit_type() != UnitType::Service {
            return;
        }
        let since = Instant(saved.since.monotonic);
        let (reason, timeout) = match state {
            State::AutoRestart => (TimerReason::Restart, self.service_settings(id).restart_usec),
            _ if matches!(state.active(), ActiveState::Activating | ActiveState::Reloading) => {
                (TimerReason::StartTimeout, self.timeout_start(id))
            }
            _ => return,
        };
        if timeout != INFINITY {
            self.timers.set(id, reason, since.after(timeout));
        }
    }

    /// A stop that had begun goes on from its last signal, which may not have been sent. Its time has not begun anew.
    fn go_on_stopping(&mut self, id: UnitId, saved: &Saved, state: State) {
        if self.graph.unit(id).freezer != FreezerState::Running {
            self.thaw_for_stop(id);
        }
        let asks = self.graph.unit(id).controller.is_some() && state == State::StopSigterm;
        if matches!(state, State::Stop | State::StopPost) {
            // Its command is found, or missed, afterwards.
            let unit = self.graph.unit_mut(id);
            (unit.state, unit.times.active_enter) = (state, saved.started);
        } else if asks {
            self.ask_controller(id);
        } else {
            self.signal_phase(id, state, saved.result);
        }
        let unit = self.graph.unit_mut(id);
        if unit.active() != ActiveState::Deactivating {
            return;
        }
        (unit.times.state_change, unit.times.active_exit) = (saved.since, saved.since);
        let timeout = unit.settings.timeout_stop_usec;
        if timeout != INFINITY {
            self.timers.set(id, TimerReason::StopTimeout, Instant(saved.since.monotonic).after(timeout));
        }
    }

    /// Whether its main process is still there, wherever in the cgroup it has moved to, is found out by holding it
    /// ([`Op::WatchProcess`](crate::plan::Op::WatchProcess)): nothing else tells of a child that has ended either.
    fn revive_service(&mut self, id: UnitId, saved: &Saved, cgroup: Option<&FoundCgroup>) {
        let pids = cgroup.map_or(&[][..], |cgroup| &cgroup.pids);
        // The first process of a step that was not recorded in time is alone, or not to be told from its children.
        let alone = || if let [pid] = pids { Some((*pid, saved.started)) } else { None };
        let is_beside = saved.step.is_some() && saved.main.is_none();
        let control = saved.control.or_else(|| alone().filter(|_| is_beside)).filter(|_| saved.step.is_some());
        let main = saved.main.or_else(|| alone().filter(|_| !is_beside)).filter(|_| saved.state != Some(State::Exited));
        let unit = self.graph.unit_mut(id);
        let oneshot = unit.settings.service().kind() == ServiceType::Oneshot;
        let service = unit.service.get_or_insert_with(Box::default);
        (service.command_index, service.restarts, service.control) = (saved.command, saved.restarts, saved.step);
        if let Some((pid, since)) = main {
            service.exec_main_pid = pid;
            service.exec_main_start = since;
            service.main_pid = Some(pid);
            service.main_known = true;
        }
        if let Some((pid, since)) = control {
            (service.control_pid, service.control_start) = (Some(pid), since);
        }
        let found = [service.main_pid, service.control_pid];
        for pid in found.into_iter().flatten() {
            self.children.insert(pid, id);
        }
        self.revive_up(id, saved, if oneshot { State::Start } else { State::Running });
        if saved.step.is_some() && self.service(id).control == saved.step && self.service(id).control_pid.is_none() {
            self.tell(Severity::Warning, Some(id), "a command of it ended while no arbiter was there".into());
            self.control_exited(id, ExitStatus::Lost);
        }
        let is_cut = oneshot && !cgroup.is_some_and(|cgroup| cgroup.populated) && !self.service(id).has_control();
        if is_cut && self.graph.unit(id).state == State::Start && self.service(id).main_pid.is_none() {
            self.tell(Severity::Warning, Some(id), "nothing tells how its last command ended".into());
            self.main_exited(id, ExitStatus::Lost);
        }
        let is_exec = self.service_settings(id).kind() == ServiceType::Exec;
        if is_exec && self.graph.unit(id).state == State::Start && self.service(id).main_pid.is_some() {
            // That it has become its program was told to the arbiter before, or will not be told to anybody.
            self.enter_start_post(id);
        }
        if self.graph.unit(id).state == State::Running {
            self.start_watchdog(id);
        }
    }

    fn revive_freezer(&mut self, id: UnitId, cgroup: &FoundCgroup) {
        let unit = self.graph.unit_mut(id);
        unit.freezer = match (cgroup.freeze, cgroup.frozen) {
            (false, _) => FreezerState::Running,
            (true, true) => FreezerState::Frozen,
            (true, false) => {
                // Written once more, with a watch that tells when it has come about.
                unit.work.intents_mut().freeze = Some(true);
                FreezerState::Freezing
            }
        };
    }
}
