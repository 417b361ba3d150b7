//! The daemon.

use std::process::ExitCode;

/// Keeps the cost of a request flat when many units lie between the freed pieces of others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cgarbiter::as_spawner().unwrap_or_else(cgarbiter::daemon::main)
}
