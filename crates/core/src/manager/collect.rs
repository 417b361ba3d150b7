//! Collection of units nobody needs any more (reference 02.8).

use super::Manager;
use crate::names::UnitType;
use crate::plan::{Cause, OnError, Op, Step};
use crate::propagation;
use crate::settings::CollectMode;
use crate::unit::{ActiveState, Unit, UnitId};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What has been found out about who has to stay.
#[derive(Default)]
struct Needed {
    /// Somebody who stays needs them.
    stay: BTreeSet<UnitId>,
    /// Nobody does.
    goes: BTreeSet<UnitId>,
}

impl Needed {
    fn stays(&self, unit: &Unit, id: UnitId) -> bool {
        keeps_itself(unit) || self.stay.contains(&id)
    }
}

impl Manager {
    /// Marks a unit as perhaps collectable.
    pub(super) fn queue_collect(&mut self, id: UnitId) {
        let marks = &mut self.graph.unit_mut(id).marks;
        if !marks.collect {
            marks.collect = true;
            self.collect.push_back(id);
        }
    }

    /// Frees every queued unit that may go.
    pub(super) fn collect_units(&mut self) {
        // Freeing those that nobody needs changes nothing about who needs the others.
        let mut known = Needed::default();
        while let Some(id) = self.collect.pop_front() {
            if self.graph.get(id).is_none() {
                continue;
            }
            self.graph.unit_mut(id).marks.collect = false;
            if self.find_out(id, &mut known) {
                continue;
            }
            let members: Vec<UnitId> = self.graph.members(id).collect();
            if members.is_empty() {
                self.free_unit(id);
            }
            // Nothing keeps those either; the slice goes with the last of them.
            members.into_iter().for_each(|member| self.queue_collect(member));
        }
    }

    /// Whether the unit has to stay: by itself, or because a unit that stays lies in it or names it.
    pub(super) fn is_kept(&self, id: UnitId) -> bool {
        self.find_out(id, &mut Needed::default())
    }

    /// The same, beginning with what is known of others already: units may name each other in long rows, and all of
    /// them may be looked at.
    fn find_out(&self, id: UnitId, known: &mut Needed) -> bool {
        if known.stays(self.graph.unit(id), id) {
            return true;
        }
        if known.goes.contains(&id) {
            return false;
        }
        // From each unit the way back.
        let mut ways = BTreeMap::new();
        let mut todo = Vec::new();
        let mut next = Some(id);
        while let Some(at) = next {
            for other in self.needed_by(at) {
                if known.stays(self.graph.unit(other), other) {
                    known.stay.extend(core::iter::successors(Some(at), |at| ways.get(at).copied()));
                    return true;
                }
                if other != id && !known.goes.contains(&other) && !ways.contains_key(&other) {
                    ways.insert(other, at);
                    todo.push(other);
                }
            }
            next = todo.pop();
        }
        known.goes.extend(ways.into_keys());
        false
    }

    /// The units that would keep it, if they stay: those in it, and those that name it.
    fn needed_by(&self, id: UnitId) -> impl Iterator<Item = UnitId> {
        let name = &self.graph.unit(id).name;
        let names_us = move |other: &UnitId| {
            self.graph.unit(*other).settings.dependencies.iter().any(|(_, dependency)| dependency == name)
        };
        let referrers = self.graph.all_edges(id).map(|(_, other)| other).filter(names_us);
        self.graph.members(id).chain(referrers)
    }

    fn free_unit(&mut self, id: UnitId) {
        self.announce_removal(id);
        self.timers.clear_all(id);
        let neighbours: Vec<UnitId> = self.graph.all_edges(id).map(|(_, other)| other).collect();
        let changed = propagation::withdraw(&mut self.graph, id);
        let slice = self.graph.unit(id).slice;
        self.forget_records(id);
        self.close_streams(id);
        self.empty_store(id);
        self.set_controller(id, None);
        self.realize.remove(&id);
        self.leave_directory(id);
        self.own_acts.remove(&id);
        let unit = self.graph.remove(id);
        assert!(unit.job.is_none() && !unit.work.is_pending(), "{} is freed with work pending", unit.name);
        self.failed_units.remove(&unit.name);
        self.count_owner(unit.owner, false);
        if let Some(watch) = unit.realized.watch {
            self.watches.remove(&watch);
        }
        self.realize_slices(&changed);
        for other in neighbours.into_iter().chain(slice) {
            if self.graph.get(other).is_some() {
                self.queue_collect(other);
            }
        }
    }

    /// Removes the records of a transient unit: its file and its drop-ins. Beside a file of somebody else, only what
    /// was written for the unit goes.
    fn forget_records(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        if !unit.transient {
            return;
        }
        let directory = &self.config.unit_paths.transient;
        let beside: Arc<str> = [directory, "/", unit.name.as_str(), ".d"].concat().into();
        let mut drop_ins = unit.drop_ins.iter().filter(|file| file.starts_with(&**directory)).peekable();
        let has_drop_ins = drop_ins.peek().is_some();
        let mut ops = Vec::new();
        match &unit.fragment {
            Some(fragment) => {
                ops.push(Op::RemoveFile { file: fragment.clone(), directory: false });
                ops.extend(has_drop_ins.then_some(Op::RemoveFile { file: beside, directory: true }));
            }
            None => {
                ops.extend(drop_ins.map(|file| Op::RemoveFile { file: file.clone(), directory: false }));
                ops.extend(has_drop_ins.then_some(Op::RemoveEmpty { directory: beside }));
            }
        }
        let step = |op| Step { unit: unit.name.clone(), cause: Cause::Collect, on_error: OnError::Report, op };
        self.loose.extend(ops.into_iter().map(step));
    }

    /// Keeps count of the units that each user has made.
    pub(super) fn count_owner(&mut self, uid: u32, up: bool) {
        if uid == 0 {
            return;
        }
        let count = self.units_by_owner.entry(uid).or_default();
        *count = if up { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.units_by_owner.remove(&uid);
        }
    }
}

/// Whether something about the unit itself keeps it.
fn keeps_itself(unit: &Unit) -> bool {
    let over = match unit.active() {
        ActiveState::Inactive => true,
        ActiveState::Failed => unit.settings.collect_mode == CollectMode::InactiveOrFailed,
        _ => false,
    };
    let has_cgroup = unit.realized.is_used() && !(unit.unit_type() == UnitType::Slice && unit.perpetual);
    unit.job.is_some()
        || unit.perpetual
        || unit.marks.asked
        || !unit.references.is_empty()
        || unit.work.is_pending()
        || has_cgroup
        || !over
        || unit.service.as_ref().is_some_and(|service| !service.is_alone())
}
