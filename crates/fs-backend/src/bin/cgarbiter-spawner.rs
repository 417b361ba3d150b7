//! The spawner by itself, for tests of this crate: programs that cannot be started once more as one.

use std::process::ExitCode;

fn main() -> ExitCode {
    cgarbiter_fs_backend::serve_as_spawner()
}
