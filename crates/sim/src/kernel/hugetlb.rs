//! The hugetlb controller with its one page size of 2 MiB. Nobody uses huge pages here; only the limits are kept.

use super::memory::{COUNTER_MAX, PAGE, parse_pages};
use super::{Errno, Kernel};

/// Pages of 4 KiB in a huge page.
const HUGE: u64 = 512;

/// The largest limit, in pages.
const LIMIT_MAX: u64 = COUNTER_MAX / HUGE * HUGE;

#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Hugetlb {
    /// `max` and `rsvd.max`, in pages.
    limits: [u64; 2],
}

impl Default for Hugetlb {
    fn default() -> Self {
        Self { limits: [COUNTER_MAX; 2] }
    }
}

impl Kernel {
    pub(super) fn write_hugetlb_max(&mut self, index: u32, reserved: bool, text: &[u8]) -> Result<(), Errno> {
        let pages = parse_pages(text, self.config.at_least(7, 2))?;
        self.cgroups[index].hugetlb.limits[usize::from(reserved)] = pages / HUGE * HUGE;
        Ok(())
    }

    /// A limit that was never written is larger than any that can be; from 6.16 to 7.1 it prints as a number.
    pub(super) fn show_hugetlb_max(&self, index: u32, reserved: bool) -> String {
        let pages = self.cgroups[index].hugetlb.limits[usize::from(reserved)];
        let odd = self.config.at_least(6, 16) && !self.config.at_least(7, 2);
        match pages {
            COUNTER_MAX if odd => format!("{}\n", COUNTER_MAX * PAGE),
            LIMIT_MAX.. => "max\n".to_owned(),
            pages => format!("{}\n", pages * PAGE),
        }
    }
}
