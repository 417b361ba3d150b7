//! Processes and threads: who they are, how they are found, and the look-ups about them.

use std::collections::BTreeSet;

use super::access::Caller;
use super::cgroup::CgroupId;
use super::{Errno, Kernel};

/// Number of a process or thread, as the kernel's own (initial) pid namespace counts them.
pub type Pid = i32;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// At least one thread lives.
    Alive,
    /// Ended and not yet waited for.
    Zombie(Exit),
}

/// One thread. The leader's number is the number of the process.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) tid: Pid,
    pub(super) process: u32,
    pub(super) cgroup: u32,
    /// Place in the list of tasks of the cgroup, while live.
    pub(super) slot: u32,
    pub(super) live: bool,
    pub(super) frozen: bool,
    /// The pids object that counts this task until it is reaped.
    pub(super) pids: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) leader: u32,
    /// Live threads beside the leader.
    pub(super) threads: Vec<u32>,
    pub(super) live_threads: u32,
    pub(super) state: State,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Root of its cgroup namespace; `None`: the initial one.
    pub(super) cgroup_ns: Option<u32>,
    /// Its pid namespace and its number there; `None`: the initial one.
    pub(super) pid_ns: Option<(PidNamespace, Pid)>,
    pub(super) kernel: bool,
    /// A kernel bug has killed it before it could run (see [`Config::kill_at_birth`](super::Config::kill_at_birth)).
    pub(super) stillborn: bool,
    /// The signal that is about to end it.
    pub(super) dying: Option<u8>,
    pub(super) signals: super::signal::Signals,
    /// Memory by the object that was charged for it.
    pub(super) memory: Vec<(u32, u64)>,
    // Family.
    pub(super) parent: u32,
    pub(super) first_child: Option<u32>,
    pub(super) next_sibling: Option<u32>,
    pub(super) previous_sibling: Option<u32>,
    pub(super) zombie_children: BTreeSet<Pid>,
    /// Orphans below it become its children.
    pub(super) subreaper: bool,
    /// Its children vanish when they end (SIGCHLD is ignored).
    pub(super) reaps_itself: bool,
}

/// A pid namespace beside the initial one, with numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PidNamespace(pub u32);

/// Nobody: the parent of the first process.
pub(super) const NOBODY: u32 = u32::MAX;

impl Kernel {
    pub(super) fn task(&self, tid: Pid) -> Result<u32, Errno> {
        self.tids.get(&tid).copied().ok_or(Errno::ESRCH)
    }

    /// The process that this thread belongs to.
    pub(super) fn process_of(&self, tid: Pid) -> Result<u32, Errno> {
        self.task(tid).map(|task| self.tasks[task].process)
    }

    pub(super) fn pid_of(&self, process: u32) -> Pid {
        self.tasks[self.processes[process].leader].tid
    }

    /// A process acting with its own user and group.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn caller(&self, pid: Pid) -> Result<Caller, Errno> {
        let process = &self.processes[self.process_of(pid)?];
        Ok(Caller { pid, uid: process.uid, gid: process.gid })
    }

    /// Alive or zombie; `None` for a number that nobody has.
    #[must_use]
    pub fn state(&self, pid: Pid) -> Option<State> {
        let process = self.process_of(pid).ok()?;
        Some(self.processes[process].state)
    }

    /// Can this thread run: live, not frozen, not about to die, its process not stopped?
    #[must_use]
    pub fn can_act(&self, tid: Pid) -> bool {
        let Ok(task) = self.task(tid) else { return false };
        let task = &self.tasks[task];
        let process = &self.processes[task.process];
        task.live && !task.frozen && process.dying.is_none() && !process.signals.stopped
    }

    /// The cgroup that a thread is in, or died in.
    #[must_use]
    pub fn cgroup_of(&self, tid: Pid) -> Option<CgroupId> {
        self.task(tid).ok().map(|task| self.id(self.tasks[task].cgroup))
    }

    /// The parent; `None` for the first process and for what is not there.
    #[must_use]
    pub fn parent_of(&self, pid: Pid) -> Option<Pid> {
        let parent = self.processes[self.process_of(pid).ok()?].parent;
        if parent == NOBODY { None } else { Some(self.pid_of(parent)) }
    }

    /// Is this a kernel thread?
    #[must_use]
    pub fn is_kernel_thread(&self, pid: Pid) -> bool {
        self.process_of(pid).is_ok_and(|process| self.processes[process].kernel)
    }

    /// Numbers of the live threads of a process, the leader first.
    #[must_use]
    pub fn threads(&self, pid: Pid) -> Vec<Pid> {
        let Ok(process) = self.process_of(pid) else { return Vec::new() };
        let process = &self.processes[process];
        let tasks = std::iter::once(&process.leader).chain(&process.threads).map(|task| &self.tasks[*task]);
        tasks.filter(|task| task.live).map(|task| task.tid).collect()
    }

    /// Numbers of all processes, zombies included, in ascending order.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.tids.iter().filter(|(tid, task)| self.pid_of(self.tasks[**task].process) == **tid).map(|(tid, _)| *tid)
    }

    /// Text of `/proc/ID/cgroup`: the path relative to the root of the caller's cgroup namespace.
    ///
    /// # Errors
    /// `ENOENT` for a number that nobody has.
    pub fn proc_cgroup(&self, who: &Caller, tid: Pid) -> Result<Vec<u8>, Errno> {
        let task = self.task(tid).map_err(|_| Errno::ENOENT)?;
        let index = self.tasks[task].cgroup;
        let base = self.namespace_root(who.pid).unwrap_or(CgroupId::ROOT.index());
        let mut text = b"0::".to_vec();
        text.extend_from_slice(&self.path_below(base, index));
        if !self.cgroups[index].live {
            text.extend_from_slice(b" (deleted)");
        }
        text.push(b'\n');
        Ok(text)
    }

    /// Root of the cgroup namespace of a process, unless it is in the initial one.
    pub(super) fn namespace_root(&self, pid: Pid) -> Option<u32> {
        self.process_of(pid).ok().and_then(|process| self.processes[process].cgroup_ns)
    }

    /// The process enters a new cgroup namespace, whose root is the cgroup that it is in now.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM` without privileges.
    pub fn unshare_cgroup_namespace(&mut self, who: &Caller) -> Result<(), Errno> {
        let task = self.task(who.pid)?;
        if !who.privileged() {
            return Err(Errno::EPERM);
        }
        let (process, root) = (self.tasks[task].process, self.tasks[task].cgroup);
        self.pin(root);
        if let Some(old) = self.processes[process].cgroup_ns.replace(root) {
            self.unpin(old);
        }
        Ok(())
    }

    /// The number under which a reader in the same pid namespace as `reader` sees a process or thread; 0 if not at all.
    #[must_use]
    pub fn pid_seen_by(&self, reader: Pid, tid: Pid) -> Pid {
        let own = self.process_of(reader).ok().and_then(|process| self.processes[process].pid_ns);
        let Some((namespace, _)) = own else { return tid };
        match self.process_of(tid).map(|process| self.processes[process].pid_ns) {
            Ok(Some((other, number))) if other == namespace => number,
            _ => 0,
        }
    }

    /// The opposite: whom does `reader` mean by this number?
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn pid_meant_by(&self, reader: Pid, number: Pid) -> Result<Pid, Errno> {
        let own = self.process_of(reader).ok().and_then(|process| self.processes[process].pid_ns);
        let Some((namespace, _)) = own else { return self.task(number).map(|_| number) };
        self.virtual_pids.get(&(namespace, number)).copied().ok_or(Errno::ESRCH)
    }

    pub(super) fn link_child(&mut self, parent: u32, child: u32) {
        let first = self.processes[parent].first_child.replace(child);
        let process = &mut self.processes[child];
        (process.parent, process.next_sibling, process.previous_sibling) = (parent, first, None);
        if let Some(first) = first {
            self.processes[first].previous_sibling = Some(child);
        }
    }

    pub(super) fn unlink_child(&mut self, child: u32) {
        let process = &self.processes[child];
        let (parent, next, previous) = (process.parent, process.next_sibling, process.previous_sibling);
        match previous {
            Some(previous) => self.processes[previous].next_sibling = next,
            None => self.processes[parent].first_child = next,
        }
        if let Some(next) = next {
            self.processes[next].previous_sibling = previous;
        }
    }
}
