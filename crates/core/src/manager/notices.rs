//! What the kernel tells about cgroups: empty, frozen, out of memory. A notice is a hint; the state is read again
//! before anything follows from it (reference 08.6, 13).

use super::Manager;
use super::process::Waiting;
use crate::effect::{Reply, Severity};
use crate::error::OpError;
use crate::event::{CgroupEvents, Question};
use crate::names::UnitType;
use crate::plan::{Outcome, WatchId};
use crate::unit::{FreezerState, State, UnitId, UnitResult};
use crate::work::{ClientKill, SignalIntent};
use crate::{Refusal, RefusalKind};
use alloc::format;
use alloc::string::String;

impl Manager {
    /// A watched cgroup may have changed: look at it. Unknown watches are of cgroups that have gone.
    pub(super) fn look_at(&mut self, watch: WatchId) {
        let Some(id) = self.watches.get(&watch).copied() else { return };
        let Some(cgroup) = self.graph.unit(id).realized.path.clone() else { return };
        self.read(Question::Events(cgroup), Waiting::Events { unit: id, watch });
    }

    /// What a look at the cgroup has shown.
    pub(super) fn events_seen(&mut self, id: UnitId, watch: WatchId, events: Option<CgroupEvents>) {
        if self.watches.get(&watch) != Some(&id) {
            return;
        }
        let Some(events) = events else {
            self.cgroup_vanished(id, watch);
            return;
        };
        self.memory_seen(id, events.oom_kills);
        self.frozen_seen(id, events.frozen);
        if !events.populated {
            self.emptied(id);
        }
    }

    /// The cgroup could not be looked at, for want of memory or descriptors; nothing is known, and no other notice may
    /// come.
    pub(super) fn look_failed(&mut self, id: UnitId, watch: WatchId) {
        if self.watches.get(&watch) != Some(&id) {
            return;
        }
        let work = &mut self.graph.unit_mut(id).work;
        if work.in_plan {
            // What comes of the plan may put an end to whatever the unit waits for.
            work.look_again = true;
        } else {
            self.watch_later(id);
        }
    }

    fn cgroup_vanished(&mut self, id: UnitId, watch: WatchId) {
        if self.graph.unit(id).work.in_plan {
            self.graph.unit_mut(id).work.look_again = true;
            return;
        }
        self.removed(id, Some(watch));
        self.emptied(id);
    }

    /// Nobody is in the cgroup any more.
    fn emptied(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let result = unit.result;
        let spawns = unit.work.intents.as_ref().is_some_and(|intents| intents.spawn.is_some());
        if unit.work.starting || unit.work.ending.is_some() || spawns {
            // The plan in flight may have found the directory busy the moment before.
            self.graph.unit_mut(id).work.look_again |= unit.work.ending.is_some() && unit.work.in_plan;
            return;
        }
        if unit.unit_type() == UnitType::Service {
            self.service_emptied(id);
            return;
        }
        match unit.state {
            State::Dead | State::Failed if unit.realized.exists => {
                self.graph.unit_mut(id).work.prune = true;
                self.queue_realize(id);
            }
            State::Dead | State::Failed => self.queue_collect(id),
            State::Active => {}
            _ => self.end(id, result, false),
        }
    }

    /// Out-of-memory kills come before emptiness, so that they are reported as what they are (reference 13.2).
    fn memory_seen(&mut self, id: UnitId, kills: Option<u64>) {
        let unit = self.graph.unit_mut(id);
        let Some(kills) = kills.filter(|kills| *kills > unit.realized.oom_kills) else { return };
        unit.realized.oom_kills = kills;
        let state = unit.state;
        self.tell(Severity::Warning, Some(id), String::from("a process was killed because memory ran out"));
        if self.graph.unit(id).unit_type() == UnitType::Service {
            self.service_out_of_memory(id);
            return;
        }
        match state {
            State::Running | State::StopSigterm => {
                self.signal_phase(id, State::StopSigkill, UnitResult::OomKill);
            }
            State::StopSigkill => self.note_result(id, UnitResult::OomKill),
            _ => {}
        }
    }

    fn frozen_seen(&mut self, id: UnitId, frozen: bool) {
        let freezer = self.graph.unit(id).freezer;
        let reached = match (freezer, frozen) {
            (FreezerState::Freezing, true) => FreezerState::Frozen,
            (FreezerState::Thawing, false) => FreezerState::Running,
            // Nothing more will come of it while a slice above stands still.
            (FreezerState::Thawing, true) if self.stands_still_above(id) => FreezerState::Frozen,
            _ => return,
        };
        self.graph.unit_mut(id).freezer = reached;
        self.queue_changed(id);
        if let Some(call) = self.freezing.remove(&id) {
            self.reply(call, Ok(Reply::Done));
        }
    }

    /// `cgroup.freeze` has been written. Where that changes nothing, no notice comes of it.
    pub(super) fn freeze_written(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let on_the_way = matches!(unit.freezer, FreezerState::Freezing | FreezerState::Thawing);
        if let Some(watch) = unit.realized.watch.filter(|_| on_the_way) {
            self.look_at(watch);
        }
    }

    fn stands_still_above(&self, id: UnitId) -> bool {
        let mut above = self.graph.ancestors(id).map(|slice| self.graph.unit(slice).freezer);
        above.any(|freezer| matches!(freezer, FreezerState::Freezing | FreezerState::Frozen))
    }

    /// The kernel would not freeze or thaw: it is as it was, and who asked hears of it, unless something else is wanted
    /// by now.
    pub(super) fn freeze_refused(&mut self, id: UnitId, freeze: bool, error: &OpError) {
        self.tell(Severity::Error, Some(id), format!("{error}"));
        let unit = self.graph.unit_mut(id);
        unit.freezer = match (unit.freezer, freeze) {
            (FreezerState::Freezing, true) => FreezerState::Running,
            (FreezerState::Thawing, false) => FreezerState::Frozen,
            _ => return,
        };
        self.queue_changed(id);
        if let Some(call) = self.freezing.remove(&id) {
            self.reply(call, Err(Refusal::new(RefusalKind::Errno(error.errno), format!("{error}"))));
        }
    }

    /// A kill has been carried out.
    pub(super) fn signalled(&mut self, id: UnitId, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Signalled { count } => *count,
            _ => 0,
        };
        if let Outcome::Refused(error) = outcome {
            // Not the same as nobody there: who asked is refused, a stop goes on to its time-out.
            self.tell(Severity::Warning, Some(id), format!("{error}"));
            let kill = self.take_signal(id, |_| true).and_then(|signal| signal.by_client);
            if let Some(kill) = kill {
                self.reply(kill.call, Err(Refusal::new(RefusalKind::Errno(error.errno), format!("{error}"))));
            }
            return;
        }
        if let Some(signal) = self.take_signal(id, |_| true) {
            self.signal_heard(id, &signal, count);
        }
    }

    /// Whether signals of the unit's stop are still to be sent: the plan that sends them has not come so far.
    pub(super) fn has_unsent_signals(&self, id: UnitId) -> bool {
        let unit = self.graph.unit(id);
        let intents = unit.work.intents.iter();
        unit.state.is_signal_phase()
            && intents.flat_map(|intents| &intents.signals).any(|signal| signal.by_client.is_none())
    }

    /// Signals that nobody is there to hear make no step.
    pub(super) fn skip_signals(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        let over = unit.work.ending.is_some() || unit.work.prune;
        let exists = unit.realized.exists;
        while let Some(signal) = self.take_signal(id, |signal| over || !exists && signal.only.is_none()) {
            self.signal_heard(id, &signal, 0);
        }
    }

    /// Takes out the first pending signal like that.
    fn take_signal(&mut self, id: UnitId, is_like_that: impl Fn(&SignalIntent) -> bool) -> Option<SignalIntent> {
        let signals = &mut self.graph.unit_mut(id).work.intents.as_mut()?.signals;
        let at = signals.iter().position(is_like_that)?;
        Some(signals.remove(at))
    }

    fn signal_heard(&mut self, id: UnitId, signal: &SignalIntent, count: u32) {
        if let Some(kill) = signal.by_client {
            self.answer_kill(kill, count);
            return;
        }
        let unit = self.graph.unit(id);
        if count > 0 || unit.work.ending.is_some() {
            return;
        }
        let state = unit.state;
        if unit.unit_type() == UnitType::Service {
            // Own processes that did not hear it have ended, and their ends will be told.
            let is_of_phase = signal.phase == Some(state) && signal.only.is_none();
            if is_of_phase && self.service(id).is_alone() {
                self.nobody_signalled(id, state, true);
            }
        } else if matches!(state, State::StopSigterm | State::StopSigkill) {
            // Empty already, as it seems; the notice of it may be on its way, too.
            self.end(id, unit.result, false);
        }
    }

    pub(super) fn answer_kill(&mut self, kill: ClientKill, count: u32) {
        let reply = if count == 0 && kill.must_kill {
            Err(Refusal::new(RefusalKind::NoSuchProcess, "No matching processes to kill"))
        } else {
            Ok(Reply::Done)
        };
        self.reply(kill.call, reply);
    }
}
