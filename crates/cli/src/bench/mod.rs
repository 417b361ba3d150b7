//! The load client: as little work per request as possible, so that the server is what is measured.
//!
//! One thread, one non-blocking socket, messages encoded by hand.

mod link;
mod load;
mod process;
mod report;
mod spawn;
mod wire;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::args::bench::{Args, Operation};

/// Runs the load client to its exit status.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.operation == Operation::Spawn { spawn::run(&args) } else { load::run(&args) };
    match outcome {
        Ok(report) => {
            let printed =
                report.json().map_err(io::Error::other).and_then(|text| writeln!(io::stdout().lock(), "{text}"));
            std::thread::sleep(Duration::from_secs(args.hold));
            if report.errors == 0 && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            complain(format_args!("cgarbiter-bench: {}: {error}", args.address));
            ExitCode::FAILURE
        }
    }
}

/// If even standard error is gone there is nobody to tell.
fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
