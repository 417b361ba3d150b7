//! Unit-file text: the words and spellings of transient unit files and drop-ins, as systemd writes them (reference
//! 10.4, 10.5). Which property writes which line is decided in `properties/`.

use crate::names::UnitType;
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};

/// First line of a transient unit file.
pub const TRANSIENT_HEADER: &str =
    "# This is a transient unit file, created programmatically via the systemd API. Do not edit.\n";

/// First lines of a drop-in that `SetUnitProperties` made.
pub const DROP_IN_HEADER: &str = "# This is a drop-in unit file extension, created via \"systemctl set-property\"\n\
     # or an equivalent operation. Do not edit.\n";

/// Which section a key stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[Unit]`
    Unit,
    /// The section named after the unit's type.
    Type,
}

impl Section {
    /// The section's name for a unit of this type.
    #[must_use]
    pub fn name(self, unit_type: UnitType) -> &'static str {
        match self {
            Self::Unit => "Unit",
            Self::Type => unit_type.section(),
        }
    }
}

/// A transient unit file that grows line by line; a header is written whenever the section changes.
#[derive(Clone, Debug)]
pub struct TransientFile {
    unit_type: UnitType,
    section: Option<Section>,
    text: String,
}

impl TransientFile {
    /// A file without settings.
    #[must_use]
    pub fn new(unit_type: UnitType) -> Self {
        Self { unit_type, section: None, text: TRANSIENT_HEADER.into() }
    }

    /// Appends finished lines (see [`push_line`]) to a section.
    pub fn push(&mut self, section: Section, lines: &str) {
        if lines.is_empty() {
            return;
        }
        if self.section != Some(section) {
            let gap = if self.section.is_some() { "\n" } else { "" };
            push_text(&mut self.text, format_args!("{gap}[{}]\n", section.name(self.unit_type)));
            self.section = Some(section);
        }
        self.text.push_str(lines);
    }

    /// The file's content.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

/// The content of a drop-in with these finished lines.
#[must_use]
pub fn drop_in_text(section: Section, unit_type: UnitType, lines: &str) -> String {
    let mut text = String::with_capacity(DROP_IN_HEADER.len() + lines.len() + 16);
    push_text(&mut text, format_args!("{DROP_IN_HEADER}[{}]\n{lines}\n", section.name(unit_type)));
    text
}

/// Appends `key=value` and a newline. A value can neither end the line early nor join it to the next one: line breaks
/// become blanks, and a backslash at the end gets a blank behind it.
pub fn push_line(out: &mut String, key: &str, value: impl fmt::Display) {
    push_text(out, format_args!("{key}="));
    let start = out.len();
    push_text(out, format_args!("{value}"));
    if out[start..].contains(['\n', '\r', '\0']) {
        let clean = out[start..].replace(['\n', '\r', '\0'], " ");
        out.truncate(start);
        out.push_str(&clean);
    }
    out.push_str(if out.ends_with('\\') { " \n" } else { "\n" });
}

/// Formats into a string, which cannot fail.
pub(crate) fn push_text(out: &mut String, text: fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// Text with `%` doubled, so that it is not taken for a specifier.
#[must_use]
pub fn escape_specifiers(text: &str) -> Cow<'_, str> {
    if text.contains('%') { Cow::Owned(text.replace('%', "%%")) } else { Cow::Borrowed(text) }
}

/// A word in quotes, C-escaped and with `%` doubled: one argument of a command line.
#[must_use]
pub fn quote(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 2);
    out.push('"');
    word.chars().for_each(|c| push_escaped(&mut out, c));
    out.push('"');
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '%' => out.push_str("%%"),
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        c if c < ' ' || c == '\u{7f}' => push_text(out, format_args!("\\x{:02x}", u32::from(c))),
        c => out.push(c),
    }
}

/// `yes` or `no`.
#[must_use]
pub fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// A limit: a number, or `infinity` for the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("infinity"),
            number => write!(f, "{number}"),
        }
    }
}

/// A fraction of 2^32-1 as a percentage with two decimals, rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = u64::from(u32::MAX);
        let permyriad = (u64::from(self.0) * 10_000 + whole / 2) / whole;
        write!(f, "{}.{:02}%", permyriad / 100, permyriad % 100)
    }
}

/// Microseconds per second as a percentage of one CPU, with as many decimals as it takes to lose nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(pub u64);

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        match rest {
            0 => write!(f, "{whole}%"),
            _ if rest % 100 == 0 => write!(f, "{whole}.{:02}%", rest / 100),
            _ => write!(f, "{whole}.{rest:04}%"),
        }
    }
}

/// Microseconds as a time span (`1min 30s`, `infinity`, `0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan(pub u64);

const SPANS: [(&str, u64); 9] = [
    ("y", 31_557_600_000_000),
    ("month", 2_629_800_000_000),
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => return f.write_str("0"),
            u64::MAX => return f.write_str("infinity"),
            _ => {}
        }
        let mut rest = self.0;
        for (unit, usec) in SPANS {
            if rest < usec {
                continue;
            }
            let gap = if rest == self.0 { "" } else { " " };
            let (count, below) = (rest / usec, rest % usec);
            // Below a minute the remainder is written as decimals, all of them or as many as are not zero.
            if usec < 60_000_000 && below > 0 {
                return write_decimals(f, gap, count, below, usec, unit);
            }
            write!(f, "{gap}{count}{unit}")?;
            rest = below;
        }
        Ok(())
    }
}

fn write_decimals(f: &mut fmt::Formatter<'_>, gap: &str, count: u64, below: u64, usec: u64, unit: &str) -> fmt::Result {
    let (mut digits, mut width, mut step) = (below, 0, usec);
    while step > 1 {
        step /= 10;
        width += 1;
    }
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    write!(f, "{gap}{count}.{digits:0width$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn time_spans_read_as_systemd_writes_them() {
        for (usec, want) in [
            (0, "0"),
            (u64::MAX, "infinity"),
            (1, "1us"),
            (999, "999us"),
            (100_000, "100ms"),
            (1_500, "1.5ms"),
            (1_000_001, "1.000001s"),
            (250_000, "250ms"),
            (90_000_000, "1min 30s"),
            (90_500_000, "1min 30.5s"),
            (3_600_000_000, "1h"),
            (86_400_000_000 + 60_000_000, "1d 1min"),
        ] {
            assert_eq!(TimeSpan(usec).to_string(), want);
        }
    }

    #[test]
    fn percentages() {
        for (fraction, want) in [(u32::MAX, "100.00%"), (429_496_730, "10.00%"), (0, "0.00%"), (214_748_365, "5.00%")] {
            assert_eq!(Percent(fraction).to_string(), want);
        }
        for (usec, want) in
            [(250_000, "25%"), (1_500_000, "150%"), (5_000, "0.50%"), (1, "0.0001%"), (10_001, "1.0001%")]
        {
            assert_eq!(Quota(usec).to_string(), want);
        }
    }

    #[test]
    fn a_value_cannot_leave_its_line() {
        let mut out = String::new();
        push_line(&mut out, "Description", "a\nMemoryMax=1\\");
        assert_eq!(out, "Description=a MemoryMax=1\\ \n");
    }

    #[test]
    fn words_are_quoted_and_escaped() {
        assert_eq!(quote("a \"b\" 50%\n\\é\u{1}"), "\"a \\\"b\\\" 50%%\\n\\\\é\\x01\"");
    }

    #[test]
    fn sections_get_a_header_when_they_change() {
        let mut file = TransientFile::new(UnitType::Scope);
        file.push(Section::Type, "A=1\n");
        file.push(Section::Type, "B=2\n");
        file.push(Section::Unit, "C=3\n");
        file.push(Section::Unit, "");
        assert_eq!(file.into_text().strip_prefix(TRANSIENT_HEADER), Some("[Scope]\nA=1\nB=2\n\n[Unit]\nC=3\n"));
    }
}
