//! Who the main process is of a service that was not started as one: by its file, by what is left in its cgroup, or by
//! its own word. The kernel has to agree: it lies in the service's cgroup.

use crate::effect::Severity;
use crate::event::Question;
use crate::manager::Manager;
use crate::manager::process::Waiting;
use crate::names::CgroupPath;
use crate::settings::ServiceType;
use crate::timers::TimerReason;
use crate::unit::{State, UnitId, UnitResult};
use alloc::format;

/// How often a file that is not there yet is looked for.
const LOOK_AGAIN_USEC: u64 = 100_000;

impl Manager {
    /// The command of a forking service has ended well; what it has left behind is the service.
    pub(super) fn forked(&mut self, id: UnitId) {
        let settings = self.service_settings(id);
        if settings.kind() != ServiceType::Forking {
            return;
        }
        if settings.pid_file.is_some() {
            self.ask_for_pid_file(id);
        } else if settings.guess_main_pid {
            match self.graph.unit(id).realized.path.clone() {
                Some(cgroup) => self.read(Question::Orphans(cgroup), Waiting::Orphans { unit: id }),
                None => self.enter_start_post(id),
            }
        } else {
            self.enter_start_post(id);
        }
    }

    pub(super) fn start_posted(&mut self, id: UnitId) {
        let settings = self.service_settings(id);
        if settings.pid_file.is_some() && self.service(id).main_pid.is_none() {
            self.ask_for_pid_file(id);
        } else {
            self.enter_running(id, UnitResult::Success, false);
        }
    }

    pub(super) fn ask_for_pid_file(&mut self, id: UnitId) {
        if let Some(path) = self.service_settings(id).pid_file.clone() {
            self.read(Question::PidFile(path), Waiting::PidFile { unit: id });
        }
    }

    /// What the file says: 0 when there is none, or it names nobody.
    pub(in crate::manager) fn pid_file_read(&mut self, id: UnitId, pid: u32, cgroup: Option<&CgroupPath>) {
        let awaits = matches!(self.graph.get(id).map(|unit| unit.state), Some(State::Start | State::StartPost));
        if !awaits || self.service(id).has_control() || self.graph.unit(id).work.ending.is_some() {
            return;
        }
        let is_own = pid != 0 && self.is_own_cgroup(id, cgroup);
        let has_more = self.state(id) == State::Start
            && !self.service_settings(id).commands(crate::settings::ServiceCommand::StartPost).is_empty();
        if is_own {
            self.take_main(id, pid);
        } else if !has_more {
            // It may come until the time for the start is over.
            let at = self.now.monotonic.after(LOOK_AGAIN_USEC);
            self.timers.set(id, TimerReason::PidFile, at);
            return;
        }
        if self.state(id) == State::Start {
            self.enter_start_post(id);
        } else {
            self.enter_running(id, UnitResult::Success, false);
        }
    }

    /// Processes that are left in the cgroup, and whose parents are not there: one of them is the main process, several
    /// leave it open.
    pub(in crate::manager) fn orphans_seen(&mut self, id: UnitId, pids: &[u32]) {
        let awaits = self.graph.get(id).is_some_and(|unit| unit.state == State::Start && unit.work.ending.is_none());
        if !awaits || self.service(id).has_control() {
            return;
        }
        if let [pid] = pids {
            self.take_main(id, *pid);
        }
        self.enter_start_post(id);
    }

    /// A process says that another one is the main process: where that one lies decides.
    pub(super) fn ask_for_process(&mut self, id: UnitId, pid: u32, _uid: u32) {
        self.read(Question::CgroupOf(pid), Waiting::MainPid { unit: id, pid });
    }

    pub(in crate::manager) fn main_pid_seen(&mut self, id: UnitId, pid: u32, cgroup: Option<&CgroupPath>) {
        let Some(unit) = self.graph.get(id) else { return };
        let is_time = matches!(unit.state, State::Start | State::StartPost | State::Running | State::Reload);
        if !is_time || unit.work.ending.is_some() {
            return;
        }
        if self.is_own_cgroup(id, cgroup) {
            self.take_main(id, pid);
        } else {
            let text = format!("process {pid} is not taken for the main process: it is not in the cgroup");
            self.tell(Severity::Warning, Some(id), text);
        }
    }

    fn is_own_cgroup(&self, id: UnitId, cgroup: Option<&CgroupPath>) -> bool {
        cgroup.is_some_and(|cgroup| self.unit_of_cgroup(cgroup) == Some(id))
    }

    /// This one is the main process from now on. Its end will be told once it has been taken hold of.
    fn take_main(&mut self, id: UnitId, pid: u32) {
        let moment = self.moment();
        let service = self.service_mut(id);
        let former = service.main_pid;
        let is_child = former == Some(pid) || service.control_pid == Some(pid);
        if former == Some(pid) {
            return;
        }
        service.set_main(pid, moment);
        (service.is_watched, service.is_adopted) = (is_child, !is_child);
        if let Some(former) = former {
            self.children.remove(&former);
        }
        self.children.insert(pid, id);
        self.queue_type_changed(id);
        self.record_due(id);
        self.queue_realize(id);
    }
}
