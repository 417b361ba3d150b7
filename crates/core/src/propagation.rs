//! Controller masks up the tree and down again (reference 04.2): what a unit needs itself (*own*), what its members
//! need (*members*), what its `cgroup.subtree_control` must hold (*enable*), what must be available in its directory
//! (*target*). Kept as counters for each slice, so that a change costs by the depth of the tree and not by the number
//! of members.

use crate::config::Config;
use crate::controllers::{Controller, ControllerMask};
use crate::graph::Graph;
use crate::resources;
use crate::unit::{LoadState, UnitId};
use alloc::vec::Vec;

/// The masks kept with each unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Masks {
    /// What the unit itself needs, be it disabled or not: what is disabled here may still be there, for the slice.
    pub own: ControllerMask,
    /// What its slice counts for it: own and members.
    counted: ControllerMask,
    /// For each controller, how many members need it (slices only).
    counts: [u32; 5],
}

impl Masks {
    /// What any member needs.
    #[must_use]
    pub fn members(&self) -> ControllerMask {
        let needed = Controller::ALL.into_iter().filter(|c| self.counts[c.index()] > 0);
        needed.fold(ControllerMask::empty(), |mask, controller| mask | controller.mask())
    }
}

/// What may not be used here, because this unit or a slice above disables it.
#[must_use]
pub fn disabled(graph: &Graph, unit: UnitId) -> ControllerMask {
    let own = graph.unit(unit).settings.resources.disable_controllers;
    graph.ancestors(unit).fold(own, |mask, slice| mask | graph.unit(slice).settings.resources.disable_controllers)
}

/// What the unit's `cgroup.subtree_control` must hold.
#[must_use]
pub fn enable_mask(graph: &Graph, config: &Config, unit: UnitId) -> ControllerMask {
    graph.unit(unit).masks.members() & config.supported & !disabled(graph, unit)
}

/// The controllers whose files the unit's directory has, and which are written.
#[must_use]
pub fn target_mask(graph: &Graph, config: &Config, unit: UnitId) -> ControllerMask {
    let masks = &graph.unit(unit).masks;
    let needed = match graph.unit(unit).slice {
        // What the unit itself needs is counted there, too.
        Some(slice) => graph.unit(slice).masks.members(),
        None => masks.own | masks.members(),
    };
    needed & config.supported & !disabled(graph, unit)
}

/// Recomputes what the unit needs and tells its slices; the slices whose members' needs changed, nearest first.
pub(crate) fn update(graph: &mut Graph, unit: UnitId) -> Vec<UnitId> {
    let loaded = graph.unit(unit).load == LoadState::Loaded;
    let own = match loaded {
        true => resources::own_mask(&graph.unit(unit).settings.resources),
        false => ControllerMask::empty(),
    };
    graph.unit_mut(unit).masks.own = own;
    recount(graph, unit)
}

/// Takes the unit out of its slice's counts, before it leaves the slice; the slices whose members' needs changed.
pub(crate) fn withdraw(graph: &mut Graph, unit: UnitId) -> Vec<UnitId> {
    set_counted(graph, unit, ControllerMask::empty())
}

/// After `DisableControllers` of a slice changed: what is below needs something else now. Costs by the size of the
/// subtree, which is what the setting is about.
pub(crate) fn update_subtree(graph: &mut Graph, slice: UnitId) -> Vec<UnitId> {
    let mut touched = Vec::new();
    let mut todo = Vec::from([slice]);
    while let Some(unit) = todo.pop() {
        touched.push(unit);
        todo.extend(graph.members(unit));
    }
    for unit in touched.iter().rev() {
        update(graph, *unit);
    }
    touched.extend(graph.ancestors(slice));
    touched
}

fn recount(graph: &mut Graph, unit: UnitId) -> Vec<UnitId> {
    let masks = &graph.unit(unit).masks;
    let needed = masks.own | masks.members();
    set_counted(graph, unit, needed)
}

fn set_counted(graph: &mut Graph, unit: UnitId, needed: ControllerMask) -> Vec<UnitId> {
    let mut changed = Vec::new();
    let (mut unit, mut needed) = (unit, needed);
    while let Some(slice) = graph.unit(unit).slice {
        let old = core::mem::replace(&mut graph.unit_mut(unit).masks.counted, needed);
        if old == needed {
            break;
        }
        let masks = &mut graph.unit_mut(slice).masks;
        let before = masks.members();
        (needed - old).controllers().for_each(|c| masks.counts[c.index()] += 1);
        for c in (old - needed).controllers() {
            let count = &mut masks.counts[c.index()];
            *count = count.checked_sub(1).expect("what is counted down was counted up");
        }
        if masks.members() == before {
            break;
        }
        changed.push(slice);
        (unit, needed) = (slice, graph.unit(slice).masks.own | graph.unit(slice).masks.members());
    }
    changed
}

/// The counters are what they would be if they were computed from scratch.
///
/// # Panics
/// When they are not.
pub(crate) fn check_masks(graph: &Graph, id: UnitId) {
    let unit = graph.unit(id);
    let (name, masks) = (&unit.name, &unit.masks);
    let own = match unit.load {
        LoadState::Loaded => resources::own_mask(&unit.settings.resources),
        _ => ControllerMask::empty(),
    };
    assert!(masks.own == own, "{name} is said to need [{}], and needs [{own}]", masks.own);
    let counted = if unit.slice.is_some() { masks.own | masks.members() } else { ControllerMask::empty() };
    assert!(masks.counted == counted, "{name} is counted for [{}], and needs [{counted}]", masks.counted);
    let (mut counts, mut members) = ([0; 5], ControllerMask::empty());
    for member in graph.members(id) {
        let theirs = &graph.unit(member).masks;
        theirs.counted.controllers().for_each(|controller| counts[controller.index()] += 1);
        members |= theirs.own | theirs.members();
    }
    for controller in Controller::ALL {
        let (kept, counted) = (masks.counts[controller.index()], counts[controller.index()]);
        assert!(kept == counted, "{name} counts {kept} members with {}, has {counted}", controller.name());
    }
    assert!(masks.members() == members, "members of {name}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::example::Example;
    use alloc::string::{String, ToString};

    const NAMES: [&str; 5] = ["-.slice", "a.slice", "a-b.slice", "x.scope", "y.scope"];

    /// Two scopes in a slice in a slice; the first has a weight, the second nothing but what all have.
    fn tree() -> Example {
        let mut example = Example::of(&NAMES)
            .inside("a.slice", "-.slice")
            .inside("a-b.slice", "a.slice")
            .inside("x.scope", "a-b.slice")
            .inside("y.scope", "a-b.slice");
        for name in NAMES {
            let id = example.id(name);
            let resources = &mut example.graph.unit_mut(id).settings.resources;
            (resources.memory_accounting, resources.tasks_accounting) = (false, false);
            resources.tasks_max = crate::settings::TasksMax::Infinity;
            update(&mut example.graph, id);
        }
        give_weight(&mut example, "x.scope", 50);
        example
    }

    fn give_weight(example: &mut Example, name: &str, weight: u64) -> String {
        let id = example.id(name);
        example.graph.unit_mut(id).settings.resources.cpu_weight = weight;
        let changed = update(&mut example.graph, id);
        example.names(&changed).join(" ")
    }

    fn disable(example: &mut Example, name: &str, mask: ControllerMask) {
        let id = example.id(name);
        example.graph.unit_mut(id).settings.resources.disable_controllers = mask;
    }

    fn masks(example: &Example, mask: fn(&Graph, &Config, UnitId) -> ControllerMask) -> Vec<String> {
        let all = NAMES.map(|name| mask(&example.graph, &Config::example(), example.id(name)).to_string());
        all.into()
    }

    #[test]
    fn what_a_member_needs_is_handed_down_by_every_slice_above_and_seen_by_its_siblings() {
        let mut example = tree();
        assert_eq!(masks(&example, enable_mask), ["cpu", "cpu", "cpu", "", ""]);
        assert_eq!(masks(&example, target_mask), ["cpu", "cpu", "cpu", "cpu", "cpu"]);
        give_weight(&mut example, "-.slice", 70);
        assert_eq!(masks(&example, target_mask)[0], "cpu", "the root and its members need it");
        give_weight(&mut example, "a-b.slice", 70);
        give_weight(&mut example, "y.scope", 70);
        assert_eq!(masks(&example, enable_mask), ["cpu", "cpu", "cpu", "", ""], "a slice and its members need it");
        for name in NAMES {
            check_masks(&example.graph, example.id(name));
        }
    }

    #[test]
    fn slices_hear_of_the_first_who_needs_something_and_of_the_last() {
        let mut example = tree();
        assert_eq!(give_weight(&mut example, "y.scope", 70), "", "the other needs it already");
        assert_eq!(give_weight(&mut example, "x.scope", u64::MAX), "", "the other still needs it");
        assert_eq!(give_weight(&mut example, "y.scope", u64::MAX), "a-b.slice a.slice -.slice");
        assert_eq!(masks(&example, enable_mask), ["", "", "", "", ""]);
        assert_eq!(give_weight(&mut example, "a-b.slice", 70), "a.slice -.slice");
        assert_eq!(masks(&example, enable_mask), ["cpu", "cpu", "", "", ""]);
    }

    #[test]
    fn who_leaves_is_counted_no_more() {
        let mut example = tree();
        let id = example.id("x.scope");
        let changed = withdraw(&mut example.graph, id);
        assert_eq!(example.names(&changed), ["a-b.slice", "a.slice", "-.slice"]);
        assert_eq!(withdraw(&mut example.graph, id), [], "once");
    }

    #[test]
    fn what_any_slice_above_or_the_unit_itself_disables_is_not_used() {
        let mut example = tree();
        disable(&mut example, "a.slice", ControllerMask::CPU | ControllerMask::MEMORY);
        disable(&mut example, "x.scope", ControllerMask::CPU | ControllerMask::IO);
        let of = |name| disabled(&example.graph, example.id(name)).to_string();
        assert_eq!(["-.slice", "a.slice", "a-b.slice"].map(of), ["", "cpu memory", "cpu memory"]);
        assert_eq!(of("x.scope"), "cpu io memory");
        assert_eq!(masks(&example, enable_mask), ["cpu", "", "", "", ""]);
        assert_eq!(masks(&example, target_mask), ["cpu", "", "", "", ""]);
    }

    #[test]
    fn what_the_tree_does_not_have_is_not_used() {
        let example = tree();
        let config = Config { supported: ControllerMask::MEMORY, ..Config::example() };
        let id = example.id("a.slice");
        assert_eq!(enable_mask(&example.graph, &config, id), ControllerMask::empty());
        assert_eq!(target_mask(&example.graph, &config, id), ControllerMask::empty());
    }

    #[test]
    fn the_subtree_of_a_slice_is_touched_with_all_that_is_above_it() {
        let mut example = tree();
        let id = example.id("a-b.slice");
        let touched = update_subtree(&mut example.graph, id);
        assert_eq!(example.names(&touched), ["a-b.slice", "y.scope", "x.scope", "a.slice", "-.slice"]);
    }

    #[test]
    #[should_panic(expected = "x.scope is said to need")]
    fn a_mask_that_is_not_so_is_noticed() {
        let mut example = tree();
        let id = example.id("x.scope");
        example.graph.unit_mut(id).masks.own = ControllerMask::empty();
        check_masks(&example.graph, id);
    }
}
