//! What kernel and store hold for one unit now, as far as we know: a belief, corrected by every report.

use crate::canonical::{self, Kind};
use crate::controllers::{Controller, ControllerMask};
use crate::names::CgroupPath;
use crate::plan::{Counters, WatchId};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

/// The believed state of a unit's cgroup.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Realized {
    /// Its path, once it has been made or is being made.
    pub path: Option<CgroupPath>,
    /// Does the directory exist?
    pub exists: bool,
    /// Made for the settings of a unit that is not up: nobody has ever been in it.
    pub idle: bool,
    /// Inode number of the directory.
    pub id: u64,
    /// Its `cgroup.subtree_control`.
    pub enabled: ControllerMask,
    /// What stood in its `cgroup.subtree_control` when we first saw it: never switched off by us.
    pub foreign_enabled: ControllerMask,
    /// Values written to interface files, sorted by file. A value counts only while the parent's epoch of its
    /// controller is the one noted: when a controller goes away the kernel forgets.
    pub written: Vec<Written>,
    /// How often each controller was switched off for the children.
    pub epochs: [u32; 5],
    /// The watch on its events.
    pub watch: Option<WatchId>,
    /// Whether unknown values may stand in its files, because somebody else made the directory.
    pub stale: bool,
    /// Whether a value that a fresh directory would have is left as it is found, because it is not known what was set.
    pub spares_defaults: bool,
    /// Counters as last read before the cgroup went, so that properties keep their last values.
    pub last: Option<Box<Counters>>,
    /// `oom_kill` as last seen.
    pub oom_kills: u64,
}

/// The inode number is a name, and counters of a cgroup that has gone are only shown.
impl Hash for Realized {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            path,
            exists,
            idle,
            id,
            enabled,
            foreign_enabled,
            written,
            epochs,
            watch,
            stale,
            spares_defaults,
            last: _,
            oom_kills,
        } = self;
        (path, exists, idle, enabled, foreign_enabled, written, epochs, watch, stale, spares_defaults, oom_kills)
            .hash(state);
        canonical::write(Kind::Directory, *id, state);
    }
}

impl Realized {
    /// Whether somebody else has made it, and nobody has looked at it yet.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        self.exists && self.stale && self.id == 0
    }

    /// Whether somebody is in it, or may be.
    pub(crate) fn is_used(&self) -> bool {
        self.exists && !self.idle
    }
}

/// No value that any file has: what stands in it is not known, since the first that we wrote was refused.
pub(crate) const UNKNOWN: &str = "";

/// One value we wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    /// Which file.
    pub file: &'static str,
    /// The device a line is about, or empty.
    pub device: Box<str>,
    /// Which controller the file belongs to; none for core files.
    pub controller: Option<Controller>,
    /// The parent's epoch of the controller at that time.
    pub epoch: u32,
    /// What was written, or [`UNKNOWN`].
    pub value: Box<str>,
}
