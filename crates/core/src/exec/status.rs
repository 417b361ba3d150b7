//! The table of exit statuses, and which of them belongs to which step.

use super::{DirectoryKind, ExecStep};

/// Statuses of children that do not become their program, with the names that systemd shows.
const NAMES: [(i32, &str); 42] = [
    (200, "CHDIR"),
    (201, "NICE"),
    (202, "FDS"),
    (203, "EXEC"),
    (204, "MEMORY"),
    (205, "LIMITS"),
    (206, "OOM_ADJUST"),
    (207, "SIGNAL_MASK"),
    (208, "STDIN"),
    (209, "STDOUT"),
    (210, "CHROOT"),
    (211, "IOPRIO"),
    (212, "TIMERSLACK"),
    (213, "SECUREBITS"),
    (214, "SETSCHEDULER"),
    (215, "CPUAFFINITY"),
    (216, "GROUP"),
    (217, "USER"),
    (218, "CAPABILITIES"),
    (219, "CGROUP"),
    (220, "SETSID"),
    (221, "CONFIRM"),
    (222, "STDERR"),
    (224, "PAM"),
    (225, "NETWORK"),
    (226, "NAMESPACE"),
    (227, "NO_NEW_PRIVILEGES"),
    (228, "SECCOMP"),
    (229, "SELINUX_CONTEXT"),
    (230, "PERSONALITY"),
    (231, "APPARMOR"),
    (232, "ADDRESS_FAMILIES"),
    (233, "RUNTIME_DIRECTORY"),
    (235, "CHOWN"),
    (236, "SMACK_PROCESS_LABEL"),
    (237, "KEYRING"),
    (238, "STATE_DIRECTORY"),
    (239, "CACHE_DIRECTORY"),
    (240, "LOGS_DIRECTORY"),
    (241, "CONFIGURATION_DIRECTORY"),
    (242, "NUMA_POLICY"),
    (243, "CREDENTIALS"),
];

/// Status of a child whose program could not be executed.
pub const EXIT_EXEC: i32 = 203;

/// The name of a status, if it is one of a child that did not become its program.
#[must_use]
pub fn exit_name(status: i32) -> Option<&'static str> {
    NAMES.iter().find(|row| row.0 == status).map(|row| row.1)
}

impl ExecStep {
    /// The status of a child that fails at this step.
    #[must_use]
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::Identity { .. } | Self::Become { .. } => 217,
            Self::Stream { number: 0, .. } => 208,
            Self::Stream { number: 1, .. } => 209,
            Self::Stream { .. } => 222,
            Self::OomScoreAdjust(_) => 206,
            Self::Nice(_) => 201,
            Self::Scheduler { .. } => 214,
            Self::CpuAffinity(_) => 215,
            Self::IoPriority { .. } => 211,
            Self::Directories { kind, .. } => match kind {
                DirectoryKind::Runtime => 233,
                DirectoryKind::State => 238,
                DirectoryKind::Cache => 239,
                DirectoryKind::Logs => 240,
                DirectoryKind::Configuration => 241,
            },
            Self::UMask(_) | Self::Environment { .. } => 204,
            Self::Groups => 216,
            Self::Mounts(_) => 226,
            Self::RootDirectory(_) => 210,
            Self::Limit { .. } => 205,
            Self::BoundingSet(_) => 218,
            Self::SecureBits(_) => 213,
            Self::NoNewPrivileges => 227,
            Self::IgnoreSigpipe => 207,
            Self::WorkingDirectory { .. } => 200,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_names() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (status, name) in [(200, Some("CHDIR")), (EXIT_EXEC, Some("EXEC")), (217, Some("USER")), (1, None)] {
            assert_eq!(exit_name(status), name);
        }
        assert_eq!(exit_name(ExecStep::NoNewPrivileges.exit_status()), Some("NO_NEW_PRIVILEGES"));
    }
}
