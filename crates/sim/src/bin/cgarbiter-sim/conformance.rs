//! `cgarbiter-sim conformance`: the imagined kernel beside the one that this program runs on.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use cgarbiter_sim::conformance::{Arm, Imagined, Progress, recording, run};
use cgarbiter_sim::vectors::kernel::config_of;
use clap::Args;

use crate::real::Real;

#[derive(Args)]
pub(crate) struct Options {
    /// All choices follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many steps
    #[arg(long, value_name = "N", required_unless_present = "minutes")]
    steps: Option<u64>,
    /// Stop after so much time
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Stop after so many differences
    #[arg(long, value_name = "N", default_value_t = 1)]
    differences: usize,
    /// Mount point of the cgroup2 hierarchy; nobody else may use it
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/cgroup")]
    against: PathBuf,
    /// Tell every step before it is done
    #[arg(long)]
    trace: bool,
    /// Where scenarios that differ are written, shrunk, as recordings
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// Success if nothing differs.
pub(crate) fn compare(options: &Options) -> io::Result<ExitCode> {
    let mut real = Real::new(&options.against, options.trace).map_err(io::Error::other)?;
    let machine = real.machine();
    let mut imagined = Imagined::new(config_of(&machine).map_err(io::Error::other)?);
    let mut out = io::stdout().lock();
    writeln!(out, "kernel {}, seed {}", machine["kernel"], options.seed)?;
    let start = Instant::now();
    let (mut told, mut written) = (0, 0);
    let mut go_on = |progress: &Progress| {
        for found in &progress.found[written..] {
            written += 1;
            let file = options.out.join(format!("conformance-{}-{written}.jsonl", options.seed));
            let text = recording(&machine, "conformance", found);
            writeln!(out, "{}: {found}\n{text}", file.display()).ok();
            if let Err(error) = fs::write(&file, text) {
                writeln!(out, "{}: {error}", file.display()).ok();
            }
        }
        let seconds = start.elapsed().as_secs();
        if seconds >= told + 10 {
            told = seconds;
            writeln!(out, "{seconds} s: {progress}").ok();
        }
        let steps = options.steps.is_none_or(|steps| progress.agree + progress.differ < steps);
        let time = options.minutes.is_none_or(|minutes| start.elapsed().as_secs_f64() < minutes * 60.0);
        steps && time && progress.found.len() < options.differences
    };
    let progress = run(options.seed, &mut imagined, &mut real, &mut go_on).map_err(io::Error::other)?;
    writeln!(out, "{progress}")?;
    Ok(if progress.differ == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
