//! Signals: what changed is told once for each drain of the queues, units before jobs (reference 03.11, 07.8, 07.9).

use super::Manager;
use crate::effect::{Audience, Effect, Signal};
use crate::job::JobId;
use crate::systemd1;
use crate::systemd1::objects::{UNIT, type_interface};
use crate::unit::{Marks, UnitId};
use alloc::vec::Vec;

impl Manager {
    /// Marks a unit as changed.
    pub(super) fn queue_changed(&mut self, id: UnitId) {
        let marks = &mut self.graph.unit_mut(id).marks;
        if !marks.changed {
            marks.changed = true;
            self.changed.push_back(id);
        }
    }

    /// Marks a unit as changed in a property of its type's interface, too.
    pub(super) fn queue_type_changed(&mut self, id: UnitId) {
        self.graph.unit_mut(id).marks.type_changed = true;
        self.queue_changed(id);
    }

    /// Who hears about units: everybody on peer-to-peer connections; the bus when somebody there cares.
    fn unit_audience(&self, id: UnitId) -> Option<Audience> {
        let unit = self.graph.unit(id);
        if !self.subscribers.is_empty() || !unit.references.is_empty() {
            Some(Audience::All)
        } else if self.private_clients.is_empty() {
            None
        } else {
            Some(Audience::Private)
        }
    }

    /// Tells everything that is queued.
    pub(super) fn announce_changes(&mut self) {
        while let Some(id) = self.changed.pop_front() {
            if self.graph.get(id).is_some_and(|unit| unit.marks.changed) {
                self.announce_unit(id);
            }
        }
        while let Some(job) = self.new_jobs.pop_front() {
            self.announce_job(job);
        }
    }

    /// Tells what changed about one unit: that it is new, or its properties.
    pub(super) fn announce_unit(&mut self, id: UnitId) {
        let marks = self.graph.unit(id).marks;
        self.graph.unit_mut(id).marks = Marks { changed: false, announced: true, type_changed: false, ..marks };
        if !marks.changed && marks.announced {
            return;
        }
        let Some(audience) = self.unit_audience(id) else { return };
        let name = self.graph.unit(id).name.clone();
        if !marks.announced {
            self.effects.push_back(Effect::Emit(Signal::UnitNew(name), audience));
            return;
        }
        let view = self.view(id, None);
        let mut signals = Vec::new();
        if marks.type_changed
            && let Some(interface) = type_interface(self.graph.unit(id).unit_type())
        {
            let (changed, invalidated) = systemd1::changed_properties(&view, interface);
            if !changed.is_empty() {
                signals.push(Signal::UnitChanged { unit: name.clone(), interface, changed, invalidated });
            }
        }
        let (changed, invalidated) = systemd1::changed_properties(&view, UNIT.name);
        signals.push(Signal::UnitChanged { unit: name, interface: UNIT.name, changed, invalidated });
        for signal in signals {
            self.effects.push_back(Effect::Emit(signal, audience.clone()));
        }
    }

    /// Tells that a job is there, its unit first.
    pub(super) fn announce_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        if core::mem::replace(&mut job.announced, true) {
            return;
        }
        let unit = job.unit;
        if self.graph.unit(unit).marks.changed {
            self.announce_unit(unit);
        }
        let signal = Signal::JobNew { id: id.0, unit: self.graph.unit(unit).name.clone() };
        self.effects.push_back(Effect::Emit(signal, Audience::All));
    }

    /// Tells that a unit is gone; that it was there, when that was not told yet.
    pub(super) fn announce_removal(&mut self, id: UnitId) {
        if !self.graph.unit(id).marks.announced || self.graph.unit(id).marks.changed {
            self.announce_unit(id);
        }
        if let Some(audience) = self.unit_audience(id) {
            let name = self.graph.unit(id).name.clone();
            self.effects.push_back(Effect::Emit(Signal::UnitRemoved(name), audience));
        }
    }

    /// Everything is forgotten and known anew, as far as listeners can tell.
    pub(super) fn announce_reload(&mut self) {
        self.effects.push_back(Effect::Emit(Signal::Reloading(true), Audience::All));
        let known = self.graph.iter().filter(|(_, unit)| unit.marks.announced).map(|(id, _)| id);
        let known: Vec<UnitId> = known.collect();
        for id in known {
            if let Some(audience) = self.unit_audience(id) {
                let name = self.graph.unit(id).name.clone();
                self.effects.push_back(Effect::Emit(Signal::UnitRemoved(name), audience));
            }
            self.graph.unit_mut(id).marks.announced = false;
            self.queue_changed(id);
            self.queue_collect(id);
        }
        self.effects.push_back(Effect::Emit(Signal::Reloading(false), Audience::All));
    }
}
