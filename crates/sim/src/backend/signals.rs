//! Signals from the arbiter: to simulated processes at once, to real ones by way of the driver.

use super::{SimBackend, error, process_error};
use crate::kernel::{CgroupId, Errno, File, Pid, State};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Signals;
use cgarbiter_core::{Event, OpError};
use std::collections::BTreeSet;

const SIGHUP: i32 = 1;
const SIGCONT: i32 = 18;

impl SimBackend {
    /// Signals every process in the cgroup and below it, until none is there that has not got them. What is refused is
    /// told when all have got them.
    pub(super) fn signal_all(&mut self, cgroup: &CgroupPath, signals: Signals, spare: &[u32]) -> Result<u32, OpError> {
        let Ok(top) = self.find(cgroup) else { return Ok(0) };
        let (mut reached, mut refused) = (BTreeSet::from([self.arbiter]), Ok(()));
        loop {
            let found = self.members_to_signal(top).map_err(|errno| error(cgroup, "cgroup.procs", errno))?;
            let spared = |pid: Pid| u32::try_from(pid).is_ok_and(|pid| spare.contains(&pid));
            let new: Vec<Pid> = found.into_iter().filter(|pid| !spared(*pid) && !reached.contains(pid)).collect();
            if new.is_empty() {
                return refused.map(|()| u32::try_from(reached.len() - 1).unwrap_or(u32::MAX));
            }
            for pid in new {
                reached.insert(pid);
                refused = refused.and(self.signal(pid, signals).map(drop));
            }
        }
    }

    /// Signals a process whose end will be told; how many were there. One that has ended takes it without effect.
    pub(super) fn signal_one(&mut self, pid: u32, signals: Signals) -> Result<u32, OpError> {
        if self.exits.iter().any(|event| matches!(event, Event::Exited { pid: ended, .. } if *ended == pid)) {
            return Ok(1);
        }
        let Ok(pid) = Pid::try_from(pid) else { return Ok(0) };
        if self.awaited.contains(&pid) { self.signal(pid, signals) } else { Ok(0) }
    }

    /// Signals one process; how many were there.
    fn signal(&mut self, pid: Pid, signals: Signals) -> Result<u32, OpError> {
        if self.kernel.state(pid) != Some(State::Alive) {
            return Ok(0);
        }
        self.send(pid, signals.first)?;
        if signals.then_continue {
            self.send(pid, SIGCONT)?;
        }
        if signals.then_hangup {
            self.send(pid, SIGHUP)?;
        }
        Ok(1)
    }

    fn send(&mut self, pid: Pid, signal: i32) -> Result<(), OpError> {
        if self.outside.deliver(pid, signal) {
            return Ok(());
        }
        let sent = match u8::try_from(signal) {
            Ok(signal) => self.kernel.kill(&self.myself(), pid, signal),
            Err(_) => Err(Errno::EINVAL),
        };
        match sent {
            // A process that the signal before has ended does not need this one.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(process_error(pid, errno)),
        }
    }

    /// The same as [`members`](Self::members), and those with a thread in this cgroup, if it is a threaded one.
    fn members_to_signal(&self, top: CgroupId) -> Result<Vec<Pid>, Errno> {
        let mut pids = self.members(top)?;
        if let Err(Errno::EOPNOTSUPP) = self.read(top, File::CgroupProcs) {
            let threads = self.read(top, File::CgroupThreads)?;
            let leader = |tid: Pid| self.kernel.pids().find(|pid| self.kernel.threads(*pid).contains(&tid));
            pids.extend(threads.lines().filter_map(|line| line.parse().ok()).filter_map(leader));
        }
        Ok(pids)
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
