//! What resource settings mean to the kernel: which controllers they need, and which values go into which files.

use crate::attribute::{Attribute, Inherited};
use crate::config::Config;
use crate::controllers::ControllerMask;
use crate::settings::Resources;

/// The controllers that the settings themselves need (reference 04.2).
#[must_use]
pub fn own_mask(resources: &Resources) -> ControllerMask {
    let mut mask = resources.delegate_controllers;
    mask.set(ControllerMask::MEMORY, resources.memory_accounting);
    mask.set(ControllerMask::PIDS, resources.tasks_accounting);
    mask
}

/// The values that the settings become, for the controllers in `mask`, in the order in which they are written
/// (reference 04.5).
pub fn attributes(
    resources: &Resources,
    inherited: &Inherited,
    mask: ControllerMask,
    config: &Config,
    visit: &mut dyn FnMut(Attribute),
) {
    let _ = (resources, inherited, mask, config, visit);
}
