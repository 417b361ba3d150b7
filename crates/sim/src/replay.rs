//! A recorded trace, handed to a manager once more: the same inputs at the same times must bring the same effects, to
//! the letter. Nothing is imagined here; what the kernel said stands in the trace.

use cgarbiter_core::{Event, Manager, Now, invariants};
use cgarbiter_trace::{Input, Output, Record, Records, TraceError, print};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How much of a trace is replayed, and how closely it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Stop before the input at this line, or the first one after it.
    pub until: Option<usize>,
    /// Check after each input what is always true; costs by the number of units.
    pub check: bool,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many inputs were handed in, the start included.
    pub inputs: usize,
    /// How many lines of effects were as recorded.
    pub outputs: usize,
    /// Where it ended.
    pub end: End,
}

/// Where a replay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// At the end of the trace, which says why it ends.
    Told(String),
    /// At the end of the trace, which says nothing of an end: whoever wrote it was killed, or goes on.
    Open,
    /// The same, in the middle of this line.
    Cut(usize),
    /// Where it was told to stop.
    Stopped,
    /// At the first difference.
    Differs(Difference),
    /// The core did not survive the input of this line, or something that is always true was not true after it.
    Panicked(usize),
}

/// The first line that is not as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line of the trace.
    pub line: usize,
    /// The line of the input before it.
    pub input: usize,
    /// What stands there; none when nothing more was recorded for this input.
    pub recorded: Option<String>,
    /// What came out now; none when nothing more did.
    pub replayed: Option<String>,
}

impl Verdict {
    /// Whether everything came out as recorded, as far as it was looked at.
    #[must_use]
    pub fn agrees(&self) -> bool {
        !matches!(self.end, End::Differs(_) | End::Panicked(_))
    }
}

/// Replays a trace. What goes in and what comes out is told to `watch`, line by line.
///
/// # Errors
/// It is no trace, or it is damaged.
pub fn replay(bytes: &[u8], options: &Options, watch: &mut dyn FnMut(&str)) -> Result<Verdict, TraceError> {
    let mut records = Records::new(bytes)?;
    let mut replay =
        Replay { manager: None, lines: VecDeque::new(), inputs: 0, outputs: 0, last: 0, options: *options, watch };
    let end = loop {
        let Some(record) = records.next().transpose()? else {
            break records.cut().map_or(End::Open, End::Cut);
        };
        if options.until.is_some_and(|line| record.line >= line) {
            break End::Stopped;
        }
        replay.check_order(&record)?;
        if let Some(end) = replay.record(record) {
            break end;
        }
    };
    Ok(Verdict { inputs: replay.inputs, outputs: replay.outputs, end })
}

struct Replay<'a> {
    manager: Option<Manager>,
    /// What has come out and was not looked for yet: the steps of a plan.
    lines: VecDeque<String>,
    inputs: usize,
    outputs: usize,
    /// The line of the last input.
    last: usize,
    options: Options,
    watch: &'a mut dyn FnMut(&str),
}

impl Replay<'_> {
    /// One start, and that first.
    fn check_order(&self, record: &Record<'_>) -> Result<(), TraceError> {
        let what = match (&record.input, &self.manager) {
            (Input::Start { .. }, Some(_)) => "a second start",
            (Input::Event(_) | Input::Timeout, None) => "an input before the start",
            _ => return Ok(()),
        };
        Err(TraceError::Order { line: record.line, what })
    }

    /// One input and what came of it; the end, if this is it.
    fn record(&mut self, record: Record<'_>) -> Option<End> {
        let is_answer = matches!(record.input, Input::Event(Event::ReadDone { .. }));
        // An answer is handed in while effects wait behind the question; before all else none may be left.
        let left = if is_answer { self.lines.pop_front() } else { self.next_line() };
        if left.is_some() {
            return Some(self.differs(record.line, None, left));
        }
        if let Input::End(why) = record.input {
            return Some(End::Told(why));
        }
        self.last = record.line;
        let line = record.line;
        if catch_unwind(AssertUnwindSafe(|| self.hand_in(record.now, record.input))).is_err() {
            return Some(End::Panicked(line));
        }
        self.inputs += 1;
        self.compare(&record.outputs)
    }

    fn hand_in(&mut self, now: Now, input: Input) {
        let words = match &input {
            Input::Event(event) => print(event),
            Input::Start { .. } => "start".into(),
            _ => "timeout".into(),
        };
        (self.watch)(&format!("{} {words}", print(&now)));
        match (input, &mut self.manager) {
            // What is always true is so from the first event on.
            (Input::Start { config, found }, manager) => {
                *manager = Some(Manager::recover(*config, now, found));
                return;
            }
            (Input::Event(event), Some(manager)) => manager.handle_event(now, event),
            (Input::Timeout, Some(manager)) => manager.handle_timeout(now),
            (_, None) | (Input::End(_), _) => unreachable!("the order was checked"),
        }
        if let Some(manager) = self.manager.as_ref().filter(|_| self.options.check) {
            invariants::check(manager);
        }
    }

    /// The next line of effects as it would stand in a trace.
    fn next_line(&mut self) -> Option<String> {
        if self.lines.is_empty() {
            let effect = self.manager.as_mut()?.poll_effect()?;
            self.lines.extend(format!("  {}", print(&effect)).lines().map(str::to_owned));
        }
        self.lines.pop_front()
    }

    /// Takes as many lines of effects as were recorded here, each as it was recorded.
    fn compare(&mut self, recorded: &[Output<'_>]) -> Option<End> {
        for wanted in recorded {
            let line = self.next_line();
            if line.as_deref() != Some(wanted.text) {
                return Some(self.differs(wanted.line, Some(wanted.text.to_owned()), line));
            }
            (self.watch)(wanted.text);
            self.outputs += 1;
        }
        None
    }

    fn differs(&self, line: usize, recorded: Option<String>, replayed: Option<String>) -> End {
        End::Differs(Difference { line, input: self.last, recorded, replayed })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} inputs, {} lines of effects as recorded", self.inputs, self.outputs)?;
        match &self.end {
            End::Told(why) => write!(f, "; the trace ends there: {why}"),
            End::Open => write!(f, "; the trace ends there without saying why"),
            End::Cut(line) => write!(f, "; the trace is cut off in line {line}"),
            End::Stopped => write!(f, "; stopped there, as told"),
            End::Differs(difference) => write!(f, "\n{difference}"),
            End::Panicked(line) => write!(f, "; the core does not survive the input of line {line}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {} differs, after the input of line {}:", self.line, self.input)?;
        let (recorded, replayed) = (self.recorded.as_deref(), self.replayed.as_deref());
        // Long lines are shown from shortly before the place where they part.
        let apart =
            recorded.unwrap_or("").bytes().zip(replayed.unwrap_or("").bytes()).take_while(|(a, b)| a == b).count();
        writeln!(f, "  recorded: {}", shown(recorded, apart))?;
        write!(f, "  replayed: {}", shown(replayed, apart))
    }
}

/// How much of a line is shown before and after the place where it differs.
const SHOWN: usize = 160;

fn shown(line: Option<&str>, apart: usize) -> String {
    let Some(line) = line else { return "nothing".into() };
    let boundary = |at: usize| (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let from = boundary(if apart > SHOWN { apart - SHOWN / 2 } else { 0 });
    let to = boundary(apart + SHOWN);
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    format!("{}{}{}", mark(from > 0), &line[from..to], mark(to < line.len()))
}
