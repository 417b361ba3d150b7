//! Rows of the cgroup context: limits, weights, devices, delegation (reference 06.1).

use super::{Row, Types, When};
use crate::controllers::Controller;
use crate::properties::kind::{Choice, Kind, Memory, field};
use crate::settings::{DevicePolicy, Settings};
use crate::unit_file::Section;
use alloc::borrow::ToOwned;

const CGROUP: Types = Types::SLICE.union(Types::SCOPE).union(Types::SERVICE);
const DELEGATING: Types = Types::SCOPE.union(Types::SERVICE);

/// A property that is settable at any time, with the controller it needs.
const fn limit(name: &'static str, key: &'static str, controller: Controller, kind: Kind) -> Row {
    Row { controller: Some(controller), ..plain(name, key, kind) }
}

/// The same without a controller.
const fn plain(name: &'static str, key: &'static str, kind: Kind) -> Row {
    Row { name, key, section: Section::Type, types: CGROUP, when: When::Runtime, controller: None, kind }
}

const fn delegation(name: &'static str, kind: Kind) -> Row {
    Row { types: DELEGATING, when: When::Creation, ..plain(name, "Delegate", kind) }
}

macro_rules! weight {
    ($name:literal, $field:ident, $controller:ident, $min:literal ..= $max:literal) => {
        limit($name, $name, Controller::$controller, Kind::Weight(field!(resources.$field), $min, $max, $min == 0))
    };
}

macro_rules! memory {
    ($field:ident, $minimum:literal) => {
        Memory { field: field!(resources.$field), set: None, minimum: $minimum }
    };
    ($field:ident, $set:ident, $minimum:literal) => {
        Memory { field: field!(resources.$field), set: Some(field!(resources.$set)), minimum: $minimum }
    };
}

const fn memory(name: &'static str, memory: Memory) -> Row {
    limit(name, name, Controller::Memory, Kind::Memory(memory))
}

const fn memory_scale(name: &'static str, key: &'static str, memory: Memory) -> Row {
    limit(name, key, Controller::Memory, Kind::MemoryScale(memory))
}

/// A word that is kept as a text; the first one is the default and kept as nothing.
macro_rules! word {
    ($name:literal, $field:ident, $words:expr) => {
        plain(
            $name,
            $name,
            Kind::Choice(Choice {
                words: $words,
                unserved: &[],
                get: |s| index_of($words, s.resources.extra().$field.as_deref()),
                set: |s, index| s.resources.extra_mut().$field = (index > 0).then(|| $words[index].to_owned()),
                named_refusal: false,
            }),
        )
    };
}

fn index_of(words: &[&str], word: Option<&str>) -> usize {
    words.iter().position(|w| Some(*w) == word).unwrap_or(0)
}

const OOM_MODES: &[&str] = &["auto", "kill"];
const OOM_PREFERENCES: &[&str] = &["none", "avoid", "omit"];
const DEVICE_POLICIES: [DevicePolicy; 3] = [DevicePolicy::Auto, DevicePolicy::Closed, DevicePolicy::Strict];

fn device_policy(settings: &Settings) -> usize {
    settings.resources.extra().device_policy as usize
}

pub(super) const ROWS: &[Row] = &[
    // CPU
    plain("CPUAccounting", "CPUAccounting", Kind::Flag(field!(resources.cpu_accounting))),
    weight!("CPUWeight", cpu_weight, Cpu, 0..=10_000),
    weight!("StartupCPUWeight", startup_cpu_weight, Cpu, 0..=10_000),
    weight!("CPUShares", cpu_shares, Cpu, 2..=262_144),
    weight!("StartupCPUShares", startup_cpu_shares, Cpu, 2..=262_144),
    limit("CPUQuotaPerSecUSec", "CPUQuota", Controller::Cpu, Kind::Quota(field!(resources.cpu_quota_per_sec_usec))),
    plain("CPUQuotaPeriodUSec", "CPUQuotaPeriodSec", Kind::Period(field!(resources.cpu_quota_period_usec))),
    // cpuset
    cpu_set("AllowedCPUs", Kind::CpuSet(field!(resources.allowed_cpus))),
    cpu_set("StartupAllowedCPUs", Kind::CpuSet(field!(resources.startup_allowed_cpus))),
    cpu_set("AllowedMemoryNodes", Kind::CpuSet(field!(resources.allowed_memory_nodes))),
    cpu_set("StartupAllowedMemoryNodes", Kind::CpuSet(field!(resources.startup_allowed_memory_nodes))),
    // io
    plain("IOAccounting", "IOAccounting", Kind::Flag(field!(resources.io_accounting))),
    weight!("IOWeight", io_weight, Io, 1..=10_000),
    weight!("StartupIOWeight", startup_io_weight, Io, 1..=10_000),
    io(
        "IODeviceWeight",
        "IODeviceWeight",
        Kind::DeviceWeights(field!(extra io_device_weight), 1, 10_000, "IODeviceWeight= value out of range"),
    ),
    io("IOReadBandwidthMax", "IOReadBandwidthMax", Kind::DeviceLimit(0)),
    io("IOWriteBandwidthMax", "IOWriteBandwidthMax", Kind::DeviceLimit(1)),
    io("IOReadIOPSMax", "IOReadIOPSMax", Kind::DeviceLimit(2)),
    io("IOWriteIOPSMax", "IOWriteIOPSMax", Kind::DeviceLimit(3)),
    io("IODeviceLatencyTargetUSec", "IODeviceLatencyTargetSec", Kind::DeviceLatency),
    plain("BlockIOAccounting", "BlockIOAccounting", Kind::Flag(field!(resources.block_io_accounting))),
    weight!("BlockIOWeight", block_io_weight, Io, 10..=1_000),
    weight!("StartupBlockIOWeight", startup_block_io_weight, Io, 10..=1_000),
    io(
        "BlockIODeviceWeight",
        "BlockIODeviceWeight",
        Kind::DeviceWeights(field!(extra block_io_device_weight), 10, 1_000, "BlockIODeviceWeight= out of range"),
    ),
    io("BlockIOReadBandwidth", "BlockIOReadBandwidth", Kind::DeviceBandwidth(0)),
    io("BlockIOWriteBandwidth", "BlockIOWriteBandwidth", Kind::DeviceBandwidth(1)),
    // memory
    plain("MemoryAccounting", "MemoryAccounting", Kind::Flag(field!(resources.memory_accounting))),
    memory("MemoryMin", memory!(memory_min, memory_min_set, 0)),
    memory("MemoryLow", memory!(memory_low, memory_low_set, 0)),
    memory("DefaultMemoryMin", memory!(default_memory_min, default_memory_min_set, 0)),
    memory("DefaultMemoryLow", memory!(default_memory_low, default_memory_low_set, 0)),
    memory("MemoryHigh", memory!(memory_high, 1)),
    memory("MemoryMax", memory!(memory_max, 1)),
    memory("MemorySwapMax", memory!(memory_swap_max, 0)),
    memory("MemoryLimit", memory!(memory_limit, 1)),
    memory_scale("MemoryMinScale", "MemoryMin", memory!(memory_min, memory_min_set, 0)),
    memory_scale("MemoryLowScale", "MemoryLow", memory!(memory_low, memory_low_set, 0)),
    memory_scale("DefaultMemoryMinScale", "DefaultMemoryMin", memory!(default_memory_min, default_memory_min_set, 0)),
    memory_scale("DefaultMemoryLowScale", "DefaultMemoryLow", memory!(default_memory_low, default_memory_low_set, 0)),
    memory_scale("MemoryHighScale", "MemoryHigh", memory!(memory_high, 1)),
    memory_scale("MemoryMaxScale", "MemoryMax", memory!(memory_max, 1)),
    memory_scale("MemorySwapMaxScale", "MemorySwapMax", memory!(memory_swap_max, 0)),
    memory_scale("MemoryLimitScale", "MemoryLimit", memory!(memory_limit, 1)),
    // pids
    plain("TasksAccounting", "TasksAccounting", Kind::Flag(field!(resources.tasks_accounting))),
    limit("TasksMax", "TasksMax", Controller::Pids, Kind::TasksMax),
    limit("TasksMaxScale", "TasksMax", Controller::Pids, Kind::TasksMaxScale),
    // devices and networks
    plain(
        "DevicePolicy",
        "DevicePolicy",
        Kind::Choice(Choice {
            words: &["auto", "closed", "strict"],
            unserved: &[],
            get: device_policy,
            set: |s, index| s.resources.extra_mut().device_policy = DEVICE_POLICIES[index],
            named_refusal: false,
        }),
    ),
    plain("DeviceAllow", "DeviceAllow", Kind::DeviceAllow),
    plain("IPAccounting", "IPAccounting", Kind::Flag(field!(resources.ip_accounting))),
    plain("IPAddressAllow", "IPAddressAllow", Kind::IpPrefixes(field!(extra ip_address_allow))),
    plain("IPAddressDeny", "IPAddressDeny", Kind::IpPrefixes(field!(extra ip_address_deny))),
    // out of memory
    word!("ManagedOOMSwap", managed_oom_swap, OOM_MODES),
    word!("ManagedOOMMemoryPressure", managed_oom_memory_pressure, OOM_MODES),
    plain(
        "ManagedOOMMemoryPressureLimit",
        "ManagedOOMMemoryPressureLimit",
        Kind::Fraction(field!(extra managed_oom_memory_pressure_limit)),
    ),
    word!("ManagedOOMPreference", managed_oom_preference, OOM_PREFERENCES),
    // the tree
    plain("DisableControllers", "DisableControllers", Kind::DisableControllers),
    delegation("Delegate", Kind::Delegate),
    delegation("DelegateControllers", Kind::DelegateControllers),
    Row { types: DELEGATING, when: When::Creation, ..plain("Slice", "Slice", Kind::Slice) },
];

const fn cpu_set(name: &'static str, kind: Kind) -> Row {
    limit(name, name, Controller::Cpuset, kind)
}

const fn io(name: &'static str, key: &'static str, kind: Kind) -> Row {
    limit(name, key, Controller::Io, kind)
}
