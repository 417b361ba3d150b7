//! What an arbiter finds when it starts: the cgroups of an earlier life and what the store holds. Gathered once by the
//! backend, which draws no conclusions; what it means is decided in `manager/recover.rs`.

use crate::controllers::ControllerMask;
use crate::error::OpError;
use crate::names::CgroupPath;
use crate::plan::Pin;
use crate::unit_files::UnitFile;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Everything found. Nothing at all is what a machine that has just come up has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The directories that units may have below the managed root, parents first: those directly in the root or in a
    /// slice. What lies in any other directory is its owner's.
    pub cgroups: Vec<FoundCgroup>,
    /// The files in the directory for transient units: their unit files, and their drop-ins (`NAME.d/STEM.conf`); and
    /// those that were put aside, in the quarantine.
    pub files: Vec<FoundFile>,
    /// The files in all the other directories for units, as in [`Event::UnitFiles`](crate::event::Event::UnitFiles).
    /// They count before any unit is known again.
    pub unit_files: Vec<UnitFile>,
    /// Descriptors that services have had a predecessor in this process keep, and that are held again.
    pub descriptors: Vec<FoundDescriptor>,
}

/// A descriptor that is kept for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDescriptor {
    /// The service.
    pub unit: String,
    /// Held under this number.
    pub pin: Pin,
    /// What the service calls it.
    pub name: String,
    /// It is let go of when its other end has gone.
    pub polled: bool,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCgroup {
    /// Where, below the managed root.
    pub path: CgroupPath,
    /// Inode number.
    pub id: u64,
    /// Its `cgroup.subtree_control`; read of slices only.
    pub enabled: ControllerMask,
    /// `user.invocation_id`: the mark of what we have made. None on a slice of somebody else, who could set any.
    pub invocation: Option<String>,
    /// Handed over to somebody (`user.delegate` or `trusted.delegate`).
    pub delegated: bool,
    /// Some process lives in it or below.
    pub populated: bool,
    /// `cgroup.freeze`: it was told to stand still.
    pub freeze: bool,
    /// Everything in it stands still.
    pub frozen: bool,
    /// The processes directly in it; read of services only.
    pub pids: Vec<u32>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Absolute, logical path.
    pub path: Arc<str>,
    /// What is in it, or why it could not be read (`EILSEQ` when it is no text).
    pub content: Result<String, OpError>,
}
