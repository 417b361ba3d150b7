//! All that is always true of a kernel between two calls, counted again from the beginning. Slow; for tests.

use std::collections::BTreeMap;

use super::process::{NOBODY, State};
use super::{CgroupId, Controller, ControllerSet, Kernel, Unsettled};

impl Kernel {
    /// Recomputes every counter and reference.
    ///
    /// # Panics
    /// When one of them is wrong, which is a bug in the kernel.
    pub fn check_invariants(&self) {
        let mut references = self.references();
        for (index, cgroup) in self.cgroups.iter() {
            assert!(cgroup.live || cgroup.children.is_empty(), "a removed cgroup has no children");
            assert_eq!(cgroup.pins, references.remove(&index).unwrap_or(0), "references of {index}");
            if cgroup.live {
                self.check_place(index);
                self.check_members(index);
                self.check_freezer(index);
                self.check_controllers(index);
            }
        }
        assert!(references.is_empty(), "nothing refers to what is not there: {references:?}");
        self.check_processes();
        self.check_pids();
        self.check_memory();
        assert!(self.thawed.is_empty(), "signals have been delivered");
        assert!(self.unsettled.is_empty() || !self.config.immediate, "nothing waits when all happens at once");
    }

    /// How often something refers to each cgroup, of those to which anything does.
    fn references(&self) -> BTreeMap<u32, u32> {
        let children = self.cgroups.iter().filter_map(|(_, cgroup)| cgroup.parent);
        let tasks = self.tasks.iter().map(|(_, task)| task.cgroup);
        let namespaces = self.processes.iter().filter_map(|(_, process)| process.cgroup_ns);
        let files = self.files.iter().flat_map(|(_, open)| open.references());
        let watches = self.watches.iter().map(|(_, watch)| watch.cgroup());
        let leaving = self.unsettled.iter().filter_map(|effect| match effect {
            Unsettled::Leave(cgroup) => Some(cgroup.index()),
            Unsettled::Death(_) | Unsettled::Freeze(_) => None,
        });
        let mut references = BTreeMap::new();
        for index in children.chain(tasks).chain(namespaces).chain(files).chain(watches).chain(leaving) {
            *references.entry(index).or_default() += 1;
        }
        references
    }

    fn count_leaving(&self, index: u32) -> usize {
        let this = Unsettled::Leave(self.id(index));
        self.unsettled.iter().filter(|effect| **effect == this).count()
    }

    fn check_place(&self, index: u32) {
        let cgroup = &self.cgroups[index];
        let children = cgroup.children.values().map(|child| &self.cgroups[*child]);
        assert_eq!(cgroup.descendants, children.map(|child| child.descendants + 1).sum::<u32>(), "descendants");
        match cgroup.parent {
            None => assert!(index == CgroupId::ROOT.index() && cgroup.depth == 0, "only the root has no parent"),
            Some(parent) => {
                let above = &self.cgroups[parent];
                assert!(above.live && above.children.get(&cgroup.name) == Some(&index), "the parent knows its child");
                assert_eq!(cgroup.depth, above.depth + 1, "depth");
            }
        }
        let threaded = cgroup.children.values().filter(|child| self.is_threaded(**child)).count();
        assert_eq!(cgroup.threaded_children as usize, threaded, "threaded children");
        assert!(self.cgroups[cgroup.domain].domain == cgroup.domain, "a thread root is not threaded");
        assert!(self.is_below(index, cgroup.domain), "a thread root lies above");
    }

    fn check_members(&self, index: u32) {
        let cgroup = &self.cgroups[index];
        for (slot, task) in (0u32..).zip(&cgroup.tasks) {
            let task = &self.tasks[*task];
            assert!(task.live && task.cgroup == index && task.slot == slot, "a task knows its place");
        }
        for task in &cgroup.dead_leaders {
            let task = &self.tasks[*task];
            let process = &self.processes[task.process];
            assert!(!task.live && task.cgroup == index && process.live_threads > 0, "a leader that ended first");
        }
        assert_eq!(cgroup.leaving as usize, self.count_leaving(index), "tasks that are leaving");
        let populated = cgroup.children.values().filter(|child| self.cgroups[**child].populated());
        let (threaded, domains): (Vec<u32>, Vec<u32>) = populated.partition(|child| self.is_threaded(**child));
        assert_eq!(cgroup.populated_threaded_children as usize, threaded.len(), "populated threaded children");
        assert_eq!(cgroup.populated_domain_children as usize, domains.len(), "populated domain children");
        assert!(self.is_valid_domain(cgroup.domain) || cgroup.tasks.is_empty(), "an invalid domain holds no tasks");
    }

    fn check_freezer(&self, index: u32) {
        let cgroup = &self.cgroups[index];
        let freezer = &cgroup.freezer;
        let above = cgroup.parent.map_or(0, |parent| self.cgroups[parent].freezer.effective);
        assert_eq!(freezer.effective, above + u32::from(freezer.wish), "wishes to freeze");
        let own = cgroup.tasks.iter().filter(|task| !self.tasks[**task].frozen).count();
        let below: u32 = cgroup.children.values().map(|child| self.cgroups[*child].freezer.running).sum();
        assert_eq!(freezer.running as usize, own + below as usize, "running tasks");
        assert_eq!(freezer.frozen, freezer.effective > 0 && freezer.running == 0, "frozen");
        let stopped = cgroup.tasks.iter().any(|task| self.tasks[*task].frozen);
        assert!(freezer.effective > 0 || !stopped, "nothing is frozen where nobody wishes it");
    }

    fn check_controllers(&self, index: u32) {
        let cgroup = &self.cgroups[index];
        let (visible, active) = match cgroup.parent.map(|parent| &self.cgroups[parent]) {
            None => (self.config.controllers, self.config.controllers),
            Some(parent) if self.is_threaded(index) => {
                (parent.subtree_control & ControllerSet::THREADED, parent.subtree_active & ControllerSet::THREADED)
            }
            Some(parent) => (parent.subtree_control, parent.subtree_active),
        };
        assert_eq!((cgroup.visible, cgroup.active), (visible, active), "controllers handed down");
        assert!((visible - active).is_empty(), "what is seen works");
        assert!((cgroup.subtree_control - visible).is_empty(), "only what is here is handed down");
        assert_eq!(cgroup.pids.is_some(), active.has(Controller::Pids) || cgroup.is_root(), "pids object");
        assert_eq!(cgroup.memory.is_some(), active.has(Controller::Memory) || cgroup.is_root(), "memory object");
        let no_inner_tasks = (cgroup.subtree_control - ControllerSet::THREADED).is_empty() || cgroup.tasks.is_empty();
        assert!(no_inner_tasks || cgroup.is_root(), "no processes beside domain controllers handed down");
        let partition = self.is_partition(index) && !cgroup.is_root();
        assert_eq!(self.partitions.contains(&index), partition, "list of partitions");
    }

    fn check_processes(&self) {
        for (tid, task) in &self.tids {
            assert_eq!(self.tasks[*task].tid, *tid, "numbers find their task");
        }
        assert_eq!(self.tids.len(), self.tasks.iter().count(), "every task has a number");
        for (index, process) in self.processes.iter() {
            let tasks = std::iter::once(&process.leader).chain(&process.threads);
            let live = tasks.filter(|task| self.tasks[**task].live).count();
            assert_eq!(process.live_threads as usize, live, "live threads");
            assert_eq!(process.state == State::Alive, live > 0, "a process lives as long as a thread of it");
            if process.parent == NOBODY {
                continue;
            }
            let parent = &self.processes[process.parent];
            assert!(parent.state == State::Alive, "parents live");
            let listed = parent.zombie_children.contains(&self.pid_of(index));
            assert_eq!(listed, process.state != State::Alive, "zombies are listed");
        }
        for ((namespace, number), pid) in &self.virtual_pids {
            let process = self.process_of(*pid).expect("a number in a namespace is somebody's");
            assert_eq!(self.processes[process].pid_ns, Some((*namespace, *number)), "numbers in namespaces");
        }
    }

    fn check_pids(&self) {
        let mut current: BTreeMap<u32, (u64, u32)> = BTreeMap::new();
        for (_, task) in self.tasks.iter() {
            current.entry(task.pids).or_default().1 += 1;
            let mut next = Some(task.pids);
            while let Some(object) = next {
                current.entry(object).or_default().0 += 1;
                next = self.pids[object].parent;
            }
        }
        for (index, object) in self.pids.iter() {
            let (counted, mut references) = current.get(&index).copied().unwrap_or_default();
            references += u32::from(object.cgroup.is_some());
            references += self.pids.iter().filter(|(_, other)| other.parent == Some(index)).count() as u32;
            assert_eq!(object.references, references, "references of a pids object");
            assert!(object.current == counted || object.parent.is_none(), "tasks of a pids object");
        }
    }

    fn check_memory(&self) {
        let mut usage: BTreeMap<u32, (u64, u32)> = BTreeMap::new();
        for (object, bytes) in self.processes.iter().flat_map(|(_, process)| &process.memory) {
            usage.entry(*object).or_default().1 += 1;
            let mut next = Some(*object);
            while let Some(object) = next {
                usage.entry(object).or_default().0 += bytes;
                next = self.memory[object].parent;
            }
        }
        for (index, object) in self.memory.iter() {
            let (bytes, mut references) = usage.get(&index).copied().unwrap_or_default();
            references += u32::from(object.cgroup.is_some());
            references += self.memory.iter().filter(|(_, other)| other.parent == Some(index)).count() as u32;
            assert_eq!((object.usage, object.references), (bytes, references), "charges of a memory object");
        }
    }
}
