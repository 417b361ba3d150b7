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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::example::Example;

    fn targets(example: &Example, atom: Atom, unit: &str) -> alloc::string::String {
        example.names(&atom.targets(&example.graph, example.id(unit))).join(" ")
    }

    #[test]
    fn a_requirement_is_started_with_us_and_its_stop_and_failure_are_ours() {
        for edge in [Edge::Requires, Edge::BindsTo] {
            let example = Example::of(&["a.service", "b.service"]).tie("a.service", edge, "b.service");
            assert_eq!(targets(&example, Atom::PullInStart, "a.service"), "b.service");
            assert_eq!(targets(&example, Atom::PropagateStop, "b.service"), "a.service");
            assert_eq!(targets(&example, Atom::PropagateStartFailure, "b.service"), "a.service");
            for atom in [Atom::PullInStart, Atom::PullInStartIgnored, Atom::PropagateStopFailure] {
                assert_eq!(targets(&example, atom, "b.service"), "", "{atom:?} does not go back");
            }
        }
    }

    #[test]
    fn every_other_tie_means_one_thing() {
        let rows = [
            (Edge::Wants, Atom::PullInStartIgnored),
            (Edge::Upholds, Atom::PullInStartIgnored),
            (Edge::Requisite, Atom::PullInVerify),
            (Edge::Conflicts, Atom::PullInStop),
            (Edge::ConflictedBy, Atom::PullInStopIgnored),
            (Edge::ConflictedBy, Atom::PropagateStopFailure),
            (Edge::ConsistsOf, Atom::PropagateStop),
            (Edge::PropagatesStopTo, Atom::PropagateStop),
            (Edge::PropagatesReloadTo, Atom::PropagateReload),
            (Edge::RequisiteOf, Atom::PropagateInactiveStartAsFailure),
        ];
        for (edge, atom) in rows {
            let example = Example::of(&["a.service", "b.service"]).tie("a.service", edge, "b.service");
            assert_eq!(targets(&example, atom, "a.service"), "b.service", "{edge:?} {atom:?}");
            assert_eq!(targets(&example, Atom::PullInStart, "a.service"), "", "{edge:?} is no requirement");
        }
    }

    #[test]
    fn a_unit_requires_its_slice_and_each_target_comes_once() {
        let example = Example::of(&["a.slice", "x.scope", "y.scope", "z.service"])
            .inside("x.scope", "a.slice")
            .inside("y.scope", "a.slice")
            .tie("x.scope", Edge::Requires, "a.slice")
            .tie("x.scope", Edge::Requires, "z.service")
            .tie("x.scope", Edge::BindsTo, "z.service")
            .tie("z.service", Edge::Requires, "a.slice");
        assert_eq!(targets(&example, Atom::PullInStart, "x.scope"), "a.slice z.service");
        assert_eq!(targets(&example, Atom::PullInStart, "y.scope"), "a.slice");
        for atom in [Atom::PropagateStop, Atom::PropagateStartFailure] {
            assert_eq!(targets(&example, atom, "a.slice"), "x.scope y.scope z.service");
            assert_eq!(targets(&example, atom, "z.service"), "x.scope");
        }
        assert_eq!(targets(&example, Atom::PullInStartIgnored, "x.scope"), "");
    }
}
