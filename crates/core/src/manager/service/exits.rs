//! What it means that a process of a service has ended, or that its cgroup is empty.

use crate::effect::Severity;
use crate::error::OpError;
use crate::event::ExitStatus;
use crate::exec::{EXIT_EXEC, ExecFailure};
use crate::manager::Manager;
use crate::service::{CommandRun, Role, exit_numbers, exit_result};
use crate::settings::{ExitType, NotifyAccess, ServiceCommand, ServiceType};
use crate::unit::{ActiveState, State, UnitId, UnitResult};
use crate::work::Ending;
use alloc::format;

impl Manager {
    /// One of our children has ended.
    pub(in crate::manager) fn child_exited(&mut self, pid: u32, status: ExitStatus) {
        let Some(id) = self.children.remove(&pid).filter(|id| self.graph.get(*id).is_some()) else {
            // A plan that runs elsewhere may have started it, and not have said so yet.
            if self.in_flight.is_some() {
                self.early_exits.push((pid, status));
            }
            return;
        };
        if status == ExitStatus::Lost {
            let text = format!("how process {pid} ended is not known: it was no child of this arbiter");
            self.tell(Severity::Warning, Some(id), text);
        }
        let service = self.service(id);
        if service.main_pid == Some(pid) {
            self.main_exited(id, status);
        } else if service.control_pid == Some(pid) {
            self.control_exited(id, status);
        }
    }

    /// One of our children has become its program, or could not: then it says why, and ends.
    pub(in crate::manager) fn child_executed(&mut self, pid: u32, failure: Option<ExecFailure>) {
        let Some(&id) = self.children.get(&pid).filter(|id| self.graph.get(**id).is_some()) else {
            if self.in_flight.is_some() {
                self.early_executions.push((pid, failure));
            }
            return;
        };
        let is_main = self.service(id).main_pid == Some(pid);
        let kind = self.service_settings(id).kind();
        match failure {
            Some(failure) => self.tell(Severity::Error, Some(id), format!("{failure}")),
            // A service of type exec is up when its program is; one that was given up meanwhile is not.
            None if self.graph.unit(id).work.ending.is_some() => {}
            None if is_main && kind == ServiceType::Exec && self.state(id) == State::Start => self.enter_start_post(id),
            None => {}
        }
    }

    /// The program could not be run: to the service it is as if it had run and ended with the status for that.
    pub(in crate::manager) fn spawn_failed(&mut self, id: UnitId, error: &OpError) {
        self.tell(Severity::Error, Some(id), format!("not executed: {error}"));
        let role = self.service(id).spawning.unwrap_or(Role::Main);
        self.drop_spawn(id);
        if self.graph.unit(id).active().is_inactive_or_failed() && !self.graph.unit(id).work.starting {
            return;
        }
        self.begun(id, role, 0);
        let work = &mut self.graph.unit_mut(id).work;
        if core::mem::take(&mut work.starting) {
            // There is no more to this start than its end; the directory is there.
            let intents = work.intents_mut();
            intents.prepare.clear();
            if intents.is_empty() {
                work.intents = None;
            }
        }
        self.process_begun(id, role);
        let is_there = |pid: Option<u32>| pid == Some(0);
        match role {
            Role::Main if is_there(self.service(id).main_pid) => self.main_exited(id, ExitStatus::Code(EXIT_EXEC)),
            Role::Control if is_there(self.service(id).control_pid) => {
                self.control_exited(id, ExitStatus::Code(EXIT_EXEC));
            }
            _ => {}
        }
    }

    /// The main process has ended.
    pub(in crate::manager) fn main_exited(&mut self, id: UnitId, status: ExitStatus) {
        let exit = self.moment();
        let kind = self.service_settings(id).kind();
        let service = self.service_mut(id);
        let index = service.command_index;
        service.main_pid = None;
        service.exec_main_exit = exit;
        (service.exec_main_code, service.exec_main_status) = exit_numbers(status);
        if kind != ServiceType::Forking {
            let run = CommandRun {
                pid: service.exec_main_pid,
                start: service.exec_main_start,
                exit,
                code: service.exec_main_code,
                status: service.exec_main_status,
            };
            service.note_run((ServiceCommand::Start, index), run);
        }
        let result = self.main_result(id, status, index);
        self.note_result(id, result);
        self.queue_type_changed(id);
        self.queue_collect(id);
        self.record_due(id);
        if self.graph.unit(id).work.ending.is_some() {
            return;
        }
        let is_more = index + 1 < self.service_settings(id).commands(ServiceCommand::Start).len();
        if kind == ServiceType::Oneshot && self.state(id) == State::Start && is_more && result == UnitResult::Success {
            self.service_mut(id).command_index += 1;
            self.run_main(id);
        } else if self.service_settings(id).exit_type == ExitType::Cgroup && self.graph.unit(id).realized.exists {
            // The others count, too: what follows, follows when nobody is left.
            self.look_at_unit(id);
        } else {
            self.after_main(id, kind, result);
        }
    }

    fn main_result(&self, id: UnitId, status: ExitStatus, index: usize) -> UnitResult {
        let settings = self.service_settings(id);
        let is_daemon = settings.kind() != ServiceType::Oneshot;
        let ignores = settings.commands(ServiceCommand::Start).get(index).is_some_and(|command| command.ignore_failure);
        let is_ending = self.graph.unit(id).active() == ActiveState::Deactivating;
        match status {
            _ if ignores => UnitResult::Success,
            // Not known to be well; nobody shall take it for that, unless the end was asked for.
            ExitStatus::Lost if is_ending => UnitResult::Success,
            _ => exit_result(status, is_daemon, Some(settings)),
        }
    }

    fn after_main(&mut self, id: UnitId, kind: ServiceType, result: UnitResult) {
        let is_alone = !self.service(id).has_control();
        let settings = self.service_settings(id);
        let is_done = settings.remain_after_exit && settings.notify_access() != NotifyAccess::Main;
        match self.state(id) {
            State::StartPost | State::Reload | State::ReloadSignal | State::ReloadNotify if is_alone => {
                self.enter_stop(id, result);
            }
            State::Start if kind == ServiceType::Oneshot && result == UnitResult::Success => {
                self.enter_start_post(id);
            }
            State::Start if kind == ServiceType::Oneshot || kind.notifies() && result != UnitResult::Success => {
                self.enter_signal(id, State::StopSigterm, result);
            }
            // It has not been up, and will not be.
            State::Start if kind.notifies() && !is_done => {
                self.enter_signal(id, State::StopSigterm, UnitResult::Protocol);
            }
            State::Start if kind.notifies() => {}
            State::Start | State::Running => self.enter_running(id, result, false),
            state if state.is_stop_phase() && is_alone => self.enter_stop_post(id, result, false),
            State::StopPost if is_alone => self.enter_signal(id, State::FinalSigterm, result),
            state if state.is_final_phase() && is_alone => self.all_gone(id),
            _ => {}
        }
    }

    /// Of the processes that were started, none is left; whether others are is for the kernel to say.
    fn all_gone(&mut self, id: UnitId) {
        match self.graph.unit(id).realized.exists {
            true => self.look_at_unit(id),
            false => self.enter_dead(id, UnitResult::Success, Ending { force: false, restart: true }),
        }
    }

    /// The process of a command beside the main process has ended.
    pub(in crate::manager) fn control_exited(&mut self, id: UnitId, status: ExitStatus) {
        let exit = self.moment();
        let service = self.service_mut(id);
        let pid = service.control_pid.take().unwrap_or(0);
        let (code, number) = exit_numbers(status);
        let run = CommandRun { pid, start: service.control_start, exit, code, status: number };
        let command = service.control;
        command.into_iter().for_each(|command| service.note_run(command, run));
        self.queue_type_changed(id);
        self.queue_collect(id);
        self.record_due(id);
        let Some((step, index)) = command else { return };
        let ignores = self.service_settings(id).commands(step).get(index).is_some_and(|command| command.ignore_failure);
        let is_ending = self.graph.unit(id).active() == ActiveState::Deactivating;
        let result = match status {
            _ if ignores => UnitResult::Success,
            ExitStatus::Lost if is_ending => UnitResult::Success,
            ExitStatus::Code(1..255) if step == ServiceCommand::Condition => UnitResult::ExecCondition,
            _ => exit_result(status, false, None),
        };
        let state = self.state(id);
        if step != ServiceCommand::Reload {
            self.note_result(id, result);
        }
        if self.graph.unit(id).work.ending.is_some() {
            return;
        }
        match self.next_control(id).filter(|_| result == UnitResult::Success && !state.is_signal_phase()) {
            Some((step, index)) => self.run_control(id, step, index),
            None => self.after_control(id, state, result),
        }
    }

    fn after_control(&mut self, id: UnitId, state: State, result: UnitResult) {
        self.service_mut(id).control = None;
        let is_alone = self.service(id).main_pid.is_none();
        let is_well = result == UnitResult::Success;
        match state {
            State::Condition if is_well => self.enter_start_pre(id),
            State::StartPre if is_well => self.run_main(id),
            State::Start if is_well => self.forked(id),
            State::StartPost if is_well => self.start_posted(id),
            State::Condition | State::StartPre | State::Start | State::StartPost => {
                self.enter_signal(id, State::StopSigterm, result);
            }
            State::Reload => self.reloaded(id, result),
            State::Stop => self.enter_signal(id, State::StopSigterm, result),
            state if state.is_stop_phase() && is_alone => self.enter_stop_post(id, result, false),
            State::StopPost if is_alone => self.enter_signal(id, State::FinalSigterm, result),
            state if state.is_final_phase() && is_alone => self.all_gone(id),
            _ => {}
        }
    }

    fn reloaded(&mut self, id: UnitId, result: UnitResult) {
        let service = self.service_mut(id);
        service.reload_result = result;
        let notifies = self.service_settings(id).kind() == ServiceType::NotifyReload;
        if result == UnitResult::Success && notifies && self.service(id).main_pid.is_some() {
            self.await_reload(id);
            return;
        }
        self.enter_running(id, UnitResult::Success, false);
    }

    /// Nobody is in the cgroup any more. The ends of our own children come first, and count for more.
    pub(in crate::manager) fn service_emptied(&mut self, id: UnitId) {
        let service = self.service(id);
        let is_over = service.is_adopted && !service.has_control() && self.state(id).is_signal_phase();
        if is_over && service.main_pid.is_some() && self.graph.unit(id).work.ending.is_none() {
            // Dead, and its parent has not let go of it: nothing depends on how it ended any more.
            let pid = service.main_pid.unwrap_or_default();
            self.children.remove(&pid);
            self.main_exited(id, ExitStatus::Lost);
            return;
        }
        if !service.is_alone() {
            return;
        }
        let settings = self.service_settings(id);
        let (kind, exit_type) = (settings.kind(), settings.exit_type);
        let dead = Ending { force: false, restart: true };
        match self.state(id) {
            State::Start if !kind.notifies() && exit_type == ExitType::Cgroup => self.enter_start_post(id),
            // It will not be ready, nobody will write its file, or it ended while no arbiter was there to hear how.
            State::Condition | State::StartPre | State::Start | State::StartPost => {
                self.enter_stop_post(id, UnitResult::Protocol, true);
            }
            State::Running | State::Reload | State::ReloadNotify | State::ReloadSignal => {
                self.enter_running(id, UnitResult::Success, true);
            }
            state if state.is_stop_phase() => self.enter_stop_post(id, UnitResult::Success, true),
            State::StopPost => self.enter_dead(id, UnitResult::Success, dead),
            state if state.is_final_phase() => self.enter_dead(id, UnitResult::Success, dead),
            State::Dead | State::Failed | State::AutoRestart | State::Exited => self.prune_emptied(id),
            _ => {}
        }
    }

    fn prune_emptied(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        if unit.realized.exists {
            unit.work.prune = true;
            self.queue_realize(id);
        } else {
            self.queue_collect(id);
        }
    }
}
