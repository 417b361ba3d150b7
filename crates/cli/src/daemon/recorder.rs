//! The trace that the daemon keeps when it is told to (`--record`): a file that grows until it has reached its limit.
//! What cannot be written is said once, and serving goes on without a trace.

use cgarbiter_core::{Config, Effect, Event, Found, Now};
use cgarbiter_trace::Writer;
use nix::sys::utsname::uname;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much comes together before it is written in the middle of a turn.
const BUFFER_BYTES: usize = 64 << 10;

/// What is to be recorded, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// How long it may become, in bytes.
    pub limit: u64,
}

/// A trace that is being written.
pub(super) struct Recorder {
    recording: Recording,
    file: File,
    writer: Writer,
    /// How much is in the file.
    written: u64,
}

impl Recorder {
    /// Begins a trace, or says why there is none.
    pub(super) fn begin(
        recording: &Recording,
        summary: &str,
        now: Now,
        config: &Config,
        found: &Found,
    ) -> Option<Self> {
        let path = recording.path.display();
        match create(&recording.path) {
            Ok(file) => {
                tracing::info!("recording everything that happens to {path}");
                let version = concat!("cgarbiterd ", env!("CARGO_PKG_VERSION"));
                let writer = Writer::begin(&[&format!("{version}: {summary}"), &kernel()], now, config, found);
                Some(Self { recording: recording.clone(), file, writer, written: 0 })
            }
            Err(error) => {
                tracing::error!("nothing is recorded: cannot make {path}: {error}");
                None
            }
        }
    }

    pub(super) fn event(&mut self, now: Now, event: &Event) {
        self.writer.event(now, event);
    }

    pub(super) fn timeout(&mut self, now: Now) {
        self.writer.timeout(now);
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        self.writer.effect(effect);
    }

    /// Whether the trace is as long as it may be.
    pub(super) fn is_full(&self) -> bool {
        self.written + self.writer.text().len() as u64 >= self.recording.limit
    }

    /// Whether so much has come together that it should be written now.
    pub(super) fn is_heavy(&self) -> bool {
        self.writer.text().len() >= BUFFER_BYTES
    }

    /// The last line: why nothing more comes.
    pub(super) fn end(mut self, now: Now, why: &str) {
        self.writer.end(now, why);
        tracing::info!("the trace {} ends: {why}", self.recording.path.display());
    }

    /// Writes what has come together; false, and a word in the log, when that cannot be done.
    pub(super) fn flush(&mut self) -> bool {
        let text = self.writer.text();
        let done = self.file.write_all(text.as_bytes());
        self.written += text.len() as u64;
        self.writer.clear();
        if let Err(error) = &done {
            tracing::error!("recording has ended: cannot write {}: {error}", self.recording.path.display());
        }
        done.is_ok()
    }
}

/// However the daemon ends, by a panic of the core above all: the last lines are what one wants to see.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A new file for nobody but us. What is there already is kept beside it, once.
fn create(path: &Path) -> Result<File> {
    match path.symlink_metadata() {
        Ok(found) if found.is_file() => {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            std::fs::rename(path, old)?;
        }
        Ok(_) => return Err(Error::new(ErrorKind::AlreadyExists, "what is there is not a plain file")),
        Err(_) => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn kernel() -> String {
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    uname().map(|name| format!("{} {}", text(name.sysname()), text(name.release()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    // Tests may panic: that is how they fail.
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn recording(path: &Path) -> Recording {
        Recording { path: path.to_owned(), limit: 1 << 20 }
    }

    fn begin(path: &Path) -> Option<Recorder> {
        Recorder::begin(&recording(path), "a test", Now::default(), &Config::example(), &Found::default())
    }

    #[test]
    fn only_the_owner_may_read_it_and_the_one_before_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t");
        begin(&path).unwrap().end(Now::default(), "first");
        begin(&path).unwrap().end(Now::default(), "second");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(text("t").ends_with("end \"second\"\n") && text("t.old").ends_with("end \"first\"\n"));
    }

    #[test]
    fn what_is_no_plain_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/nothing", &link).unwrap();
        assert!(begin(&link).is_none() && begin(directory.path()).is_none());
        assert!(begin(&directory.path().join("no/such/directory")).is_none());
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn a_full_disk_ends_it() {
        let mut recorder = begin(&tempfile::tempdir().unwrap().path().join("t")).unwrap();
        recorder.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(!recorder.flush());
    }
}
