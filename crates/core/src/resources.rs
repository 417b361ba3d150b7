//! What resource settings mean to the kernel: which controllers they need, and which values go into which files
//! (reference 04.2, 04.5 to 04.7, 04.10; the rules of systemd 252). How needs travel through the tree is decided in
//! `propagation.rs`, which writes are due in `realize.rs`.

mod attributes;
mod io;

pub use attributes::attributes;
pub(crate) use attributes::property_prefix;

use crate::attribute::Inherited;
use crate::config::Machine;
use crate::controllers::{Controller, ControllerMask};
use crate::properties::Property;
use crate::settings::{Resources, TasksMax, UNSET};

/// The controllers that a unit's own settings need, whatever the machine has (reference 04.2). Protection inherited
/// from a slice adds nothing: it would need the memory controller in units that have switched memory accounting off.
#[must_use]
pub fn own_mask(resources: &Resources) -> ControllerMask {
    let needed = |controller: Controller| match controller {
        Controller::Cpu => needs_cpu(resources),
        Controller::Cpuset => needs_cpuset(resources),
        Controller::Io => io::is_needed(resources),
        Controller::Memory => needs_memory(resources),
        Controller::Pids => needs_pids(resources),
    };
    let delegated = if resources.delegate { resources.delegate_controllers } else { ControllerMask::empty() };
    Controller::ALL.into_iter().filter(|c| needed(*c)).map(Controller::mask).fold(delegated, |mask, one| mask | one)
}

/// Accounting alone needs no controller: `cpu.stat` is always there.
fn needs_cpu(r: &Resources) -> bool {
    [r.cpu_weight, r.startup_cpu_weight, r.cpu_shares, r.startup_cpu_shares, r.cpu_quota_per_sec_usec]
        .iter()
        .any(|value| *value != UNSET)
}

fn needs_cpuset(r: &Resources) -> bool {
    [&r.allowed_cpus, &r.startup_allowed_cpus, &r.allowed_memory_nodes, &r.startup_allowed_memory_nodes]
        .iter()
        .any(|set| !set.0.is_empty())
}

fn needs_memory(r: &Resources) -> bool {
    r.memory_accounting || r.memory_limit != UNSET || has_unified_memory(r, &Inherited::default())
}

fn needs_pids(r: &Resources) -> bool {
    r.tasks_accounting || r.tasks_max != TasksMax::Infinity
}

/// Whether any memory setting of cgroup v2 is there; the old `MemoryLimit` counts only when none is.
fn has_unified_memory(r: &Resources, inherited: &Inherited) -> bool {
    let protected = memory_min(r, inherited) > 0 || memory_low(r, inherited) > 0;
    protected || [r.memory_high, r.memory_max, r.memory_swap_max].iter().any(|limit| *limit != UNSET)
}

/// `MemoryMin` that applies: its own, even 0, or what is inherited.
fn memory_min(r: &Resources, inherited: &Inherited) -> u64 {
    if r.memory_min_set { r.memory_min } else { inherited.memory_min.unwrap_or(0) }
}

/// `MemoryLow` that applies.
fn memory_low(r: &Resources, inherited: &Inherited) -> u64 {
    if r.memory_low_set { r.memory_low } else { inherited.memory_low.unwrap_or(0) }
}

/// This part of 2^32-1 of the machine's memory, in whole pages.
#[must_use]
pub fn memory_share(machine: &Machine, fraction: u32) -> u64 {
    let page = machine.page_size.max(1);
    part(machine.memory_bytes / page, fraction) * page
}

/// So many parts of ten thousand of the machine's memory, in whole pages.
#[must_use]
pub fn memory_permyriad(machine: &Machine, parts: u64) -> u64 {
    let page = machine.page_size.max(1);
    let pages = u128::from(machine.memory_bytes / page) * u128::from(parts) / 10_000;
    u64::try_from(pages).unwrap_or(u64::MAX).saturating_mul(page)
}

/// The number of tasks that a setting comes to; `u64::MAX` is no limit.
#[must_use]
pub fn resolve_tasks_max(tasks_max: TasksMax, machine: &Machine) -> u64 {
    match tasks_max {
        TasksMax::Infinity => u64::MAX,
        TasksMax::Count(count) => count,
        TasksMax::Scale(fraction) => part(machine.tasks_max, fraction),
    }
}

fn part(whole: u64, fraction: u32) -> u64 {
    let scaled = u128::from(whole) * u128::from(fraction) / u128::from(u32::MAX);
    u64::try_from(scaled).expect("a part is no larger than the whole")
}

/// The controller without which this property cannot be honoured. None for what only lifts a limit, and for accounting,
/// which a machine may simply not have.
#[must_use]
pub fn required_controller(property: &Property) -> Option<Controller> {
    let Property::Setting(setting) = property else { return None };
    setting.row().controller.filter(|_| setting.limits())
}

#[cfg(test)]
mod tests;
