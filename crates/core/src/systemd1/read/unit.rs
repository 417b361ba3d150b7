//! Properties that every unit has (reference 07.11), except its ties to others.

use crate::error::Refusal;
use crate::graph::Edge;
use crate::names::UnitType;
use crate::settings::{CollectMode, RareSettings};
use crate::systemd1::encode::job_path;
use crate::systemd1::read::View;
use crate::systemd1::table::Emits::{Const, False, Invalidates, True};
use crate::systemd1::table::{Property, unit};
use crate::time::{INFINITY, Timestamp};
use crate::unit::{LoadState, Unit};
use crate::value::Value;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub(crate) const PROPERTIES: &[Property] = &[
    unit("Id", "s", Const, |v| Value::str(&v.subject().name)),
    unit("Names", "as", Const, |v| Value::strings([&v.subject().name])),
    unit("Following", "s", False, |_| Value::str("")),
    unit("RequiresMountsFor", "as", Const, |v| rare_list(v, |rare| &rare.requires_mounts_for)),
    unit("Documentation", "as", Const, |v| rare_list(v, |rare| &rare.documentation)),
    unit("Description", "s", Const, |v| Value::str(v.subject().description())),
    unit("AccessSELinuxContext", "s", Const, |_| Value::str("")),
    unit("LoadState", "s", Const, |v| Value::str(v.subject().load.as_str())),
    unit("ActiveState", "s", True, |v| Value::str(v.subject().active().as_str())),
    unit("FreezerState", "s", True, |v| Value::str(v.subject().freezer.as_str())),
    unit("SubState", "s", True, |v| Value::str(v.subject().state.sub())),
    unit("FragmentPath", "s", Const, |v| Value::str(v.subject().fragment.as_deref().unwrap_or(""))),
    unit("SourcePath", "s", Const, |v| Value::str(rare(v).and_then(|r| r.source_path.as_deref()).unwrap_or(""))),
    unit("DropInPaths", "as", Const, |v| Value::strings(&v.subject().drop_ins)),
    unit("UnitFileState", "s", False, |v| Value::str(unit_file_state(v.subject()))),
    unit("UnitFilePreset", "s", False, |_| Value::str("")),
    unit("StateChangeTimestamp", "t", True, |v| realtime(v.subject().times.state_change)),
    unit("StateChangeTimestampMonotonic", "t", True, |v| monotonic(v.subject().times.state_change)),
    unit("InactiveExitTimestamp", "t", True, |v| realtime(v.subject().times.inactive_exit)),
    unit("InactiveExitTimestampMonotonic", "t", True, |v| monotonic(v.subject().times.inactive_exit)),
    unit("ActiveEnterTimestamp", "t", True, |v| realtime(v.subject().times.active_enter)),
    unit("ActiveEnterTimestampMonotonic", "t", True, |v| monotonic(v.subject().times.active_enter)),
    unit("ActiveExitTimestamp", "t", True, |v| realtime(v.subject().times.active_exit)),
    unit("ActiveExitTimestampMonotonic", "t", True, |v| monotonic(v.subject().times.active_exit)),
    unit("InactiveEnterTimestamp", "t", True, |v| realtime(v.subject().times.inactive_enter)),
    unit("InactiveEnterTimestampMonotonic", "t", True, |v| monotonic(v.subject().times.inactive_enter)),
    unit("CanStart", "b", Const, |v| Value::Bool(can_start(v))),
    unit("CanStop", "b", Const, |v| Value::Bool(can_stop(v))),
    unit("CanReload", "b", Const, |v| Value::Bool(v.graph.edges(v.unit, Edge::PropagatesReloadTo).next().is_some())),
    unit("CanIsolate", "b", Const, |v| Value::Bool(can_start(v) && rare(v).is_some_and(|r| r.allow_isolate))),
    unit("CanClean", "as", Const, |_| no_strings()),
    unit("CanFreeze", "b", Const, |v| Value::Bool(can_freeze(v.subject()))),
    unit("Job", "(uo)", True, job),
    unit("StopWhenUnneeded", "b", Const, |v| rare_flag(v, |rare| rare.stop_when_unneeded)),
    unit("RefuseManualStart", "b", Const, |v| rare_flag(v, |rare| rare.refuse_manual_start)),
    unit("RefuseManualStop", "b", Const, |v| rare_flag(v, |rare| rare.refuse_manual_stop)),
    unit("AllowIsolate", "b", Const, |v| rare_flag(v, |rare| rare.allow_isolate)),
    unit("DefaultDependencies", "b", Const, |v| Value::Bool(v.subject().settings.default_dependencies)),
    unit("OnSuccessJobMode", "s", Const, |_| Value::str("fail")),
    unit("OnFailureJobMode", "s", Const, |_| Value::str("replace")),
    unit("IgnoreOnIsolate", "b", Const, |v| Value::Bool(ignore_on_isolate(v))),
    unit("NeedDaemonReload", "b", False, |_| Value::Bool(false)),
    unit("Markers", "as", False, |v| rare_list(v, |rare| &rare.markers)),
    unit("JobTimeoutUSec", "t", Const, |v| Value::U64(rare(v).and_then(|r| r.job_timeout_usec).unwrap_or(INFINITY))),
    unit("JobRunningTimeoutUSec", "t", Const, |v| Value::U64(job_running_timeout(v))),
    unit("JobTimeoutAction", "s", Const, |_| Value::str("none")),
    unit("JobTimeoutRebootArgument", "s", Const, |_| Value::str("")),
    // There are no conditions, and clients take a false result for a failed one.
    unit("ConditionResult", "b", True, |_| Value::Bool(true)),
    unit("AssertResult", "b", True, |_| Value::Bool(true)),
    unit("ConditionTimestamp", "t", True, |_| Value::U64(0)),
    unit("ConditionTimestampMonotonic", "t", True, |_| Value::U64(0)),
    unit("AssertTimestamp", "t", True, |_| Value::U64(0)),
    unit("AssertTimestampMonotonic", "t", True, |_| Value::U64(0)),
    unit("Conditions", "a(sbbsi)", Invalidates, |_| Value::Array("(sbbsi)".into(), Vec::new())),
    unit("Asserts", "a(sbbsi)", Invalidates, |_| Value::Array("(sbbsi)".into(), Vec::new())),
    unit("LoadError", "(ss)", Const, |v| load_error(v.subject().load_error.as_deref())),
    unit("Transient", "b", Const, |v| Value::Bool(v.subject().transient)),
    unit("Perpetual", "b", Const, |v| Value::Bool(v.subject().perpetual)),
    unit("StartLimitIntervalUSec", "t", Const, |_| Value::U64(10_000_000)),
    unit("StartLimitBurst", "u", Const, |_| Value::U32(5)),
    unit("StartLimitAction", "s", Const, |_| Value::str("none")),
    unit("FailureAction", "s", Const, |_| Value::str("none")),
    unit("FailureActionExitStatus", "i", Const, |_| Value::I32(-1)),
    unit("SuccessAction", "s", Const, |_| Value::str("none")),
    unit("SuccessActionExitStatus", "i", Const, |_| Value::I32(-1)),
    unit("RebootArgument", "s", Const, |_| Value::str("")),
    unit("InvocationID", "ay", True, |v| Value::Bytes(v.subject().invocation_id.map_or_else(Vec::new, Vec::from))),
    unit("CollectMode", "s", Const, |v| Value::str(collect_mode(v.subject().settings.collect_mode))),
    unit("Refs", "as", False, |_| no_strings()),
    unit("ActivationDetails", "a(ss)", True, |_| Value::Array("(ss)".into(), Vec::new())),
];

/// Microseconds since 1970.
pub(super) fn realtime(moment: Timestamp) -> Value {
    Value::U64(moment.realtime)
}

/// Microseconds on the monotonic clock.
pub(super) fn monotonic(moment: Timestamp) -> Value {
    Value::U64(moment.monotonic)
}

/// An empty `as`.
pub(super) fn no_strings() -> Value {
    Value::Array("s".into(), Vec::new())
}

fn rare<'a>(view: &View<'a>) -> Option<&'a RareSettings> {
    view.subject().settings.rare.as_deref()
}

fn rare_flag(view: &View<'_>, pick: fn(&RareSettings) -> bool) -> Value {
    Value::Bool(rare(view).is_some_and(pick))
}

fn rare_list(view: &View<'_>, pick: fn(&RareSettings) -> &Vec<String>) -> Value {
    rare(view).map_or_else(no_strings, |rare| Value::strings(pick(rare)))
}

/// Whether a client may start it; dependencies may still do so when this is false.
fn can_start(view: &View<'_>) -> bool {
    view.subject().can_start() && !rare(view).is_some_and(|rare| rare.refuse_manual_start)
}

fn can_stop(view: &View<'_>) -> bool {
    let unit = view.subject();
    unit.unit_type().is_managed() && !unit.perpetual && !rare(view).is_some_and(|rare| rare.refuse_manual_stop)
}

fn can_freeze(unit: &Unit) -> bool {
    unit.unit_type().is_managed() && !unit.name.is_root_slice() && unit.name.as_str() != "init.scope"
}

fn ignore_on_isolate(view: &View<'_>) -> bool {
    let default = matches!(view.subject().unit_type(), UnitType::Slice | UnitType::Scope);
    rare(view).and_then(|rare| rare.ignore_on_isolate).unwrap_or(default)
}

fn job_running_timeout(view: &View<'_>) -> u64 {
    rare(view).and_then(|rare| rare.job_running_timeout_usec.or(rare.job_timeout_usec)).unwrap_or(INFINITY)
}

fn unit_file_state(unit: &Unit) -> &'static str {
    match (unit.load, unit.transient, &unit.fragment) {
        (LoadState::Masked, ..) => "masked",
        (_, true, _) => "transient",
        (_, false, Some(_)) => "static",
        (_, false, None) => "",
    }
}

fn job(view: &View<'_>) -> Value {
    let (id, path) = match view.subject().job {
        Some(job) => (job.0, job_path(job.0)),
        None => (0, Value::path("/")),
    };
    Value::Struct(vec![Value::U32(id), path])
}

fn load_error(error: Option<&Refusal>) -> Value {
    let (name, text) = error.map_or(("", ""), |error| (error.kind.bus_name(), error.message.as_str()));
    Value::Struct(vec![Value::str(name), Value::str(text)])
}

fn collect_mode(mode: CollectMode) -> &'static str {
    match mode {
        CollectMode::Inactive => "inactive",
        CollectMode::InactiveOrFailed => "inactive-or-failed",
    }
}
