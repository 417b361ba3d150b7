//! The interface files: one table of names, owners, modes and the releases that have them.

use super::config::Config;
use super::{Controller, ControllerSet};

/// Which part of the kernel a file belongs to; it comes and goes with that part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The core: there from the beginning to the end.
    Core,
    /// The pressure files, which `cgroup.pressure` can hide.
    Pressure,
    /// A controller.
    Of(Controller),
}

/// Where a file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Everywhere,
    Root,
    NotRoot,
}

/// Which kernels have a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Always,
    V6_12,
    V6_18,
    V7_2,
    Uclamp,
    Zswap,
}

pub(super) struct Spec {
    pub(super) file: File,
    pub(super) name: &'static str,
    pub(super) part: Part,
    pub(super) mode: u16,
    pub(super) place: Place,
    since: Since,
}

macro_rules! files {
    ($($file:ident $name:literal $part:ident $(($controller:ident))?, $mode:literal $place:ident $since:ident;)*) => {
        /// An interface file of a cgroup, by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum File {
            $(#[doc = concat!("`", $name, "`")] $file,)*
        }

        /// Sorted by name, and in the order of the enum.
        static SPECS: &[Spec] = &[$(Spec {
            file: File::$file,
            name: $name,
            part: Part::$part $((Controller::$controller))?,
            mode: $mode,
            place: Place::$place,
            since: Since::$since,
        },)*];
    };
}

files! {
    CgroupControllers "cgroup.controllers" Core, 0o444 Everywhere Always;
    CgroupEvents "cgroup.events" Core, 0o444 NotRoot Always;
    CgroupFreeze "cgroup.freeze" Core, 0o644 NotRoot Always;
    CgroupKill "cgroup.kill" Core, 0o200 NotRoot Always;
    CgroupMaxDepth "cgroup.max.depth" Core, 0o644 Everywhere Always;
    CgroupMaxDescendants "cgroup.max.descendants" Core, 0o644 Everywhere Always;
    CgroupPressure "cgroup.pressure" Core, 0o644 Everywhere Always;
    CgroupProcs "cgroup.procs" Core, 0o644 Everywhere Always;
    CgroupStat "cgroup.stat" Core, 0o444 Everywhere Always;
    CgroupStatLocal "cgroup.stat.local" Core, 0o444 NotRoot V6_18;
    CgroupSubtreeControl "cgroup.subtree_control" Core, 0o644 Everywhere Always;
    CgroupThreads "cgroup.threads" Core, 0o644 Everywhere Always;
    CgroupType "cgroup.type" Core, 0o644 NotRoot Always;
    CpuIdle "cpu.idle" Of(Cpu), 0o644 NotRoot Always;
    CpuMax "cpu.max" Of(Cpu), 0o644 NotRoot Always;
    CpuMaxBurst "cpu.max.burst" Of(Cpu), 0o644 NotRoot Always;
    CpuPressure "cpu.pressure" Pressure, 0o644 Everywhere Always;
    CpuStat "cpu.stat" Core, 0o444 Everywhere Always;
    CpuStatLocal "cpu.stat.local" Core, 0o444 Everywhere V6_12;
    CpuUclampMax "cpu.uclamp.max" Of(Cpu), 0o644 NotRoot Uclamp;
    CpuUclampMin "cpu.uclamp.min" Of(Cpu), 0o644 NotRoot Uclamp;
    CpuWeight "cpu.weight" Of(Cpu), 0o644 NotRoot Always;
    CpuWeightNice "cpu.weight.nice" Of(Cpu), 0o644 NotRoot Always;
    CpusetCpus "cpuset.cpus" Of(Cpuset), 0o644 NotRoot Always;
    CpusetCpusEffective "cpuset.cpus.effective" Of(Cpuset), 0o444 Everywhere Always;
    CpusetCpusExclusive "cpuset.cpus.exclusive" Of(Cpuset), 0o644 NotRoot V6_12;
    CpusetCpusExclusiveEffective "cpuset.cpus.exclusive.effective" Of(Cpuset), 0o444 NotRoot V6_12;
    CpusetCpusIsolated "cpuset.cpus.isolated" Of(Cpuset), 0o444 Root V6_12;
    CpusetCpusPartition "cpuset.cpus.partition" Of(Cpuset), 0o644 NotRoot Always;
    CpusetMems "cpuset.mems" Of(Cpuset), 0o644 NotRoot Always;
    CpusetMemsEffective "cpuset.mems.effective" Of(Cpuset), 0o444 Everywhere Always;
    HugetlbCurrent "hugetlb.2MB.current" Of(Hugetlb), 0o444 NotRoot Always;
    HugetlbEvents "hugetlb.2MB.events" Of(Hugetlb), 0o444 NotRoot Always;
    HugetlbEventsLocal "hugetlb.2MB.events.local" Of(Hugetlb), 0o444 NotRoot Always;
    HugetlbMax "hugetlb.2MB.max" Of(Hugetlb), 0o644 NotRoot Always;
    HugetlbNumaStat "hugetlb.2MB.numa_stat" Of(Hugetlb), 0o444 NotRoot Always;
    HugetlbRsvdCurrent "hugetlb.2MB.rsvd.current" Of(Hugetlb), 0o444 NotRoot Always;
    HugetlbRsvdMax "hugetlb.2MB.rsvd.max" Of(Hugetlb), 0o644 NotRoot Always;
    IoCostModel "io.cost.model" Of(Io), 0o644 Root Always;
    IoCostQos "io.cost.qos" Of(Io), 0o644 Root Always;
    IoMax "io.max" Of(Io), 0o644 NotRoot Always;
    IoPressure "io.pressure" Pressure, 0o644 Everywhere Always;
    IoStat "io.stat" Of(Io), 0o444 Everywhere Always;
    IoWeight "io.weight" Of(Io), 0o644 NotRoot Always;
    MemoryCurrent "memory.current" Of(Memory), 0o444 NotRoot Always;
    MemoryEvents "memory.events" Of(Memory), 0o444 NotRoot Always;
    MemoryEventsLocal "memory.events.local" Of(Memory), 0o444 NotRoot Always;
    MemoryHigh "memory.high" Of(Memory), 0o644 NotRoot Always;
    MemoryLow "memory.low" Of(Memory), 0o644 NotRoot Always;
    MemoryMax "memory.max" Of(Memory), 0o644 NotRoot Always;
    MemoryMin "memory.min" Of(Memory), 0o644 NotRoot Always;
    MemoryNumaStat "memory.numa_stat" Of(Memory), 0o444 Everywhere Always;
    MemoryOomGroup "memory.oom.group" Of(Memory), 0o644 NotRoot Always;
    MemoryPeak "memory.peak" Of(Memory), 0o644 NotRoot Always;
    MemoryPressure "memory.pressure" Pressure, 0o644 Everywhere Always;
    MemoryReclaim "memory.reclaim" Of(Memory), 0o200 Everywhere Always;
    MemoryStat "memory.stat" Of(Memory), 0o444 Everywhere Always;
    MemorySwapCurrent "memory.swap.current" Of(Memory), 0o444 NotRoot Always;
    MemorySwapEvents "memory.swap.events" Of(Memory), 0o444 NotRoot Always;
    MemorySwapHigh "memory.swap.high" Of(Memory), 0o644 NotRoot Always;
    MemorySwapMax "memory.swap.max" Of(Memory), 0o644 NotRoot Always;
    MemorySwapPeak "memory.swap.peak" Of(Memory), 0o644 NotRoot V6_12;
    MemoryZswapCurrent "memory.zswap.current" Of(Memory), 0o444 NotRoot Zswap;
    MemoryZswapMax "memory.zswap.max" Of(Memory), 0o644 NotRoot Zswap;
    MemoryZswapWriteback "memory.zswap.writeback" Of(Memory), 0o644 Everywhere Zswap;
    MiscCapacity "misc.capacity" Of(Misc), 0o444 Root Always;
    MiscCurrent "misc.current" Of(Misc), 0o444 Everywhere Always;
    MiscEvents "misc.events" Of(Misc), 0o444 NotRoot Always;
    MiscEventsLocal "misc.events.local" Of(Misc), 0o444 NotRoot V6_12;
    MiscMax "misc.max" Of(Misc), 0o644 NotRoot Always;
    MiscPeak "misc.peak" Of(Misc), 0o444 Everywhere V6_12;
    PidsCurrent "pids.current" Of(Pids), 0o444 NotRoot Always;
    PidsEvents "pids.events" Of(Pids), 0o444 NotRoot Always;
    PidsEventsLocal "pids.events.local" Of(Pids), 0o444 NotRoot V6_12;
    PidsMax "pids.max" Of(Pids), 0o644 NotRoot Always;
    PidsPeak "pids.peak" Of(Pids), 0o444 NotRoot Always;
    RdmaCurrent "rdma.current" Of(Rdma), 0o444 NotRoot Always;
    RdmaEvents "rdma.events" Of(Rdma), 0o444 NotRoot V7_2;
    RdmaEventsLocal "rdma.events.local" Of(Rdma), 0o444 NotRoot V7_2;
    RdmaMax "rdma.max" Of(Rdma), 0o644 NotRoot Always;
    RdmaPeak "rdma.peak" Of(Rdma), 0o444 NotRoot V7_2;
}

impl Spec {
    /// Does this kernel have the file at all?
    pub(super) fn known(&self, config: &Config) -> bool {
        match self.since {
            Since::Always => true,
            Since::V6_12 => config.at_least(6, 12),
            Since::V6_18 => config.at_least(6, 18),
            Since::V7_2 => config.at_least(7, 2),
            Since::Uclamp => config.uclamp,
            Since::Zswap => config.zswap,
        }
    }

    /// Is the file in a cgroup with these controllers, pressure shown or not?
    pub(super) fn shown(&self, config: &Config, root: bool, visible: ControllerSet, pressure: bool) -> bool {
        let placed = match self.place {
            Place::Everywhere => !root || self.file != File::MiscCurrent || config.at_least(6, 12),
            Place::Root => root,
            Place::NotRoot => !root,
        };
        let there = match self.part {
            Part::Core => true,
            Part::Pressure => pressure,
            Part::Of(controller) => visible.has(controller),
        };
        placed && there && self.known(config)
    }

    /// The mode at creation. Peaks could not be reset before 6.12.
    pub(super) fn mode_in(&self, config: &Config) -> u16 {
        if self.file == File::MemoryPeak && !config.at_least(6, 12) { 0o444 } else { self.mode }
    }

    /// May the root of a delegated namespace write it, `nsdelegate` or not?
    pub(super) fn delegatable(&self) -> bool {
        matches!(
            self.file,
            File::CgroupProcs
                | File::CgroupThreads
                | File::CgroupSubtreeControl
                | File::MemoryOomGroup
                | File::MemoryReclaim
        )
    }
}

impl File {
    /// The name in the directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The file of this name, in any kernel and any place.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        SPECS.binary_search_by(|spec| spec.name.as_bytes().cmp(name)).ok().map(|place| SPECS[place].file)
    }

    /// All of them, sorted by name.
    pub fn all() -> impl Iterator<Item = Self> {
        SPECS.iter().map(|spec| spec.file)
    }

    pub(super) fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_in_step_with_the_enum() {
        for pair in SPECS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
        for file in File::all() {
            assert_eq!(file.spec().file, file);
            assert_eq!(File::from_name(file.name().as_bytes()), Some(file));
        }
        assert_eq!(File::from_name(b"cgroup.foo"), None);
    }
}
