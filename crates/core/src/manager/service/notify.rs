//! What a service says of itself: who is believed, and what follows (reference 02.5).

use crate::effect::{Effect, Severity};
use crate::event::Handed;
use crate::manager::Manager;
use crate::names::{CgroupPath, UnitType};
use crate::notification::{Notification, Phase, Watchdog};
use crate::service::NotifyState;
use crate::settings::{NotifyAccess, ServiceType};
use crate::time::INFINITY;
use crate::timers::TimerReason;
use crate::unit::{ActiveState, State, UnitId, UnitResult};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Manager {
    /// A process has sent a message. Number, user and cgroup are the kernel's word. Descriptors that are not kept are
    /// closed at once, whoever has sent them.
    pub(in crate::manager) fn notified(
        &mut self,
        pid: u32,
        uid: u32,
        cgroup: Option<&CgroupPath>,
        message: &str,
        mut descriptors: Vec<Handed>,
    ) {
        self.take_message(pid, uid, cgroup, message, &mut descriptors);
        if !descriptors.is_empty() {
            self.effects.push_back(Effect::Release(descriptors.into_iter().map(|handed| handed.pin).collect()));
        }
    }

    fn take_message(
        &mut self,
        pid: u32,
        uid: u32,
        cgroup: Option<&CgroupPath>,
        message: &str,
        descriptors: &mut Vec<Handed>,
    ) {
        let child = self.children.get(&pid).copied().filter(|id| self.graph.get(*id).is_some());
        let Some(id) = child.or_else(|| cgroup.and_then(|cgroup| self.unit_of_cgroup(cgroup))) else { return };
        let unit = self.graph.unit(id);
        if unit.unit_type() != UnitType::Service || unit.active().is_inactive_or_failed() && !unit.work.starting {
            return;
        }
        // It has been given up, and only its cgroup is still to go.
        if unit.work.ending.is_some() {
            return;
        }
        if !self.is_believed(id, pid) {
            return;
        }
        let message = Notification::parse(message);
        self.change_store(id, &message, descriptors);
        if let Some(main) = message.main_pid {
            self.main_pid_told(id, main, uid);
        }
        self.take_words(id, &message);
        if let Some(phase) = message.phase {
            self.phase_told(id, phase, &message);
        }
    }

    fn is_believed(&mut self, id: UnitId, pid: u32) -> bool {
        let service = self.service(id);
        let (main, control) = (service.main_pid, service.control_pid);
        let (is_fine, who) = match self.service_settings(id).notify_access() {
            NotifyAccess::All => (true, ""),
            NotifyAccess::Exec => (main == Some(pid) || control == Some(pid), "the main and control process"),
            NotifyAccess::Main => (main == Some(pid), "the main process"),
            NotifyAccess::None => (false, "nobody"),
        };
        if !is_fine {
            let text = format!("a message of process {pid} is passed over: only {who} may send some");
            self.tell(Severity::Warning, Some(id), text);
        }
        is_fine
    }

    /// Who the main process is. Only one of its own cgroup can be.
    fn main_pid_told(&mut self, id: UnitId, pid: u32, uid: u32) {
        let state = self.state(id);
        let is_time = matches!(state, State::Start | State::StartPost | State::Running) || state == State::Reload;
        if !is_time || self.service(id).main_pid == Some(pid) {
            return;
        }
        self.ask_for_process(id, pid, uid);
    }

    fn take_words(&mut self, id: UnitId, message: &Notification) {
        let moment = self.moment();
        let notified = &mut self.service_mut(id).notified;
        let mut is_new = false;
        if let Some(text) = &message.status {
            let text = Some(text.clone()).filter(|text| !text.is_empty());
            is_new |= notified.text != text;
            notified.text = text;
        }
        if let Some(errno) = message.errno {
            is_new |= notified.errno != errno;
            notified.errno = errno;
        }
        if let Some(usec) = message.watchdog_usec {
            notified.watchdog_usec = Some(usec);
        }
        if message.watchdog == Some(Watchdog::Alive) || message.watchdog_usec.is_some() {
            notified.watchdog = moment;
        }
        if is_new {
            self.queue_type_changed(id);
        }
        if message.watchdog == Some(Watchdog::Alive) || message.watchdog_usec.is_some() {
            self.arm_watchdog(id);
        }
        if message.watchdog == Some(Watchdog::Trigger) {
            self.watchdog_timed_out(id);
        }
        if let Some(usec) = message.extend_timeout_usec {
            self.extend_timeout(id, usec);
        }
    }

    /// No deadline of the step that is under way is sooner than that from now on.
    fn extend_timeout(&mut self, id: UnitId, usec: u64) {
        let at = self.now.monotonic.after(usec);
        for reason in [TimerReason::StartTimeout, TimerReason::StopTimeout, TimerReason::RuntimeMax] {
            self.timers.set_later(id, reason, at);
        }
    }

    fn phase_told(&mut self, id: UnitId, phase: Phase, message: &Notification) {
        let kind = self.service_settings(id).kind();
        let has_control = self.service(id).has_control();
        let state = self.state(id);
        let notified = &mut self.service_mut(id).notified;
        match phase {
            Phase::Ready => {
                notified.state = NotifyState::Ready;
                match state {
                    State::Start if kind.notifies() => self.enter_start_post(id),
                    State::ReloadNotify => self.enter_running(id, UnitResult::Success, false),
                    State::Reload if !has_control => self.enter_running(id, UnitResult::Success, false),
                    _ => {}
                }
            }
            Phase::Reloading => {
                notified.state = NotifyState::Reloading;
                let since = self.graph.unit(id).times.state_change.monotonic;
                let answers = message.monotonic_usec.is_some_and(|told| told >= since);
                match state {
                    State::Running => self.reload_by_notice(id),
                    State::ReloadSignal if answers => self.set_state(id, State::ReloadNotify),
                    _ => {}
                }
            }
            Phase::Stopping => {
                notified.state = NotifyState::Stopping;
                if state == State::Running {
                    self.stop_by_notice(id);
                }
            }
        }
        self.queue_type_changed(id);
    }

    /// It reloads of its own accord; whoever reloads with it is told to.
    pub(super) fn reload_by_notice(&mut self, id: UnitId) {
        let is_new = self.service_settings(id).kind() == ServiceType::NotifyReload;
        self.set_state(id, if is_new { State::ReloadNotify } else { State::Reload });
        self.arm_start_timer(id);
    }

    /// It ends of its own accord: only its end is waited for.
    pub(super) fn stop_by_notice(&mut self, id: UnitId) {
        self.set_state(id, State::StopSigterm);
        self.arm_stop_timer(id);
    }

    /// The commands of a reload are through: what the service itself says decides.
    pub(super) fn await_reload(&mut self, id: UnitId) {
        match self.service(id).notified.state {
            NotifyState::Reloading => self.set_state(id, State::ReloadNotify),
            NotifyState::Ready => self.enter_running(id, UnitResult::Success, false),
            NotifyState::Unknown | NotifyState::Stopping => self.set_state(id, State::ReloadSignal),
        }
    }

    /// From now on it has to give signs of life.
    pub(in crate::manager) fn start_watchdog(&mut self, id: UnitId) {
        if self.watchdog_usec(id) > 0 {
            let moment = self.moment();
            self.service_mut(id).notified.watchdog = moment;
            self.arm_watchdog(id);
        }
    }

    /// How long it may be silent; 0 is for ever.
    pub(in crate::manager) fn watchdog_usec(&self, id: UnitId) -> u64 {
        let usec = self.service(id).notified.watchdog_usec.unwrap_or(self.service_settings(id).watchdog_usec);
        if usec == INFINITY { 0 } else { usec }
    }

    fn arm_watchdog(&mut self, id: UnitId) {
        let usec = self.watchdog_usec(id);
        let state = self.state(id);
        let is_up = matches!(state, State::StartPost | State::Running) || state.active() == ActiveState::Reloading;
        if is_up && usec > 0 {
            self.arm(id, TimerReason::Watchdog, usec);
        } else {
            self.timers.clear(id, TimerReason::Watchdog);
        }
    }

    pub(super) fn watchdog_timed_out(&mut self, id: UnitId) {
        let state = self.state(id);
        let is_up = matches!(state, State::StartPost | State::Running) || state.active() == ActiveState::Reloading;
        if is_up && self.graph.unit(id).work.ending.is_none() {
            self.tell(Severity::Error, Some(id), String::from("no sign of life for too long"));
            self.enter_signal(id, State::StopWatchdog, UnitResult::Watchdog);
        }
    }
}
