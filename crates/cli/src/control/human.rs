//! Figures for people: sizes, time spans, points in time.

use std::time::{SystemTime, UNIX_EPOCH};

const USEC: u64 = 1_000_000;

/// Base 1024, one decimal.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: &[char] = &['K', 'M', 'G', 'T', 'P', 'E'];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// The two most significant units.
pub(crate) fn span(usec: u64) -> String {
    let seconds = usec / USEC;
    match usec {
        0 => "0".to_owned(),
        _ if usec < 1_000 => format!("{usec}us"),
        _ if usec < USEC => format!("{}ms", usec / 1_000),
        _ if seconds < 60 => trimmed(format!("{:.3}", usec as f64 / USEC as f64)) + "s",
        _ if seconds < 3_600 => two(seconds, 60, "min", 1, "s"),
        _ if seconds < 86_400 => two(seconds, 3_600, "h", 60, "min"),
        _ => two(seconds, 86_400, "d", 3_600, "h"),
    }
}

fn two(seconds: u64, unit: u64, name: &str, smaller: u64, smaller_name: &str) -> String {
    match seconds % unit / smaller {
        0 => format!("{}{name}", seconds / unit),
        rest => format!("{}{name} {rest}{smaller_name}", seconds / unit),
    }
}

fn trimmed(number: String) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A point in time in UTC, as systemctl writes it; empty for "never".
pub(crate) fn timestamp(usec: u64) -> String {
    if usec == 0 || usec == u64::MAX {
        return String::new();
    }
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = usec / USEC;
    let (day, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, date) = civil(day);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    let weekday = DAYS[(day % 7) as usize];
    format!("{weekday} {year}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Days since 1970-01-01 → year, month, day (Hinnant's algorithm).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// How long ago that was, by the clock of this machine.
pub(crate) fn ago(usec: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    match now.saturating_sub(usec) / USEC {
        0 => "0s".to_owned(),
        seconds => span(seconds * USEC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let texts: Vec<_> = [0, 1023, 1024, 67_108_864, 1_572_864, 1 << 40, u64::MAX - 1].map(size).into();
        assert_eq!(texts, ["0B", "1023B", "1.0K", "64.0M", "1.5M", "1.0T", "16.0E"]);
        assert_eq!(size(1024 * 1024 - 1), "1.0M");
    }

    #[test]
    fn spans() {
        let texts: Vec<_> =
            [0, 7, 3_000, 1_500_000, 59_999_000, 90_000_000, 3_600_000_000, 90_061_000_000].map(span).into();
        assert_eq!(texts, ["0", "7us", "3ms", "1.5s", "59.999s", "1min 30s", "1h", "1d 1h"]);
    }

    #[test]
    fn points_in_time() {
        assert_eq!(timestamp(0), "");
        assert_eq!(timestamp(1_000_000), "Thu 1970-01-01 00:00:01 UTC");
        assert_eq!(timestamp(1_795_363_107_123_456), "Sun 2026-11-22 15:58:27 UTC");
        assert_eq!(timestamp(951_782_400_000_000), "Tue 2000-02-29 00:00:00 UTC");
    }
}
