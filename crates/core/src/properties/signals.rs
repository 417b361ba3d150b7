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
pub(super) fn name(number: i32) -> Cow<'static, str> {
    let known = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    match known {
        Some(name) => Cow::Borrowed(name),
        None if number >= RT_MIN => Cow::Owned(format!("RTMIN+{}", number - RT_MIN)),
        None => Cow::Owned(format!("{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (number, want) in [(1, "HUP"), (9, "KILL"), (15, "TERM"), (31, "SYS"), (32, "32"), (34, "RTMIN+0")] {
            assert_eq!(name(number), want);
        }
        assert!(is_valid(64) && !is_valid(65) && !is_valid(0));
    }
}
