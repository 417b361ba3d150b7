//! Which kernel is imagined: its version, the machine below it, and which of the known bugs it has.

use super::ControllerSet;

/// A kernel release, as far as behaviour depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl Version {
    /// Long-term release of 2022.
    pub const V6_1: Self = Self::new(6, 1);
    /// Long-term release of 2024, the one to imitate by default.
    pub const V6_12: Self = Self::new(6, 12);
    /// Long-term release of 2025.
    pub const V6_18: Self = Self::new(6, 18);
    /// Release of 2026.
    pub const V7_3: Self = Self::new(7, 3);

    /// Release `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads the beginning of a release string such as `6.12.117+deb12-cloud-amd64`.
    #[must_use]
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(Self { major, minor })
    }
}

/// Everything about kernel and machine that does not change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The release to imitate.
    pub version: Version,
    /// Controllers that the root has.
    pub controllers: ControllerSet,
    /// Number of processors, at most 63.
    pub cpus: u32,
    /// Number of memory nodes, at most 63.
    pub mems: u32,
    /// Whole disks, as major and minor number.
    pub disks: Vec<(u32, u32)>,
    /// Utilization clamping is configured (`cpu.uclamp.*`).
    pub uclamp: bool,
    /// Compressed swap is configured (`memory.zswap.*`).
    pub zswap: bool,
    /// Bug: a child cloned into a cgroup dies at birth when that cgroup and the creator's own were killed by
    /// `cgroup.kill` a different number of times. Long-term releases lost it with a patch of their own (6.1 between
    /// 6.1.190 and 6.1.192, 6.12 between 6.12.107 and 6.12.117), so of these the version does not tell.
    pub kill_at_birth: bool,
    /// Deaths and freezing happen inside the call that causes them, as the kernel vectors have it. Otherwise they wait
    /// for [`Kernel::settle_one`], as on a real machine, where the call returns first.
    ///
    /// [`Kernel::settle_one`]: super::Kernel::settle_one
    pub immediate: bool,
    /// Highest process number, plus one.
    pub pid_max: i32,
}

impl Config {
    /// A distribution's kernel of this version on the machine of the kernel vectors: two processors, one memory node,
    /// one disk `259:0`.
    #[must_use]
    pub fn of(version: Version) -> Self {
        Self {
            version,
            controllers: ControllerSet::ALL,
            cpus: 2,
            mems: 1,
            disks: vec![(259, 0)],
            uclamp: version >= Version::V6_18,
            zswap: version >= Version::V7_3,
            kill_at_birth: Version::new(6, 16) <= version && version <= Version::new(7, 2),
            immediate: true,
            pid_max: 4_194_304,
        }
    }

    pub(super) fn at_least(&self, major: u16, minor: u16) -> bool {
        self.version >= Version::new(major, minor)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::of(Version::V6_12)
    }
}

/// Mount options of the hierarchy; a remount sets all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// The root of a cgroup namespace is a delegation boundary.
    pub nsdelegate: bool,
    /// `memory.events` counts in the cgroup itself only.
    pub memory_localevents: bool,
    /// `pids.events` counts failed forks in the cgroup of the fork only (6.11 and later).
    pub pids_localevents: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_strings_are_read_up_to_the_second_number() {
        assert_eq!(Version::parse("6.12.117+deb12-cloud-amd64"), Some(Version::V6_12));
        assert_eq!(Version::parse("6.1.0-56-cloud-amd64"), Some(Version::V6_1));
        assert_eq!(Version::parse("next"), None);
        assert!(Version::V6_1 < Version::V6_12 && Version::V6_18 < Version::V7_3);
    }

    #[test]
    fn the_bug_at_birth_belongs_to_a_range_of_releases() {
        assert!(Config::of(Version::V6_18).kill_at_birth);
        assert!(!Config::of(Version::V6_12).kill_at_birth);
        assert!(!Config::of(Version::V7_3).kill_at_birth);
    }
}
