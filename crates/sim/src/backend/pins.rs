//! Pins: processes that are held on to, so that a number used again does not come to mean another process.

use crate::kernel::{Kernel, Pid, State};
use cgarbiter_core::plan::Pin;
use std::collections::{BTreeMap, BTreeSet};

/// The processes that are held. A pin is given once and never again, not even after a restart of the arbiter.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins {
    pub(super) held: BTreeMap<Pin, Held>,
    /// Descriptors that are no processes.
    pub(super) others: BTreeSet<Pin>,
    last: u64,
}

/// A process that is held.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Held {
    pid: Pid,
    /// How many processes of this number have ended since.
    ends: u32,
}

impl Held {
    /// Its number, which may mean another by now.
    pub(super) fn pid(self) -> Pid {
        self.pid
    }

    /// Whether it has not ended.
    pub(super) fn is_alive(self) -> bool {
        self.ends == 0
    }

    /// Whether it is not even waiting to be reaped: whoever has its number is another.
    pub(super) fn is_reaped(self, kernel: &Kernel) -> bool {
        self.ends > 1 || self.ends == 1 && !matches!(kernel.state(self.pid), Some(State::Zombie(_)))
    }
}

impl Pins {
    /// Takes hold of a process that lives now.
    pub(super) fn hold(&mut self, pid: Pid) -> Pin {
        self.last += 1;
        let pin = Pin(self.last);
        self.held.insert(pin, Held { pid, ends: 0 });
        pin
    }

    /// Holds a descriptor that is no process.
    pub(super) fn hold_other(&mut self) -> Pin {
        self.last += 1;
        let pin = Pin(self.last | Pin::OTHER);
        self.others.insert(pin);
        pin
    }

    /// The process, if it is held and still the one that was meant.
    pub(super) fn get(&self, pin: Pin) -> Option<Pid> {
        self.held.get(&pin).filter(|held| held.is_alive()).map(|held| held.pid)
    }

    pub(super) fn release(&mut self, pin: Pin) {
        self.held.remove(&pin);
        self.others.remove(&pin);
    }

    /// The process of this number has ended: whoever has the number next is not meant.
    pub(super) fn ended(&mut self, pid: Pid) {
        self.held.values_mut().filter(|held| held.pid == pid).for_each(|held| held.ends += 1);
    }

    /// Holds nothing, and goes on numbering.
    pub(super) fn cleared(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_used_again_is_not_the_process_that_was_pinned() {
        let mut pins = Pins::default();
        let old = pins.hold(7);
        pins.ended(7);
        let new = pins.hold(7);
        assert_eq!((pins.get(old), pins.get(new)), (None, Some(7)));
        assert_eq!(pins.held.get(&old).map(|held| held.pid()), Some(7));
        pins.release(new);
        assert_eq!(pins.get(new), None);
        assert!(pins.cleared().hold(7) > new);
    }
}
