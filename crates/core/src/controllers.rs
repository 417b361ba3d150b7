//! The controllers the arbiter deals in, and sets of them. What needs which controller is decided in `resources.rs`,
//! how the needs travel through the tree in `propagation.rs`.

use bitflags::bitflags;
use core::fmt;

/// A controller of cgroup v2 that systemd's resource properties use (reference 04.1), in the order in which they are
/// enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// CPU time.
    Cpu,
    /// Which CPUs and memory nodes.
    Cpuset,
    /// Block devices.
    Io,
    /// Memory.
    Memory,
    /// Number of tasks.
    Pids,
}

impl Controller {
    /// All of them, in enabling order.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Cpuset, Self::Io, Self::Memory, Self::Pids];

    /// The kernel's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuset => "cpuset",
            Self::Io => "io",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// The controller of this name, if it is one of ours.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Its place in [`Controller::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The set that holds just this one.
    #[must_use]
    pub fn mask(self) -> ControllerMask {
        ControllerMask::from_bits_truncate(1 << self.index())
    }
}

bitflags! {
    /// A set of controllers.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ControllerMask: u8 {
        /// CPU time.
        const CPU = 1 << 0;
        /// Which CPUs and memory nodes.
        const CPUSET = 1 << 1;
        /// Block devices.
        const IO = 1 << 2;
        /// Memory.
        const MEMORY = 1 << 3;
        /// Number of tasks.
        const PIDS = 1 << 4;
    }
}

impl ControllerMask {
    /// The members, in enabling order.
    pub fn controllers(self) -> impl Iterator<Item = Controller> {
        Controller::ALL.into_iter().filter(move |c| self.contains(c.mask()))
    }

    /// The set of the names in `text` (separated by white space); names that are not ours are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split_whitespace().filter_map(Controller::from_name).map(Controller::mask).collect()
    }
}

impl ControllerMask {
    /// The names for a sentence: "none" when there are none.
    #[must_use]
    pub fn in_words(self) -> alloc::string::String {
        if self.is_empty() { "none".into() } else { alloc::format!("{self}") }
    }
}

impl fmt::Display for ControllerMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, controller) in self.controllers().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { " " }, controller.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_mask_prints_what_it_parses() {
        let mask = ControllerMask::parse("pids hugetlb cpu memory");
        assert_eq!(mask, ControllerMask::CPU | ControllerMask::MEMORY | ControllerMask::PIDS);
        assert_eq!(mask.to_string(), "cpu memory pids");
        assert_eq!(ControllerMask::empty().to_string(), "");
        assert_eq!((mask.in_words(), ControllerMask::empty().in_words()), (mask.to_string(), "none".into()));
    }
}
