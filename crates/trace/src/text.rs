//! Items as text, and back: numbers, strings, lists, none.

use crate::cursor::{Cursor, ParseError};
use std::fmt::Write;
use std::sync::Arc;

/// An item that can be written.
pub trait Print {
    /// Adds it to a line.
    fn print(&self, out: &mut String);
}

/// An item that can be read: what [`Print`] has written, and nothing else.
pub trait Parse: Sized {
    /// Takes it off a line.
    ///
    /// # Errors
    /// Something else stands there.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError>;
}

/// An item as text.
pub fn print<T: Print + ?Sized>(item: &T) -> String {
    let mut out = String::new();
    item.print(&mut out);
    out
}

/// The item that this text is, as a whole.
///
/// # Errors
/// It is none.
pub fn parse<T: Parse>(text: &str) -> Result<T, ParseError> {
    let mut cursor = Cursor::new(text);
    let item = T::parse(&mut cursor)?;
    cursor.end()?;
    Ok(item)
}

/// `{name=item name=item}`, being written.
pub(crate) struct Fields<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, is_first: true }
    }

    pub(crate) fn add<T: Print + ?Sized>(&mut self, name: &str, item: &T) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(' ');
        }
        self.out.push_str(name);
        self.out.push('=');
        item.print(self.out);
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// Takes `name=item`.
pub(crate) fn field<T: Parse>(cursor: &mut Cursor<'_>, name: &str) -> Result<T, ParseError> {
    cursor.key(name)?;
    T::parse(cursor)
}

/// Adds items with commas between them.
pub(crate) fn print_list<'a, T: Print + ?Sized + 'a>(items: impl IntoIterator<Item = &'a T>, out: &mut String) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        item.print(out);
    }
    out.push(']');
}

/// Takes items in brackets, each by this function.
pub(crate) fn parse_list<T>(
    cursor: &mut Cursor<'_>,
    mut item: impl FnMut(&mut Cursor<'_>) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    cursor.inside('[', ']', |cursor| {
        let mut items = Vec::new();
        while !cursor.sees(']') {
            if !items.is_empty() {
                cursor.expect(',')?;
            }
            items.push(item(cursor)?);
        }
        Ok(items)
    })
}

/// A word that the standard library can read.
pub(crate) fn parse_word<T: std::str::FromStr>(cursor: &mut Cursor<'_>, expected: &str) -> Result<T, ParseError> {
    let at = cursor.place();
    let word = cursor.word(expected)?;
    word.parse().map_err(|_| cursor.wrong_at(at, expected))
}

macro_rules! plain {
    ($($type:ty: $expected:literal),* $(,)?) => {
        $(
            impl Print for $type {
                fn print(&self, out: &mut String) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "{self}");
                }
            }

            impl Parse for $type {
                fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
                    parse_word(cursor, $expected)
                }
            }
        )*
    };
}

plain! {
    bool: "true or false", u32: "a number of 32 bits", u64: "a number of 64 bits", i32: "a signed number of 32 bits",
}

/// Characters that a reader would not see, or that would move what he sees: a list that stays as it is.
fn is_hidden(sign: char) -> bool {
    matches!(sign,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl Print for str {
    fn print(&self, out: &mut String) {
        out.push('"');
        // Nearly all texts are plain, and need no second look.
        if self.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            out.push_str(self);
            out.push('"');
            return;
        }
        let mut rest = self;
        while let Some(at) = rest.find(|c| matches!(c, '"' | '\\') || is_hidden(c)) {
            out.push_str(&rest[..at]);
            let mut after = rest[at..].chars();
            // A character was found there.
            let _ = match after.next().unwrap_or_default() {
                sign @ ('"' | '\\') => write!(out, "\\{sign}"),
                '\n' => write!(out, "\\n"),
                '\t' => write!(out, "\\t"),
                sign => write!(out, "\\u{{{:x}}}", u32::from(sign)),
            };
            rest = after.as_str();
        }
        out.push_str(rest);
        out.push('"');
    }
}

impl Print for String {
    fn print(&self, out: &mut String) {
        self.as_str().print(out);
    }
}

impl Parse for String {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        if !cursor.takes('"') {
            return Err(cursor.wrong("a text in quotes"));
        }
        let mut out = Self::new();
        loop {
            let rest = cursor.line_rest();
            let Some(at) = rest.find(['"', '\\']) else { return Err(cursor.wrong("a quote at the end of the text")) };
            out.push_str(&rest[..at]);
            cursor.skip(at + 1);
            if rest.as_bytes()[at] == b'"' {
                return Ok(out);
            }
            out.push(escaped(cursor)?);
        }
    }
}

/// What stands after a backslash.
fn escaped(cursor: &mut Cursor<'_>) -> Result<char, ParseError> {
    let rest = cursor.line_rest();
    let simple = match rest.as_bytes().first() {
        Some(b'n') => Some('\n'),
        Some(b't') => Some('\t'),
        Some(b'"') => Some('"'),
        Some(b'\\') => Some('\\'),
        _ => None,
    };
    if let Some(sign) = simple {
        cursor.skip(1);
        return Ok(sign);
    }
    let digits = rest.strip_prefix("u{").and_then(|rest| rest.split_once('}')).map(|(digits, _)| digits);
    let number = digits.filter(|digits| digits.len() <= 6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match number.and_then(char::from_u32).zip(digits) {
        Some((sign, digits)) => {
            cursor.skip("u{}".len() + digits.len());
            Ok(sign)
        }
        None => Err(cursor.wrong("an escape: \\n, \\t, \\\", \\\\ or \\u{…}")),
    }
}

impl Print for Arc<str> {
    fn print(&self, out: &mut String) {
        self.as_ref().print(out);
    }
}

impl Parse for Arc<str> {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        String::parse(cursor).map(Self::from)
    }
}

impl Print for &str {
    fn print(&self, out: &mut String) {
        (**self).print(out);
    }
}

impl<T: Print> Print for Option<T> {
    fn print(&self, out: &mut String) {
        match self {
            Some(item) => item.print(out),
            None => out.push('-'),
        }
    }
}

impl<T: Parse> Parse for Option<T> {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let mut ahead = cursor.clone();
        if ahead.word("-").is_ok_and(|word| word == "-") {
            *cursor = ahead;
            return Ok(None);
        }
        T::parse(cursor).map(Some)
    }
}

impl<T: Print> Print for Box<T> {
    fn print(&self, out: &mut String) {
        self.as_ref().print(out);
    }
}

impl<T: Parse> Parse for Box<T> {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        T::parse(cursor).map(Self::new)
    }
}

impl<T: Print> Print for Vec<T> {
    fn print(&self, out: &mut String) {
        print_list(self, out);
    }
}

impl<T: Parse> Parse for Vec<T> {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        parse_list(cursor, T::parse)
    }
}

impl<A: Print, B: Print> Print for (A, B) {
    fn print(&self, out: &mut String) {
        out.push('(');
        self.0.print(out);
        out.push_str(", ");
        self.1.print(out);
        out.push(')');
    }
}

impl<A: Parse, B: Parse> Parse for (A, B) {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        cursor.inside('(', ')', |cursor| {
            let first = A::parse(cursor)?;
            cursor.expect(',')?;
            Ok((first, B::parse(cursor)?))
        })
    }
}

impl<T: Print, const N: usize> Print for [T; N] {
    fn print(&self, out: &mut String) {
        print_list(self, out);
    }
}

impl<T: Parse, const N: usize> Parse for [T; N] {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = cursor.place();
        Vec::parse(cursor)?.try_into().map_err(|_| cursor.wrong_at(at, format!("{N} items")))
    }
}

/// Bytes in hexadecimal, in pointed brackets.
impl Print for [u8] {
    fn print(&self, out: &mut String) {
        out.push('<');
        for byte in self {
            let _ = write!(out, "{byte:02x}");
        }
        out.push('>');
    }
}

impl Print for Vec<u8> {
    fn print(&self, out: &mut String) {
        self.as_slice().print(out);
    }
}

impl Print for [u8; 16] {
    fn print(&self, out: &mut String) {
        self.as_slice().print(out);
    }
}

impl Parse for Vec<u8> {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        cursor.expect('<')?;
        let at = cursor.place();
        let digits = if cursor.sees('>') { "" } else { cursor.word("bytes in hexadecimal")? };
        let digit = |sign: u8| char::from(sign).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None };
        let bytes: Option<Self> = digits.as_bytes().chunks(2).map(byte).collect();
        let bytes = bytes.ok_or_else(|| cursor.wrong_at(at, "bytes in hexadecimal"))?;
        cursor.expect('>')?;
        Ok(bytes)
    }
}
