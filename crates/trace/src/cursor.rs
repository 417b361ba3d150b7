//! A place in one line of a trace that moves on as the line is understood.

/// A line that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}")]
pub struct ParseError {
    /// Where, in bytes from the line's begin, counted from 1.
    pub column: usize,
    /// What should stand there.
    pub expected: String,
}

/// How deep items may lie in each other: more than a message of the bus can say.
const DEPTH_MAX: usize = 160;

/// A place in a line.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    line: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// The begin of a line.
    #[must_use]
    pub fn new(line: &'a str) -> Self {
        Self { line, at: 0, depth: 0 }
    }

    /// An error at this place.
    pub fn wrong(&self, expected: impl Into<String>) -> ParseError {
        self.wrong_at(self.at, expected)
    }

    /// An error at a place that has been passed.
    pub(crate) fn wrong_at(&self, at: usize, expected: impl Into<String>) -> ParseError {
        ParseError { column: at + 1, expected: expected.into() }
    }

    /// Where we are, blanks left out.
    pub(crate) fn place(&mut self) -> usize {
        let rest = &self.line[self.at..];
        self.at += rest.len() - rest.trim_start_matches(' ').len();
        self.at
    }

    /// What has not been read yet.
    pub(crate) fn rest(&mut self) -> &'a str {
        let at = self.place();
        &self.line[at..]
    }

    /// What has not been read yet, blanks included: inside a text.
    pub(crate) fn line_rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    /// Whether the next thing is this sign.
    pub(crate) fn sees(&mut self, sign: char) -> bool {
        self.rest().starts_with(sign)
    }

    /// Takes this sign, if it is the next thing.
    pub(crate) fn takes(&mut self, sign: char) -> bool {
        let seen = self.sees(sign);
        self.at += if seen { sign.len_utf8() } else { 0 };
        seen
    }

    /// Takes so many bytes, which are known to end with a character.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        assert!(self.line.is_char_boundary(self.at), "a cursor stands between characters");
    }

    /// Takes this sign.
    pub(crate) fn expect(&mut self, sign: char) -> Result<(), ParseError> {
        if self.takes(sign) { Ok(()) } else { Err(self.wrong(format!("{sign:?}"))) }
    }

    /// Takes a bracket, what is in it, and the bracket that ends it.
    pub(crate) fn inside<T>(
        &mut self,
        open: char,
        close: char,
        item: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        self.expect(open)?;
        let item = self.deeper(item)?;
        self.expect(close)?;
        Ok(item)
    }

    /// Takes an item that lies in another one.
    pub(crate) fn deeper<T>(&mut self, item: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth == DEPTH_MAX {
            return Err(self.wrong(format!("at most {DEPTH_MAX} items in each other")));
        }
        self.depth += 1;
        let item = item(self)?;
        self.depth -= 1;
        Ok(item)
    }

    /// Takes a word: what stands there up to a blank, a bracket, a comma, a quote or an equals sign.
    pub(crate) fn word(&mut self, expected: &str) -> Result<&'a str, ParseError> {
        let rest = self.rest();
        let length = rest.find(ends_word).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.wrong(expected));
        }
        self.at += length;
        Ok(&rest[..length])
    }

    /// Takes `name=`.
    pub(crate) fn key(&mut self, name: &str) -> Result<(), ParseError> {
        let at = self.place();
        let found = self.word(name).is_ok_and(|word| word == name) && self.takes('=');
        if found { Ok(()) } else { Err(self.wrong_at(at, format!("{name}="))) }
    }

    /// Nothing more stands in the line.
    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.wrong("the end of the line")) }
    }
}

/// Whether a word ends before this.
pub(crate) fn ends_word(sign: char) -> bool {
    sign.is_control()
        || !sign.is_ascii()
        || matches!(sign, ' ' | ',' | '=' | '"' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>')
}
