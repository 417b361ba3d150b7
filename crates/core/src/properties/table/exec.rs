//! Rows of the execution context of services (reference 06.6). What is not here is refused by name on the bus, and told
//! in unit files: a process must not run with other rights than it was given.

use super::{Row, Types, When};
use crate::exec::FileMode;
use crate::properties::check::is_principal;
use crate::properties::context::{is_marked_path, is_relative_path, is_variable_name, is_working_directory};
use crate::properties::exec::is_variable;
use crate::properties::kind::{Choice, Field, Integer, Kind, field};
use crate::settings::{Preserve, ProtectHome, ProtectSystem};
use crate::unit_file::Section;

/// Services, at creation.
const fn row(name: &'static str, kind: Kind) -> Row {
    let (section, types, when) = (Section::Type, Types::SERVICE, When::Creation);
    Row { name, key: name, section, types, when, controller: None, kind }
}

/// Under another key in files; under none when it is empty.
const fn keyed(name: &'static str, key: &'static str, kind: Kind) -> Row {
    Row { key, ..row(name, kind) }
}

macro_rules! paths {
    ($name:literal, $field:ident) => {
        row($name, Kind::Strings(field!(exec $field), is_marked_path, "Invalid"))
    };
}

macro_rules! flag {
    ($name:literal, $field:ident) => {
        row($name, Kind::Flag(field!(exec $field)))
    };
}

macro_rules! text {
    ($name:literal, $field:ident, $accepts:expr) => {
        row($name, Kind::Text(field!(exec $field), $accepts))
    };
}

/// The hard limit has the plain name on the bus; files have both in one.
macro_rules! limit {
    ($name:literal, $index:literal) => {
        row($name, Kind::Limit($index, false))
    };
    (soft $name:literal, $index:literal) => {
        keyed($name, "", Kind::Limit($index, true))
    };
}

macro_rules! part {
    ($list:ident $index:literal $field:ident) => {
        Field { get: |s| &s.exec().$list[$index].$field, get_mut: |s| &mut s.exec_mut().$list[$index].$field }
    };
}

macro_rules! directory {
    ($name:literal, $index:literal) => {
        row($name, Kind::Strings(part!(directories $index names), is_relative_path, "Invalid"))
    };
    (mode $name:literal, $index:literal) => {
        row($name, Kind::Mode(part!(directories $index mode)))
    };
}

macro_rules! integer {
    ($name:literal, $field:ident, $unset:literal, $range:expr, $words:expr) => {
        row(
            $name,
            Kind::Integer(Integer {
                get: |s| s.exec().$field.unwrap_or($unset),
                set: |s, value| s.exec_mut().$field = Some(value),
                range: $range,
                words: $words,
            }),
        )
    };
}

/// Words with their places in an enum; a boolean counts as the first or second.
macro_rules! choice {
    ($name:literal, $field:ident, $words:expr, $values:expr) => {
        row(
            $name,
            Kind::Choice(Choice {
                words: $words,
                unserved: &[],
                get: |s| s.exec().$field as usize,
                set: |s, index| s.exec_mut().$field = $values[index],
                named_refusal: false,
            }),
        )
    };
}

fn any_text(_: &str) -> bool {
    true
}

fn is_group(text: &str) -> bool {
    !text.is_empty() && is_principal(text)
}

fn is_variable_or_name(text: &str) -> bool {
    is_variable_name(text) || is_variable(text)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

const POLICIES: &[(&str, i32)] = &[("other", 0), ("fifo", 1), ("rr", 2), ("batch", 3), ("idle", 5)];
const CLASSES: &[(&str, i32)] = &[("none", 0), ("realtime", 1), ("best-effort", 2), ("idle", 3)];

pub(super) const ROWS: &[Row] = &[
    // Variables.
    keyed("EnvironmentFiles", "EnvironmentFile", Kind::EnvironmentFiles),
    row("PassEnvironment", Kind::Strings(field!(exec pass_environment), is_variable_name, "Invalid")),
    row("UnsetEnvironment", Kind::Strings(field!(exec unset_environment), is_variable_or_name, "Invalid")),
    // Where it runs, and as whom.
    text!("WorkingDirectory", working_directory, is_working_directory),
    text!("RootDirectory", root_directory, is_absolute),
    row("SupplementaryGroups", Kind::Strings(field!(exec supplementary_groups), is_group, "Invalid")),
    row("UMask", Kind::Mode(field!(exec umask))),
    flag!("IgnoreSIGPIPE", ignore_sigpipe),
    flag!("NoNewPrivileges", no_new_privileges),
    row(
        "SecureBits",
        Kind::Integer(Integer {
            get: |s| s.exec().secure_bits,
            set: |s, value| s.exec_mut().secure_bits = value,
            range: 0..=0x3f,
            words: &[],
        }),
    ),
    row("CapabilityBoundingSet", Kind::Capabilities(field!(exec capability_bounding_set))),
    row("AmbientCapabilities", Kind::Capabilities(field!(exec ambient_capabilities))),
    // How it is scheduled.
    integer!("Nice", nice, 0, -20..=19, &[]),
    integer!("OOMScoreAdjust", oom_score_adjust, 0, -1000..=1000, &[]),
    integer!("CPUSchedulingPolicy", cpu_scheduling_policy, 0, 0..=5, POLICIES),
    row(
        "CPUSchedulingPriority",
        Kind::Integer(Integer {
            get: |s| s.exec().cpu_scheduling_priority,
            set: |s, value| s.exec_mut().cpu_scheduling_priority = value,
            range: 0..=99,
            words: &[],
        }),
    ),
    flag!("CPUSchedulingResetOnFork", cpu_scheduling_reset_on_fork),
    row("CPUAffinity", Kind::CpuSet(field!(exec cpu_affinity))),
    integer!("IOSchedulingClass", io_scheduling_class, 2, 0..=3, CLASSES),
    integer!("IOSchedulingPriority", io_scheduling_priority, 4, 0..=7, &[]),
    // Standard streams.
    row("StandardInput", Kind::Stream(0)),
    row("StandardOutput", Kind::Stream(1)),
    row("StandardError", Kind::Stream(2)),
    keyed("StandardInputFile", "", Kind::StreamFile(0, FileMode::ReadWrite)),
    keyed("StandardOutputFile", "", Kind::StreamFile(1, FileMode::ReadWrite)),
    keyed("StandardErrorFile", "", Kind::StreamFile(2, FileMode::ReadWrite)),
    keyed("StandardOutputFileToAppend", "", Kind::StreamFile(1, FileMode::Append)),
    keyed("StandardErrorFileToAppend", "", Kind::StreamFile(2, FileMode::Append)),
    keyed("StandardOutputFileToTruncate", "", Kind::StreamFile(1, FileMode::Truncate)),
    keyed("StandardErrorFileToTruncate", "", Kind::StreamFile(2, FileMode::Truncate)),
    keyed("StandardInputFileDescriptor", "", Kind::StreamHandle(0)),
    keyed("StandardOutputFileDescriptor", "", Kind::StreamHandle(1)),
    keyed("StandardErrorFileDescriptor", "", Kind::StreamHandle(2)),
    text!("TTYPath", tty_path, is_absolute),
    flag!("TTYReset", tty_reset),
    flag!("TTYVHangup", tty_vhangup),
    flag!("TTYVTDisallocate", tty_vt_disallocate),
    text!("SyslogIdentifier", syslog_identifier, any_text),
    // Directories.
    directory!("RuntimeDirectory", 0),
    directory!(mode "RuntimeDirectoryMode", 0),
    directory!("StateDirectory", 1),
    directory!(mode "StateDirectoryMode", 1),
    directory!("CacheDirectory", 2),
    directory!(mode "CacheDirectoryMode", 2),
    directory!("LogsDirectory", 3),
    directory!(mode "LogsDirectoryMode", 3),
    directory!("ConfigurationDirectory", 4),
    directory!(mode "ConfigurationDirectoryMode", 4),
    choice!(
        "RuntimeDirectoryPreserve",
        runtime_directory_preserve,
        &["no", "yes", "restart"],
        [Preserve::No, Preserve::Yes, Preserve::Restart]
    ),
    // How the file system looks.
    flag!("PrivateTmp", private_tmp),
    flag!("PrivateDevices", private_devices),
    choice!(
        "ProtectSystem",
        protect_system,
        &["no", "yes", "full", "strict"],
        [ProtectSystem::No, ProtectSystem::Yes, ProtectSystem::Full, ProtectSystem::Strict]
    ),
    choice!(
        "ProtectHome",
        protect_home,
        &["no", "yes", "read-only", "tmpfs"],
        [ProtectHome::No, ProtectHome::Yes, ProtectHome::ReadOnly, ProtectHome::Tmpfs]
    ),
    paths!("ReadWritePaths", read_write_paths),
    paths!("ReadOnlyPaths", read_only_paths),
    paths!("InaccessiblePaths", inaccessible_paths),
    // Limits, in the order of their table.
    limit!("LimitCPU", 0),
    limit!(soft "LimitCPUSoft", 0),
    limit!("LimitFSIZE", 1),
    limit!(soft "LimitFSIZESoft", 1),
    limit!("LimitDATA", 2),
    limit!(soft "LimitDATASoft", 2),
    limit!("LimitSTACK", 3),
    limit!(soft "LimitSTACKSoft", 3),
    limit!("LimitCORE", 4),
    limit!(soft "LimitCORESoft", 4),
    limit!("LimitRSS", 5),
    limit!(soft "LimitRSSSoft", 5),
    limit!("LimitNOFILE", 6),
    limit!(soft "LimitNOFILESoft", 6),
    limit!("LimitAS", 7),
    limit!(soft "LimitASSoft", 7),
    limit!("LimitNPROC", 8),
    limit!(soft "LimitNPROCSoft", 8),
    limit!("LimitMEMLOCK", 9),
    limit!(soft "LimitMEMLOCKSoft", 9),
    limit!("LimitLOCKS", 10),
    limit!(soft "LimitLOCKSSoft", 10),
    limit!("LimitSIGPENDING", 11),
    limit!(soft "LimitSIGPENDINGSoft", 11),
    limit!("LimitMSGQUEUE", 12),
    limit!(soft "LimitMSGQUEUESoft", 12),
    limit!("LimitNICE", 13),
    limit!(soft "LimitNICESoft", 13),
    limit!("LimitRTPRIO", 14),
    limit!(soft "LimitRTPRIOSoft", 14),
    limit!("LimitRTTIME", 15),
    limit!(soft "LimitRTTIMESoft", 15),
];
