//! Everything about a world that outlives an arbiter, or is known again by the next: units, cgroups, processes, files.

use crate::kernel::{Caller, CgroupId, File, Kernel, Pid};
use crate::store::{Entry, is_aside};
use crate::world::World;
use cgarbiter_core::settings::Settings;
use cgarbiter_core::unit::Unit;
use cgarbiter_core::{Config, persist, properties};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

/// What is so.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    units: BTreeMap<String, UnitFacts>,
    cgroups: BTreeMap<String, CgroupFacts>,
    places: BTreeMap<Pid, String>,
    files: BTreeMap<Arc<str>, String>,
}

#[derive(Clone, Debug)]
struct UnitFacts {
    /// Words that clients see: state, result, freezer, load.
    words: [&'static str; 4],
    identity: Option<[u8; 16]>,
    main: Option<u32>,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct CgroupFacts {
    id: CgroupId,
    /// Some unit has it, or somebody is in it: otherwise what stands in it matters to nobody.
    matters: bool,
    /// What stands in [`FILES`].
    values: [Option<String>; FILES.len()],
    delegated: bool,
}

/// The place of the load state among the words.
const LOAD: usize = 3;

const FILES: [File; 9] = [
    File::MemoryMax,
    File::MemoryHigh,
    File::MemoryLow,
    File::PidsMax,
    File::CpuWeight,
    File::CpuMax,
    File::CgroupFreeze,
    File::CgroupMaxDescendants,
    File::CgroupSubtreeControl,
];

impl Facts {
    pub(super) fn of(world: &World) -> Self {
        let graph = world.manager().graph();
        let up = graph.iter().map(|(_, unit)| unit).filter(|unit| is_to_be_known(unit));
        let kernel = world.backend().kernel();
        let below = kernel.below(CgroupId::ROOT).into_iter().filter(|id| *id != CgroupId::ROOT);
        let others = |pid: &Pid| ![Kernel::INIT, Kernel::KTHREADD, world.backend().arbiter()].contains(pid);
        let alive = |pid: &Pid| kernel.state(*pid) == Some(crate::kernel::State::Alive);
        let path = |id| String::from_utf8_lossy(&kernel.path(id)).into_owned();
        let place = |pid| (pid, kernel.cgroup_of(pid).map(path).unwrap_or_default());
        let files = world.backend().store().below("/").filter(|(file, _)| !is_aside(file));
        Self {
            units: up.map(|unit| (unit.name.to_string(), UnitFacts::of(unit))).collect(),
            cgroups: below.map(|id| (path(id), CgroupFacts::of(world, id))).collect(),
            places: kernel.pids().filter(others).filter(alive).map(place).collect(),
            // What programs write into files is a matter of their own.
            files: files
                .filter(|(file, _)| !file.ends_with(".pid"))
                .map(|(file, entry)| (file.into(), text(entry)))
                .collect(),
        }
    }

    /// What is so here, and in none of the others.
    pub(super) fn unlike(&self, others: &[&Self], config: &Config) -> Vec<String> {
        let mut wrong = Vec::new();
        for name in keys(self, others, |facts| &facts.units) {
            let all: Vec<_> = others.iter().map(|other| other.units.get(name)).collect();
            unlike_unit(name, self.units.get(name), &all, config, &mut wrong);
        }
        for path in keys(self, others, |facts| &facts.cgroups) {
            let all: Vec<_> = others.iter().map(|other| other.cgroups.get(path)).collect();
            unlike_cgroup(path, self.cgroups.get(path), &all, &mut wrong);
        }
        for pid in keys(self, others, |facts| &facts.places) {
            let all = others.iter().map(|other| other.places.get(pid));
            expect(&format_args!("the place of process {pid}"), &self.places.get(pid), all, &mut wrong);
        }
        for file in keys(self, others, |facts| &facts.files) {
            let all = others.iter().map(|other| other.files.get(file));
            expect(&format_args!("the file {file}"), &self.files.get(file), all, &mut wrong);
        }
        if let [before, after] = others {
            self.lost_on_the_way(before, after, &mut wrong);
        }
        wrong
    }

    /// What is to be at another place than before is at one of the two, and not at both.
    fn lost_on_the_way(&self, before: &Self, after: &Self, wrong: &mut Vec<String>) {
        let gone = |file: &&Arc<str>| !after.files.contains_key(*file);
        let come: Vec<_> = after.files.iter().filter(|(file, _)| !before.files.contains_key(*file)).collect();
        for from in before.files.keys().filter(gone) {
            let name = from.rsplit('/').next();
            let is_it = |(to, text): &&(&Arc<str>, &String)| {
                to.rsplit('/').next() == name && Some(*text) == before.files.get(from)
            };
            let Some((to, _)) = come.iter().find(is_it) else { continue };
            let places = [from, *to].into_iter().filter(|file| self.files.contains_key(*file)).count();
            if places != 1 {
                wrong.push(format!("what moves from {from} to {to} is at {places} places"));
            }
        }
    }
}

/// Units that are down are forgotten by whoever starts anew.
fn is_to_be_known(unit: &Unit) -> bool {
    !unit.perpetual && unit.active() != cgarbiter_core::unit::ActiveState::Inactive
}

fn text(entry: &Entry) -> String {
    match entry {
        // What stands in the state section shows in the unit; the times in it need not be the same.
        Entry::Text(text) => persist::read(text).map_or(text.as_str(), |(settings, _)| settings).to_owned(),
        Entry::Link(target) => format!("-> {target}"),
    }
}

fn keys<'a, K: Ord, V: 'a>(
    one: &'a Facts,
    others: &[&'a Facts],
    field: impl Fn(&'a Facts) -> &'a BTreeMap<K, V>,
) -> BTreeSet<&'a K> {
    others.iter().copied().chain([one]).flat_map(|facts| field(facts).keys()).collect()
}

fn expect<T: Debug + PartialEq>(
    what: &dyn std::fmt::Display,
    now: &T,
    others: impl IntoIterator<Item = T>,
    wrong: &mut Vec<String>,
) {
    let mut others: Vec<T> = others.into_iter().collect();
    if !others.contains(now) {
        others.dedup();
        wrong.push(format!("{what} is {now:?}, and was to be one of {others:?}"));
    }
}

fn unlike_unit(
    name: &str,
    now: Option<&UnitFacts>,
    others: &[Option<&UnitFacts>],
    config: &Config,
    wrong: &mut Vec<String>,
) {
    let known = |unit: Option<&UnitFacts>| unit.is_some();
    // Of a unit whose record was put aside, nothing is on record.
    if now.is_none() && others.iter().flatten().any(|other| other.words[LOAD] == "error") {
        return;
    }
    let Some(now) = now.filter(|_| others.contains_known()) else {
        return expect(&format_args!("{name} being known"), &known(now), others.iter().map(|o| known(*o)), wrong);
    };
    let others: Vec<&UnitFacts> = others.iter().copied().flatten().collect();
    for (at, what) in ["state", "result", "freezer", "load state"].iter().enumerate() {
        expect(&format_args!("the {what} of {name}"), &now.words[at], others.iter().map(|o| o.words[at]), wrong);
    }
    expect(&format_args!("the main process of {name}"), &now.main, others.iter().map(|o| o.main), wrong);
    // A slice may have been made once more.
    if !name.ends_with(".slice") {
        expect(&format_args!("the identity of {name}"), &now.identity, others.iter().map(|o| o.identity), wrong);
    }
    if others.iter().any(|other| other.settings == now.settings) {
        return;
    }
    for row in properties::rows() {
        let kind = name.rsplit('.').next().and_then(cgarbiter_core::names::UnitType::from_suffix);
        let Some(kind) = kind else { continue };
        let value = |unit: &UnitFacts| properties::read(row.name, &unit.settings, config, kind);
        expect(&format_args!("{} of {name}", row.name), &value(now), others.iter().map(|o| value(o)), wrong);
    }
}

trait Known {
    fn contains_known(&self) -> bool;
}

impl<T> Known for [Option<T>] {
    fn contains_known(&self) -> bool {
        self.iter().any(Option::is_some)
    }
}

fn unlike_cgroup(path: &str, now: Option<&CgroupFacts>, others: &[Option<&CgroupFacts>], wrong: &mut Vec<String>) {
    let Some(now) = now.filter(|_| others.contains_known()) else {
        let there = others.iter().map(Option::is_some);
        return expect(&format_args!("{path} being there"), &now.is_some(), there, wrong);
    };
    if let [Some(before), Some(after)] = others
        && before.id == after.id
    {
        expect(&format_args!("the directory {path}"), &now.id, [before.id], wrong);
    }
    let others: Vec<&CgroupFacts> = others.iter().copied().flatten().collect();
    expect(&format_args!("{path} being handed over"), &now.delegated, others.iter().map(|o| o.delegated), wrong);
    let is_slice = path.ends_with(".slice");
    for (at, file) in FILES.iter().enumerate() {
        // Which files a slice has depends on who lies in it and beside it; what it hands down is looked at by itself.
        let depends = is_slice && (now.values[at].is_none() || *file == File::CgroupSubtreeControl);
        let may_be_new = !now.matters || is_slice && others.iter().all(|other| other.values[at].is_none());
        if !depends && !may_be_new {
            let values = others.iter().map(|other| &other.values[at]);
            expect(&format_args!("{path}/{}", file.name()), &&now.values[at], values, wrong);
        }
    }
}

impl UnitFacts {
    fn of(unit: &Unit) -> Self {
        Self {
            words: [unit.state.sub(), unit.result.as_str(), unit.freezer.as_str(), unit.load.as_str()],
            identity: unit.invocation_id,
            main: unit.service.as_ref().and_then(|service| service.main_pid),
            settings: unit.settings.clone(),
        }
    }
}

impl CgroupFacts {
    fn of(world: &World, id: CgroupId) -> Self {
        let (kernel, graph) = (world.backend().kernel(), world.manager().graph());
        let path = String::from_utf8_lossy(&kernel.path(id)).into_owned();
        let unit = path.rsplit('/').next().and_then(|name| graph.find(name));
        let is_had = unit.is_some_and(|unit| graph.unit(unit).realized.exists);
        let value = |file| {
            let text = kernel.read(&Caller::INIT, id, file).ok()?;
            Some(text.trim_end().to_owned())
        };
        let mark = |name: &[u8]| kernel.get_xattr(&Caller::INIT, id, None, name) == Ok(b"1");
        Self {
            id,
            matters: is_had || kernel.is_populated(id),
            values: FILES.map(value),
            delegated: mark(b"user.delegate") || mark(b"trusted.delegate"),
        }
    }
}
