//! What of a world its future depends on (see [`cgarbiter_core::canonical`]). Left out are:
//!
//! * the time: what is known of moments is hashed as such, and a hasher that renames knows the time;
//! * what was sent and has not arrived: whoever searches knows it better, and hashes it;
//! * who is on the bus, which does not change in a search, and the numbers handed out last;
//! * the trace, what was counted, what is broken on purpose.

use super::World;
use std::hash::{Hash, Hasher};

/// To be taken when everything that has become visible has been taken.
impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            manager,
            backend,
            now: _,
            clients: _,
            sent,
            visible,
            last_call: _,
            last_client: _,
            trace: _,
            realtime_ahead,
            question_error,
            mutant: _,
            is_checked: _,
            effort: _,
            seen: _,
        } = self;
        assert!(visible.is_empty(), "what could be seen was looked at");
        // The backend first: its directories, gone through by name, give them their names.
        (backend, manager, sent.len(), realtime_ahead, question_error).hash(state);
    }
}
