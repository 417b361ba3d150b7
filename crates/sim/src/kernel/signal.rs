//! Signals: what a process does with each, and those that wait because it is frozen or stopped.

use super::access::Caller;
use super::process::{Exit, Pid, State};
use super::{Errno, Kernel};

/// Ends a process whatever it wishes.
pub const SIGKILL: u8 = 9;
/// Asks a process to end.
pub const SIGTERM: u8 = 15;
const SIGCHLD: u8 = 17;
const SIGCONT: u8 = 18;
const SIGSTOP: u8 = 19;
const SIGURG: u8 = 23;
const SIGWINCH: u8 = 28;

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

/// Bit n stands for signal n.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signals {
    ignored: u64,
    catching: u64,
    pending: u64,
    caught: u64,
    pub(super) stopped: bool,
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
        if !(1..64).contains(&signal) || signal == SIGKILL || signal == SIGSTOP {
            return Err(Errno::EINVAL);
        }
        let signals = &mut self.processes[process].signals;
        let bit = 1 << signal;
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
        if signal >= 64 {
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
        }
        if signals.ignored >> signal & 1 == 0 {
            signals.pending |= 1 << signal;
        }
        self.deliver(process);
    }

    /// Lets a process take its pending signals, unless it is frozen, stopped or about to die.
    pub(super) fn deliver(&mut self, process: u32) {
        while self.processes[process].state == State::Alive && self.takes_signals(process) {
            let signals = &mut self.processes[process].signals;
            if signals.pending == 0 {
                return;
            }
            let signal = u8::try_from(signals.pending.trailing_zeros()).expect("a signal has a small number");
            signals.pending &= !(1 << signal);
            if signals.catching >> signal & 1 == 1 {
                signals.caught |= 1 << signal;
            } else {
                self.default_action(process, signal);
            }
        }
    }

    fn takes_signals(&self, process: u32) -> bool {
        let process = &self.processes[process];
        let mut tasks = std::iter::once(&process.leader).chain(&process.threads).map(|task| &self.tasks[*task]);
        !process.dying && !process.signals.stopped && tasks.any(|task| task.live && !task.frozen)
    }

    fn default_action(&mut self, process: u32, signal: u8) {
        match signal {
            SIGCHLD | SIGCONT | SIGURG | SIGWINCH => {}
            SIGSTOP..=22 => self.processes[process].signals.stopped = true,
            _ => self.end_process(process, Exit::Signal(signal)),
        }
    }

    /// The next signal whose handler the process has to run.
    pub fn take_caught(&mut self, pid: Pid) -> Option<u8> {
        let process = self.process_of(pid).ok()?;
        let caught = &mut self.processes[process].signals.caught;
        let signal = u8::try_from(caught.trailing_zeros()).expect("a signal has a small number");
        if *caught == 0 {
            return None;
        }
        *caught &= !(1 << signal);
        Some(signal)
    }

    /// Is there something pending that a frozen or stopped process has not seen?
    #[must_use]
    pub fn has_pending(&self, pid: Pid, signal: u8) -> bool {
        assert!(signal < 64, "a signal has a small number");
        self.process_of(pid).is_ok_and(|process| self.processes[process].signals.pending >> signal & 1 == 1)
    }
}
