//! Processes that do nothing, to be put into scopes. They die with the load client.

use std::io;

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::{ForkResult, Pid, fork};

/// Makes `count` sleepers. To be called while there is only one thread and no connection.
pub(super) fn sleepers(count: usize) -> io::Result<Vec<Pid>> {
    // SAFETY: the disposition is a constant; children that end are reaped by the kernel.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
    (0..count).map(|_| sleeper()).collect()
}

fn sleeper() -> io::Result<Pid> {
    // SAFETY: there is one thread, and the child makes two system calls and nothing else.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            // SAFETY: prctl and pause take and return numbers only.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                loop {
                    libc::pause();
                }
            }
        }
    }
}

/// A process that is gone already is fine.
pub(super) fn end(pid: Pid) {
    let _ = kill(pid, Signal::SIGKILL);
}
