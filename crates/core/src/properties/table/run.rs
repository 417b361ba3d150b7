//! Rows of what runs in a unit: how it is stopped, what only scopes and only services have (reference 06.3, 06.5,
//! 06.6).

use super::{Row, Types, When};
use crate::properties::kind::{Choice, Kind, field};
use crate::settings::{KillMode, ServiceType};
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
const SERVICE_TYPES: [ServiceType; 3] = [ServiceType::Simple, ServiceType::Exec, ServiceType::Oneshot];

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
            words: &["simple", "exec", "oneshot"],
            unserved: &["forking", "dbus", "notify", "idle"],
            get: |s| s.service().kind.map_or(0, |kind| kind as usize),
            set: |s, index| s.service_mut().kind = Some(SERVICE_TYPES[index]),
            named_refusal: true,
        }),
    ),
    service(
        "Restart",
        "Restart",
        Kind::Choice(Choice {
            words: &["no"],
            unserved: &["on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"],
            get: |_| 0,
            set: |_, _| {},
            named_refusal: true,
        }),
    ),
    service("RemainAfterExit", "RemainAfterExit", Kind::Flag(field!(service remain_after_exit))),
    service("ExecStart", "ExecStart", Kind::Commands),
    service("ExecStartEx", "ExecStart", Kind::CommandsEx),
    service("Environment", "Environment", Kind::Environment),
];
