//! What of a kernel its future depends on, for a search that wants to meet each world once (see
//! [`cgarbiter_core::canonical`]). Left out are:
//!
//! * the configuration and mount options, which do not change;
//! * places in tables: cgroups are gone through from the root down, by name, and processes by number;
//! * inode numbers, which are hashed as names by whoever holds one, and the generations they are made of;
//! * what only counts: changes, peaks, processor time, forks that failed, how often a cgroup was killed (looked at by
//!   kernels only that let children die at birth, which is asserted not to be so);
//! * what follows from the rest, or is never asked for: who is whose child, who counts a task, effective values;
//! * the next process number: whoever forks in such a search chooses one.

use super::cgroup::Cgroup;
use super::process::State;
use super::{CgroupId, Kernel, Pid, Unsettled};
use cgarbiter_core::canonical::{self, Kind};
use std::hash::{Hash, Hasher};

impl Kernel {
    /// Hashes it; one process is known by its part, not by its number: the arbiter's.
    ///
    /// # Panics
    /// When there is something in it of which this does not know how it matters.
    pub(crate) fn hash_canonical<H: Hasher>(&self, arbiter: Pid, state: &mut H) {
        assert!(!self.config.kill_at_birth, "kills are not counted");
        assert!(self.virtual_pids.is_empty() && self.partitions.is_empty() && self.thawed.is_empty());
        assert!(self.files.iter().next().is_none() && self.watches.iter().next().is_none(), "nobody holds a file");
        assert!(self.programs.iter().next().is_none(), "no program is loaded");
        assert!(self.notices.is_empty(), "notices have been taken in");
        self.hash_below(CgroupId::ROOT.index(), arbiter, state);
        for (tid, task) in &self.tids {
            let task = &self.tasks[*task];
            let process = &self.processes[task.process];
            assert!(process.threads.is_empty() && process.memory.is_empty() && process.cgroup_ns.is_none());
            (named(*tid, arbiter), task.live, task.frozen, process.uid, process.gid, process.dying).hash(state);
            process.signals.hash(state);
            if let State::Zombie(exit) = process.state {
                (exit, self.cgroups[task.cgroup].live).hash(state);
            }
        }
        for effect in &self.unsettled {
            match effect {
                Unsettled::Death(pid) => (1_u8, *pid).hash(state),
                Unsettled::Freeze(tid) => (2_u8, *tid).hash(state),
                Unsettled::Leave(cgroup) => {
                    3_u8.hash(state);
                    cgroup.hash_name(state);
                }
            }
        }
    }

    fn hash_below<H: Hasher>(&self, index: u32, arbiter: Pid, state: &mut H) {
        let cgroup = &self.cgroups[index];
        self.id(index).hash_name(state);
        cgroup.hash_own(state);
        cgroup.tasks.len().hash(state);
        cgroup.tasks.iter().for_each(|task| named(self.tasks[*task].tid, arbiter).hash(state));
        cgroup.pids.map(|object| self.pids[object].max).hash(state);
        if let Some(object) = cgroup.memory {
            let memory = &self.memory[object];
            (memory.usage, memory.limits, memory.oom_group, memory.zswap_writeback).hash(state);
            (memory.events.oom_kill, memory.events_local.oom_kill).hash(state);
        }
        cgroup.children.len().hash(state);
        cgroup.children.values().for_each(|child| self.hash_below(*child, arbiter, state));
    }
}

impl CgroupId {
    /// Hashes it as what it is: a name.
    pub(crate) fn hash_name<H: Hasher>(self, state: &mut H) {
        canonical::write(Kind::Directory, self.ino(), state);
    }
}

impl Cgroup {
    /// Every field is named, so that a new one has to be thought about: those left out are counted from the others, or
    /// hashed by whoever goes through the tree.
    fn hash_own<H: Hasher>(&self, state: &mut H) {
        let Self {
            name,
            parent: _,
            depth: _,
            children: _,
            live: _,
            pins: _,
            descendants: _,
            max_depth,
            max_descendants,
            directory,
            core_maker,
            makers,
            changed,
            xattrs,
            subtree_control,
            subtree_active,
            visible,
            active,
            domain: _,
            threaded_children,
            tasks: _,
            dead_leaders,
            leaving,
            populated_domain_children: _,
            populated_threaded_children: _,
            kills: _,
            freezer,
            pressure,
            changes: _,
            cpu_usage: _,
            cpu,
            cpuset,
            io,
            hugetlb,
            pids: _,
            memory: _,
            bpf,
        } = self;
        assert!(dead_leaders.is_empty() && *threaded_children == 0 && bpf.is_none(), "nothing has threads or programs");
        (name, max_depth, max_descendants, directory, changed, xattrs).hash(state);
        let makers = std::iter::once(core_maker).chain(makers);
        makers.for_each(|maker| (maker.uid, maker.gid).hash(state));
        (subtree_control, subtree_active, visible, active, leaving, pressure).hash(state);
        (freezer.wish, freezer.effective, freezer.frozen).hash(state);
        (cpu, cpuset, io, hugetlb).hash(state);
    }
}

/// No process has the number 0.
fn named(pid: Pid, arbiter: Pid) -> Pid {
    if pid == arbiter { 0 } else { pid }
}
