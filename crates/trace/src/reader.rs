//! A trace being read back, one input at a time, with the effects that were recorded after it.

use crate::cursor::{Cursor, ParseError};
use crate::text::Parse;
use crate::{FORMAT, VERSION};
use cgarbiter_core::time::Now;
use cgarbiter_core::{Config, Event, Found};
use std::borrow::Cow;
use std::iter::Peekable;

/// A file that is no trace, or a damaged one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Its first line is another.
    #[error("this is not a trace: the first line is not \"{FORMAT} {VERSION}\"")]
    NotATrace,
    /// A version that is not known here.
    #[error("this is a trace of version {0}; this program reads version {VERSION}")]
    Version(String),
    /// The place and what is wrong with it.
    #[error("line {line}, {error}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        error: ParseError,
    },
    /// An input where it cannot be: before the start, or a second start.
    #[error("line {line}: {what}")]
    Order {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Bytes that are no text.
    #[error("line {0}: this is not text (UTF-8)")]
    NotText(usize),
}

/// Something that went in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The begin.
    Start {
        /// What the manager is told.
        config: Box<Config>,
        /// What an earlier one has left.
        found: Found,
    },
    /// Something happened.
    Event(Event),
    /// Time passed.
    Timeout,
    /// Nothing more was recorded, for this reason.
    End(String),
}

/// A line that came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output<'a> {
    /// Where it stands, counted from 1.
    pub line: usize,
    /// The line, with its indent.
    pub text: &'a str,
}

/// One input and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// The line of the input, counted from 1.
    pub line: usize,
    /// When.
    pub now: Now,
    /// What.
    pub input: Input,
    /// What came out then, line by line.
    pub outputs: Vec<Output<'a>>,
}

/// Whether a file begins as a trace does, of whatever version.
#[must_use]
pub fn is_trace(bytes: &[u8]) -> bool {
    bytes.strip_prefix(FORMAT.as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
}

/// The records of a trace, in order.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    lines: Peekable<Lines<'a>>,
    cut: Option<usize>,
}

impl<'a> Records<'a> {
    /// Reads a whole file. A last line that was not ended counts as not written.
    ///
    /// # Errors
    /// It is no trace, or one of another version.
    pub fn new(bytes: &'a [u8]) -> Result<Self, TraceError> {
        if !is_trace(bytes) {
            return Err(TraceError::NotATrace);
        }
        let ended = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let count = bytes[..ended].iter().filter(|byte| **byte == b'\n').count();
        let mut lines = Lines { rest: &bytes[..ended], line: 0 };
        let first = lines.next().transpose()?.map_or("", |line| line.text);
        match first[FORMAT.len().min(first.len())..].trim() {
            version if version == VERSION.to_string() => {}
            version => return Err(TraceError::Version(version.into())),
        }
        let cut = (ended < bytes.len()).then_some(count + 1);
        Ok(Self { lines: lines.peekable(), cut })
    }

    /// The line in whose middle the trace ends, if it does.
    #[must_use]
    pub fn cut(&self) -> Option<usize> {
        self.cut
    }

    /// The next lines that satisfy this.
    fn following(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Output<'a>>, TraceError> {
        let mut found = Vec::new();
        while let Some(next) = self.lines.next_if(|line| line.as_ref().map_or(true, |line| wanted(line.text))) {
            found.push(next?);
        }
        Ok(found)
    }

    fn record(&mut self, first: Output<'a>) -> Result<Record<'a>, TraceError> {
        let mut text = Cow::Borrowed(first.text);
        for more in self.following(|line| line.starts_with("        "))? {
            // One blank: where the line goes on, a column means nothing in the file.
            text.to_mut().push(' ');
            text.to_mut().push_str(more.text.trim_start());
        }
        let in_line = |error| TraceError::Line { line: first.line, error };
        let (now, input) = input(&text).map_err(in_line)?;
        let outputs = self.following(|line| line.starts_with("  "))?;
        Ok(Record { line: first.line, now, input, outputs })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.lines.next()?;
        Some(first.and_then(|first| self.record(first)))
    }
}

fn input(line: &str) -> Result<(Now, Input), ParseError> {
    let mut cursor = Cursor::new(line);
    let now = Now::parse(&mut cursor)?;
    let mut ahead = cursor.clone();
    let input = match ahead.word("an event")? {
        "start" => Input::Start { config: Parse::parse(&mut ahead)?, found: found(&mut ahead)? },
        "timeout" => Input::Timeout,
        "end" => Input::End(Parse::parse(&mut ahead)?),
        _ => {
            ahead = cursor;
            Input::Event(Parse::parse(&mut ahead)?)
        }
    };
    ahead.end()?;
    Ok((now, input))
}

/// What was found is left out when that was nothing.
fn found(cursor: &mut Cursor<'_>) -> Result<Found, ParseError> {
    if cursor.rest().is_empty() { Ok(Found::default()) } else { Parse::parse(cursor) }
}

/// Lines that mean something, with their numbers.
#[derive(Clone, Debug)]
struct Lines<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Output<'a>, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n')?;
            let (bytes, rest) = self.rest.split_at(end);
            self.rest = &rest[1..];
            self.line += 1;
            let line = self.line;
            match std::str::from_utf8(bytes) {
                Ok(text) if text.trim().is_empty() || text.starts_with('#') => {}
                Ok(text) => return Some(Ok(Output { line, text })),
                Err(_) => return Some(Err(TraceError::NotText(line))),
            }
        }
    }
}
