//! `cargo ci conformance`: the guest's kernel beside the imagined one, for as long as it is told. Nothing else runs in
//! the guest.

use crate::{
    Outcome, files,
    guest::{Guest, say},
    image::{self, Image},
    step,
};
use clap::Args;
use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

#[derive(Args)]
pub(crate) struct Options {
    /// All choices follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many steps.
    #[arg(long, default_value_t = 100_000)]
    steps: u64,
    /// Go on until so many differences were found.
    #[arg(long, value_name = "N", default_value_t = 1)]
    differences: usize,
    /// Show every step before it is done.
    #[arg(long)]
    trace: bool,
    /// The kernel of this Debian package (`linux-image-*-amd64`) instead of the image's; a kernel that comes in
    /// several (`linux-binary-*`, `linux-modules-*`) is named with one such option each.
    #[arg(long, value_name = "FILE.deb")]
    kernel: Vec<PathBuf>,
    /// Use this binary instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Seconds after which a guest that is not done is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    limit: u64,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut image = image::ensure()?;
    let directory = files::target().join("conformance");
    let guest = Guest {
        directory,
        init: "/payload/guest/init",
        // Newer kernels now and then fail under emulation with several threads when they patch their own code.
        threads: if options.kernel.is_empty() { "multi" } else { "single" },
    };
    if !options.kernel.is_empty() {
        image = other_kernel(&options.kernel, &image, &guest.directory.join("kernel"))?;
    }
    fill_payload(options, &guest)?;
    let mut ended = None;
    let outcome = guest.run(&image, Duration::from_secs(options.limit), |line| match line.strip_prefix("end ") {
        Some(status) => ended = status.parse().ok(),
        None => say(line),
    });
    let results = guest.directory.join("results");
    let unpacked = guest.unpack_results(&results);
    outcome.and(unpacked)?;
    verdict(ended).map_err(|why| {
        format!("{why}; recordings are in {}, the console in {}", results.display(), guest.console_log().display())
    })
}

/// The exit status of the comparison, if the guest told it.
fn verdict(status: Option<i32>) -> Outcome {
    match status {
        Some(0) => Ok(()),
        Some(1) => Err("the kernels differ".into()),
        Some(other) => Err(format!("the comparison failed with status {other}")),
        None => Err("the guest did not get to the end of the comparison".into()),
    }
}

fn fill_payload(options: &Options, guest: &Guest) -> Outcome {
    let payload = guest.payload();
    files::fresh_directory(&payload)?;
    files::copy_tree(&files::workspace().join("ci/guest"), &payload.join("guest"))?;
    let Options { seed, steps, differences, .. } = options;
    let trace = if options.trace { " --trace" } else { "" };
    let settings = format!("CONFORMANCE='--seed {seed} --steps {steps} --differences {differences}{trace}'\n");
    files::write(&payload.join("settings"), &settings)?;
    files::directory(&payload.join("bin"))?;
    provide_program(options.program.as_deref(), &payload.join("bin"))
}

/// Puts the simulator into the directory: the one that is there already, or a new one.
pub(crate) fn provide_program(ready: Option<&Path>, directory: &Path) -> Outcome {
    let target = directory.join("cgarbiter-sim");
    if let Some(ready) = ready {
        return files::copy(ready, &target);
    }
    step::run("build", Command::new("cargo").args(["build", "-q", "--release", "-p", "cgarbiter-sim"]))?;
    files::copy(&files::target().join("release/cgarbiter-sim"), &target)
}

/// The same root under the kernel of other packages.
fn other_kernel(packages: &[PathBuf], image: &Image, directory: &Path) -> Outcome<Image> {
    files::fresh_directory(directory)?;
    step::quiet(
        Command::new(files::workspace().join("ci/image/recipe.sh")).arg("--kernel").arg(directory).args(packages),
    )?;
    let root = directory.join("root.img");
    symlink(image.root(), &root).map_err(|e| format!("link {}: {e}", root.display()))?;
    Ok(Image { directory: directory.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn only_a_comparison_that_ended_without_a_difference_is_good() {
        assert!(verdict(Some(0)).is_ok());
        assert_eq!(verdict(Some(1)), Err("the kernels differ".into()));
        assert!(verdict(Some(101)).is_err(), "it crashed");
        assert!(verdict(None).is_err(), "nothing was heard");
    }
}
