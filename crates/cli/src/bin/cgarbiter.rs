//! The client.

use std::process::ExitCode;

fn main() -> ExitCode {
    cgarbiter::as_spawner().unwrap_or_else(cgarbiter::control::main)
}
