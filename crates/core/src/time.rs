//! Time as the core knows it: numbers handed in, never a clock. Deadlines live in `timers.rs`.

use core::fmt;
use core::hash::{Hash, Hasher};

/// Microseconds that mean "never" or "no limit" wherever the API speaks of times (`UINT64_MAX`, reference 06.0).
pub const INFINITY: u64 = u64::MAX;

/// A moment on the monotonic clock, in microseconds since an arbitrary start that outlives the daemon (boot).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment `usec` later; stays at the end of time when the sum would pass it.
    #[must_use]
    pub fn after(self, usec: u64) -> Self {
        Self(self.0.saturating_add(usec))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// One reading of both clocks, taken by the driver when it hands in an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_MONOTONIC`, microseconds.
    pub monotonic: Instant,
    /// `CLOCK_REALTIME`, microseconds since 1970.
    pub realtime: u64,
}

/// When something happened, on both clocks; zero on both means never (reference 02.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp {
    /// Microseconds since 1970.
    pub realtime: u64,
    /// Microseconds on the monotonic clock.
    pub monotonic: u64,
}

impl Timestamp {
    /// Whether it has happened at all.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.monotonic != 0
    }
}

/// As a moment on the monotonic clock: the other one is only shown.
impl Hash for Timestamp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.is_set().hash(state);
        if self.is_set() {
            Instant(self.monotonic).hash(state);
        }
    }
}

impl From<Now> for Timestamp {
    fn from(now: Now) -> Self {
        // Zero is taken: it means never.
        Self { realtime: now.realtime.max(1), monotonic: now.monotonic.0.max(1) }
    }
}
