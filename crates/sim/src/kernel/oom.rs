//! The out-of-memory killer: whom it takes, and what it counts.

use super::Kernel;
use super::process::Exit;
use super::signal::SIGKILL;

impl Kernel {
    /// Lowered below the usage, and nothing can be reclaimed: kill until it fits.
    pub(super) fn enforce_max(&mut self, cgroup: u32) {
        while let Some(object) = self.cgroups[cgroup].memory {
            let counted = &self.memory[object];
            if counted.usage <= counted.max() || !self.out_of_memory(object, None) {
                return;
            }
        }
    }

    /// Kills the largest process below the limit, or the whole group that it belongs to. Whoever needs the memory waits
    /// for it, so these deaths are never put off. False: nobody to kill.
    pub(super) fn out_of_memory(&mut self, limit: u32, guilty: Option<u32>) -> bool {
        self.memory_event(limit, |events| events.max += 1);
        self.memory_event(limit, |events| events.oom += 1);
        let Some(cgroup) = self.memory[limit].cgroup else { return false };
        let Some(victim) = self.largest_process(cgroup, guilty) else { return false };
        let home = self.memory_object(self.tasks[self.processes[victim].leader].cgroup);
        let group = self.oom_group(home, limit);
        self.memory_event(home, |events| events.oom_kill += 1);
        let Some(group) = group else {
            self.end_process(victim, Exit::Signal(SIGKILL));
            return true;
        };
        self.memory_event(group, |events| events.oom_group_kill += 1);
        self.kill_group(group, victim);
        true
    }

    /// All processes of the group die, and the first victim is counted a second time.
    fn kill_group(&mut self, group: u32, victim: u32) {
        let root = self.memory[group].cgroup.expect("the group is a cgroup");
        let mut members = Vec::new();
        self.for_each_below(root, &mut |kernel, below| members.extend(kernel.leaders_in(below)));
        assert!(members.contains(&victim), "the victim is in its group");
        for process in members.into_iter().filter(|process| self.expendable(*process)).collect::<Vec<_>>() {
            let home = self.memory_object(self.tasks[self.processes[process].leader].cgroup);
            self.memory_event(home, |events| events.oom_kill += 1);
            self.end_process(process, Exit::Signal(SIGKILL));
        }
    }

    /// May the out-of-memory killer take it? Not the first process, no kernel thread.
    fn expendable(&self, process: u32) -> bool {
        !self.processes[process].kernel && self.pid_of(process) != Self::INIT
    }

    /// The highest object with `memory.oom.group` between the victim's and the limit.
    fn oom_group(&self, home: u32, limit: u32) -> Option<u32> {
        let (mut next, mut group) = (Some(home), None);
        while let Some(index) = next {
            if self.memory[index].oom_group {
                group = Some(index);
            }
            next = if index == limit { None } else { self.memory[index].parent };
        }
        group.filter(|group| self.memory[*group].cgroup.is_some())
    }

    fn largest_process(&mut self, cgroup: u32, guilty: Option<u32>) -> Option<u32> {
        let mut best: Option<((u64, bool), u32)> = None;
        self.for_each_below(cgroup, &mut |kernel, below| {
            for process in kernel.leaders_in(below) {
                let size: u64 = kernel.processes[process].memory.iter().map(|(_, bytes)| bytes).sum();
                let rank = (size, Some(process) == guilty);
                if kernel.expendable(process) && best.is_none_or(|(best, _)| best < rank) {
                    best = Some((rank, process));
                }
            }
        });
        best.map(|(_, process)| process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Caller, CgroupId, Config, File, Fork, State};

    #[test]
    fn the_largest_process_makes_room_for_another() {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config { immediate: false, ..Config::default() });
        kernel.write(&root, CgroupId::ROOT, File::CgroupSubtreeControl, b"+memory").expect("handed down");
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        kernel.write(&root, a, File::MemoryMax, b"10M").expect("limited");
        let into = Fork { into: Some(a), ..Fork::default() };
        let large = kernel.fork(&root, &into).expect("started");
        let small = kernel.fork(&root, &into).expect("started");
        assert_eq!(kernel.touch_memory(large, 8 << 20), Ok(true));
        assert_eq!(kernel.touch_memory(small, 4 << 20), Ok(true));
        assert_eq!(kernel.state(large), Some(State::Zombie(Exit::Signal(SIGKILL))));
        assert_eq!((kernel.memory_usage(a), kernel.modified_count(a, File::MemoryEvents)), (4 << 20, 3));
        kernel.check_invariants();
    }
}
