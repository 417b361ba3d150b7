//! All that is always true between two events. Costs by the number of units: run it after every event in tests and in
//! the simulator, never in the daemon.
//!
//! Each table checks its own indexes, next to its code (`check_indexes`); what ties the tables together is here and in
//! `manager/invariants.rs`.

use crate::graph::Graph;
use crate::manager::Manager;
use crate::names::{UnitType, is_default_slice};
use crate::propagation;
use crate::unit::{ActiveState, LoadState, State, Unit, UnitId};

/// Checks everything that is always true.
///
/// # Panics
/// When something is not.
pub fn check(manager: &Manager) {
    manager.graph().check_indexes();
    manager.jobs().check_indexes(manager.graph());
    for (id, unit) in manager.graph().iter() {
        check_place(manager.graph(), id, unit);
        check_state(unit);
        check_realized(manager.graph(), unit);
        propagation::check_masks(manager.graph(), id);
    }
    manager.check_tables();
    manager.check_queues();
    manager.check_progress();
}

/// A unit lies where its name, or the `Slice` it was given, says.
fn check_place(graph: &Graph, id: UnitId, unit: &Unit) {
    let name = &unit.name;
    assert!(unit.load != LoadState::Stub, "{name} was named and never loaded");
    let given = unit.settings.slice.as_ref().filter(|_| unit.unit_type() != UnitType::Slice);
    match unit.slice.map(|slice| graph.unit(slice)) {
        Some(slice) => {
            let there = &slice.name;
            let fits = given.map_or_else(|| is_default_slice(there, name), |given| given == there);
            assert!(fits, "{name} is in {there}, not in {given:?} or where its name says");
            assert!(slice.load != LoadState::Stub, "{name} is in {there}, which is not loaded");
        }
        None => assert!(unit.load != LoadState::Loaded || name.is_root_slice(), "{name} is loaded, and in no slice"),
    }
    assert!(graph.ancestors(id).count() < graph.len(), "the slices above {name} go round in a circle");
}

/// A state is one of the unit's type, and goes with the rest.
fn check_state(unit: &Unit) {
    let name = &unit.name;
    let possible = match unit.unit_type() {
        UnitType::Slice => matches!(unit.state, State::Dead | State::Active),
        UnitType::Scope => matches!(
            unit.state,
            State::Dead
                | State::Failed
                | State::Running
                | State::StopSigterm
                | State::StopSigkill
                | State::StartChown
                | State::Abandoned
        ),
        UnitType::Service => !matches!(unit.state, State::Active | State::StartChown | State::Abandoned),
        _ => unit.state == State::Dead,
    };
    assert!(possible, "{name} is {}", unit.state.sub());
    // One whose record was damaged may have processes, and a slice whose file is unfit may have members.
    let is_slice = unit.unit_type() == UnitType::Slice;
    let may_be_up = is_slice || matches!(unit.load, LoadState::Loaded | LoadState::Error);
    assert!(may_be_up || unit.state == State::Dead, "{name} is up but not loaded");
    assert!(!unit.perpetual || unit.active() == ActiveState::Active, "{name} is perpetual and down");
    // Somebody else's may have been in the way; it was never up then.
    let may_lack_file = !unit.work.starting && !matches!(unit.active(), ActiveState::Active | ActiveState::Reloading);
    assert!(!unit.transient || unit.fragment.is_some() || may_lack_file, "{name} is transient and has no file");
    assert!(unit.owner == 0 || unit.transient, "{name} has an owner and is not transient");
    assert!(unit.references.iter().all(|(_, count)| *count > 0), "{name} is referenced no times by somebody");
}

/// What is believed of the cgroup fits the tree.
fn check_realized(graph: &Graph, unit: &Unit) {
    let (name, realized) = (&unit.name, &unit.realized);
    assert!(!realized.exists || realized.path.is_some(), "the cgroup of {name} is nowhere");
    assert!(realized.exists || realized.watch.is_none(), "{name} watches a cgroup that has gone");
    assert!(realized.exists || realized.written.is_empty(), "{name} has values written nowhere");
    assert!((realized.enabled | realized.foreign_enabled).is_empty() || realized.exists, "{name} enables nowhere");
    if let (Some(path), Some(slice)) = (&realized.path, unit.slice) {
        let above = graph.cgroup_path(slice);
        assert!(above.is_some_and(|above| path.is_child(&above, name.as_str())), "{name} has its cgroup at {path}");
    }
    for (at, one) in realized.written.iter().enumerate() {
        let twice = realized.written[..at].iter().any(|other| other.file == one.file && other.device == one.device);
        assert!(!twice, "{name}: two values of {} {}", one.file, one.device);
    }
}
