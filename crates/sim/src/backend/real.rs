//! Real processes in the simulated tree, for [`live`](crate::live): introduced by number, stopped and signalled by the
//! driver, ended when the driver says so.

use super::SimBackend;
use super::programs::Programs;
use crate::kernel::{Caller, Config, Errno, Fork, Kernel, Pid, SIGKILL, State};
use cgarbiter_core::event::ExitStatus;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Op;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

/// A real process, as the driver finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Real {
    /// Its number.
    pub pid: u32,
    /// Its user and group.
    pub user: (u32, u32),
    /// Where it starts: the cgroup of its parent, if that is known; else the root.
    pub cgroup: Option<CgroupPath>,
    /// Its command line, quoted for people.
    pub command: Option<String>,
}

impl Real {
    /// A process of this user, and of the group of the same number, of which nothing else is known.
    #[must_use]
    pub fn new(pid: u32, uid: u32) -> Self {
        Self { pid, user: (uid, uid), cgroup: None, command: None }
    }
}

/// Which processes are real, and what waits for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    pub(super) real: BTreeSet<Pid>,
    /// Those that were stopped, because their cgroup is frozen.
    stopped: BTreeSet<Pid>,
    pub(super) deliveries: VecDeque<(Pid, i32)>,
    /// How processes ended whose end the kernel is about to notice.
    statuses: BTreeMap<Pid, ExitStatus>,
}

impl Outside {
    /// Takes a signal for a real process; false when the process is not real.
    pub(super) fn deliver(&mut self, pid: Pid, signal: i32) -> bool {
        let real = self.real.contains(&pid);
        if real {
            self.deliveries.push_back((pid, signal));
        }
        real
    }

    /// Forgets a process that has ended; how it did, if the driver said so.
    pub(super) fn ended(&mut self, pid: Pid) -> Option<ExitStatus> {
        self.real.remove(&pid);
        self.stopped.remove(&pid);
        self.deliveries.retain(|(other, _)| *other != pid);
        self.statuses.remove(&pid)
    }
}

impl SimBackend {
    /// The same as [`SimBackend::new`], with a number of the caller's choice for the arbiter's process.
    pub(crate) fn with_arbiter(config: Config, arbiter: u32) -> Result<Self, Errno> {
        let pid = signed(arbiter)?;
        let mut backend = Self::new(config);
        backend.kernel.exit(backend.arbiter, 0)?;
        backend.kernel.reap(Kernel::INIT, backend.arbiter)?;
        if pid != Kernel::INIT {
            backend.kernel.fork(&Caller::INIT, &Fork { pid: Some(pid), ..Fork::default() })?;
        }
        backend.arbiter = pid;
        backend.programs = Programs::default();
        Ok(backend)
    }

    pub(crate) fn is_known(&self, pid: u32) -> bool {
        signed(pid).is_ok_and(|pid| self.kernel.state(pid).is_some())
    }

    /// A real process appears, as a child of process 1.
    pub(crate) fn introduce(&mut self, real: &Real) -> Result<(), Errno> {
        if self.is_known(real.pid) {
            return Ok(());
        }
        self.begin_real(real, Kernel::INIT)
    }

    /// A real process appears, as a child of the arbiter.
    pub(crate) fn adopt(&mut self, real: &Real) -> Result<(), Errno> {
        self.begin_real(real, self.arbiter)?;
        self.awaited.insert(signed(real.pid)?);
        Ok(())
    }

    fn begin_real(&mut self, real: &Real, parent: Pid) -> Result<(), Errno> {
        let pid = signed(real.pid)?;
        let into = real.cgroup.as_ref().and_then(|cgroup| self.find(cgroup).ok());
        let wanted = Fork { pid: Some(pid), into, child_of: Some(parent), user: Some(real.user), ..Fork::default() };
        self.kernel.fork(&Caller::INIT, &wanted)?;
        self.outside.real.insert(pid);
        if let Some(command) = &real.command {
            self.programs.name(pid, command.clone());
        }
        self.stop_and_continue();
        Ok(())
    }

    /// A real process has ended, in the way that is said.
    pub(crate) fn end_real(&mut self, pid: u32, status: ExitStatus) {
        let Ok(pid) = signed(pid) else { return };
        if !self.outside.real.contains(&pid) || self.kernel.state(pid) != Some(State::Alive) {
            return;
        }
        self.outside.statuses.insert(pid, status);
        // The simulated kernel knows fewer ways to end; the arbiter hears of the real one.
        let _ = match status {
            ExitStatus::Code(code) => self.kernel.exit(pid, u8::try_from(code & 0xff).unwrap_or(0)),
            ExitStatus::Signal(_) | ExitStatus::Dumped(_) | ExitStatus::Lost => {
                self.kernel.kill(&Caller::INIT, pid, SIGKILL)
            }
        };
        self.absorb();
        let _ = self.kernel.reap(Kernel::INIT, pid);
    }

    pub(crate) fn take_delivery(&mut self) -> Option<(u32, i32)> {
        let (pid, signal) = self.outside.deliveries.pop_front()?;
        Some((super::number(pid), signal))
    }

    /// After an operation that may have frozen or thawed somebody: real processes stop and go on likewise.
    pub(super) fn stop_and_continue_after(&mut self, op: &Op) {
        let may_freeze = match op {
            Op::Attach { .. } => true,
            Op::Write { file, .. } => *file == "cgroup.freeze",
            _ => false,
        };
        if may_freeze && !self.outside.real.is_empty() {
            self.stop_and_continue();
        }
    }

    fn stop_and_continue(&mut self) {
        let Outside { real, stopped, deliveries, .. } = &mut self.outside;
        for pid in real.iter().copied() {
            let stands = !self.kernel.can_act(pid);
            if stands && stopped.insert(pid) {
                deliveries.push_back((pid, SIGSTOP));
            } else if !stands && stopped.remove(&pid) {
                deliveries.push_back((pid, SIGCONT));
            }
        }
    }
}

fn signed(pid: u32) -> Result<Pid, Errno> {
    Pid::try_from(pid).ok().filter(|pid| *pid > 0).ok_or(Errno::EINVAL)
}
