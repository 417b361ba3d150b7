//! Everything the client prints: human text or one JSON value on standard output, notes on standard error.

use std::fmt::{self, Display};
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
        self.write(format_args!("{}\n", Clean(&text)));
    }

    /// Text for people that brings its own line ends.
    pub(crate) fn text(&mut self, text: impl Display) {
        debug_assert!(!self.json, "text among JSON: {text}");
        self.write(format_args!("{}", Clean(&text)));
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

    fn write(&mut self, text: fmt::Arguments<'_>) {
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

/// Text as it may reach a terminal: descriptions, command lines and messages come from anybody, and a terminal obeys
/// control characters.
struct Clean<T>(T);

impl<T: Display> Display for Clean<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Escaping(f);
        fmt::write(&mut line, format_args!("{}", self.0))
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
        for part in text.split_inclusive(|c| !harmless(c)) {
            match part.chars().next_back().filter(|c| !harmless(*c)) {
                Some(control) => {
                    self.0.write_str(&part[..part.len() - control.len_utf8()])?;
                    write!(self.0, "\\x{:02x}", u32::from(control))?;
                }
                None => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// A remark beside the answer. If even standard error is gone there is nobody to tell.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", Clean(&text));
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
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(Clean("a\u{1b}[2Jb\r\u{9b}c\u{7f}").to_string(), "a\\x1b[2Jb\\x0d\\x9bc\\x7f");
        assert_eq!(Clean("größer\tals\n€").to_string(), "größer\tals\n€");
    }

    #[test]
    fn a_full_disk_is_one() {
        let mut out = Output::new(Box::new(Failing(io::ErrorKind::StorageFull)), false);
        out.line("a");
        assert!(matches!(out.finish(), Err(Error::Io { .. })));
    }
}
