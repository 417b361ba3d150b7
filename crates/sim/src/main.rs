//! The simulator's command line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cgarbiter_sim::vectors::{self, Tally};
use clap::{Parser, Subcommand};

/// Everything outside the arbiter's core, imagined.
#[derive(Parser)]
#[command(name = "cgarbiter-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replay recordings of real kernels or of systemd, and count where the imagined ones answer the same
    Vectors {
        /// Files of JSON lines, plain or compressed with gzip
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// 0 when all is well, 1 when something differs, 2 when something could not be read.
fn main() -> ExitCode {
    let Command::Vectors { files } = Arguments::parse().command;
    match replay_all(&files) {
        Ok(code) => code,
        Err(error) => {
            writeln!(io::stderr(), "cgarbiter-sim: {error}").ok();
            ExitCode::from(2)
        }
    }
}

fn replay_all(files: &[PathBuf]) -> io::Result<ExitCode> {
    let mut all = Tally::default();
    let mut unread = false;
    let mut out = io::stdout().lock();
    for file in files {
        match vectors::replay_file(file) {
            Ok(tally) => {
                print_tally(&mut out, file, &tally)?;
                all.add(&tally);
            }
            Err(error) => {
                unread = true;
                writeln!(io::stderr(), "{error}")?;
            }
        }
    }
    if files.len() > 1 {
        writeln!(out, "in all: {all}")?;
    }
    Ok(match (unread, all.differ > 0) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

fn print_tally(out: &mut impl Write, file: &Path, tally: &Tally) -> io::Result<()> {
    writeln!(out, "{}: {tally}", file.display())?;
    for difference in &tally.differences {
        writeln!(out, "  {difference}")?;
    }
    Ok(())
}
