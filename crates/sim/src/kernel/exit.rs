//! How threads and processes end: zombies, orphans, reaping, and deaths that are still on their way.

use super::cgroup::CgroupId;
use super::notices::Notice;
use super::process::{Exit, Pid, State};
use super::{Errno, Kernel};

/// An effect that a call has caused but that has not happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// A signal is about to end this process.
    Death(Pid),
    /// This thread is about to stop in a frozen cgroup.
    Freeze(Pid),
    /// A task that ended is about to leave this cgroup, which is populated until then (6.19 and later).
    Leave(CgroupId),
}

impl Kernel {
    /// The process ends by itself.
    ///
    /// # Errors
    /// `ESRCH` when it is not there or a zombie already.
    pub fn exit(&mut self, pid: Pid, code: u8) -> Result<(), Errno> {
        let process = self.process_of(pid)?;
        if self.processes[process].state != State::Alive {
            return Err(Errno::ESRCH);
        }
        self.end_process(process, Exit::Code(code));
        Ok(())
    }

    /// One thread ends. The leader's number stays in use until the process is reaped; the last thread ends the
    /// process.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn exit_thread(&mut self, tid: Pid) -> Result<(), Errno> {
        let task = self.task(tid)?;
        if !self.tasks[task].live {
            return Err(Errno::ESRCH);
        }
        let process = self.tasks[task].process;
        if self.processes[process].live_threads == 1 {
            self.end_process(process, Exit::Code(0));
            return Ok(());
        }
        self.end_task(task);
        self.processes[process].live_threads -= 1;
        if self.processes[process].leader == task {
            let cgroup = self.tasks[task].cgroup;
            self.cgroups[cgroup].dead_leaders.push(task);
        } else {
            self.processes[process].threads.retain(|other| *other != task);
            self.free_task(task);
        }
        Ok(())
    }

    pub(super) fn kill_process(&mut self, process: u32) {
        self.doom(process, super::signal::SIGKILL);
    }

    /// A signal ends the process: at once, or when the world settles it.
    pub(super) fn doom(&mut self, process: u32, signal: u8) {
        if self.processes[process].state != State::Alive || self.processes[process].dying.is_some() {
            return;
        }
        if self.config.immediate {
            self.end_process(process, Exit::Signal(signal));
            return;
        }
        self.processes[process].dying = Some(signal);
        let pid = self.pid_of(process);
        self.unsettled.push(Unsettled::Death(pid));
    }

    /// Effects that have not happened yet, oldest first. Always empty when the configuration says `immediate`.
    #[must_use]
    pub fn unsettled(&self) -> &[Unsettled] {
        &self.unsettled
    }

    /// Lets one of the [`unsettled`](Self::unsettled) effects happen.
    pub fn settle_one(&mut self, position: usize) {
        match self.unsettled.remove(position) {
            Unsettled::Death(pid) => {
                let process = self.process_of(pid).expect("a dying process is there");
                let signal = self.processes[process].dying.expect("a signal ends it");
                self.end_process(process, Exit::Signal(signal));
            }
            Unsettled::Freeze(tid) => {
                let task = self.task(tid).expect("a freezing thread is there");
                self.freeze_task(task);
            }
            Unsettled::Leave(cgroup) => self.finish_leaving(cgroup.index()),
        }
    }

    /// Lets all of them happen.
    pub fn settle(&mut self) {
        while !self.unsettled.is_empty() {
            self.settle_one(0);
        }
    }

    pub(super) fn end_process(&mut self, process: u32, exit: Exit) {
        assert!(self.processes[process].state == State::Alive, "a process ends once");
        assert!(!self.processes[process].kernel, "kernel threads do not end");
        let pid = self.pid_of(process);
        self.unsettled.retain(|effect| *effect != Unsettled::Death(pid));
        for task in std::mem::take(&mut self.processes[process].threads) {
            self.end_task(task);
            self.free_task(task);
        }
        let leader = self.processes[process].leader;
        if self.tasks[leader].live {
            self.end_task(leader);
        } else {
            let cgroup = self.tasks[leader].cgroup;
            self.cgroups[cgroup].dead_leaders.retain(|task| *task != leader);
        }
        self.uncharge_memory(process);
        self.processes[process].live_threads = 0;
        self.processes[process].state = State::Zombie(exit);
        self.orphan_children(process);
        self.become_zombie(process, pid);
    }

    fn become_zombie(&mut self, process: u32, pid: Pid) {
        self.notices.push(Notice::Exited { pid });
        let parent = self.processes[process].parent;
        if parent == super::process::NOBODY {
            return;
        }
        if self.processes[parent].reaps_itself {
            self.free_process(process);
        } else {
            self.processes[parent].zombie_children.insert(pid);
        }
    }

    /// A live task leaves its cgroup for good; what refers to it stays.
    fn end_task(&mut self, task: u32) {
        assert!(self.tasks[task].live, "a task ends once");
        let tid = self.tasks[task].tid;
        self.unsettled.retain(|effect| *effect != Unsettled::Freeze(tid));
        self.leave_at_exit(task);
        self.tasks[task].live = false;
    }

    fn free_task(&mut self, task: u32) {
        let gone = self.tasks.remove(task);
        assert!(!gone.live, "only ended tasks are freed");
        self.tids.remove(&gone.tid);
        self.pids_uncharge(gone.pids);
        self.unpin(gone.cgroup);
    }

    fn orphan_children(&mut self, process: u32) {
        let heir = self.heir(process);
        while let Some(child) = self.processes[process].first_child {
            assert!(heir != process, "the first process does not end");
            self.unlink_child(child);
            self.link_child(heir, child);
        }
        let zombies = std::mem::take(&mut self.processes[process].zombie_children);
        if self.processes[heir].reaps_itself {
            for pid in zombies {
                let child = self.process_of(pid).expect("a zombie is there");
                self.free_process(child);
            }
        } else {
            self.processes[heir].zombie_children.extend(zombies);
        }
    }

    /// Who adopts the children of this process: the nearest live subreaper above, at last process 1.
    fn heir(&self, process: u32) -> u32 {
        let mut above = self.processes[process].parent;
        while above != super::process::NOBODY {
            if self.processes[above].subreaper && self.processes[above].state == State::Alive {
                return above;
            }
            above = self.processes[above].parent;
        }
        self.process_of(Self::INIT).expect("process 1 is there")
    }

    fn free_process(&mut self, process: u32) {
        self.unlink_child(process);
        let gone = self.processes.remove(process);
        assert!(gone.first_child.is_none(), "orphans have been adopted");
        self.free_task(gone.leader);
        if let Some(root) = gone.cgroup_ns {
            self.unpin(root);
        }
        if let Some(virtual_pid) = gone.pid_ns {
            self.virtual_pids.remove(&virtual_pid);
        }
    }

    /// Waits for one zombie, whose number becomes free.
    ///
    /// # Errors
    /// `ECHILD` when it is not a zombie child of this parent.
    pub fn reap(&mut self, parent: Pid, pid: Pid) -> Result<Exit, Errno> {
        let above = self.process_of(parent).map_err(|_| Errno::ECHILD)?;
        if !self.processes[above].zombie_children.remove(&pid) {
            return Err(Errno::ECHILD);
        }
        let process = self.process_of(pid).expect("a zombie is there");
        let State::Zombie(exit) = self.processes[process].state else { panic!("{pid} is listed as a zombie") };
        self.free_process(process);
        Ok(exit)
    }

    /// The zombie child with the lowest number.
    #[must_use]
    pub fn zombie_child(&self, parent: Pid) -> Option<Pid> {
        let process = self.process_of(parent).ok()?;
        self.processes[process].zombie_children.first().copied()
    }

    /// Sets whether orphans below this process become its children (`PR_SET_CHILD_SUBREAPER`).
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn set_subreaper(&mut self, pid: Pid, on: bool) -> Result<(), Errno> {
        let process = self.process_of(pid)?;
        self.processes[process].subreaper = on;
        Ok(())
    }

    /// Sets whether children of this process vanish as soon as they end (SIGCHLD ignored).
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn set_reaps_itself(&mut self, pid: Pid, on: bool) -> Result<(), Errno> {
        let process = self.process_of(pid)?;
        self.processes[process].reaps_itself = on;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Caller, Config, Fork};

    #[test]
    fn orphans_go_to_the_nearest_subreaper() {
        let mut kernel = Kernel::new(Config::default());
        let reaper = kernel.fork(&Caller::INIT, &Fork::default()).expect("started");
        let parent = kernel.fork(&Caller::root(reaper), &Fork::default()).expect("started");
        let child = kernel.fork(&Caller::root(parent), &Fork::default()).expect("started");
        let zombie = kernel.fork(&Caller::root(parent), &Fork::default()).expect("started");
        kernel.set_subreaper(reaper, true).expect("there");
        kernel.exit(zombie, 7).expect("alive");
        kernel.exit(parent, 0).expect("alive");
        assert_eq!(kernel.parent_of(child), Some(reaper));
        assert_eq!(kernel.reap(reaper, zombie), Ok(Exit::Code(7)));
        assert_eq!((kernel.zombie_child(reaper), kernel.zombie_child(Kernel::INIT)), (Some(parent), None));
        kernel.exit(reaper, 0).expect("alive");
        assert_eq!(kernel.parent_of(child), Some(Kernel::INIT));
        kernel.check_invariants();
    }

    #[test]
    fn who_ignores_sigchld_has_no_zombies() {
        let mut kernel = Kernel::new(Config::default());
        kernel.set_reaps_itself(Kernel::INIT, true).expect("there");
        let pid = kernel.fork(&Caller::INIT, &Fork::default()).expect("started");
        kernel.exit(pid, 0).expect("alive");
        assert_eq!((kernel.state(pid), kernel.reap(Kernel::INIT, pid)), (None, Err(Errno::ECHILD)));
        assert_eq!(kernel.notices(), [Notice::Exited { pid }]);
    }
}
