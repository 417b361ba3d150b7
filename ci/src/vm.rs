//! `cargo ci vm`: the tests in ci/guest/tests, run in a guest against the daemon (or, to test the tests, systemd).

use crate::{
    Outcome, conformance, files,
    guest::{Guest, say},
    image, step,
};
use clap::{Args, ValueEnum};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Only the tests whose name contains this.
    #[arg(long, value_name = "PATTERN", default_value = "")]
    only: String,
    /// Who serves org.freedesktop.systemd1 in the guest.
    #[arg(long, value_enum, default_value_t = Manager::Cgarbiter)]
    manager: Manager,
    /// A root shell on this terminal instead of the tests; leave with `poweroff -ff`.
    #[arg(long)]
    shell: bool,
    /// Use this binary instead of building one.
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Use this binary as the simulator instead of building one.
    #[arg(long, value_name = "FILE")]
    simulator: Option<PathBuf>,
    /// Use this binary as the tests of the backend (test 06) instead of building one; its spawner lies beside it.
    #[arg(long, value_name = "FILE")]
    live: Option<PathBuf>,
    /// How often the kill storm (test 73) kills the daemon.
    #[arg(long, value_name = "N", default_value_t = 60)]
    kills: u32,
    /// Seconds after which a guest that is not done is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 2400)]
    limit: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Manager {
    /// cgarbiterd, with a shell script as pid 1.
    Cgarbiter,
    /// systemd as pid 1.
    Systemd,
}

/// The test that needs the tests of the real backend.
const LIVE_TEST: &str = "06-live";

/// What the guest said so far.
#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
    ended: bool,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let image = image::ensure()?;
    let guest = Guest {
        directory: files::target().join("vm"),
        init: match options.manager {
            Manager::Cgarbiter => "/payload/guest/init",
            Manager::Systemd => "/lib/systemd/systemd",
        },
        threads: "multi",
    };
    fill_payload(options, &guest)?;
    if options.shell {
        return guest.run_interactive(&image);
    }
    let mut tally = Tally::default();
    let outcome = guest.run(&image, Duration::from_secs(options.limit), |line| tally.hear(line));
    let results = guest.directory.join("results");
    let unpacked = guest.unpack_results(&results);
    say(&format!("{} passed, {} failed", tally.passed, tally.failed));
    let hint = format!("logs are in {}, the console in {}", results.display(), guest.console_log().display());
    outcome.and(unpacked).and(tally.verdict()).map_err(|why| format!("{why}; {hint}"))
}

impl Tally {
    /// Lines of the guest: `ok NAME …`, `FAIL NAME: …`, `end`, and remarks, all shown as they come.
    fn hear(&mut self, line: &str) {
        match line.split(' ').next() {
            Some("ok") => self.passed += 1,
            Some("FAIL") => self.failed += 1,
            Some("end") => {
                self.ended = true;
                return;
            }
            _ => {}
        }
        say(line);
    }

    fn verdict(&self) -> Outcome {
        match self {
            Tally { ended: false, .. } => Err("the guest did not get to the end of its tests".into()),
            Tally { failed: 1.., .. } => Err(format!("{} guest tests failed", self.failed)),
            Tally { passed: 0, .. } => Err("the guest ran no test".into()),
            Tally { .. } => Ok(()),
        }
    }
}

fn fill_payload(options: &Options, guest: &Guest) -> Outcome {
    let top = files::workspace();
    let payload = guest.payload();
    files::fresh_directory(&payload)?;
    files::copy_tree(&top.join("ci/guest"), &payload.join("guest"))?;
    files::copy_tree(&top.join("dist"), &payload.join("dist"))?;
    files::copy_tree(&top.join("vectors/systemd"), &payload.join("vectors"))?;
    let manager = if options.manager == Manager::Systemd { "systemd" } else { "cgarbiter" };
    let shell = if options.shell { "yes" } else { "no" };
    files::write(
        &payload.join("settings"),
        &format!(
            "MANAGER={manager}\nSHELL_WANTED={shell}\nONLY='{}'\nexport STORM_KILLS={}\n",
            options.only.replace('\'', ""),
            options.kills
        ),
    )?;
    if options.manager == Manager::Systemd {
        return Ok(());
    }
    let bin = payload.join("bin");
    files::directory(&bin)?;
    conformance::provide_program(options.simulator.as_deref(), &bin)?;
    if LIVE_TEST.contains(&options.only) {
        provide_live_tests(options.live.as_deref(), &bin)?;
    }
    provide_daemon(options.daemon.as_deref(), &bin)?;
    // It is built with the daemon, and lies beside it.
    let release = files::target().join("release/cgarbiterd");
    let client = options.daemon.as_deref().unwrap_or(&release).with_file_name("cgarbiter");
    files::copy(&client, &bin.join("cgarbiter"))
}

/// Puts a daemon into the directory: the one that is there already, or a new one. A release build, because under
/// emulation an unoptimised daemon would be what the tests wait for.
pub(crate) fn provide_daemon(ready: Option<&Path>, directory: &Path) -> Outcome {
    let target = directory.join("cgarbiterd");
    if let Some(ready) = ready {
        return files::copy(ready, &target);
    }
    step::run("build", Command::new("cargo").args(["build", "-q", "--release", "-p", "cgarbiter"]))?;
    files::copy(&files::target().join("release/cgarbiterd"), &target)
}

/// Puts the tests of the real backend into the directory, and the spawner that they need.
fn provide_live_tests(ready: Option<&Path>, directory: &Path) -> Outcome {
    let spawner = directory.join("cgarbiter-spawner");
    if let Some(ready) = ready {
        files::copy(&ready.with_file_name("cgarbiter-spawner"), &spawner)?;
        return files::copy(ready, &directory.join("live"));
    }
    let mut build = Command::new("cargo");
    build.args(["test", "-q", "--release", "-p", "cgarbiter-fs-backend", "--test", "live", "--no-run"]);
    let log = step::run("build live tests", build.arg("--message-format=json-render-diagnostics"))?;
    let messages = files::read(&log)?;
    let built =
        |name| step::executable(&messages, name).ok_or_else(|| format!("{} names no program {name}", log.display()));
    files::copy(&built("live")?, &directory.join("live"))?;
    files::copy(&built("cgarbiter-spawner")?, &spawner)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn verdict_after(lines: &[&str]) -> Result<(), String> {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.hear(line));
        tally.verdict()
    }

    #[test]
    fn only_a_guest_that_ran_tests_to_the_end_passes() {
        assert!(verdict_after(&["ok 10-a 1s", "# remark", "end"]).is_ok());
        assert!(verdict_after(&["ok 10-a 1s"]).is_err(), "it stopped in the middle");
        assert!(verdict_after(&["end"]).is_err(), "nothing ran");
        assert!(verdict_after(&["ok 10-a 1s", "FAIL 11-b: why", "ok 12-c 1s", "end"]).is_err());
    }
}
