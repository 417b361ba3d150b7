//! The read direction: the value that the bus shows for a property of the table.

use super::kind::Kind;
use super::table::{Row, row};
use super::values::OtherControllers;
use super::{context, devices};
use crate::config::Config;
use crate::names::UnitType;
use crate::resources::resolve_tasks_max;
use crate::settings::{CpuSet, IpPrefix, Resources, Settings, StatusSet};
use crate::time::INFINITY;
use crate::value::Value;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The value of a property that can be set. None for what has no value in the settings alone: `Slice`, the dependencies
/// and `Controller` are known to the graph, `ExecStart` shows the state of the process, too, and a `Description` that
/// was not set is that of the type. None also when units of this type have no such property.
#[must_use]
pub fn read(name: &str, settings: &Settings, config: &Config, unit_type: UnitType) -> Option<Value> {
    let row = row(name).filter(|row| row.is_readable() && shows(row, unit_type))?;
    read_row(row, settings, config, unit_type)
}

/// Types show all of their cgroup context, also what only others can set.
fn shows(row: &Row, unit_type: UnitType) -> bool {
    row.types.has(unit_type)
        || (unit_type.is_managed() && matches!(row.kind, Kind::Delegate | Kind::DelegateControllers))
}

/// The same for a row that is at hand. The one flag that can be unset, `IgnoreOnIsolate`, is then on for all but
/// services.
fn read_row(row: &Row, s: &Settings, config: &Config, unit_type: UnitType) -> Option<Value> {
    let extra = s.resources.extra();
    Some(match &row.kind {
        Kind::Flag(field) => Value::Bool(*(field.get)(s)),
        Kind::OptionalFlag(field) => Value::Bool((field.get)(s).unwrap_or(unit_type != UnitType::Service)),
        Kind::Text(field, _) => Value::str((field.get)(s).as_deref().unwrap_or("")),
        Kind::Principal(field) => Value::str((field.get)(s).as_deref().unwrap_or("")),
        Kind::Description => Value::str(s.description.as_deref()?),
        Kind::Choice(choice) => Value::str(choice.words[(choice.get)(s)]),
        Kind::Signal(get, _) => Value::I32(get(s)),
        Kind::OptionalTime(field, _) => Value::U64((*(field.get)(s))?),
        Kind::Count(field) => Value::U32(*(field.get)(s)),
        Kind::OptionalCount(field) => Value::U32((*(field.get)(s))?),
        Kind::Statuses(field) => statuses((field.get)(s)),
        Kind::Patience(field) => Value::U64((field.get)(s).unwrap_or(INFINITY)),
        Kind::Time(field)
        | Kind::StopTime(field)
        | Kind::Weight(field, ..)
        | Kind::Quota(field)
        | Kind::Period(field) => Value::U64(*(field.get)(s)),
        Kind::Memory(memory) => Value::U64(*(memory.field.get)(s)),
        Kind::TasksMax => Value::U64(resolve_tasks_max(s.resources.tasks_max, &config.machine)),
        Kind::Fraction(field) => Value::U32(*(field.get)(s)),
        Kind::CpuSet(field) => set_bytes((field.get)(s)),
        Kind::DeviceWeights(field, ..) => devices((field.get)(s).iter().map(|(path, n)| (path.as_str(), *n))),
        Kind::DeviceLatency => devices(extra.io_device_latency.iter().map(|(path, n)| (path.as_str(), *n))),
        Kind::DeviceLimit(n) => devices(devices::column(&extra.io_device_limits, *n)),
        Kind::DeviceBandwidth(n) => devices(devices::column(&extra.block_io_device_bandwidth, *n)),
        Kind::DeviceAllow => allow(&extra.device_allow),
        Kind::IpPrefixes(field) => prefixes((field.get)(s)),
        Kind::Delegate => Value::Bool(s.resources.delegate),
        Kind::DelegateControllers => delegated(&s.resources),
        Kind::DisableControllers => disabled(&s.resources),
        Kind::Strings(field, ..) => Value::strings((field.get)(s)),
        Kind::Environment => Value::strings(&s.service().environment),
        Kind::Integer(integer) => Value::I32((integer.get)(s)),
        Kind::Mode(field) => Value::U32(*(field.get)(s)),
        Kind::Capabilities(field) => Value::U64(*(field.get)(s)),
        Kind::Limit(index, is_soft) => {
            Value::U64(s.exec().limits[*index].map_or(u64::MAX, |(soft, hard)| if *is_soft { soft } else { hard }))
        }
        Kind::EnvironmentFiles => environment_files(&s.exec().environment_files),
        Kind::Stream(number) => Value::str(context::stream_word(*number, s.exec())),
        Kind::Markers => Value::strings(&s.rare().markers),
        Kind::Commands(_)
        | Kind::Slice
        | Kind::Controller
        | Kind::Dependency(_)
        | Kind::MemoryScale(_)
        | Kind::TasksMaxScale
        | Kind::CommandsEx(_)
        | Kind::Inverse
        | Kind::Pids
        | Kind::PidFds
        | Kind::StreamFile(..)
        | Kind::StreamHandle(_)
        | Kind::AddRef => return None,
    })
}

/// Whole words of 8 bytes, as systemd's sets of CPUs have them.
fn set_bytes(set: &CpuSet) -> Value {
    Value::Bytes(set.0.iter().flat_map(|word| word.to_le_bytes()).collect())
}

fn devices<'a>(list: impl Iterator<Item = (&'a str, u64)>) -> Value {
    let entry = |(path, number)| Value::Struct(vec![Value::str(path), Value::U64(number)]);
    Value::Array("(st)".into(), list.map(entry).collect())
}

fn statuses(set: &StatusSet) -> Value {
    let numbers = |list: Vec<i32>| Value::Array("i".into(), list.into_iter().map(Value::I32).collect());
    Value::Struct(vec![numbers(set.codes().collect()), numbers(set.signals().collect())])
}

fn allow(list: &[(String, String)]) -> Value {
    let entry =
        |(pattern, permissions): &(String, String)| Value::Struct(vec![Value::str(pattern), Value::str(permissions)]);
    Value::Array("(ss)".into(), list.iter().map(entry).collect())
}

fn environment_files(list: &[(String, bool)]) -> Value {
    let entry = |(path, optional): &(String, bool)| Value::Struct(vec![Value::str(path), Value::Bool(*optional)]);
    Value::Array("(sb)".into(), list.iter().map(entry).collect())
}

fn prefixes(list: &[IpPrefix]) -> Value {
    let entry = |prefix: &IpPrefix| {
        let family = Value::I32(devices::family(prefix));
        Value::Struct(vec![family, Value::Bytes(prefix.address.clone()), Value::U32(prefix.length)])
    };
    Value::Array("(iayu)".into(), list.iter().map(entry).collect())
}

fn delegated(resources: &Resources) -> Value {
    let shown = resources.delegate_controllers.controllers().filter(|_| resources.delegate);
    Value::strings(shown.map(|c| c.name()))
}

fn disabled(resources: &Resources) -> Value {
    let others = OtherControllers(resources.extra().disable_other);
    let ours = resources.disable_controllers.controllers().map(|c| c.name());
    Value::strings(ours.chain(others.names()).collect::<Vec<_>>())
}
