//! All units and what ties them together: the index by name, the slice tree, configured dependencies.
//!
//! The ties every unit has to its slice (`Requires`, `After`, `Before` from below) are not stored: they follow from the
//! slice tree, so that a slice with many members costs its members nothing.

#[cfg(test)]
pub(crate) mod example;

use crate::names::{CgroupPath, UnitName, UnitType};
use crate::settings::Dependency;
use crate::unit::{Unit, UnitId};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

/// A tie from one unit to another, as properties name it (reference 03.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub enum Edge {
    Requires,
    Requisite,
    Wants,
    BindsTo,
    PartOf,
    Upholds,
    RequiredBy,
    RequisiteOf,
    WantedBy,
    BoundBy,
    UpheldBy,
    ConsistsOf,
    Conflicts,
    ConflictedBy,
    Before,
    After,
    OnSuccess,
    OnSuccessOf,
    OnFailure,
    OnFailureOf,
    PropagatesReloadTo,
    ReloadPropagatedFrom,
    PropagatesStopTo,
    StopPropagatedFrom,
    JoinsNamespaceOf,
    SliceOf,
}

impl Edge {
    /// The property's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requires => "Requires",
            Self::Requisite => "Requisite",
            Self::Wants => "Wants",
            Self::BindsTo => "BindsTo",
            Self::PartOf => "PartOf",
            Self::Upholds => "Upholds",
            Self::RequiredBy => "RequiredBy",
            Self::RequisiteOf => "RequisiteOf",
            Self::WantedBy => "WantedBy",
            Self::BoundBy => "BoundBy",
            Self::UpheldBy => "UpheldBy",
            Self::ConsistsOf => "ConsistsOf",
            Self::Conflicts => "Conflicts",
            Self::ConflictedBy => "ConflictedBy",
            Self::Before => "Before",
            Self::After => "After",
            Self::OnSuccess => "OnSuccess",
            Self::OnSuccessOf => "OnSuccessOf",
            Self::OnFailure => "OnFailure",
            Self::OnFailureOf => "OnFailureOf",
            Self::PropagatesReloadTo => "PropagatesReloadTo",
            Self::ReloadPropagatedFrom => "ReloadPropagatedFrom",
            Self::PropagatesStopTo => "PropagatesStopTo",
            Self::StopPropagatedFrom => "StopPropagatedFrom",
            Self::JoinsNamespaceOf => "JoinsNamespaceOf",
            Self::SliceOf => "SliceOf",
        }
    }

    /// The same tie seen from the other end.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Requires => Self::RequiredBy,
            Self::Requisite => Self::RequisiteOf,
            Self::Wants => Self::WantedBy,
            Self::BindsTo => Self::BoundBy,
            Self::PartOf => Self::ConsistsOf,
            Self::Upholds => Self::UpheldBy,
            Self::RequiredBy => Self::Requires,
            Self::RequisiteOf => Self::Requisite,
            Self::WantedBy => Self::Wants,
            Self::BoundBy => Self::BindsTo,
            Self::UpheldBy => Self::Upholds,
            Self::ConsistsOf => Self::PartOf,
            Self::Conflicts => Self::ConflictedBy,
            Self::ConflictedBy => Self::Conflicts,
            Self::Before => Self::After,
            Self::After => Self::Before,
            Self::OnSuccess => Self::OnSuccessOf,
            Self::OnSuccessOf => Self::OnSuccess,
            Self::OnFailure => Self::OnFailureOf,
            Self::OnFailureOf => Self::OnFailure,
            Self::PropagatesReloadTo => Self::ReloadPropagatedFrom,
            Self::ReloadPropagatedFrom => Self::PropagatesReloadTo,
            Self::PropagatesStopTo => Self::StopPropagatedFrom,
            Self::StopPropagatedFrom => Self::PropagatesStopTo,
            Self::JoinsNamespaceOf => Self::JoinsNamespaceOf,
            Self::SliceOf => unreachable!("the slice tree is not stored as edges"),
        }
    }
}

impl From<Dependency> for Edge {
    fn from(dependency: Dependency) -> Self {
        match dependency {
            Dependency::Requires => Self::Requires,
            Dependency::Requisite => Self::Requisite,
            Dependency::Wants => Self::Wants,
            Dependency::BindsTo => Self::BindsTo,
            Dependency::PartOf => Self::PartOf,
            Dependency::Upholds => Self::Upholds,
            Dependency::Conflicts => Self::Conflicts,
            Dependency::Before => Self::Before,
            Dependency::After => Self::After,
            Dependency::OnSuccess => Self::OnSuccess,
            Dependency::OnFailure => Self::OnFailure,
            Dependency::PropagatesReloadTo => Self::PropagatesReloadTo,
            Dependency::ReloadPropagatedFrom => Self::ReloadPropagatedFrom,
            Dependency::PropagatesStopTo => Self::PropagatesStopTo,
            Dependency::StopPropagatedFrom => Self::StopPropagatedFrom,
            Dependency::JoinsNamespaceOf => Self::JoinsNamespaceOf,
        }
    }
}

/// All units.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    slots: Vec<Option<Box<Unit>>>,
    free: Vec<UnitId>,
    by_name: BTreeMap<UnitName, UnitId>,
    by_invocation: BTreeMap<[u8; 16], UnitId>,
    /// (slice, member)
    members: BTreeSet<(UnitId, UnitId)>,
    /// Both directions of every configured dependency.
    edges: BTreeSet<(UnitId, Edge, UnitId)>,
}

/// The other fields are indexes of what is hashed here. Places count: units are gone through in their order.
impl Hash for Graph {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { slots, free, by_name: _, by_invocation: _, members: _, edges } = self;
        (slots, free, edges).hash(state);
    }
}

impl Graph {
    /// The unit; panics when the id is not of a unit that exists, which is our mistake.
    #[must_use]
    #[inline]
    pub fn unit(&self, id: UnitId) -> &Unit {
        self.slots[id.0 as usize].as_deref().expect("a UnitId in use names a unit")
    }

    /// The unit, to change it.
    #[inline]
    pub(crate) fn unit_mut(&mut self, id: UnitId) -> &mut Unit {
        self.slots[id.0 as usize].as_deref_mut().expect("a UnitId in use names a unit")
    }

    /// The unit, if it still exists.
    #[must_use]
    pub fn get(&self, id: UnitId) -> Option<&Unit> {
        self.slots.get(id.0 as usize)?.as_deref()
    }

    /// The unit of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<UnitId> {
        self.by_name.get(name).copied()
    }

    /// The unit with this invocation id.
    #[must_use]
    pub fn find_invocation(&self, id: &[u8; 16]) -> Option<UnitId> {
        self.by_invocation.get(id).copied()
    }

    /// Every unit, by name.
    pub fn iter(&self) -> impl Iterator<Item = (UnitId, &Unit)> {
        self.by_name.values().map(|id| (*id, self.unit(*id)))
    }

    /// How many units there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// No unit at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Adds a unit of a name that is not there yet.
    pub(crate) fn insert(&mut self, unit: Unit) -> UnitId {
        assert!(!self.by_name.contains_key(&unit.name), "{} is there already", unit.name);
        assert!(unit.slice.is_none(), "a new unit lies in no slice yet");
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            UnitId(u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 units"))
        });
        self.by_name.insert(unit.name.clone(), id);
        self.slots[id.0 as usize] = Some(Box::new(unit));
        id
    }

    /// Takes a unit out, with every tie it has.
    pub(crate) fn remove(&mut self, id: UnitId) -> Unit {
        assert!(self.members(id).next().is_none(), "a slice with members is not freed");
        self.set_slice(id, None);
        self.clear_edges(id);
        self.set_invocation(id, None);
        let unit = self.slots[id.0 as usize].take().expect("a UnitId in use names a unit");
        self.by_name.remove(&unit.name);
        self.free.push(id);
        *unit
    }

    /// Gives a unit its identity for one activation, or takes it away.
    pub(crate) fn set_invocation(&mut self, id: UnitId, invocation: Option<[u8; 16]>) {
        let old = core::mem::replace(&mut self.unit_mut(id).invocation_id, invocation);
        if let Some(old) = old {
            self.by_invocation.remove(&old);
        }
        if let Some(new) = invocation {
            self.by_invocation.insert(new, id);
        }
    }

    /// Puts the unit into a slice, out of the one it was in.
    pub(crate) fn set_slice(&mut self, id: UnitId, slice: Option<UnitId>) {
        assert!(slice.is_none_or(|s| self.unit(s).unit_type() == UnitType::Slice && s != id));
        if let Some(old) = self.unit_mut(id).slice.take() {
            self.members.remove(&(old, id));
        }
        if let Some(new) = slice {
            self.members.insert((new, id));
        }
        self.unit_mut(id).slice = slice;
    }

    /// The units that lie directly in a slice.
    pub fn members(&self, slice: UnitId) -> impl Iterator<Item = UnitId> {
        self.members.range((slice, UnitId(0))..=(slice, UnitId(u32::MAX))).map(|(_, member)| *member)
    }

    /// The slices above a unit, nearest first.
    pub fn ancestors(&self, id: UnitId) -> impl Iterator<Item = UnitId> {
        core::iter::successors(self.unit(id).slice, |slice| self.unit(*slice).slice)
    }

    /// Ties two units; a tie of a unit to itself is dropped.
    pub(crate) fn add_edge(&mut self, from: UnitId, edge: Edge, to: UnitId) {
        if from != to {
            self.edges.insert((from, edge, to));
            self.edges.insert((to, edge.inverse(), from));
        }
    }

    /// Unties a unit from all others (not from its slice).
    pub(crate) fn clear_edges(&mut self, id: UnitId) {
        let mine: Vec<_> = self.all_edges(id).collect();
        for (edge, other) in mine {
            self.edges.remove(&(id, edge, other));
            self.edges.remove(&(other, edge.inverse(), id));
        }
    }

    /// Takes back the ties that a unit's own settings make; those that others make to it stay.
    pub(crate) fn untie(&mut self, id: UnitId) {
        for (dependency, name) in self.unit(id).settings.dependencies.clone() {
            let Some(other) = self.find(name.as_str()) else { continue };
            let edge = Edge::from(dependency);
            let own_name = &self.unit(id).name;
            let mut theirs = self.unit(other).settings.dependencies.iter();
            if !theirs.any(|(tie, to)| Edge::from(*tie) == edge.inverse() && to == own_name) {
                self.edges.remove(&(id, edge, other));
                self.edges.remove(&(other, edge.inverse(), id));
            }
        }
    }

    /// Every configured tie of a unit.
    pub fn all_edges(&self, id: UnitId) -> impl Iterator<Item = (Edge, UnitId)> {
        let first = (id, Edge::Requires, UnitId(0));
        self.edges.range(first..).take_while(move |(from, ..)| *from == id).map(|(_, edge, to)| (*edge, *to))
    }

    /// Has it any configured tie?
    #[must_use]
    pub fn is_tied(&self, id: UnitId) -> bool {
        self.all_edges(id).next().is_some()
    }

    /// Configured ties of one kind.
    pub fn edges(&self, id: UnitId, edge: Edge) -> impl Iterator<Item = UnitId> {
        self.edges.range((id, edge, UnitId(0))..=(id, edge, UnitId(u32::MAX))).map(|(_, _, to)| *to)
    }

    /// The indexes say what the units say.
    ///
    /// # Panics
    /// When they do not.
    pub(crate) fn check_indexes(&self) {
        let free: BTreeSet<UnitId> = self.free.iter().copied().collect();
        assert!(free.len() == self.free.len(), "a place is free twice");
        assert!(free.iter().all(|id| self.slots[id.0 as usize].is_none()), "a place is free, and somebody is there");
        // Each name leads to another unit, and there are no more places than names and free ones.
        assert!(self.by_name.len() + free.len() == self.slots.len(), "a name is of no unit");
        let (mut members, mut invocations) = (0, 0);
        for (name, id) in &self.by_name {
            let unit = self.unit(*id);
            assert!(*name == unit.name, "{} is found by the name {name}", unit.name);
            if let Some(slice) = unit.slice {
                members += 1;
                assert!(self.members.contains(&(slice, *id)), "{name} is no member of its slice");
            }
            if let Some(invocation) = &unit.invocation_id {
                invocations += 1;
                assert!(self.by_invocation.get(invocation) == Some(id), "{name} is not found by its identity");
            }
        }
        assert!(self.members.len() == members, "a slice has members that are not in it");
        assert!(self.by_invocation.len() == invocations, "an identity is of no unit");
        for (from, edge, to) in &self.edges {
            assert!(self.get(*from).is_some() && self.get(*to).is_some(), "a tie to a unit that has gone");
            assert!(self.edges.contains(&(*to, edge.inverse(), *from)), "a tie that is known at one end only");
        }
    }

    /// Where the unit's cgroup lies below the managed root; none for types that have none, and for units without a
    /// slice.
    #[must_use]
    pub fn cgroup_path(&self, id: UnitId) -> Option<CgroupPath> {
        let unit = self.unit(id);
        if let Some(path) = &unit.realized.path {
            return Some(path.clone());
        }
        if unit.name.is_root_slice() {
            return Some(CgroupPath::root());
        }
        Some(self.cgroup_path(unit.slice?)?.child(unit.name.as_str()))
    }
}
