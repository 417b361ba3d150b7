//! Pins: processes that are held on to, so that a number used again does not come to mean another process.

use crate::kernel::Pid;
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

#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Held {
    pid: Pid,
    alive: bool,
}

impl Pins {
    /// Takes hold of a process that lives now.
    pub(super) fn hold(&mut self, pid: Pid) -> Pin {
        self.last += 1;
        let pin = Pin(self.last);
        self.held.insert(pin, Held { pid, alive: true });
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
        self.held.get(&pin).filter(|held| held.alive).map(|held| held.pid)
    }

    /// The number that was meant, the process ended or not.
    pub(super) fn number(&self, pin: Pin) -> Option<Pid> {
        self.held.get(&pin).map(|held| held.pid)
    }

    pub(super) fn release(&mut self, pin: Pin) {
        self.held.remove(&pin);
        self.others.remove(&pin);
    }

    /// The process of this number has ended: whoever has the number next is not meant.
    pub(super) fn ended(&mut self, pid: Pid) {
        self.held.values_mut().filter(|held| held.pid == pid).for_each(|held| held.alive = false);
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
        assert_eq!(pins.number(old), Some(7));
        pins.release(new);
        assert_eq!(pins.get(new), None);
        assert!(pins.cleared().hold(7) > new);
    }
}
