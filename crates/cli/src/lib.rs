//! The two programs, and the only place where the parts meet.

pub mod args;
pub mod bench;
pub mod control;
pub mod daemon;

use std::process::ExitCode;

/// Serves as a spawner when the program has been started as one: the daemon starts itself so, once more. To be asked
/// before anything else.
#[must_use]
pub fn as_spawner() -> Option<ExitCode> {
    let is_spawner = std::env::args_os().nth(1).is_some_and(|word| word == cgarbiter_fs_backend::SPAWNER_ARGUMENT);
    is_spawner.then(cgarbiter_fs_backend::serve_as_spawner)
}
