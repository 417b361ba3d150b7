//! The diff: what units want against what is realized, as the steps of one plan. A pure function over the units that
//! were invalidated.
//!
//! Order within a plan: records; signals; removals, deepest first; controllers switched off, from the leaves up; then
//! for each unit, from the root down: its directory, its limits, its controllers for those below, its watch, and only
//! then its processes. So no process runs in a cgroup whose limits are not yet written.

use crate::attribute::{Attribute, Inherited};
use crate::config::Config;
use crate::controllers::ControllerMask;
use crate::graph::Graph;
use crate::names::{CgroupPath, UnitType};
use crate::persist::{self, Saved};
use crate::plan::{Cause, OnError, Op, Step, WatchId};
use crate::propagation;
use crate::realized::Realized;
use crate::resources;
use crate::time::Now;
use crate::unit::{LoadState, Unit, UnitId, invocation_hex};
use crate::work::RecordWork;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// More values than most units have.
const ATTRIBUTES_USUAL: usize = 16;

/// Parts of a plan, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Record,
    Signal,
    Remove,
    Disable,
    Make,
}

/// Steps with the place they go to.
pub(crate) struct Builder<'a> {
    graph: &'a Graph,
    config: &'a Config,
    now: Now,
    next_watch: &'a mut u64,
    /// Phase, then depth (negative: deepest first), then the order of arrival.
    steps: Vec<(Phase, i32, usize, UnitId, Step)>,
    made: BTreeSet<UnitId>,
    enabled: BTreeSet<UnitId>,
    /// Slices that were to go, and are needed after all.
    needed: BTreeSet<UnitId>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(graph: &'a Graph, config: &'a Config, now: Now, next_watch: &'a mut u64) -> Self {
        let (made, enabled, needed) = Default::default();
        Self { graph, config, now, next_watch, steps: Vec::new(), made, enabled, needed }
    }

    /// Adds what one unit needs.
    pub(crate) fn add_unit(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        self.add_records(id, unit);
        if unit.name.is_root_slice() {
            self.add_signals(id, unit);
            self.disable(id, unit);
            self.enable_if_exists(id, unit);
        } else if unit.work.ending.is_some() || unit.work.prune {
            // Whoever is left behind shall not stand still for ever.
            if let Some(cgroup) = unit.realized.path.clone().filter(|_| unit.realized.exists) {
                self.freeze(Phase::Signal, id, unit, &cgroup);
            }
            self.remove(id, unit);
        } else if unit.work.starting || spawns(unit) || is_shown(unit) {
            self.add_signals(id, unit);
            self.disable(id, unit);
            self.make_chain(id);
        } else if unit.realized.idle {
            self.add_signals(id, unit);
        } else {
            // Inactive, its processes left behind (KillMode=none): the cgroup stays as it is until they have gone.
            self.add_signals(id, unit);
            self.disable(id, unit);
            self.enable_if_exists(id, unit);
            if let Some(cgroup) = unit.realized.path.clone().filter(|_| unit.realized.exists) {
                self.watch(id, unit, &cgroup, depth_of(&cgroup));
            }
        }
    }

    /// The steps in their final order, with the unit that each serves.
    pub(crate) fn finish(mut self) -> Vec<(UnitId, Step)> {
        if !self.needed.is_empty() {
            self.steps.retain(|(phase, _, _, id, _)| *phase != Phase::Remove || !self.needed.contains(id));
        }
        self.steps.sort_by_key(|(phase, depth, seq, ..)| (*phase, *depth, *seq));
        self.steps.into_iter().map(|(.., id, step)| (id, step)).collect()
    }

    fn push(&mut self, phase: Phase, depth: i32, id: UnitId, cause: Cause, on_error: OnError, op: Op) {
        let step = Step { unit: self.graph.unit(id).name.clone(), cause, on_error, op };
        self.steps.push((phase, depth, self.steps.len(), id, step));
    }

    fn add_records(&mut self, id: UnitId, unit: &Unit) {
        self.add_record(id, unit);
        let Some(intents) = &unit.work.intents else { return };
        for op in &intents.files {
            // What is left behind hinders nobody, and what is taken back is nobody's to be refused any more.
            let may_stay = matches!(op, Op::RemoveRuntime { .. }) || !unit.work.has_undo();
            let on_error = if may_stay { OnError::Report } else { OnError::Stop };
            self.push(Phase::Record, 0, id, cause_of(unit), on_error, op.clone());
        }
    }

    /// The record goes before what it tells of. A start without one is none, nor are settings that somebody has asked
    /// for; everything else goes on.
    fn add_record(&mut self, id: UnitId, unit: &Unit) {
        let Some(file) = unit.fragment.clone().filter(|_| unit.work.record == RecordWork::Planned) else { return };
        let section = persist::section(&Saved::of(unit, &self.config.boot_id, self.now));
        let settings = unit.work.intents.as_ref().and_then(|intents| intents.record.as_deref());
        let on_error = if unit.work.starting || settings.is_some() { OnError::Stop } else { OnError::Report };
        let op = match settings {
            // Its first: none of ours is known to be there.
            Some(settings) => {
                let content = persist::write(settings, &section);
                Op::WriteFile { file, content, spares_others: true }
            }
            None => Op::RenewRecord { file, section },
        };
        self.push(Phase::Record, 0, id, cause_of(unit), on_error, op);
    }

    fn add_signals(&mut self, id: UnitId, unit: &Unit) {
        self.watch_process(id, unit);
        for signal in unit.work.intents.iter().flat_map(|intents| &intents.signals) {
            let cause = if signal.by_client.is_some() { Cause::Kill } else { Cause::Stop };
            let op = match (signal.only, self.graph.cgroup_path(id)) {
                (Some(pid), _) => Op::SignalOne { pid, signals: signal.signals },
                (None, Some(cgroup)) if unit.realized.exists => {
                    Op::SignalAll { cgroup, signals: signal.signals, spare: signal.spare.clone() }
                }
                _ => continue,
            };
            self.push(Phase::Signal, 0, id, cause, OnError::Report, op);
        }
    }

    fn remove(&mut self, id: UnitId, unit: &Unit) {
        let is_there = |member: UnitId| self.graph.unit(member).realized.is_used();
        let has_members = self.graph.members(id).any(is_there);
        let Some(cgroup) = unit.realized.path.clone().filter(|_| unit.realized.exists && !has_members) else { return };
        let depth = -depth_of(&cgroup);
        // Nobody has been in an idle one: what was counted before still counts.
        if unit.realized.is_used() && (unit.unit_type() != UnitType::Slice || has_accounting(unit)) {
            self.push(
                Phase::Remove,
                depth,
                id,
                Cause::Stop,
                OnError::Report,
                Op::ReadCounters { cgroup: cgroup.clone() },
            );
        }
        let rmdir = Op::Rmdir { cgroup, watch: unit.realized.watch };
        self.push(Phase::Remove, depth, id, Cause::Stop, OnError::Report, rmdir);
    }

    fn disable(&mut self, id: UnitId, unit: &Unit) {
        if !unit.realized.exists {
            return;
        }
        let unwanted = unit.realized.enabled
            - propagation::enable_mask(self.graph, self.config, id)
            - unit.realized.foreign_enabled;
        if unwanted.is_empty() {
            return;
        }
        let Some(cgroup) = self.graph.cgroup_path(id) else { return };
        let depth = -depth_of(&cgroup);
        let op = Op::SubtreeControl { cgroup, enable: ControllerMask::empty(), disable: unwanted };
        self.push(Phase::Disable, depth, id, Cause::Member, OnError::Report, op);
    }

    /// Makes the unit's directory and those of the slices above that are not there yet.
    fn make_chain(&mut self, id: UnitId) {
        let work = &self.graph.unit(id).work;
        let is_news = work.starting || work.planned.configure;
        let mut chain: Vec<UnitId> = self.graph.ancestors(id).collect();
        chain.reverse();
        for slice in chain {
            let unit = self.graph.unit(slice);
            if unit.work.ending.is_some() || unit.work.prune {
                self.needed.insert(slice);
            }
            if !unit.realized.exists || unit.realized.is_unseen() {
                self.make(slice);
            } else {
                if unit.realized.idle && is_news {
                    self.disable(slice, unit);
                }
                self.enable(slice, unit);
            }
        }
        self.make(id);
    }

    fn make(&mut self, id: UnitId) {
        if !self.made.insert(id) {
            return;
        }
        let unit = self.graph.unit(id);
        let Some(cgroup) = self.graph.cgroup_path(id) else { return };
        let depth = depth_of(&cgroup);
        let cause = cause_of(unit);
        if !unit.realized.exists {
            if unit.work.replace {
                let rmdir = Op::Rmdir { cgroup: cgroup.clone(), watch: None };
                self.push(Phase::Make, depth, id, cause, OnError::Stop, rmdir);
            }
            self.push(Phase::Make, depth, id, cause, OnError::Stop, Op::Mkdir { cgroup: cgroup.clone() });
            self.mark_slice(id, unit, &cgroup, depth);
        } else if unit.work.starting {
            // It may have been made for its settings before, and is another activation's now in any case.
            self.mark_slice(id, unit, &cgroup, depth);
        }
        if unit.realized.is_unseen() {
            self.push(Phase::Make, depth, id, cause, OnError::Stop, Op::Observe { cgroup: cgroup.clone() });
        }
        self.write_attributes(id, unit, &cgroup, depth);
        self.enable(id, unit);
        self.watch(id, unit, &cgroup, depth);
        self.add_intents(id, unit, &cgroup, depth);
    }

    /// Slices bear the mark of what is ours from the beginning, because most have no record. Other units get it with
    /// what else is told about them, before their processes.
    fn mark_slice(&mut self, id: UnitId, unit: &Unit, cgroup: &CgroupPath, depth: i32) {
        let is_up = unit.work.starting || !unit.active().is_inactive_or_failed();
        if unit.unit_type() == UnitType::Slice && is_up {
            let value = Some(invocation_hex(&unit.invocation_id.unwrap_or_default()));
            let mark = Op::Xattr { cgroup: cgroup.clone(), name: "user.invocation_id", value };
            self.push(Phase::Make, depth, id, cause_of(unit), OnError::Report, mark);
        }
    }

    fn write_attributes(&mut self, id: UnitId, unit: &Unit, cgroup: &CgroupPath, depth: i32) {
        // What its limits were to be is not known when its record or its file is unfit: those that are in force stay.
        if unit.load != LoadState::Loaded {
            return;
        }
        let (graph, config, cause) = (self.graph, self.config, cause_of(unit));
        visit_wanted(graph, config, id, &mut |attribute| {
            let matters = unit.work.starting && !attribute.optional;
            let on_error = if matters { OnError::Stop } else { OnError::Report };
            if needs_write(graph, unit, &attribute) {
                self.push(Phase::Make, depth, id, cause, on_error, attribute.into_op(cgroup.clone()));
            }
        });
    }

    fn enable(&mut self, id: UnitId, unit: &Unit) {
        let missing = propagation::enable_mask(self.graph, self.config, id) - unit.realized.enabled;
        if missing.is_empty() || !self.enabled.insert(id) {
            return;
        }
        let Some(cgroup) = self.graph.cgroup_path(id) else { return };
        let depth = depth_of(&cgroup);
        let op = Op::SubtreeControl { cgroup, enable: missing, disable: ControllerMask::empty() };
        self.push(Phase::Make, depth, id, Cause::Member, OnError::Report, op);
    }

    fn enable_if_exists(&mut self, id: UnitId, unit: &Unit) {
        if unit.realized.exists {
            self.enable(id, unit);
        }
    }

    fn watch(&mut self, id: UnitId, unit: &Unit, cgroup: &CgroupPath, depth: i32) {
        if unit.realized.watch.is_some() {
            return;
        }
        let freezing = unit.work.intents.as_ref().is_some_and(|intents| intents.freeze.is_some());
        let is_idle = unit.realized.idle || unit.work.planned.configure && !unit.work.starting;
        if !freezing && (is_idle || unit.unit_type() == UnitType::Slice) {
            return;
        }
        *self.next_watch += 1;
        let memory = unit.unit_type() != UnitType::Slice
            && propagation::target_mask(self.graph, self.config, id).contains(ControllerMask::MEMORY);
        let op = Op::Watch { cgroup: cgroup.clone(), watch: WatchId(*self.next_watch), memory };
        // Without one a start is not watched over, and nobody would tell that a freeze has come about; otherwise the
        // next plan tries again.
        let on_error = if unit.work.starting || freezing { OnError::Stop } else { OnError::Report };
        self.push(Phase::Make, depth, id, cause_of(unit), on_error, op);
    }

    /// A main process that an arbiter before us has spawned has to be held before it can be signalled.
    fn watch_process(&mut self, id: UnitId, unit: &Unit) {
        let (Some(service), Some(cgroup)) = (&unit.service, self.graph.cgroup_path(id)) else { return };
        let main = service.main_pid.filter(|_| !service.is_watched);
        for pid in main.into_iter().chain(service.control_pid.filter(|_| !service.control_is_watched)) {
            let op = Op::WatchProcess { cgroup: cgroup.clone(), pid };
            self.push(Phase::Signal, 0, id, Cause::Recover, OnError::Report, op);
        }
    }

    fn freeze(&mut self, phase: Phase, id: UnitId, unit: &Unit, cgroup: &CgroupPath) {
        let Some(frozen) = unit.work.intents.as_ref().and_then(|intents| intents.freeze) else { return };
        let value = if frozen { "1" } else { "0" };
        let op = Op::Write { cgroup: cgroup.clone(), file: "cgroup.freeze", value: value.into() };
        self.push(phase, depth_of(cgroup), id, Cause::Freeze, OnError::Report, op);
    }

    fn add_intents(&mut self, id: UnitId, unit: &Unit, cgroup: &CgroupPath, depth: i32) {
        let Some(intents) = &unit.work.intents else { return };
        let cause = cause_of(unit);
        for op in &intents.prepare {
            let on_error = if matches!(op, Op::Xattr { .. }) { OnError::Report } else { OnError::Stop };
            self.push(Phase::Make, depth, id, cause, on_error, op.clone());
        }
        self.freeze(Phase::Make, id, unit, cgroup);
        // Settings may make the directory of one whose start still waits for others: its processes wait, too.
        for pin in intents.attach.iter().filter(|_| unit.work.starting) {
            let op = Op::Attach { cgroup: cgroup.clone(), pin: *pin };
            self.push(Phase::Make, depth, id, cause, OnError::Stop, op);
        }
        if let Some(command) = &intents.spawn {
            let op = Op::Spawn { cgroup: cgroup.clone(), command: command.clone() };
            self.push(Phase::Make, depth, id, cause, OnError::Stop, op);
        }
    }
}

/// The values that should stand in the unit's files.
pub(crate) fn wanted_attributes(graph: &Graph, config: &Config, id: UnitId) -> Vec<Attribute> {
    let mut wanted = Vec::with_capacity(ATTRIBUTES_USUAL);
    visit_wanted(graph, config, id, &mut |attribute| wanted.push(attribute));
    wanted
}

/// The same one by one, in the order in which they are written.
fn visit_wanted(graph: &Graph, config: &Config, id: UnitId, visit: &mut dyn FnMut(Attribute)) {
    let unit = graph.unit(id);
    let mask = propagation::target_mask(graph, config, id) | kept_mask(graph, unit);
    let inherited = inherited(graph, id);
    resources::attributes(&unit.settings.resources, &inherited, mask, config, visit);
}

/// The controllers that nobody below the slice above needs any more, and that stay there because somebody else has
/// switched them on: what we wrote to their files is still in force.
fn kept_mask(graph: &Graph, unit: &Unit) -> ControllerMask {
    let Some(slice) = unit.slice.map(|slice| &graph.unit(slice).realized) else { return ControllerMask::empty() };
    let stays = slice.enabled & slice.foreign_enabled;
    let written = unit.realized.written.iter().filter_map(|written| written.controller);
    let kept = written.filter(|controller| stays.contains(controller.mask()));
    kept.fold(ControllerMask::empty(), |mask, controller| mask | controller.mask())
}

/// What the slices above hand down: the nearest that sets `DefaultMemoryMin` or `DefaultMemoryLow`.
fn inherited(graph: &Graph, id: UnitId) -> Inherited {
    let mut inherited = Inherited::default();
    for slice in graph.ancestors(id) {
        let resources = &graph.unit(slice).settings.resources;
        if resources.default_memory_min_set && inherited.memory_min.is_none() {
            inherited.memory_min = Some(resources.default_memory_min);
        }
        if resources.default_memory_low_set && inherited.memory_low.is_none() {
            inherited.memory_low = Some(resources.default_memory_low);
        }
    }
    inherited
}

fn needs_write(graph: &Graph, unit: &Unit, attribute: &Attribute) -> bool {
    match written_value(graph, unit, attribute.file, &attribute.device) {
        Some(value) => *value != *attribute.value,
        None if attribute.is_default => {
            unit.realized.stale && !unit.realized.spares_defaults && !is_delegatees(unit, attribute)
        }
        None => true,
    }
}

/// Whoever was handed the directory may write its files, as container runtimes do; what nobody has ever asked us to set
/// is theirs. What was set has a drop-in, even if it was set to the default.
fn is_delegatees(unit: &Unit, attribute: &Attribute) -> bool {
    let property = resources::property_prefix(attribute.file);
    let sets = |path: &str| {
        path.rsplit('/').next().and_then(|n| n.strip_prefix("50-")).is_some_and(|n| n.starts_with(property))
    };
    unit.settings.resources.delegate && !unit.drop_ins.iter().any(|path| sets(path))
}

/// What we last wrote to a file, if the kernel still holds it.
fn written_value<'a>(graph: &Graph, unit: &'a Unit, file: &str, device: &str) -> Option<&'a str> {
    let written = unit.realized.written.iter().find(|w| w.file == file && *w.device == *device)?;
    let epoch = match (written.controller, unit.slice) {
        (Some(controller), Some(slice)) => graph.unit(slice).realized.epochs[controller.index()],
        _ => written.epoch,
    };
    (epoch == written.epoch).then_some(&*written.value)
}

/// A shape for [`Realized`] of the managed root, which is always there.
pub(crate) fn realized_root(config: &Config) -> Realized {
    Realized {
        path: Some(CgroupPath::root()),
        exists: true,
        enabled: config.root_enabled,
        foreign_enabled: config.root_enabled,
        ..Realized::default()
    }
}

fn cause_of(unit: &Unit) -> Cause {
    if unit.work.starting || unit.job.is_some() && unit.active().is_inactive_or_failed() {
        Cause::Start
    } else if unit.work.ending.is_some() || unit.work.prune {
        Cause::Stop
    } else if unit.work.intents.is_some() {
        Cause::SetProperties
    } else {
        Cause::Member
    }
}

/// Its directory is to look like its settings: it is up, or they have just been changed.
fn is_shown(unit: &Unit) -> bool {
    unit.work.planned.configure || unit.realized.exists && !unit.active().is_inactive_or_failed()
}

/// A process is to be started, which needs a cgroup.
fn spawns(unit: &Unit) -> bool {
    unit.work.intents.as_ref().is_some_and(|intents| intents.spawn.is_some())
}

fn has_accounting(unit: &Unit) -> bool {
    let resources = &unit.settings.resources;
    resources.memory_accounting || resources.cpu_accounting || resources.io_accounting || resources.tasks_accounting
}

fn depth_of(cgroup: &CgroupPath) -> i32 {
    i32::try_from(cgroup.depth()).unwrap_or(i32::MAX)
}
