//! Descriptors that services hand over to be kept (`FDSTORE=1` in `$NOTIFY_SOCKET`): which are taken, what the next
//! main process finds, and when they are let go of.
//!
//! Descriptors are numbers here; the backend holds them. Each that comes with a message is either kept by one service
//! or let go of in the same event.

use crate::effect::{Effect, Severity};
use crate::event::Handed;
use crate::found::FoundDescriptor;
use crate::manager::Manager;
use crate::notification::Notification;
use crate::plan::Pin;
use crate::service::Stored;
use crate::unit::UnitId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// So many are kept for one service, whatever its `FileDescriptorStoreMax` says: what a child can be given at once.
const STORE_MAX: usize = 224;

/// So many are kept for all services together.
const STORED_MAX: usize = 4096;

/// What a descriptor without a name is called.
const NAMELESS: &str = "stored";

impl Manager {
    /// A service that is believed has said so: lets go of those of a name, then keeps what came along. What is left
    /// over is not kept.
    pub(super) fn change_store(&mut self, id: UnitId, message: &Notification, handed: &mut Vec<Handed>) {
        let name = message.descriptor_name.as_deref().filter(|name| is_name(name));
        if message.removes_descriptors {
            match name {
                Some(name) => self.forget_named(id, name),
                None => self.tell(Severity::Warning, Some(id), String::from("FDSTOREREMOVE=1 needs a valid FDNAME=")),
            }
        }
        if message.stores_descriptors {
            if message.descriptor_name.is_some() && name.is_none() {
                self.tell(Severity::Warning, Some(id), String::from("FDNAME= is no name for a descriptor: not heeded"));
            }
            self.keep(id, name.unwrap_or(NAMELESS), message.polls_descriptors, handed);
        }
    }

    fn keep(&mut self, id: UnitId, name: &str, polled: bool, handed: &mut Vec<Handed>) {
        let most = self.service_settings(id).file_descriptor_store_max;
        let most = usize::try_from(most).map_or(STORE_MAX, |most| most.min(STORE_MAX));
        let mut refused = Vec::new();
        for Handed { pin, same } in core::mem::take(handed) {
            let is_known = same.iter().any(|pin| self.stored.get(pin) == Some(&id));
            if is_known || self.service(id).store.len() >= most || self.stored.len() >= STORED_MAX {
                refused.push((is_known, Handed { pin, same }));
                continue;
            }
            self.stored.insert(pin, id);
            self.service_mut(id).store.insert(0, Stored { pin, name: name.into(), polled });
        }
        let too_many = refused.iter().filter(|(is_known, _)| !is_known).count();
        if too_many > 0 {
            let text = format!("{too_many} descriptors are closed: no more than {most} are kept");
            self.tell(Severity::Warning, Some(id), text);
        }
        handed.extend(refused.into_iter().map(|(_, handed)| handed));
    }

    fn forget_named(&mut self, id: UnitId, name: &str) {
        self.forget_stored(id, |stored| stored.name == name);
    }

    /// Nobody will start with them any more.
    pub(in crate::manager) fn empty_store(&mut self, id: UnitId) {
        self.forget_stored(id, |_| true);
    }

    fn forget_stored(&mut self, id: UnitId, is_meant: impl Fn(&Stored) -> bool) {
        let Some(service) = self.graph.unit_mut(id).service.as_mut() else { return };
        let pins: Vec<Pin> = service.store.iter().filter(|stored| is_meant(stored)).map(|stored| stored.pin).collect();
        service.store.retain(|stored| !is_meant(stored));
        for pin in &pins {
            self.stored.remove(pin);
        }
        if !pins.is_empty() {
            self.effects.push_back(Effect::Release(pins));
        }
    }

    /// The other end of a descriptor has gone: it is of no use to anybody, unless the service wants it all the same.
    pub(in crate::manager) fn hung_up(&mut self, pin: Pin) {
        if let Some(id) = self.stored.get(&pin).copied() {
            self.forget_stored(id, |stored| stored.pin == pin && stored.polled);
        }
    }

    /// What the main process is to find, as numbers of descriptors and their names.
    pub(super) fn descriptors_to_hand_over(&self, id: UnitId) -> Vec<(u64, String)> {
        self.service(id).store.iter().map(|stored| (stored.pin.0, stored.name.clone())).collect()
    }

    /// Everything that is kept, for the program that takes over.
    pub fn stored_descriptors(&self) -> impl Iterator<Item = FoundDescriptor> + '_ {
        self.stored.iter().map(|(pin, id)| {
            let stored = self.service(*id).store.iter().find(|stored| stored.pin == *pin);
            let Stored { name, polled, .. } = stored.expect("what is kept is kept by somebody").clone();
            FoundDescriptor { unit: self.graph.unit(*id).name.as_str().into(), pin: *pin, name, polled }
        })
    }

    /// What a predecessor in this process has kept. Those of services that are not up, or not known, are let go of.
    pub(in crate::manager) fn take_over_descriptors(&mut self, found: Vec<FoundDescriptor>) {
        let mut useless = Vec::new();
        for FoundDescriptor { unit, pin, name, polled } in found {
            let id = self.graph.find(&unit).filter(|id| {
                let unit = self.graph.unit(*id);
                unit.service.is_some() && !unit.active().is_inactive_or_failed()
            });
            match id {
                Some(id) => {
                    self.stored.insert(pin, id);
                    self.service_mut(id).store.push(Stored { pin, name, polled });
                }
                None => useless.push(pin),
            }
        }
        if !useless.is_empty() {
            let text = format!("{} descriptors are closed: their services are not up any more", useless.len());
            self.tell(Severity::Warning, None, text);
            self.effects.push_back(Effect::Release(useless));
        }
    }
}

/// Names of descriptors are printable, short, and go into a list.
fn is_name(name: &str) -> bool {
    name.len() <= 255 && name.bytes().all(|byte| (b' '..127).contains(&byte) && byte != b':')
}
