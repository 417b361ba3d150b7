//! The cpuset controller: wished and effective processors and memory nodes. Partitions are in `partition.rs`.

use super::files::File;
use super::parse::{bit_list, print_bits, strip};
use super::partition::Partition;
use super::{Errno, Kernel};

/// The wishes of one cgroup; an empty set is no wish.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Cpuset {
    pub(super) cpus: u64,
    pub(super) exclusive: u64,
    mems: u64,
    pub(super) partition: Partition,
}

fn all(count: u32) -> u64 {
    assert!(0 < count && count <= 64, "a set has one word");
    u64::MAX >> (64 - count)
}

/// What Debian's kernels are built for (CONFIG_NODES_SHIFT).
const NODES_MAX: u32 = 1 << 10;

impl Kernel {
    pub(super) fn cpuset_on(&mut self, index: u32) {
        self.cgroups[index].cpuset = Cpuset::default();
    }

    pub(super) fn cpuset_off(&mut self, index: u32) {
        self.dissolve_partition(index);
        self.cgroups[index].cpuset = Cpuset::default();
    }

    /// Processors of the cgroup before its own partitions take theirs: those of a partition, or wished ones that the
    /// parent has.
    fn base_cpus(&self, index: u32) -> u64 {
        let Some(parent) = self.cgroups[index].parent else { return all(self.config.cpus) };
        if self.is_partition(index) {
            return self.partition_cpus(index);
        }
        let above = self.effective_cpus(parent);
        match above & self.cgroups[index].cpuset.cpus {
            0 => above,
            own => own,
        }
    }

    pub(super) fn effective_cpus(&self, index: u32) -> u64 {
        let given = self.partitions.iter().filter(|partition| self.partition_giver(**partition) == index);
        self.base_cpus(index) & !given.fold(0, |cpus, partition| cpus | self.partition_cpus(*partition))
    }

    fn effective_mems(&self, index: u32) -> u64 {
        let Some(parent) = self.cgroups[index].parent else { return all(self.config.mems) };
        let above = self.effective_mems(parent);
        match above & self.cgroups[index].cpuset.mems {
            0 => above,
            own => own,
        }
    }

    pub(super) fn write_cpuset_cpus(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let cpus = bit_list(strip(text), self.config.cpus)?;
        self.check_clearing(index, self.cgroups[index].cpuset.cpus, cpus)?;
        if self.cgroups[index].cpuset.cpus == cpus {
            return Ok(());
        }
        let (before, below) = (self.wished_cpus(index), self.effective_below(index));
        self.cgroups[index].cpuset.cpus = cpus;
        self.cpus_changed(index, before, false);
        self.rejudge_if_changed(index, &below);
        Ok(())
    }

    pub(super) fn write_cpuset_mems(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let mems = bit_list(strip(text), NODES_MAX)?;
        if mems & !all(self.config.mems) != 0 {
            return Err(Errno::EINVAL);
        }
        self.check_clearing(index, self.cgroups[index].cpuset.mems, mems)?;
        self.cgroups[index].cpuset.mems = mems;
        Ok(())
    }

    /// Up to 6.19 a wish cannot be taken back while processes are inside.
    fn check_clearing(&self, index: u32, old: u64, new: u64) -> Result<(), Errno> {
        let cleared = old != 0 && new == 0;
        let refused = cleared && self.cgroups[index].populated() && !self.config.at_least(7, 0);
        if refused { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Exclusive processors may not be those of a sibling: not its exclusive ones, nor, up to 6.19, those that its
    /// partition has or all that it wishes for.
    pub(super) fn write_cpuset_exclusive(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let exclusive = bit_list(strip(text), self.config.cpus)?;
        if self.siblings(index).any(|sibling| self.excludes(sibling, exclusive)) {
            return Err(Errno::EINVAL);
        }
        let (before, below) = (self.wished_cpus(index), self.effective_below(index));
        let starves = self.starves_parent(index, exclusive);
        self.cgroups[index].cpuset.exclusive = exclusive;
        self.cpus_changed(index, before, starves);
        self.rejudge_if_changed(index, &below);
        Ok(())
    }

    fn excludes(&self, sibling: u32, exclusive: u64) -> bool {
        let other = &self.cgroups[sibling].cpuset;
        let bereft = other.cpus != 0 && other.cpus & !exclusive == 0;
        let taken = self.is_partition(sibling) && self.wished_cpus(sibling) & exclusive != 0;
        other.exclusive & exclusive != 0 || (!self.config.at_least(7, 0) && (bereft || taken))
    }

    pub(super) fn siblings(&self, index: u32) -> impl Iterator<Item = u32> {
        let parent = self.cgroups[index].parent.expect("the root has no wishes");
        self.cgroups[parent].children.values().copied().filter(move |sibling| *sibling != index)
    }

    /// Exclusive processors that the ancestors grant: all of the root's, and below it what each wishes.
    pub(super) fn granted_exclusive(&self, index: u32) -> u64 {
        let Some(parent) = self.cgroups[index].parent else { return all(self.config.cpus) };
        if self.is_partition(index) {
            return self.partition_cpus(index);
        }
        self.cgroups[index].cpuset.exclusive & self.granted_exclusive(parent)
    }

    pub(super) fn show_cpuset(&self, index: u32, file: File) -> String {
        let own = &self.cgroups[index].cpuset;
        let set = match file {
            File::CpusetCpus => own.cpus,
            File::CpusetMems => own.mems,
            File::CpusetCpusExclusive => own.exclusive,
            File::CpusetCpusEffective => self.effective_cpus(index),
            File::CpusetMemsEffective => self.effective_mems(index),
            File::CpusetCpusExclusiveEffective => self.granted_exclusive(index),
            File::CpusetCpusIsolated => self.isolated_cpus(),
            File::CpusetCpusPartition => return self.show_partition(index),
            _ => unreachable!("{} is no cpuset file", file.name()),
        };
        print_bits(set) + "\n"
    }
}
