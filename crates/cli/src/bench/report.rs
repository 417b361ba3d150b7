//! The figures of a run.

use std::time::Duration;

use serde::Serialize;

#[derive(Debug)]
pub(super) struct Report {
    pub(super) operation: String,
    pub(super) depth: u32,
    pub(super) took: Duration,
    /// One per operation that ended.
    pub(super) times: Vec<Duration>,
    pub(super) errors: usize,
}

/// The report as it is printed.
#[derive(Debug, Serialize)]
struct Figures<'a> {
    op: &'a str,
    n: usize,
    depth: u32,
    seconds: f64,
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    errors: usize,
}

impl Report {
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let (n, seconds) = (times.len(), self.took.as_secs_f64());
        let at = |index: usize| rounded(times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6), 1);
        serde_json::to_string(&Figures {
            op: &self.operation,
            n,
            depth: self.depth,
            seconds: rounded(seconds, 4),
            per_second: rounded(n as f64 / seconds, 1),
            p50_us: at(n / 2),
            p99_us: at(n * 99 / 100),
            max_us: at(n.saturating_sub(1)),
            errors: self.errors,
        })
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    (value * 10_f64.powi(digits)).round() / 10_f64.powi(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let report = Report {
            operation: "scope".into(),
            depth: 16,
            took: Duration::from_millis(500),
            times: (1..=1000).rev().map(Duration::from_micros).collect(),
            errors: 0,
        };
        insta::assert_snapshot!(report.json().unwrap(), @r#"{"op":"scope","n":1000,"depth":16,"seconds":0.5,"per_second":2000.0,"p50_us":501.0,"p99_us":991.0,"max_us":1000.0,"errors":0}"#);
    }
}
