//! The command lines of the programs, one file each; nothing here acts.

pub mod bench;
pub mod client;
pub mod daemon;

use clap::CommandFactory;

/// The command line of every program, for man pages and shell completions.
pub fn all() -> Vec<clap::Command> {
    vec![client::Args::command(), daemon::Args::command()]
}
