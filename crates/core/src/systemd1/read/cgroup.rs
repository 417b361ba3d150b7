//! Properties of units that have a cgroup: where it is, what it uses (reference 06.7), what it is configured to be
//! (06.1, 06.5).

use crate::config::Config;
use crate::plan::Counters;
use crate::settings::{Resources, UNSET};
use crate::systemd1::read::View;
use crate::systemd1::table::Emits::{Const, False};
use crate::systemd1::table::{Property, Read, nothing, setting, unit};
use crate::unit::Unit;
use crate::value::Value;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub(crate) const PROPERTIES: &[Property] = &[
    unit("Slice", "s", False, |v| Value::str(v.subject().slice.map_or("", |slice| v.graph.unit(slice).name.as_str()))),
    unit("ControlGroup", "s", False, |v| Value::Str(control_group(v.config, v.subject()))),
    unit("ControlGroupId", "t", False, |v| Value::U64(v.subject().realized.id)),
    kernel("MemoryCurrent", "t", |v| counter(memory_current(v))),
    kernel("MemoryAvailable", "t", |v| counter(memory_available(v))),
    kernel("CPUUsageNSec", "t", |v| counter(kept(v, resources(v).cpu_accounting, |c| c.cpu_nsec))),
    kernel("EffectiveCPUs", "ay", |v| bitmap(v.readings.and_then(|r| r.effective_cpus.as_deref()))),
    kernel("EffectiveMemoryNodes", "ay", |v| bitmap(v.readings.and_then(|r| r.effective_mems.as_deref()))),
    kernel("TasksCurrent", "t", |v| counter(current(v, resources(v).tasks_accounting, |c| c.tasks_current))),
    // Nothing counts packets here.
    unknown("IPIngressBytes"),
    unknown("IPIngressPackets"),
    unknown("IPEgressBytes"),
    unknown("IPEgressPackets"),
    kernel("IOReadBytes", "t", |v| counter(io(v, 0))),
    kernel("IOReadOperations", "t", |v| counter(io(v, 1))),
    kernel("IOWriteBytes", "t", |v| counter(io(v, 2))),
    kernel("IOWriteOperations", "t", |v| counter(io(v, 3))),
];

pub(crate) const SETTINGS: &[Property] = &[
    setting("Delegate", "b", False),
    setting("DelegateControllers", "as", False),
    setting("CPUAccounting", "b", False),
    setting("CPUWeight", "t", False),
    setting("StartupCPUWeight", "t", False),
    setting("CPUShares", "t", False),
    setting("StartupCPUShares", "t", False),
    setting("CPUQuotaPerSecUSec", "t", False),
    setting("CPUQuotaPeriodUSec", "t", False),
    setting("AllowedCPUs", "ay", False),
    setting("StartupAllowedCPUs", "ay", False),
    setting("AllowedMemoryNodes", "ay", False),
    setting("StartupAllowedMemoryNodes", "ay", False),
    setting("IOAccounting", "b", False),
    setting("IOWeight", "t", False),
    setting("StartupIOWeight", "t", False),
    setting("IODeviceWeight", "a(st)", False),
    setting("IOReadBandwidthMax", "a(st)", False),
    setting("IOWriteBandwidthMax", "a(st)", False),
    setting("IOReadIOPSMax", "a(st)", False),
    setting("IOWriteIOPSMax", "a(st)", False),
    setting("IODeviceLatencyTargetUSec", "a(st)", False),
    setting("BlockIOAccounting", "b", False),
    setting("BlockIOWeight", "t", False),
    setting("StartupBlockIOWeight", "t", False),
    setting("BlockIODeviceWeight", "a(st)", False),
    setting("BlockIOReadBandwidth", "a(st)", False),
    setting("BlockIOWriteBandwidth", "a(st)", False),
    setting("MemoryAccounting", "b", False),
    setting("DefaultMemoryLow", "t", False),
    setting("DefaultMemoryMin", "t", False),
    setting("MemoryMin", "t", False),
    setting("MemoryLow", "t", False),
    setting("MemoryHigh", "t", False),
    setting("MemoryMax", "t", False),
    setting("MemorySwapMax", "t", False),
    setting("MemoryLimit", "t", False),
    setting("DevicePolicy", "s", False),
    setting("DeviceAllow", "a(ss)", False),
    setting("TasksAccounting", "b", False),
    setting("TasksMax", "t", False),
    setting("IPAccounting", "b", False),
    setting("IPAddressAllow", "a(iayu)", False),
    setting("IPAddressDeny", "a(iayu)", False),
    nothing("IPIngressFilterPath", "as", False),
    nothing("IPEgressFilterPath", "as", False),
    setting("DisableControllers", "as", False),
    setting("ManagedOOMSwap", "s", False),
    setting("ManagedOOMMemoryPressure", "s", False),
    setting("ManagedOOMMemoryPressureLimit", "u", False),
    setting("ManagedOOMPreference", "s", False),
    nothing("BPFProgram", "a(ss)", False),
    nothing("SocketBindAllow", "a(iiqq)", False),
    nothing("SocketBindDeny", "a(iiqq)", False),
    nothing("RestrictNetworkInterfaces", "(bas)", False),
];

/// How scopes and services are killed.
pub(crate) const KILL_SETTINGS: &[Property] = &[
    setting("KillMode", "s", Const),
    setting("KillSignal", "i", Const),
    setting("RestartKillSignal", "i", Const),
    setting("FinalKillSignal", "i", Const),
    setting("SendSIGKILL", "b", Const),
    setting("SendSIGHUP", "b", Const),
    setting("WatchdogSignal", "i", Const),
];

const fn kernel(name: &'static str, signature: &'static str, read: fn(&View<'_>) -> Value) -> Property {
    Property { name, signature, emits: False, read: Read::Kernel(read) }
}

/// A counter that nothing counts.
const fn unknown(name: &'static str) -> Property {
    Property { name, signature: "t", emits: False, read: Read::Number(UNSET) }
}

/// Path of the unit's cgroup below the mount as clients see it; empty when it has none now.
#[must_use]
pub fn control_group(config: &Config, unit: &Unit) -> String {
    match &unit.realized.path {
        Some(path) if path.is_root() && config.root.is_empty() => "/".into(),
        Some(path) => format!("{}{}", config.root, path.as_str()),
        None => String::new(),
    }
}

fn resources<'a>(view: &View<'a>) -> &'a Resources {
    &view.subject().settings.resources
}

fn counter(value: Option<u64>) -> Value {
    Value::U64(value.unwrap_or(UNSET))
}

/// A counter that goes with the cgroup.
fn current(view: &View<'_>, accounting: bool, pick: fn(&Counters) -> Option<u64>) -> Option<u64> {
    view.readings.filter(|_| accounting).and_then(|readings| pick(&readings.counters))
}

/// A counter whose last value outlives the cgroup.
fn kept(view: &View<'_>, accounting: bool, pick: fn(&Counters) -> Option<u64>) -> Option<u64> {
    let last = || view.subject().realized.last.as_deref().filter(|_| accounting).and_then(pick);
    current(view, accounting, pick).or_else(last)
}

fn io(view: &View<'_>, index: usize) -> Option<u64> {
    let live = view.readings.and_then(|readings| readings.counters.io);
    let last = || view.subject().realized.last.as_deref().and_then(|counters| counters.io);
    live.or_else(last).filter(|_| resources(view).io_accounting).map(|counters| counters[index])
}

fn memory_current(view: &View<'_>) -> Option<u64> {
    current(view, resources(view).memory_accounting, |counters| counters.memory_current)
}

/// How much more memory the unit can take before it meets its own limit. Unknown when a slice above has a limit, since
/// only the unit's own cgroup has been read.
fn memory_available(view: &View<'_>) -> Option<u64> {
    let limit = |resources: &Resources| resources.memory_max.min(resources.memory_high);
    let mut above = view.graph.ancestors(view.unit).map(|slice| limit(&view.graph.unit(slice).settings.resources));
    let own = limit(resources(view));
    let known = own != UNSET && above.all(|limit| limit == UNSET);
    memory_current(view).filter(|_| known).map(|used| own.saturating_sub(used))
}

/// A list like `0-3,7` as a bitmap in whole words of eight bytes; empty when there is none.
fn bitmap(list: Option<&str>) -> Value {
    let mut bits = Vec::new();
    for range in list.unwrap_or("").trim().split(',').filter_map(parse_range) {
        set_bits(&mut bits, range);
    }
    Value::Bytes(bits)
}

fn parse_range(text: &str) -> Option<core::ops::RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

fn set_bits(bits: &mut Vec<u8>, range: core::ops::RangeInclusive<u16>) {
    for bit in range.map(usize::from) {
        if bit / 8 >= bits.len() {
            bits.append(&mut vec![0; (bit / 64 + 1) * 8 - bits.len()]);
        }
        bits[bit / 8] |= 1 << (bit % 8);
    }
}
