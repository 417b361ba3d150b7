//! What a tie between two units means for jobs: the atoms of each dependency (reference 03.10), the implied ties to the
//! slice among them.

use crate::graph::{Edge, Graph};
use crate::unit::UnitId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// One effect that a tie has on jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Atom {
    /// Starting us starts it; its refusal is ours.
    PullInStart,
    /// Starting us starts it if that is possible.
    PullInStartIgnored,
    /// Starting us needs it to be up already.
    PullInVerify,
    /// Starting us stops it.
    PullInStop,
    /// Starting us stops it if that is possible.
    PullInStopIgnored,
    /// Stopping us stops it.
    PropagateStop,
    /// A reload of us reloads it.
    PropagateReload,
    /// If our start fails, so does its.
    PropagateStartFailure,
    /// If our stop fails, so does its start.
    PropagateStopFailure,
    /// If we are not up after our start, its start has failed.
    PropagateInactiveStartAsFailure,
}

impl Atom {
    /// The kinds of edge that carry the atom.
    fn edges(self) -> &'static [Edge] {
        match self {
            Self::PullInStart => &[Edge::Requires, Edge::BindsTo],
            Self::PullInStartIgnored => &[Edge::Wants, Edge::Upholds],
            Self::PullInVerify => &[Edge::Requisite],
            Self::PullInStop => &[Edge::Conflicts],
            Self::PullInStopIgnored => &[Edge::ConflictedBy],
            Self::PropagateStop => {
                &[Edge::RequiredBy, Edge::RequisiteOf, Edge::BoundBy, Edge::ConsistsOf, Edge::PropagatesStopTo]
            }
            Self::PropagateReload => &[Edge::PropagatesReloadTo],
            Self::PropagateStartFailure => &[Edge::RequiredBy, Edge::RequisiteOf, Edge::BoundBy],
            Self::PropagateStopFailure => &[Edge::ConflictedBy],
            Self::PropagateInactiveStartAsFailure => &[Edge::RequisiteOf],
        }
    }

    /// The units that `unit` is tied to by this atom; each once. A unit requires its slice, so a slice hands stops and
    /// start failures to its members.
    pub(crate) fn targets(self, graph: &Graph, unit: UnitId) -> Vec<UnitId> {
        let mut targets: Vec<UnitId> = Vec::new();
        match self {
            Self::PullInStart => targets.extend(graph.unit(unit).slice),
            Self::PropagateStop | Self::PropagateStartFailure => targets.extend(graph.members(unit)),
            _ => {}
        }
        let by_slice = |other: UnitId| match self {
            Self::PullInStart => graph.unit(unit).slice == Some(other),
            Self::PropagateStop | Self::PropagateStartFailure => graph.unit(other).slice == Some(unit),
            _ => false,
        };
        let mut seen = BTreeSet::new();
        for edge in self.edges() {
            targets.extend(graph.edges(unit, *edge).filter(|other| !by_slice(*other) && seen.insert(*other)));
        }
        targets
    }
}
