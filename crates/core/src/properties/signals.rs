//! Signal numbers and their names in unit files.

use alloc::borrow::Cow;
use alloc::format;

/// Names of the signals from 1 on, without `SIG`.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// The first real-time signal as the C library counts.
const RT_MIN: i32 = 34;
const MAX: i32 = 64;

/// Whether there is such a signal.
pub(super) fn is_valid(number: i32) -> bool {
    (1..=MAX).contains(&number)
}

/// The name that unit files use.
pub(crate) fn name(number: i32) -> Cow<'static, str> {
    let known = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    match known {
        Some(name) => Cow::Borrowed(name),
        None if number >= RT_MIN => Cow::Owned(format!("RTMIN+{}", number - RT_MIN)),
        None => Cow::Owned(format!("{number}")),
    }
}

/// The number of a name (with or without `SIG`), of a real-time signal, or of a number.
pub(super) fn from_name(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return Some(number).filter(|number| is_valid(*number));
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let known = NAMES.iter().position(|known| *known == name).and_then(|index| i32::try_from(index + 1).ok());
    let offset = |sign: &str, from: &str| match name.strip_prefix(from)? {
        "" => Some(0),
        rest => rest.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let from_below = || offset("+", "RTMIN").map(|offset| RT_MIN + offset);
    let from_above = || offset("-", "RTMAX").map(|offset| MAX - offset);
    let is_real_time = |number: &i32| (RT_MIN..=MAX).contains(number);
    known.or_else(|| from_below().or_else(from_above).filter(is_real_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (number, want) in [(1, "HUP"), (9, "KILL"), (15, "TERM"), (31, "SYS"), (32, "32"), (34, "RTMIN+0")] {
            assert_eq!(name(number), want);
        }
        for number in (1..=MAX).filter(|number| is_valid(*number)) {
            assert_eq!(from_name(&name(number)), Some(number));
        }
        for (text, want) in [("SIGTERM", 15), ("RTMAX-1", 63), ("RTMIN", 34), ("SIGRTMAX", 64), ("12", 12)] {
            assert_eq!(from_name(text), Some(want), "{text}");
        }
        for text in ["", "SIG", "term", "0", "65", "-1", "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMIN+", "SIGSIGINT"] {
            assert_eq!(from_name(text), None, "{text}");
        }
        assert!(is_valid(64) && !is_valid(65) && !is_valid(0));
    }
}
