//! Signals from the arbiter: to simulated processes at once, to real ones by way of the driver.

use super::{SimBackend, error};
use crate::kernel::{CgroupId, Errno, File, Pid, State};
use cgarbiter_core::OpError;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Signals;
use std::collections::BTreeSet;

const SIGHUP: i32 = 1;
const SIGCONT: i32 = 18;

impl SimBackend {
    /// Signals every process in the cgroup and below it, until none is there that has not got them.
    pub(super) fn signal_all(&mut self, cgroup: &CgroupPath, signals: Signals, spare: &[u32]) -> Result<u32, OpError> {
        let top = self.find(cgroup)?;
        let mut reached = BTreeSet::new();
        loop {
            let found = self.members(top).map_err(|errno| error(cgroup, "cgroup.procs", errno))?;
            let spared = |pid: Pid| u32::try_from(pid).is_ok_and(|pid| spare.contains(&pid));
            let new: Vec<Pid> = found.into_iter().filter(|pid| !spared(*pid) && !reached.contains(pid)).collect();
            if new.is_empty() {
                return Ok(u32::try_from(reached.len()).unwrap_or(u32::MAX));
            }
            for pid in new {
                reached.insert(pid);
                self.signal(pid, signals);
            }
        }
    }

    /// Signals one process; how many were there.
    pub(super) fn signal(&mut self, pid: Pid, signals: Signals) -> u32 {
        if self.kernel.state(pid) != Some(State::Alive) {
            return 0;
        }
        self.send(pid, signals.first);
        if signals.then_continue {
            self.send(pid, SIGCONT);
        }
        if signals.then_hangup {
            self.send(pid, SIGHUP);
        }
        1
    }

    fn send(&mut self, pid: Pid, signal: i32) {
        if self.outside.deliver(pid, signal) {
            return;
        }
        if let Ok(signal) = u8::try_from(signal) {
            // A process that the signal before has ended does not need this one.
            let _ = self.kernel.kill(&self.myself(), pid, signal);
        }
    }

    /// Every process in the cgroup and below, top down.
    pub(super) fn members(&self, top: CgroupId) -> Result<Vec<Pid>, Errno> {
        let mut pids = Vec::new();
        for cgroup in self.below(top) {
            match self.read(cgroup, File::CgroupProcs) {
                Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<Pid>().ok())),
                // A threaded cgroup lists no processes; those are listed above it.
                Err(Errno::EOPNOTSUPP) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(pids)
    }

    /// The cgroup and all below it, parents first.
    pub(super) fn below(&self, top: CgroupId) -> Vec<CgroupId> {
        let mut found = vec![top];
        let mut next = 0;
        while let Some(cgroup) = found.get(next).copied() {
            found.extend(self.kernel.children(cgroup).map(|(_, child)| child));
            next += 1;
        }
        found
    }
}
