//! Shell patterns, as `fnmatch` without flags takes them: `*`, `?`, `[…]`, backslash.

use alloc::string::String;

/// Whether the list is empty, or one of its patterns matches.
#[must_use]
pub fn matches_any(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, text))
}

/// Whether the whole text matches the pattern. Linear in practice: only the last star is ever tried again.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match match_one(&pattern[p..], text[t]) {
            Some(used) => {
                p += used;
                t += 1;
            }
            None if pattern.get(p) == Some(&b'*') => {
                star = Some((p, t));
                p += 1;
            }
            None => match &mut star {
                Some((star_p, star_t)) => {
                    *star_t += 1;
                    (p, t) = (*star_p + 1, *star_t);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// How many bytes of the pattern match this byte; none when they do not.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'*', ..] | [] => None,
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [b'[', class @ ..] => match_class(class, byte).map(|used| used + 1),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// A bracket expression after its `[`; none when it does not match (or never ends, and then `[` is no literal either).
fn match_class(class: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(class.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let end = class.iter().skip(start + 1).position(|b| *b == b']')? + start + 1;
    let members = &class[start..end];
    let mut found = false;
    let mut i = 0;
    while i < members.len() {
        match members[i..] {
            [low, b'-', high, ..] => {
                found |= low <= byte && byte <= high;
                i += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                i += 1;
            }
            [] => unreachable!("the loop ends before"),
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*", ""),
            ("a*.scope", "abc.scope"),
            ("?.slice", "a.slice"),
            ("[a-c]x", "bx"),
            ("[!a]x", "bx"),
            ("a\\*", "a*"),
            ("*a*b*", "xxaxxbxx"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "b"), ("a*c", "ab"), ("?", ""), ("[a-c]", "d"), ("a\\*", "ab"), ("[", "[")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(50), &"b".repeat(200)));
    }
}
