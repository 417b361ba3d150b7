//! `Property`: a checked request to change one property.

use super::table::Row;
use super::values::Checked;
use crate::names::UnitName;
use crate::plan::Pin;
use crate::settings::Dependency;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A checked request to change one property. Those that say more than "keep this value" are variants of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum Property {
    /// The slice to lie in; none means the default one.
    Slice(Option<UnitName>),
    /// Processes to take in, by number; 0 is the caller's. Never empty.
    Pids(Vec<u32>),
    /// Processes to take in, pinned by the front end. Never empty.
    PidFds(Vec<Pin>),
    /// Whether the caller wants to hold a reference.
    AddRef(bool),
    /// Who ends the scope when asked; none clears it.
    Controller(Option<Arc<str>>),
    /// More dependencies of one kind.
    Dependencies(Dependency, Vec<UnitName>),
    /// Words about the unit for tools; replaces or changes the set, and is not kept on disk.
    Markers(Markers),
    /// Anything else: a value that is kept in the settings.
    Setting(Setting),
}

/// What is to happen to the markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Markers {
    /// These and no others.
    Replace(Vec<&'static str>),
    /// Add or remove.
    Change(Vec<(&'static str, bool)>),
}

/// A value for the settings, made only by the check of its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub(super) row: &'static Row,
    pub(super) value: Checked,
}

impl Setting {
    /// Its row of the table.
    #[must_use]
    pub fn row(&self) -> &'static Row {
        self.row
    }
}

impl Property {
    /// The property's name on the bus.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Slice(_) => "Slice",
            Self::Pids(_) => "PIDs",
            Self::PidFds(_) => "PIDFDs",
            Self::AddRef(_) => "AddRef",
            Self::Controller(_) => "Controller",
            Self::Dependencies(kind, _) => kind.name(),
            Self::Markers(_) => "Markers",
            Self::Setting(setting) => setting.row.name,
        }
    }

    /// Whether this changes what the kernel is told, so that the unit has to be realized again.
    #[must_use]
    pub fn touches_cgroup(&self) -> bool {
        matches!(self, Self::Setting(setting) if setting.row.is_resource())
    }
}
