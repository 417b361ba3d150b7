//! Everything about a world that outlives an arbiter, as lines that can be compared.

use crate::story::{Story, file, place};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::propagation;
use cgarbiter_sim::kernel::File;
use cgarbiter_sim::world::World;
use std::collections::BTreeMap;

/// What is so: the subject and what about it, and its value.
#[derive(Debug, PartialEq)]
pub(crate) struct Facts(BTreeMap<(String, &'static str), String>);

const UNITS: [&str; 11] = [
    "a.scope",
    "b.scope",
    "c.scope",
    "d.scope",
    "s.service",
    "o.service",
    "app.slice",
    "app-deep.slice",
    "app-deep-er.slice",
    "system.slice",
    "-.slice",
];

const FILES: [(&str, File); 4] = [
    ("memory.max", File::MemoryMax),
    ("pids.max", File::PidsMax),
    ("cpu.weight", File::CpuWeight),
    ("cgroup.freeze", File::CgroupFreeze),
];

pub(crate) fn state(world: &World, unit: &str) -> Option<&'static str> {
    let graph = world.manager().graph();
    graph.find(unit).map(|id| graph.unit(id).state.sub())
}

/// Controllers are where they are needed: no slice hands down more or fewer than its members want.
pub(crate) fn check_controllers(world: &World) {
    let (graph, config) = (world.manager().graph(), world.manager().config());
    for (id, unit) in graph.iter().filter(|(_, unit)| unit.realized.exists && unit.name.as_str().ends_with(".slice")) {
        let path = graph.cgroup_path(id).expect("it exists");
        let enabled = file(world, path.as_str(), File::CgroupSubtreeControl).unwrap_or_default();
        let enabled = ControllerMask::parse(&enabled);
        assert_eq!(enabled, unit.realized.enabled, "{}", unit.name);
        let wanted = propagation::enable_mask(graph, config, id) | unit.realized.foreign_enabled;
        let has_members = graph.members(id).any(|member| graph.unit(member).realized.exists);
        let fits = if has_members { enabled == wanted } else { wanted.contains(enabled) };
        assert!(fits, "{} hands down {enabled}, and is to hand down {wanted}", unit.name);
    }
}

impl Facts {
    pub(crate) fn of(story: &Story) -> Self {
        let world = &story.world;
        let mut facts = BTreeMap::new();
        for unit in UNITS {
            let graph = world.manager().graph();
            let Some(id) = graph.find(unit) else { continue };
            let known = graph.unit(id);
            let mut note = |what, value: String| {
                facts.insert((unit.to_owned(), what), value);
            };
            note("state", known.state.sub().into());
            note("result", known.result.as_str().into());
            note("freezer", known.freezer.as_str().into());
            note("load", known.load.as_str().into());
            note("description", known.description().to_string());
            note("memory", format!("{:?}", known.settings.resources.memory_max));
            note("tasks", format!("{:?}", known.settings.resources.tasks_max));
            note("weight", format!("{:?}", known.settings.resources.cpu_weight));
            note("delegate", known.settings.resources.delegate.to_string());
            if unit != "-.slice" && unit != "system.slice" {
                note("identity", format!("{:?}", known.invocation_id));
            }
            let main = known.service.as_ref().and_then(|service| service.main_pid);
            note("main process", format!("{main:?}"));
            let path = graph.cgroup_path(id).map(|path| path.as_str().to_owned()).unwrap_or_default();
            for (name, which) in FILES {
                let value = file(world, &path, which);
                // Which files a slice has depends on who lies in it and beside it.
                if value.is_some() || !unit.ends_with(".slice") {
                    note(name, format!("{value:?}"));
                }
            }
        }
        for (at, pid) in story.pids.iter().enumerate() {
            let pid_of = |at| format!("process {at}");
            facts.insert((pid_of(at), "place"), place(world, *pid));
            facts.insert((pid_of(at), "lives"), story.lives(at).to_string());
        }
        let payload = |which| format!("{:?}", file(world, "/app.slice/c.scope/payload", which));
        facts.insert(("payload".into(), "limit"), payload(File::PidsMax));
        facts.insert(("payload".into(), "controllers"), payload(File::CgroupSubtreeControl));
        Self(facts)
    }

    /// What is neither as it was nor as it was to be. A unit is there as a whole or not at all.
    pub(crate) fn neither(&self, before: &Self, after: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        let all = self.0.keys().chain(before.0.keys()).chain(after.0.keys());
        for key in all.collect::<std::collections::BTreeSet<_>>() {
            let (now, was, will) = (self.0.get(key), before.0.get(key), after.0.get(key));
            let depends = now.is_none() && FILES.iter().any(|(file, _)| *file == key.1) && key.0.ends_with(".slice");
            if now != was && now != will && !depends {
                wrong.push(format!("{} {}: {now:?}, was {was:?}, was to be {will:?}", key.0, key.1));
            }
        }
        wrong
    }
}
