//! The project's chores: `cargo ci check | tidy | mutant-cores | mutation | vm | power-cut | conformance | image |
//! bench`. What each does is in ci/README.md.
//!
//! This file reads the arguments and hands over; a chore has a file of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the terminal it was started from")]

mod bench;
mod check;
mod conformance;
mod files;
mod guest;
mod image;
mod mutant_cores;
mod mutation;
mod power_cut;
mod step;
mod tidy;
mod vm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A chore ends well or with one sentence that says what was wrong.
type Outcome<T = ()> = Result<T, String>;

#[derive(Parser)]
#[command(name = "cargo ci", about = "The project's chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Tests, formatting, lints, licences, the simulator's quick checks.
    Check(check::Options),
    /// House rules, checked on every file of the tree.
    Tidy,
    /// Put historical bugs back into a copy of the code, and demand that the tests about them fail.
    MutantCores,
    /// Change the core's rules at random places, and count which changes no test notices. Hours of work.
    Mutation(mutation::Options),
    /// Boot a guest without systemd as pid 1 and test the daemon with unmodified clients.
    Vm(vm::Options),
    /// Boot a guest and compare its kernel with the imagined one, operation by operation.
    Conformance(conformance::Options),
    /// Switch a guest off while it writes settings, and look at what is left of them.
    PowerCut(power_cut::Options),
    /// Make the guest's kernel and root image, unless the cached ones fit.
    Image,
    /// The same load on systemd and on the daemon, natively, and the ratios.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Check(options) => check::run(&options),
        Chore::Tidy => tidy::run(),
        Chore::MutantCores => mutant_cores::run(),
        Chore::Mutation(options) => mutation::run(&options),
        Chore::Vm(options) => vm::run(&options),
        Chore::Conformance(options) => conformance::run(&options),
        Chore::PowerCut(options) => power_cut::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Image => image::ensure().map(|image| println!("{}", image.directory.display())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cargo ci: {why}");
            ExitCode::FAILURE
        }
    }
}
