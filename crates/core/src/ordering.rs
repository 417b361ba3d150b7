//! In which order jobs run (reference 03.9): whatever stops goes first; starts follow the order, stops reverse it.

use crate::graph::{Edge, Graph};
use crate::job::JobType;
use crate::jobs::JobTable;
use crate::names::UnitType;
use crate::unit::UnitId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Whether the job `kind` of a unit has to wait for the job `other` of a unit that it comes after.
#[must_use]
pub(crate) fn waits_for_predecessor(kind: JobType, other: JobType) -> bool {
    // We come after it: wait unless we stop, in which case we go first.
    let _ = other;
    kind != JobType::Nop && other != JobType::Nop && !kind.stops_first()
}

/// Whether the job `kind` of a unit has to wait for the job `other` of a unit that comes after it.
#[must_use]
pub(crate) fn waits_for_successor(kind: JobType, other: JobType) -> bool {
    kind != JobType::Nop && other.stops_first()
}

/// Whether some installed job has to end before this one may run.
pub(crate) fn is_blocked(graph: &Graph, jobs: &JobTable, unit: UnitId, kind: JobType) -> bool {
    let installed = |other: UnitId| jobs.of_unit(other).filter(|job| !job.ignore_order).map(|job| job.kind);
    let before = graph.edges(unit, Edge::After).chain(graph.unit(unit).slice);
    if before.into_iter().filter_map(installed).any(|other| waits_for_predecessor(kind, other)) {
        return true;
    }
    let stopping_members = jobs.stopping_members(unit) > 0 && kind != JobType::Nop;
    stopping_members
        || graph.edges(unit, Edge::Before).filter_map(installed).any(|other| waits_for_successor(kind, other))
}

/// A cycle in the order of the jobs, of the transaction and installed ones; empty-handed when there is none. The units
/// come in the order "each after the next".
pub(crate) fn find_cycle(
    graph: &Graph,
    installed: &JobTable,
    transaction: &BTreeMap<UnitId, JobType>,
) -> Option<Vec<UnitId>> {
    let mut search =
        Search { graph, installed, transaction, done: BTreeSet::new(), path: Vec::new(), on_path: BTreeSet::new() };
    transaction.keys().find_map(|unit| search.visit(*unit))
}

struct Search<'a> {
    graph: &'a Graph,
    installed: &'a JobTable,
    transaction: &'a BTreeMap<UnitId, JobType>,
    done: BTreeSet<UnitId>,
    path: Vec<UnitId>,
    /// The same units, to be found at once.
    on_path: BTreeSet<UnitId>,
}

impl Search<'_> {
    fn job(&self, unit: UnitId) -> Option<JobType> {
        self.transaction.get(&unit).copied().or_else(|| self.installed.kind_of(unit))
    }

    /// Depth first, with a stack of its own, so that a long chain cannot exhaust the thread's.
    fn visit(&mut self, start: UnitId) -> Option<Vec<UnitId>> {
        if self.done.contains(&start) {
            return None;
        }
        let first = self.waits_for(start);
        if first.is_empty() {
            self.done.insert(start);
            return None;
        }
        self.path.push(start);
        self.on_path.insert(start);
        let mut todo = Vec::from([first]);
        while let Some(next) = todo.last_mut() {
            let Some(unit) = next.pop() else {
                todo.pop();
                let finished = self.path.pop().expect("one path entry for each list of neighbours");
                self.on_path.remove(&finished);
                self.done.insert(finished);
                continue;
            };
            if self.on_path.contains(&unit) {
                let at = self.path.iter().position(|other| *other == unit).expect("it is on the path");
                return Some(self.path[at..].to_vec());
            }
            if !self.done.contains(&unit) {
                self.path.push(unit);
                self.on_path.insert(unit);
                let neighbours = self.waits_for(unit);
                todo.push(neighbours);
            }
        }
        None
    }

    fn waits_for(&self, unit: UnitId) -> Vec<UnitId> {
        let Some(kind) = self.job(unit) else { return Vec::new() };
        let slice = self.graph.unit(unit).slice;
        let predecessors = self
            .graph
            .edges(unit, Edge::After)
            .chain(slice)
            .filter(|other| self.job(*other).is_some_and(|o| waits_for_predecessor(kind, o)));
        let mut all: Vec<UnitId> = predecessors.collect();
        let successors = self.graph.edges(unit, Edge::Before);
        all.extend(successors.filter(|other| self.job(*other).is_some_and(|o| waits_for_successor(kind, o))));
        if kind.stops_first() && self.graph.unit(unit).unit_type() == UnitType::Slice {
            let members = self.graph.members(unit);
            all.extend(members.filter(|other| self.job(*other).is_some_and(|o| waits_for_successor(kind, o))));
        }
        all
    }
}
