//! StartTransientUnit: units made by a call (reference 08).

use super::Manager;
use super::attach::{Pins, held_pins, pin_of};
use super::change::path_of;
use super::requests::{Answered, parse_mode};
use crate::client::Client;
use crate::config::Unsupported;
use crate::effect::{Effect, Reply, Severity};
use crate::error::{Refusal, RefusalKind};
use crate::event::PinAnswer;
use crate::job::JobType;
use crate::names::{UnitName, UnitType};
use crate::plan::{Op, Pin};
use crate::propagation;
use crate::properties::{self, Property};
use crate::request::{CallId, PropertyList, Request};
use crate::settings::{ExitType, NotifyAccess, Restart, ServiceCommand, ServiceType, Settings};
use crate::unit::{LoadState, Unit, UnitId};
use crate::unit_file::TransientFile;
use crate::value::Value;
use crate::work::{RecordWork, Undo};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

impl Manager {
    /// The processes a request names are pinned: go on with it, and let go of those nobody wanted in the end.
    pub(super) fn pinned(&mut self, call: CallId, client: &Client, request: Request, pins: &[PinAnswer]) {
        let pids = super::requests::pids_of(&request, client);
        assert!(pids.len() == pins.len(), "one answer for each process");
        let table: Pins = pids.into_iter().zip(pins.iter().copied()).collect();
        let all: Vec<(u32, PinAnswer)> = table.into_iter().collect();
        let before = self.effects.len();
        let answered = match request {
            Request::StartTransient { name, mode, properties, auxiliary } => {
                self.start_transient(call, client, &name, &mode, properties, auxiliary, &all)
            }
            Request::Attach { unit, subpath, .. } => self.attach(call, client, &unit, &subpath, &all),
            other => unreachable!("{other:?} names no processes"),
        };
        debug_assert!(self.effects.len() >= before);
        if let Err(refusal) = answered {
            let held: Vec<Pin> = held_pins(&all);
            if !held.is_empty() {
                self.effects.push_back(Effect::Release(held));
            }
            self.reply(call, Err(refusal));
        } else if let Ok(Some(reply)) = answered {
            self.reply(call, Ok(reply));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the method's four arguments, and who calls")]
    pub(super) fn start_transient(
        &mut self,
        call: CallId,
        client: &Client,
        name: &str,
        mode: &str,
        properties: PropertyList,
        auxiliary: Vec<(alloc::string::String, PropertyList)>,
        pins: &[(u32, PinAnswer)],
    ) -> Answered {
        self.check_quota(client, &properties)?;
        let mode = parse_mode(mode, "Job mode {} is invalid.")?;
        let pins: Pins = pins.iter().copied().collect();
        let id = self.transient_unit(name)?;
        let mut made = Vec::with_capacity(1 + auxiliary.len());
        let outcome = self.make_all(client, id, &properties, &auxiliary, &pins, &mut made);
        let outcome = outcome.and_then(|()| self.enqueue(id, JobType::Start, mode, client));
        for made in made.iter().skip(1) {
            // Nothing starts those that the unit does not pull in.
            self.forget_start(made.id);
            self.queue_collect(made.id);
        }
        let job = match outcome {
            Ok(job) => job,
            Err(refusal) => {
                made.into_iter().rev().for_each(|made| made.saved.restore(self, made.id));
                return Err(refusal);
            }
        };
        for made in made.iter().filter(|made| made.add_ref) {
            self.add_reference(client, made.id);
        }
        if self.jobs.get(job).is_none() {
            return Ok(Some(Reply::Job(job.0)));
        }
        self.hold_reply(job, call);
        Ok(None)
    }

    /// Makes the unit and those that come with it; what has been made, also when it was not all, is in `made`.
    fn make_all(
        &mut self,
        client: &Client,
        id: UnitId,
        properties: &PropertyList,
        auxiliary: &[(alloc::string::String, PropertyList)],
        pins: &Pins,
        made: &mut Vec<Made>,
    ) -> Result<(), Refusal> {
        made.push(Made { id, saved: Saved::of(self, id), add_ref: false });
        made[0].add_ref = self.make_transient(client, id, properties, pins)?;
        for (name, properties) in auxiliary {
            let id = self.transient_unit(name)?;
            made.push(Made { id, saved: Saved::of(self, id), add_ref: false });
            let add_ref = self.make_transient(client, id, properties, pins)?;
            made.last_mut().expect("it was just put there").add_ref = add_ref;
        }
        Ok(())
    }

    fn check_quota(&self, client: &Client, properties: &PropertyList) -> Result<(), Refusal> {
        let limit = self.config.quotas.properties_per_request as usize;
        if properties.len() > limit {
            let text = format!("More than {limit} properties in one request.");
            return Err(Refusal::new(RefusalKind::LimitsExceeded, text));
        }
        let limit = self.config.quotas.units_per_uid;
        if client.uid != 0 && self.units_by_owner.get(&client.uid).is_some_and(|count| *count >= limit) {
            let text = format!("User {} has {limit} units already.", client.uid);
            return Err(Refusal::new(RefusalKind::LimitsExceeded, text));
        }
        Ok(())
    }

    /// The unit that a call may make transient: its name is fine, and nobody has configured or started it.
    fn transient_unit(&mut self, name: &str) -> Result<UnitId, Refusal> {
        let invalid = |text: &str| Refusal::new(RefusalKind::InvalidArgs, text);
        let suffix = name.rsplit_once('.').and_then(|(_, suffix)| UnitType::from_suffix(suffix));
        let unit_type = suffix.ok_or_else(|| invalid("Invalid unit name or type."))?;
        if !unit_type.is_managed() {
            return Err(invalid(&format!("Unit type {} does not support transient units.", unit_type.suffix())));
        }
        let name = Self::parse_name(name)?;
        if unit_type != UnitType::Service && name.instance().is_some() {
            let text = format!("Unit name {name} is not valid: a {} has no instances.", unit_type.suffix());
            return Err(Refusal::new(RefusalKind::InvalidArgs, text));
        }
        let id = self.load_name(&name);
        let unit = self.graph.unit(id);
        let known = matches!(unit.load, LoadState::Loaded | LoadState::NotFound);
        let is_foreign = self.foreign.contains(&unit.name);
        let has_file = unit.fragment.is_some() || unit.transient;
        if !known || is_foreign || has_file || unit.job.is_some() {
            let text = format!("Unit {name} was already loaded or has a fragment file.");
            return Err(Refusal::new(RefusalKind::UnitExists, text));
        }
        Ok(id)
    }

    /// Gives a unit its properties and makes it transient; checks everything before it changes anything. Answers
    /// whether the caller wants to keep a reference.
    fn make_transient(
        &mut self,
        client: &Client,
        id: UnitId,
        properties: &PropertyList,
        pins: &Pins,
    ) -> Result<bool, Refusal> {
        let unit_type = self.graph.unit(id).unit_type();
        let (checked, attach) = self.check_transient(client, id, properties, pins)?;
        let mut settings = self.graph.unit(id).settings.clone();
        let mut file = TransientFile::new(unit_type);
        let mut add_ref = false;
        for property in &checked {
            property.apply(&mut settings);
            property.write_transient(&settings, &mut file);
            add_ref |= *property == Property::AddRef(true);
            if let Property::Controller(name) = property {
                self.set_controller(id, name.clone());
            }
        }
        check_type(unit_type, &settings)?;
        self.check_can_notify(&settings)?;
        let name = self.graph.unit(id).name.clone();
        let path: Arc<str> = [&*self.config.unit_paths.transient, "/", name.as_str()].concat().into();
        let has_pids = checked.iter().any(|p| matches!(p, Property::Pids(_) | Property::PidFds(_)));
        if unit_type == UnitType::Scope && !has_pids {
            return Err(Refusal::new(RefusalKind::FileNotFound, "No such file or directory"));
        }
        let before = self.graph.unit(id);
        let was_known = before.load == LoadState::Loaded;
        let undo = Undo {
            call: None,
            made_by: Some(before.owner),
            settings: before.settings.clone(),
            drop_ins: before.drop_ins.clone(),
            files: vec![Op::RemoveFile { file: path.clone(), directory: false }],
            is_reread: false,
        };
        self.commit_transient(id, settings, client.uid);
        let unit = self.graph.unit_mut(id);
        // Whoever waits for a change of settings is still to be told what became of it: both stand and fall together.
        if was_known || unit.work.has_undo() {
            unit.work.intents_mut().undo.push(undo);
        }
        unit.fragment = Some(path);
        let intents = unit.work.intents_mut();
        intents.record = Some(file.into_text());
        intents.attach = attach;
        // Others are recorded when their start begins, or when it turns out that it never will.
        if unit.work.starting || !unit.active().is_inactive_or_failed() {
            self.record_due(id);
        }
        self.queue_realize(id);
        Ok(add_ref)
    }

    /// Where the unit's record was to be lies a file of somebody else. From now on the unit has none: nothing there is
    /// renewed, removed or added to on its behalf.
    pub(super) fn leave_file_of_others(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        let Some(file) = unit.fragment.take() else { return };
        unit.work.forget_record();
        let is_beside = |op: &Op| path_of(op).is_some_and(|path| path.starts_with(&*file));
        let work = &mut unit.work;
        let intents = work.intents.iter_mut();
        let pending = intents.flat_map(|intents| {
            // Drop-ins of this plan come after the record; none of them was written.
            intents.files.retain(|op| !is_beside(op));
            &mut intents.undo
        });
        pending.chain(&mut work.planned.undo).for_each(|undo| undo.files.retain(|op| !is_beside(op)));
        let text = format!("{file} is somebody else's, and stays: remove it, or choose another name");
        self.tell(Severity::Error, Some(id), text);
    }

    /// Where no socket is, nobody can say that it is ready.
    pub(super) fn check_can_notify(&self, settings: &Settings) -> Result<(), Refusal> {
        let Some(service) = settings.service.as_ref().filter(|_| self.config.notify_socket.is_empty()) else {
            return Ok(());
        };
        if service.notify_access() == NotifyAccess::None {
            return Ok(());
        }
        let text = "Type=notify, NotifyAccess= and WatchdogSec= need a socket that this arbiter does not have.";
        Err(Refusal::new(RefusalKind::NotSupported, text))
    }

    /// Pass 1: every property is checked, in order; the slice it names is loaded, the processes are looked up.
    fn check_transient(
        &mut self,
        client: &Client,
        id: UnitId,
        properties: &PropertyList,
        pins: &Pins,
    ) -> Result<(Vec<Property>, Vec<Pin>), Refusal> {
        let unit_type = self.graph.unit(id).unit_type();
        let mut checked = Vec::with_capacity(properties.len());
        let mut attach = Vec::new();
        let mut impossible = None;
        let delegates = properties.iter().any(|(name, _)| name == "Delegate" || name == "DelegateControllers");
        for (name, value) in properties {
            let context =
                properties::Context { unit_type, creating: true, transport: &client.transport, config: &self.config };
            let property = properties::parse(name, value, &context);
            if name == "Slice" && unit_type != UnitType::Slice && self.is_impossible_slice(value) {
                // Found out by loading it, which comes after everything else was checked.
                impossible = property.err();
                continue;
            }
            let property = property?;
            self.check_supported(id, &property)?;
            match &property {
                Property::Slice(None) if !delegates => return Err(empty_slice()),
                Property::Pids(pids) => {
                    for pid in pids {
                        let pid = if *pid == 0 { client.pid.unwrap_or(0) } else { *pid };
                        attach.push(pin_of(pid, pins)?);
                    }
                }
                Property::PidFds(fds) => attach.extend(fds),
                _ => {}
            }
            checked.push(property);
        }
        attach.sort_unstable();
        attach.dedup();
        match impossible {
            Some(refusal) => Err(refusal),
            None => Ok((checked, attach)),
        }
    }

    /// A slice is loaded as soon as it is named, even when it turns out to be none; is it one that cannot be?
    fn is_impossible_slice(&mut self, value: &Value) -> bool {
        let Some(name) = value.as_str().and_then(|text| UnitName::parse(text).ok()) else { return false };
        self.load_name(&name);
        name.unit_type() == UnitType::Slice && name.instance().is_none() && !name.is_valid_slice()
    }

    /// A limit that this tree cannot enforce is refused or reported, by name in either case (nothing silent).
    pub(super) fn check_supported(&mut self, id: UnitId, property: &Property) -> Result<(), Refusal> {
        let Some(controller) = crate::resources::required_controller(property) else { return Ok(()) };
        if self.config.supported.contains(controller.mask()) {
            return Ok(());
        }
        let text = format!(
            "{} needs the controller '{}', which this cgroup tree does not have (it has: {}).",
            property.name(),
            controller.name(),
            self.config.supported.in_words()
        );
        match self.config.unsupported {
            Unsupported::Refuse => Err(Refusal::new(RefusalKind::NotSupported, text)),
            Unsupported::Report => {
                self.tell(Severity::Warning, Some(id), format!("not enforced: {text}"));
                Ok(())
            }
        }
    }

    /// Pass 2: the unit is what was asked for.
    fn commit_transient(&mut self, id: UnitId, settings: Settings, uid: u32) {
        let was_loaded = self.graph.unit(id).load == LoadState::Loaded;
        if was_loaded {
            let changed = propagation::withdraw(&mut self.graph, id);
            self.realize_slices(&changed);
            self.graph.untie(id);
            // It may come to lie elsewhere, and its slice have nobody left.
            if let Some(slice) = self.graph.unit(id).slice {
                self.queue_collect(slice);
            }
        }
        let unit = self.graph.unit_mut(id);
        unit.settings = settings;
        unit.transient = true;
        let former = core::mem::replace(&mut unit.owner, uid);
        unit.load = LoadState::Stub;
        unit.load_error = None;
        if unit.unit_type() == UnitType::Service {
            unit.service = Some(Box::default());
        }
        self.count_owner(former, false);
        self.count_owner(uid, true);
        self.load(id);
        if was_loaded {
            // Its start may have to wait; what is there already is configured as it is. Members have what a slice hands
            // down when they are configured for another reason, as with systemd.
            let above: Vec<UnitId> = self.graph.ancestors(id).collect();
            self.realize_slices(&above);
        }
        self.queue_changed(id);
    }
}

/// A unit that a call has made.
struct Made {
    id: UnitId,
    saved: Saved,
    add_ref: bool,
}

/// What a unit was before a call began to change it, so that a refusal leaves nothing behind.
struct Saved {
    /// None for one that was not known. Others may name it, and keep it.
    unit: Option<Box<Unit>>,
}

impl Saved {
    fn of(manager: &Manager, id: UnitId) -> Self {
        let unit = manager.graph.unit(id);
        Self { unit: (unit.load == LoadState::Loaded).then(|| Box::new(unit.clone())) }
    }

    fn restore(self, manager: &mut Manager, id: UnitId) {
        manager.graph.untie(id);
        let unit = manager.graph.unit_mut(id);
        if let Some(intents) = &mut unit.work.intents {
            // The caller lets go of the processes.
            intents.attach.clear();
            let saved = self.unit.as_ref().and_then(|saved| saved.work.intents.as_ref());
            intents.record = saved.and_then(|intents| intents.record.clone());
            intents.undo = saved.map(|intents| intents.undo.clone()).unwrap_or_default();
            if intents.is_empty() {
                unit.work.intents = None;
            }
        }
        let failed_owner = unit.owner;
        let controller = self.unit.as_ref().and_then(|saved| saved.controller.clone());
        let was_known = self.unit.is_some();
        if let Some(saved) = self.unit {
            unit.settings = saved.settings;
            unit.transient = saved.transient;
            unit.fragment = saved.fragment;
            unit.work.record = saved.work.record;
            unit.owner = saved.owner;
        } else {
            unit.settings = properties::default_settings(unit.unit_type(), &manager.config);
            (unit.transient, unit.fragment, unit.owner) = (false, None, 0);
            unit.work.record = RecordWork::Kept;
            (unit.load, unit.service) = (LoadState::Stub, None);
        }
        let owner = unit.owner;
        manager.count_owner(failed_owner, false);
        manager.count_owner(owner, true);
        manager.set_controller(id, controller);
        if was_known {
            manager.tie(id);
            manager.load_queued();
        } else {
            let changed = propagation::withdraw(&mut manager.graph, id);
            manager.realize_slices(&changed);
            manager.graph.set_slice(id, None);
            manager.load(id);
        }
        let _ = propagation::update(&mut manager.graph, id);
        manager.queue_collect(id);
    }
}

/// systemd takes no empty slice name. One container runtime means the default slice by it; those delegate, always.
fn empty_slice() -> Refusal {
    Refusal::new(RefusalKind::InvalidArgs, "Invalid unit name ''")
}

/// What must hold for all properties together (reference 02.5, load checks).
pub(super) fn check_type(unit_type: UnitType, settings: &Settings) -> Result<(), Refusal> {
    let bad = |text: &str| Err(Refusal::new(RefusalKind::BadUnitSetting, text));
    let Some(service) = settings.service.as_ref().filter(|_| unit_type == UnitType::Service) else {
        return Ok(());
    };
    let has = |step: ServiceCommand| !service.commands(step).is_empty();
    let oneshot = service.kind() == ServiceType::Oneshot;
    if !has(ServiceCommand::Start) && (!oneshot || service.kind.is_none() && !service.remain_after_exit) {
        return bad("Service has no ExecStart= setting, which is only allowed for Type=oneshot services.");
    }
    if service.commands(ServiceCommand::Start).len() > 1 && !oneshot {
        return bad("Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services.");
    }
    if oneshot && matches!(service.restart, Restart::Always | Restart::OnSuccess) {
        return bad(
            "Service has Restart= set to either always or on-success, which isn't allowed for Type=oneshot services.",
        );
    }
    if oneshot && service.exit_type == ExitType::Cgroup {
        return bad("Service has ExitType=cgroup set, which isn't allowed for Type=oneshot services.");
    }
    Ok(())
}
