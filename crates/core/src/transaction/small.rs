//! Small graphs, all of them: three services, every dependency between them, every job in every mode, compared with
//! the model.

use super::model::{Node, Outcome, World, word};
use super::*;
use crate::graph::Edge;
use crate::graph::example::Example;
use crate::settings::ServiceType;
use crate::unit::{ActiveState, LoadState, State};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

const NAMES: [&str; 3] = ["a.service", "b.service", "c.service"];

/// One of each dependency and its inverse; the others mean nothing to transactions.
const EDGES: [Edge; 10] = [
    Edge::Requires,
    Edge::Requisite,
    Edge::Wants,
    Edge::BindsTo,
    Edge::PartOf,
    Edge::Upholds,
    Edge::Conflicts,
    Edge::PropagatesStopTo,
    Edge::PropagatesReloadTo,
    Edge::After,
];
const KINDS: [JobType; 5] = [JobType::Start, JobType::VerifyActive, JobType::Stop, JobType::Reload, JobType::Restart];
const MODES: [JobMode; 7] = [
    JobMode::Fail,
    JobMode::Replace,
    JobMode::ReplaceIrreversibly,
    JobMode::Isolate,
    JobMode::Flush,
    JobMode::IgnoreDependencies,
    JobMode::IgnoreRequirements,
];
const STATES: [(State, ActiveState); 5] = [
    (State::Dead, ActiveState::Inactive),
    (State::Running, ActiveState::Active),
    (State::StopSigterm, ActiveState::Deactivating),
    (State::Start, ActiveState::Activating),
    (State::Reload, ActiveState::Reloading),
];
const INSTALLED: [Option<(JobType, bool)>; 4] =
    [None, Some((JobType::Start, false)), Some((JobType::Stop, false)), Some((JobType::Start, true))];

type Tie = (Node, Edge, Node);

fn ties() -> Vec<Tie> {
    let pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    pairs.iter().flat_map(|(from, to)| EDGES.map(|edge| (*from, edge, *to))).collect()
}

/// The code's view of the model's world.
fn example(world: &World, states: [State; 3]) -> Example {
    let mut example = Example::of(&NAMES);
    for (from, edge, to) in &world.ties {
        example = example.tie(NAMES[*from], *edge, NAMES[*to]);
    }
    for (node, name) in NAMES.into_iter().enumerate() {
        example = example.state(name, states[node]);
        let id = example.id(name);
        let unit = example.graph.unit_mut(id);
        if !world.is_found[node] {
            unit.load = LoadState::NotFound;
        }
        if world.can_reload[node] {
            unit.settings.service_mut().kind = Some(ServiceType::NotifyReload);
        }
        if let Some((kind, irreversible)) = world.installed[node] {
            example = example.job(name, kind);
            let job = example.jobs.of_unit(id).expect("just installed").id;
            example.jobs.get_mut(job).expect("just installed").irreversible = irreversible;
        }
    }
    example
}

/// What the code makes of it.
fn built(example: &Example, kind: JobType, mode: JobMode) -> Outcome {
    let node = |unit: &UnitId| NAMES.iter().position(|name| example.id(name) == *unit).expect("one of three");
    match build(&example.graph, &example.jobs, example.id(NAMES[0]), kind, mode) {
        Ok(built) => {
            let jobs: BTreeSet<_> = built.jobs.iter().map(|(unit, kind)| (node(unit), *kind)).collect();
            assert_eq!(jobs.len(), built.jobs.len(), "each unit has one job");
            Ok((jobs, built.cancel.iter().map(node).collect()))
        }
        Err(refusal) => Err(word(refusal.kind)),
    }
}

/// How many were compared, and the first few that differ.
#[derive(Default)]
struct Comparison {
    compared: usize,
    open: usize,
    differ: Vec<String>,
}

impl Comparison {
    /// Every job in every mode.
    fn compare(&mut self, world: &World, states: [State; 3]) {
        let example = example(world, states);
        for kind in KINDS {
            for mode in MODES {
                if mode == JobMode::Isolate && kind != JobType::Start {
                    continue;
                }
                let allowed = world.outcomes((0, kind), mode);
                let built = built(&example, kind, mode);
                self.compared += 1;
                self.open += usize::from(allowed.iter().any(|outcome| *outcome != allowed[0]));
                if !allowed.contains(&built) && self.differ.len() < 20 {
                    self.differ
                        .push(format!("{kind:?} {mode:?} {world:?}\n   allowed {allowed:?}\n   built   {built:?}"));
                }
            }
        }
    }

    fn judge(&self, least: usize) {
        assert!(self.differ.is_empty(), "of {}:\n{}", self.compared, self.differ.join("\n"));
        assert!(self.compared >= least, "only {} were compared", self.compared);
        assert!(self.open * 20 < self.compared, "{} of {} are left open", self.open, self.compared);
    }
}

fn world(ties: Vec<Tie>, states: [usize; 3]) -> (World, [State; 3]) {
    let world = World {
        ties,
        active: states.map(|state| STATES[state].1),
        can_reload: [true, true, false],
        is_found: [true; 3],
        installed: [None; 3],
    };
    (world, states.map(|state| STATES[state].0))
}

#[test]
fn one_dependency_in_every_state_beside_every_installed_job() {
    let mut comparison = Comparison::default();
    for tie in ties().into_iter().filter(|(from, _, to)| *from != 2 && *to != 2) {
        for number in 0..STATES.len() * STATES.len() {
            let (world, states) = world([tie].into(), [number % STATES.len(), number / STATES.len(), 0]);
            for a in INSTALLED {
                for b in INSTALLED {
                    comparison.compare(&World { installed: [a, b, None], ..world.clone() }, states);
                }
            }
        }
    }
    comparison.judge(200_000);
}

#[test]
fn two_dependencies_among_three_units_that_are_up_or_down() {
    let all = ties();
    let mut comparison = Comparison::default();
    for (at, first) in all.iter().enumerate() {
        for second in &all[at + 1..] {
            for number in 0..8 {
                let (world, states) = world([*first, *second].into(), [number % 2, number / 2 % 2, number / 4]);
                comparison.compare(&world, states);
            }
        }
    }
    comparison.judge(300_000);
}

#[test]
fn what_is_only_wanted_gives_way() {
    let all: Vec<Tie> = ties().into_iter().filter(|(from, _, to)| *from != 0 && *to != 0).collect();
    let mut comparison = Comparison::default();
    for (at, first) in all.iter().enumerate() {
        for second in &all[at..] {
            for number in 0..9 {
                let ties = [(0, Edge::Wants, 1), (0, Edge::Wants, 2), *first, *second];
                let (world, states) = world(ties.into(), [0, number % 3, number / 3]);
                comparison.compare(&world, states);
            }
        }
    }
    comparison.judge(50_000);
}

#[test]
fn two_dependencies_with_a_unit_that_is_not_found_or_has_a_job() {
    let all = ties();
    let mut comparison = Comparison::default();
    for (at, first) in all.iter().enumerate() {
        for second in &all[at + 1..] {
            let (world, states) = world([*first, *second].into(), [0, 0, 0]);
            comparison.compare(&World { is_found: [true, true, false], ..world.clone() }, states);
            comparison.compare(&World { installed: [None, INSTALLED[1], INSTALLED[2]], ..world.clone() }, states);
            comparison.compare(&World { installed: [None, INSTALLED[3], INSTALLED[1]], ..world }, states);
        }
    }
    comparison.judge(100_000);
}
