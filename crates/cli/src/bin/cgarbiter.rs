//! The client.

use std::process::ExitCode;

fn main() -> ExitCode {
    cgarbiter::control::main()
}
