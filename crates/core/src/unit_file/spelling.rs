//! How values are spelled when they are written: limits, percentages, time spans. `parse.rs` is the other direction.

use core::fmt;

/// `yes` or `no`.
#[must_use]
pub fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// A limit: a number, or `infinity` for the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("infinity"),
            number => write!(f, "{number}"),
        }
    }
}

/// A fraction of 2^32-1 as a percentage with two decimals, rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = u64::from(u32::MAX);
        let permyriad = (u64::from(self.0) * 10_000 + whole / 2) / whole;
        write!(f, "{}.{:02}%", permyriad / 100, permyriad % 100)
    }
}

/// Microseconds per second as a percentage of one CPU, with as many decimals as it takes to lose nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(pub u64);

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        match rest {
            0 => write!(f, "{whole}%"),
            _ if rest % 100 == 0 => write!(f, "{whole}.{:02}%", rest / 100),
            _ => write!(f, "{whole}.{rest:04}%"),
        }
    }
}

/// Microseconds as a time span (`1min 30s`, `infinity`, `0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan(pub u64);

const SPANS: [(&str, u64); 9] = [
    ("y", 31_557_600_000_000),
    ("month", 2_629_800_000_000),
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => return f.write_str("0"),
            u64::MAX => return f.write_str("infinity"),
            _ => {}
        }
        let mut rest = self.0;
        for (unit, usec) in SPANS {
            if rest < usec {
                continue;
            }
            let gap = if rest == self.0 { "" } else { " " };
            let (count, below) = (rest / usec, rest % usec);
            // Below a minute the remainder is written as decimals, all of them or as many as are not zero.
            if usec < 60_000_000 && below > 0 {
                return write_decimals(f, gap, count, below, usec, unit);
            }
            write!(f, "{gap}{count}{unit}")?;
            rest = below;
        }
        Ok(())
    }
}

fn write_decimals(f: &mut fmt::Formatter<'_>, gap: &str, count: u64, below: u64, usec: u64, unit: &str) -> fmt::Result {
    let (mut digits, mut width, mut step) = (below, 0, usec);
    while step > 1 {
        step /= 10;
        width += 1;
    }
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    write!(f, "{gap}{count}.{digits:0width$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn time_spans_read_as_systemd_writes_them() {
        for (usec, want) in [
            (0, "0"),
            (u64::MAX, "infinity"),
            (1, "1us"),
            (999, "999us"),
            (100_000, "100ms"),
            (1_500, "1.5ms"),
            (1_000_001, "1.000001s"),
            (250_000, "250ms"),
            (90_000_000, "1min 30s"),
            (90_500_000, "1min 30.5s"),
            (3_600_000_000, "1h"),
            (86_400_000_000 + 60_000_000, "1d 1min"),
        ] {
            assert_eq!(TimeSpan(usec).to_string(), want);
        }
    }

    #[test]
    fn percentages() {
        for (fraction, want) in [(u32::MAX, "100.00%"), (429_496_730, "10.00%"), (0, "0.00%"), (214_748_365, "5.00%")] {
            assert_eq!(Percent(fraction).to_string(), want);
        }
        for (usec, want) in
            [(250_000, "25%"), (1_500_000, "150%"), (5_000, "0.50%"), (1, "0.0001%"), (10_001, "1.0001%")]
        {
            assert_eq!(Quota(usec).to_string(), want);
        }
    }
}
