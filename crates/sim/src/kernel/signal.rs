//! Signals: what a process does with each, and those that wait because it is frozen or stopped.

use super::access::Caller;
use super::process::{Pid, State};
use super::{Errno, Kernel};

/// Ends a process whatever it wishes.
pub const SIGKILL: u8 = 9;
/// Asks a process to end.
pub const SIGTERM: u8 = 15;
const SIGCHLD: u8 = 17;
const SIGCONT: u8 = 18;
const SIGSTOP: u8 = 19;
/// SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU: they and SIGCONT take each other back while they wait.
const STOP_SIGNALS: u64 = 0b1111 << (SIGSTOP - 1);
const SIGURG: u8 = 23;
const SIGWINCH: u8 = 28;
/// SIGCHLD, SIGCONT, SIGURG, SIGWINCH: nothing happens.
const HARMLESS_SIGNALS: u64 = 1 << (SIGCHLD - 1) | 1 << (SIGCONT - 1) | 1 << (SIGURG - 1) | 1 << (SIGWINCH - 1);
/// SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS: the process itself writes a
/// core image before it ends.
const CORE_SIGNALS: u64 = 0b11_1111 << 2 | 1 << 10 | 0b11 << 23 | 1 << 30;
/// The last real-time signal.
const SIGNAL_MAX: u8 = 64;

/// What a process does when a signal arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What the kernel does by itself: mostly, end the process.
    Default,
    /// Nothing.
    Ignore,
    /// Runs a handler: the signal waits for [`Kernel::take_caught`].
    Catch,
}

/// Bit n stands for signal n + 1.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Signals {
    ignored: u64,
    catching: u64,
    pending: u64,
    caught: u64,
    pub(super) stopped: bool,
}

fn bit(signal: u8) -> u64 {
    1 << (signal - 1)
}

/// The lowest signal of a set that is not empty.
fn first(set: u64) -> u8 {
    u8::try_from(set.trailing_zeros() + 1).expect("a signal has a small number")
}

impl Signals {
    /// A child starts with the dispositions of its parent and nothing pending.
    pub(super) fn inherited(self) -> Self {
        Self { ignored: self.ignored, catching: self.catching, ..Self::default() }
    }

    pub(super) fn waiting(self) -> bool {
        self.pending != 0
    }
}

impl Kernel {
    /// Sets what a process does with a signal.
    ///
    /// # Errors
    /// `ESRCH`; `EINVAL` for SIGKILL, SIGSTOP and numbers that are no signals.
    pub fn set_disposition(&mut self, pid: Pid, signal: u8, disposition: Disposition) -> Result<(), Errno> {
        let process = self.process_of(pid)?;
        if !(1..=SIGNAL_MAX).contains(&signal) || signal == SIGKILL || signal == SIGSTOP {
            return Err(Errno::EINVAL);
        }
        let signals = &mut self.processes[process].signals;
        let bit = bit(signal);
        signals.ignored &= !bit;
        signals.catching &= !bit;
        match disposition {
            Disposition::Default => {}
            Disposition::Ignore => signals.ignored |= bit,
            Disposition::Catch => signals.catching |= bit,
        }
        Ok(())
    }

    /// Sends a signal to a process; 0 only asks whether one could. A zombie takes it without effect.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM` for a process of another user, `EINVAL` for a number that is no signal.
    pub fn kill(&mut self, who: &Caller, pid: Pid, signal: u8) -> Result<(), Errno> {
        let process = self.process_of(pid)?;
        if signal > SIGNAL_MAX {
            return Err(Errno::EINVAL);
        }
        let target = &self.processes[process];
        if !who.privileged() && who.uid != target.uid {
            return Err(Errno::EPERM);
        }
        let untouchable = target.kernel || pid == Self::INIT || target.state != State::Alive;
        if signal == 0 || untouchable {
            return Ok(());
        }
        self.send(process, signal);
        Ok(())
    }

    fn send(&mut self, process: u32, signal: u8) {
        if signal == SIGKILL {
            self.kill_process(process);
            return;
        }
        let signals = &mut self.processes[process].signals;
        if signal == SIGCONT {
            signals.stopped = false;
            signals.pending &= !STOP_SIGNALS;
        } else if STOP_SIGNALS & bit(signal) != 0 {
            signals.pending &= !bit(SIGCONT);
        }
        if self.ends_at_once(process, signal) {
            self.doom(process, signal);
            return;
        }
        let signals = &mut self.processes[process].signals;
        if signals.ignored & bit(signal) == 0 {
            signals.pending |= bit(signal);
        }
        self.deliver(process);
    }

    /// What ends a process without a core image does so as SIGKILL would, even if it is frozen; not if it is stopped.
    fn ends_at_once(&self, process: u32, signal: u8) -> bool {
        let signals = &self.processes[process].signals;
        let is_default = (signals.ignored | signals.catching) & bit(signal) == 0;
        let goes_on = (STOP_SIGNALS | HARMLESS_SIGNALS | CORE_SIGNALS) & bit(signal) != 0;
        is_default && !goes_on && !signals.stopped
    }

    /// Lets a process take its pending signals, unless it is frozen, stopped or about to die.
    pub(super) fn deliver(&mut self, process: u32) {
        // A signal can end the process, and a parent that reaps by itself then forgets it.
        while self.processes.get(process).is_some() && self.takes_signals(process) {
            let signals = &mut self.processes[process].signals;
            if signals.pending == 0 {
                return;
            }
            let signal = first(signals.pending);
            signals.pending &= !bit(signal);
            if signals.catching & bit(signal) != 0 {
                signals.caught |= bit(signal);
            } else {
                self.default_action(process, signal);
            }
        }
    }

    fn takes_signals(&self, process: u32) -> bool {
        let process = &self.processes[process];
        let mut tasks = std::iter::once(&process.leader).chain(&process.threads).map(|task| &self.tasks[*task]);
        process.dying.is_none() && !process.signals.stopped && tasks.any(|task| task.live && !task.frozen)
    }

    fn default_action(&mut self, process: u32, signal: u8) {
        match signal {
            _ if HARMLESS_SIGNALS & bit(signal) != 0 => {}
            _ if STOP_SIGNALS & bit(signal) != 0 => self.processes[process].signals.stopped = true,
            _ => self.doom(process, signal),
        }
    }

    /// The next signal whose handler the process has to run.
    pub fn take_caught(&mut self, pid: Pid) -> Option<u8> {
        let process = self.process_of(pid).ok()?;
        let caught = &mut self.processes[process].signals.caught;
        if *caught == 0 {
            return None;
        }
        let signal = first(*caught);
        *caught &= !bit(signal);
        Some(signal)
    }

    /// Is there something pending that a frozen or stopped process has not seen?
    #[must_use]
    pub fn has_pending(&self, pid: Pid, signal: u8) -> bool {
        self.process_of(pid).is_ok_and(|process| self.processes[process].signals.pending & bit(signal) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{CgroupId, Config, Exit, File, Fork, Unsettled};

    const SIGSEGV: u8 = 11;
    const TERMINATED: Option<State> = Some(State::Zombie(Exit::Signal(SIGTERM)));

    fn world(immediate: bool) -> (Kernel, CgroupId, Pid) {
        let mut kernel = Kernel::new(Config { immediate, ..Config::default() });
        let cgroup = kernel.mkdir(&Caller::INIT, CgroupId::ROOT, b"a").expect("made");
        let into = Fork { into: Some(cgroup), ..Fork::default() };
        let pid = kernel.fork(&Caller::INIT, &into).expect("started");
        (kernel, cgroup, pid)
    }

    #[test]
    fn a_process_may_ignore_or_catch_all_but_sigkill() {
        let (mut kernel, _, pid) = world(true);
        let root = Caller::INIT;
        kernel.set_disposition(pid, SIGTERM, Disposition::Ignore).expect("set");
        assert_eq!(kernel.kill(&root, pid, SIGTERM), Ok(()));
        assert_eq!(kernel.state(pid), Some(State::Alive));
        kernel.set_disposition(pid, SIGTERM, Disposition::Catch).expect("set");
        kernel.kill(&root, pid, SIGTERM).expect("sent");
        assert_eq!((kernel.take_caught(pid), kernel.take_caught(pid)), (Some(SIGTERM), None));
        assert_eq!(kernel.set_disposition(pid, SIGKILL, Disposition::Ignore), Err(Errno::EINVAL));
        kernel.kill(&root, pid, SIGKILL).expect("sent");
        assert_eq!(kernel.state(pid), Some(State::Zombie(Exit::Signal(SIGKILL))));
        assert_eq!(kernel.kill(&root, pid, SIGTERM), Ok(()), "a zombie takes signals without effect");
        kernel.reap(Kernel::INIT, pid).expect("a zombie");
        assert_eq!(kernel.kill(&root, pid, 0), Err(Errno::ESRCH));
    }

    #[test]
    fn a_frozen_process_sees_its_signals_when_it_thaws_but_for_those_that_just_end_it() {
        let (mut kernel, cgroup, pid) = world(true);
        let root = Caller::INIT;
        let other = kernel.fork(&root, &Fork { into: Some(cgroup), ..Fork::default() }).expect("started");
        kernel.write(&root, cgroup, File::CgroupFreeze, b"1").expect("written");
        kernel.kill(&root, pid, SIGSEGV).expect("sent");
        assert_eq!((kernel.state(pid), kernel.has_pending(pid, SIGSEGV)), (Some(State::Alive), true));
        kernel.kill(&root, other, SIGTERM).expect("sent");
        assert_eq!(kernel.state(other), TERMINATED);
        kernel.write(&root, cgroup, File::CgroupFreeze, b"0").expect("written");
        assert_eq!(kernel.state(pid), Some(State::Zombie(Exit::Signal(SIGSEGV))));
        assert_eq!(kernel.read(&root, cgroup, File::CgroupEvents).expect("there"), "populated 0\nfrozen 0\n");
    }

    #[test]
    fn sigkill_reaches_frozen_and_stopped_processes() {
        let (mut kernel, cgroup, pid) = world(true);
        kernel.kill(&Caller::INIT, pid, SIGSTOP).expect("sent");
        assert!(!kernel.can_act(pid));
        kernel.write(&Caller::INIT, cgroup, File::CgroupFreeze, b"1").expect("written");
        kernel.kill(&Caller::INIT, pid, SIGKILL).expect("sent");
        assert_eq!(kernel.state(pid), Some(State::Zombie(Exit::Signal(SIGKILL))));
    }

    #[test]
    fn a_stopped_process_goes_on_and_then_takes_what_waited() {
        let (mut kernel, cgroup, pid) = world(true);
        kernel.kill(&Caller::INIT, pid, SIGSTOP).expect("sent");
        kernel.kill(&Caller::INIT, pid, SIGTERM).expect("sent");
        assert!(kernel.state(pid) == Some(State::Alive) && kernel.has_pending(pid, SIGTERM));
        kernel.kill(&Caller::INIT, pid, SIGCONT).expect("sent");
        assert_eq!(kernel.state(pid), TERMINATED);
        let other = kernel.fork(&Caller::INIT, &Fork { into: Some(cgroup), ..Fork::default() }).expect("started");
        kernel.write(&Caller::INIT, cgroup, File::CgroupFreeze, b"1").expect("written");
        kernel.kill(&Caller::INIT, other, SIGSTOP).expect("sent");
        kernel.kill(&Caller::INIT, other, SIGCONT).expect("sent");
        kernel.write(&Caller::INIT, cgroup, File::CgroupFreeze, b"0").expect("written");
        assert!(kernel.can_act(other), "the stop was taken back before it was seen");
    }

    #[test]
    fn only_the_same_user_or_root_may_send() {
        let (mut kernel, _, pid) = world(true);
        let stranger = Caller::INIT.as_user(1000);
        assert_eq!(kernel.kill(&stranger, pid, SIGTERM), Err(Errno::EPERM));
        assert_eq!(kernel.kill(&Caller::INIT, Kernel::INIT, SIGKILL), Ok(()), "the first process cannot be killed");
        assert_eq!(kernel.state(Kernel::INIT), Some(State::Alive));
    }

    #[test]
    fn deaths_may_come_later_and_in_any_order() {
        let (mut kernel, cgroup, first) = world(false);
        let second = kernel.fork(&Caller::INIT, &Fork { into: Some(cgroup), ..Fork::default() }).expect("started");
        kernel.kill(&Caller::INIT, first, SIGTERM).expect("sent");
        kernel.write(&Caller::INIT, cgroup, File::CgroupKill, b"1").expect("written");
        assert_eq!(kernel.unsettled(), [Unsettled::Death(first), Unsettled::Death(second)]);
        assert!(kernel.state(first) == Some(State::Alive) && !kernel.can_act(first));
        kernel.settle_one(1);
        assert_eq!(kernel.read(&Caller::INIT, cgroup, File::CgroupProcs).expect("there"), format!("{first}\n"));
        kernel.settle();
        assert_eq!(kernel.state(first), TERMINATED);
    }
}
