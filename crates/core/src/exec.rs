//! What a child does between its birth and its program: steps in their order, each with the exit status that tells
//! where it failed (`EXIT_CHDIR` and the like, as systemd numbers them). Which steps, and in which order, is decided
//! here; a backend's child only takes them.

mod environment;
mod status;
mod steps;

pub use environment::{expand_arguments, merge_variables, read_environment_file, unset_variables};
pub use status::{EXIT_EXEC, exit_name};
pub(crate) use steps::setup;

use crate::error::Errno;
use crate::settings::CpuSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// One thing that a child does before it becomes its program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExecStep {
    /// Looks up the user and the group, by name or number; later steps mean these. Without a user, the arbiter's own.
    Identity {
        /// `User=`
        user: Option<Arc<str>>,
        /// `Group=`; none is the user's own.
        group: Option<Arc<str>>,
        /// `SupplementaryGroups=`
        supplementary: Vec<String>,
    },
    /// Opens standard input, output or error.
    Stream {
        /// 0, 1 or 2.
        number: u32,
        /// What it is to be.
        stream: Stream,
    },
    /// `OOMScoreAdjust=`
    OomScoreAdjust(i32),
    /// `Nice=`
    Nice(i32),
    /// `CPUSchedulingPolicy=` and what belongs to it.
    Scheduler {
        /// As `sched_setscheduler` numbers them.
        policy: i32,
        /// 0 for policies that have none.
        priority: i32,
        /// `CPUSchedulingResetOnFork=`
        reset_on_fork: bool,
    },
    /// `CPUAffinity=`
    CpuAffinity(CpuSet),
    /// `IOSchedulingClass=`, `IOSchedulingPriority=`
    IoPriority {
        /// As `ioprio_set` numbers them.
        class: i32,
        /// 0 (first) to 7.
        level: i32,
    },
    /// Makes directories below one of five places, and gives them to the user.
    Directories {
        /// Which place.
        kind: DirectoryKind,
        /// Their names below it.
        names: Vec<String>,
        /// Permissions.
        mode: u32,
    },
    /// `UMask=`
    UMask(u32),
    /// The environment that the settings make of what the arbiter hands over.
    Environment {
        /// `PassEnvironment=`: names of variables that the arbiter itself has.
        pass: Vec<String>,
        /// `Environment=`
        set: Vec<String>,
        /// `EnvironmentFile=`, and whether a missing one is fine.
        files: Vec<(String, bool)>,
        /// `UnsetEnvironment=`
        unset: Vec<String>,
    },
    /// Takes the group and the supplementary groups.
    Groups,
    /// A mount namespace in which the file system looks otherwise.
    Mounts(Mounts),
    /// `RootDirectory=`
    RootDirectory(String),
    /// A resource limit.
    Limit {
        /// Which, as a place in [`LIMITS`].
        limit: u32,
        /// Soft.
        soft: u64,
        /// Hard.
        hard: u64,
    },
    /// `CapabilityBoundingSet=`
    BoundingSet(u64),
    /// Becomes the user; with `AmbientCapabilities=`.
    Become {
        /// What the user keeps of root's rights.
        ambient: u64,
    },
    /// `SecureBits=`
    SecureBits(i32),
    /// `NoNewPrivileges=`
    NoNewPrivileges,
    /// `IgnoreSIGPIPE=`
    IgnoreSigpipe,
    /// `WorkingDirectory=`
    WorkingDirectory {
        /// Where; `~` is the user's home.
        path: String,
        /// Whether a missing one is fine.
        optional: bool,
    },
}

/// What a standard stream is to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// `/dev/null`.
    Null,
    /// What children of the arbiter have.
    Arbiter,
    /// What another standard stream is.
    Same(u32),
    /// A file, opened in this way.
    File {
        /// Absolute path.
        path: String,
        /// How.
        mode: FileMode,
    },
    /// A terminal; as standard input it becomes the one that controls the process.
    Terminal {
        /// Its device.
        path: String,
        /// Taken from whoever has it.
        force: bool,
    },
    /// A descriptor that the client has sent.
    Handle(u64),
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum FileMode {
    Read,
    ReadWrite,
    Append,
    Truncate,
}

/// The five places for directories of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub enum DirectoryKind {
    Runtime,
    State,
    Cache,
    Logs,
    Configuration,
}

/// The places, as the properties name them, where they are, and the variable that tells the program.
pub const DIRECTORY_KINDS: [(DirectoryKind, &str, &str, &str); 5] = [
    (DirectoryKind::Runtime, "RuntimeDirectory", "/run", "RUNTIME_DIRECTORY"),
    (DirectoryKind::State, "StateDirectory", "/var/lib", "STATE_DIRECTORY"),
    (DirectoryKind::Cache, "CacheDirectory", "/var/cache", "CACHE_DIRECTORY"),
    (DirectoryKind::Logs, "LogsDirectory", "/var/log", "LOGS_DIRECTORY"),
    (DirectoryKind::Configuration, "ConfigurationDirectory", "/etc", "CONFIGURATION_DIRECTORY"),
];

impl DirectoryKind {
    /// The directory that it is about.
    #[must_use]
    pub fn place(self) -> &'static str {
        DIRECTORY_KINDS[self as usize].2
    }

    /// The variable in which the program finds the directories.
    #[must_use]
    pub fn variable(self) -> &'static str {
        DIRECTORY_KINDS[self as usize].3
    }
}

/// How the file system looks to a service (`PrivateTmp=`, `ProtectSystem=`, … in terms of mounts).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mounts {
    /// `/tmp` and `/var/tmp` are the service's own.
    pub private_tmp: bool,
    /// `/dev` has the harmless devices only.
    pub private_devices: bool,
    /// Can be read only, along with all below.
    pub read_only: Vec<String>,
    /// Can be written after all.
    pub read_write: Vec<String>,
    /// Cannot be looked into.
    pub inaccessible: Vec<String>,
    /// Empty, and can be read only.
    pub empty: Vec<String>,
}

/// Resource limits: name and number on Linux; properties are called `Limit` and the name.
pub const LIMITS: [(&str, u32); 16] = [
    ("CPU", 0),
    ("FSIZE", 1),
    ("DATA", 2),
    ("STACK", 3),
    ("CORE", 4),
    ("RSS", 5),
    ("NOFILE", 7),
    ("AS", 9),
    ("NPROC", 6),
    ("MEMLOCK", 8),
    ("LOCKS", 10),
    ("SIGPENDING", 11),
    ("MSGQUEUE", 12),
    ("NICE", 13),
    ("RTPRIO", 14),
    ("RTTIME", 15),
];

/// A child that could not become its program: it ends with the status of the step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecFailure {
    /// The exit status.
    pub status: i32,
    /// What it was about: a path, a name.
    pub what: String,
    /// The kernel's answer.
    pub errno: Errno,
}

impl fmt::Display for ExecFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = exit_name(self.status).unwrap_or("?");
        write!(f, "failed at step {name} before the program ran: {}: {}", self.what, self.errno)
    }
}
