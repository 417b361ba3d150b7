//! Escaping between free strings and components of unit names (reference 01.2).

use super::unit_name::NameError;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// A string as a component of a unit name: `/` becomes `-`, everything unusual `\xHH`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if i == 0 => push_hex(&mut out, byte),
            b':' | b'_' | b'.' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => push_hex(&mut out, byte),
        }
    }
    out
}

fn push_hex(out: &mut String, byte: u8) {
    // Writing into a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// The inverse of [`escape`]; bytes, since they need not be UTF-8.
///
/// # Errors
/// A backslash that does not begin `\xHH`.
pub fn unescape(text: &str) -> Result<Vec<u8>, NameError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'-' => out.push(b'/'),
            b'\\' => {
                let [b'x', high, low, after @ ..] = rest else { return Err(NameError::Invalid) };
                let digit = |b: &u8| char::from(*b).to_digit(16).ok_or(NameError::Invalid);
                let value = digit(high)? * 16 + digit(low)?;
                out.push(u8::try_from(value).expect("two hex digits fit a byte"));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    Ok(out)
}

/// A file path as a component: slashes at the ends and doubled ones vanish, the root is `-`.
///
/// # Errors
/// A path with `..` in it.
pub fn path_escape(path: &str) -> Result<String, NameError> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.contains(&"..") {
        return Err(NameError::Invalid);
    }
    Ok(if parts.is_empty() { "-".into() } else { escape(&parts.join("/")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reference_vectors() {
        assert_eq!(escape("ab+-c.a/bc@foo.service"), r"ab\x2b\x2dc.a-bc\x40foo.service");
        assert_eq!(escape(".x"), r"\x2ex");
        for (path, want) in
            [("/waldo/quuix/", "waldo-quuix"), ("/", "-"), ("", "-"), ("///", "-"), ("/foo/./bar", "foo-bar")]
        {
            assert_eq!(path_escape(path).as_deref(), Ok(want), "{path}");
        }
        assert_eq!(path_escape("/foo/../bar"), Err(NameError::Invalid));
        assert_eq!(unescape(r"a\q"), Err(NameError::Invalid));
        assert_eq!(unescape(r"a\x2"), Err(NameError::Invalid));
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(text in "\\PC{0,40}") {
            prop_assert_eq!(unescape(&escape(&text)), Ok(text.into_bytes()));
        }
    }
}
