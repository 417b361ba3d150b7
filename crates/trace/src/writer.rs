//! A trace being written: lines come together here, and are taken away by whoever keeps them.

use crate::text::{Print, print};
use crate::{FORMAT, VERSION};
use cgarbiter_core::time::Now;
use cgarbiter_core::{Config, Effect, Event, Found};

/// Lines of a trace that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    /// The begin of a trace: its first line, remarks for the reader, what the manager is told at the start, and what an
    /// earlier one has left, if it has left anything.
    #[must_use]
    pub fn begin(remarks: &[&str], now: Now, config: &Config, found: &Found) -> Self {
        let mut writer = Self { text: format!("{FORMAT} {VERSION}\n") };
        for line in remarks.iter().flat_map(|remark| remark.lines()) {
            writer.text.push_str("# ");
            writer.text.push_str(line);
            writer.text.push('\n');
        }
        writer.input(now, "start");
        // A line for each field, and for each thing found: these are the long items that people read.
        writer.go_on(&broken(&print(config), 1));
        if *found != Found::default() {
            writer.go_on(&broken(&print(found), 2));
        }
        writer.text.push('\n');
        writer
    }

    /// In: something happened.
    pub fn event(&mut self, now: Now, event: &Event) {
        now.print(&mut self.text);
        self.text.push(' ');
        event.print(&mut self.text);
        self.text.push('\n');
    }

    /// In: time passed.
    pub fn timeout(&mut self, now: Now) {
        self.input(now, "timeout");
        self.text.push('\n');
    }

    /// Out: something to do.
    pub fn effect(&mut self, effect: &Effect) {
        self.text.push_str("  ");
        effect.print(&mut self.text);
        self.text.push('\n');
    }

    /// The end: nothing more will come, for this reason.
    pub fn end(&mut self, now: Now, why: &str) {
        self.input(now, "end ");
        why.print(&mut self.text);
        self.text.push('\n');
    }

    /// What has come together.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// It has been taken.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    fn go_on(&mut self, item: &str) {
        self.text.push_str(CONTINUED);
        self.text.push_str(item);
    }

    fn input(&mut self, now: Now, word: &str) {
        now.print(&mut self.text);
        self.text.push(' ');
        self.text.push_str(word);
    }
}

/// What makes a line go on.
pub(crate) const CONTINUED: &str = "\n        ";

/// A record with what is in so many brackets, or fewer, on a line of its own.
fn broken(record: &str, brackets: usize) -> String {
    let mut out = String::with_capacity(record.len() + 256);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for sign in record.chars() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' | '(' if !quoted => depth += 1,
            '}' | ']' | ')' if !quoted => depth -= 1,
            ' ' if !quoted && depth <= brackets => {
                out.push_str(CONTINUED);
                continue;
            }
            _ => {}
        }
        out.push(sign);
    }
    out
}
