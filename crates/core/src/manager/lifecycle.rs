//! The life of a unit: its states, how it is started, and how its stop begins (reference 02.3 to 02.5). How it comes to
//! its end is in `endings.rs`.

use super::Manager;
use super::attach::not_active;
use super::process::Waiting;
use crate::effect::{Audience, Effect, Severity, Signal};
use crate::error::{Refusal, RefusalKind};
use crate::event::Question;
use crate::names::UnitType;
use crate::persist;
use crate::plan::{Op, Pin};
use crate::settings::ServiceType;
use crate::time::{INFINITY, Timestamp};
use crate::timers::TimerReason;
use crate::unit::{ActiveState, FreezerState, State, UnitId, UnitResult, invocation_hex};
use crate::work::RecordWork;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

impl Manager {
    /// Enters a state: times, jobs, signals (reference 02.2).
    pub(super) fn set_state(&mut self, id: UnitId, state: State) {
        let unit = self.graph.unit_mut(id);
        let (old, former) = (unit.active(), unit.state);
        if former == state {
            return;
        }
        // Clients see every state, also those that last no longer than one event.
        if unit.marks.changed && unit.marks.announced {
            self.announce_unit(id);
        }
        let now = Timestamp::from(self.now);
        let unit = self.graph.unit_mut(id);
        unit.state = state;
        let new = unit.active();
        let times = &mut unit.times;
        times.state_change = now;
        if old.is_inactive_or_failed() && !new.is_inactive_or_failed() {
            times.inactive_exit = now;
        } else if !old.is_inactive_or_failed() && new.is_inactive_or_failed() {
            times.inactive_enter = now;
        }
        if !old.is_active_or_reloading() && new.is_active_or_reloading() {
            times.active_enter = now;
        } else if old.is_active_or_reloading() && !new.is_active_or_reloading() {
            times.active_exit = now;
        }
        self.note_failed(id);
        self.note_consequences(id, old, new);
        self.queue_changed(id);
        self.note_record(id);
        if self.is_record_behind(id, former) {
            self.record_due(id);
        }
        self.clear_outlived_timers(id, state);
        if new.is_inactive_or_failed() {
            self.timers.clear_all(id);
            self.forget_intents(id);
            self.forget_freeze(id);
            // Who is to be started anew needs them once more.
            if !self.service(id).will_restart && !self.is_to_start(id) {
                self.close_streams(id);
                self.empty_store(id);
            }
            self.queue_collect(id);
        }
        self.update_job(id);
    }

    /// A state that is not written down is what a successor assumes, unless the record speaks of the one before. That a
    /// process has become its program is assumed, too.
    fn is_record_behind(&self, id: UnitId, former: State) -> bool {
        let unit = self.graph.unit(id);
        let is_assumed = former == State::Start && unit.settings.service().kind() == ServiceType::Exec;
        // The record of a start says how it begins.
        let is_start = former.active().is_inactive_or_failed() || former == State::AutoRestart;
        let is_up = unit.active() == ActiveState::Active;
        is_up && !is_start && !is_assumed && persist::is_saved(former) && !persist::is_saved(unit.state)
    }

    /// Deadlines that are about what the unit was before.
    fn clear_outlived_timers(&mut self, id: UnitId, state: State) {
        let active = state.active();
        if !matches!(active, ActiveState::Activating | ActiveState::Reloading) {
            self.timers.clear(id, TimerReason::StartTimeout);
            self.timers.clear(id, TimerReason::PidFile);
        }
        if !active.is_active_or_activating() {
            self.timers.clear(id, TimerReason::RuntimeMax);
            self.timers.clear(id, TimerReason::Watchdog);
        }
        if state != State::AutoRestart {
            self.timers.clear(id, TimerReason::Restart);
        }
    }

    /// Descriptors that a client has sent for standard streams are held until nobody starts with them any more.
    pub(super) fn close_streams(&mut self, id: UnitId) {
        let Some(exec) = self.graph.unit_mut(id).settings.exec.as_mut() else { return };
        let pins: Vec<Pin> = exec.streams.iter_mut().filter_map(|stream| stream.handle.take().map(Pin)).collect();
        if !pins.is_empty() {
            self.effects.push_back(Effect::Release(pins));
        }
    }

    /// Has the record written anew when there is more to say than it says; one of a unit that is down will go.
    pub(super) fn note_record(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        let is_left = unit.realized.is_used() && unit.unit_type() != UnitType::Slice;
        // A start that waits for the end brings a record of its own.
        let is_new = unit.job.is_some() && unit.work.intents.as_ref().is_some_and(|intents| intents.record.is_some());
        if unit.state == State::Dead && !is_left {
            if !is_new {
                unit.work.forget_record();
            }
        } else if persist::is_saved(unit.state) {
            self.record_due(id);
        }
    }

    /// Has the record written with the next plan.
    pub(super) fn record_due(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        if unit.transient && unit.fragment.is_some() {
            unit.work.record = RecordWork::Due;
            self.queue_realize(id);
        }
    }

    /// Where no cgroup is, nothing stands still. The directory of a slice outlives it while others are in it: when that
    /// could not be thawed, it holds them still.
    pub(super) fn forget_freeze(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        let holds = unit.unit_type() == UnitType::Slice && unit.realized.exists;
        if !holds || unit.freezer != FreezerState::Frozen {
            unit.freezer = FreezerState::Running;
        }
        if let Some(intents) = &mut unit.work.intents {
            intents.freeze = None;
        }
        if let Some(call) = self.freezing.remove(&id) {
            let text = "Freezer operation was canceled by the end of the unit.";
            self.reply(call, Err(Refusal::new(RefusalKind::FreezeCancelled, text)));
        }
    }

    fn note_failed(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        if unit.state == State::Failed {
            self.failed_units.insert(unit.name.clone());
        } else {
            self.failed_units.remove(&unit.name);
        }
    }

    /// Begins a start: a new identity, and work for the next plan.
    pub(super) fn start_unit(&mut self, id: UnitId) {
        let invocation = self.rng.invocation_id();
        self.graph.set_invocation(id, Some(invocation));
        self.timers.clear(id, TimerReason::Retry);
        let unit = self.graph.unit_mut(id);
        assert!(unit.state.active().is_inactive_or_failed() && !unit.work.starting);
        unit.work.starting = true;
        // What was to go is wanted again.
        unit.work.prune = false;
        unit.work.surprises = 0;
        unit.result = UnitResult::Success;
        unit.realized.last = None;
        self.directory_is_used(id);
        if self.graph.unit(id).unit_type() != UnitType::Slice {
            self.prepare_directory(id, invocation);
        }
        if self.graph.unit(id).unit_type() == UnitType::Service {
            self.prepare_service(id);
        }
        self.record_due(id);
        self.queue_realize_up(id);
    }

    /// Attributes and ownership of the directory that others look at (reference 09.2, 09.4).
    fn prepare_directory(&mut self, id: UnitId, invocation: [u8; 16]) {
        let Some(cgroup) = self.graph.cgroup_path(id) else { return };
        let unit = self.graph.unit_mut(id);
        let delegate = unit.settings.resources.delegate;
        let hex = invocation_hex(&invocation);
        let mut prepare =
            Vec::from([Op::Xattr { cgroup: cgroup.clone(), name: "user.invocation_id", value: Some(hex) }]);
        if delegate {
            let value = Some(String::from("1"));
            prepare.push(Op::Xattr { cgroup: cgroup.clone(), name: "user.delegate", value: value.clone() });
            prepare.push(Op::Xattr { cgroup: cgroup.clone(), name: "trusted.delegate", value });
        }
        if let Some(user) = unit.settings.user.clone().filter(|_| delegate) {
            prepare.push(Op::Delegate { cgroup, user, group: unit.settings.group.clone() });
        }
        unit.work.intents_mut().prepare = prepare;
    }

    /// A slice that was found without a mark is only up because somebody lies in it. Who starts it is told that it is
    /// up by itself, and the next arbiter has to know.
    pub(super) fn mark_if_unmarked(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let is_unmarked = unit.unit_type() == UnitType::Slice && !unit.perpetual && unit.invocation_id.is_none();
        let Some(cgroup) = self.graph.cgroup_path(id).filter(|_| is_unmarked && unit.realized.exists) else { return };
        let invocation = self.rng.invocation_id();
        self.graph.set_invocation(id, Some(invocation));
        let value = Some(invocation_hex(&invocation));
        let mark = Op::Xattr { cgroup, name: "user.invocation_id", value };
        self.graph.unit_mut(id).work.intents_mut().prepare.push(mark);
        self.queue_changed(id);
    }

    /// Its mark is still to be put.
    pub(super) fn is_to_be_marked(&self, id: UnitId) -> bool {
        let prepare = self.graph.unit(id).work.intents.iter().flat_map(|intents| &intents.prepare);
        prepare.into_iter().any(|op| matches!(op, Op::Xattr { name: "user.invocation_id", .. }))
    }

    /// The start's work is done: the unit is up.
    pub(super) fn started(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        assert!(unit.work.starting);
        unit.work.starting = false;
        self.directory_is_used(id);
        match self.graph.unit(id).unit_type() {
            UnitType::Slice => self.set_state(id, State::Active),
            UnitType::Scope => self.scope_started(id),
            UnitType::Service => self.service_started(id),
            other => unreachable!("a {} is never started", other.suffix()),
        }
    }

    fn scope_started(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        let runtime_max = unit.settings.runtime_max_usec;
        unit.result = UnitResult::Success;
        if core::mem::take(&mut unit.work.attached) == 0 {
            self.tell(Severity::Warning, Some(id), String::from("none of the processes lived to be moved"));
            self.end(id, UnitResult::Resources, true);
            return;
        }
        if runtime_max != INFINITY {
            self.timers.set(id, TimerReason::RuntimeMax, self.now.monotonic.after(runtime_max));
        }
        if let Some(name) = self.graph.unit(id).controller.clone() {
            self.read(Question::BusNameOwned(name.to_string()), Waiting::Controller);
        }
        self.set_state(id, State::Running);
    }

    /// Begins a stop.
    pub(super) fn stop_unit(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        if unit.work.starting {
            if unit.unit_type() == UnitType::Service {
                self.service_mut(id).forbid_restart = true;
            }
            self.abort_start(id, UnitResult::Success);
            return;
        }
        if unit.freezer != FreezerState::Running {
            // Who stands still does not hear signals.
            self.thaw_for_stop(id);
        }
        let unit = self.graph.unit(id);
        match unit.unit_type() {
            UnitType::Slice => self.end(id, UnitResult::Success, true),
            UnitType::Service => self.stop_service(id),
            _ if unit.controller.is_some() && unit.state == State::Running => self.ask_controller(id),
            _ => self.signal_phase(id, State::StopSigterm, UnitResult::Success),
        }
    }

    pub(super) fn thaw_for_stop(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        unit.freezer = FreezerState::Thawing;
        unit.work.intents_mut().freeze = Some(false);
        self.queue_realize(id);
    }

    /// A start that is not to be finished: what was built is taken down, who waited is let go.
    pub(super) fn abort_start(&mut self, id: UnitId, result: UnitResult) {
        let unit = self.graph.unit_mut(id);
        unit.work.starting = false;
        unit.work.attached = 0;
        self.forget_intents(id);
        self.end(id, result, true);
    }

    /// What was to be done with the cgroup and its processes is not to be done any more. Records are still written, and
    /// who waits is answered.
    pub(super) fn forget_intents(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        unit.service.iter_mut().for_each(|service| service.spawning = None);
        let work = &mut unit.work;
        if work.record == RecordWork::Kept {
            // The start that it is about is not to be.
            work.forget_record();
        }
        let Some(intents) = &mut work.intents else { return };
        let prepared = core::mem::take(&mut intents.prepare);
        let pins = prepared.into_iter().filter_map(|op| if let Op::Attach { pin, .. } = op { Some(pin) } else { None });
        let pins: Vec<Pin> = core::mem::take(&mut intents.attach).into_iter().chain(pins).collect();
        let signals = core::mem::take(&mut intents.signals);
        let attaching = core::mem::take(&mut intents.attaching);
        intents.spawn = None;
        intents.freeze = None;
        if intents.is_empty() {
            self.graph.unit_mut(id).work.intents = None;
        }
        if !pins.is_empty() {
            self.effects.push_back(Effect::Release(pins));
        }
        attaching.into_iter().for_each(|attaching| self.reply(attaching.call, Err(not_active())));
        for kill in signals.into_iter().filter_map(|signal| signal.by_client) {
            self.answer_kill(kill, 0);
        }
    }

    /// The scope's controller ends the processes itself; we only watch the clock (reference 08.4).
    pub(super) fn ask_controller(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let name = unit.name.clone();
        let peer = unit.controller.clone().expect("only scopes with a controller get here");
        self.effects.push_back(Effect::Emit(Signal::RequestStop(name), Audience::Peer(peer)));
        self.arm_stop_timer(id);
        self.set_state(id, State::StopSigterm);
    }
}
