//! Pressure files: what a trigger must look like. Nobody ever waits here, so nothing is ever reported.

use super::access::Caller;
use super::files::File;
use super::parse::scan_decimal;
use super::{Errno, Kernel};

/// The longest window, in microseconds.
const WINDOW_MAX: u64 = 10_000_000;

impl Kernel {
    /// Is this a trigger that the opener may have?
    pub(super) fn check_trigger(&self, opener: &Caller, text: &[u8]) -> Result<(), Errno> {
        let rest = text.strip_prefix(b"some ").or_else(|| text.strip_prefix(b"full ")).ok_or(Errno::EINVAL)?;
        let (stall, _, rest) = scan_decimal(rest).ok_or(Errno::EINVAL)?;
        let (window, _, _) = scan_decimal(rest).ok_or(Errno::EINVAL)?;
        let window_min = if self.config.at_least(6, 12) { 1 } else { 500_000 };
        let coarse = window % 2_000_000 == 0;
        let fits = window_min <= window && window <= WINDOW_MAX && 0 < stall && stall <= window;
        if fits && (coarse || opener.privileged()) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    pub(super) fn show_pressure(file: File) -> &'static str {
        match file {
            File::CpuPressure | File::IoPressure | File::MemoryPressure => {
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
            }
            _ => unreachable!("{} is no pressure file", file.name()),
        }
    }
}
