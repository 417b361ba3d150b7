//! Requests that change a unit that is there: kill, freeze, references, reset-failed, abandon. Properties have a file
//! of
//! their own, `change.rs`.

use super::Manager;
use super::requests::Answered;
use crate::client::Client;
use crate::effect::Reply;
use crate::error::{Errno, Refusal, RefusalKind};
use crate::job::{JobId, JobResult};
use crate::names::UnitType;
use crate::plan::Signals;
use crate::request::{CallId, JobRef, UnitRef};
use crate::timers::TimerReason;
use crate::unit::{ActiveState, FreezerState, LoadState, State, UnitId, UnitResult};
use crate::work::{ClientKill, SignalIntent};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Highest signal number.
const SIGNAL_MAX: i32 = 64;

impl Manager {
    /// A unit that is addressed by name must be loadable; its object takes what comes.
    ///
    /// # Errors
    /// `NoSuchUnit`.
    pub(super) fn check_is_loaded(&self, unit: &UnitRef, id: UnitId) -> Result<(), Refusal> {
        let target = self.graph.unit(id);
        if matches!(unit, UnitRef::Name(_)) && target.load != LoadState::Loaded {
            let text = format!("Unit {} not found.", target.name);
            return Err(Refusal::new(RefusalKind::NoSuchUnit, text));
        }
        Ok(())
    }

    pub(super) fn kill(&mut self, call: CallId, unit: &UnitRef, whom: &str, signal: i32) -> Answered {
        let id = self.find_loaded(unit)?;
        let target = self.graph.unit(id);
        let word = if whom.is_empty() { "all" } else { whom };
        let invalid = |text: String| Err(Refusal::new(RefusalKind::InvalidArgs, text));
        if !["main", "control", "all", "main-fail", "control-fail", "all-fail"].contains(&word) {
            return invalid(format!("Invalid who argument {whom}"));
        }
        if !(0 < signal && signal <= SIGNAL_MAX) {
            return invalid("Signal number out of range.".into());
        }
        if !target.unit_type().is_managed() {
            return Err(Refusal::new(RefusalKind::NotSupported, "Unit type does not support process killing."));
        }
        let must_kill = word.ends_with("-fail");
        let signals = Signals { first: signal, then_continue: false, then_hangup: false };
        let only = self.chosen_process(id, word)?;
        if only.is_none() && !target.realized.exists {
            let nobody = || Refusal::new(RefusalKind::NoSuchProcess, "No matching processes to kill");
            return if must_kill { Err(nobody()) } else { Ok(Some(Reply::Done)) };
        }
        let by_client = Some(ClientKill { call, must_kill });
        let signal = SignalIntent { signals, only, spare: Vec::new(), by_client, phase: None, is_planned: false };
        self.graph.unit_mut(id).work.intents_mut().signals.push(signal);
        self.queue_realize(id);
        Ok(None)
    }

    /// The one process that is meant; none when all are.
    fn chosen_process(&self, id: UnitId, whom: &str) -> Result<Option<u32>, Refusal> {
        let unit = self.graph.unit(id);
        let nobody = |text: String| Err(Refusal::new(RefusalKind::NoSuchProcess, text));
        let kind = unit.unit_type().suffix();
        let main = unit.service.as_ref().and_then(|service| service.main_pid);
        match whom.trim_end_matches("-fail") {
            "main" if unit.unit_type() != UnitType::Service => nobody(format!("{kind} units have no main processes")),
            "main" if main.is_none() => nobody("No main process to kill".into()),
            "main" => Ok(main),
            "control" if unit.unit_type() != UnitType::Service => {
                nobody(format!("{kind} units have no control processes"))
            }
            "control" => match unit.service.as_ref().and_then(|service| service.control_pid) {
                None => nobody("No control process to kill".into()),
                control => Ok(control),
            },
            _ => Ok(None),
        }
    }

    pub(super) fn freeze(&mut self, call: CallId, unit: &UnitRef, freeze: bool) -> Answered {
        let id = self.find_loaded(unit)?;
        let target = self.graph.unit(id);
        let word = if freeze { "freeze" } else { "thaw" };
        let refuse = |kind, text: &str| Err(Refusal::new(kind, text.to_string()));
        if target.name.is_root_slice() || !target.unit_type().is_managed() {
            return refuse(RefusalKind::NotSupported, "Unit does not support freezing.");
        }
        if target.job.is_some() {
            return refuse(RefusalKind::UnitBusy, "Unit has a pending job.");
        }
        if target.load != LoadState::Loaded || target.active() != ActiveState::Active {
            return refuse(RefusalKind::UnitInactive, "Unit is inactive.");
        }
        let (wanted, on_the_way) = match freeze {
            true => (FreezerState::Frozen, FreezerState::Freezing),
            false => (FreezerState::Running, FreezerState::Thawing),
        };
        if target.freezer == on_the_way {
            return refuse(
                RefusalKind::Failed,
                &format!("Previously requested freezer operation ({word}) in progress."),
            );
        }
        if target.freezer == wanted {
            return Ok(Some(Reply::Done));
        }
        if !target.realized.exists {
            return refuse(RefusalKind::Errno(Errno::Busy), "Device or resource busy");
        }
        if let Some(other) = self.freezing.remove(&id) {
            let text = "Freezer operation was canceled by another one.";
            self.reply(other, Err(Refusal::new(RefusalKind::FreezeCancelled, text)));
        }
        self.freezing.insert(id, call);
        self.freeze_unit(id, freeze);
        Ok(None)
    }

    /// Sets a unit on its way to stand still or go on; a slice, with all its members that are up.
    fn freeze_unit(&mut self, id: UnitId, freeze: bool) {
        let mut todo = Vec::from([id]);
        while let Some(id) = todo.pop() {
            todo.extend(self.graph.members(id).filter(|member| {
                let member = self.graph.unit(*member);
                member.realized.exists && member.active() == ActiveState::Active
            }));
            let unit = self.graph.unit_mut(id);
            unit.freezer = if freeze { FreezerState::Freezing } else { FreezerState::Thawing };
            unit.work.intents_mut().freeze = Some(freeze);
            self.queue_changed(id);
            self.queue_realize(id);
        }
    }

    pub(super) fn reset_failed(&mut self, call: CallId, unit: &UnitRef) -> Answered {
        let id = self.find_loaded(unit)?;
        self.reset_failed_unit(id);
        Ok(self.done_when_recorded(call))
    }

    pub(super) fn reset_failed_all(&mut self, call: CallId) -> Answered {
        let failed: Vec<UnitId> = self.failed_units.iter().filter_map(|name| self.graph.find(name.as_str())).collect();
        failed.into_iter().for_each(|id| self.reset_failed_unit(id));
        Ok(self.done_when_recorded(call))
    }

    fn reset_failed_unit(&mut self, id: UnitId) {
        self.forget_failures(id);
        let unit = self.graph.unit_mut(id);
        if unit.state == State::Failed {
            unit.result = UnitResult::Success;
            self.queue_type_changed(id);
            self.set_state(id, State::Dead);
            // Its deadlines are off, the one for a directory that would not go, too.
            self.retry(id);
            if !self.graph.unit(id).references.is_empty() {
                // It stays for a while, and is not to be found failed again.
                self.record_due(id);
            }
        }
        self.queue_collect(id);
    }

    pub(super) fn abandon(&mut self, call: CallId, unit: &UnitRef) -> Answered {
        let id = self.find_loaded(unit)?;
        let target = self.graph.unit_mut(id);
        if target.unit_type() != UnitType::Scope {
            let text = format!("Unit {} is not a scope unit.", target.name);
            return Err(Refusal::new(RefusalKind::InvalidArgs, text));
        }
        if !matches!(target.state, State::Running | State::Abandoned) {
            let text = format!("Scope {} is not running, cannot abandon.", target.name);
            return Err(Refusal::new(RefusalKind::ScopeNotRunning, text));
        }
        self.set_controller(id, None);
        self.timers.clear(id, TimerReason::RuntimeMax);
        self.queue_type_changed(id);
        self.set_state(id, State::Abandoned);
        Ok(self.done_when_recorded(call))
    }

    pub(super) fn reference(&mut self, client: &Client, unit: &UnitRef) -> Answered {
        let id = self.find_or_load(unit)?;
        self.check_is_loaded(unit, id)?;
        self.add_reference(client, id);
        Ok(Some(Reply::Done))
    }

    pub(super) fn add_reference(&mut self, client: &Client, id: UnitId) {
        let references = &mut self.graph.unit_mut(id).references;
        match references.iter_mut().find(|(holder, _)| *holder == client.id) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => references.push((client.id, 1)),
        }
        self.references.insert((client.id, id));
    }

    pub(super) fn unreference(&mut self, client: &Client, unit: &UnitRef) -> Answered {
        let id = self.find_loaded(unit)?;
        let references = &mut self.graph.unit_mut(id).references;
        let Some(at) = references.iter().position(|(holder, _)| *holder == client.id) else {
            return Err(Refusal::new(RefusalKind::NotReferenced, "Unit has not been referenced yet."));
        };
        references[at].1 -= 1;
        if references[at].1 == 0 {
            references.remove(at);
            self.references.remove(&(client.id, id));
        }
        self.queue_collect(id);
        Ok(Some(Reply::Done))
    }

    pub(super) fn subscribe(&mut self, client: &Client) -> Answered {
        if client.bus_name().is_some() && !self.subscribers.insert(client.id) {
            return Err(Refusal::new(RefusalKind::AlreadySubscribed, "Client is already subscribed."));
        }
        Ok(Some(Reply::Done))
    }

    pub(super) fn unsubscribe(&mut self, client: &Client) -> Answered {
        if client.bus_name().is_some() && !self.subscribers.remove(&client.id) {
            return Err(Refusal::new(RefusalKind::NotSubscribed, "Client is not subscribed."));
        }
        Ok(Some(Reply::Done))
    }

    /// The number behind a reference to a job that exists.
    ///
    /// # Errors
    /// `NoSuchJob`, or `UnknownObject` for a path.
    pub(super) fn find_job(&self, job: &JobRef) -> Result<JobId, Refusal> {
        let (id, refusal) = match job {
            JobRef::Id(id) => (Some(*id), Refusal::new(RefusalKind::NoSuchJob, format!("Job {id} does not exist."))),
            JobRef::Object(label) => {
                let text = format!("Unknown object '/org/freedesktop/systemd1/job/{label}'.");
                (label.parse().ok(), Refusal::new(RefusalKind::UnknownObject, text))
            }
        };
        id.map(JobId).filter(|id| self.jobs.get(*id).is_some()).ok_or(refusal)
    }

    pub(super) fn cancel_job(&mut self, client: &Client, job: &JobRef) -> Answered {
        let id = self.find_job(job)?;
        let owns = self.jobs.get(id).is_some_and(|job| job.owners.contains(&client.id));
        if !owns && !self.is_privileged(client) {
            return Err(Refusal::new(RefusalKind::AccessDenied, "Permission denied"));
        }
        self.finish_job(id, JobResult::Canceled);
        Ok(Some(Reply::Done))
    }

    pub(super) fn clear_jobs(&mut self) -> Answered {
        let all: Vec<JobId> = self.jobs.iter().map(|job| job.id).collect();
        all.into_iter().for_each(|id| self.cancel_alone(id));
        Ok(Some(Reply::Done))
    }

    pub(super) fn set_environment(&mut self, unset: &[String], set: Vec<String>) -> Answered {
        let name_of = |entry: &str| entry.split('=').next().unwrap_or_default().to_string();
        if let Some(bad) = set.iter().find(|entry| !entry.contains('=') || entry.starts_with('=')) {
            return Err(Refusal::new(RefusalKind::InvalidArgs, format!("Invalid environment assignment '{bad}'")));
        }
        let gone = |entry: &String| unset.iter().any(|name| *entry == *name || name_of(entry) == *name);
        self.environment.retain(|entry| !gone(entry));
        for entry in set {
            let name = name_of(&entry);
            self.environment.retain(|other| name_of(other) != name);
            self.environment.push(entry);
        }
        self.environment.sort();
        Ok(Some(Reply::Done))
    }

    /// A name on the bus has gone: scopes that it controlled stop as others do.
    pub(super) fn forget_controller(&mut self, name: &str) {
        let name: Arc<str> = name.into();
        let first = (name.clone(), UnitId::FIRST);
        let controlled: Vec<UnitId> = self.controlled.range(first..=(name, UnitId::LAST)).map(|(_, id)| *id).collect();
        for id in controlled {
            self.set_controller(id, None);
            self.queue_type_changed(id);
        }
    }

    /// Notes which bus name ends a scope itself.
    pub(super) fn set_controller(&mut self, id: UnitId, name: Option<Arc<str>>) {
        let old = core::mem::replace(&mut self.graph.unit_mut(id).controller, name.clone());
        if let Some(old) = old {
            self.controlled.remove(&(old, id));
        }
        self.controlled.extend(name.map(|name| (name, id)));
    }
}
