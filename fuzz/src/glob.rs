//! Shell patterns: always an end, the same as a slow and obvious matcher where there are no brackets.

use cgarbiter_core::glob::{matches, matches_any};

/// Pattern and text, with a zero between them.
pub fn glob(data: &[u8]) {
    let both = String::from_utf8_lossy(data);
    let (pattern, text) = both.split_once('\0').unwrap_or((&both, ""));
    let found = matches(pattern, text);
    assert_eq!(matches_any(&[pattern.into()], text), found);
    assert!(matches("*", text) && matches_any(&[], text));
    assert!(matches(&literally(text), text), "{text:?} is not like itself");
    assert!(!found || matches(&format!("*{pattern}"), text), "a star before {pattern:?} loses {text:?}");
    if !pattern.contains('[') && pattern.len() * text.len() < 4096 {
        assert_eq!(found, slowly(pattern.as_bytes(), text.as_bytes()), "{pattern:?} {text:?}");
    }
}

/// A pattern for nothing but this text.
fn literally(text: &str) -> String {
    text.chars().flat_map(|c| ['\\', c]).collect()
}

/// By the book: a table over all ends of pattern and text.
fn slowly(pattern: &[u8], text: &[u8]) -> bool {
    let mut places = vec![false; text.len() + 1];
    places[0] = true;
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        let (literal, after) = match (first, after.split_first()) {
            (b'\\', Some((&escaped, after))) => (Some(escaped), after),
            (b'*' | b'?', _) => (None, after),
            _ => (Some(first), after),
        };
        places = step(&places, text, first, literal);
        rest = after;
    }
    places[text.len()]
}

/// Which ends of the text are reached after one more piece of the pattern.
fn step(places: &[bool], text: &[u8], first: u8, literal: Option<u8>) -> Vec<bool> {
    let mut next = vec![false; places.len()];
    for (at, _) in places.iter().enumerate().filter(|(_, reached)| **reached) {
        match literal {
            None if first == b'*' => next[at..].fill(true),
            None if at < text.len() => next[at + 1] = true,
            Some(byte) if text.get(at) == Some(&byte) => next[at + 1] = true,
            _ => {}
        }
    }
    next
}
