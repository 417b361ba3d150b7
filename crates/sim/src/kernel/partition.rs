//! Cpuset partitions: cgroups that take their processors away from their parent. A wish for one is always accepted;
//! whether it came true is told by reading. Local partitions below partitions are modelled, and remote ones with
//! exclusive processors; what happens when processors go offline is not.

use std::collections::BTreeMap;

use super::files::File;
use super::parse::strip;
use super::{Errno, Kernel};

/// What `cpuset.cpus.partition` was set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Wish {
    #[default]
    Member,
    Root,
    Isolated,
}

/// The wish, and why it did not come true.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Partition {
    wish: Wish,
    /// Empty: for no reason that the kernel tells.
    invalid: Option<&'static str>,
    /// What its parent is does not matter: it takes from the root.
    remote: bool,
}

const NO_CPUS_OLD: &str = "cpuset.cpus is empty";
const NO_CPUS: &str = "cpuset.cpus and cpuset.cpus.exclusive are empty";
const NOT_EXCLUSIVE: &str = "Cpu list in cpuset.cpus not exclusive";
const BAD_EXCLUSIVE: &str = "Invalid cpu list in cpuset.cpus.exclusive";
const BAD_CPUS: &str = "Invalid cpu list in cpuset.cpus";
const PARENT_MEMBER: &str = "Parent is not a partition root";
const PARENT_INVALID: &str = "Parent is an invalid partition root";
const PARENT_EMPTIED: &str = "Parent unable to distribute cpu downstream";

impl Kernel {
    /// Is it the root, or a partition that came true?
    pub(super) fn is_partition(&self, index: u32) -> bool {
        let partition = &self.cgroups[index].cpuset.partition;
        self.cgroups[index].is_root() || (partition.wish != Wish::Member && partition.invalid.is_none())
    }

    /// The processors that a partition takes.
    pub(super) fn partition_cpus(&self, index: u32) -> u64 {
        let Some(parent) = self.cgroups[index].parent else { return u64::MAX };
        let remote = self.cgroups[index].cpuset.partition.remote;
        let granted = if remote { self.granted_exclusive(parent) } else { self.granted_to(parent) };
        self.wished_cpus(index) & granted
    }

    fn granted_to(&self, parent: u32) -> u64 {
        if self.cgroups[parent].is_root() { self.granted_exclusive(parent) } else { self.partition_cpus(parent) }
    }

    /// Whom a partition takes its processors from.
    pub(super) fn partition_giver(&self, index: u32) -> u32 {
        let remote = self.cgroups[index].cpuset.partition.remote;
        if remote { super::CgroupId::ROOT.index() } else { self.cgroups[index].parent.expect("not the root") }
    }

    pub(super) fn isolated_cpus(&self) -> u64 {
        let isolated = |index: &&u32| self.cgroups[**index].cpuset.partition.wish == Wish::Isolated;
        self.partitions.iter().filter(isolated).fold(0, |cpus, index| cpus | self.partition_cpus(*index))
    }

    pub(super) fn write_cpuset_partition(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let wish = match strip(text) {
            b"member" => Wish::Member,
            b"root" => Wish::Root,
            b"isolated" => Wish::Isolated,
            _ => return Err(Errno::EINVAL),
        };
        let old = self.cgroups[index].cpuset.partition;
        if wish == old.wish && old.invalid.is_none() {
            return Ok(());
        }
        let invalid = match (wish, old.wish) {
            (Wish::Member, _) => None,
            // 6.1 leaves an invalid partition invalid whatever it is to become.
            (_, Wish::Root | Wish::Isolated) if old.invalid.is_none() || !self.config.at_least(6, 7) => old.invalid,
            (_, _) => self.obstacle(index),
        };
        let before = self.effective_below(index);
        self.set_partition(index, wish, invalid);
        // What is made invalid again without being judged judges nothing either.
        if wish == Wish::Member || old.invalid.is_none() || self.config.at_least(6, 7) {
            self.rejudge(index, &before, wish == Wish::Member);
        }
        Ok(())
    }

    /// What stops this cgroup from becoming a partition.
    fn obstacle(&mut self, index: u32) -> Option<&'static str> {
        let modern = self.config.at_least(6, 7);
        let own = self.cgroups[index].cpuset;
        let parent = self.cgroups[index].parent.expect("the root is no part of anything");
        if own.cpus == 0 && own.exclusive == 0 {
            return Some(if modern { NO_CPUS } else { NO_CPUS_OLD });
        }
        if self.siblings(index).any(|sibling| self.overlaps(index, sibling)) {
            return Some(NOT_EXCLUSIVE);
        }
        let remote = modern && !self.is_partition(parent);
        self.cgroups[index].cpuset.partition.remote = remote;
        if !modern && !self.is_partition(parent) {
            return self.not_below(parent);
        }
        if self.partition_cpus(index) == 0 {
            return Some(if modern { BAD_EXCLUSIVE } else { BAD_CPUS });
        }
        let left = self.effective_cpus(self.partition_giver(index)) & !self.partition_cpus(index);
        let needy = left == 0 && self.has_tasks_outside_partitions(parent, index);
        needy.then_some(PARENT_EMPTIED)
    }

    /// Do two siblings want the same processors, so that one of them cannot be a partition? From 7.0 on only
    /// partitions and exclusive wishes count.
    fn overlaps(&self, index: u32, sibling: u32) -> bool {
        let other = match self.is_partition(sibling) || !self.config.at_least(7, 0) {
            true => self.wished_cpus(sibling),
            false => self.cgroups[sibling].cpuset.exclusive,
        };
        self.wished_cpus(index) & other != 0
    }

    fn has_tasks_outside_partitions(&self, index: u32, excluded: u32) -> bool {
        let cgroup = &self.cgroups[index];
        let children = cgroup.children.values().filter(|child| **child != excluded && !self.is_partition(**child));
        !cgroup.tasks.is_empty()
            || children.into_iter().any(|child| self.has_tasks_outside_partitions(*child, excluded))
    }

    fn set_partition(&mut self, index: u32, wish: Wish, invalid: Option<&'static str>) {
        let partition = &mut self.cgroups[index].cpuset.partition;
        let changed = partition.wish != wish || partition.invalid.is_some() != invalid.is_some();
        (partition.wish, partition.invalid) = (wish, invalid);
        self.partitions.retain(|other| *other != index);
        if wish != Wish::Member && invalid.is_none() {
            self.partitions.push(index);
        }
        if changed {
            self.notify(index, File::CpusetCpusPartition);
            self.judge_children(index);
        }
    }

    /// Local partitions below one that is no partition any more are none either.
    fn judge_children(&mut self, index: u32) {
        if self.is_partition(index) || self.partitions.is_empty() {
            return;
        }
        let local = |child: &u32| self.partitions.contains(child) && !self.cgroups[*child].cpuset.partition.remote;
        let children: Vec<u32> = self.cgroups[index].children.values().copied().filter(local).collect();
        for child in children {
            let wish = self.cgroups[child].cpuset.partition.wish;
            self.set_partition(child, wish, self.not_below(index));
        }
    }

    /// What a cgroup and every one below it have, as [`rejudge`](Self::rejudge) compares it.
    pub(super) fn effective_below(&self, index: u32) -> BTreeMap<u32, u64> {
        let mut found = BTreeMap::new();
        let mut open = vec![index];
        while let Some(cgroup) = open.pop() {
            found.insert(cgroup, self.effective_cpus(cgroup));
            open.extend(self.cgroups[cgroup].children.values());
        }
        found
    }

    /// Wishes below a cgroup that was judged are judged again, those that did not come true as well; below a member
    /// only when its processors changed, or with `all`.
    pub(super) fn rejudge(&mut self, index: u32, before: &BTreeMap<u32, u64>, all: bool) {
        let children: Vec<u32> = self.cgroups[index].children.values().copied().collect();
        for child in children {
            let Partition { wish, invalid, remote } = self.cgroups[child].cpuset.partition;
            if wish == Wish::Member {
                if all || before.get(&child) != Some(&self.effective_cpus(child)) {
                    self.rejudge(child, before, all);
                }
                continue;
            }
            if remote && invalid.is_none() {
                continue;
            }
            let invalid = if self.is_partition(index) { self.second_thought(child) } else { self.not_below(index) };
            self.set_partition(child, wish, invalid);
            self.rejudge(child, before, all);
        }
    }

    /// The same after a wish for processors: nothing is looked at below a member that has the same as before.
    pub(super) fn rejudge_if_changed(&mut self, index: u32, before: &BTreeMap<u32, u64>) {
        let is_member = self.cgroups[index].cpuset.partition.wish == Wish::Member;
        if !is_member || before[&index] != self.effective_cpus(index) {
            self.rejudge(index, before, false);
        }
    }

    /// Why nothing below this can be a local partition.
    fn not_below(&self, parent: u32) -> Option<&'static str> {
        let member = self.cgroups[parent].cpuset.partition.wish == Wish::Member;
        Some(if member { PARENT_MEMBER } else { PARENT_INVALID })
    }

    /// A wish below a partition that changed: what stands in its way from now on.
    fn second_thought(&mut self, index: u32) -> Option<&'static str> {
        let old = self.cgroups[index].cpuset.partition.invalid;
        let parent = self.cgroups[index].parent.expect("the root wishes for nothing");
        if self.wished_cpus(index) == 0 {
            return old;
        }
        let free = self.effective_cpus(parent);
        let more = if old.is_none() { 0 } else { self.wished_cpus(index) & free };
        if more != 0 && free & !more == 0 && self.has_tasks_outside_partitions(parent, index) {
            return Some(PARENT_EMPTIED);
        }
        if old.is_some() && self.siblings(index).any(|sibling| self.overlaps(index, sibling)) {
            return if self.config.at_least(6, 7) { Some(NOT_EXCLUSIVE) } else { old };
        }
        self.cgroups[index].cpuset.partition.remote = false;
        None
    }

    /// What a cgroup would have for itself: its exclusive wish, else its wish.
    pub(super) fn wished_cpus(&self, index: u32) -> u64 {
        let own = &self.cgroups[index].cpuset;
        if own.exclusive == 0 { own.cpus } else { own.exclusive }
    }

    /// Would a partition that is to have other exclusive processors have all that its parent's processes are left
    /// with now? That it gives some back does not count.
    pub(super) fn starves_parent(&self, index: u32, exclusive: u64) -> bool {
        let parent = self.cgroups[index].parent.expect("the root wishes for nothing");
        let starves = exclusive != 0 && self.effective_cpus(parent) & !exclusive == 0;
        starves && self.is_partition(index) && self.has_tasks_outside_partitions(parent, index)
    }

    /// The wished processors changed: the cgroup's own partition is judged again, and up to 6.19 a sibling's that
    /// wants one of them is invalid from now on. With `starves` it is judged to leave nothing to its parent.
    pub(super) fn cpus_changed(&mut self, index: u32, before: u64, starves: bool) {
        let wish = self.cgroups[index].cpuset.partition.wish;
        // Nothing is judged below what is no partition: the old reason stays.
        let parent = self.cgroups[index].parent.expect("the root wishes for nothing");
        let judged = self.is_partition(parent) || (self.config.at_least(6, 7) && self.is_partition(index));
        if wish != Wish::Member && judged {
            self.partitions.retain(|other| *other != index);
            // Kernels that have exclusive wishes look at the old one, too: processes must not have been without any.
            let bereft = self.config.at_least(6, 7) && before == 0 && self.is_partition(parent);
            let bereft = bereft && self.has_tasks_outside_partitions(index, index);
            let invalid = self.obstacle(index).or((bereft || starves).then_some(PARENT_EMPTIED));
            self.set_partition(index, wish, invalid);
        }
        if self.partitions.is_empty() || self.config.at_least(7, 0) {
            return;
        }
        let reason = if self.config.at_least(6, 7) { "" } else { NOT_EXCLUSIVE };
        let hurt: Vec<u32> =
            self.siblings(index).filter(|other| self.is_partition(*other) && self.overlaps(index, *other)).collect();
        for sibling in hurt {
            let wish = self.cgroups[sibling].cpuset.partition.wish;
            self.set_partition(sibling, wish, Some(reason));
        }
    }

    /// The controller goes away, or the cgroup does.
    pub(super) fn dissolve_partition(&mut self, index: u32) {
        if self.cgroups[index].cpuset.partition.wish != Wish::Member {
            self.set_partition(index, Wish::Member, None);
        }
    }

    pub(super) fn show_partition(&self, index: u32) -> String {
        let partition = &self.cgroups[index].cpuset.partition;
        let wish = match partition.wish {
            Wish::Member => return "member\n".to_owned(),
            Wish::Root => "root",
            Wish::Isolated => "isolated",
        };
        match partition.invalid {
            None => format!("{wish}\n"),
            Some("") => format!("{wish} invalid\n"),
            Some(reason) => format!("{wish} invalid ({reason})\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Caller, CgroupId, Config, File, Kernel, Version};

    fn read(kernel: &Kernel, cgroup: CgroupId, file: File) -> String {
        kernel.read(&Caller::INIT, cgroup, file).expect("it is there")
    }

    #[test]
    fn a_partition_takes_its_processors_until_its_cgroup_is_removed() {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config::default());
        kernel.write(&root, CgroupId::ROOT, File::CgroupSubtreeControl, b"+cpuset").expect("handed down");
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        kernel.write(&root, a, File::CpusetCpus, b"1").expect("wished");
        kernel.write(&root, a, File::CpusetCpusPartition, b"isolated").expect("accepted");
        assert_eq!(read(&kernel, a, File::CpusetCpusPartition), "isolated\n");
        assert_eq!(read(&kernel, CgroupId::ROOT, File::CpusetCpusEffective), "0\n");
        assert_eq!(read(&kernel, CgroupId::ROOT, File::CpusetCpusIsolated), "1\n");
        assert_eq!(kernel.modified_count(a, File::CpusetCpusPartition), 1);
        kernel.rmdir(&root, a).expect("removed");
        assert_eq!(read(&kernel, CgroupId::ROOT, File::CpusetCpusEffective), "0-1\n");
    }

    /// `/a` and `/a/b`, with processors to wish for.
    fn nested(version: Version) -> (Kernel, CgroupId, CgroupId) {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config::of(version));
        kernel.write(&root, CgroupId::ROOT, File::CgroupSubtreeControl, b"+cpuset").expect("handed down");
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        kernel.write(&root, a, File::CgroupSubtreeControl, b"+cpuset").expect("handed down");
        let b = kernel.mkdir(&root, a, b"b").expect("made");
        (kernel, a, b)
    }

    #[test]
    fn a_wish_that_did_not_come_true_takes_its_reason_from_a_parent_that_is_judged() {
        let (mut kernel, a, b) = nested(Version::V6_1);
        kernel.write(&Caller::INIT, b, File::CpusetCpusPartition, b"root").expect("accepted");
        assert_eq!(read(&kernel, b, File::CpusetCpusPartition), "root invalid (cpuset.cpus is empty)\n");
        kernel.write(&Caller::INIT, a, File::CpusetCpus, b"0-1").expect("wished");
        assert_eq!(
            read(&kernel, b, File::CpusetCpusPartition),
            "root invalid (cpuset.cpus is empty)\n",
            "it has what it had"
        );
        kernel.write(&Caller::INIT, a, File::CpusetCpus, b"").expect("wished");
        kernel.write(&Caller::INIT, a, File::CpusetCpusPartition, b"root").expect("accepted");
        assert_eq!(read(&kernel, b, File::CpusetCpusPartition), "root invalid (Parent is an invalid partition root)\n");
        kernel.write(&Caller::INIT, a, File::CpusetCpusPartition, b"member").expect("accepted");
        assert_eq!(read(&kernel, b, File::CpusetCpusPartition), "root invalid (Parent is not a partition root)\n");
    }
}
