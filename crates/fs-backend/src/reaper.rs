//! Children that nobody has started here: what services leave behind when they fork twice becomes the arbiter's child,
//! so that it can be told how a main process ended that put itself in the background. Who of them is nobody's main
//! process is reaped here, so that none stays behind as a zombie.

use crate::errno::at;
use crate::executor::Executor;
use crate::sys;
use cgarbiter_core::OpError;
use nix::errno::Errno;
use std::sync::atomic::Ordering;

/// So many are reaped in one go.
const REAPED_MAX: usize = 1024;

impl Executor {
    /// From now on, processes whose parents have ended become children of this one, if they descend from it.
    ///
    /// # Errors
    /// The kernel is too old.
    pub fn adopt_orphans() -> Result<(), OpError> {
        // SAFETY: takes numbers.
        let done = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
        Errno::result(done).map(drop).map_err(at("PR_SET_CHILD_SUBREAPER".to_owned()))
    }

    /// Reaps children that have ended and that nobody waits for. Answers whether that was all: one that somebody waits
    /// for may hide others. Not to be called while the caller has children of his own that he waits for.
    #[must_use]
    pub fn reap_strangers(&self) -> bool {
        for _ in 0..REAPED_MAX {
            let Some(pid) = sys::ended_child() else { return true };
            // Only now: whoever was born before it was seen is either on the way to be known, or known.
            if self.shared.births.load(Ordering::SeqCst) > 0 || self.shared.notices.waits_for(pid) {
                return false;
            }
            sys::reap(pid);
        }
        false
    }
}
