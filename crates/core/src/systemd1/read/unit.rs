//! Properties that every unit has (reference 07.11), except its ties to others.

use crate::error::Refusal;
use crate::graph::Edge;
use crate::install;
use crate::names::{UnitName, UnitType};
use crate::settings::RareSettings;
use crate::systemd1::encode::job_path;
use crate::systemd1::read::View;
use crate::systemd1::table::Emits::{Const, False, Invalidates, True};
use crate::systemd1::table::{Property, Read, nothing, setting, unit};
use crate::time::{INFINITY, Timestamp};
use crate::unit::{LoadState, Unit};
use crate::value::Value;
use alloc::vec;
use alloc::vec::Vec;

pub(crate) const PROPERTIES: &[Property] = &[
    unit("Id", "s", Const, |v| Value::str(&v.subject().name)),
    unit("Names", "as", Const, |v| Value::strings(names(v.subject()))),
    nothing("Following", "s", False),
    setting("RequiresMountsFor", "as", Const),
    setting("Documentation", "as", Const),
    unit("Description", "s", Const, |v| Value::str(v.subject().description())),
    nothing("AccessSELinuxContext", "s", Const),
    unit("LoadState", "s", Const, |v| Value::str(v.subject().load.as_str())),
    unit("ActiveState", "s", True, |v| Value::str(v.subject().active().as_str())),
    unit("FreezerState", "s", True, |v| Value::str(v.subject().freezer.as_str())),
    unit("SubState", "s", True, |v| Value::str(v.subject().state.sub())),
    unit("FragmentPath", "s", Const, |v| Value::str(v.subject().fragment.as_deref().unwrap_or(""))),
    setting("SourcePath", "s", Const),
    unit("DropInPaths", "as", Const, |v| Value::strings(&v.subject().drop_ins)),
    unit("UnitFileState", "s", False, |v| Value::str(unit_file_state(v))),
    nothing("UnitFilePreset", "s", False),
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
    unit("CanReload", "b", Const, |v| Value::Bool(can_reload(v))),
    unit("CanIsolate", "b", Const, |v| Value::Bool(can_start(v) && rare(v).is_some_and(|r| r.allow_isolate))),
    nothing("CanClean", "as", Const),
    unit("CanFreeze", "b", Const, |v| Value::Bool(can_freeze(v.subject()))),
    unit("Job", "(uo)", True, job),
    setting("StopWhenUnneeded", "b", Const),
    setting("RefuseManualStart", "b", Const),
    setting("RefuseManualStop", "b", Const),
    setting("AllowIsolate", "b", Const),
    unit("DefaultDependencies", "b", Const, |v| Value::Bool(has_default_dependencies(v.subject()))),
    unit("OnSuccessJobMode", "s", Const, |_| Value::str("fail")),
    unit("OnFailureJobMode", "s", Const, |_| Value::str("replace")),
    unit("IgnoreOnIsolate", "b", Const, |v| Value::Bool(ignore_on_isolate(v))),
    Property { name: "NeedDaemonReload", signature: "b", emits: False, read: Read::Disk(needs_daemon_reload) },
    setting("Markers", "as", False),
    setting("JobTimeoutUSec", "t", Const),
    unit("JobRunningTimeoutUSec", "t", Const, |v| Value::U64(job_running_timeout(v))),
    unit("JobTimeoutAction", "s", Const, |_| Value::str("none")),
    nothing("JobTimeoutRebootArgument", "s", Const),
    // There are no conditions, and clients take a false result for a failed one.
    unit("ConditionResult", "b", True, |_| Value::Bool(true)),
    unit("AssertResult", "b", True, |_| Value::Bool(true)),
    nothing("ConditionTimestamp", "t", True),
    nothing("ConditionTimestampMonotonic", "t", True),
    nothing("AssertTimestamp", "t", True),
    nothing("AssertTimestampMonotonic", "t", True),
    nothing("Conditions", "a(sbbsi)", Invalidates),
    nothing("Asserts", "a(sbbsi)", Invalidates),
    unit("LoadError", "(ss)", Const, |v| load_error(v.subject().load_error.as_deref())),
    unit("Transient", "b", Const, |v| Value::Bool(v.subject().transient)),
    unit("Perpetual", "b", Const, |v| Value::Bool(v.subject().perpetual)),
    unit("StartLimitIntervalUSec", "t", Const, |v| Value::U64(v.subject().settings.start_limit().0)),
    unit("StartLimitBurst", "u", Const, |v| Value::U32(v.subject().settings.start_limit().1)),
    unit("StartLimitAction", "s", Const, |_| Value::str("none")),
    unit("FailureAction", "s", Const, |_| Value::str("none")),
    unit("FailureActionExitStatus", "i", Const, |_| Value::I32(-1)),
    unit("SuccessAction", "s", Const, |_| Value::str("none")),
    unit("SuccessActionExitStatus", "i", Const, |_| Value::I32(-1)),
    nothing("RebootArgument", "s", Const),
    unit("InvocationID", "ay", True, |v| Value::Bytes(v.subject().invocation_id.map_or_else(Vec::new, Vec::from))),
    setting("CollectMode", "s", Const),
    nothing("Refs", "as", False),
    nothing("ActivationDetails", "a(ss)", True),
];

/// Microseconds since 1970.
pub(super) fn realtime(moment: Timestamp) -> Value {
    Value::U64(moment.realtime)
}

/// Microseconds on the monotonic clock.
pub(super) fn monotonic(moment: Timestamp) -> Value {
    Value::U64(moment.monotonic)
}

fn rare<'a>(view: &View<'a>) -> Option<&'a RareSettings> {
    view.subject().settings.rare.as_deref()
}

/// Whether a client may start it; dependencies may still do so when this is false.
fn can_start(view: &View<'_>) -> bool {
    view.subject().can_start() && !rare(view).is_some_and(|rare| rare.refuse_manual_start)
}

fn can_reload(view: &View<'_>) -> bool {
    view.subject().can_reload() || view.graph.edges(view.unit, Edge::PropagatesReloadTo).next().is_some()
}

fn can_stop(view: &View<'_>) -> bool {
    let unit = view.subject();
    unit.unit_type().is_managed() && !unit.perpetual && !rare(view).is_some_and(|rare| rare.refuse_manual_stop)
}

fn can_freeze(unit: &Unit) -> bool {
    unit.unit_type().is_managed() && !unit.name.is_root_slice() && unit.name.as_str() != "init.scope"
}

/// Units that are always there stand outside the order of start and shutdown.
pub(super) fn has_default_dependencies(unit: &Unit) -> bool {
    unit.settings.default_dependencies && !unit.perpetual
}

fn ignore_on_isolate(view: &View<'_>) -> bool {
    let default = matches!(view.subject().unit_type(), UnitType::Slice | UnitType::Scope);
    rare(view).and_then(|rare| rare.ignore_on_isolate).unwrap_or(default)
}

fn job_running_timeout(view: &View<'_>) -> u64 {
    rare(view).and_then(|rare| rare.job_running_timeout_usec.or(rare.job_timeout_usec)).unwrap_or(INFINITY)
}

fn names(unit: &Unit) -> impl Iterator<Item = &UnitName> {
    core::iter::once(&unit.name).chain(&unit.aliases)
}

fn unit_file_state(view: &View<'_>) -> &'static str {
    let unit = view.subject();
    match (unit.transient, &unit.fragment) {
        (true, _) => "transient",
        (false, None) if unit.load != LoadState::Masked => "",
        (false, _) => install::state(view.files, view.config, unit.name.as_str()).unwrap_or("bad"),
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

fn needs_daemon_reload(view: &View<'_>) -> Value {
    Value::Bool(view.outdated || has_masked_drop_in(view.subject()))
}

/// A drop-in that one of the same name in another directory would hide, if they were read again.
fn has_masked_drop_in(unit: &Unit) -> bool {
    let mut names: Vec<_> = unit.drop_ins.iter().map(|file| file.rsplit('/').next()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
