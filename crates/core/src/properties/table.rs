//! The table: one row per property, grouped in three files, and the look-up by name.

mod exec;
mod resource;
mod run;
mod unit;

use super::kind::Kind;
use crate::controllers::Controller;
use crate::names::UnitType;
use crate::settings::Dependency;
use crate::unit_file::Section;
use core::fmt;

/// One property: all that the bus, unit files, command line, documentation and fuzzers need to know about it.
pub struct Row {
    /// Its name on the bus.
    pub name: &'static str,
    /// Its key in unit files; empty when it is never written.
    pub key: &'static str,
    /// Where the key stands.
    pub section: Section,
    /// Units that have it.
    pub types: Types,
    /// When it can be set.
    pub when: When,
    /// The controller without which it means nothing.
    pub controller: Option<Controller>,
    /// How its values are stored.
    pub(super) kind: Kind,
}

/// When a property can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At creation and at any time later.
    Runtime,
    /// Only while the unit is created.
    Creation,
}

bitflags::bitflags! {
    /// A set of unit types.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Types: u8 {
        /// Slices.
        const SLICE = 1;
        /// Scopes.
        const SCOPE = 2;
        /// Services.
        const SERVICE = 4;
        /// All types, also those that are only names here.
        const ANY = 8;
    }
}

impl Types {
    /// Whether `unit_type` belongs to the set.
    #[must_use]
    pub fn has(self, unit_type: UnitType) -> bool {
        let own = match unit_type {
            UnitType::Slice => Self::SLICE,
            UnitType::Scope => Self::SCOPE,
            UnitType::Service => Self::SERVICE,
            _ => Self::ANY,
        };
        self.intersects(own | Self::ANY)
    }
}

impl Row {
    /// D-Bus signature of the values.
    #[must_use]
    pub fn signature(&self) -> &'static str {
        self.kind.signature()
    }

    /// Whether it can be set on a unit of this type, that is or is not just being created.
    #[must_use]
    pub fn is_settable(&self, unit_type: UnitType, creating: bool) -> bool {
        self.types.has(unit_type) && (creating || self.when == When::Runtime)
    }

    /// Whether the bus shows it; the others are verbs in disguise, or other spellings of a property that is shown.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !matches!(
            self.kind,
            Kind::MemoryScale(_)
                | Kind::TasksMaxScale
                | Kind::CommandsEx(_)
                | Kind::Pids
                | Kind::PidFds
                | Kind::AddRef
                | Kind::Inverse
                | Kind::StreamFile(..)
                | Kind::StreamHandle(_)
        )
    }

    /// Whether it belongs to the cgroup context, so that changing it concerns the kernel.
    #[must_use]
    pub fn is_resource(&self) -> bool {
        resource::ROWS.contains(self)
    }

    /// The words of the refusal on other types, where they are not the usual ones.
    pub(super) fn refusal_for_other_types(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Delegate | Kind::DelegateControllers => Some("Delegation not available for unit type"),
            Kind::Slice => Some("Slice may not be set for slice units."),
            _ => None,
        }
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every property, group by group.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.into_iter().flatten()
}

/// The property of this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static Row> {
    let found = INDEX.binary_search_by(|&place| at(place).name.cmp(name)).ok()?;
    Some(at(INDEX[found]))
}

/// The properties that this key of unit files stands for, each with its section and types. Further spellings of a
/// property on the bus share its key, and come after it.
pub(super) fn rows_with_key(key: &str) -> impl Iterator<Item = &'static Row> {
    let key = if key.is_empty() { "=" } else { key };
    let first = KEYS.partition_point(|&place| at(place).key < key);
    KEYS[first..].iter().map(|&place| at(place)).take_while(move |row| row.key == key)
}

/// The property that adds dependencies of this kind.
pub(super) fn dependency_name(kind: Dependency) -> &'static str {
    let named = |row: &&Row| matches!(row.kind, Kind::Dependency(k) if k == kind);
    unit::DEPENDENCIES.iter().find(named).map_or("", |row| row.name)
}

const GROUPS: [&[Row]; 6] = [resource::ROWS, unit::SETTINGS, unit::DEPENDENCIES, unit::INVERSES, run::ROWS, exec::ROWS];
const COUNT: usize = count();

/// Places of all rows, ordered by name.
static INDEX: [u16; COUNT] = sorted(false);

/// Places of all rows, ordered by key, and those of the same key as in the table.
static KEYS: [u16; COUNT] = sorted(true);

const fn count() -> usize {
    let (mut group, mut sum) = (0, 0);
    while group < GROUPS.len() {
        sum += GROUPS[group].len();
        group += 1;
    }
    sum
}

const fn at(place: u16) -> &'static Row {
    let (mut group, mut rest) = (0, place as usize);
    while rest >= GROUPS[group].len() {
        rest -= GROUPS[group].len();
        group += 1;
    }
    &GROUPS[group][rest]
}

/// Sorts by insertion, since that is what a constant expression can do.
const fn sorted(by_key: bool) -> [u16; COUNT] {
    let mut sorted = [0; COUNT];
    let mut count = 0;
    while count < COUNT {
        let mut place = count;
        while place > 0 && is_before(word(count as u16, by_key), word(sorted[place - 1], by_key)) {
            sorted[place] = sorted[place - 1];
            place -= 1;
        }
        sorted[place] = count as u16;
        count += 1;
    }
    sorted
}

const fn word(place: u16, by_key: bool) -> &'static str {
    if by_key { at(place).key } else { at(place).name }
}

const fn is_before(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_and_names_are_unique() {
        assert!(INDEX.windows(2).all(|pair| at(pair[0]).name < at(pair[1]).name));
        assert_eq!(rows().count(), COUNT);
        for wanted in rows() {
            assert_eq!(row(wanted.name), Some(wanted));
        }
        for wanted in rows().filter(|row| !row.key.is_empty()) {
            let same = rows().filter(|row| row.key == wanted.key);
            assert!(rows_with_key(wanted.key).eq(same), "{wanted:?}");
        }
        assert!(rows_with_key("").next().is_none() && rows_with_key("BPFProgram").next().is_none());
        assert!(row("").is_none() && row("memorymax").is_none() && row("BPFProgram").is_none());
    }
}
