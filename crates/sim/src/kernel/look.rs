//! Look-ups for those who judge the kernel's state from outside: no permissions, no text, nothing changes.

use super::cgroup::CgroupId;
use super::files::File;
use super::process::Pid;
use super::{ControllerSet, Kernel};

impl Kernel {
    /// `populated` of `cgroup.events`; true for the root, false for what is not there.
    #[must_use]
    pub fn is_populated(&self, id: CgroupId) -> bool {
        self.live(id).is_ok_and(|index| self.cgroups[index].populated())
    }

    /// Whether it, or something above it, is told to stand still, and so whoever is born in it.
    #[must_use]
    pub fn is_to_freeze(&self, id: CgroupId) -> bool {
        self.live(id).is_ok_and(|index| self.cgroups[index].freezer.effective > 0)
    }

    /// `frozen` of `cgroup.events`.
    #[must_use]
    pub fn is_frozen(&self, id: CgroupId) -> bool {
        self.live(id).is_ok_and(|index| self.cgroups[index].freezer.frozen)
    }

    /// `oom_kill` of `memory.events`, where there is such a file.
    #[must_use]
    pub fn oom_kills(&self, id: CgroupId) -> Option<u64> {
        let index = self.live(id).ok().filter(|index| self.has_file(*index, File::MemoryEvents))?;
        Some(self.memory_here(index).events.oom_kill)
    }

    /// The controllers of `cgroup.controllers`.
    #[must_use]
    pub fn controllers(&self, id: CgroupId) -> ControllerSet {
        self.live(id).map_or(ControllerSet::NONE, |index| self.cgroups[index].visible)
    }

    /// The controllers of `cgroup.subtree_control`.
    #[must_use]
    pub fn handed_down(&self, id: CgroupId) -> ControllerSet {
        self.live(id).map_or(ControllerSet::NONE, |index| self.cgroups[index].subtree_control)
    }

    /// Live threads directly in this cgroup, in no order that means anything.
    pub fn tasks_in(&self, id: CgroupId) -> impl Iterator<Item = Pid> {
        let tasks = self.live(id).map_or(&[][..], |index| &self.cgroups[index].tasks[..]);
        tasks.iter().map(|task| self.tasks[*task].tid)
    }

    /// This cgroup and all below, parents first, siblings by name.
    #[must_use]
    pub fn below(&self, id: CgroupId) -> Vec<CgroupId> {
        let mut found = Vec::new();
        let mut waiting: Vec<u32> = self.live(id).into_iter().collect();
        while let Some(index) = waiting.pop() {
            found.push(self.id(index));
            waiting.extend(self.cgroups[index].children.values().rev());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Caller, CgroupId, Config, Controller, ControllerSet, File, Fork, Kernel};

    #[test]
    fn looking_is_like_reading() {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config::default());
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        let b = kernel.mkdir(&root, a, b"b").expect("made");
        let c = kernel.mkdir(&root, a, b"c").expect("made");
        let d = kernel.mkdir(&root, b, b"d").expect("made");
        assert_eq!(kernel.below(a), [a, b, d, c]);
        let pid = kernel.fork(&root, &Fork { into: Some(d), ..Fork::default() }).expect("started");
        kernel.write(&root, b, File::CgroupFreeze, b"1").expect("written");
        assert_eq!([a, b, c, d].map(|id| kernel.is_populated(id)), [true, true, false, true]);
        assert_eq!([a, b, c, d].map(|id| kernel.is_frozen(id)), [false, true, false, true]);
        assert!(kernel.tasks_in(d).eq([pid]) && kernel.tasks_in(a).next().is_none());
        kernel.write(&root, CgroupId::ROOT, File::CgroupSubtreeControl, b"+cpu").expect("written");
        assert_eq!(kernel.handed_down(CgroupId::ROOT), kernel.controllers(a));
        assert_eq!(kernel.controllers(a), ControllerSet::of(Controller::Cpu));
        kernel.rmdir(&root, c).expect("empty");
        assert!(kernel.below(c).is_empty() && !kernel.is_populated(c));
    }
}
