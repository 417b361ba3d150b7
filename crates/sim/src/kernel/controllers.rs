//! The controllers by name, and sets of them in the order in which the kernel lists them.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// A controller that cgroup v2 can hand down. `perf_event` is always on and never listed, so it is not one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Processor and memory-node placement.
    Cpuset,
    /// Processor time.
    Cpu,
    /// Block devices.
    Io,
    /// Memory and swap.
    Memory,
    /// Huge pages.
    Hugetlb,
    /// Number of tasks.
    Pids,
    /// Remote direct memory access.
    Rdma,
    /// Scalar resources of the machine.
    Misc,
}

impl Controller {
    /// All of them, in the order in which files list them.
    pub const ALL: [Self; 8] =
        [Self::Cpuset, Self::Cpu, Self::Io, Self::Memory, Self::Hugetlb, Self::Pids, Self::Rdma, Self::Misc];

    /// The name, as in `cgroup.controllers`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpuset => "cpuset",
            Self::Cpu => "cpu",
            Self::Io => "io",
            Self::Memory => "memory",
            Self::Hugetlb => "hugetlb",
            Self::Pids => "pids",
            Self::Rdma => "rdma",
            Self::Misc => "misc",
        }
    }

    /// The controller of this name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|controller| controller.name().as_bytes() == name)
    }
}

/// A set of controllers.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControllerSet(u8);

impl ControllerSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0xff);
    /// Those that can tell threads apart and live with processes beside child cgroups.
    pub const THREADED: Self =
        Self(1 << Controller::Cpuset as u8 | 1 << Controller::Cpu as u8 | 1 << Controller::Pids as u8);

    /// The set of one.
    #[must_use]
    pub fn of(controller: Controller) -> Self {
        Self(1 << controller as u8)
    }

    /// Is this one in the set?
    #[must_use]
    pub fn has(self, controller: Controller) -> bool {
        self.0 & (1 << controller as u8) != 0
    }

    /// Is nothing in the set?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the fixed order.
    pub fn iter(self) -> impl Iterator<Item = Controller> {
        Controller::ALL.into_iter().filter(move |controller| self.has(*controller))
    }
}

impl BitOr for ControllerSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for ControllerSet {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for ControllerSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for ControllerSet {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Names separated by single spaces, as `cgroup.controllers` prints them.
impl fmt::Display for ControllerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, controller) in self.iter().enumerate() {
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{}", controller.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for ControllerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_print_in_the_order_of_the_kernel() {
        let set = ControllerSet::of(Controller::Pids) | ControllerSet::of(Controller::Cpu);
        assert_eq!(set.to_string(), "cpu pids");
        assert_eq!(ControllerSet::ALL.to_string(), "cpuset cpu io memory hugetlb pids rdma misc");
        assert_eq!(ControllerSet::THREADED.to_string(), "cpuset cpu pids");
        assert_eq!((ControllerSet::ALL - ControllerSet::ALL).to_string(), "");
    }
}
