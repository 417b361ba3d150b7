//! Recordings of what real software answered, and their replay against what is imagined here.
//!
//! A file is JSON lines, plain or compressed with gzip. Its first line tells what was recorded: `"op":"machine"` a
//! kernel, `{"header":…}` systemd.

pub mod kernel;
pub mod systemd;

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a file records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Cgroup operations on a real kernel.
    Kernel,
    /// Requests to a real systemd.
    Systemd,
}

/// The outcome of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps with the recorded answer.
    pub agree: usize,
    /// Steps with another answer.
    pub differ: usize,
    /// Steps that the player does not know.
    pub skipped: usize,
    /// The first difference of each scenario that has one.
    pub differences: Vec<Difference>,
}

/// One step whose answer is not the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of the scenario.
    pub scenario: String,
    /// Number of the step in its scenario, from 1.
    pub step: usize,
    /// The step as recorded.
    pub operation: String,
    /// What the real one answered.
    pub expected: String,
    /// What the imagined one answered.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, step, operation, expected, got } = self;
        write!(f, "{scenario} step {step}: {operation}\n    expected {expected}\n    got      {got}")
    }
}

/// Counts, as one prints them.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} agree, {} differ", self.agree, self.differ)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

impl Tally {
    /// Adds the counts of another; differences stay with their file.
    pub fn add(&mut self, other: &Self) {
        self.agree += other.agree;
        self.differ += other.differ;
        self.skipped += other.skipped;
    }
}

/// Why a file could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}, line {line}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// A line that is not what it should be.
#[derive(Debug)]
pub struct BadLine {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What came of a file.
#[derive(Clone, Debug)]
pub enum Played {
    /// It records a kernel: what agrees.
    Kernel(Tally),
    /// It records systemd: read, and ready to be replayed.
    Systemd(systemd::File),
}

/// Reads a file of either kind. One of a kernel is replayed at once.
///
/// # Errors
/// When it cannot be read or understood.
pub fn play_file(path: &Path) -> Result<Played, Error> {
    let text = read_text(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let played = match kind(&text) {
        Some(Kind::Kernel) => kernel::replay(&text).map(Played::Kernel),
        Some(Kind::Systemd) => systemd::File::parse(&text).map(Played::Systemd),
        None => Err(BadLine { line: 1, reason: "neither a machine nor a header".to_owned() }),
    };
    played.map_err(|BadLine { line, reason }| Error::Malformed { path: path.to_owned(), line, reason })
}

/// What a recording is about, by its first line.
#[must_use]
pub fn kind(text: &str) -> Option<Kind> {
    let first: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
    if first.get("op").is_some_and(|op| op == "machine") {
        return Some(Kind::Kernel);
    }
    first.get("header").map(|_| Kind::Systemd)
}

/// The text of a file, unpacked if it is compressed.
///
/// # Errors
/// What the system or the unpacker says.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_kind() {
        assert_eq!(kind(r#"{"op":"machine","kernel":"6.12.1"}"#), Some(Kind::Kernel));
        assert_eq!(kind("{\"header\":{}}\n{}"), Some(Kind::Systemd));
        assert_eq!(kind(r#"{"op":"seq"}"#), None);
        assert_eq!(kind(""), None);
    }
}
