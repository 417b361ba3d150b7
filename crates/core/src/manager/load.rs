//! Loading units: from a name to a unit that is known, with its slice and its dependencies (reference 01.7, 01.8,
//! 02.1).

use super::Manager;
use crate::error::{Refusal, RefusalKind};
use crate::graph::Edge;
use crate::names::{NameError, UNIT_PREFIX, UnitName, UnitType, default_slice, label_unescape};
use crate::propagation;
use crate::properties;
use crate::realize::realized_root;
use crate::request::UnitRef;
use crate::unit::{LoadState, State, Unit, UnitId, parse_invocation};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

impl Manager {
    /// The units that are always there: the root slice, which is the managed root itself, and `system.slice`.
    pub(super) fn make_perpetual_units(&mut self) {
        for name in ["-.slice", "system.slice"] {
            let name = UnitName::parse(name).expect("a valid name");
            let id = self.ensure_unit(&name);
            self.load(id);
            if name.is_root_slice() {
                self.graph.unit_mut(id).realized = realized_root(&self.config);
            }
            self.graph.unit_mut(id).perpetual = true;
            let invocation = self.rng.invocation_id();
            self.graph.set_invocation(id, Some(invocation));
            self.set_state(id, State::Active);
        }
        self.announce_changes();
        self.effects.clear();
        self.realize.clear();
    }

    /// The unit of this name, or that this is another name of.
    pub(super) fn find(&self, name: &str) -> Option<UnitId> {
        let other = || self.graph.find(self.files.canonical(name)?.as_str());
        self.graph.find(name).or_else(other)
    }

    /// The unit of this name; made as a stub when there is none.
    pub(super) fn ensure_unit(&mut self, name: &UnitName) -> UnitId {
        if let Some(id) = self.find(name.as_str()) {
            return id;
        }
        let name = self.files.canonical(name.as_str()).unwrap_or(name).clone();
        self.ensure_named(&name)
    }

    /// The unit that has this very name, even if there are files now that make it another unit's.
    pub(super) fn ensure_named(&mut self, name: &UnitName) -> UnitId {
        if let Some(id) = self.graph.find(name.as_str()) {
            return id;
        }
        let settings = properties::default_settings(name.unit_type(), &self.config);
        let id = self.graph.insert(Unit::stub(name.clone(), settings));
        self.queue_changed(id);
        self.queue_collect(id);
        id
    }

    /// The loaded unit of this name (it may well be loaded as "not found").
    pub(super) fn load_name(&mut self, name: &UnitName) -> UnitId {
        let id = self.ensure_unit(name);
        self.load(id);
        id
    }

    /// Loads a unit that is a stub, and all that it names, one after the other: files can name each other in a row of
    /// any length.
    pub(super) fn load(&mut self, id: UnitId) {
        self.load_alone(id);
        self.load_queued();
    }

    /// Loads what those that were loaded name.
    pub(super) fn load_queued(&mut self) {
        while let Some(id) = self.to_load.pop_front() {
            if self.graph.get(id).is_some() {
                self.load_alone(id);
            }
        }
    }

    /// Loads a unit that is a stub, and the slices that it lies in.
    fn load_alone(&mut self, id: UnitId) {
        if self.graph.unit(id).load != LoadState::Stub {
            return;
        }
        let (load, error) = self.configure(id);
        let unit = self.graph.unit_mut(id);
        unit.load = load;
        unit.load_error = error.map(Box::new);
        if load == LoadState::Loaded {
            self.tie(id);
        } else {
            self.place_unfit_slice(id);
        }
        if load == LoadState::Loaded || self.graph.unit(id).slice.is_some() {
            let changed = propagation::update(&mut self.graph, id);
            debug_assert!(changed.iter().all(|slice| self.graph.unit(*slice).unit_type() == UnitType::Slice));
        }
        self.queue_changed(id);
        self.queue_collect(id);
    }

    /// Where a slice lies follows from its name, whatever its file says, and whether there is one that can be used:
    /// what runs in it is found below there.
    fn place_unfit_slice(&mut self, id: UnitId) {
        let name = self.graph.unit(id).name.clone();
        if name.unit_type() != UnitType::Slice || check_slice(&name).is_err() {
            return;
        }
        if let Some(above) = default_slice(&name) {
            let above = self.ensure_unit(&above);
            self.load_alone(above);
            self.graph.set_slice(id, Some(above));
        }
    }

    /// Its job comes along.
    fn move_to_slice(&mut self, id: UnitId, slice: UnitId) {
        let unit = self.graph.unit(id);
        if let (Some(job), from) = (unit.job, unit.slice)
            && from != Some(slice)
        {
            self.jobs.relocate(job, from, Some(slice));
        }
        self.graph.set_slice(id, Some(slice));
    }

    /// Puts a loaded unit into its slice and ties it to the units it names, which are to be loaded next.
    pub(super) fn tie(&mut self, id: UnitId) {
        self.leave_directory(id);
        let unit = self.graph.unit(id);
        let slice = match unit.unit_type() {
            UnitType::Slice => default_slice(&unit.name),
            _ => unit.settings.slice.clone().or_else(|| default_slice(&unit.name)),
        };
        if let Some(slice) = slice {
            let slice = self.ensure_unit(&slice);
            self.load_alone(slice);
            self.move_to_slice(id, slice);
            // The same text need not be kept for every member.
            let name = self.graph.unit(slice).name.clone();
            let settings = &mut self.graph.unit_mut(id).settings;
            settings.slice = settings.slice.take().map(|_| name);
        }
        self.take_back_directory(id);
        let dependencies: Vec<_> = self.graph.unit(id).settings.dependencies.clone();
        for (dependency, name) in dependencies {
            let other = self.ensure_unit(&name);
            self.to_load.push_back(other);
            self.graph.add_edge(id, Edge::from(dependency), other);
        }
    }

    /// Checks a name that shall be loaded, with the texts of the manager's methods.
    ///
    /// # Errors
    /// `InvalidArgs`.
    pub(super) fn parse_name(name: &str) -> Result<UnitName, Refusal> {
        UnitName::parse(name).map_err(|error| {
            let text = match error {
                NameError::Template => format!("Unit name {name} is missing the instance name."),
                NameError::Invalid => format!("Unit name {name} is not valid."),
            };
            Refusal::new(RefusalKind::InvalidArgs, text)
        })
    }

    /// The unit an object path names; addressing a valid name loads it (reference 01.3).
    ///
    /// # Errors
    /// The object does not exist, or is nobody's.
    pub(super) fn unit_of_object(&mut self, label: &str) -> Result<UnitId, Refusal> {
        let unknown = || Refusal::new(RefusalKind::UnknownObject, format!("Unknown object '{UNIT_PREFIX}{label}'."));
        let neither = |name: &str| {
            let text = format!("Unit name {name} is neither a valid invocation ID nor unit name.");
            Refusal::new(RefusalKind::InvalidArgs, text)
        };
        let name = label_unescape(label).ok_or_else(|| neither(label))?;
        if let Some(id) = parse_invocation(&name) {
            return self.graph.find_invocation(&id).ok_or_else(unknown);
        }
        let name = UnitName::parse(&name).map_err(|_| neither(&name))?;
        Ok(self.load_name(&name))
    }

    /// The unit of a reference that must be loaded already when given by name.
    ///
    /// # Errors
    /// `NoSuchUnit`, or `InvalidArgs` for a malformed name.
    pub(super) fn find_loaded(&mut self, unit: &UnitRef) -> Result<UnitId, Refusal> {
        match unit {
            UnitRef::Object(label) => self.unit_of_object(label),
            UnitRef::Name(name) => {
                self.find(name).ok_or_else(|| Refusal::new(RefusalKind::NoSuchUnit, format!("Unit {name} not loaded.")))
            }
        }
    }

    /// The unit of a reference, loaded when it is not.
    ///
    /// # Errors
    /// `InvalidArgs` for a malformed name, `UnknownObject`.
    pub(super) fn find_or_load(&mut self, unit: &UnitRef) -> Result<UnitId, Refusal> {
        match unit {
            UnitRef::Object(label) => self.unit_of_object(label),
            UnitRef::Name(name) => {
                let name = Self::parse_name(name)?;
                Ok(self.load_name(&name))
            }
        }
    }
}

/// Whether a slice of this name can be.
///
/// # Errors
/// How it is loaded instead, and why.
pub(super) fn check_slice(name: &UnitName) -> Result<(), (LoadState, Refusal)> {
    let text = if !name.is_valid_slice() {
        format!("Unit {name} has a bad unit file setting.")
    } else if path_length(name.stem()) > PATH_MAX {
        format!("Unit {name} lies too deep: its cgroup's path would be longer than {PATH_MAX} bytes.")
    } else {
        return Ok(());
    };
    Err((LoadState::BadSetting, Refusal::new(RefusalKind::BadUnitSetting, text)))
}

/// Longest path of a slice's cgroup: the kernel takes 4096 bytes in one call, and mount point, unit and file follow.
const PATH_MAX: usize = 3072;

/// How long the path of the slice with this stem is: each dash begins a level that repeats all before it.
fn path_length(stem: &str) -> usize {
    let level = |end: usize| end + "/.slice".len();
    stem.match_indices('-').map(|(end, _)| level(end)).sum::<usize>() + level(stem.len())
}
