//! The kernel's error numbers as the core names them.

use cgarbiter_core::{Errno, OpError};

/// The core's word for an error number.
pub(crate) fn word(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw(errno as i32)
}

/// An error with the path an operator can look at.
pub(crate) fn at(path: String) -> impl FnOnce(nix::errno::Errno) -> OpError {
    move |errno| OpError::new(path, word(errno))
}
