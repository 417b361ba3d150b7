//! Properties of scopes and of services (reference 06.3, 06.6) that are neither about the cgroup nor about killing. Of
//! the execution environment only what the arbiter itself sets is shown; the rest is as the arbiter's own.

use super::unit::{monotonic, realtime};
use crate::service::{CommandRun, ServiceState};
use crate::settings::{ExecCommand, ServiceCommand, ServiceSettings, ServiceType};
use crate::systemd1::read::View;
use crate::systemd1::table::Emits::{Const, False, Invalidates, True};
use crate::systemd1::table::{Property, nothing, setting, unit};
use crate::time::{INFINITY, Timestamp};
use crate::value::Value;
use alloc::vec;
use alloc::vec::Vec;

pub(crate) const SCOPE_PROPERTIES: &[Property] = &[
    unit("Controller", "s", True, |v| Value::str(v.subject().controller.as_deref().unwrap_or(""))),
    setting("TimeoutStopUSec", "t", Const),
    unit("Result", "s", True, |v| Value::str(v.subject().result.as_str())),
    setting("RuntimeMaxUSec", "t", Const),
    setting("RuntimeRandomizedExtraUSec", "t", Const),
    unit("OOMPolicy", "s", Const, |v| Value::str(oom_policy(v))),
];

pub(crate) const PROPERTIES: &[Property] = &[
    setting("Type", "s", Const),
    setting("ExitType", "s", Const),
    setting("Restart", "s", Const),
    setting("PIDFile", "s", Const),
    setting("NotifyAccess", "s", Const),
    setting("RestartUSec", "t", Const),
    unit("TimeoutStartUSec", "t", Const, |v| Value::U64(timeout_start(v))),
    setting("TimeoutStopUSec", "t", Const),
    unit("TimeoutAbortUSec", "t", False, |v| Value::U64(timeout_abort(v))),
    setting("TimeoutStartFailureMode", "s", Const),
    setting("TimeoutStopFailureMode", "s", Const),
    setting("RuntimeMaxUSec", "t", Const),
    setting("RuntimeRandomizedExtraUSec", "t", Const),
    unit("WatchdogUSec", "t", False, |v| Value::U64(watchdog_usec(v))),
    unit("WatchdogTimestamp", "t", False, |v| realtime(watchdog(v))),
    unit("WatchdogTimestampMonotonic", "t", False, |v| monotonic(watchdog(v))),
    nothing("RootDirectoryStartOnly", "b", Const),
    setting("RemainAfterExit", "b", Const),
    setting("GuessMainPID", "b", Const),
    setting("RestartPreventExitStatus", "(aiai)", Const),
    setting("RestartForceExitStatus", "(aiai)", Const),
    setting("SuccessExitStatus", "(aiai)", Const),
    unit("MainPID", "u", True, |v| Value::U32(state(v).and_then(|s| s.main_pid).unwrap_or(0))),
    unit("ControlPID", "u", True, |v| Value::U32(state(v).and_then(|s| s.control_pid).unwrap_or(0))),
    nothing("BusName", "s", Const),
    setting("FileDescriptorStoreMax", "u", Const),
    unit("NFileDescriptorStore", "u", False, |v| Value::U32(state(v).map_or(0, stored))),
    unit("StatusText", "s", True, |v| Value::str(state(v).and_then(|s| s.notified.text.as_deref()).unwrap_or(""))),
    unit("StatusErrno", "i", True, |v| Value::I32(state(v).map_or(0, |s| s.notified.errno))),
    unit("Result", "s", True, |v| Value::str(v.subject().result.as_str())),
    unit("ReloadResult", "s", True, |v| Value::str(state(v).map_or("success", |s| s.reload_result.as_str()))),
    setting("ReloadSignal", "i", Const),
    unit("CleanResult", "s", True, |_| Value::str("success")),
    unit("UID", "u", True, |_| Value::U32(u32::MAX)),
    unit("GID", "u", True, |_| Value::U32(u32::MAX)),
    unit("NRestarts", "u", True, |v| Value::U32(state(v).map_or(0, |s| s.restarts))),
    setting("OOMPolicy", "s", Const),
    unit("ExecMainStartTimestamp", "t", True, |v| realtime(started(v))),
    unit("ExecMainStartTimestampMonotonic", "t", True, |v| monotonic(started(v))),
    unit("ExecMainExitTimestamp", "t", True, |v| realtime(ended(v))),
    unit("ExecMainExitTimestampMonotonic", "t", True, |v| monotonic(ended(v))),
    unit("ExecMainPID", "u", True, |v| Value::U32(state(v).map_or(0, |s| s.exec_main_pid))),
    unit("ExecMainCode", "i", True, |v| Value::I32(state(v).map_or(0, |s| s.exec_main_code))),
    unit("ExecMainStatus", "i", True, |v| Value::I32(state(v).map_or(0, |s| s.exec_main_status))),
    unit("ExecCondition", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::Condition)),
    unit("ExecConditionEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::Condition)),
    unit("ExecStartPre", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::StartPre)),
    unit("ExecStartPreEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::StartPre)),
    unit("ExecStart", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::Start)),
    unit("ExecStartEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::Start)),
    unit("ExecStartPost", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::StartPost)),
    unit("ExecStartPostEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::StartPost)),
    unit("ExecReload", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::Reload)),
    unit("ExecReloadEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::Reload)),
    unit("ExecStop", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::Stop)),
    unit("ExecStopEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::Stop)),
    unit("ExecStopPost", COMMANDS, Invalidates, |v| commands(v, ServiceCommand::StopPost)),
    unit("ExecStopPostEx", COMMANDS_EX, Invalidates, |v| commands_ex(v, ServiceCommand::StopPost)),
    setting("Environment", "as", Const),
    setting("EnvironmentFiles", "a(sb)", Const),
    setting("PassEnvironment", "as", Const),
    setting("UnsetEnvironment", "as", Const),
    setting("UMask", "u", Const),
    setting("LimitCPU", "t", Const),
    setting("LimitCPUSoft", "t", Const),
    setting("LimitFSIZE", "t", Const),
    setting("LimitFSIZESoft", "t", Const),
    setting("LimitDATA", "t", Const),
    setting("LimitDATASoft", "t", Const),
    setting("LimitSTACK", "t", Const),
    setting("LimitSTACKSoft", "t", Const),
    setting("LimitCORE", "t", Const),
    setting("LimitCORESoft", "t", Const),
    setting("LimitRSS", "t", Const),
    setting("LimitRSSSoft", "t", Const),
    setting("LimitNOFILE", "t", Const),
    setting("LimitNOFILESoft", "t", Const),
    setting("LimitAS", "t", Const),
    setting("LimitASSoft", "t", Const),
    setting("LimitNPROC", "t", Const),
    setting("LimitNPROCSoft", "t", Const),
    setting("LimitMEMLOCK", "t", Const),
    setting("LimitMEMLOCKSoft", "t", Const),
    setting("LimitLOCKS", "t", Const),
    setting("LimitLOCKSSoft", "t", Const),
    setting("LimitSIGPENDING", "t", Const),
    setting("LimitSIGPENDINGSoft", "t", Const),
    setting("LimitMSGQUEUE", "t", Const),
    setting("LimitMSGQUEUESoft", "t", Const),
    setting("LimitNICE", "t", Const),
    setting("LimitNICESoft", "t", Const),
    setting("LimitRTPRIO", "t", Const),
    setting("LimitRTPRIOSoft", "t", Const),
    setting("LimitRTTIME", "t", Const),
    setting("LimitRTTIMESoft", "t", Const),
    setting("WorkingDirectory", "s", Const),
    setting("RootDirectory", "s", Const),
    setting("OOMScoreAdjust", "i", Const),
    setting("Nice", "i", Const),
    setting("IOSchedulingClass", "i", Const),
    setting("IOSchedulingPriority", "i", Const),
    setting("CPUSchedulingPolicy", "i", Const),
    setting("CPUSchedulingPriority", "i", Const),
    setting("CPUAffinity", "ay", Const),
    setting("CPUSchedulingResetOnFork", "b", Const),
    setting("StandardInput", "s", Const),
    setting("StandardOutput", "s", Const),
    setting("StandardError", "s", Const),
    setting("TTYPath", "s", Const),
    setting("TTYReset", "b", Const),
    setting("TTYVHangup", "b", Const),
    setting("TTYVTDisallocate", "b", Const),
    setting("SyslogIdentifier", "s", Const),
    setting("SecureBits", "i", Const),
    setting("CapabilityBoundingSet", "t", Const),
    setting("AmbientCapabilities", "t", Const),
    setting("User", "s", Const),
    setting("Group", "s", Const),
    setting("SupplementaryGroups", "as", Const),
    setting("ReadWritePaths", "as", Const),
    setting("ReadOnlyPaths", "as", Const),
    setting("InaccessiblePaths", "as", Const),
    setting("PrivateTmp", "b", Const),
    setting("PrivateDevices", "b", Const),
    setting("ProtectHome", "s", Const),
    setting("ProtectSystem", "s", Const),
    setting("NoNewPrivileges", "b", Const),
    setting("RuntimeDirectoryPreserve", "s", Const),
    setting("RuntimeDirectoryMode", "u", Const),
    setting("RuntimeDirectory", "as", Const),
    setting("StateDirectoryMode", "u", Const),
    setting("StateDirectory", "as", Const),
    setting("CacheDirectoryMode", "u", Const),
    setting("CacheDirectory", "as", Const),
    setting("LogsDirectoryMode", "u", Const),
    setting("LogsDirectory", "as", Const),
    setting("ConfigurationDirectoryMode", "u", Const),
    setting("ConfigurationDirectory", "as", Const),
    setting("IgnoreSIGPIPE", "b", Const),
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

fn stored(state: &ServiceState) -> u32 {
    u32::try_from(state.store.len()).unwrap_or(u32::MAX)
}

fn started(view: &View<'_>) -> Timestamp {
    state(view).map_or_else(Timestamp::default, |s| s.exec_main_start)
}

fn ended(view: &View<'_>) -> Timestamp {
    state(view).map_or_else(Timestamp::default, |s| s.exec_main_exit)
}

fn timeout_start(view: &View<'_>) -> u64 {
    let default = |kind| match kind {
        ServiceType::Oneshot => INFINITY,
        _ => view.config.defaults.timeout_start_usec,
    };
    settings(view).map_or(INFINITY, |s| s.timeout_start_usec.unwrap_or_else(|| default(s.kind())))
}

fn timeout_abort(view: &View<'_>) -> u64 {
    settings(view).and_then(|s| s.timeout_abort_usec).unwrap_or(view.subject().settings.timeout_stop_usec)
}

fn watchdog_usec(view: &View<'_>) -> u64 {
    let told = state(view).and_then(|state| state.notified.watchdog_usec);
    told.unwrap_or_else(|| settings(view).map_or(0, |s| s.watchdog_usec))
}

fn watchdog(view: &View<'_>) -> Timestamp {
    state(view).map_or_else(Timestamp::default, |s| s.notified.watchdog)
}

fn oom_policy(view: &View<'_>) -> &'static str {
    if view.subject().settings.resources.delegate { "continue" } else { "stop" }
}

fn commands(view: &View<'_>, step: ServiceCommand) -> Value {
    rows(view, step, COMMAND, |command| Value::Bool(command.ignore_failure))
}

fn commands_ex(view: &View<'_>, step: ServiceCommand) -> Value {
    rows(view, step, COMMAND_EX, flags)
}

fn rows(view: &View<'_>, step: ServiceCommand, signature: &str, flags: fn(&ExecCommand) -> Value) -> Value {
    let all = settings(view).map_or(&[][..], |s| s.commands(step));
    let row = |(index, command): (usize, &ExecCommand)| {
        let mut fields = vec![Value::str(&command.path), Value::strings(&command.arguments), flags(command)];
        fields.extend(last_run(state(view).map_or_else(CommandRun::default, |state| state.run_of((step, index)))));
        Value::Struct(fields)
    };
    Value::Array(signature.into(), all.iter().enumerate().map(row).collect())
}

/// Start and end on both clocks, pid, how and with what it ended.
fn last_run(run: CommandRun) -> [Value; 7] {
    [
        realtime(run.start),
        monotonic(run.start),
        realtime(run.exit),
        monotonic(run.exit),
        Value::U32(run.pid),
        Value::I32(run.code),
        Value::I32(run.status),
    ]
}

fn flags(command: &ExecCommand) -> Value {
    let ignores = command.ignore_failure.then_some("ignore-failure");
    let rights = Some(command.rights.name()).filter(|name| !name.is_empty());
    let keeps = command.no_env_expand.then_some("no-env-expand");
    Value::strings([ignores, rights, keeps].into_iter().flatten().collect::<Vec<_>>())
}
