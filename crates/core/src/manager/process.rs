//! Readings that were asked for, and processes of our own: services (reference 02.5, as much of it as is served).

use super::Manager;
use crate::client::Client;
use crate::effect::Severity;
use crate::error::OpError;
use crate::event::{Answer, ExitStatus, Question, ReadId};
use crate::exec::{self, EXIT_EXEC, ExecFailure};
use crate::plan::{Spawn, WatchId};
use crate::request::{CallId, Object, Request};
use crate::settings::ServiceType;
use crate::time::Timestamp;
use crate::unit::{ActiveState, State, UnitId, UnitResult, invocation_hex};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

/// `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED`.
const CLD: [i32; 3] = [1, 2, 3];

/// What goes on when a reading is there.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// A look at `cgroup.events`.
    Events { unit: UnitId, watch: WatchId },
    /// A request that names processes; they are pinned now.
    Pinned { call: CallId, client: Client, request: Box<Request> },
    /// A request about the cgroup of a process.
    UnitOfPid { call: CallId, with_invocation: bool },
    /// A request of the caller's own unit by an empty name: the request, with the name filled in.
    OwnUnit { call: CallId, client: Client, request: Box<Request> },
    /// A property request that shows the kernel's counters.
    Property { call: CallId, object: Object, interface: String, name: Option<String>, unit: UnitId },
    /// Members of a unit's cgroup.
    Processes { call: CallId, unit: UnitId },
    /// Whether the name that an earlier arbiter knew to end a scope still has an owner.
    RecoveredController { name: alloc::sync::Arc<str> },
    /// Whether the name that is to end a scope has an owner. Asked so that the bus is watched from now on; a name that
    /// nobody owns yet stays, as with systemd.
    Controller,
    /// The unit files, for a reload.
    Reload { call: CallId },
    /// The unit files, for a request about them.
    UnitFiles { call: CallId, request: Box<Request> },
}

impl Manager {
    /// A reading has come.
    pub(super) fn resume(&mut self, id: ReadId, answer: Answer) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        match (waiting, answer) {
            (Waiting::Events { unit, watch }, Answer::Events(events)) => self.events_seen(unit, watch, events),
            (Waiting::Events { .. }, _) => {}
            (Waiting::Controller, _) => {}
            (Waiting::RecoveredController { name }, Answer::Flag(owned)) => {
                if !owned {
                    self.forget_controller(&name);
                }
            }
            (Waiting::RecoveredController { .. }, _) => {}
            (Waiting::Pinned { call, client, request }, Answer::Processes(pins)) => {
                self.pinned(call, &client, *request, &pins);
            }
            (Waiting::UnitOfPid { call, with_invocation, .. }, Answer::Cgroup { pid, cgroup }) => {
                self.answer_unit_of_pid(call, with_invocation, pid, cgroup.as_ref());
            }
            (Waiting::OwnUnit { call, client, request }, Answer::Cgroup { cgroup, .. }) => {
                self.with_own_unit(call, &client, *request, cgroup.as_ref());
            }
            (Waiting::Property { call, object, interface, name, unit }, Answer::Readings(readings)) => {
                self.answer_property(call, &object, &interface, name.as_deref(), unit, readings.as_ref());
            }
            (Waiting::Processes { call, unit }, Answer::Members(members)) => {
                self.answer_processes(call, unit, members.unwrap_or_default());
            }
            (Waiting::Reload { call }, Answer::UnitFiles(files)) => self.reload(call, files),
            (Waiting::UnitFiles { call, request }, Answer::UnitFiles(files)) => self.files_read(call, *request, files),
            (waiting, _) => self.unanswered(waiting),
        }
    }

    /// The process that a service starts.
    pub(super) fn prepare_spawn(&mut self, id: UnitId) {
        let environment = self.service_environment(id);
        let unit = self.graph.unit_mut(id);
        let state = unit.service.get_or_insert_with(Box::default);
        let index = state.command_index;
        let Some(command) = unit.settings.service.as_ref().and_then(|service| service.exec_start.get(index)) else {
            return;
        };
        let spawn = Spawn {
            path: command.path.clone(),
            arguments: command.arguments.clone(),
            environment,
            setup: exec::setup(&unit.settings),
            no_env_expand: command.no_env_expand,
            tell_executed: unit.settings.service().kind == Some(ServiceType::Exec),
        };
        unit.work.intents_mut().spawn = Some(Box::new(spawn));
    }

    fn service_environment(&self, id: UnitId) -> alloc::vec::Vec<String> {
        let unit = self.graph.unit(id);
        let mut environment = self.environment.clone();
        if let Some(invocation) = unit.invocation_id {
            environment.push(format!("INVOCATION_ID={}", invocation_hex(&invocation)));
        }
        environment
    }

    /// The main process runs.
    pub(super) fn spawned(&mut self, id: UnitId, pid: u32) {
        let now = Timestamp::from(self.now);
        let unit = self.graph.unit_mut(id);
        let service = unit.service.get_or_insert_with(Box::default);
        service.main_pid = Some(pid);
        service.is_watched = true;
        service.exec_main_pid = pid;
        service.exec_main_code = 0;
        service.exec_main_status = 0;
        service.exec_main_start = now;
        service.exec_main_exit = Timestamp::default();
        self.children.insert(pid, id);
        self.queue_type_changed(id);
        // From now on it can be found again.
        self.record_due(id);
    }

    /// The main process that another arbiter has spawned is held: its end will be told.
    pub(super) fn process_held(&mut self, id: UnitId, pid: u32) {
        let service = self.graph.unit_mut(id).service.as_mut();
        if let Some(service) = service.filter(|service| service.main_pid == Some(pid)) {
            service.is_watched = true;
        }
    }

    /// It was not there any more.
    pub(super) fn process_lost(&mut self, id: UnitId, pid: u32) {
        self.process_held(id, pid);
        self.child_exited(pid, ExitStatus::Lost);
    }

    /// The program could not be run. Type simple is up as soon as its process exists, so there the start has worked and
    /// the service fails afterwards (reference 02.5, types).
    pub(super) fn spawn_failed(&mut self, id: UnitId, error: &OpError) {
        let unit = self.graph.unit_mut(id);
        let service = unit.service.get_or_insert_with(Box::default);
        service.exec_main_code = CLD[0];
        service.exec_main_status = EXIT_EXEC;
        let kind = unit.settings.service.as_ref().and_then(|service| service.kind);
        if matches!(kind, Some(ServiceType::Exec | ServiceType::Oneshot)) {
            self.tell(Severity::Error, Some(id), format!("start failed: {error}"));
            self.abort_start(id, UnitResult::ExitCode);
            return;
        }
        self.graph.unit_mut(id).work.starting = false;
        self.forget_intents(id);
        self.set_state(id, State::Running);
        self.end(id, UnitResult::ExitCode, true);
    }

    /// One of our children has become its program, or could not: then it says why, and ends.
    pub(super) fn child_executed(&mut self, pid: u32, failure: Option<ExecFailure>) {
        let Some(&id) = self.children.get(&pid).filter(|id| self.graph.get(**id).is_some()) else {
            if self.in_flight.is_some() {
                self.early_executions.push((pid, failure));
            }
            return;
        };
        match failure {
            Some(failure) => self.tell(Severity::Error, Some(id), format!("{failure}")),
            None => self.main_executed(id, pid),
        }
    }

    /// A service of type exec is up when its program is.
    fn main_executed(&mut self, id: UnitId, pid: u32) {
        let unit = self.graph.unit(id);
        let is_main = unit.service.as_ref().is_some_and(|service| service.main_pid == Some(pid));
        let kind = unit.settings.service().kind;
        if is_main && kind == Some(ServiceType::Exec) && unit.state == State::Start {
            self.set_state(id, State::Running);
            self.queue_type_changed(id);
        }
    }

    /// One of our children has ended.
    pub(super) fn child_exited(&mut self, pid: u32, status: ExitStatus) {
        let Some(id) = self.children.remove(&pid).filter(|id| self.graph.get(*id).is_some()) else {
            // A plan that runs elsewhere may have started it, and not have said so yet.
            if self.in_flight.is_some() {
                self.early_exits.push((pid, status));
            }
            return;
        };
        self.main_exited(id, pid, status);
    }

    /// The main process of a service has ended.
    pub(super) fn main_exited(&mut self, id: UnitId, pid: u32, status: ExitStatus) {
        let now = Timestamp::from(self.now);
        let unit = self.graph.unit_mut(id);
        let Some(service) = unit.service.as_mut().filter(|service| service.main_pid == Some(pid)) else { return };
        service.main_pid = None;
        service.exec_main_exit = now;
        (service.exec_main_code, service.exec_main_status) = match status {
            ExitStatus::Code(code) => (CLD[0], code),
            ExitStatus::Signal(signal) => (CLD[1], signal),
            ExitStatus::Dumped(signal) => (CLD[2], signal),
            ExitStatus::Lost => (0, 0),
        };
        if status == ExitStatus::Lost {
            let text = format!("how process {pid} ended is not known: it was no child of this arbiter");
            self.tell(Severity::Warning, Some(id), text);
        }
        let oneshot = self.is_oneshot(id);
        let result = self.exit_result(id, status, oneshot);
        self.queue_type_changed(id);
        self.queue_collect(id);
        self.main_ended(id, result);
    }

    fn is_oneshot(&self, id: UnitId) -> bool {
        let settings = self.graph.unit(id).settings.service.as_ref();
        settings.and_then(|service| service.kind) == Some(ServiceType::Oneshot)
    }

    fn exit_result(&self, id: UnitId, status: ExitStatus, oneshot: bool) -> UnitResult {
        let unit = self.graph.unit(id);
        let index = unit.service.as_ref().map_or(0, |service| service.command_index);
        let ignores = unit.settings.service.as_ref().and_then(|service| service.exec_start.get(index));
        match status {
            _ if ignores.is_some_and(|command| command.ignore_failure) => UnitResult::Success,
            ExitStatus::Code(0) => UnitResult::Success,
            // A daemon that ends by a polite signal has ended well.
            ExitStatus::Signal(1 | 2 | 13 | 15) if !oneshot => UnitResult::Success,
            ExitStatus::Code(_) => UnitResult::ExitCode,
            ExitStatus::Signal(_) => UnitResult::Signal,
            ExitStatus::Dumped(_) => UnitResult::CoreDump,
            // Not known to be well; nobody shall take it for that, unless the end was asked for.
            ExitStatus::Lost if unit.active() == ActiveState::Deactivating => UnitResult::Success,
            ExitStatus::Lost => UnitResult::Protocol,
        }
    }

    fn main_ended(&mut self, id: UnitId, result: UnitResult) {
        let unit = self.graph.unit(id);
        let remains = unit.settings.service.as_ref().is_some_and(|service| service.remain_after_exit);
        let (state, watch, noted) = (unit.state, unit.realized.watch, unit.result);
        match state {
            State::Start if result == UnitResult::Success && self.next_command(id) => {}
            State::Start | State::Running if result == UnitResult::Success && remains => {
                self.set_state(id, State::Exited);
                // Nobody is left in the cgroup, most likely: then it goes.
                if let Some(watch) = watch {
                    self.look_at(watch);
                }
            }
            State::Start | State::Running => {
                self.note_result(id, result);
                self.signal_phase(id, State::StopSigterm, result);
            }
            State::StopSigterm | State::StopSigkill | State::FinalSigterm | State::FinalSigkill => {
                self.note_result(id, result);
                match watch {
                    Some(watch) => self.look_at(watch),
                    None => self.end(id, noted, false),
                }
            }
            _ => {}
        }
    }

    /// The next of several commands of a oneshot service, if there is one.
    fn next_command(&mut self, id: UnitId) -> bool {
        let unit = self.graph.unit_mut(id);
        let count = unit.settings.service.as_ref().map_or(0, |service| service.exec_start.len());
        let state = unit.service.get_or_insert_with(Box::default);
        if state.command_index + 1 >= count {
            state.command_index = 0;
            return false;
        }
        state.command_index += 1;
        self.prepare_spawn(id);
        // Nobody shall take the end of the one before for that of this one.
        self.record_due(id);
        self.queue_realize(id);
        true
    }

    /// Asks which cgroup a process is in.
    pub(super) fn ask_cgroup_of(&mut self, pid: u32, then: Waiting) {
        self.read(Question::CgroupOf(pid), then);
    }
}
