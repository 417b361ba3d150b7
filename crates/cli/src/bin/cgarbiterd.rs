//! The daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    cgarbiter::daemon::main()
}
