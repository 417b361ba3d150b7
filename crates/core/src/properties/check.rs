//! Pass 1: from a value as it came to a [`Property`], or the refusal that systemd 252 gives.

use super::kind::{Choice, Kind, Memory};
use super::property::{Property, Setting};
use super::table::Row;
use super::values::{self, Checked, OTHER_CONTROLLERS, OtherControllers};
use super::{Context, context as contexts, devices, exec, invalid, markers, plainly_invalid, signals, wrong_type};
use crate::client::Transport;
use crate::controllers::{Controller, ControllerMask};
use crate::error::{Errno, Refusal, RefusalKind};
use crate::names::{UnitName, UnitType};
use crate::plan::Pin;
use crate::resources::memory_share;
use crate::settings::{CpuSet, Dependency};
use crate::value::Value;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// One past the highest CPU or node that a set may hold.
const SET_SIZE_MAX: usize = 8192;

pub(super) fn check(row: &'static Row, value: &Value, context: &Context<'_>) -> Result<Property, Refusal> {
    Ok(match &row.kind {
        Kind::Slice => Property::Slice(slice(value)?),
        Kind::Pids => Property::Pids(pids(value)?),
        Kind::PidFds => Property::PidFds(pid_fds(value)?),
        // On every transport: a reference belongs to a connection, and goes with it.
        Kind::AddRef => Property::AddRef(values::boolean(value)?),
        Kind::Controller => Property::Controller(controller(value, context)?),
        Kind::Dependency(kind) => Property::Dependencies(*kind, unit_names(value)?),
        Kind::Inverse => return Err(invalid(format!("Dependency type {} may not be created transiently.", row.name))),
        Kind::Markers => Property::Markers(markers::check(value)?),
        _ => Property::Setting(Setting { row, value: setting(row, value, context)? }),
    })
}

fn setting(row: &Row, value: &Value, context: &Context<'_>) -> Result<Checked, Refusal> {
    Ok(match &row.kind {
        Kind::Flag(_) | Kind::OptionalFlag(_) | Kind::Delegate => Checked::Flag(values::boolean(value)?),
        Kind::Text(_, accepts) => text(row.name, value, *accepts)?,
        Kind::Principal(_) => principal(row.name, value)?,
        Kind::Description => Checked::Text(Some(values::string(value)?.into())),
        Kind::Choice(choice) => Checked::Choice(word(row.name, choice, value)?),
        Kind::Signal(..) => Checked::Signal(signal(row.name, value)?),
        Kind::Time(_) | Kind::StopTime(_) | Kind::Patience(_) | Kind::OptionalTime(..) | Kind::Period(_) => {
            Checked::Number(values::u64(value)?)
        }
        Kind::Count(_) | Kind::OptionalCount(_) => Checked::Number(values::u32(value)?.into()),
        Kind::Statuses(_) => Checked::Statuses(exec::check_statuses(value)?),
        Kind::Weight(_, min, max, _) => number(row.name, value, |n| (*min..=*max).contains(&n) || n == u64::MAX)?,
        Kind::Quota(_) => quota(value)?,
        Kind::CpuSet(_) => Checked::Set(cpu_set(value)?),
        Kind::Memory(memory) => number(row.name, value, |n| n >= memory.minimum)?,
        Kind::TasksMax => number(row.name, value, |n| n >= 1)?,
        Kind::MemoryScale(memory) => memory_scale(row.name, memory, value, context)?,
        Kind::TasksMaxScale => tasks_scale(row.name, value)?,
        Kind::Fraction(_) => Checked::Fraction(values::u32(value)?),
        Kind::DeviceWeights(_, min, max, text) => {
            Checked::Devices(devices::check(row.name, value, |n| (*min..=*max).contains(&n), text)?)
        }
        Kind::DeviceLimit(_) | Kind::DeviceLatency | Kind::DeviceBandwidth(_) => {
            Checked::Devices(devices::check(row.name, value, |_| true, "")?)
        }
        Kind::DeviceAllow => Checked::Allow(devices::check_allow(value)?),
        Kind::IpPrefixes(_) => Checked::Prefixes(devices::check_prefixes(row.name, value)?),
        Kind::DelegateControllers | Kind::DisableControllers => controllers(value)?,
        Kind::Strings(_, accepts, refusal) => strings(row.name, value, *accepts, refusal)?,
        Kind::Integer(integer) => contexts::check_integer(row.name, value, &integer.range)?,
        Kind::Mode(_) => contexts::check_mode(row.name, value)?,
        Kind::Limit(..) => Checked::Number(values::u64(value)?),
        Kind::Capabilities(_) => contexts::check_capabilities(value)?,
        Kind::EnvironmentFiles => contexts::check_files(value)?,
        Kind::Stream(number) => contexts::check_stream(*number, value)?,
        Kind::StreamFile(..) => contexts::check_stream_file(value)?,
        Kind::StreamHandle(_) => contexts::check_handle(value)?,
        Kind::Environment => Checked::Strings(exec::check_environment(value)?),
        Kind::Commands(_) => Checked::Commands(exec::check_commands(value, false)?),
        Kind::CommandsEx(_) => Checked::Commands(exec::check_commands(value, true)?),
        Kind::Slice
        | Kind::Pids
        | Kind::PidFds
        | Kind::AddRef
        | Kind::Controller
        | Kind::Dependency(_)
        | Kind::Inverse
        | Kind::Markers => unreachable!("answered in check"),
    })
}

fn number(name: &str, value: &Value, accepts: impl Fn(u64) -> bool) -> Result<Checked, Refusal> {
    let number = values::u64(value)?;
    if accepts(number) { Ok(Checked::Number(number)) } else { Err(out_of_range(name)) }
}

fn out_of_range(name: &str) -> Refusal {
    invalid(format!("Value specified in {name} is out of range"))
}

fn quota(value: &Value) -> Result<Checked, Refusal> {
    match values::u64(value)? {
        0 => Err(invalid("CPUQuotaPerSecUSec= value out of range")),
        usec => Ok(Checked::Number(usec)),
    }
}

fn memory_scale(name: &str, memory: &Memory, value: &Value, context: &Context<'_>) -> Result<Checked, Refusal> {
    let fraction = values::u32(value)?;
    let bytes = memory_share(&context.config.machine, fraction);
    if bytes < memory.minimum { Err(out_of_range(name)) } else { Ok(Checked::Share(fraction, bytes)) }
}

fn tasks_scale(name: &str, value: &Value) -> Result<Checked, Refusal> {
    match values::u32(value)? {
        0 | u32::MAX => Err(out_of_range(name)),
        fraction => Ok(Checked::Fraction(fraction)),
    }
}

fn invalid_setting(name: &str, value: impl core::fmt::Display) -> Refusal {
    invalid(format!("Invalid {name} setting: {value}"))
}

fn word(name: &str, choice: &Choice, value: &Value) -> Result<usize, Refusal> {
    let word = values::string(value)?;
    if let Some(index) = choice.place_of(word) {
        return Ok(index);
    }
    if choice.unserved.contains(&word) {
        return Err(unserved(name, word, &choice.words.join(", ")));
    }
    Err(if choice.named_refusal { invalid_setting(name, word) } else { plainly_invalid() })
}

/// What systemd can do and we cannot; accepting it would be a silent promise.
fn unserved(name: &str, word: &str, served: &str) -> Refusal {
    let text = format!("{name}={word} is not supported here; supported: {served}.");
    Refusal::new(RefusalKind::NotSupported, text)
}

fn signal(name: &str, value: &Value) -> Result<i32, Refusal> {
    let number = values::i32(value)?;
    if signals::is_valid(number) { Ok(number) } else { Err(invalid_setting(name, number)) }
}

fn text(name: &str, value: &Value, accepts: fn(&str) -> bool) -> Result<Checked, Refusal> {
    accepted_text(name, values::string(value)?, accepts)
}

fn accepted_text(name: &str, text: &str, accepts: fn(&str) -> bool) -> Result<Checked, Refusal> {
    match text {
        "" => Ok(Checked::Text(None)),
        text if accepts(text) => Ok(Checked::Text(Some(text.into()))),
        text => Err(invalid_setting(name, text)),
    }
}

fn principal(name: &str, value: &Value) -> Result<Checked, Refusal> {
    principal_text(name, values::string(value)?)
}

/// Scopes hand their cgroup to a user, services run as one.
pub(super) fn principal_text(name: &str, text: &str) -> Result<Checked, Refusal> {
    accepted_text(name, text, is_principal)
}

/// A user or group by number, or a name that is not harmful; whether it exists is found out when it is needed.
pub(super) fn is_principal(text: &str) -> bool {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<u32>().is_ok_and(|id| !matches!(id, 0xFFFF | u32::MAX));
    }
    let harmless = |c: char| !c.is_control() && !matches!(c, ':' | '/');
    text.chars().all(harmless) && text == text.trim() && !matches!(text, "." | "..") && !text.starts_with('-')
}

fn strings(name: &str, value: &Value, accepts: fn(&str) -> bool, refusal: &str) -> Result<Checked, Refusal> {
    let mut list = Vec::new();
    for text in values::strings(value)? {
        let text = text?;
        if !accepts(text) {
            return Err(invalid(format!("{refusal} {name}: {text}")));
        }
        list.push(String::from(text));
    }
    Ok(Checked::Strings(list))
}

/// The bitmap of CPUs or nodes. As a kindness to youki, which sends numbers of 64 bits, `at` is understood, too.
fn cpu_set(value: &Value) -> Result<CpuSet, Refusal> {
    let bytes: Vec<u8> = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Array(element, items) if element == "y" || element == "t" => items.iter().flat_map(byte_image).collect(),
        _ => return Err(wrong_type()),
    };
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if used * 8 > SET_SIZE_MAX {
        return Err(Refusal::new(
            RefusalKind::Errno(Errno::Range),
            "Failed to set unit properties: Numerical result out of range",
        ));
    }
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    Ok(CpuSet(bytes[..used].chunks(8).map(word).collect()))
}

fn byte_image(value: &Value) -> Vec<u8> {
    match value {
        Value::U8(byte) => alloc::vec![*byte],
        Value::U64(word) => word.to_le_bytes().into(),
        _ => Vec::new(),
    }
}

fn controllers(value: &Value) -> Result<Checked, Refusal> {
    let names: Vec<&str> = values::strings(value)?.collect::<Result<_, _>>()?;
    let (mask, others, unknown) = controllers_named(names.into_iter());
    match unknown.first() {
        Some(name) => Err(invalid(format!("Unknown cgroup controller '{name}'"))),
        None => Ok(Checked::Controllers(mask, others)),
    }
}

/// Controllers by their names: ours, those that systemd takes for some, and what nobody knows.
pub(super) fn controllers_named<'a>(
    names: impl Iterator<Item = &'a str>,
) -> (ControllerMask, OtherControllers, Vec<&'a str>) {
    let (mut mask, mut others, mut unknown) = (ControllerMask::empty(), OtherControllers::default(), Vec::new());
    for name in names {
        let other = OTHER_CONTROLLERS.iter().position(|other| *other == name);
        match (Controller::from_name(name), other) {
            (Some(controller), _) => mask |= controller.mask(),
            (None, Some(place)) => others.0 |= 1 << place,
            (None, None) => unknown.push(name),
        }
    }
    (mask, others, unknown)
}

/// An empty name stands for the default slice: crun sends it.
fn slice(value: &Value) -> Result<Option<UnitName>, Refusal> {
    let text = values::string(value)?;
    if text.is_empty() { Ok(None) } else { slice_name(text).map(Some) }
}

/// The name of a slice that something can lie in.
pub(super) fn slice_name(text: &str) -> Result<UnitName, Refusal> {
    let name = UnitName::parse(text).ok().filter(|name| name.instance().is_none());
    let name = name.ok_or_else(|| invalid(format!("Invalid unit name '{text}'")))?;
    if name.unit_type() != UnitType::Slice {
        return Err(invalid(format!("Unit name '{name}' is not a slice")));
    }
    if !name.is_valid_slice() {
        let hint = "please adjust/correct and reload service manager";
        return Err(invalid(format!("Unit {name} failed to load properly, {hint}: Invalid argument")));
    }
    Ok(name)
}

fn pids(value: &Value) -> Result<Vec<u32>, Refusal> {
    let pids = array_of(value, "u", values::u32)?;
    let too_big = |pid: &&u32| i32::try_from(**pid).is_err();
    match pids.iter().find(too_big) {
        Some(pid) => Err(invalid(format!("Process identifier {} is not valid.", pid.cast_signed()))),
        None if pids.is_empty() => Err(plainly_invalid()),
        None => Ok(pids),
    }
}

fn pid_fds(value: &Value) -> Result<Vec<Pin>, Refusal> {
    let pin = |handle: &Value| match handle {
        Value::Handle(0) => {
            Err(Refusal::new(RefusalKind::Errno(Errno::BadF), "Failed to set unit properties: Bad file descriptor"))
        }
        Value::Handle(pin) => Ok(Pin(*pin)),
        _ => Err(wrong_type()),
    };
    let pins = array_of(value, "h", pin)?;
    if pins.is_empty() { Err(plainly_invalid()) } else { Ok(pins) }
}

fn array_of<T>(value: &Value, element: &str, read: impl Fn(&Value) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
    values::array(value, element)?.iter().map(read).collect()
}

fn needs_bus(context: &Context<'_>, text: &str) -> Result<(), Refusal> {
    match context.transport {
        Transport::Private => Err(Refusal::new(RefusalKind::NotSupported, text)),
        Transport::Bus(_) => Ok(()),
    }
}

fn controller(value: &Value, context: &Context<'_>) -> Result<Option<Arc<str>>, Refusal> {
    needs_bus(context, "Sorry, Controller= logic only supported via the bus.")?;
    match values::string(value)? {
        "" => Ok(None),
        name if is_bus_name(name) => Ok(Some(name.into())),
        name => Err(invalid(format!("Controller '{name}' is not a valid bus name."))),
    }
}

/// A unique or well-known name as the message bus defines it.
fn is_bus_name(name: &str) -> bool {
    let (unique, rest) = name.strip_prefix(':').map_or((false, name), |rest| (true, rest));
    let element = |part: &str| {
        let legal = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        !part.is_empty() && legal && (unique || !part.starts_with(|c: char| c.is_ascii_digit()))
    };
    name.len() <= 255 && rest.contains('.') && rest.split('.').all(element)
}

fn unit_names(value: &Value) -> Result<Vec<UnitName>, Refusal> {
    let name = |text: Result<&str, Refusal>| {
        let text = text?;
        UnitName::parse(text).map_err(|_| invalid(format!("Invalid unit name {text}")))
    };
    values::strings(value)?.map(name).collect()
}

impl Dependency {
    /// The property's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        super::table::dependency_name(self)
    }
}
