//! The execution context of a service: what its processes are made to be before they become their programs.

use super::CpuSet;
use crate::exec::{DIRECTORY_KINDS, FileMode, LIMITS};
use alloc::string::String;
use alloc::vec::Vec;

/// The execution context, as much of it as is served; defaults are systemd's.
#[derive(Clone, Debug, PartialEq, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub struct ExecSettings {
    pub environment_files: Vec<(String, bool)>,
    pub pass_environment: Vec<String>,
    pub unset_environment: Vec<String>,
    /// As it is written: `-` before it, when a missing one is fine; `~` for the user's home.
    pub working_directory: Option<String>,
    pub root_directory: Option<String>,
    pub supplementary_groups: Vec<String>,
    pub umask: u32,
    /// Soft and hard, in the order of [`LIMITS`].
    pub limits: [Option<(u64, u64)>; LIMITS.len()],
    pub nice: Option<i32>,
    pub oom_score_adjust: Option<i32>,
    pub cpu_scheduling_policy: Option<i32>,
    pub cpu_scheduling_priority: i32,
    pub cpu_scheduling_reset_on_fork: bool,
    pub cpu_affinity: CpuSet,
    pub io_scheduling_class: Option<i32>,
    pub io_scheduling_priority: Option<i32>,
    pub ignore_sigpipe: bool,
    pub no_new_privileges: bool,
    pub secure_bits: i32,
    pub capability_bounding_set: u64,
    pub ambient_capabilities: u64,
    pub streams: [StreamSettings; 3],
    pub tty_path: Option<String>,
    pub tty_reset: bool,
    pub tty_vhangup: bool,
    pub tty_vt_disallocate: bool,
    pub syslog_identifier: Option<String>,
    pub directories: [DirectorySettings; DIRECTORY_KINDS.len()],
    pub runtime_directory_preserve: Preserve,
    pub private_tmp: bool,
    pub private_devices: bool,
    pub protect_system: ProtectSystem,
    pub protect_home: ProtectHome,
    pub read_write_paths: Vec<String>,
    pub read_only_paths: Vec<String>,
    pub inaccessible_paths: Vec<String>,
}

/// A standard stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamSettings {
    /// What it is to be.
    pub kind: StreamKind,
    /// The file, for [`StreamKind::File`].
    pub file: Option<String>,
    /// A descriptor that a client has sent; counts before everything else, and is not kept on disk.
    pub handle: Option<u64>,
}

/// What a standard stream is to be, in the words of `StandardInput=` and its like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum StreamKind {
    /// Nothing was said.
    #[default]
    Default,
    Inherit,
    Null,
    Tty,
    TtyForce,
    TtyFail,
    /// To the log: there is no journal here, so that this is the arbiter's own output.
    Log(&'static str),
    File(FileMode),
}

/// One of the five places for directories.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DirectorySettings {
    /// Names below the place.
    pub names: Vec<String>,
    /// Permissions.
    pub mode: u32,
}

/// `RuntimeDirectoryPreserve`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum Preserve {
    #[default]
    No,
    Yes,
    Restart,
}

/// `ProtectSystem`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum ProtectSystem {
    #[default]
    No,
    Yes,
    Full,
    Strict,
}

/// `ProtectHome`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum ProtectHome {
    #[default]
    No,
    Yes,
    ReadOnly,
    Tmpfs,
}

const NO_STREAM: StreamSettings = StreamSettings { kind: StreamKind::Default, file: None, handle: None };
const NO_DIRECTORY: DirectorySettings = DirectorySettings { names: Vec::new(), mode: 0o755 };

impl ExecSettings {
    /// Nothing set.
    pub const NONE: Self = Self {
        environment_files: Vec::new(),
        pass_environment: Vec::new(),
        unset_environment: Vec::new(),
        working_directory: None,
        root_directory: None,
        supplementary_groups: Vec::new(),
        umask: 0o022,
        limits: [None; LIMITS.len()],
        nice: None,
        oom_score_adjust: None,
        cpu_scheduling_policy: None,
        cpu_scheduling_priority: 0,
        cpu_scheduling_reset_on_fork: false,
        cpu_affinity: CpuSet(Vec::new()),
        io_scheduling_class: None,
        io_scheduling_priority: None,
        ignore_sigpipe: true,
        no_new_privileges: false,
        secure_bits: 0,
        capability_bounding_set: u64::MAX,
        ambient_capabilities: 0,
        streams: [NO_STREAM; 3],
        tty_path: None,
        tty_reset: false,
        tty_vhangup: false,
        tty_vt_disallocate: false,
        syslog_identifier: None,
        directories: [NO_DIRECTORY; DIRECTORY_KINDS.len()],
        runtime_directory_preserve: Preserve::No,
        private_tmp: false,
        private_devices: false,
        protect_system: ProtectSystem::No,
        protect_home: ProtectHome::No,
        read_write_paths: Vec::new(),
        read_only_paths: Vec::new(),
        inaccessible_paths: Vec::new(),
    };
}

impl Default for ExecSettings {
    fn default() -> Self {
        Self::NONE
    }
}
