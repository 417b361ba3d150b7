//! Lines of a unit file: sections, assignments, comments, lines that go on with a backslash. What a key means is not
//! known here. Any text is taken; there is no input that panics.

use alloc::borrow::Cow;
use alloc::string::String;

/// Longest line, its continuations included, in bytes.
pub const LINE_LENGTH_MAX: usize = 1024 * 1024;

/// Blanks, as far as unit files are concerned.
pub(super) const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// One line that says something, with all lines that continue it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where it begins, from 1.
    pub number: u32,
    /// What it says.
    pub token: Token<'a>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `[Name]`
    Section(Cow<'a, str>),
    /// `Key=Value`, blanks around both removed. The key is never empty.
    Assignment(Cow<'a, str>, Cow<'a, str>),
    /// Not blank, not a header, and without `=`.
    NoAssignment,
    /// `=Value`
    NoKey,
    /// Begins like a header and does not end like one, or has control characters in it.
    BadHeader(Cow<'a, str>),
    /// Longer than [`LINE_LENGTH_MAX`]; nothing comes after it.
    TooLong,
}

/// The lines of a text, one after the other.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    rest: &'a str,
    number: u32,
}

impl<'a> Lexer<'a> {
    /// From the beginning; a byte-order mark there is skipped.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text), number: 0 }
    }

    /// The next line as it stands, without its end.
    fn physical(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.number = self.number.saturating_add(1);
        let end = self.rest.find(is_line_end).unwrap_or(self.rest.len());
        let (line, after) = self.rest.split_at(end);
        self.rest = &after[line_end_length(after)..];
        Some(line)
    }

    /// The next line that is no comment, with its continuations; a comment between them does not end it. None when it
    /// is too long.
    fn logical(&mut self) -> Option<(u32, Option<Cow<'a, str>>)> {
        let mut joined: Option<(u32, String)> = None;
        while let Some(line) = self.physical() {
            if line.trim_start_matches(BLANKS).starts_with(['#', ';']) {
                continue;
            }
            let first = joined.as_ref().map_or(self.number, |(first, _)| *first);
            let length = line.len() + joined.as_ref().map_or(0, |(_, text)| text.len());
            if length > LINE_LENGTH_MAX {
                self.rest = "";
                return Some((first, None));
            }
            match (joined.as_mut(), is_continued(line)) {
                (None, None) => return Some((first, Some(Cow::Borrowed(line)))),
                (None, Some(begun)) => joined = Some((first, String::from(begun) + " ")),
                (Some((_, text)), Some(more)) => {
                    text.push_str(more);
                    text.push(' ');
                }
                (Some((_, text)), None) => {
                    text.push_str(line);
                    break;
                }
            }
        }
        joined.map(|(first, text)| (first, Some(Cow::Owned(text))))
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let (number, text) = self.logical()?;
            let Some(text) = text else { return Some(Line { number, token: Token::TooLong }) };
            let token = match text {
                Cow::Borrowed(text) => token(text, Cow::Borrowed),
                Cow::Owned(text) => token(&text, |part| Cow::Owned(part.into())),
            };
            if let Some(token) = token {
                return Some(Line { number, token });
            }
        }
    }
}

/// What a line says; none when it is blank.
fn token<'t, 'a>(text: &'t str, part: impl Fn(&'t str) -> Cow<'a, str>) -> Option<Token<'a>> {
    let text = text.trim_matches(BLANKS);
    if text.is_empty() {
        return None;
    }
    if let Some(header) = text.strip_prefix('[') {
        let name = header.strip_suffix(']').filter(|name| !name.contains(char::is_control));
        return Some(name.map_or_else(|| Token::BadHeader(part(text)), |name| Token::Section(part(name))));
    }
    Some(match text.split_once('=') {
        None => Token::NoAssignment,
        Some(("", _)) => Token::NoKey,
        Some((key, value)) => {
            Token::Assignment(part(key.trim_end_matches(BLANKS)), part(value.trim_start_matches(BLANKS)))
        }
    })
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\0')
}

/// Different marks in a row are one line end (`\r\n`), two of the same are two.
fn line_end_length(after: &str) -> usize {
    let bytes = after.as_bytes();
    let is_new = |i: &usize| bytes.get(*i).is_some_and(|b| is_line_end(char::from(*b)) && !bytes[..*i].contains(b));
    (0..3).take_while(is_new).count()
}

/// The line without its last backslash, if that is not escaped itself.
fn is_continued(line: &str) -> Option<&str> {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    if backslashes % 2 == 1 { line.strip_suffix('\\') } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn lex(text: &str) -> Vec<String> {
        let shown = |line: Line<'_>| match line.token {
            Token::Section(name) => format!("{} [{name}]", line.number),
            Token::Assignment(key, value) => format!("{} {key}={value}", line.number),
            other => format!("{} {other:?}", line.number),
        };
        Lexer::new(text).map(shown).collect()
    }

    #[test]
    fn sections_assignments_and_comments() {
        let text = "\u{feff}# a\n [Unit] \n\n; b\nDescription =  x = y \n  # c\n[Slice]\nCPUWeight=\n";
        assert_eq!(lex(text), ["2 [Unit]", "5 Description=x = y", "7 [Slice]", "8 CPUWeight="]);
    }

    #[test]
    fn lines_go_on_over_comments_and_blank_ends() {
        assert_eq!(lex("A=1 \\\n# no\n  2\\\n3\nB=4\\\\\nC=5\\"), ["1 A=1    2 3", "5 B=4\\\\", "6 C=5"]);
        assert_eq!(lex("\\\n\\\n"), Vec::<String>::new());
        assert_eq!(lex("A=1\\\n\nB=2"), ["1 A=1", "3 B=2"]);
    }

    #[test]
    fn every_kind_of_line_end_counts_once() {
        assert_eq!(lex("A=1\r\nB=2\n\rC=3\rD=4\0E=5"), ["1 A=1", "2 B=2", "3 C=3", "4 D=4", "5 E=5"]);
        assert_eq!(lex("A=1\\\r\n2\r\n\r\nB=3"), ["1 A=1 2", "4 B=3"]);
    }

    #[test]
    fn lines_that_say_nothing_sensible() {
        let want = [
            "1 NoAssignment",
            "2 NoKey",
            "3 BadHeader(\"[Unit\")",
            "4 BadHeader(\"[a\\u{1}]\")",
            "5 []",
            "6 BadHeader(\"[\")",
        ];
        assert_eq!(lex("word\n=x\n[Unit\n[a\u{1}]\n[]\n["), want);
    }

    #[test]
    fn a_line_has_an_end_somewhere() {
        let fits = format!("A={}", "x".repeat(LINE_LENGTH_MAX - 2));
        assert_eq!(Lexer::new(&fits).map(|l| l.token).filter(|t| *t == Token::TooLong).count(), 0);
        let whole = format!("{fits}x\nB=1");
        assert_eq!(Lexer::new(&whole).collect::<Vec<_>>(), vec![Line { number: 1, token: Token::TooLong }]);
        let joined = format!("A=1\n{}\\\n{}\nB=1", &fits[..LINE_LENGTH_MAX / 2], fits);
        assert_eq!(lex(&joined), ["1 A=1", "2 TooLong"]);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_line_by_line(text in "[\\[\\]=#;\\\\ab \n\r\0é]{0,60}") {
            let mut last = 0;
            for line in Lexer::new(&text) {
                prop_assert!(line.number > last);
                last = line.number;
                if let Token::Assignment(key, value) = line.token {
                    prop_assert!(!key.contains('=') && key.trim_matches(BLANKS) == key);
                    prop_assert_eq!(value.trim_matches(BLANKS), &value);
                }
            }
        }
    }
}
