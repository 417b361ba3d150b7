//! Descriptors that were kept for a service: it finds them at 3 and above, with their names in the environment
//! (`LISTEN_FDS`, `LISTEN_FDNAMES`), which say by `LISTEN_PID` whom they are for.

use super::{Child, Done, about, raw};
use cgarbiter_core::exec::merge_variables;
use cgarbiter_core::plan::Spawn;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

/// Where they begin: behind the standard streams.
pub(super) const FIRST: i32 = 3;

/// Moves what is still needed out of the way of that many.
pub(super) fn make_room<'a>(count: usize, descriptors: impl Iterator<Item = &'a mut OwnedFd>) -> nix::Result<()> {
    let above = FIRST + i32::try_from(count).map_err(|_| Errno::EMFILE)?;
    for descriptor in descriptors.filter(|descriptor| raw(descriptor) < above) {
        let moved = fcntl(descriptor.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(above))?;
        // SAFETY: fcntl has just made this descriptor for us; nobody else knows of it.
        *descriptor = unsafe { OwnedFd::from_raw_fd(moved) };
    }
    Ok(())
}

impl Child {
    /// Puts them where they are looked for. What was there is not needed any more.
    pub(super) fn place_stored(&mut self, spawn: &Spawn) -> Done {
        if spawn.stored.is_empty() {
            return Ok(());
        }
        let first = self.handles.len() - spawn.stored.len();
        for ((_, descriptor), number) in self.handles[first..].iter().zip(FIRST..) {
            // SAFETY: takes numbers; nothing that has an owner is below those that were moved away.
            Errno::result(unsafe { libc::dup2(raw(descriptor), number) }).map_err(about("descriptors"))?;
        }
        let names: Vec<&str> = spawn.stored.iter().map(|(_, name)| &**name).collect();
        let variables = [
            format!("LISTEN_PID={}", std::process::id()),
            format!("LISTEN_FDS={}", names.len()),
            format!("LISTEN_FDNAMES={}", names.join(":")),
        ];
        merge_variables(&mut self.environment, variables);
        Ok(())
    }
}
