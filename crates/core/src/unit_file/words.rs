//! Words of a value: separated by blanks, with quotes around what has blanks in it, with escapes or without.

use super::lexer::BLANKS;
use alloc::string::String;
use alloc::vec::Vec;

/// What a backslash means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Itself.
    Literal,
    /// The next character as it is.
    Plain,
    /// An escape as in C (`\n`, `\x20`); any other is an error.
    C,
}

/// The words of a value, taken one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    rest: &'a str,
    escapes: Escapes,
}

/// Quotes that do not close, or a backslash that escapes nothing. The rest of the value means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced;

impl<'a> Words<'a> {
    pub(crate) fn new(value: &'a str, escapes: Escapes) -> Self {
        Self { rest: value.trim_start_matches(BLANKS), escapes }
    }

    /// What comes after the words taken, as it stands.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes the next word if it is written exactly so, without quotes.
    pub(crate) fn take_bare(&mut self, word: &str) -> bool {
        let after = self.rest.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(BLANKS));
        after.inspect(|rest| self.rest = rest.trim_start_matches(BLANKS)).is_some()
    }

    fn take(&mut self) -> Result<String, Unbalanced> {
        let (mut word, mut quote) = (Vec::new(), None);
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match (c, quote) {
                ('\\', _) if self.escapes != Escapes::Literal => {
                    let length = push_escape(&mut word, &self.rest[at + 1..], self.escapes).ok_or(Unbalanced)?;
                    chars = self.rest[at + 1 + length..].char_indices();
                    self.rest = &self.rest[at + 1 + length..];
                }
                (c, Some(open)) if c == open => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                (c, None) if BLANKS.contains(&c) => {
                    self.rest = self.rest[at..].trim_start_matches(BLANKS);
                    return finish(word);
                }
                (c, _) => word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.rest = "";
        if quote.is_some() { Err(Unbalanced) } else { finish(word) }
    }
}

impl Iterator for Words<'_> {
    type Item = Result<String, Unbalanced>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let word = self.take();
        if word.is_err() {
            self.rest = "";
        }
        Some(word)
    }
}

/// Escapes can make bytes that are no text.
fn finish(word: Vec<u8>) -> Result<String, Unbalanced> {
    String::from_utf8(word).map_err(|_| Unbalanced)
}

/// Appends what an escape stands for and tells how long it is, without the backslash.
fn push_escape(out: &mut Vec<u8>, text: &str, escapes: Escapes) -> Option<usize> {
    let c = text.chars().next()?;
    let simple = match c {
        _ if escapes == Escapes::Plain => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(c.len_utf8());
        }
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        's' => b' ',
        '"' | '\'' | '\\' => c as u8,
        'x' => return push_code(out, text, 2, 16),
        'u' => return push_code(out, text, 4, 16),
        'U' => return push_code(out, text, 8, 16),
        '0'..='3' => return push_code(out, text, 3, 8),
        _ => return None,
    };
    out.push(simple);
    Some(1)
}

/// A number of so many digits: a byte, or a character with four digits and more. Zero cannot be.
fn push_code(out: &mut Vec<u8>, text: &str, digits: usize, radix: u32) -> Option<usize> {
    let start = usize::from(radix == 16);
    let code = text.get(start..start + digits).filter(|code| code.chars().all(|c| c.is_digit(radix)))?;
    let code = u32::from_str_radix(code, radix).ok().filter(|code| *code > 0)?;
    match u8::try_from(code) {
        Ok(byte) if digits < 4 => out.push(byte),
        _ => out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes()),
    }
    Some(start + digits)
}

#[cfg(test)]
mod tests {
    use super::super::{plain_word, quote};
    use super::*;
    use proptest::prelude::*;

    fn words(value: &str, escapes: Escapes) -> Result<Vec<String>, Unbalanced> {
        Words::new(value, escapes).collect()
    }

    #[test]
    fn quotes_hold_words_together_anywhere() {
        for (value, want) in
            [("", &[][..]), ("  a  b\t", &["a", "b"]), ("\"a b\"c 'd \"e'", &["a bc", "d \"e"]), ("\"\" x", &["", "x"])]
        {
            assert_eq!(words(value, Escapes::Literal).as_deref(), Ok(want.map_to_strings().as_slice()), "{value}");
        }
        for value in ["\"a", "a'", "x \"y"] {
            assert_eq!(words(value, Escapes::Literal), Err(Unbalanced), "{value}");
        }
    }

    trait MapToStrings {
        fn map_to_strings(&self) -> Vec<String>;
    }

    impl MapToStrings for [&str] {
        fn map_to_strings(&self) -> Vec<String> {
            self.iter().copied().map(String::from).collect()
        }
    }

    #[test]
    fn a_backslash_means_what_the_key_wants() {
        let value = "a\\x20b \\\\c";
        for (escapes, want) in
            [(Escapes::Literal, ["a\\x20b", "\\\\c"]), (Escapes::Plain, ["ax20b", "\\c"]), (Escapes::C, ["a b", "\\c"])]
        {
            assert_eq!(words(value, escapes), Ok(want.map_to_strings()));
        }
        assert_eq!(words("\\303\\251\\u00e9\\U0001f600\\s\\t", Escapes::C), Ok(["éé\u{1f600} \t"].map_to_strings()));
        for bad in ["\\", "\\q", "\\x2", "\\x00", "\\xff", "\\ud800", "\\xé1", "\\400"] {
            assert_eq!(words(bad, Escapes::C), Err(Unbalanced), "{bad}");
        }
        assert_eq!(words("a\\", Escapes::Plain), Err(Unbalanced));
    }

    #[test]
    fn what_follows_a_word_is_there_as_it_stands() {
        let mut words = Words::new(" \"/dev/a b\"  1 \"2\" ", Escapes::Plain);
        assert_eq!(words.next(), Some(Ok("/dev/a b".into())));
        assert_eq!(words.rest(), "1 \"2\" ");
        assert!(!words.take_bare("") && words.take_bare("1") && !words.take_bare("2"));
    }

    proptest! {
        #[test]
        fn what_was_written_as_words_is_read_as_words(list in prop::collection::vec("[ -~é\n\t\u{1}]{1,8}", 0..4)) {
            let quoted: Vec<String> = list.iter().map(|word| quote(word).replace("%%", "%")).collect();
            prop_assert_eq!(words(&quoted.join(" "), Escapes::C), Ok(list.clone()));
            let list: Vec<String> = list.iter().map(|word| word.replace(['\n', '\r'], "_")).collect();
            let plain: Vec<String> = list.iter().map(|word| plain_word(word).replace("%%", "%")).collect();
            prop_assert_eq!(words(&plain.join("  "), Escapes::Plain), Ok(list));
        }

        #[test]
        fn any_value_is_taken(value in "[a\"'\\\\xu0-9é ]{0,30}") {
            for escapes in [Escapes::Literal, Escapes::Plain, Escapes::C] {
                prop_assert!(Words::new(&value, escapes).count() <= value.len());
            }
        }
    }
}
