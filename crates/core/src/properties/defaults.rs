//! What a unit is before anything has been set.

use crate::config::Config;
use crate::names::UnitType;
use crate::settings::{CollectMode, KillSettings, Resources, ServiceSettings, Settings, TasksMax};
use crate::time::INFINITY;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The settings of a fresh unit of this type.
#[must_use]
pub fn default_settings(unit_type: UnitType, config: &Config) -> Settings {
    let service = (unit_type == UnitType::Service).then(|| Box::new(ServiceSettings::default()));
    Settings {
        description: None,
        default_dependencies: true,
        collect_mode: CollectMode::Inactive,
        slice: None,
        dependencies: Vec::new(),
        rare: None,
        resources: Resources::with_defaults(&config.defaults, default_tasks_max(unit_type, config)),
        kill: KillSettings::default(),
        timeout_stop_usec: config.defaults.timeout_stop_usec,
        runtime_max_usec: INFINITY,
        runtime_extra_usec: 0,
        user: None,
        group: None,
        exec: None,
        service,
    }
}

/// What `TasksMax=` with nothing behind it means in a file, for slices, too.
pub(super) fn file_tasks_max(config: &Config) -> u64 {
    config.defaults.tasks_max
}

/// Slices have no limit of their own, all others that of the manager.
fn default_tasks_max(unit_type: UnitType, config: &Config) -> TasksMax {
    match config.defaults.tasks_max {
        u64::MAX => TasksMax::Infinity,
        _ if unit_type == UnitType::Slice => TasksMax::Infinity,
        count => TasksMax::Count(count),
    }
}
