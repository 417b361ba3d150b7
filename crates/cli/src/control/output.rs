//! Everything the client prints: human text or one JSON value on standard output, notes on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::error::{Error, Result};

/// Where a verb's answer goes. A reader that went away (EPIPE) ends the printing quietly.
pub(crate) struct Output {
    out: Box<dyn Write>,
    json: bool,
    open: bool,
    failure: Option<io::Error>,
}

impl Output {
    pub(crate) fn stdout(json: bool) -> Self {
        Self::new(Box::new(io::BufWriter::new(io::stdout())), json)
    }

    pub(crate) fn new(out: Box<dyn Write>, json: bool) -> Self {
        Self { out, json, open: true, failure: None }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One line for people.
    pub(crate) fn line(&mut self, text: impl Display) {
        debug_assert!(!self.json, "text among JSON: {text}");
        self.write(format_args!("{text}\n"));
    }

    /// Text for people that brings its own line ends.
    pub(crate) fn text(&mut self, text: impl Display) {
        debug_assert!(!self.json, "text among JSON: {text}");
        self.write(format_args!("{text}"));
    }

    /// The whole answer for programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Error::io("cannot print the answer as JSON", io::Error::other(e)))?;
        self.write(format_args!("{text}\n"));
        Ok(())
    }

    /// Ends the output; an error other than a reader that went away is an error of the verb.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.open
            && let Err(e) = self.out.flush()
        {
            self.note_failure(e);
        }
        match self.failure {
            Some(e) => Err(Error::io("cannot write to standard output", e)),
            None => Ok(()),
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        if self.open
            && let Err(e) = self.out.write_fmt(text)
        {
            self.note_failure(e);
        }
    }

    fn note_failure(&mut self, error: io::Error) {
        self.open = false;
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.failure = Some(error);
        }
    }
}

/// A remark beside the answer. If even standard error is gone there is nobody to tell.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Progress, only for somebody who is watching.
pub(crate) fn progress(text: impl Display) {
    if io::stderr().is_terminal() {
        note(text);
    }
}

/// The last words of a client that failed.
pub(crate) fn report(error: &Error, json: bool) {
    match serde_json::to_string(&error.as_json()) {
        Ok(text) if json => note(text),
        _ => note(format_args!("cgarbiter: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let mut out = Output::new(Box::new(Failing(io::ErrorKind::BrokenPipe)), false);
        out.line("a");
        out.line("b");
        assert!(out.finish().is_ok());
    }

    #[test]
    fn a_full_disk_is_one() {
        let mut out = Output::new(Box::new(Failing(io::ErrorKind::StorageFull)), false);
        out.line("a");
        assert!(matches!(out.finish(), Err(Error::Io { .. })));
    }
}
