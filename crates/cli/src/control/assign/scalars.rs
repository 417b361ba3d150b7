//! Single values: switches, numbers, sizes, percentages, time spans, signals.

use std::str::FromStr;

use super::INFINITY;

const TEN_THOUSAND: u64 = 10_000;
const USEC_PER_SEC: u64 = 1_000_000;

/// As systemd reads a switch.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Ok(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

pub(super) fn integer<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| "expected a whole number in range".to_owned())
}

/// 1 … 10000, empty = not set.
pub(super) fn weight(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(INFINITY);
    }
    match integer(text)? {
        weight @ 1..=TEN_THOUSAND => Ok(weight),
        _ => Err("expected a weight of 1 to 10000".to_owned()),
    }
}

pub(super) fn size_limit(text: &str) -> Result<u64, String> {
    match text {
        "" | "infinity" => Ok(INFINITY),
        _ => size(text, 1024),
    }
}

pub(super) fn count_limit(text: &str) -> Result<u64, String> {
    match text {
        "" | "infinity" => Ok(INFINITY),
        _ => integer(text),
    }
}

/// Bytes or operations per second, base 1000.
pub(super) fn bandwidth(text: &str) -> Result<u64, String> {
    match text {
        "infinity" => Ok(INFINITY),
        _ => size(text, 1000),
    }
}

/// `1G`, `1.5M`, `1G 200M`: parts with ever smaller suffixes; a part without one counts bytes.
pub(super) fn size(text: &str, base: u64) -> Result<u64, String> {
    let mut rest = text.trim();
    if rest.starts_with('.') {
        return Err("expected a digit before the point".to_owned());
    }
    let (mut total, mut previous) = (0_u64, usize::MAX);
    while !rest.is_empty() || previous == usize::MAX {
        let (number, after) = Decimal::take(rest).ok_or("expected a size such as 512M")?;
        let suffix = after.trim_start().chars().next().filter(|c| !c.is_ascii_digit());
        let exponent = exponent(suffix).ok_or("unknown size suffix, expected K, M, G, T, P or E")?;
        if exponent.rank >= previous {
            return Err("expected ever smaller suffixes, as in 1G 200M".to_owned());
        }
        previous = exponent.rank;
        let part = number.times(base.pow(exponent.power)).ok_or("too large")?;
        total = total.checked_add(part).ok_or("too large")?;
        rest = match suffix {
            Some(letter) => after.trim_start()[letter.len_utf8()..].trim_start(),
            None => after.trim_start(),
        };
    }
    Ok(total)
}

/// A suffix's power of the base, and where it stands among the suffixes.
struct Exponent {
    power: u32,
    rank: usize,
}

fn exponent(suffix: Option<char>) -> Option<Exponent> {
    let power = match suffix {
        None | Some('B') => 0,
        Some('K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        Some('E') => 6,
        Some(_) => return None,
    };
    let rank = power as usize * 2 + usize::from(suffix.is_some());
    Some(Exponent { power, rank })
}

pub(super) fn is_percentage(text: &str) -> bool {
    text.ends_with(['%', '‰', '‱'])
}

/// Hundredths of a percent; not bounded above.
pub(super) fn permyriad(text: &str) -> Result<u64, String> {
    let (number, unit) = [('%', 100), ('‰', 10), ('‱', 1)]
        .into_iter()
        .find_map(|(sign, unit)| Some((text.strip_suffix(sign)?, unit)))
        .ok_or("expected a percentage such as 20%")?;
    let (decimal, rest) = Decimal::take(number).ok_or("expected a percentage such as 20%")?;
    let exact = rest.is_empty() && decimal.fits(unit);
    if !exact {
        return Err("expected a percentage with at most two decimals".to_owned());
    }
    decimal.times(unit).ok_or_else(|| "too large".to_owned())
}

/// Hundredths of a percent → fraction of 2^32-1, rounded as systemd rounds.
pub(super) fn scale(permyriad: u64) -> Result<u32, String> {
    if permyriad > TEN_THOUSAND {
        return Err("expected at most 100%".to_owned());
    }
    let scaled = (u64::from(u32::MAX) * permyriad + TEN_THOUSAND / 2) / TEN_THOUSAND;
    u32::try_from(scaled).map_err(|_| "too large".to_owned())
}

/// A share of one CPU → microseconds per second.
pub(super) fn quota(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(INFINITY);
    }
    match permyriad(text)? {
        0 => Err("a quota of nothing is not possible".to_owned()),
        share => share.checked_mul(USEC_PER_SEC / TEN_THOUSAND).ok_or_else(|| "too large".to_owned()),
    }
}

/// `5s`, `1min 30s`, `1.5h`, `90` (seconds), `infinity` → microseconds.
pub(crate) fn span(text: &str) -> Result<u64, String> {
    const WHAT: &str = "expected a time span such as 5s or 1min 30s";
    let mut rest = text.trim();
    if rest == "infinity" {
        return Ok(INFINITY);
    }
    let mut total = 0_u64;
    if rest.is_empty() {
        return Err(WHAT.to_owned());
    }
    while !rest.is_empty() {
        let (number, after) = Decimal::take(rest).ok_or(WHAT)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let unit = unit_usec(&after[..end]).ok_or_else(|| format!("unknown time unit '{}'", &after[..end]))?;
        let part = number.times(unit).ok_or("too long")?;
        total = total.checked_add(part).filter(|t| *t != INFINITY).ok_or("too long")?;
        rest = after[end..].trim_start();
    }
    Ok(total)
}

fn unit_usec(unit: &str) -> Option<u64> {
    Some(match unit {
        "us" | "usec" | "µs" | "μs" => 1,
        "ms" | "msec" => 1_000,
        "" | "s" | "sec" | "second" | "seconds" => USEC_PER_SEC,
        "m" | "min" | "minute" | "minutes" => 60 * USEC_PER_SEC,
        "h" | "hr" | "hour" | "hours" => 3_600 * USEC_PER_SEC,
        "d" | "day" | "days" => 86_400 * USEC_PER_SEC,
        "w" | "week" | "weeks" => 604_800 * USEC_PER_SEC,
        "M" | "month" | "months" => 2_629_800 * USEC_PER_SEC,
        "y" | "year" | "years" => 31_557_600 * USEC_PER_SEC,
        _ => return None,
    })
}

/// `TERM`, `SIGTERM`, `15`, `RTMIN+3`.
pub(crate) fn signal(text: &str) -> Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = name.parse().ok().or_else(|| real_time(name)).or_else(|| named(name));
    match number {
        Some(number @ 1..=64) => Ok(number),
        _ => Err("expected a signal such as TERM or 15".to_owned()),
    }
}

fn named(name: &str) -> Option<i32> {
    nix::sys::signal::Signal::from_str(&format!("SIG{name}")).ok().map(|signal| signal as i32)
}

fn real_time(name: &str) -> Option<i32> {
    let (first, last) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => first,
        (_, Some("")) => last,
        (Some(plus), _) => first + plus.strip_prefix('+')?.parse::<i32>().ok()?,
        (_, Some(minus)) => last - minus.strip_prefix('-')?.parse::<i32>().ok()?,
        (None, None) => return None,
    };
    (first..=last).contains(&number).then_some(number)
}

/// A decimal number, kept exact: `digits / 10^decimals`.
struct Decimal {
    digits: u128,
    decimals: u32,
}

impl Decimal {
    /// Takes a number from the front; none if there is no digit, or none after the point.
    fn take(text: &str) -> Option<(Self, &str)> {
        let whole = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut end = whole;
        if let Some(after_dot) = text[whole..].strip_prefix('.') {
            end = text.len() - after_dot.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if end == whole + 1 {
                return None;
            }
        }
        let fraction = text.get(whole + 1..end).unwrap_or("");
        let digits = format!("{}{}", &text[..whole], &fraction[..fraction.len().min(12)]);
        let number = Self { digits: digits.parse().ok()?, decimals: fraction.len().min(12) as u32 };
        Some((number, &text[end..]))
    }

    fn times(&self, factor: u64) -> Option<u64> {
        let product = self.digits.checked_mul(u128::from(factor))?;
        u64::try_from(product / 10_u128.pow(self.decimals)).ok()
    }

    /// Whether `times(factor)` loses nothing.
    fn fits(&self, factor: u64) -> bool {
        self.digits.checked_mul(u128::from(factor)).is_some_and(|p| p % 10_u128.pow(self.decimals) == 0)
    }
}
