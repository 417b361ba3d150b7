//! Laid into the patched copy of the core as `mutant.rs`, and nowhere else: which of the patches counts in this run.

extern crate std;

use std::sync::OnceLock;

/// Whether this is the bug that is to be there.
pub fn is(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<std::string::String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("CGARBITER_MUTANT").ok()).as_deref() == Some(name)
}
