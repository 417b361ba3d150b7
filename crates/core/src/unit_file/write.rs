//! Writing: transient unit files and drop-ins, as systemd writes them (reference 10.4, 10.5). Which property writes
//! which line is decided in `properties/`.

use super::Section;
use crate::names::UnitType;
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};

/// First line of a transient unit file.
pub const TRANSIENT_HEADER: &str =
    "# This is a transient unit file, created programmatically via the systemd API. Do not edit.\n";

/// Longer than most transient unit files.
const TRANSIENT_LENGTH_USUAL: usize = 384;

/// First lines of a drop-in that `SetUnitProperties` made.
pub const DROP_IN_HEADER: &str = "# This is a drop-in unit file extension, created via \"systemctl set-property\"\n\
     # or an equivalent operation. Do not edit.\n";

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
        let mut text = String::with_capacity(TRANSIENT_LENGTH_USUAL);
        text.push_str(TRANSIENT_HEADER);
        Self { unit_type, section: None, text }
    }

    /// Appends finished lines (see [`push_line`]) to a section.
    pub fn push(&mut self, section: Section, lines: &str) {
        if lines.is_empty() {
            return;
        }
        if self.section != Some(section) {
            let gap = if self.section.is_some() { "\n" } else { "" };
            [gap, "[", section.name(self.unit_type), "]\n"].into_iter().for_each(|part| self.text.push_str(part));
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
    let parts = [DROP_IN_HEADER, "[", section.name(unit_type), "]\n", lines, "\n"];
    parts.into_iter().for_each(|part| text.push_str(part));
    text
}

/// Appends `key=value` and a newline. A value can neither end the line early nor join it to the next one: line breaks
/// become blanks, and a backslash at the end gets a blank behind it.
pub fn push_line(out: &mut String, key: &str, value: impl fmt::Display) {
    out.push_str(key);
    out.push('=');
    let start = out.len();
    push_text(out, format_args!("{value}"));
    // Without an early end, so that many bytes are looked at at once.
    let has_control = out.as_bytes()[start..].iter().fold(false, |found, byte| found | (*byte < b' '));
    if has_control && out[start..].contains(['\n', '\r', '\0']) {
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

/// A word for a list of words, where a backslash takes the next character as it is.
#[must_use]
pub(crate) fn plain_word(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '%' => out.push('%'),
            ' ' | '\t' | '"' | '\'' | '\\' => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
