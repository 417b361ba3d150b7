//! The load client.

use std::process::ExitCode;

fn main() -> ExitCode {
    cgarbiter::bench::main()
}
