//! What must hold after a crash.

use super::Scenario;
use super::facts::Facts;
use crate::check::{View, at_rest as is_realized};
use crate::kernel::{Caller, CgroupId};
use crate::reference::Reference;
use crate::workload::Workload;
use crate::world::World;
use cgarbiter_core::event::{Answer, CgroupEvents, Question};
use cgarbiter_core::names::{CgroupPath, UnitType};
use cgarbiter_core::propagation;
use cgarbiter_core::unit::State;

/// As soon as the next arbiter has started: whoever asks first sees no scope that nobody is in.
pub(super) fn at_once(world: &mut World) -> Result<(), Vec<String>> {
    let graph = world.manager().graph();
    let up = graph.iter().filter(|(_, unit)| unit.unit_type() == UnitType::Scope && unit.state == State::Running);
    let places: Vec<CgroupPath> = up.filter_map(|(id, _)| graph.cgroup_path(id)).collect();
    let mut wrong = Vec::new();
    for cgroup in places {
        let events = world.backend_mut().answer(&Question::Events(cgroup.clone()));
        if !matches!(events, Answer::Events(Some(CgroupEvents { populated: true, .. }))) {
            wrong.push(format!("{} is said to be up at once, and nobody is in it", cgroup.as_str()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What was promised at the moment at which the arbiter was killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promised {
    /// The caller was told that all is done.
    pub(super) kept: bool,
    /// The end that nobody might have heard of was heard and is on record.
    pub(super) heard: bool,
}

/// When everything has come to rest: each fact is as it was or as it was to be, and what belongs together is there
/// together.
pub(super) fn at_rest(
    scenario: &Scenario,
    world: &World,
    outcomes: &[&Facts],
    promised: Promised,
) -> Result<(), Vec<String>> {
    let mut wrong = Facts::of(world).unlike(outcomes, world.manager().config());
    let is_excused = |name: &str, state: State| is_in_state(world, name, state);
    let unheard = (scenario.unheard, State::Failed, promised.heard);
    let between = (scenario.between, State::Dead, promised.kept);
    for (unit, state, is_over) in [unheard, between] {
        if let Some(unit) = unit.filter(|unit| !is_over && is_excused(unit, state)) {
            wrong.retain(|what| !what.contains(unit));
        }
    }
    if let Some(unit) = scenario.renewed {
        let is_about_it = |what: &str| {
            what.contains(unit) && ["the main process", "the identity", "the place"].iter().any(|w| what.starts_with(w))
        };
        wrong.retain(|what| !is_about_it(what));
    }
    let (reference, workload) = (Reference::default(), Workload::default());
    let view = View { world, reference: &reference, workload: &workload };
    wrong.extend(is_realized(&view).err());
    strangers(world, &mut wrong);
    orphans(world, &mut wrong);
    empty_ones(world, &mut wrong);
    controllers(world, &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Units that are not known are down.
fn is_in_state(world: &World, name: &str, state: State) -> bool {
    let graph = world.manager().graph();
    graph.find(name).map_or(State::Dead, |id| graph.unit(id).state) == state
}

/// A directory that a unit may have, and that bears our mark, is some unit's that has it.
fn strangers(world: &World, wrong: &mut Vec<String>) {
    let (kernel, graph) = (world.backend().kernel(), world.manager().graph());
    for id in kernel.below(CgroupId::ROOT) {
        let marked = kernel.get_xattr(&Caller::INIT, id, None, b"user.invocation_id").is_ok();
        let path = String::from_utf8_lossy(&kernel.path(id)).into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        let has = graph.find(name).is_some_and(|unit| graph.unit(unit).realized.exists);
        if marked && !has && !kernel.is_populated(id) {
            wrong.push(format!("{path} is left, and no unit has it"));
        }
    }
}

/// A record is some unit's.
fn orphans(world: &World, wrong: &mut Vec<String>) {
    let directory = format!("{}/", world.manager().config().unit_paths.transient);
    for (file, _) in world.backend().store().below(&directory) {
        let name = file[directory.len()..].split(".d/").next().unwrap_or_default();
        let is_unit = cgarbiter_core::names::UnitName::parse(name).is_ok_and(|name| name.unit_type().is_managed());
        if is_unit && world.manager().graph().find(name).is_none() {
            wrong.push(format!("{file} is left, and there is no such unit"));
        }
    }
}

/// A scope that is up has processes.
fn empty_ones(world: &World, wrong: &mut Vec<String>) {
    let (kernel, graph) = (world.backend().kernel(), world.manager().graph());
    for (id, unit) in graph.iter().filter(|(_, unit)| unit.unit_type() == UnitType::Scope) {
        let cgroup = graph.cgroup_path(id).and_then(|path| kernel.lookup(&Caller::INIT, path.as_str().as_bytes()).ok());
        if unit.state == State::Running && !cgroup.is_some_and(|cgroup| kernel.is_populated(cgroup)) {
            wrong.push(format!("{} is up, and nobody is in it", unit.name));
        }
    }
}

/// Controllers are where they are needed: no slice hands down more or fewer than its members want.
fn controllers(world: &World, wrong: &mut Vec<String>) {
    let (graph, config) = (world.manager().graph(), world.manager().config());
    for (id, unit) in graph.iter().filter(|(_, unit)| unit.unit_type() == UnitType::Slice && unit.realized.exists) {
        let wanted = propagation::enable_mask(graph, config, id) | unit.realized.foreign_enabled;
        let enabled = unit.realized.enabled;
        let has_members = graph.members(id).any(|member| graph.unit(member).realized.exists);
        if if has_members { enabled != wanted } else { !wanted.contains(enabled) } {
            wrong.push(format!("{} hands down {enabled}, and is to hand down {wanted}", unit.name));
        }
    }
}
