//! Block devices: weights and limits, and what the old `BlockIO…` settings come to.

use super::attributes::{WEIGHT, limit, or};
use crate::attribute::Attribute;
use crate::controllers::Controller;
use crate::settings::{ExtraResources, Resources, UNSET};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};

/// Weight in the old settings that comes to the usual one.
const BLOCK_WEIGHT: u64 = 500;

/// Whether the settings need the controller.
pub(super) fn is_needed(r: &Resources) -> bool {
    has_io(r) || has_block_io(r)
}

fn has_io(r: &Resources) -> bool {
    let extra = r.extra();
    r.io_accounting
        || r.io_weight != UNSET
        || r.startup_io_weight != UNSET
        || !extra.io_device_weight.is_empty()
        || !extra.io_device_limits.is_empty()
        || !extra.io_device_latency.is_empty()
}

fn has_block_io(r: &Resources) -> bool {
    let extra = r.extra();
    r.block_io_accounting
        || r.block_io_weight != UNSET
        || r.startup_block_io_weight != UNSET
        || !extra.block_io_device_weight.is_empty()
        || !extra.block_io_device_bandwidth.is_empty()
}

/// The old settings count only when there is none of the new.
pub(super) fn attributes(r: &Resources, visit: &mut dyn FnMut(Attribute)) {
    let (new, old) = (has_io(r), has_block_io(r));
    let weight = match (new, old) {
        (false, true) => from_block_weight(or(r.block_io_weight, BLOCK_WEIGHT)),
        _ => or(r.io_weight, WEIGHT),
    };
    let bfq = Attribute::new(Controller::Io, "io.bfq.weight", bfq_weight(weight).to_string(), "100");
    visit(Attribute { optional: true, ..bfq });
    let default = format!("default {weight}");
    // Missing on kernels without an I/O scheduler that knows weights.
    let plain = Attribute::new(Controller::Io, "io.weight", default, "default 100");
    visit(Attribute { optional: plain.is_default, ..plain });
    match (new, old) {
        (true, _) => new_devices(r.extra(), visit),
        (false, true) => old_devices(r.extra(), visit),
        (false, false) => {}
    }
}

fn new_devices(extra: &ExtraResources, visit: &mut dyn FnMut(Attribute)) {
    extra.io_device_weight.iter().for_each(|(device, weight)| device_weight(device, *weight, visit));
    extra.io_device_limits.iter().for_each(|(device, limits)| device_limits(device, limits, visit));
    for (device, usec) in &extra.io_device_latency {
        visit(of_device("io.latency", device, format!("target={}", limit(*usec))));
    }
}

fn old_devices(extra: &ExtraResources, visit: &mut dyn FnMut(Attribute)) {
    for (device, weight) in &extra.block_io_device_weight {
        device_weight(device, from_block_weight(*weight), visit);
    }
    for (device, [read, write]) in &extra.block_io_device_bandwidth {
        device_limits(device, &[*read, *write, UNSET, UNSET], visit);
    }
}

fn device_weight(device: &str, weight: u64, visit: &mut dyn FnMut(Attribute)) {
    visit(of_device("io.bfq.weight", device, bfq_weight(weight).to_string()));
    visit(of_device("io.weight", device, weight.to_string()));
}

fn device_limits(device: &str, limits: &[u64; 4], visit: &mut dyn FnMut(Attribute)) {
    let [rbps, wbps, riops, wiops]: [Cow<'static, str>; 4] = limits.map(limit);
    visit(Attribute {
        // Lifting limits that were never set is nothing new to the kernel.
        is_default: limits.iter().all(|limit| *limit == UNSET),
        ..of_device("io.max", device, format!("rbps={rbps} wbps={wbps} riops={riops} wiops={wiops}"))
    });
}

fn of_device(file: &'static str, device: &str, value: String) -> Attribute {
    Attribute::of_device(Controller::Io, file, device, value)
}

fn from_block_weight(weight: u64) -> u64 {
    (weight * WEIGHT / BLOCK_WEIGHT).clamp(1, 10_000)
}

/// BFQ knows weights up to 1000 only: the upper part of the range is pressed together.
fn bfq_weight(weight: u64) -> u64 {
    if weight <= WEIGHT { weight } else { WEIGHT + (weight - WEIGHT) * (1_000 - WEIGHT) / (10_000 - WEIGHT) }
}
