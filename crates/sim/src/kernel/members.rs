//! Which tasks are in which cgroup, and what follows from it upwards: populated, and frozen.

use super::files::File;
use super::{Kernel, Unsettled};

impl Kernel {
    /// Adds a live task to the list of a cgroup and counts it there.
    pub(super) fn enter(&mut self, task: u32, cgroup: u32) {
        let list = &mut self.cgroups[cgroup].tasks;
        let first = list.is_empty();
        let slot = u32::try_from(list.len()).expect("fewer than 2^32 tasks");
        if first {
            self.populate(cgroup, true);
        }
        self.cgroups[cgroup].tasks.push(task);
        self.tasks[task].slot = slot;
        self.tasks[task].cgroup = cgroup;
        if !self.tasks[task].frozen {
            self.count_running(cgroup, 1);
        }
    }

    /// Takes a live task off the list of its cgroup.
    pub(super) fn leave(&mut self, task: u32) {
        let (cgroup, slot) = (self.tasks[task].cgroup, self.tasks[task].slot);
        self.leave_place(task, cgroup, slot);
        self.tasks[task].frozen = false;
    }

    /// A task has ended. From 6.19 on it leaves a moment after its process can be waited for.
    pub(super) fn leave_at_exit(&mut self, task: u32) {
        let cgroup = self.tasks[task].cgroup;
        if !self.config.immediate && self.config.at_least(6, 19) {
            self.pin(cgroup);
            self.cgroups[cgroup].leaving += 1;
            self.unsettled.push(Unsettled::Leave(self.id(cgroup)));
        }
        // Who was frozen runs once more to end; who has never run does not begin with it.
        let stillborn = self.processes[self.tasks[task].process].stillborn;
        if !stillborn && std::mem::take(&mut self.tasks[task].frozen) {
            self.count_running(cgroup, 1);
        }
        self.leave(task);
    }

    /// The moment has passed. The cgroup may have been removed meanwhile: a task that leaves does not hold it.
    pub(super) fn finish_leaving(&mut self, cgroup: u32) {
        if self.cgroups[cgroup].live {
            self.cgroups[cgroup].leaving -= 1;
            if self.cgroups[cgroup].leaving == 0 && self.cgroups[cgroup].tasks.is_empty() {
                self.populate(cgroup, false);
            }
        }
        self.unpin(cgroup);
    }

    /// A cgroup that is removed while tasks are leaving is not populated any more.
    pub(super) fn forget_leaving(&mut self, cgroup: u32) {
        if std::mem::take(&mut self.cgroups[cgroup].leaving) > 0 {
            self.populate(cgroup, false);
        }
    }

    fn leave_place(&mut self, task: u32, cgroup: u32, slot: u32) {
        let list = &mut self.cgroups[cgroup].tasks;
        assert!(list[slot as usize] == task, "a task knows its place");
        list.swap_remove(slot as usize);
        if let Some(moved) = list.get(slot as usize) {
            self.tasks[*moved].slot = slot;
        }
        if self.cgroups[cgroup].tasks.is_empty() {
            self.populate(cgroup, false);
        }
        if !self.tasks[task].frozen {
            self.count_running(cgroup, -1);
        }
    }

    /// Moves a live task: it enters before it leaves, so that common ancestors notice nothing.
    pub(super) fn migrate(&mut self, task: u32, target: u32) {
        let (source, slot) = (self.tasks[task].cgroup, self.tasks[task].slot);
        if source == target {
            return;
        }
        self.pin(target);
        self.enter(task, target);
        self.leave_place(task, source, slot);
        self.pids_move(task, target);
        self.unpin(source);
        self.settle_into(task);
    }

    /// The own list becomes non-empty or empty; ancestors follow as long as it matters to them.
    fn populate(&mut self, cgroup: u32, now: bool) {
        let change = if now { 1 } else { -1 };
        let own = &self.cgroups[cgroup];
        let others = own.leaving > 0 || own.has_populated_children();
        let (mut child, mut changed) = (cgroup, !others);
        while changed {
            self.notify(child, File::CgroupEvents);
            let Some(parent) = self.cgroups[child].parent else { return };
            let threaded = self.is_threaded(child);
            let above = &mut self.cgroups[parent];
            let before = above.populated();
            let count = match threaded {
                true => &mut above.populated_threaded_children,
                false => &mut above.populated_domain_children,
            };
            *count = count.checked_add_signed(change).expect("populated children are counted");
            (changed, child) = (above.populated() != before, parent);
        }
    }

    /// Counts tasks that have not stopped, here and in all ancestors.
    fn count_running(&mut self, cgroup: u32, change: i32) {
        let mut next = Some(cgroup);
        while let Some(index) = next {
            let freezer = &mut self.cgroups[index].freezer;
            freezer.running = freezer.running.checked_add_signed(change).expect("running tasks are counted");
            if freezer.effective > 0 {
                self.judge_frozen(index);
            }
            next = self.cgroups[index].parent;
        }
    }

    /// `frozen` is what is wished, once everything below has stopped.
    fn judge_frozen(&mut self, index: u32) {
        let freezer = &mut self.cgroups[index].freezer;
        let frozen = freezer.effective > 0 && freezer.running == 0;
        if freezer.frozen != frozen {
            freezer.frozen = frozen;
            self.notify(index, File::CgroupEvents);
        }
    }

    /// A task has arrived: it stops or goes on as the cgroup wishes.
    pub(super) fn settle_into(&mut self, task: u32) {
        let freeze = self.cgroups[self.tasks[task].cgroup].freezer.effective > 0;
        match (freeze, self.tasks[task].frozen) {
            (true, false) => self.stop_task(task),
            (false, _) => self.thaw_task(task),
            (true, true) => {}
        }
    }

    fn stop_task(&mut self, task: u32) {
        let Self { config, unsettled, .. } = self;
        if config.immediate {
            self.freeze_task(task);
            return;
        }
        let effect = Unsettled::Freeze(self.tasks[task].tid);
        if !unsettled.contains(&effect) {
            unsettled.push(effect);
        }
    }

    pub(super) fn freeze_task(&mut self, task: u32) {
        let state = &mut self.tasks[task];
        assert!(state.live && !state.frozen, "only a running task stops");
        state.frozen = true;
        let cgroup = state.cgroup;
        self.count_running(cgroup, -1);
    }

    fn thaw_task(&mut self, task: u32) {
        let tid = self.tasks[task].tid;
        if !self.unsettled.is_empty() {
            self.unsettled.retain(|effect| *effect != Unsettled::Freeze(tid));
        }
        if !self.tasks[task].frozen {
            return;
        }
        self.tasks[task].frozen = false;
        let (cgroup, process) = (self.tasks[task].cgroup, self.tasks[task].process);
        self.count_running(cgroup, 1);
        if self.processes[process].signals.waiting() {
            self.thawed.push(process);
        }
    }

    /// Signals that waited for a thaw arrive once the call that thawed is through.
    pub(super) fn deliver_thawed(&mut self) {
        while let Some(process) = self.thawed.pop() {
            if self.processes.get(process).is_some() {
                self.deliver(process);
            }
        }
    }

    /// A new child of a cgroup that is to be frozen is frozen at once.
    pub(super) fn inherit_freeze(&mut self, parent: u32, child: u32) {
        let effective = self.cgroups[parent].freezer.effective;
        let freezer = &mut self.cgroups[child].freezer;
        (freezer.effective, freezer.frozen) = (effective, effective > 0);
    }

    /// A write of the own wish.
    pub(super) fn set_freeze(&mut self, index: u32, wish: bool) {
        if self.cgroups[index].freezer.wish == wish {
            return;
        }
        self.cgroups[index].freezer.wish = wish;
        let mut applied = false;
        self.for_each_below(index, &mut |kernel, below| {
            let freezer = &mut kernel.cgroups[below].freezer;
            let before = freezer.effective;
            freezer.effective = before.checked_add_signed(if wish { 1 } else { -1 }).expect("wishes are counted");
            if (before == 0) != (freezer.effective == 0) {
                applied = true;
                kernel.apply_freeze(below);
            }
        });
        if !applied {
            self.notify(index, File::CgroupEvents);
        }
        self.deliver_thawed();
    }

    fn apply_freeze(&mut self, index: u32) {
        self.judge_frozen(index);
        for position in 0..self.cgroups[index].tasks.len() {
            let task = self.cgroups[index].tasks[position];
            self.settle_into(task);
        }
    }

    /// `cgroup.kill`: all processes whose leader is here or below, and alive. The signal is sent to the leader alone,
    /// so threads that outlive theirs are spared.
    pub(super) fn kill_below(&mut self, index: u32) {
        let mut victims = Vec::new();
        self.for_each_below(index, &mut |kernel, below| {
            kernel.cgroups[below].kills += 1;
            victims.extend(kernel.leaders_in(below));
        });
        for process in victims {
            let pid_one = self.pid_of(process) == Self::INIT;
            let leader_lives = self.tasks[self.processes[process].leader].live;
            if !self.processes[process].kernel && !pid_one && leader_lives {
                self.kill_process(process);
            }
        }
    }

    /// Processes whose leader is in this cgroup, or died in it while other threads live.
    pub(super) fn leaders_in(&self, index: u32) -> impl Iterator<Item = u32> {
        let cgroup = &self.cgroups[index];
        let leaders = cgroup.tasks.iter().filter(|task| {
            let process = self.tasks[**task].process;
            self.processes[process].leader == **task
        });
        leaders.chain(&cgroup.dead_leaders).map(|task| self.tasks[*task].process)
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Caller, CgroupId, Config, File, Fork, Kernel, Notice, Unsettled, Version};

    #[test]
    fn threads_that_outlive_their_leader_are_not_killed_with_the_cgroup() {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config::default());
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        let pid = kernel.fork(&root, &Fork { into: Some(a), ..Fork::default() }).expect("started");
        kernel.new_thread(&Caller::root(pid), None).expect("started");
        kernel.exit_thread(pid).expect("the leader ends alone");
        kernel.write(&root, a, File::CgroupKill, b"1").expect("written");
        assert!(kernel.is_populated(a));
        kernel.kill(&root, pid, crate::kernel::SIGKILL).expect("a signal to the process reaches all");
        assert!(!kernel.is_populated(a));
    }

    #[test]
    fn freezing_may_take_its_time() {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config { immediate: false, ..Config::default() });
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        let pid = kernel.fork(&root, &Fork { into: Some(a), ..Fork::default() }).expect("started");
        drop(kernel.take_notices());
        kernel.write(&root, a, File::CgroupFreeze, b"1").expect("written");
        assert_eq!(kernel.unsettled(), [Unsettled::Freeze(pid)]);
        assert_eq!(kernel.read(&root, a, File::CgroupEvents).expect("there"), "populated 1\nfrozen 0\n");
        assert!(kernel.notices().is_empty() && kernel.can_act(pid));
        kernel.settle();
        assert_eq!(kernel.take_notices(), [Notice::Modified { cgroup: a, file: File::CgroupEvents }]);
        assert!(!kernel.can_act(pid));
        kernel.write(&root, a, File::CgroupFreeze, b"0").expect("written");
        kernel.write(&root, a, File::CgroupFreeze, b"1").expect("written");
        kernel.write(&root, a, File::CgroupFreeze, b"0").expect("written");
        assert!(kernel.unsettled().is_empty(), "a freeze that was taken back does not come");
    }

    #[test]
    fn a_zombie_may_still_populate_its_cgroup_for_a_moment() {
        let root = Caller::INIT;
        let config = |version| Config { immediate: false, ..Config::of(version) };
        for (version, late) in [(Version::V6_18, false), (Version::V7_3, true)] {
            let mut kernel = Kernel::new(config(version));
            let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
            let b = kernel.mkdir(&root, a, b"b").expect("made");
            let pid = kernel.fork(&root, &Fork { into: Some(b), ..Fork::default() }).expect("started");
            kernel.exit(pid, 0).expect("alive");
            kernel.reap(Kernel::INIT, pid).expect("a zombie");
            let populated = |kernel: &Kernel, id| kernel.read(&root, id, File::CgroupEvents).expect("there");
            assert_eq!(populated(&kernel, a).starts_with("populated 1"), late);
            assert_eq!(kernel.read(&root, b, File::CgroupProcs).expect("there"), "");
            let mut other = kernel.clone();
            other.settle();
            assert!(populated(&other, a).starts_with("populated 0"));
            kernel.rmdir(&root, b).expect("nothing live is in it");
            assert!(populated(&kernel, a).starts_with("populated 0"));
            kernel.check_invariants();
            kernel.settle();
            kernel.check_invariants();
        }
    }
}
