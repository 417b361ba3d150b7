//! The values that go into the files of a cgroup, controller by controller.

use super::{has_unified_memory, io, memory_low, memory_min, resolve_tasks_max};
use crate::attribute::{Attribute, Inherited};
use crate::config::Config;
use crate::controllers::{Controller, ControllerMask};
use crate::properties::ranges;
use crate::settings::{Resources, UNSET};
use crate::time::INFINITY;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::ToString;

/// CPU time that the kernel distinguishes at all, in microseconds.
const QUOTA_USEC_MIN: u64 = 1_000;
/// The longest period the kernel takes.
const PERIOD_USEC_MAX: u64 = 1_000_000;
/// The period when none is set.
const PERIOD_USEC: u64 = 100_000;
/// More processes than the kernel can number are refused as a limit.
const PIDS_MAX: u64 = 4_194_304;
const USEC_PER_SEC: u64 = 1_000_000;
/// Weight of a cgroup of which nothing else is known.
pub(super) const WEIGHT: u64 = 100;
/// The same as the old `CPUShares`.
const SHARES: u64 = 1_024;

/// Visits every value that the files of the controllers in `mask` have to hold, in the order in which they are written
/// (reference 04.5). The root of the tree has no such files: pass no controllers for it.
pub fn attributes(
    resources: &Resources,
    inherited: &Inherited,
    mask: ControllerMask,
    config: &Config,
    visit: &mut dyn FnMut(Attribute),
) {
    for controller in mask.controllers() {
        match controller {
            Controller::Cpu => cpu(resources, visit),
            Controller::Cpuset => cpuset(resources, visit),
            Controller::Io => io::attributes(resources, visit),
            Controller::Memory => memory(resources, inherited, visit),
            Controller::Pids => pids(resources, config, visit),
        }
    }
}

fn cpu(r: &Resources, visit: &mut dyn FnMut(Attribute)) {
    let weight = cpu_weight(r);
    let idle = if weight == 0 { "1" } else { "0" };
    // Kernels before 5.15 have no cpu.idle; there is nothing to miss unless it is wanted.
    visit(Attribute { optional: weight != 0, ..Attribute::new(Controller::Cpu, "cpu.idle", idle, "0") });
    if weight != 0 {
        visit(Attribute::new(Controller::Cpu, "cpu.weight", weight.to_string(), "100"));
    }
    let quota = cpu_max(r.cpu_quota_per_sec_usec, r.cpu_quota_period_usec);
    visit(Attribute::new(Controller::Cpu, "cpu.max", quota, "max 100000"));
}

/// The weight that applies; 0 is idle. The old `CPUShares` count only when no weight is set. The `Startup…` forms would
/// be in force while the machine starts or stops, which is not ours to know.
fn cpu_weight(r: &Resources) -> u64 {
    let has_weight = r.cpu_weight != UNSET || r.startup_cpu_weight != UNSET;
    let has_shares = r.cpu_shares != UNSET || r.startup_cpu_shares != UNSET;
    match (has_weight, has_shares) {
        (true, _) => or(r.cpu_weight, WEIGHT),
        (false, true) => (or(r.cpu_shares, SHARES) * WEIGHT / SHARES).clamp(1, 10_000),
        (false, false) => WEIGHT,
    }
}

pub(super) fn or(value: u64, default: u64) -> u64 {
    if value == UNSET { default } else { value }
}

/// `cpu.max` of so many microseconds per second (reference 04.6).
fn cpu_max(quota: u64, period: u64) -> Cow<'static, str> {
    if quota == INFINITY {
        return "max 100000".into();
    }
    let wanted = if period == INFINITY { PERIOD_USEC } else { period };
    let least = QUOTA_USEC_MIN.max(QUOTA_USEC_MIN * USEC_PER_SEC / quota.max(1));
    let period = wanted.max(least).min(PERIOD_USEC_MAX);
    let share = u128::from(quota) * u128::from(period) / u128::from(USEC_PER_SEC);
    format!("{} {period}", share.max(u128::from(QUOTA_USEC_MIN))).into()
}

fn cpuset(r: &Resources, visit: &mut dyn FnMut(Attribute)) {
    visit(Attribute::new(Controller::Cpuset, "cpuset.cpus", ranges(&r.allowed_cpus, ","), ""));
    visit(Attribute::new(Controller::Cpuset, "cpuset.mems", ranges(&r.allowed_memory_nodes, ","), ""));
}

fn memory(r: &Resources, inherited: &Inherited, visit: &mut dyn FnMut(Attribute)) {
    let max = if has_unified_memory(r, inherited) { r.memory_max } else { r.memory_limit };
    let mut file = |name, bytes, default| visit(Attribute::new(Controller::Memory, name, limit(bytes), default));
    file("memory.min", memory_min(r, inherited), "0");
    file("memory.low", memory_low(r, inherited), "0");
    file("memory.high", r.memory_high, "max");
    file("memory.max", max, "max");
    // Missing on kernels without swap accounting: fine as long as nothing is limited.
    let swap = Attribute::new(Controller::Memory, "memory.swap.max", limit(r.memory_swap_max), "max");
    visit(Attribute { optional: r.memory_swap_max == UNSET, ..swap });
    visit(Attribute { optional: true, ..Attribute::new(Controller::Memory, "memory.oom.group", "0", "0") });
}

/// A number, or the kernel's word for none.
pub(super) fn limit(value: u64) -> Cow<'static, str> {
    match value {
        UNSET => "max".into(),
        0 => "0".into(),
        number => number.to_string().into(),
    }
}

fn pids(r: &Resources, config: &Config, visit: &mut dyn FnMut(Attribute)) {
    let count = resolve_tasks_max(r.tasks_max, &config.machine);
    let count = if count > PIDS_MAX { UNSET } else { count };
    visit(Attribute::new(Controller::Pids, "pids.max", limit(count), "max"));
}

/// How the names of the properties begin that say what stands in a file.
pub(crate) fn property_prefix(file: &str) -> &'static str {
    match file {
        "cpu.idle" | "cpu.weight" => "CPUWeight",
        "cpu.max" => "CPUQuota",
        "cpuset.cpus" => "AllowedCPUs",
        "cpuset.mems" => "AllowedMemoryNodes",
        "memory.min" => "MemoryMin",
        "memory.low" => "MemoryLow",
        "memory.high" => "MemoryHigh",
        "memory.max" => "MemoryMax",
        "memory.swap.max" => "MemorySwapMax",
        "pids.max" => "TasksMax",
        _ if file.starts_with("io.") => "IO",
        _ => "OOM",
    }
}
