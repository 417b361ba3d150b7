//! Directories of units that are not up: made because somebody has set a property, as systemd does, and written like
//! any other. Nobody has ever been in them. They stay when the unit is unloaded, and are known again when it is loaded;
//! they go with the slice that they lie in, or when the unit has been up and ends.

use super::Manager;
use crate::effect::Severity;
use crate::error::OpError;
use crate::names::{CgroupPath, UnitType};
use crate::plan::Op;
use crate::realized::Realized;
use crate::unit::{LoadState, UnitId};
use alloc::format;
use alloc::vec::Vec;

impl Manager {
    /// The settings of a unit have been changed: if it is not up, its directory is made for them with the next plan.
    pub(super) fn realize_idle(&mut self, id: UnitId) {
        let unit = self.graph.unit_mut(id);
        let has_cgroup = matches!(unit.unit_type(), UnitType::Slice | UnitType::Scope | UnitType::Service);
        let is_down = unit.has_nobody() && !unit.work.prune;
        // What is left of one that was up goes as soon as it can.
        let is_left = unit.realized.exists && !unit.realized.idle;
        if has_cgroup && unit.load == LoadState::Loaded && is_down && unit.work.ending.is_none() && !is_left {
            unit.work.configure = true;
        }
    }

    /// Somebody comes into it, or into one below.
    pub(super) fn directory_is_used(&mut self, id: UnitId) {
        let mut next = Some(id);
        let mut woken = Vec::new();
        while let Some(id) = next {
            let unit = self.graph.unit_mut(id);
            if core::mem::take(&mut unit.realized.idle) {
                woken.push(id);
            }
            next = unit.slice;
        }
        // Controllers that nobody needed any more were left alone until now.
        self.realize_slices(&woken);
    }

    /// Whether nothing but the settings of units that are not up needed this step.
    pub(super) fn is_for_idle(&self, id: UnitId, op: &Op, units: &[UnitId]) -> bool {
        let is_directory = matches!(op, Op::Mkdir { .. } | Op::Observe { .. } | Op::Rmdir { .. });
        let work = |id: UnitId| &self.graph.unit(id).work;
        let unit = self.graph.unit(id);
        // A slice is up without a directory, too.
        let is_unmade = unit.unit_type() == UnitType::Slice && !unit.realized.exists;
        let is_idle = (unit.has_nobody() || is_unmade) && work(id).ending.is_none();
        is_directory && is_idle && self.served(id, units).all(|other| !work(other).starting)
    }

    /// A directory of one that is not up could not be made. The settings count all the same.
    pub(super) fn idle_failed(&mut self, id: UnitId, error: &OpError, units: &[UnitId]) {
        self.tell(Severity::Warning, Some(id), format!("no cgroup for a unit that is not up: {error}"));
        for other in self.served(id, units).collect::<Vec<UnitId>>() {
            self.graph.unit_mut(other).work.planned.configure = false;
        }
    }

    /// Those of the units that need this one's directory.
    fn served<'a>(&'a self, id: UnitId, units: &'a [UnitId]) -> impl Iterator<Item = UnitId> + 'a {
        let needs = move |other: &UnitId| *other == id || self.graph.ancestors(*other).any(|slice| slice == id);
        units.iter().copied().filter(needs)
    }

    /// The unit leaves its place; its directory does not.
    pub(super) fn leave_directory(&mut self, id: UnitId) {
        let realized = &mut self.graph.unit_mut(id).realized;
        if let (true, Some(path)) = (realized.exists && realized.idle, realized.path.clone()) {
            self.left.insert(path, core::mem::take(realized));
        }
    }

    /// A unit has come to its place: what has been left there is its own again.
    pub(super) fn take_back_directory(&mut self, id: UnitId) {
        if self.left.is_empty() || self.graph.unit(id).realized.exists {
            return;
        }
        let path = self.graph.cgroup_path(id);
        if let Some(realized) = path.and_then(|path| self.left.remove(&path)) {
            self.graph.unit_mut(id).realized = realized;
        }
    }

    /// A directory has gone, or is another one now, and so are those below it: of units that are not up, and of those
    /// that ended and could not be removed then.
    pub(super) fn forget_below(&mut self, id: UnitId, path: &CgroupPath) {
        self.forget_left_in(path);
        self.forget_members(id, true);
    }

    /// The directories below that nobody needs may have gone.
    pub(super) fn forget_idle_below(&mut self, id: UnitId) {
        if let Some(path) = self.graph.cgroup_path(id) {
            self.forget_left_in(&path);
            self.forget_members(id, false);
        }
    }

    fn forget_left_in(&mut self, path: &CgroupPath) {
        let from = self.left.range(path.clone()..).map(|(left, _)| left);
        let gone = from.take_while(|left| left.as_str().starts_with(path.as_str())).filter(|left| left.is_in(path));
        for left in gone.cloned().collect::<Vec<CgroupPath>>() {
            self.left.remove(&left);
        }
    }

    /// Directories of members that nobody needs are not counted on any more; those of others have to be made anew when
    /// they are lost, too.
    fn forget_members(&mut self, id: UnitId, are_all_lost: bool) {
        let mut todo: Vec<UnitId> = self.graph.members(id).collect();
        while let Some(member) = todo.pop() {
            let realized = &mut self.graph.unit_mut(member).realized;
            let (idle, exists) = (realized.idle, realized.exists);
            if idle {
                *realized = Realized { epochs: realized.epochs, last: realized.last.take(), ..Realized::default() };
            } else if exists && are_all_lost {
                self.lost_directory(Some(member));
            }
            if idle || !are_all_lost {
                todo.extend(self.graph.members(member));
            }
        }
    }
}
