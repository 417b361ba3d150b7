//! What each file prints.

use std::fmt::Write;

use super::access::Caller;
use super::files::File;
use super::memory::{COUNTER_MAX, Events, Limit, PAGE};
use super::{Controller, Errno, Kernel};

impl Kernel {
    /// Appends the text of a file. `reader` matters for process numbers only.
    pub(super) fn show(&self, reader: &Caller, index: u32, file: File, text: &mut String) -> Result<(), Errno> {
        use File as F;
        match file {
            F::CgroupKill | F::MemoryReclaim => return Err(Errno::EINVAL),
            F::CgroupProcs => self.show_procs(reader, index, text)?,
            F::CgroupThreads => self.show_threads(reader, index, text),
            F::CgroupControllers => line_unless_empty(text, self.cgroups[index].visible),
            F::CgroupSubtreeControl => line_unless_empty(text, self.cgroups[index].subtree_control),
            F::CgroupEvents => {
                let (populated, frozen) = (self.cgroups[index].populated(), self.cgroups[index].freezer.frozen);
                put(text, format_args!("populated {}\nfrozen {}\n", u8::from(populated), u8::from(frozen)));
            }
            F::CgroupFreeze => put(text, format_args!("{}\n", u8::from(self.cgroups[index].freezer.wish))),
            F::CgroupMaxDepth => hierarchy_limit(text, self.cgroups[index].max_depth),
            F::CgroupMaxDescendants => hierarchy_limit(text, self.cgroups[index].max_descendants),
            F::CgroupPressure => put(text, format_args!("{}\n", u8::from(self.cgroups[index].pressure))),
            F::CgroupStat => self.show_stat(index, text),
            F::CgroupStatLocal => text.push_str("frozen_usec 0\n"),
            F::CgroupType => put(text, format_args!("{}\n", self.type_name(index))),
            F::CpuPressure | F::IoPressure | F::MemoryPressure => text.push_str(Self::show_pressure(file)),
            _ => self.show_controller(index, file, text),
        }
        Ok(())
    }

    fn show_controller(&self, index: u32, file: File, text: &mut String) {
        use File as F;
        match file {
            F::CpuIdle => *text += &self.show_cpu_idle(index),
            F::CpuMax => *text += &self.show_cpu_max(index),
            F::CpuMaxBurst => *text += &self.show_cpu_max_burst(index),
            F::CpuWeight => *text += &self.show_cpu_weight(index),
            F::CpuWeightNice => *text += &self.show_cpu_weight_nice(index),
            F::CpuUclampMin => *text += &self.show_cpu_uclamp(index, false),
            F::CpuUclampMax => *text += &self.show_cpu_uclamp(index, true),
            F::CpuStat => self.show_cpu_stat(index, text),
            F::CpuStatLocal if self.cgroups[index].visible.has(Controller::Cpu) => text.push_str("throttled_usec 0\n"),
            F::CpusetCpus
            | F::CpusetCpusEffective
            | F::CpusetCpusExclusive
            | F::CpusetCpusExclusiveEffective
            | F::CpusetCpusIsolated
            | F::CpusetCpusPartition
            | F::CpusetMems
            | F::CpusetMemsEffective => *text += &self.show_cpuset(index, file),
            F::HugetlbMax => *text += &self.show_hugetlb_max(index, false),
            F::HugetlbRsvdMax => *text += &self.show_hugetlb_max(index, true),
            F::HugetlbCurrent | F::HugetlbRsvdCurrent => text.push_str("0\n"),
            F::HugetlbEvents | F::HugetlbEventsLocal => text.push_str("max 0\n"),
            F::HugetlbNumaStat => text.push_str("total=0 N0=0\n"),
            F::IoStat => self.show_io_stat(index, text),
            F::IoMax => *text += &self.show_io_max(index),
            F::IoWeight => *text += &self.show_io_weight(index),
            F::PidsCurrent => put(text, format_args!("{}\n", self.pids_here(index).current)),
            F::PidsPeak => put(text, format_args!("{}\n", self.pids_here(index).peak)),
            F::PidsMax => match self.pids_here(index).max {
                None => text.push_str("max\n"),
                Some(max) => put(text, format_args!("{max}\n")),
            },
            F::PidsEvents => put(text, format_args!("max {}\n", self.pids_events(index, false))),
            F::PidsEventsLocal => put(text, format_args!("max {}\n", self.pids_events(index, true))),
            _ => self.show_memory(index, file, text),
        }
    }

    fn show_memory(&self, index: u32, file: File, text: &mut String) {
        use File as F;
        match file {
            F::MemoryCurrent => put(text, format_args!("{}\n", self.memory_here(index).usage)),
            F::MemoryPeak => put(text, format_args!("{}\n", self.memory_here(index).peak)),
            F::MemoryMin => self.show_limit(index, Limit::Min, text),
            F::MemoryLow => self.show_limit(index, Limit::Low, text),
            F::MemoryHigh => self.show_limit(index, Limit::High, text),
            F::MemoryMax => self.show_limit(index, Limit::Max, text),
            F::MemorySwapHigh => self.show_limit(index, Limit::SwapHigh, text),
            F::MemorySwapMax => self.show_limit(index, Limit::SwapMax, text),
            F::MemoryZswapMax => self.show_limit(index, Limit::ZswapMax, text),
            F::MemorySwapCurrent | F::MemorySwapPeak | F::MemoryZswapCurrent => text.push_str("0\n"),
            F::MemoryZswapWriteback => {
                put(text, format_args!("{}\n", u8::from(self.memory_here(index).zswap_writeback)));
            }
            F::MemoryOomGroup => put(text, format_args!("{}\n", u8::from(self.memory_here(index).oom_group))),
            F::MemoryEvents => self.show_memory_events(&self.memory_here(index).events, text),
            F::MemoryEventsLocal => self.show_memory_events(&self.memory_here(index).events_local, text),
            F::MemorySwapEvents => text.push_str("high 0\nmax 0\nfail 0\n"),
            F::MemoryStat => put(text, format_args!("anon {}\nfile 0\n", self.memory_here(index).usage)),
            F::MemoryNumaStat => {
                put(text, format_args!("anon N0={}\nfile N0=0\n", self.memory_here(index).usage));
            }
            // Without devices and resources there is nothing to list.
            _ => {}
        }
    }

    fn show_limit(&self, index: u32, limit: Limit, text: &mut String) {
        match self.memory_here(index).limits[limit as usize] {
            COUNTER_MAX => text.push_str("max\n"),
            pages => put(text, format_args!("{}\n", pages * PAGE)),
        }
    }

    fn show_memory_events(&self, events: &Events, text: &mut String) {
        let Events { max, oom, oom_kill, oom_group_kill } = events;
        put(text, format_args!("low 0\nhigh 0\nmax {max}\noom {oom}\noom_kill {oom_kill}\n"));
        put(text, format_args!("oom_group_kill {oom_group_kill}\n"));
        if self.config.at_least(6, 19) {
            text.push_str("sock_throttled 0\n");
        }
    }

    /// Removed cgroups are freed at once as far as this file can tell.
    fn show_stat(&self, index: u32, text: &mut String) {
        put(text, format_args!("nr_descendants {}\n", self.cgroups[index].descendants));
        let lines = self.config.at_least(6, 12);
        if lines {
            for controller in self.config.controllers.iter() {
                put(text, format_args!("nr_subsys_{} {}\n", controller.name(), self.count_active(index, controller)));
            }
        }
        text.push_str("nr_dying_descendants 0\n");
        if lines {
            for controller in self.config.controllers.iter() {
                put(text, format_args!("nr_dying_subsys_{} 0\n", controller.name()));
            }
        }
    }

    /// Cgroups here and below in which the controller works.
    fn count_active(&self, index: u32, controller: Controller) -> usize {
        if !self.cgroups[index].active.has(controller) {
            return 0;
        }
        let below = self.cgroups[index].children.values().map(|child| self.count_active(*child, controller));
        1 + below.sum::<usize>()
    }

    /// Processes whose leader is here; in a thread root also those whose leader is in a threaded cgroup of its.
    fn show_procs(&self, reader: &Caller, index: u32, text: &mut String) -> Result<(), Errno> {
        if self.is_threaded(index) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.show_leaders(reader, index, text);
        Ok(())
    }

    fn show_leaders(&self, reader: &Caller, index: u32, text: &mut String) {
        for process in self.leaders_in(index) {
            put(text, format_args!("{}\n", self.pid_seen_by(reader.pid, self.pid_of(process))));
        }
        if self.cgroups[index].threaded_children > 0 {
            for child in self.cgroups[index].children.values().filter(|child| self.is_threaded(**child)) {
                self.show_leaders(reader, *child, text);
            }
        }
    }

    fn show_threads(&self, reader: &Caller, index: u32, text: &mut String) {
        for task in &self.cgroups[index].tasks {
            put(text, format_args!("{}\n", self.pid_seen_by(reader.pid, self.tasks[*task].tid)));
        }
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("strings take all");
}

fn line_unless_empty(text: &mut String, set: super::ControllerSet) {
    if !set.is_empty() {
        put(text, format_args!("{set}\n"));
    }
}

fn hierarchy_limit(text: &mut String, limit: i32) {
    match limit {
        i32::MAX => text.push_str("max\n"),
        limit => put(text, format_args!("{limit}\n")),
    }
}
