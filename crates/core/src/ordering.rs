//! In which order jobs run (reference 03.9): whatever stops goes first; starts follow the order, stops reverse it.

use crate::graph::{Edge, Graph};
use crate::job::{Job, JobType};
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
/// come in the order "each after the next". A restart counts as the stop that it is first, and as the start that it
/// goes on as: jobs must not come to wait for each other half-way.
pub(crate) fn find_cycle(
    graph: &Graph,
    installed: &JobTable,
    transaction: &BTreeMap<UnitId, JobType>,
) -> Option<Vec<UnitId>> {
    [core::convert::identity, JobType::after_stop].into_iter().find_map(|phase| {
        let (done, path, on_path) = Default::default();
        let mut search = Search { graph, installed, transaction, phase, done, path, on_path };
        transaction.keys().find_map(|unit| search.visit(*unit))
    })
}

struct Search<'a> {
    graph: &'a Graph,
    installed: &'a JobTable,
    transaction: &'a BTreeMap<UnitId, JobType>,
    /// What each job counts as.
    phase: fn(JobType) -> JobType,
    done: BTreeSet<UnitId>,
    path: Vec<UnitId>,
    /// The same units, to be found at once.
    on_path: BTreeSet<UnitId>,
}

impl Search<'_> {
    fn job(&self, unit: UnitId) -> Option<JobType> {
        let installed = || self.installed.of_unit(unit).filter(|job| self.may_wait(job)).map(|job| job.kind);
        self.transaction.get(&unit).copied().or_else(installed).map(self.phase)
    }

    /// Whether a job that is installed may come to wait: one that has begun does not, unless it has another part to
    /// come.
    fn may_wait(&self, job: &Job) -> bool {
        let is_later = (self.phase)(JobType::Restart) != JobType::Restart;
        !is_later || !job.running || job.kind == JobType::Restart
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
        waited_for(self.graph, unit, kind, |other| self.job(other)).collect()
    }
}

/// Whether a job beside those that are installed has to wait for any of them, now or half-way; if not, it is in no
/// cycle.
pub(crate) fn waits(graph: &Graph, installed: &JobTable, unit: UnitId, kind: JobType) -> bool {
    let waits_as = |kind| waited_for(graph, unit, kind, |other| installed.kind_of(other)).next().is_some();
    !installed.is_empty() && (waits_as(kind) || waits_as(kind.after_stop()))
}

/// The units whose jobs the job `kind` of a unit has to wait for.
fn waited_for(
    graph: &Graph,
    unit: UnitId,
    kind: JobType,
    job: impl Fn(UnitId) -> Option<JobType>,
) -> impl Iterator<Item = UnitId> {
    let stops_members = kind.stops_first() && graph.unit(unit).unit_type() == UnitType::Slice;
    let members = stops_members.then(|| graph.members(unit)).into_iter().flatten();
    let before = graph.edges(unit, Edge::After).chain(graph.unit(unit).slice).map(|other| (other, true));
    let after = graph.edges(unit, Edge::Before).chain(members).map(|other| (other, false));
    before.chain(after).filter_map(move |(other, is_before)| {
        let waits = if is_before { waits_for_predecessor } else { waits_for_successor };
        job(other).is_some_and(|theirs| waits(kind, theirs)).then_some(other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::example::Example;
    use JobType::{Nop, Restart, Start, Stop};

    #[test]
    fn stops_go_first_starts_follow_and_what_does_nothing_waits_for_nobody() {
        // Ours, the other's; do we wait if we come after it, if it comes after us?
        let rows = [
            (Start, Start, true, false),
            (Start, Stop, true, true),
            (Stop, Start, false, false),
            (Stop, Stop, false, true),
            (Restart, Start, false, false),
            (Start, Restart, true, true),
            (Nop, Start, false, false),
            (Nop, Stop, false, false),
            (Start, Nop, false, false),
        ];
        for (kind, other, after, before) in rows {
            let waits = (waits_for_predecessor(kind, other), waits_for_successor(kind, other));
            assert_eq!(waits, (after, before), "{kind:?} and {other:?}");
        }
    }

    #[test]
    fn a_job_is_blocked_by_those_it_has_to_wait_for() {
        let tied = || {
            Example::of(&["a.slice", "x.scope", "y.scope"]).inside("x.scope", "a.slice").tie(
                "x.scope",
                Edge::After,
                "y.scope",
            )
        };
        let blocked = |example: &Example, unit, kind| is_blocked(&example.graph, &example.jobs, example.id(unit), kind);
        let example = tied().job("y.scope", Start);
        assert!(blocked(&example, "x.scope", Start) && !blocked(&example, "x.scope", Stop));
        let example = tied().job("a.slice", Start);
        assert!(blocked(&example, "x.scope", Start), "the slice comes first");
        let example = tied().job("x.scope", Stop);
        assert!(blocked(&example, "a.slice", Stop) && blocked(&example, "a.slice", Start), "members stop first");
        assert!(!blocked(&example, "a.slice", Nop));
        assert!(blocked(&example, "y.scope", Start), "a stop of who comes after us goes first");
        let example = tied().job("x.scope", Start);
        assert!(!blocked(&example, "y.scope", Start) && !blocked(&example, "a.slice", Start));
    }

    #[test]
    fn who_ignores_the_order_blocks_nobody() {
        let mut example = Example::of(&["x.scope", "y.scope"]).tie("x.scope", Edge::After, "y.scope");
        example = example.job("y.scope", Start);
        let id = example.jobs.of_unit(example.id("y.scope")).expect("it was installed").id;
        example.jobs.get_mut(id).expect("it is there").ignore_order = true;
        assert!(!is_blocked(&example.graph, &example.jobs, example.id("x.scope"), Start));
    }

    fn cycle(example: &Example, jobs: &[(&str, JobType)]) -> Option<alloc::string::String> {
        let transaction = jobs.iter().map(|(name, kind)| (example.id(name), *kind)).collect();
        find_cycle(&example.graph, &example.jobs, &transaction).map(|units| example.names(&units).join(" "))
    }

    #[test]
    fn a_cycle_is_found_and_told_each_after_the_next() {
        let names = ["a.service", "b.service", "c.service", "d.service"];
        let example = Example::of(&names)
            .tie("d.service", Edge::After, "a.service")
            .tie("a.service", Edge::After, "b.service")
            .tie("b.service", Edge::After, "c.service");
        let starts = names.map(|name| (name, Start));
        assert_eq!(cycle(&example, &starts), None);
        let example = example.tie("c.service", Edge::After, "a.service");
        assert_eq!(cycle(&example, &starts).as_deref(), Some("a.service b.service c.service"));
        assert_eq!(cycle(&example, &[("d.service", Start), ("a.service", Start)]), None, "the others have no job");
        // One of them is installed already.
        let example = example.job("c.service", Start);
        assert!(cycle(&example, &[("a.service", Start), ("b.service", Start)]).is_some());
    }

    /// While the restart stops, nobody waits in vain; then both starts would.
    #[test]
    fn a_restart_is_in_the_cycles_of_its_start() {
        let tied = || {
            Example::of(&["a.service", "b.service"]).tie("a.service", Edge::After, "b.service").tie(
                "b.service",
                Edge::After,
                "a.service",
            )
        };
        let example = tied();
        assert!(cycle(&example, &[("a.service", Restart), ("b.service", Start)]).is_some());
        assert_eq!(cycle(&example, &[("a.service", Stop), ("b.service", Start)]), None);
        let example = example.job("a.service", Restart);
        assert!(cycle(&example, &[("b.service", Start)]).is_some());
        assert!(waits(&example.graph, &example.jobs, example.id("b.service"), Start));
        // A start that has begun waits for nobody.
        let mut example = tied().job("b.service", Start);
        assert!(cycle(&example, &[("a.service", Restart)]).is_some());
        let id = example.jobs.of_unit(example.id("b.service")).expect("it was installed").id;
        example.jobs.get_mut(id).expect("it is there").running = true;
        assert_eq!(cycle(&example, &[("a.service", Restart)]), None);
    }

    #[test]
    fn two_ways_to_one_unit_are_no_cycle() {
        let names = ["a.service", "b.service", "c.service", "d.service"];
        let example = Example::of(&names)
            .tie("a.service", Edge::After, "b.service")
            .tie("a.service", Edge::After, "c.service")
            .tie("b.service", Edge::After, "d.service")
            .tie("c.service", Edge::After, "d.service");
        assert_eq!(cycle(&example, &names.map(|name| (name, Start))), None);
    }

    #[test]
    fn members_of_a_slice_that_stops_come_before_it() {
        let example = Example::of(&["a.slice", "x.scope", "y.scope"])
            .inside("x.scope", "a.slice")
            .inside("y.scope", "a.slice")
            // The slice after its member, and the member after its slice.
            .tie("x.scope", Edge::Before, "a.slice");
        assert!(cycle(&example, &[("a.slice", Start), ("x.scope", Start)]).is_some());
        assert_eq!(cycle(&example, &[("a.slice", Start), ("y.scope", Start)]), None);
        let jobs = [("a.slice", Stop), ("y.scope", Stop)];
        assert_eq!(cycle(&example, &jobs), None);
        assert!(cycle(&example.tie("y.scope", Edge::Before, "a.slice"), &jobs).is_some());
    }
}
