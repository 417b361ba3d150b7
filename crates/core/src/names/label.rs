//! Object-path labels (reference 01.3).

use super::unit_name::UnitName;
use alloc::string::String;
use alloc::vec::Vec;

/// Every unit object lies below this path.
pub const UNIT_PREFIX: &str = "/org/freedesktop/systemd1/unit/";

/// A string as one component of an object path.
#[must_use]
pub fn label_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    push_label(&mut out, text);
    out
}

fn push_label(out: &mut String, text: &str) {
    if text.is_empty() {
        out.push('_');
    }
    // Most of a name stands for itself and is copied in one go: lists of units escape thousands of them.
    let mut run = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (i > 0 && byte.is_ascii_digit()) {
            continue;
        }
        if run < i {
            out.push_str(&text[run..i]);
        }
        out.extend([b'_', hex_digit(byte >> 4), hex_digit(byte & 15)].map(char::from));
        run = i + 1;
    }
    if run < text.len() {
        out.push_str(&text[run..]);
    }
}

fn hex_digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

/// The inverse of [`label_escape`]; a `_` without two hex digits stands for itself.
/// None when the result is not UTF-8, which no name of ours can be.
#[must_use]
pub fn label_unescape(label: &str) -> Option<String> {
    if label == "_" {
        return Some(String::new());
    }
    let mut out = Vec::with_capacity(label.len());
    let mut rest = label.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, hex_pair(tail)) {
            (b'_', Some(value)) => {
                out.push(value);
                rest = &tail[2..];
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let [high, low, ..] = bytes else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// The object path of a unit.
#[must_use]
pub fn unit_object_path(name: &UnitName) -> String {
    let mut path = String::with_capacity(UNIT_PREFIX.len() + name.as_str().len() + 12);
    path.push_str(UNIT_PREFIX);
    push_label(&mut path, name.as_str());
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reference_examples() {
        for (name, label) in [
            ("dbus.socket", "dbus_2esocket"),
            ("-.slice", "_2d_2eslice"),
            ("user@1000.service", "user_401000_2eservice"),
            (r"system-sshd\x2dkeygen.slice", "system_2dsshd_5cx2dkeygen_2eslice"),
            ("lm_sensors.service", "lm_5fsensors_2eservice"),
            ("1.service", "_31_2eservice"),
            ("", "_"),
        ] {
            assert_eq!(label_escape(name), label);
            assert_eq!(label_unescape(label).as_deref(), Some(name));
        }
        assert_eq!(label_unescape("a_zz").as_deref(), Some("a_zz"));
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(text in "\\PC{0,40}") {
            prop_assert_eq!(label_unescape(&label_escape(&text)), Some(text));
        }
    }
}
