//! Properties that change while a unit is there: SetUnitProperties, and taking it back when it cannot be kept.

use super::Manager;
use super::requests::Answered;
use crate::client::{Client, Transport};
use crate::effect::Reply;
use crate::error::{OpError, Refusal, RefusalKind};
use crate::plan::Op;
use crate::propagation;
use crate::properties::{self, DropIn, Property};
use crate::request::{CallId, PropertyList, UnitRef};
use crate::settings::{Resources, Settings};
use crate::unit::UnitId;
use crate::unit_files::UnitFile;
use crate::work::Undo;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Manager {
    pub(super) fn set_properties(
        &mut self,
        call: CallId,
        client: &Client,
        unit: &UnitRef,
        runtime: bool,
        list: PropertyList,
    ) -> Answered {
        let id = self.find_or_load(unit)?;
        self.check_is_loaded(unit, id)?;
        let unit_type = self.graph.unit(id).unit_type();
        let mut checked = Vec::with_capacity(list.len());
        for (name, value) in &list {
            let context =
                properties::Context { unit_type, creating: false, transport: &client.transport, config: &self.config };
            let property = properties::parse(name, value, &context)?;
            self.check_supported(id, &property)?;
            checked.push(property);
        }
        if checked.is_empty() {
            return Ok(Some(Reply::Done));
        }
        let unit = self.graph.unit(id);
        let mut undo = Undo {
            call: Some(call),
            made_by: None,
            settings: unit.settings.clone(),
            drop_ins: unit.drop_ins.clone(),
            files: Vec::new(),
            is_reread: false,
        };
        for property in &checked {
            self.apply_property(id, property, runtime, &mut undo);
        }
        self.settings_changed(id, &undo.settings);
        self.realize_idle(id);
        // What is set lies beside the record, which may have been waiting for the unit's start.
        self.record_made(id);
        let intents = self.graph.unit_mut(id).work.intents_mut();
        intents.replies.push(call);
        intents.undo.push(undo);
        Ok(None)
    }

    /// What follows from other settings than before: for the slices above, for members, for the unit itself.
    fn settings_changed(&mut self, id: UnitId, before: &Settings) {
        let now = &self.graph.unit(id).settings.resources;
        let disables = now.disable_controllers != before.resources.disable_controllers;
        let hands_down = memory_handed_down(now) != memory_handed_down(&before.resources);
        let changed = if disables {
            let touched = propagation::update_subtree(&mut self.graph, id);
            touched.iter().for_each(|unit| self.queue_realize(*unit));
            touched
        } else {
            propagation::update(&mut self.graph, id)
        };
        self.realize_slices(&changed);
        if hands_down {
            self.queue_realize_members(id);
        }
        self.queue_changed(id);
        self.queue_realize_up(id);
    }

    /// The calls that changed properties and wait for their answer are refused: the unit is configured as it was, and
    /// so are its drop-ins. A refusal has changed nothing. Whether the unit had been made transient by one of them.
    pub(super) fn undo_changes(&mut self, id: UnitId, error: &OpError) -> bool {
        let work = &mut self.graph.unit_mut(id).work;
        let mut undone = core::mem::take(&mut work.planned.undo);
        if let Some(intents) = &mut work.intents {
            undone.append(&mut intents.undo);
            intents.replies.retain(|call| !undone.iter().any(|undo| undo.call == Some(*call)));
        }
        work.planned.replies.retain(|call| !undone.iter().any(|undo| undo.call == Some(*call)));
        for (undo, call) in undone.iter().filter_map(|undo| Some((undo, undo.call?))) {
            let refusal = Refusal::new(RefusalKind::Errno(error.errno), format!("{error}"));
            match undo.files.is_empty() {
                true => self.reply(call, Err(refusal)),
                false => self.refuse_when_recorded(call, refusal),
            }
        }
        let is_reread = undone.iter().any(|undo| undo.is_reread);
        let is_unmade = undone.iter().any(|undo| undo.made_by.is_some());
        // The last change first, so that the oldest settings and texts are what remains.
        for undo in undone.into_iter().rev() {
            if let Some(owner) = undo.made_by {
                self.make_lasting(id, owner);
            }
            let unit = self.graph.unit_mut(id);
            let later = core::mem::replace(&mut unit.settings, undo.settings);
            unit.drop_ins = undo.drop_ins;
            if undo.made_by.is_some() {
                self.tie(id);
            }
            let unit = self.graph.unit_mut(id);
            let files = &mut unit.work.intents_mut().files;
            for op in undo.files {
                if !unit.transient {
                    self.files.follow_op(&op);
                }
                let is_pending = files.iter().position(|other| path_of(other) == path_of(&op));
                match is_pending {
                    // Not written yet; what was pending may itself stand for something older that was.
                    Some(at) => files[at] = op,
                    None => files.push(op),
                }
            }
            self.settings_changed(id, &later);
        }
        let unit = self.graph.unit_mut(id);
        if !unit.realized.exists {
            // There is nothing to be configured, and nothing to be made for that.
            (unit.work.configure, unit.work.planned.configure) = (false, false);
        }
        if is_reread {
            // What the files say now counts, and not what they said before.
            match self.graph.unit(id).transient {
                true => self.read_records(None, &[id], None),
                false => self.configure_anew(id, None),
            }
            self.load_queued();
        }
        is_unmade
    }

    /// A unit that was made transient while it was up is what it was before: its record could not be written.
    fn make_lasting(&mut self, id: UnitId, owner: u32) {
        let changed = propagation::withdraw(&mut self.graph, id);
        self.realize_slices(&changed);
        self.untie(id);
        let unit = self.graph.unit_mut(id);
        unit.transient = false;
        unit.fragment = None;
        unit.work.forget_record();
        let later = core::mem::replace(&mut unit.owner, owner);
        self.count_owner(later, false);
        self.count_owner(owner, true);
    }

    fn apply_property(&mut self, id: UnitId, property: &Property, runtime: bool, undo: &mut Undo) {
        let before = self.drop_in_before(id, property, &undo.settings);
        let unit = self.graph.unit_mut(id);
        property.apply(&mut unit.settings);
        let Some(drop_in) = property.drop_in(unit.unit_type(), &unit.settings) else { return };
        if unit.transient && unit.fragment.is_none() {
            // What is beside the file of somebody else would count for his unit.
            return;
        }
        let paths = &self.config.unit_paths;
        let directory = match (unit.transient, runtime) {
            (true, _) => &paths.transient,
            (false, true) => &paths.runtime_control,
            (false, false) => &paths.persistent_control,
        };
        let file: Arc<str> = [directory, "/", unit.name.as_str(), ".d/", &drop_in.stem, ".conf"].concat().into();
        let op = Op::WriteFile { file: file.clone(), content: drop_in.content, spares_others: false };
        // Another drop-in may say something else, and count for more: what stood in this one is not what counted.
        let mut stood = None;
        if !unit.transient {
            stood = self.files.at(&file).and_then(UnitFile::as_text).map(Into::into);
            self.files.follow_op(&op);
        }
        let files = &mut unit.work.intents_mut().files;
        files.retain(|other| path_of(other) != Some(&file));
        files.push(op);
        if !undo.files.iter().any(|other| path_of(other) == Some(&file)) {
            let counted = before.map(|before| before.content).filter(|_| undo.drop_ins.contains(&file));
            let content = stood.or(counted);
            undo.files.push(match content {
                Some(content) => Op::WriteFile { file: file.clone(), content, spares_others: false },
                None => Op::RemoveFile { file: file.clone(), directory: false },
            });
        }
        // In the order of writing, until they are read again.
        if !unit.drop_ins.contains(&file) {
            unit.drop_ins.push(file);
        }
    }

    /// The drop-in with what the unit was configured to be before; the property at hand has the new value.
    fn drop_in_before(&self, id: UnitId, property: &Property, before: &Settings) -> Option<DropIn> {
        let unit_type = self.graph.unit(id).unit_type();
        let transport = &Transport::Private;
        let context = properties::Context { unit_type, creating: false, transport, config: &self.config };
        let value = properties::read(property.name(), before, &self.config, unit_type);
        let old = value.and_then(|value| properties::parse(property.name(), &value, &context).ok());
        old.as_ref().unwrap_or(property).drop_in(unit_type, before)
    }

    /// A value that members inherit has changed: their files are compared again.
    fn queue_realize_members(&mut self, slice: UnitId) {
        let mut todo: Vec<UnitId> = self.graph.members(slice).collect();
        while let Some(id) = todo.pop() {
            self.queue_realize(id);
            todo.extend(self.graph.members(id));
        }
    }
}

/// What members inherit.
fn memory_handed_down(resources: &Resources) -> [(bool, u64); 2] {
    [
        (resources.default_memory_min_set, resources.default_memory_min),
        (resources.default_memory_low_set, resources.default_memory_low),
    ]
}

/// The record that an operation is about.
pub(super) fn path_of(op: &Op) -> Option<&Arc<str>> {
    match op {
        Op::WriteFile { file, .. } | Op::RemoveFile { file, .. } => Some(file),
        _ => None,
    }
}
