//! AttachProcessesToUnit: processes that are taken into a unit (reference 07.5, 08.3).

use super::Manager;
use super::requests::Answered;
use crate::client::Client;
use crate::effect::{Effect, Reply, Severity};
use crate::error::{OpError, Refusal, RefusalKind};
use crate::event::PinAnswer;
use crate::names::CgroupPath;
use crate::plan::{Op, Pin};
use crate::request::{CallId, UnitRef};
use crate::unit::UnitId;
use crate::work::Attaching;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// Processes that were asked for, by number, as the kernel knows them.
pub(super) type Pins = BTreeMap<u32, PinAnswer>;

impl Manager {
    /// Takes processes into a delegated unit (reference 07.5).
    pub(super) fn attach(
        &mut self,
        call: CallId,
        client: &Client,
        unit: &UnitRef,
        subpath: &str,
        pins: &[(u32, PinAnswer)],
    ) -> Answered {
        let invalid = |text: alloc::string::String| Err(Refusal::new(RefusalKind::InvalidArgs, text));
        let id = self.find_loaded(unit)?;
        let Some(subpath) = CgroupPath::parse(subpath).filter(|path| path.is_root() || subpath.starts_with('/')) else {
            return invalid(format!("Control group path is not absolute or not normalized: {subpath}"));
        };
        let target = self.graph.unit(id);
        if !target.settings.resources.delegate {
            return invalid("Process migration not available on non-delegated units.".into());
        }
        if target.active().is_inactive_or_deactivating() || !target.realized.exists {
            return Err(not_active());
        }
        let table: Pins = pins.iter().copied().collect();
        let mut attach = Vec::new();
        for (pid, answer) in pins {
            attach.push(pin_of(*pid, &table)?);
            if let (PinAnswer::Held { uid, .. }, false) = (answer, self.is_privileged(client)) {
                self.check_owner(client, id, *pid, *uid)?;
            }
        }
        if attach.is_empty() {
            return Ok(Some(Reply::Done));
        }
        let cgroup = self.graph.cgroup_path(id).expect("a realized unit has a path").join(&subpath);
        let unit = self.graph.unit_mut(id);
        let intents = unit.work.intents_mut();
        intents.prepare.extend(attach.iter().map(|pin| Op::Attach { cgroup: cgroup.clone(), pin: *pin }));
        intents.attaching.push(Attaching { call, pins: attach });
        self.queue_realize(id);
        Ok(None)
    }

    /// A process that was to be moved in is there, or has ended; who asked is answered after the last.
    pub(super) fn moved_in(&mut self, id: UnitId, pin: Pin) {
        let Some(intents) = &mut self.graph.unit_mut(id).work.intents else { return };
        let Some(at) = intents.attaching.iter().position(|attaching| attaching.pins.contains(&pin)) else { return };
        intents.attaching[at].pins.retain(|other| *other != pin);
        if intents.attaching[at].pins.is_empty() {
            let call = intents.attaching.remove(at).call;
            self.reply(call, Ok(Reply::Done));
        }
    }

    /// A process cannot be moved in: who has asked for that is refused, and nobody else. Whether somebody has asked,
    /// and it is not part of a start.
    pub(super) fn attach_refused(&mut self, id: UnitId, pin: Pin, error: &OpError) -> bool {
        let Some(intents) = &mut self.graph.unit_mut(id).work.intents else { return false };
        let Some(at) = intents.attaching.iter().position(|attaching| attaching.pins.contains(&pin)) else {
            return false;
        };
        let Attaching { call, mut pins } = intents.attaching.remove(at);
        intents.prepare.retain(|op| !matches!(op, Op::Attach { pin, .. } if pins.contains(pin)));
        pins.retain(|other| *other != pin);
        if !pins.is_empty() {
            self.effects.push_back(Effect::Release(pins));
        }
        self.tell(Severity::Error, Some(id), format!("{error}"));
        self.reply(call, Err(Refusal::new(RefusalKind::Errno(error.errno), format!("{error}"))));
        true
    }

    /// Others than root may only bring their own processes into a unit of their own.
    fn check_owner(&self, client: &Client, id: UnitId, pid: u32, uid: u32) -> Result<(), Refusal> {
        let denied = |text| Err(Refusal::new(RefusalKind::AccessDenied, text));
        if uid != client.uid {
            return denied(format!("Process {pid} not owned by client's UID. Refusing."));
        }
        if self.graph.unit(id).owner != client.uid {
            return denied(format!("Process {pid} not owned by target unit's UID. Refusing."));
        }
        Ok(())
    }
}

/// Nobody is moved into a unit that is not up, nor into one that has come to its end since it was asked for.
pub(super) fn not_active() -> Refusal {
    Refusal::new(RefusalKind::InvalidArgs, "Unit is not active, refusing.")
}

pub(super) fn held_pins(pins: &[(u32, PinAnswer)]) -> Vec<Pin> {
    let held = pins.iter().filter_map(|(_, answer)| match answer {
        PinAnswer::Held { pin, .. } => Some(*pin),
        _ => None,
    });
    held.collect()
}

/// The pin of a process that may be moved (reference 08.3).
pub(super) fn pin_of(pid: u32, pins: &Pins) -> Result<Pin, Refusal> {
    match pins.get(&pid) {
        Some(PinAnswer::Held { pin, .. }) => Ok(*pin),
        Some(PinAnswer::Manager) => {
            let text = format!("Process {pid} is a manager process, refusing.");
            Err(Refusal::new(RefusalKind::InvalidArgs, text))
        }
        Some(PinAnswer::KernelThread) => {
            let text = format!("Process {pid} is a kernel thread, refusing.");
            Err(Refusal::new(RefusalKind::InvalidArgs, text))
        }
        Some(PinAnswer::Gone) | None => {
            let text = format!("Process with ID {pid} does not exist.");
            Err(Refusal::new(RefusalKind::UnixProcessIdUnknown, text))
        }
    }
}
