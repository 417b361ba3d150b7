//! Nobody notices that an arbiter was killed: what was promised to be up is up as soon as the next one has started, in
//! the same cgroup and as the same activation, and no process has ended or been moved by its coming. That limits stand,
//! and that nobody is signalled or moved later, is for the oracles that look at these things at any time.

use super::{Next, Oracle, Past, Verdict, View};
use crate::kernel::{Caller, CgroupId, Kernel, Pid};
use crate::reference::Wish;
use cgarbiter_core::Instant;
use cgarbiter_core::canonical::{self, Kind};
use cgarbiter_core::names::UnitType;
use cgarbiter_core::unit::invocation_hex;
use std::collections::BTreeMap;
use std::hash::Hasher;

const MARK: &[u8] = b"user.invocation_id";

#[derive(Clone, Default)]
pub(super) struct Survival {
    /// Who lived where when the arbiter was killed.
    places: BTreeMap<Pid, Option<CgroupId>>,
    /// Units that were promised to be up, with their cgroups and marks; until the next rest.
    units: BTreeMap<String, (CgroupId, Vec<u8>)>,
}

impl Oracle for Survival {
    fn name(&self) -> &'static str {
        "survival"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        if matches!(next, Next::Crash) {
            self.places = places(view).collect();
            self.units = units(view).collect();
        }
        Ok(())
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        self.units.retain(|name, _| is_promised(view, name));
        if !matches!(past, Past::Crash) {
            return Ok(());
        }
        let now: BTreeMap<_, _> = places(view).collect();
        for (pid, place) in std::mem::take(&mut self.places) {
            match now.get(&pid) {
                None => return Err(format!("process {pid} has ended because an arbiter came")),
                Some(other) if *other != place => return Err(format!("process {pid} is elsewhere since a crash")),
                Some(_) => {}
            }
        }
        self.units.iter().try_for_each(|(name, (_, mark))| is_known(view, name, mark))
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        for (name, (id, _)) in std::mem::take(&mut self.units) {
            let cgroup = view.reference.unit(&name).map(|promise| promise.cgroup.as_str()).unwrap_or_default();
            if view.world.backend().kernel().lookup(&Caller::INIT, cgroup.as_bytes()) != Ok(id) {
                return Err(format!("{name} has another cgroup since a crash"));
            }
        }
        Ok(())
    }

    fn hash_memory(&self, _: Instant, mut state: &mut dyn Hasher) {
        for (name, (id, mark)) in &self.units {
            state.write(name.as_bytes());
            canonical::write(Kind::Directory, id.ino(), &mut state);
            state.write(mark);
        }
    }

    fn size(&self) -> usize {
        self.places.len() + self.units.len()
    }
}

/// Everybody but the arbiter itself.
fn places<'a>(view: &'a View<'_>) -> impl Iterator<Item = (Pid, Option<CgroupId>)> + 'a {
    let backend = view.world.backend();
    let kernel: &Kernel = backend.kernel();
    let others = kernel.pids().filter(|pid| *pid != backend.arbiter() && view.is_alive(*pid));
    others.map(|pid| (pid, kernel.cgroup_of(pid)))
}

fn is_promised(view: &View<'_>, name: &str) -> bool {
    view.reference.unit(name).is_some_and(|promise| promise.wish == Wish::Up { kept: true })
}

/// Units that are to be up. One that could not be marked is not to be told from a stranger's directory.
fn units<'a>(view: &'a View<'_>) -> impl Iterator<Item = (String, (CgroupId, Vec<u8>))> + 'a {
    let kernel = view.world.backend().kernel();
    let up = view.reference.units().filter(|(name, _)| is_promised(view, name));
    up.filter_map(|(name, promise)| {
        let id = kernel.lookup(&Caller::INIT, promise.cgroup.as_bytes()).ok()?;
        let mark = kernel.get_xattr(&Caller::INIT, id, None, MARK).ok()?;
        Some((name.to_owned(), (id, mark.to_vec())))
    })
}

fn is_known(view: &View<'_>, name: &str, mark: &[u8]) -> Verdict {
    let graph = view.world.manager().graph();
    let Some(unit) = graph.find(name).map(|id| graph.unit(id)) else {
        return Err(format!("{name} was promised to be up, and is not known after a crash"));
    };
    if !unit.active().is_active_or_reloading() {
        return Err(format!("{name} was promised to be up, and is {} after a crash", unit.state.sub()));
    }
    let identity = unit.invocation_id.as_ref().map(invocation_hex).unwrap_or_default();
    if unit.unit_type() != UnitType::Slice && identity.as_bytes() != mark {
        return Err(format!("{name} has become another activation by a crash"));
    }
    Ok(())
}
