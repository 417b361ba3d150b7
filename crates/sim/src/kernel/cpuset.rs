//! The cpuset controller: wished and effective processors and memory nodes.

use super::files::File;
use super::parse::{bit_list, print_bits, strip};
use super::{Errno, Kernel};

/// The wishes of one cgroup; an empty set is no wish.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpuset {
    cpus: u64,
    mems: u64,
}

fn all(count: u32) -> u64 {
    assert!(0 < count && count <= 64, "a set has one word");
    u64::MAX >> (64 - count)
}

impl Kernel {
    pub(super) fn cpuset_on(&mut self, index: u32) {
        self.cgroups[index].cpuset = Cpuset::default();
    }

    pub(super) fn cpuset_off(&mut self, index: u32) {
        self.cgroups[index].cpuset = Cpuset::default();
    }

    fn effective_set(&self, index: u32, wish: fn(&Cpuset) -> u64, top: u64) -> u64 {
        let Some(parent) = self.cgroups[index].parent else { return top };
        let above = self.effective_set(parent, wish, top);
        match above & wish(&self.cgroups[index].cpuset) {
            0 => above,
            own => own,
        }
    }

    pub(super) fn write_cpuset_cpus(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let cpus = bit_list(strip(text), self.config.cpus)?;
        self.check_clearing(index, self.cgroups[index].cpuset.cpus, cpus)?;
        self.cgroups[index].cpuset.cpus = cpus;
        Ok(())
    }

    pub(super) fn write_cpuset_mems(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let mems = bit_list(strip(text), 64)?;
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

    pub(super) fn write_cpuset_exclusive(&mut self, _index: u32, text: &[u8]) -> Result<(), Errno> {
        bit_list(strip(text), self.config.cpus).map(drop)
    }

    pub(super) fn write_cpuset_partition(&mut self, _index: u32, text: &[u8]) -> Result<(), Errno> {
        match strip(text) {
            b"member" | b"root" | b"isolated" => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn show_cpuset(&self, index: u32, file: File) -> String {
        let own = &self.cgroups[index].cpuset;
        let set = match file {
            File::CpusetCpus => own.cpus,
            File::CpusetMems => own.mems,
            File::CpusetCpusEffective => self.effective_set(index, |set| set.cpus, all(self.config.cpus)),
            File::CpusetMemsEffective => self.effective_set(index, |set| set.mems, all(self.config.mems)),
            File::CpusetCpusExclusive | File::CpusetCpusExclusiveEffective | File::CpusetCpusIsolated => 0,
            File::CpusetCpusPartition => return "member\n".to_owned(),
            _ => unreachable!("{} is no cpuset file", file.name()),
        };
        print_bits(set) + "\n"
    }
}
