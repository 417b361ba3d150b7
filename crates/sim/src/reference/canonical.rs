//! What of the promises the judgement of a future depends on (see [`cgarbiter_core::canonical`]): all of it, with calls
//! and jobs under names. Left out is which units may be transient: it matters for settings that are to stay, and those
//! who compare worlds ask for none.

use super::Reference;
use cgarbiter_core::canonical::{self, Kind};
use std::hash::{Hash, Hasher};

impl Hash for Reference {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { units, asked, jobs, homes, wanted, refused, left, meddled, dropped_in, settings, ties, .. } = self;
        let Self { left_alone, restarting, said, unordered, transient: _, .. } = self;
        (units, asked, homes, wanted, refused, left, left_alone, meddled, dropped_in, settings).hash(state);
        (ties, restarting, said, jobs.len(), unordered.len()).hash(state);
        for (job, meant) in jobs {
            canonical::write(Kind::Job, u64::from(*job), state);
            meant.hash(state);
        }
        unordered.iter().for_each(|job| canonical::write(Kind::Job, u64::from(*job), state));
    }
}
