//! Numbers, sizes, percentages, time spans, sets and addresses as unit files spell them (reference 10.3). `spelling.rs`
//! is the other direction.

use super::lexer::BLANKS;
use crate::settings::{CpuSet, IpPrefix};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

/// `yes` or `no` in all their spellings.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is(&["1", "yes", "y", "true", "t", "on"]) => Some(true),
        () if is(&["0", "no", "n", "false", "f", "off"]) => Some(false),
        () => None,
    }
}

/// A number as C reads it: decimal, `0x` hexadecimal, `0b` binary, `0o` or `0` octal.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)];
    let prefixed = prefixes.iter().find_map(|(prefix, radix)| Some((text.strip_prefix(prefix)?, *radix)));
    let (digits, radix) = match prefixed {
        Some(found) => found,
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    digits.chars().all(|c| c.is_digit(radix)).then(|| u64::from_str_radix(digits, radix).ok())?
}

/// Decimal digits at the beginning as a number, 0 for none at all; and what follows them.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    if digits.is_empty() { Some((0, rest)) } else { Some((digits.parse().ok()?, rest)) }
}

/// The digits behind a decimal point, if there is one, and what follows them. None for a point without digits.
fn leading_fraction(text: &str) -> Option<(&str, &str)> {
    let Some(after) = text.strip_prefix('.') else { return Some(("", text)) };
    let (digits, rest) = after.split_at(after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    (!digits.is_empty()).then_some((digits, rest))
}

/// These digits behind a point, as a part of `unit`, rounded down.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut step = unit;
    digits.bytes().fold(0, |sum, digit| {
        step /= 10;
        sum + step * u64::from(digit - b'0')
    })
}

const SIZE_SUFFIXES: [&str; 8] = ["E", "P", "T", "G", "M", "K", "B", ""];

/// A size in bytes with suffixes to this base: `5M`, `1.5G`, `1G 512M`.
pub(crate) fn size(text: &str, base: u64) -> Option<u64> {
    let (mut rest, mut sum, mut allowed) = (text, 0_u64, 0);
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (whole, after) = leading_number(rest)?;
        let (digits, after) = match after.strip_prefix('.') {
            Some(behind) if !behind.starts_with(|c: char| c.is_ascii_digit()) => ("", behind),
            _ => leading_fraction(after)?,
        };
        let after = after.trim_start_matches(BLANKS);
        let place = (allowed..SIZE_SUFFIXES.len()).find(|place| after.starts_with(SIZE_SUFFIXES[*place]))?;
        let factor = base.pow(u32::try_from(6_usize.saturating_sub(place)).expect("at most 6"));
        sum = sum.checked_add(whole.checked_mul(factor)?)?.checked_add(decimals_of(digits, factor))?;
        (allowed, rest) = (place + 1, &after[SIZE_SUFFIXES[place].len()..]);
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// As [`fraction_of`], for units that are no power of ten.
fn decimals_of(digits: &str, unit: u64) -> u64 {
    let digits = &digits[..digits.len().min(18)];
    let scale = 10_u128.pow(u32::try_from(digits.len()).expect("at most 18"));
    let part = u128::from(digits.parse::<u64>().unwrap_or(0)) * u128::from(unit) / scale;
    u64::try_from(part).expect("less than the unit")
}

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Where one word begins another, the longer one comes first.
const TIME_UNITS: [(&str, u64); 31] = [
    ("seconds", SECOND),
    ("second", SECOND),
    ("sec", SECOND),
    ("s", SECOND),
    ("minutes", 60 * SECOND),
    ("minute", 60 * SECOND),
    ("min", 60 * SECOND),
    ("months", 2_629_800 * SECOND),
    ("month", 2_629_800 * SECOND),
    ("M", 2_629_800 * SECOND),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", 60 * SECOND),
    ("hours", 3600 * SECOND),
    ("hour", 3600 * SECOND),
    ("hr", 3600 * SECOND),
    ("h", 3600 * SECOND),
    ("days", DAY),
    ("day", DAY),
    ("d", DAY),
    ("weeks", 7 * DAY),
    ("week", 7 * DAY),
    ("w", 7 * DAY),
    ("years", 31_557_600 * SECOND),
    ("year", 31_557_600 * SECOND),
    ("y", 31_557_600 * SECOND),
    ("usec", 1),
    ("us", 1),
    ("µs", 1),
    ("μs", 1),
    ("", SECOND),
];

/// A time span in microseconds; a number alone is seconds.
pub(crate) fn time_span(text: &str) -> Option<u64> {
    if text.trim_matches(BLANKS) == "infinity" {
        return Some(u64::MAX);
    }
    let (mut rest, mut sum) = (text.trim_matches(BLANKS), 0_u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        let (whole, after) = leading_number(rest)?;
        let (digits, after) = leading_fraction(after)?;
        let behind = after.trim_start_matches(BLANKS);
        let (word, unit) = TIME_UNITS.iter().find(|(word, _)| behind.starts_with(word))?;
        rest = behind[word.len()..].trim_start_matches(BLANKS);
        if word.is_empty() && after.len() == behind.len() && !rest.is_empty() {
            return None;
        }
        let part = whole.checked_mul(*unit)?.checked_add(fraction_of(digits, *unit))?;
        sum = sum.checked_add(part).filter(|sum| *sum < u64::MAX)?;
    }
    Some(sum)
}

/// A part of the whole in hundredths of a percent: `12.34%`, also with `‰` and `‱`.
pub(crate) fn permyriad(text: &str) -> Option<u64> {
    let parts = permyriad_unbounded(text, 2)?.0;
    (parts <= 10_000).then_some(parts)
}

/// The same, above 100% too, with up to so many decimals; and what is beyond hundredths, in millionths.
pub(crate) fn permyriad_unbounded(text: &str, decimals_max: usize) -> Option<(u64, u64)> {
    let units = [('‱', 1_u64), ('‰', 10), ('%', 100)];
    let (number, unit) = units.iter().find_map(|(sign, unit)| Some((text.strip_suffix(*sign)?, *unit)))?;
    let (digits, decimals) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let may_have = match unit {
        100 => decimals_max,
        10 => 1,
        _ => 0,
    };
    let has_empty_decimals = number.ends_with('.');
    if digits.is_empty()
        || !is_number(digits)
        || !is_number(decimals)
        || decimals.len() > may_have
        || has_empty_decimals
    {
        return None;
    }
    let whole = digits.parse::<u64>().ok().and_then(|digits| digits.checked_mul(unit))?;
    let fraction = fraction_of(decimals, unit * 100);
    Some((whole.checked_add(fraction / 100)?, fraction % 100))
}

/// One past the highest CPU or node that a set may hold.
const SET_SIZE_MAX: usize = 8192;

/// Numbers and ranges, separated by blanks or commas.
pub(crate) fn cpu_set(text: &str) -> Option<CpuSet> {
    let mut words: Vec<u64> = vec![];
    for item in text.split([' ', '\t', ',']).filter(|item| !item.is_empty()) {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (index(first)?, index(last)?);
        for bit in first..=last {
            words.resize(words.len().max(bit / 64 + 1), 0);
            words[bit / 64] |= 1 << (bit % 64);
        }
    }
    Some(CpuSet(words))
}

fn index(text: &str) -> Option<usize> {
    let number = number(text).and_then(|number| usize::try_from(number).ok())?;
    (number < SET_SIZE_MAX).then_some(number)
}

/// A range of addresses, or several of them by a word.
pub(crate) fn address_prefix(text: &str) -> Option<Vec<IpPrefix>> {
    match text {
        "any" => return Some(vec![prefix([0; 4], 0), prefix([0; 16], 0)]),
        "localhost" => return Some(vec![prefix([127, 0, 0, 0], 8), prefix(v6([0, 0], 1), 128)]),
        "link-local" => return Some(vec![prefix([169, 254, 0, 0], 16), prefix(v6([0xfe, 0x80], 0), 64)]),
        "multicast" => return Some(vec![prefix([224, 0, 0, 0], 4), prefix(v6([0xff, 0], 0), 8)]),
        _ => {}
    }
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address = match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let bits = u64::try_from(address.len() * 8).expect("at most 128");
    let length = length.map_or(Some(bits), number).filter(|length| *length <= bits)?;
    Some(vec![IpPrefix { address, length: u32::try_from(length).expect("at most 128") }])
}

fn prefix<const N: usize>(address: [u8; N], length: u32) -> IpPrefix {
    IpPrefix { address: address.to_vec(), length }
}

fn v6(first: [u8; 2], last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&first);
    address[15] = last;
    address
}

#[cfg(test)]
mod tests {
    use super::super::{Limit, Quota, TimeSpan};
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn booleans_and_numbers() {
        for (text, want) in [("Yes", Some(true)), ("on", Some(true)), ("F", Some(false)), ("", None), ("2", None)] {
            assert_eq!(boolean(text), want, "{text}");
        }
        for (text, want) in [("12", 12), ("0x1F", 31), ("010", 8), ("0b11", 3), ("0", 0), ("+5", 5)] {
            assert_eq!(number(text), Some(want), "{text}");
        }
        for text in ["", "-1", "1 ", "0x", "08", "+", "++1", "0x+1", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("0", 0),
            ("1K", 1024),
            ("1.5G", 1_610_612_736),
            ("1G 512M", 1_610_612_736),
            ("3 K 5", 3077),
            ("7B", 7),
            ("1.K", 1024),
            ("16383P", 18_445_618_173_802_708_992),
        ] {
            assert_eq!(size(text, 1024), Some(want), "{text}");
        }
        assert_eq!(size("5M", 1000), Some(5_000_000));
        for text in ["", "-1", "K", "1K 1M", "1 2", "16E", "1x", "1k", "99999999999999999999", "infinity", ".5K"] {
            assert_eq!(size(text, 1024), None, "{text}");
        }
    }

    #[test]
    fn time_spans() {
        for (text, want) in [
            ("5min 20s", 320_000_000),
            ("20", 20_000_000),
            ("1.5", 1_500_000),
            (".5s", 500_000),
            ("5 3", 8_000_000),
            ("2h30m", 9_000_000_000),
            ("1month", 2_629_800_000_000),
            ("7µs", 7),
            ("infinity", u64::MAX),
            (" 0 ", 0),
        ] {
            assert_eq!(time_span(text), Some(want), "{text}");
        }
        for text in ["", "-1", "s", "1.s", "5x", "5foo", "12.34.56", "99999999999y", "infinity 1", "."] {
            assert_eq!(time_span(text), None, "{text}");
        }
    }

    #[test]
    fn percentages() {
        for (text, want) in [("50%", 5000), ("12.5%", 1250), ("0.01%", 1), ("100%", 10_000), ("5‰", 50), ("7‱", 7)]
        {
            assert_eq!(permyriad(text), Some(want), "{text}");
        }
        for text in ["", "%", "50", "-1%", "1.234%", "1.%", ".5%", "101%", "1.5‱", "+1%", "99999999999%"] {
            assert_eq!(permyriad(text), None, "{text}");
        }
        assert_eq!(permyriad_unbounded("150%", 4), Some((15_000, 0)));
        assert_eq!(permyriad_unbounded("1.0203%", 4), Some((102, 3)));
    }

    #[test]
    fn sets_and_addresses() {
        assert_eq!(cpu_set("0-3 7,64"), Some(CpuSet(vec![0b1000_1111, 1])));
        assert_eq!(cpu_set(""), Some(CpuSet(vec![])));
        assert_eq!(cpu_set("5-3"), Some(CpuSet(vec![])));
        for text in ["x", "-1", "8192", "1-", "1-2-3"] {
            assert_eq!(cpu_set(text), None, "{text}");
        }
        assert_eq!(address_prefix("10.0.0.0/8"), Some(vec![prefix([10, 0, 0, 0], 8)]));
        assert_eq!(address_prefix("::1"), Some(vec![prefix(v6([0, 0], 1), 128)]));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "any/0", "::/129", "1.2.3.4/"] {
            assert_eq!(address_prefix(text), None, "{text}");
        }
        assert!(["any", "localhost", "link-local", "multicast"].iter().all(|word| address_prefix(word).is_some()));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(number in prop_oneof![any::<u64>(), 0_u64..100_000_000, Just(u64::MAX)]) {
            prop_assert_eq!(time_span(&TimeSpan(number).to_string()), Some(number));
            let limit = Limit(number).to_string();
            prop_assert!(limit == "infinity" || size(&limit, 1024) == Some(number));
            let quota = number % 100_000_000;
            let (parts, beyond) = permyriad_unbounded(&Quota(quota).to_string(), 4).expect("read");
            prop_assert_eq!(parts * 100 + beyond, quota);
        }

        #[test]
        fn any_text_is_taken(text in "[0-9.%‰‱ KMsmin,/:-]{0,20}") {
            let _ = (boolean(&text), number(&text), size(&text, 1000), time_span(&text), permyriad(&text));
            let _ = (cpu_set(&text), address_prefix(&format!("{text}/8")));
        }
    }
}
