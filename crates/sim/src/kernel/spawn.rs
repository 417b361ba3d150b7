//! How processes and threads begin: fork, clone into a cgroup, new threads.

use std::collections::BTreeSet;

use super::access::{Caller, WRITE};
use super::cgroup::CgroupId;
use super::files::File;
use super::process::{NOBODY, Pid, PidNamespace, Process, State, Task};
use super::signal::Signals;
use super::{Errno, Kernel};

/// What a new process shall be; the default is a plain fork of the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fork {
    /// Start directly inside this cgroup (`CLONE_INTO_CGROUP`).
    pub into: Option<CgroupId>,
    /// The number to take, for example one that was used before; otherwise the next free one.
    pub pid: Option<Pid>,
    /// The parent, if not the caller (`CLONE_PARENT`, a double fork).
    pub child_of: Option<Pid>,
    /// User and group; otherwise those of the calling process.
    pub user: Option<(u32, u32)>,
    /// Pid namespace and number there; otherwise that of the caller, with the next number there.
    pub pid_namespace: Option<(PidNamespace, Pid)>,
}

impl Kernel {
    /// Process 1 and kernel thread 2, in the root.
    pub(super) fn boot(&mut self) {
        for (pid, kernel) in [(Self::INIT, false), (Self::KTHREADD, true)] {
            let process = self.new_process(pid, CgroupId::ROOT.index(), NOBODY);
            self.processes[process].kernel = kernel;
            self.processes[process].subreaper = true;
        }
        self.next_pid = 100;
    }

    /// Creates a process.
    ///
    /// # Errors
    /// `EEXIST` when the chosen number is taken; with `into` what a migration there would answer, and `ENOENT` for a
    /// removed cgroup; `EAGAIN` over `pids.max`; `ESRCH` when the caller is not there.
    pub fn fork(&mut self, who: &Caller, wanted: &Fork) -> Result<Pid, Errno> {
        let creator = self.task(who.pid)?;
        let (process, source) = (self.tasks[creator].process, self.tasks[creator].cgroup);
        let pid = self.choose_pid(wanted.pid)?;
        if wanted.pid_namespace.is_some_and(|number| self.virtual_pids.contains_key(&number)) {
            return Err(Errno::EEXIST);
        }
        let target = match wanted.into {
            Some(into) => self.clone_target(who, source, into)?,
            None => source,
        };
        self.pids_may_fork(target)?;
        let parent = match wanted.child_of {
            Some(parent) => self.process_of(parent)?,
            None => process,
        };
        let child = self.new_process(pid, target, parent);
        self.inherit(process, child, wanted);
        if self.config.kill_at_birth && self.cgroups[source].kills != self.cgroups[target].kills {
            self.processes[child].stillborn = true;
            self.kill_process(child);
        }
        Ok(pid)
    }

    /// Clone obeys the rules of a migration, with the credentials of the caller.
    fn clone_target(&self, who: &Caller, source: u32, into: CgroupId) -> Result<u32, Errno> {
        let target = self.live(into)?;
        self.permit_file(who, target, File::CgroupProcs, WRITE)?;
        let namespace = self.namespace_root(who.pid);
        self.permit_migration(who, namespace, source, target, true)?;
        Ok(target)
    }

    fn choose_pid(&mut self, wanted: Option<Pid>) -> Result<Pid, Errno> {
        if let Some(pid) = wanted {
            if pid <= 0 || pid >= self.config.pid_max {
                return Err(Errno::EINVAL);
            }
            return if self.tids.contains_key(&pid) { Err(Errno::EEXIST) } else { Ok(pid) };
        }
        assert!(self.tids.len() < self.config.pid_max as usize - 300, "a free number exists");
        while self.tids.contains_key(&self.next_pid) {
            self.next_pid = self.pid_after(self.next_pid);
        }
        let pid = self.next_pid;
        self.next_pid = self.pid_after(pid);
        Ok(pid)
    }

    /// Numbers go up and start again at 300, as in Linux.
    fn pid_after(&self, pid: Pid) -> Pid {
        if pid + 1 < self.config.pid_max { pid + 1 } else { 300 }
    }

    fn new_process(&mut self, pid: Pid, cgroup: u32, parent: u32) -> u32 {
        let process = self.processes.insert(Process {
            leader: 0,
            threads: Vec::new(),
            live_threads: 1,
            state: State::Alive,
            uid: 0,
            gid: 0,
            cgroup_ns: None,
            pid_ns: None,
            kernel: false,
            stillborn: false,
            dying: None,
            signals: Signals::default(),
            memory: Vec::new(),
            parent,
            first_child: None,
            next_sibling: None,
            previous_sibling: None,
            zombie_children: BTreeSet::new(),
            subreaper: false,
            reaps_itself: false,
        });
        if parent != NOBODY {
            self.link_child(parent, process);
        }
        self.processes[process].leader = self.new_task(pid, process, cgroup);
        process
    }

    fn inherit(&mut self, creator: u32, child: u32, wanted: &Fork) {
        let from = &self.processes[creator];
        let (uid, gid) = wanted.user.unwrap_or((from.uid, from.gid));
        let (namespace, signals) = (from.cgroup_ns, from.signals.inherited());
        let pid_ns = wanted.pid_namespace.or(from.pid_ns.map(|(inherited, _)| (inherited, self.next_in(inherited))));
        if let Some(root) = namespace {
            self.pin(root);
        }
        if let Some(virtual_pid) = pid_ns {
            let pid = self.pid_of(child);
            let taken = self.virtual_pids.insert(virtual_pid, pid);
            assert!(taken.is_none(), "a number in a namespace is given once");
        }
        let process = &mut self.processes[child];
        (process.uid, process.gid, process.cgroup_ns, process.pid_ns) = (uid, gid, namespace, pid_ns);
        process.signals = signals;
    }

    /// A number that nobody has in a pid namespace: numbers there only go up.
    fn next_in(&self, namespace: PidNamespace) -> Pid {
        let numbers = self.virtual_pids.range((namespace, 0)..=(namespace, Pid::MAX));
        numbers.last().map_or(1, |((_, highest), _)| highest + 1)
    }

    /// The thread `who.pid` creates another thread of its process, in its own cgroup.
    ///
    /// # Errors
    /// `ESRCH`, `EEXIST`, `EAGAIN` over `pids.max`.
    pub fn new_thread(&mut self, who: &Caller, tid: Option<Pid>) -> Result<Pid, Errno> {
        let creator = self.task(who.pid)?;
        let (process, cgroup) = (self.tasks[creator].process, self.tasks[creator].cgroup);
        if !self.tasks[creator].live {
            return Err(Errno::ESRCH);
        }
        let tid = self.choose_pid(tid)?;
        self.pids_may_fork(cgroup)?;
        let task = self.new_task(tid, process, cgroup);
        self.processes[process].threads.push(task);
        self.processes[process].live_threads += 1;
        Ok(tid)
    }

    fn new_task(&mut self, tid: Pid, process: u32, cgroup: u32) -> u32 {
        let pids = self.pids_charge(cgroup);
        // Who is born where all is frozen never runs, so nobody notices.
        let frozen = self.config.immediate && self.cgroups[cgroup].freezer.effective > 0;
        let task = self.tasks.insert(Task { tid, process, cgroup, slot: 0, live: true, frozen, pids });
        let previous = self.tids.insert(tid, task);
        assert!(previous.is_none(), "the number was free");
        self.pin(cgroup);
        self.enter(task, cgroup);
        self.settle_into(task);
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Config;

    #[test]
    fn a_number_may_be_chosen_and_used_again() {
        let mut kernel = Kernel::new(Config::default());
        let chosen = Fork { pid: Some(4711), ..Fork::default() };
        assert_eq!(kernel.fork(&Caller::INIT, &chosen), Ok(4711));
        assert_eq!(kernel.fork(&Caller::INIT, &chosen), Err(Errno::EEXIST));
        kernel.exit(4711, 0).expect("alive");
        assert_eq!(kernel.fork(&Caller::INIT, &chosen), Err(Errno::EEXIST), "a zombie keeps its number");
        kernel.reap(Kernel::INIT, 4711).expect("a zombie");
        assert_eq!(kernel.fork(&Caller::INIT, &chosen), Ok(4711));
        let nonsense = Fork { pid: Some(-3), ..Fork::default() };
        assert_eq!(kernel.fork(&Caller::INIT, &nonsense), Err(Errno::EINVAL));
    }

    #[test]
    fn numbers_wrap_around_and_skip_those_in_use() {
        let mut kernel = Kernel::new(Config { pid_max: 1000, ..Config::default() });
        kernel.fork(&Caller::INIT, &Fork { pid: Some(300), ..Fork::default() }).expect("started");
        let mut fork = || kernel.fork(&Caller::INIT, &Fork::default()).expect("started");
        let numbers: Vec<Pid> = std::iter::repeat_with(&mut fork).take(695).collect();
        assert_eq!((numbers[0], numbers[1]), (100, 101));
        let mut later = Kernel::new(Config { pid_max: 1000, ..Config::default() });
        later.next_pid = 999;
        let mut fork = || later.fork(&Caller::INIT, &Fork::default()).expect("started");
        assert_eq!((fork(), fork(), fork()), (999, 300, 301));
    }

    #[test]
    fn a_pid_namespace_has_numbers_of_its_own() {
        let mut kernel = Kernel::new(Config::default());
        let cgroup = kernel.mkdir(&Caller::INIT, CgroupId::ROOT, b"a").expect("made");
        let first = Fork { pid_namespace: Some((PidNamespace(1), 1)), into: Some(cgroup), ..Fork::default() };
        let container = kernel.fork(&Caller::INIT, &first).expect("started");
        let inside = kernel.fork(&Caller::root(container), &Fork::default()).expect("started");
        let outside = kernel.fork(&Caller::INIT, &Fork { into: Some(cgroup), ..Fork::default() }).expect("started");
        assert_eq!(kernel.pid_seen_by(container, inside), 2);
        assert_eq!(kernel.pid_meant_by(container, 2), Ok(inside));
        assert_eq!(kernel.pid_meant_by(container, outside), Err(Errno::ESRCH));
        let seen = kernel.read(&Caller::root(container), cgroup, File::CgroupProcs).expect("there");
        assert_eq!(seen, "1\n2\n0\n", "who cannot be seen is 0");
        let b = kernel.mkdir(&Caller::INIT, CgroupId::ROOT, b"b").expect("made");
        kernel.write(&Caller::root(container), b, File::CgroupProcs, b"2").expect("moved");
        assert_eq!(kernel.cgroup_of(inside), Some(b));
    }
}
