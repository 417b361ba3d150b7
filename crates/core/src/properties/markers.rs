//! `Markers`: words about the unit that tools leave for one another.

use super::property::Markers;
use super::values;
use crate::error::{Refusal, RefusalKind};
use crate::value::Value;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const WORDS: [&str; 2] = ["needs-reload", "needs-restart"];

/// Either words alone, or words with `+` or `-` in front.
pub(super) fn check(value: &Value) -> Result<Markers, Refusal> {
    let (mut absolute, mut changes) = (Vec::new(), Vec::new());
    for text in values::strings(value)? {
        let text = text?;
        match text.as_bytes() {
            [sign @ (b'+' | b'-'), ..] => changes.push((known(&text[1..])?, *sign == b'+')),
            _ => absolute.push(known(text)?),
        }
    }
    match (absolute.is_empty(), changes.is_empty()) {
        (_, true) => Ok(Markers::Replace(absolute)),
        (true, false) => Ok(Markers::Change(changes)),
        (false, false) => Err(Refusal::new(RefusalKind::BadUnitSetting, "Bad marker syntax.")),
    }
}

fn known(word: &str) -> Result<&'static str, Refusal> {
    let found = WORDS.into_iter().find(|w| *w == word);
    found.ok_or_else(|| Refusal::new(RefusalKind::BadUnitSetting, format!("Unknown marker \"{word}\".")))
}

pub(super) fn apply(markers: &Markers, list: &mut Vec<String>) {
    match markers {
        Markers::Replace(words) => *list = words.iter().copied().map(String::from).collect(),
        Markers::Change(changes) => {
            for (word, add) in changes {
                list.retain(|have| have != word);
                if *add {
                    list.push(String::from(*word));
                }
            }
        }
    }
}
