//! The cgroup context: limits, weights, devices, delegation (reference 06.1).

use super::UNSET;
use crate::controllers::ControllerMask;
use crate::time::INFINITY;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// The cgroup context (reference 06.1). `UNSET` where nothing is set; masks as bitmaps.
#[derive(Clone, Debug, PartialEq, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub struct Resources {
    pub cpu_accounting: bool,
    pub io_accounting: bool,
    pub block_io_accounting: bool,
    pub memory_accounting: bool,
    pub tasks_accounting: bool,
    pub ip_accounting: bool,
    /// 0 is idle.
    pub cpu_weight: u64,
    pub startup_cpu_weight: u64,
    pub cpu_shares: u64,
    pub startup_cpu_shares: u64,
    /// Microseconds of CPU time per second; `UNSET` is no limit.
    pub cpu_quota_per_sec_usec: u64,
    pub cpu_quota_period_usec: u64,
    pub allowed_cpus: CpuSet,
    pub startup_allowed_cpus: CpuSet,
    pub allowed_memory_nodes: CpuSet,
    pub startup_allowed_memory_nodes: CpuSet,
    pub io_weight: u64,
    pub startup_io_weight: u64,
    pub block_io_weight: u64,
    pub startup_block_io_weight: u64,
    pub memory_min: u64,
    pub memory_low: u64,
    pub default_memory_min: u64,
    pub default_memory_low: u64,
    /// Whether `MemoryMin`, `MemoryLow`, `DefaultMemoryMin`, `DefaultMemoryLow` were set, even to 0.
    pub memory_min_set: bool,
    pub memory_low_set: bool,
    pub default_memory_min_set: bool,
    pub default_memory_low_set: bool,
    pub memory_high: u64,
    pub memory_max: u64,
    pub memory_swap_max: u64,
    pub memory_limit: u64,
    pub tasks_max: TasksMax,
    /// Whether the payload owns the subtree.
    pub delegate: bool,
    pub delegate_controllers: ControllerMask,
    pub disable_controllers: ControllerMask,
    /// Everything about devices, networks and OOM policy, rarely set.
    pub extra: Option<Box<ExtraResources>>,
}

/// A number of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TasksMax {
    /// No limit.
    Infinity,
    /// So many.
    Count(u64),
    /// `Scale`: this part of 2^32-1 of what the system can hold, resolved when applied.
    Scale(u32),
}

/// A set of CPUs or memory nodes as the bitmap that was given, without trailing zero words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuSet(pub Vec<u64>);

/// Resource settings that few units have.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub struct ExtraResources {
    /// Path, weight.
    pub io_device_weight: Vec<(String, u64)>,
    /// Path; rbps, wbps, riops, wiops (`UNSET`: no limit).
    pub io_device_limits: Vec<(String, [u64; 4])>,
    /// Path, microseconds.
    pub io_device_latency: Vec<(String, u64)>,
    pub block_io_device_weight: Vec<(String, u64)>,
    /// Path; read and write bytes per second.
    pub block_io_device_bandwidth: Vec<(String, [u64; 2])>,
    pub device_policy: DevicePolicy,
    /// Pattern, permissions (subset of `rwm`).
    pub device_allow: Vec<(String, String)>,
    pub managed_oom_swap: Option<String>,
    pub managed_oom_memory_pressure: Option<String>,
    pub managed_oom_memory_pressure_limit: u32,
    pub managed_oom_preference: Option<String>,
    pub ip_address_allow: Vec<IpPrefix>,
    pub ip_address_deny: Vec<IpPrefix>,
    /// Names in `DisableControllers` that are no controllers of ours, as bits (see `properties`); kept to be shown.
    pub disable_other: u16,
}

impl ExtraResources {
    /// Nothing set.
    pub const NONE: Self = Self {
        io_device_weight: Vec::new(),
        io_device_limits: Vec::new(),
        io_device_latency: Vec::new(),
        block_io_device_weight: Vec::new(),
        block_io_device_bandwidth: Vec::new(),
        device_policy: DevicePolicy::Auto,
        device_allow: Vec::new(),
        managed_oom_swap: None,
        managed_oom_memory_pressure: None,
        managed_oom_memory_pressure_limit: 0,
        managed_oom_preference: None,
        ip_address_allow: Vec::new(),
        ip_address_deny: Vec::new(),
        disable_other: 0,
    };
}

/// A range of addresses, as `IPAddressAllow` and `IPAddressDeny` list them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    /// 4 or 16 bytes in network order.
    pub address: Vec<u8>,
    /// How many leading bits count.
    pub length: u32,
}

/// `DevicePolicy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum DevicePolicy {
    #[default]
    Auto,
    Closed,
    Strict,
}

static NO_EXTRA: ExtraResources = ExtraResources::NONE;

impl Resources {
    /// The settings that few units have, for reading.
    #[must_use]
    pub fn extra(&self) -> &ExtraResources {
        self.extra.as_deref().unwrap_or(&NO_EXTRA)
    }

    /// The settings that few units have, for changing.
    pub fn extra_mut(&mut self) -> &mut ExtraResources {
        self.extra.get_or_insert_default()
    }

    /// Nothing set, accounting as the manager's defaults say. `tasks_max` is the default of the unit's type.
    #[must_use]
    pub fn with_defaults(defaults: &crate::config::Defaults, tasks_max: TasksMax) -> Self {
        Self {
            cpu_accounting: defaults.cpu_accounting,
            io_accounting: defaults.io_accounting,
            block_io_accounting: false,
            memory_accounting: defaults.memory_accounting,
            tasks_accounting: defaults.tasks_accounting,
            ip_accounting: false,
            cpu_weight: UNSET,
            startup_cpu_weight: UNSET,
            cpu_shares: UNSET,
            startup_cpu_shares: UNSET,
            cpu_quota_per_sec_usec: INFINITY,
            cpu_quota_period_usec: INFINITY,
            allowed_cpus: CpuSet::default(),
            startup_allowed_cpus: CpuSet::default(),
            allowed_memory_nodes: CpuSet::default(),
            startup_allowed_memory_nodes: CpuSet::default(),
            io_weight: UNSET,
            startup_io_weight: UNSET,
            block_io_weight: UNSET,
            startup_block_io_weight: UNSET,
            memory_min: 0,
            memory_low: 0,
            default_memory_min: 0,
            default_memory_low: 0,
            memory_min_set: false,
            memory_low_set: false,
            default_memory_min_set: false,
            default_memory_low_set: false,
            memory_high: UNSET,
            memory_max: UNSET,
            memory_swap_max: UNSET,
            memory_limit: UNSET,
            tasks_max,
            delegate: false,
            delegate_controllers: ControllerMask::empty(),
            disable_controllers: ControllerMask::empty(),
            extra: None,
        }
    }
}
