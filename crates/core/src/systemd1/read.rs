//! Reading properties: which object has which, what `Get`, `GetAll` and `Set` answer, and what a change announces. The
//! values are computed below, one row of a table each.

pub(super) mod cgroup;
pub(super) mod dependencies;
pub(super) mod manager;
pub(super) mod service;
pub(super) mod settings;
pub(super) mod unit;

use super::objects::{ALL, ON_JOB, ON_LOG_CONTROL, ON_MANAGER, STANDARD, on_unit};
use super::refusals;
use super::table::{Emits, Interface, Property, Read};
use crate::config::Config;
use crate::effect::JobRow;
use crate::error::Refusal;
use crate::event::Readings;
use crate::graph::Graph;
use crate::time::Timestamp;
use crate::unit::{Unit, UnitId};
use crate::unit_files::UnitFiles;
use crate::value::Value;
use alloc::string::String;
use alloc::vec::Vec;

/// Properties with their names, as `GetAll` answers them.
pub type Values = Vec<(&'static str, Value)>;

/// As many values as a change of a unit announces.
const CHANGED_USUAL: usize = 20;

/// A unit seen by a reader.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Facts and choices.
    pub config: &'a Config,
    /// All units.
    pub graph: &'a Graph,
    /// All unit files.
    pub files: &'a UnitFiles,
    /// Which one.
    pub unit: UnitId,
    /// What the kernel says of its cgroup, when that was asked (see [`needs_readings`]).
    pub readings: Option<&'a Readings>,
    /// Whether its files on the disk are others than it was loaded from, when that was asked (see [`needs_files`]).
    pub outdated: bool,
}

impl<'a> View<'a> {
    /// The unit itself.
    pub(super) fn subject(&self) -> &'a Unit {
        self.graph.unit(self.unit)
    }
}

/// The manager seen by a reader.
#[derive(Clone, Copy, Debug)]
pub struct ManagerView<'a> {
    /// Facts and choices.
    pub config: &'a Config,
    /// Units loaded.
    pub units: u32,
    /// Units that have failed.
    pub failed_units: u32,
    /// Jobs installed now.
    pub jobs: u32,
    /// Jobs installed since the start.
    pub installed_jobs: u32,
    /// Jobs that failed since the start.
    pub failed_jobs: u32,
    /// Environment block for services.
    pub environment: &'a [String],
    /// When the arbiter was started.
    pub started: Timestamp,
}

/// A job seen by a reader.
pub type JobView<'a> = &'a JobRow;

/// Whether answering `Get` of `name`, or with none `GetAll`, takes a look at the kernel.
#[must_use]
pub fn needs_readings(interface: &str, name: Option<&str>) -> bool {
    asks_for(interface, name, |property| matches!(property.read, Read::Kernel(_)))
}

/// Whether it takes a look at the unit's files.
#[must_use]
pub fn needs_files(interface: &str, name: Option<&str>) -> bool {
    asks_for(interface, name, |property| matches!(property.read, Read::Disk(_)))
}

/// Whether such a property is among those asked for.
fn asks_for(interface: &str, name: Option<&str>, wanted: fn(&Property) -> bool) -> bool {
    match name {
        Some(name) => interface_named(interface).and_then(|i| i.property(name)).is_some_and(wanted),
        None => interface.is_empty() || interface_named(interface).is_some_and(|i| i.properties().any(wanted)),
    }
}

fn interface_named(name: &str) -> Option<&'static Interface> {
    ALL.into_iter().find(|interface| interface.name == name)
}

/// `Get` on a unit.
///
/// # Errors
/// `UnknownProperty` when the unit has no such interface, or that has no such property.
pub fn unit_property(view: &View<'_>, interface: &str, name: &str) -> Result<Value, Refusal> {
    let property = find(unit_interfaces(view), interface, name)?;
    Ok(unit_value(view, property))
}

/// `GetAll` on a unit; an empty interface name means all.
///
/// # Errors
/// `UnknownInterface`.
pub fn unit_properties(view: &View<'_>, interface: &str) -> Result<Values, Refusal> {
    let properties = all(unit_interfaces(view), interface)?;
    Ok(properties.map(|property| (property.name, unit_value(view, property))).collect())
}

/// `Set` on a unit: never works, but why not depends on whether there is such a property.
#[must_use]
pub fn refuse_unit_set(view: &View<'_>, interface: &str, name: &str) -> Refusal {
    refuse_set(unit_interfaces(view), interface, name)
}

/// What a change of the unit announces for one of its interfaces: values, and names without values. Nothing at all when
/// both are empty.
#[must_use]
pub fn changed_properties(view: &View<'_>, interface: &str) -> (Values, Vec<&'static str>) {
    let mut changed = Vec::with_capacity(CHANGED_USUAL);
    let mut invalidated = Vec::new();
    for property in all(unit_interfaces(view), interface).into_iter().flatten() {
        match property.emits {
            Emits::True => changed.push((property.name, unit_value(view, property))),
            Emits::Invalidates => invalidated.push(property.name),
            Emits::Const | Emits::False => {}
        }
    }
    (changed, invalidated)
}

/// `Get` on the manager.
///
/// # Errors
/// `UnknownProperty`.
pub fn manager_property(view: &ManagerView<'_>, interface: &str, name: &str) -> Result<Value, Refusal> {
    find(&ON_MANAGER, interface, name).map(|property| manager_value(view, property))
}

/// `GetAll` on the manager.
///
/// # Errors
/// `UnknownInterface`.
pub fn manager_properties(view: &ManagerView<'_>, interface: &str) -> Result<Values, Refusal> {
    Ok(all(&ON_MANAGER, interface)?.map(|property| (property.name, manager_value(view, property))).collect())
}

/// `Set` on the manager.
#[must_use]
pub fn refuse_manager_set(interface: &str, name: &str) -> Refusal {
    refuse_set(&ON_MANAGER, interface, name)
}

/// `Get` on the log control object.
///
/// # Errors
/// `UnknownProperty`.
pub fn log_property(view: &ManagerView<'_>, interface: &str, name: &str) -> Result<Value, Refusal> {
    find(&ON_LOG_CONTROL, interface, name).map(|property| manager_value(view, property))
}

/// `GetAll` on the log control object.
///
/// # Errors
/// `UnknownInterface`.
pub fn log_properties(view: &ManagerView<'_>, interface: &str) -> Result<Values, Refusal> {
    Ok(all(&ON_LOG_CONTROL, interface)?.map(|property| (property.name, manager_value(view, property))).collect())
}

/// `Set` on the log control object.
#[must_use]
pub fn refuse_log_set(interface: &str, name: &str) -> Refusal {
    refuse_set(&ON_LOG_CONTROL, interface, name)
}

/// `Get` on a job.
///
/// # Errors
/// `UnknownProperty`.
pub fn job_property(job: JobView<'_>, interface: &str, name: &str) -> Result<Value, Refusal> {
    find(&ON_JOB, interface, name).map(|property| job_value(job, property))
}

/// `GetAll` on a job.
///
/// # Errors
/// `UnknownInterface`.
pub fn job_properties(job: JobView<'_>, interface: &str) -> Result<Values, Refusal> {
    Ok(all(&ON_JOB, interface)?.map(|property| (property.name, job_value(job, property))).collect())
}

/// `Set` on a job.
#[must_use]
pub fn refuse_job_set(interface: &str, name: &str) -> Refusal {
    refuse_set(&ON_JOB, interface, name)
}

fn unit_interfaces(view: &View<'_>) -> &'static [&'static Interface] {
    on_unit(view.subject().unit_type())
}

fn find(here: &[&'static Interface], interface: &str, name: &str) -> Result<&'static Property, Refusal> {
    let mut candidates = here.iter().filter(|candidate| candidate.name == interface);
    let found = candidates.find_map(|candidate| candidate.property(name));
    found.ok_or_else(|| refusals::unknown_property(interface, name))
}

fn all(
    here: &[&'static Interface],
    interface: &str,
) -> Result<impl Iterator<Item = &'static Property> + use<>, Refusal> {
    let wanted: Vec<_> = here.iter().copied().filter(|i| interface.is_empty() || i.name == interface).collect();
    if wanted.is_empty() && !STANDARD.iter().any(|standard| standard.name == interface) {
        return Err(refusals::unknown_interface(interface));
    }
    Ok(wanted.into_iter().flat_map(Interface::properties))
}

fn refuse_set(here: &[&'static Interface], interface: &str, name: &str) -> Refusal {
    match find(here, interface, name) {
        Ok(_) => refusals::read_only(name),
        Err(unknown) => unknown,
    }
}

fn unit_value(view: &View<'_>, property: &Property) -> Value {
    match property.read {
        Read::Unit(read) | Read::Kernel(read) | Read::Disk(read) => read(view),
        Read::Setting => settings::value(view, property),
        Read::Number(number) => Value::U64(number),
        Read::Nothing => settings::nothing(property.signature),
        Read::Manager(_) | Read::Job(_) => unreachable!("{} stands on a unit interface", property.name),
    }
}

fn manager_value(view: &ManagerView<'_>, property: &Property) -> Value {
    match property.read {
        Read::Manager(read) => read(view),
        Read::Number(number) => Value::U64(number),
        Read::Nothing => settings::nothing(property.signature),
        _ => unreachable!("{} stands on a manager interface", property.name),
    }
}

fn job_value(job: JobView<'_>, property: &Property) -> Value {
    match property.read {
        Read::Job(read) => read(&job),
        Read::Nothing => settings::nothing(property.signature),
        _ => unreachable!("{} stands on the job interface", property.name),
    }
}
