//! Readings that were asked for, and what goes on when they are there.

use super::Manager;
use super::requests::reading_failed;
use super::reread::Reread;
use crate::client::Client;
use crate::event::{Answer, ExitStatus, Question, ReadId};
use crate::plan::WatchId;
use crate::request::{CallId, Request};
use crate::unit::UnitId;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

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
    /// A property request that shows the kernel's counters; whether the unit's files are others by now is known.
    Property { call: CallId, interface: String, name: Option<String>, unit: UnitId, outdated: bool },
    /// A property request that shows whether the unit's files are others by now.
    PropertyFiles { call: CallId, interface: String, name: Option<String>, unit: UnitId },
    /// Members of a unit's cgroup.
    Processes { call: CallId, unit: UnitId },
    /// Whether the name that an earlier arbiter knew to end a scope still has an owner.
    RecoveredController { name: alloc::sync::Arc<str> },
    /// Whether the name that is to end a scope has an owner. Asked so that the bus is watched from now on; a name that
    /// nobody owns yet stays, as with systemd.
    Controller,
    /// The unit files, for a reload.
    Reload { call: CallId },
    /// Records of transient units whose drop-ins are others than before.
    Records(Reread),
    /// The unit files, for a request about them.
    UnitFiles { call: CallId, request: Box<Request> },
    /// What a forking service has left behind.
    Orphans { unit: UnitId },
    /// The process that its file names.
    PidFile { unit: UnitId },
    /// The process that it says is its main one.
    MainPid { unit: UnitId, pid: u32 },
}

impl Manager {
    /// A reading has come.
    pub(super) fn resume(&mut self, id: ReadId, answer: Answer) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        let answer = self.only_complete(answer);
        match (waiting, answer) {
            (Waiting::Events { unit, watch }, Answer::Events(events)) => self.events_seen(unit, watch, events),
            (Waiting::Events { unit, watch }, _) => self.look_failed(unit, watch),
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
            (Waiting::Property { call, interface, name, unit, outdated }, Answer::Readings(readings)) => {
                let reply = self.unit_value(unit, &interface, name.as_deref(), readings.as_ref(), outdated);
                self.reply(call, reply);
            }
            (Waiting::PropertyFiles { call, interface, name, unit }, Answer::UnitFiles(files)) => {
                self.unit_files_seen(call, interface, name, unit, Some(files));
            }
            (Waiting::PropertyFiles { call, interface, name, unit }, _) => {
                self.unit_files_seen(call, interface, name, unit, None);
            }
            (Waiting::Processes { call, unit }, Answer::Members(members)) => {
                self.answer_processes(call, unit, members.unwrap_or_default());
            }
            (Waiting::Reload { call }, Answer::UnitFiles(files)) => self.reload(call, files),
            (Waiting::Records(reread), Answer::UnitFiles(files)) => self.records_read(reread, files),
            (Waiting::UnitFiles { call, request }, Answer::UnitFiles(files)) => self.files_read(call, *request, files),
            (Waiting::Orphans { unit }, Answer::Pids(pids)) => self.orphans_seen(unit, &pids),
            (Waiting::PidFile { unit }, Answer::Cgroup { pid, cgroup }) => {
                self.pid_file_read(unit, pid, cgroup.as_ref());
            }
            (Waiting::MainPid { unit, pid }, Answer::Cgroup { cgroup, .. }) => {
                self.main_pid_seen(unit, pid, cgroup.as_ref());
            }
            (Waiting::Orphans { unit }, _) => self.orphans_seen(unit, &[]),
            (Waiting::PidFile { unit }, _) => self.pid_file_read(unit, 0, None),
            (Waiting::MainPid { .. }, _) => {}
            (Waiting::Records(reread), Answer::Failed(error)) => self.records_unread(reread, &error),
            (Waiting::Reload { call } | Waiting::UnitFiles { call, .. }, Answer::Failed(error)) => {
                self.reply(call, Err(reading_failed(&format!("The unit files could not be read: {error}"))));
            }
            (waiting, _) => self.unanswered(waiting),
        }
    }

    /// Unit files count if they are all there: those of a directory that cannot be read would seem to have gone.
    fn only_complete(&self, answer: Answer) -> Answer {
        let Answer::UnitFiles(files) = &answer else { return answer };
        self.files.why_incomplete(files).cloned().map_or(answer, Answer::Failed)
    }

    /// The main process that another arbiter has spawned is held: its end will be told.
    pub(super) fn process_held(&mut self, id: UnitId, pid: u32) {
        let Some(service) = &mut self.graph.unit_mut(id).service else { return };
        if service.main_pid == Some(pid) {
            service.is_watched = true;
        }
        if service.control_pid == Some(pid) {
            service.control_is_watched = true;
        }
    }

    /// It was not there any more.
    pub(super) fn process_lost(&mut self, id: UnitId, pid: u32) {
        self.process_held(id, pid);
        self.child_exited(pid, ExitStatus::Lost);
    }

    /// Asks which cgroup a process is in.
    pub(super) fn ask_cgroup_of(&mut self, pid: u32, then: Waiting) {
        self.read(Question::CgroupOf(pid), then);
    }
}
