//! The processes that a service starts: which command is next, with which arguments and environment.

use crate::exec;
use crate::manager::Manager;
use crate::plan::{Signals, Spawn};
use crate::service::{CommandRun, Role, ServiceState};
use crate::settings::{NotifyAccess, ServiceCommand, ServiceType};
use crate::time::Timestamp;
use crate::unit::{UnitId, invocation_hex};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Manager {
    /// Begins a step of the way: its first command, or what follows when it has none.
    pub(super) fn run_step(&mut self, id: UnitId, step: ServiceCommand, without: impl FnOnce(&mut Self, UnitId)) {
        let state = self.service_mut(id);
        // A command that is still running is none of ours any more; it goes with the rest of the cgroup.
        (state.control, state.control_pid) = (None, None);
        if self.service_settings(id).commands(step).is_empty() {
            without(self, id);
        } else {
            self.run_control(id, step, 0);
        }
    }

    /// Runs a command beside the main process.
    pub(super) fn run_control(&mut self, id: UnitId, step: ServiceCommand, index: usize) {
        self.prepare_control(id, step, index);
        self.queue_spawn(id);
        self.enter_step(id, step);
    }

    /// Whether the step that is under way has another command.
    pub(super) fn next_control(&self, id: UnitId) -> Option<(ServiceCommand, usize)> {
        let (step, index) = self.service(id).control?;
        (index + 1 < self.service_settings(id).commands(step).len()).then_some((step, index + 1))
    }

    pub(super) fn prepare_control(&mut self, id: UnitId, step: ServiceCommand, index: usize) {
        self.service_mut(id).control = Some((step, index));
        self.prepare_spawn(id, Role::Control, (step, index));
    }

    /// The service itself; of `Type=forking`, the command that leaves it behind.
    pub(super) fn prepare_main(&mut self, id: UnitId) {
        let settings = self.service_settings(id);
        if settings.commands(ServiceCommand::Start).is_empty() {
            return;
        }
        let index = self.service(id).command_index;
        if settings.kind() == ServiceType::Forking {
            self.prepare_control(id, ServiceCommand::Start, index);
        } else {
            self.prepare_spawn(id, Role::Main, (ServiceCommand::Start, index));
        }
    }

    fn prepare_spawn(&mut self, id: UnitId, role: Role, (step, index): (ServiceCommand, usize)) {
        let Some(command) = self.service_settings(id).commands(step).get(index).cloned() else { return };
        let environment = self.service_environment(id, step);
        let stored = if step == ServiceCommand::Start { self.descriptors_to_hand_over(id) } else { Vec::new() };
        let settings = &self.graph.unit(id).settings;
        let spawn = Spawn {
            path: command.path,
            arguments: command.arguments,
            environment,
            setup: exec::setup(settings, command.rights),
            stored,
            no_env_expand: command.no_env_expand,
            tell_executed: role == Role::Main && settings.service().kind() == ServiceType::Exec,
        };
        self.service_mut(id).spawning = Some(role);
        self.graph.unit_mut(id).work.intents_mut().spawn = Some(Box::new(spawn));
    }

    /// Has the prepared process started with the next plan.
    pub(super) fn queue_spawn(&mut self, id: UnitId) {
        // Nobody shall take the end of the one before for that of this one.
        self.record_due(id);
        self.graph.unit_mut(id).work.prune = false;
        self.queue_realize_up(id);
    }

    /// A process that is not started yet is not to be started any more. Whether it may be started all the same, because
    /// the plan that does it is under way.
    pub(super) fn cancel_spawn(&mut self, id: UnitId) -> bool {
        let work = &self.graph.unit(id).work;
        if work.in_plan && work.planned.spawn {
            return self.service(id).spawning.is_some();
        }
        self.drop_spawn(id);
        false
    }

    pub(super) fn drop_spawn(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        if let Some(state) = &mut unit.service {
            state.spawning = None;
        }
        if let Some(intents) = &mut unit.work.intents {
            intents.spawn = None;
            if intents.is_empty() {
                unit.work.intents = None;
            }
        }
    }

    fn service_environment(&self, id: UnitId, step: ServiceCommand) -> Vec<String> {
        let unit = self.graph.unit(id);
        let mut environment = self.environment.clone();
        let mut add = |name: &str, value: &dyn core::fmt::Display| environment.push(format!("{name}={value}"));
        if let Some(invocation) = unit.invocation_id {
            add("INVOCATION_ID", &invocation_hex(&invocation));
        }
        let settings = unit.settings.service();
        if settings.notify_access() != NotifyAccess::None && !self.config.notify_socket.is_empty() {
            add("NOTIFY_SOCKET", &self.config.notify_socket);
            if settings.watchdog_usec > 0 && settings.watchdog_usec != crate::time::INFINITY {
                add("WATCHDOG_USEC", &settings.watchdog_usec);
            }
        }
        let state = self.service(id);
        if let Some(pid) = state.main_pid.filter(|_| step > ServiceCommand::Start) {
            add("MAINPID", &pid);
        }
        if matches!(step, ServiceCommand::Stop | ServiceCommand::StopPost) {
            add("SERVICE_RESULT", &unit.result.as_str());
            if let Some((code, status)) = exit_words(state) {
                add("EXIT_CODE", &code);
                add("EXIT_STATUS", &status);
            }
        }
        environment
    }

    /// A process that the service has started runs.
    pub(in crate::manager) fn spawned(&mut self, id: UnitId, pid: u32) {
        let role = self.service_mut(id).spawning.take().unwrap_or(Role::Main);
        self.begun(id, role, pid);
        self.children.insert(pid, id);
        // From now on it can be found again.
        self.record_due(id);
        let unit = self.graph.unit(id);
        if unit.work.starting {
            return;
        }
        if unit.active().is_inactive_or_failed() {
            // The start that it belongs to has been given up meanwhile.
            let signals = Signals { first: 9, then_continue: false, then_hangup: false };
            self.push_signal(id, signals, Some(pid), None);
        } else {
            self.process_begun(id, role);
        }
    }

    /// Notes that a process has begun; one that could not become its program has the number 0.
    pub(super) fn begun(&mut self, id: UnitId, role: Role, pid: u32) {
        let start = self.moment();
        let state = self.service_mut(id);
        let run = CommandRun { pid, start, ..CommandRun::default() };
        match role {
            Role::Main => {
                let index = state.command_index;
                state.set_main(pid, start);
                (state.is_watched, state.is_adopted) = (true, false);
                state.note_run((ServiceCommand::Start, index), run);
            }
            Role::Control => {
                (state.control_pid, state.control_start, state.control_is_watched) = (Some(pid), start, true);
                if let Some(command) = state.control {
                    state.note_run(command, run);
                }
            }
        }
        self.queue_type_changed(id);
    }
}

impl ServiceState {
    /// This is the main process from now on.
    pub(crate) fn set_main(&mut self, pid: u32, start: Timestamp) {
        (self.main_pid, self.main_known) = (Some(pid), true);
        (self.exec_main_pid, self.exec_main_code, self.exec_main_status) = (pid, 0, 0);
        (self.exec_main_start, self.exec_main_exit) = (start, Timestamp::default());
    }
}

/// `$EXIT_CODE` and `$EXIT_STATUS` of the main process.
fn exit_words(state: &ServiceState) -> Option<(&'static str, String)> {
    let code = match state.exec_main_code {
        1 => "exited",
        2 => "killed",
        3 => "dumped",
        _ => return None,
    };
    let number = state.exec_main_status;
    let status =
        if code == "exited" { format!("{number}") } else { crate::properties::signal_name(number).into_owned() };
    Some((code, status))
}
