//! Moving processes and threads: who may, where to, and the write that does it.

use super::access::{Caller, WRITE};
use super::files::File;
use super::parse::{kstrtoint, strip};
use super::process::Pid;
use super::{Errno, Kernel};

impl Kernel {
    /// A write of `cgroup.procs` or `cgroup.threads`. `writer` is who writes (0 means himself); `opener` and
    /// `namespace` are those of the open.
    pub(super) fn write_members(
        &mut self,
        writer: Pid,
        opener: &Caller,
        namespace: Option<u32>,
        target: u32,
        whole: bool,
        text: &[u8],
    ) -> Result<(), Errno> {
        let number = kstrtoint(strip(text)).map_err(|_| Errno::EINVAL)?;
        if number < 0 {
            return Err(Errno::EINVAL);
        }
        let tid = if number == 0 { writer } else { self.pid_meant_by(writer, number)? };
        let mut task = self.task(tid)?;
        let process = self.tasks[task].process;
        if whole {
            task = self.processes[process].leader;
        }
        if self.processes[process].kernel {
            return Err(Errno::EINVAL);
        }
        self.permit_migration(opener, namespace, self.tasks[task].cgroup, target, whole)?;
        if whole {
            self.move_process(process, target);
        } else if self.tasks[task].live {
            self.migrate(task, target);
        }
        self.deliver_thawed();
        Ok(())
    }

    /// The common ancestor must be writable, both ends visible under `nsdelegate`, and the target fit to hold tasks.
    pub(super) fn permit_migration(
        &self,
        who: &Caller,
        namespace: Option<u32>,
        source: u32,
        target: u32,
        whole: bool,
    ) -> Result<(), Errno> {
        if !who.privileged() {
            let common = self.common_ancestor(source, target);
            self.permit_file(who, common, File::CgroupProcs, WRITE)?;
        }
        let bound = namespace.filter(|_| self.options.nsdelegate);
        if bound.is_some_and(|root| !self.is_below(source, root) || !self.is_below(target, root)) {
            return Err(Errno::ENOENT);
        }
        self.vet_target(target)?;
        if !whole && self.cgroups[source].domain != self.cgroups[target].domain {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(())
    }

    fn vet_target(&self, target: u32) -> Result<(), Errno> {
        if !self.is_valid_domain(self.cgroups[target].domain) {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.can_be_thread_root(target) || self.is_threaded(target) {
            return Ok(());
        }
        if self.cgroups[target].subtree_control.is_empty() { Ok(()) } else { Err(Errno::EBUSY) }
    }

    /// All live threads go; a leader that has ended stays where it ended.
    fn move_process(&mut self, process: u32, target: u32) {
        let leader = self.processes[process].leader;
        if self.tasks[leader].live {
            self.migrate(leader, target);
        }
        for position in 0..self.processes[process].threads.len() {
            let task = self.processes[process].threads[position];
            self.migrate(task, target);
        }
    }
}
