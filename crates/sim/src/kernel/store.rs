//! What each file does with a text that is written to it.

use super::access::Caller;
use super::files::File;
use super::memory::Limit;
use super::parse::{kstrtoint, strip, switch};
use super::{Errno, Kernel};

impl Kernel {
    /// All files but those that move processes or hand controllers down.
    pub(super) fn store(
        &mut self,
        writer: &Caller,
        opener: &Caller,
        index: u32,
        file: File,
        text: &[u8],
    ) -> Result<(), Errno> {
        use File as F;
        match file {
            F::CgroupType => self.write_type(writer, index, text),
            F::CgroupFreeze => switch(text).map(|wish| self.set_freeze(index, wish)),
            F::CgroupKill => self.write_kill(index, text),
            F::CgroupMaxDepth => hierarchy_limit(text).map(|limit| self.cgroups[index].max_depth = limit),
            F::CgroupMaxDescendants => hierarchy_limit(text).map(|limit| self.cgroups[index].max_descendants = limit),
            F::CgroupPressure => switch(text).map(|on| self.cgroups[index].pressure = on),
            F::CpuPressure | F::IoPressure | F::MemoryPressure => self.check_trigger(opener, text),
            F::CpuIdle => self.write_cpu_idle(index, text),
            F::CpuMax => self.write_cpu_max(index, text),
            F::CpuMaxBurst => self.write_cpu_max_burst(index, text),
            F::CpuWeight => self.write_cpu_weight(index, text),
            F::CpuWeightNice => self.write_cpu_weight_nice(index, text),
            F::CpuUclampMin => self.write_cpu_uclamp(index, false, text),
            F::CpuUclampMax => self.write_cpu_uclamp(index, true, text),
            F::CpusetCpus => self.write_cpuset_cpus(index, text),
            F::CpusetMems => self.write_cpuset_mems(index, text),
            F::CpusetCpusExclusive => self.write_cpuset_exclusive(index, text),
            F::CpusetCpusPartition => self.write_cpuset_partition(index, text),
            F::HugetlbMax => self.write_hugetlb_max(index, false, text),
            F::HugetlbRsvdMax => self.write_hugetlb_max(index, true, text),
            F::IoMax => self.write_io_max(index, text),
            F::IoWeight => self.write_io_weight(index, text),
            F::PidsMax => self.write_pids_max(index, text),
            // There is no such device, whatever the text says.
            F::RdmaMax => Err(Errno::ENODEV),
            _ => self.store_memory(index, file, text),
        }
    }

    fn store_memory(&mut self, index: u32, file: File, text: &[u8]) -> Result<(), Errno> {
        use File as F;
        match file {
            F::MemoryMin => self.write_memory_limit(index, Limit::Min, text),
            F::MemoryLow => self.write_memory_limit(index, Limit::Low, text),
            F::MemoryHigh => self.write_memory_limit(index, Limit::High, text),
            F::MemoryMax => self.write_memory_limit(index, Limit::Max, text),
            F::MemorySwapHigh => self.write_memory_limit(index, Limit::SwapHigh, text),
            F::MemorySwapMax => self.write_memory_limit(index, Limit::SwapMax, text),
            F::MemoryZswapMax => self.write_memory_limit(index, Limit::ZswapMax, text),
            F::MemoryZswapWriteback => self.write_zswap_writeback(index, text),
            F::MemoryOomGroup => self.write_oom_group(index, text),
            F::MemoryReclaim => self.write_reclaim(text),
            F::MemoryPeak if self.config.at_least(6, 12) => Ok(()),
            F::MemorySwapPeak => Ok(()),
            // Files that are only read, misc.max without resources, the cost model without a policy.
            _ => Err(Errno::EINVAL),
        }
    }

    /// The value is looked at before the type.
    fn write_kill(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        if !switch(text)? {
            return Err(Errno::ERANGE);
        }
        if self.is_threaded(index) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.kill_below(index);
        Ok(())
    }
}

fn hierarchy_limit(text: &[u8]) -> Result<i32, Errno> {
    let text = strip(text);
    if text == b"max" {
        return Ok(i32::MAX);
    }
    match kstrtoint(text)? {
        limit if limit < 0 => Err(Errno::ERANGE),
        limit => Ok(limit),
    }
}
