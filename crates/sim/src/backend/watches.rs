//! Watches: which cgroups the core wants to hear about, and the hints that wait to be taken. A cgroup that changes
//! twice before its hint is taken gives one hint, as inotify does.

use crate::kernel::{CgroupId, File};
use cgarbiter_core::plan::WatchId;
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    pub(super) by_cgroup: BTreeMap<CgroupId, Watch>,
    pub(super) by_number: BTreeMap<WatchId, CgroupId>,
    /// Set up by the plan in flight; their present state is reported when it ends.
    pub(super) new: Vec<WatchId>,
    pub(super) waiting: VecDeque<WatchId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    number: WatchId,
    pub(super) memory: bool,
}

impl Watches {
    pub(super) fn add(&mut self, cgroup: CgroupId, number: WatchId, memory: bool) {
        if let Some(old) = self.by_cgroup.insert(cgroup, Watch { number, memory }) {
            self.by_number.remove(&old.number);
        }
        self.by_number.insert(number, cgroup);
        self.new.push(number);
    }

    pub(super) fn drop_number(&mut self, number: WatchId) {
        if let Some(cgroup) = self.by_number.remove(&number) {
            self.by_cgroup.remove(&cgroup);
        }
        self.waiting.retain(|waiting| *waiting != number);
        self.new.retain(|new| *new != number);
    }

    pub(super) fn changed(&mut self, cgroup: CgroupId, file: File) {
        let Some(watch) = self.by_cgroup.get(&cgroup).copied() else { return };
        if file == File::CgroupEvents || (watch.memory && file == File::MemoryEvents) {
            self.queue(watch.number);
        }
    }

    /// The directory is gone, and the watch with it: one last hint, where the kernel tells so. Elsewhere the reader
    /// goes on to believe that there is a watch.
    pub(super) fn removed(&mut self, cgroup: CgroupId, is_told: bool) {
        if let Some(watch) = self.by_cgroup.remove(&cgroup)
            && is_told
        {
            self.by_number.remove(&watch.number);
            self.queue(watch.number);
        }
    }

    /// The plan has ended: its new watches report once, so that nothing between set-up and now is missed.
    pub(super) fn announce_new(&mut self) {
        for number in std::mem::take(&mut self.new) {
            self.queue(number);
        }
    }

    pub(super) fn take(&mut self) -> Option<WatchId> {
        self.waiting.pop_front()
    }

    pub(super) fn first(&self) -> Option<WatchId> {
        self.waiting.front().copied()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn any(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn numbers(&self) -> Vec<WatchId> {
        self.by_number.keys().copied().collect()
    }

    pub(super) fn cgroup(&self, number: WatchId) -> Option<CgroupId> {
        self.by_number.get(&number).copied()
    }

    pub(super) fn repeat(&mut self, position: usize) {
        let count = self.by_number.len().max(1);
        if let Some(number) = self.by_number.keys().nth(position % count).copied() {
            self.queue(number);
        }
    }

    /// A watch that is there no more reports once more.
    pub(super) fn late(&mut self, number: WatchId) {
        self.queue(number);
    }

    pub(super) fn hasten(&mut self, position: usize) {
        let count = self.waiting.len().max(1);
        if let Some(number) = self.waiting.remove(position % count) {
            self.waiting.push_front(number);
        }
    }

    /// A watch whose directory went is still in the reader's table, so its hint is not lost either.
    pub(super) fn overflow(&mut self) {
        let (by_number, waiting) = (&self.by_number, &mut self.waiting);
        waiting.retain(|number| !by_number.contains_key(number));
        let all: Vec<WatchId> = self.by_number.keys().copied().collect();
        all.into_iter().for_each(|number| self.queue(number));
    }

    fn queue(&mut self, number: WatchId) {
        if !self.waiting.contains(&number) {
            self.waiting.push_back(number);
        }
    }
}
