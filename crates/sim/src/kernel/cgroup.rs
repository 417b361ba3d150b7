//! One directory of the hierarchy: its place, its owner, and the state that core and controllers keep in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bpf::Attachments;
use super::cpu::Cpu;
use super::cpuset::Cpuset;
use super::files::File;
use super::hugetlb::Hugetlb;
use super::io::Io;
use super::xattr::Xattrs;
use super::{Controller, ControllerSet};

/// A cgroup by its number, the inode number of its directory. It is never used again: after rmdir it finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub(super) u64);

impl CgroupId {
    /// The root of the hierarchy.
    pub const ROOT: Self = Self(1);

    pub(super) fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | (u64::from(index) + 1))
    }

    pub(super) fn index(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32 - 1
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The inode number.
    #[must_use]
    pub fn ino(self) -> u64 {
        self.0
    }

    /// The cgroup of this inode number, if one of this kernel has it.
    #[must_use]
    pub fn from_ino(ino: u64) -> Option<Self> {
        if ino & 0xffff_ffff == 0 { None } else { Some(Self(ino)) }
    }
}

/// Owner and mode of a directory or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u16,
}

/// Who made the files of a part, and how often they were taken away: an open descriptor of an earlier time is dead.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Maker {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) epoch: u32,
}

/// The files that notify pollers and watches, as positions in [`Changes::files`].
pub(super) const NOTIFYING: [File; 12] = [
    File::CgroupEvents,
    File::CpusetCpusPartition,
    File::HugetlbEvents,
    File::HugetlbEventsLocal,
    File::MemoryEvents,
    File::MemoryEventsLocal,
    File::MemorySwapEvents,
    File::MiscEvents,
    File::MiscEventsLocal,
    File::PidsEvents,
    File::PidsEventsLocal,
    File::RdmaEvents,
];

/// Counters of everything that a poller or an inotify watch can see. They only grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changes {
    /// Notices of each of [`NOTIFYING`].
    pub(super) files: [u32; NOTIFYING.len()],
    /// Any file of this directory notified.
    pub(super) modified: u32,
    pub(super) created: u32,
    pub(super) deleted: u32,
    /// Bit n: [`NOTIFYING`]\[n\] changed since the notices were last taken.
    pub(super) dirty: u16,
}

/// The freezer's part.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Freezer {
    /// The cgroup's own wish.
    pub(super) wish: bool,
    /// How many of this cgroup and its ancestors wish it.
    pub(super) effective: u32,
    /// Live tasks of the subtree that have not stopped.
    pub(super) running: u32,
    /// What `cgroup.events` says.
    pub(super) frozen: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Cgroup {
    // Place.
    pub(super) name: Arc<[u8]>,
    pub(super) parent: Option<u32>,
    pub(super) depth: u32,
    pub(super) children: BTreeMap<Arc<[u8]>, u32>,
    /// False after rmdir; the entry stays while something still refers to it.
    pub(super) live: bool,
    /// References beside the parent's: tasks, zombies, descriptors, namespaces, removed children.
    pub(super) pins: u32,
    pub(super) descendants: u32,
    pub(super) max_depth: i32,
    pub(super) max_descendants: i32,
    // Owners.
    pub(super) directory: Attributes,
    pub(super) core_maker: Maker,
    pub(super) makers: [Maker; Controller::ALL.len()],
    /// Files whose owner or mode was changed.
    pub(super) changed: BTreeMap<File, Attributes>,
    pub(super) xattrs: Option<Box<Xattrs>>,
    // Control.
    /// Handed to the children.
    pub(super) subtree_control: ControllerSet,
    /// The same and what that depends on (io needs memory).
    pub(super) subtree_active: ControllerSet,
    /// Controllers whose files are here.
    pub(super) visible: ControllerSet,
    /// Controllers that work here, hidden ones included.
    pub(super) active: ControllerSet,
    /// The cgroup that this one's processes belong to: itself, or for a threaded one its thread root.
    pub(super) domain: u32,
    pub(super) threaded_children: u32,
    // Tasks.
    pub(super) tasks: Vec<u32>,
    /// Leaders that ended here while other threads of theirs live.
    pub(super) dead_leaders: Vec<u32>,
    /// Tasks that have ended and are about to leave.
    pub(super) leaving: u32,
    pub(super) populated_domain_children: u32,
    pub(super) populated_threaded_children: u32,
    pub(super) kills: u32,
    pub(super) freezer: Freezer,
    pub(super) pressure: bool,
    pub(super) changes: Changes,
    /// Processor time used here and below, in microseconds.
    pub(super) cpu_usage: u64,
    // Controllers.
    pub(super) cpu: Cpu,
    pub(super) cpuset: Cpuset,
    pub(super) io: Io,
    pub(super) hugetlb: Hugetlb,
    pub(super) pids: Option<u32>,
    pub(super) memory: Option<u32>,
    pub(super) bpf: Option<Box<Attachments>>,
}

impl Cgroup {
    pub(super) fn new(name: Arc<[u8]>, parent: Option<u32>, depth: u32, directory: Attributes) -> Self {
        let maker = Maker { uid: directory.uid, gid: directory.gid, epoch: 0 };
        Self {
            name,
            parent,
            depth,
            children: BTreeMap::new(),
            live: true,
            pins: 0,
            descendants: 0,
            max_depth: i32::MAX,
            max_descendants: i32::MAX,
            directory,
            core_maker: maker,
            makers: [maker; Controller::ALL.len()],
            changed: BTreeMap::new(),
            xattrs: None,
            subtree_control: ControllerSet::NONE,
            subtree_active: ControllerSet::NONE,
            visible: ControllerSet::NONE,
            active: ControllerSet::NONE,
            domain: 0,
            threaded_children: 0,
            tasks: Vec::new(),
            dead_leaders: Vec::new(),
            leaving: 0,
            populated_domain_children: 0,
            populated_threaded_children: 0,
            kills: 0,
            freezer: Freezer::default(),
            pressure: true,
            changes: Changes::default(),
            cpu_usage: 0,
            cpu: Cpu::default(),
            cpuset: Cpuset::default(),
            io: Io::default(),
            hugetlb: Hugetlb::default(),
            pids: None,
            memory: None,
            bpf: None,
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// What `cgroup.events` says.
    pub(super) fn populated(&self) -> bool {
        self.leaving > 0 || self.holds_tasks()
    }

    /// Are there live tasks, here or below?
    pub(super) fn holds_tasks(&self) -> bool {
        !self.tasks.is_empty() || self.has_populated_children()
    }

    pub(super) fn has_populated_children(&self) -> bool {
        self.populated_domain_children > 0 || self.populated_threaded_children > 0
    }
}
