//! Which worlds have been met, and with how few deeds: tables of fingerprints, each under a lock of its own.

use super::fingerprint::Fingerprint;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;

/// What a world is to those who meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// Nobody has met it.
    New,
    /// It was met, at a later level.
    Sooner,
    /// It was met, at this level or before.
    Known,
}

#[derive(Debug)]
pub(super) struct Visited {
    shards: Vec<Mutex<BTreeMap<Fingerprint, u8>>>,
}

impl Default for Visited {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Visited {
    /// A world is met at this level.
    pub(super) fn meet(&self, print: Fingerprint, level: u32) -> Met {
        let level = u8::try_from(level).expect("a level is a small number");
        let mut shard = self.shard(print);
        match shard.get_mut(&print) {
            None => {
                shard.insert(print, level);
                Met::New
            }
            Some(known) if level < *known => {
                *known = level;
                Met::Sooner
            }
            Some(_) => Met::Known,
        }
    }

    /// The lowest level at which it was met.
    pub(super) fn level(&self, print: Fingerprint) -> Option<u32> {
        self.shard(print).get(&print).map(|level| u32::from(*level))
    }

    fn shard(&self, print: Fingerprint) -> MutexGuard<'_, BTreeMap<Fingerprint, u8>> {
        let place = usize::try_from(print.0 % SHARDS as u128).expect("a small number");
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_new_once_and_may_be_met_sooner() {
        let visited = Visited::default();
        let print = Fingerprint(u128::MAX - 5);
        assert_eq!(visited.meet(print, 2), Met::New);
        assert_eq!(visited.meet(print, 2), Met::Known);
        assert_eq!(visited.meet(print, 1), Met::Sooner);
        assert_eq!((visited.meet(print, 2), visited.level(print)), (Met::Known, Some(1)));
        assert_eq!(visited.level(Fingerprint(3)), None);
    }
}
