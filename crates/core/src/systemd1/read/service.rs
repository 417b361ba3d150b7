//! Properties of scopes and of services (reference 06.3, 06.6) that are neither about the cgroup nor about killing. Of
//! the execution environment only what the arbiter itself sets is shown; the rest is as the arbiter's own.

use super::unit::{monotonic, realtime};
use crate::service::ServiceState;
use crate::settings::{ExecCommand, ServiceSettings, ServiceType};
use crate::systemd1::read::View;
use crate::systemd1::table::Emits::{Const, False, Invalidates, True};
use crate::systemd1::table::{Property, nothing, setting, unit};
use crate::time::{INFINITY, Timestamp};
use crate::value::Value;
use alloc::vec;

pub(crate) const SCOPE_PROPERTIES: &[Property] = &[
    unit("Controller", "s", True, |v| Value::str(v.subject().controller.as_deref().unwrap_or(""))),
    setting("TimeoutStopUSec", "t", Const),
    unit("Result", "s", True, |v| Value::str(v.subject().result.as_str())),
    setting("RuntimeMaxUSec", "t", Const),
    setting("RuntimeRandomizedExtraUSec", "t", Const),
    unit("OOMPolicy", "s", Const, |v| Value::str(oom_policy(v))),
];

pub(crate) const PROPERTIES: &[Property] = &[
    unit("Type", "s", Const, |v| Value::str(kind(v))),
    unit("ExitType", "s", Const, |_| Value::str("main")),
    setting("Restart", "s", Const),
    nothing("PIDFile", "s", Const),
    unit("NotifyAccess", "s", Const, |_| Value::str("none")),
    unit("RestartUSec", "t", Const, |_| Value::U64(100_000)),
    unit("TimeoutStartUSec", "t", Const, |v| Value::U64(timeout_start(v))),
    setting("TimeoutStopUSec", "t", Const),
    unit("TimeoutAbortUSec", "t", False, |v| Value::U64(v.subject().settings.timeout_stop_usec)),
    unit("TimeoutStartFailureMode", "s", Const, |_| Value::str("terminate")),
    unit("TimeoutStopFailureMode", "s", Const, |_| Value::str("terminate")),
    setting("RuntimeMaxUSec", "t", Const),
    setting("RuntimeRandomizedExtraUSec", "t", Const),
    nothing("WatchdogUSec", "t", False),
    nothing("WatchdogTimestamp", "t", False),
    nothing("WatchdogTimestampMonotonic", "t", False),
    nothing("RootDirectoryStartOnly", "b", Const),
    setting("RemainAfterExit", "b", Const),
    unit("GuessMainPID", "b", Const, |_| Value::Bool(true)),
    nothing("RestartPreventExitStatus", "(aiai)", Const),
    nothing("RestartForceExitStatus", "(aiai)", Const),
    nothing("SuccessExitStatus", "(aiai)", Const),
    unit("MainPID", "u", True, |v| Value::U32(state(v).and_then(|s| s.main_pid).unwrap_or(0))),
    nothing("ControlPID", "u", True),
    nothing("BusName", "s", Const),
    nothing("FileDescriptorStoreMax", "u", Const),
    nothing("NFileDescriptorStore", "u", False),
    nothing("StatusText", "s", True),
    nothing("StatusErrno", "i", True),
    unit("Result", "s", True, |v| Value::str(v.subject().result.as_str())),
    unit("ReloadResult", "s", True, |_| Value::str("success")),
    unit("CleanResult", "s", True, |_| Value::str("success")),
    unit("UID", "u", True, |_| Value::U32(u32::MAX)),
    unit("GID", "u", True, |_| Value::U32(u32::MAX)),
    nothing("NRestarts", "u", True),
    unit("OOMPolicy", "s", Const, |v| Value::str(oom_policy(v))),
    unit("ExecMainStartTimestamp", "t", True, |v| realtime(started(v))),
    unit("ExecMainStartTimestampMonotonic", "t", True, |v| monotonic(started(v))),
    unit("ExecMainExitTimestamp", "t", True, |v| realtime(ended(v))),
    unit("ExecMainExitTimestampMonotonic", "t", True, |v| monotonic(ended(v))),
    unit("ExecMainPID", "u", True, |v| Value::U32(state(v).map_or(0, |s| s.exec_main_pid))),
    unit("ExecMainCode", "i", True, |v| Value::I32(state(v).map_or(0, |s| s.exec_main_code))),
    unit("ExecMainStatus", "i", True, |v| Value::I32(state(v).map_or(0, |s| s.exec_main_status))),
    nothing("ExecCondition", COMMANDS, Invalidates),
    nothing("ExecConditionEx", COMMANDS_EX, Invalidates),
    nothing("ExecStartPre", COMMANDS, Invalidates),
    nothing("ExecStartPreEx", COMMANDS_EX, Invalidates),
    unit("ExecStart", COMMANDS, Invalidates, |v| commands(v, COMMAND, |c| Value::Bool(c.ignore_failure))),
    unit("ExecStartEx", COMMANDS_EX, Invalidates, |v| commands(v, COMMAND_EX, flags)),
    nothing("ExecStartPost", COMMANDS, Invalidates),
    nothing("ExecStartPostEx", COMMANDS_EX, Invalidates),
    nothing("ExecReload", COMMANDS, Invalidates),
    nothing("ExecReloadEx", COMMANDS_EX, Invalidates),
    nothing("ExecStop", COMMANDS, Invalidates),
    nothing("ExecStopEx", COMMANDS_EX, Invalidates),
    nothing("ExecStopPost", COMMANDS, Invalidates),
    nothing("ExecStopPostEx", COMMANDS_EX, Invalidates),
    setting("Environment", "as", Const),
    setting("User", "s", Const),
    setting("Group", "s", Const),
    nothing("WorkingDirectory", "s", Const),
    nothing("LogNamespace", "s", Const),
];

const COMMAND: &str = "(sasbttttuii)";
const COMMANDS: &str = "a(sasbttttuii)";
const COMMAND_EX: &str = "(sasasttttuii)";
const COMMANDS_EX: &str = "a(sasasttttuii)";

fn settings<'a>(view: &View<'a>) -> Option<&'a ServiceSettings> {
    view.subject().settings.service.as_deref()
}

fn state<'a>(view: &View<'a>) -> Option<&'a ServiceState> {
    view.subject().service.as_deref()
}

fn started(view: &View<'_>) -> Timestamp {
    state(view).map_or_else(Timestamp::default, |s| s.exec_main_start)
}

fn ended(view: &View<'_>) -> Timestamp {
    state(view).map_or_else(Timestamp::default, |s| s.exec_main_exit)
}

fn service_type(view: &View<'_>) -> ServiceType {
    let default =
        |s: &ServiceSettings| if s.exec_start.is_empty() { ServiceType::Oneshot } else { ServiceType::Simple };
    settings(view).map_or(ServiceType::Simple, |s| s.kind.unwrap_or_else(|| default(s)))
}

fn kind(view: &View<'_>) -> &'static str {
    match service_type(view) {
        ServiceType::Simple => "simple",
        ServiceType::Exec => "exec",
        ServiceType::Oneshot => "oneshot",
    }
}

fn timeout_start(view: &View<'_>) -> u64 {
    match service_type(view) {
        ServiceType::Oneshot => INFINITY,
        ServiceType::Simple | ServiceType::Exec => view.config.defaults.timeout_start_usec,
    }
}

fn oom_policy(view: &View<'_>) -> &'static str {
    if view.subject().settings.resources.delegate { "continue" } else { "stop" }
}

fn commands(view: &View<'_>, signature: &str, flags: fn(&ExecCommand) -> Value) -> Value {
    let all = settings(view).map_or(&[][..], |s| &s.exec_start);
    let row = |(index, command): (usize, &ExecCommand)| {
        let mut fields = vec![Value::str(&command.path), Value::strings(&command.arguments), flags(command)];
        fields.extend(last_run(state(view).filter(|s| s.command_index == index)));
        Value::Struct(fields)
    };
    Value::Array(signature.into(), all.iter().enumerate().map(row).collect())
}

/// Start and end on both clocks, pid, how and with what it ended.
fn last_run(run: Option<&ServiceState>) -> [Value; 7] {
    let none = ServiceState::default();
    let run = run.unwrap_or(&none);
    [
        realtime(run.exec_main_start),
        monotonic(run.exec_main_start),
        realtime(run.exec_main_exit),
        monotonic(run.exec_main_exit),
        Value::U32(run.exec_main_pid),
        Value::I32(run.exec_main_code),
        Value::I32(run.exec_main_status),
    ]
}

fn flags(command: &ExecCommand) -> Value {
    Value::strings(command.ignore_failure.then_some("ignore-failure"))
}
