//! `cargo ci power-cut`: the guest's machine loses its power, again and again, while settings are being written.
//!
//! Each boot (guest/power-cut) looks at what the last one has left on a disk of its own, tells it, writes on, and is
//! switched off between two moments without a sync. Here is remembered what had been promised before.

use crate::{
    Outcome, files,
    guest::{Guest, say},
    image, step, vm,
};
use clap::Args;
use std::{path::PathBuf, process::Command, time::Duration};

/// Room for the file system whose power goes.
const STORE_BYTES: u64 = 64 << 20;
/// A boot and some seconds of writing.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct Options {
    /// How often the power goes.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    cuts: u32,
    /// Use this binary instead of building one.
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
}

/// What one boot has told.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    /// `found N`: settings read back whole from the last boot.
    found: Option<u64>,
    /// `wrote N`: the last one that was answered.
    wrote: u64,
    /// `FAIL: why`.
    failed: Option<String>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let image = image::ensure()?;
    let guest =
        Guest { directory: files::target().join("power-cut"), init: "/payload/guest/power-cut", threads: "multi" };
    files::directory(&guest.directory)?;
    let store = guest.directory.join("store.img");
    files::empty_disk(&store, STORE_BYTES)?;
    step::quiet(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&store))?;
    let mut promised = 0;
    // The last boot only looks.
    for cut in 0..=options.cuts {
        fill_payload(options, &guest, cut, promised)?;
        let mut heard = Heard::default();
        guest.run_with(&image, &[&store], LIMIT, |line| heard.take(line))?;
        promised = heard.verdict(promised)?;
        say(&format!("ok cut {cut}: {} found, {promised} promised", heard.found.unwrap_or(0)));
    }
    Ok(())
}

fn fill_payload(options: &Options, guest: &Guest, cut: u32, promised: u64) -> Outcome {
    let payload = guest.payload();
    files::fresh_directory(&payload)?;
    files::copy_tree(&files::workspace().join("ci/guest"), &payload.join("guest"))?;
    let last = cut == options.cuts;
    files::write(
        &payload.join("settings"),
        &format!("MANAGER=cgarbiter\nCUT={cut}\nLAST={last}\nPROMISED={promised}\n"),
    )?;
    files::directory(&payload.join("bin"))?;
    vm::provide_daemon(options.daemon.as_deref(), &payload.join("bin"))
}

impl Heard {
    fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.parse()) {
            ("found", Ok(number)) => self.found = Some(number),
            ("wrote", Ok(number)) => self.wrote = number,
            ("FAIL:", _) => self.failed = Some(rest.to_owned()),
            _ => say(line),
        }
    }

    /// What is promised from now on: nothing that was answered may be older after the cut.
    fn verdict(&self, promised: u64) -> Outcome<u64> {
        match self {
            Heard { failed: Some(why), .. } => Err(why.clone()),
            Heard { found: None, .. } => Err("the guest did not tell what it has found".into()),
            Heard { found: Some(found), .. } if *found < promised => {
                Err(format!("setting {promised} was answered before the cut, {found} is there after it"))
            }
            Heard { found: Some(found), wrote, .. } => Ok((*wrote).max(*found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Heard;

    fn verdict(lines: &[&str], promised: u64) -> Result<u64, String> {
        let mut heard = Heard::default();
        lines.iter().for_each(|line| heard.take(line));
        heard.verdict(promised)
    }

    #[test]
    fn what_was_answered_must_be_there() {
        assert_eq!(verdict(&["found 7", "wrote 8", "wrote 9"], 7), Ok(9));
        assert_eq!(verdict(&["found 9"], 7), Ok(9), "answered after the last line came through");
        assert!(verdict(&["found 6", "wrote 9"], 7).is_err(), "lost");
        assert!(verdict(&["wrote 9"], 0).is_err(), "nothing was looked at");
        assert!(verdict(&["found 7", "FAIL: torn"], 7).is_err());
    }
}
