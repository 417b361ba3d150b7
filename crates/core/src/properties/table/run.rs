//! Rows of what runs in a unit: how it is stopped, what only scopes and only services have (reference 06.3, 06.5,
//! 06.6).

use super::{Row, Types, When};
use crate::properties::kind::{Choice, Kind, field};
use crate::settings::{ExitType, FailureMode, KillMode, NotifyAccess, OomPolicy, Restart, ServiceCommand, ServiceType};
use crate::unit_file::Section;

const PROCESSES: Types = Types::SCOPE.union(Types::SERVICE);

/// Scopes and services, at creation.
const fn both(name: &'static str, key: &'static str, kind: Kind) -> Row {
    Row { name, key, section: Section::Type, types: PROCESSES, when: When::Creation, controller: None, kind }
}

const fn scope(name: &'static str, kind: Kind) -> Row {
    Row { types: Types::SCOPE, ..both(name, "", kind) }
}

const fn service(name: &'static str, key: &'static str, kind: Kind) -> Row {
    Row { types: Types::SERVICE, ..both(name, key, kind) }
}

macro_rules! signal {
    ($name:literal, $field:ident) => {
        both($name, $name, Kind::Signal(|s| s.kill.$field, |s, signal| s.kill.$field = signal))
    };
}

const KILL_MODES: [KillMode; 4] = [KillMode::ControlGroup, KillMode::Process, KillMode::Mixed, KillMode::None];
const RESTARTS: [Restart; 7] = [
    Restart::No,
    Restart::OnSuccess,
    Restart::OnFailure,
    Restart::OnAbnormal,
    Restart::OnWatchdog,
    Restart::OnAbort,
    Restart::Always,
];
const EXIT_TYPES: [ExitType; 2] = [ExitType::Main, ExitType::Cgroup];
const ACCESSES: [NotifyAccess; 4] = [NotifyAccess::None, NotifyAccess::All, NotifyAccess::Exec, NotifyAccess::Main];
const FAILURE_MODES: [FailureMode; 3] = [FailureMode::Terminate, FailureMode::Abort, FailureMode::Kill];
const OOM_POLICIES: [OomPolicy; 2] = [OomPolicy::Continue, OomPolicy::Stop];

macro_rules! failure_mode {
    ($name:literal, $field:ident) => {
        service(
            $name,
            $name,
            Kind::Choice(Choice {
                words: &["terminate", "abort", "kill"],
                unserved: &[],
                get: |s| s.service().$field as usize,
                set: |s, index| s.service_mut().$field = FAILURE_MODES[index],
                named_refusal: true,
            }),
        )
    };
}

const fn is_absolute(path: &str) -> bool {
    matches!(path.as_bytes(), [b'/', ..])
}

pub(super) const ROWS: &[Row] = &[
    // How it is stopped.
    both(
        "KillMode",
        "KillMode",
        Kind::Choice(Choice {
            words: &["control-group", "process", "mixed", "none"],
            unserved: &[],
            get: |s| s.kill.mode as usize,
            set: |s, index| s.kill.mode = KILL_MODES[index],
            named_refusal: true,
        }),
    ),
    signal!("KillSignal", signal),
    signal!("FinalKillSignal", final_signal),
    signal!("WatchdogSignal", watchdog_signal),
    both(
        "RestartKillSignal",
        "RestartKillSignal",
        Kind::Signal(
            |s| s.kill.restart_signal.unwrap_or(s.kill.signal),
            |s, signal| s.kill.restart_signal = Some(signal),
        ),
    ),
    both("SendSIGKILL", "SendSIGKILL", Kind::Flag(field!(kill.send_sigkill))),
    both("SendSIGHUP", "SendSIGHUP", Kind::Flag(field!(kill.send_sighup))),
    both("TimeoutStopUSec", "TimeoutStopSec", Kind::StopTime(field!(timeout_stop_usec))),
    both("RuntimeMaxUSec", "RuntimeMaxSec", Kind::Time(field!(runtime_max_usec))),
    both("RuntimeRandomizedExtraUSec", "RuntimeRandomizedExtraSec", Kind::Time(field!(runtime_extra_usec))),
    both("User", "User", Kind::Principal(field!(user))),
    both("Group", "Group", Kind::Principal(field!(group))),
    // Scopes.
    scope("PIDs", Kind::Pids),
    scope("PIDFDs", Kind::PidFds),
    scope("Controller", Kind::Controller),
    // Services.
    service(
        "Type",
        "Type",
        Kind::Choice(Choice {
            words: &["simple", "exec", "oneshot", "forking", "notify", "notify-reload", "idle"],
            unserved: &["dbus"],
            get: |s| s.service().kind() as usize,
            set: |s, index| s.service_mut().kind = Some(ServiceType::ALL[index]),
            named_refusal: true,
        }),
    ),
    service(
        "Restart",
        "Restart",
        Kind::Choice(Choice {
            words: &["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"],
            unserved: &[],
            get: |s| s.service().restart as usize,
            set: |s, index| s.service_mut().restart = RESTARTS[index],
            named_refusal: true,
        }),
    ),
    service("RemainAfterExit", "RemainAfterExit", Kind::Flag(field!(service remain_after_exit))),
    service("ExecCondition", "ExecCondition", Kind::Commands(ServiceCommand::Condition)),
    service("ExecConditionEx", "ExecCondition", Kind::CommandsEx(ServiceCommand::Condition)),
    service("ExecStartPre", "ExecStartPre", Kind::Commands(ServiceCommand::StartPre)),
    service("ExecStartPreEx", "ExecStartPre", Kind::CommandsEx(ServiceCommand::StartPre)),
    service("ExecStart", "ExecStart", Kind::Commands(ServiceCommand::Start)),
    service("ExecStartEx", "ExecStart", Kind::CommandsEx(ServiceCommand::Start)),
    service("ExecStartPost", "ExecStartPost", Kind::Commands(ServiceCommand::StartPost)),
    service("ExecStartPostEx", "ExecStartPost", Kind::CommandsEx(ServiceCommand::StartPost)),
    service("ExecReload", "ExecReload", Kind::Commands(ServiceCommand::Reload)),
    service("ExecReloadEx", "ExecReload", Kind::CommandsEx(ServiceCommand::Reload)),
    service("ExecStop", "ExecStop", Kind::Commands(ServiceCommand::Stop)),
    service("ExecStopEx", "ExecStop", Kind::CommandsEx(ServiceCommand::Stop)),
    service("ExecStopPost", "ExecStopPost", Kind::Commands(ServiceCommand::StopPost)),
    service("ExecStopPostEx", "ExecStopPost", Kind::CommandsEx(ServiceCommand::StopPost)),
    service(
        "ExitType",
        "ExitType",
        Kind::Choice(Choice {
            words: &["main", "cgroup"],
            unserved: &[],
            get: |s| s.service().exit_type as usize,
            set: |s, index| s.service_mut().exit_type = EXIT_TYPES[index],
            named_refusal: true,
        }),
    ),
    service(
        "NotifyAccess",
        "NotifyAccess",
        Kind::Choice(Choice {
            words: &["none", "all", "exec", "main"],
            unserved: &[],
            get: |s| s.service().notify_access() as usize,
            set: |s, index| s.service_mut().notify_access = Some(ACCESSES[index]),
            named_refusal: true,
        }),
    ),
    service("FileDescriptorStoreMax", "FileDescriptorStoreMax", Kind::Count(field!(service file_descriptor_store_max))),
    service(
        "OOMPolicy",
        "OOMPolicy",
        Kind::Choice(Choice {
            words: &["continue", "stop"],
            unserved: &["kill"],
            get: |s| s.oom_policy() as usize,
            set: |s, index| s.service_mut().oom_policy = Some(OOM_POLICIES[index]),
            named_refusal: true,
        }),
    ),
    failure_mode!("TimeoutStartFailureMode", timeout_start_failure),
    failure_mode!("TimeoutStopFailureMode", timeout_stop_failure),
    service("TimeoutStartUSec", "TimeoutStartSec", Kind::OptionalTime(field!(service timeout_start_usec), true)),
    service("TimeoutAbortUSec", "TimeoutAbortSec", Kind::OptionalTime(field!(service timeout_abort_usec), true)),
    service("RestartUSec", "RestartSec", Kind::Time(field!(service restart_usec))),
    service("WatchdogUSec", "WatchdogSec", Kind::Time(field!(service watchdog_usec))),
    service("GuessMainPID", "GuessMainPID", Kind::Flag(field!(service guess_main_pid))),
    service("PIDFile", "PIDFile", Kind::Text(field!(service pid_file), is_absolute)),
    service("SuccessExitStatus", "SuccessExitStatus", Kind::Statuses(field!(service success_status))),
    service(
        "RestartPreventExitStatus",
        "RestartPreventExitStatus",
        Kind::Statuses(field!(service restart_prevent_status)),
    ),
    service("RestartForceExitStatus", "RestartForceExitStatus", Kind::Statuses(field!(service restart_force_status))),
    service(
        "ReloadSignal",
        "ReloadSignal",
        Kind::Signal(
            |s| s.service().reload_signal.into(),
            |s, signal| s.service_mut().reload_signal = u8::try_from(signal).expect("signals were checked"),
        ),
    ),
    service("Environment", "Environment", Kind::Environment),
];
