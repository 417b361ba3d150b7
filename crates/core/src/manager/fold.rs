//! What a plan did, folded into what we believe (reference: `plan.rs`). What it means that it ended early is in
//! `surprises.rs`.

use super::surprises::is_record;
use super::{InFlight, Manager};
use crate::controllers::Controller;
use crate::effect::Severity;
use crate::error::{Errno, OpError};
use crate::jobs::Rank;
use crate::plan::{Op, Outcome, Report, Step};
use crate::propagation;
use crate::realize::wanted_attributes;
use crate::realized::{Realized, UNKNOWN, Written};
use crate::timers::TimerReason;
use crate::unit::UnitId;
use crate::work::RecordWork;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::cmp::Reverse;

impl Manager {
    /// A plan has been run.
    pub(super) fn fold(&mut self, report: Report) {
        let InFlight { plan, units, installs } = self.in_flight.take().expect("a report answers a plan in flight");
        assert!(report.plan == plan.id, "reports come in the order of their plans");
        assert!(report.outcomes.len() <= plan.steps.len());
        assert!(report.failed.is_some() || report.outcomes.len() == plan.steps.len());
        let loose = plan.steps.len() - units.len();
        let last = last_steps(&units, loose);
        let done = report.outcomes.len();
        let is_answered = |index: usize| installs.iter().any(|install| install.steps.contains(&index));
        let answered: Vec<usize> = (0..loose).filter(|index| is_answered(*index)).collect();
        for install in installs {
            self.installed(install, &plan.steps, &report);
        }
        for (index, outcome) in report.outcomes.into_iter().enumerate() {
            match (index.checked_sub(loose), outcome) {
                (Some(index_of_unit), outcome) => self.fold_step(units[index_of_unit], &plan.steps[index], outcome),
                (None, _) if answered.binary_search(&index).is_ok() => {}
                (None, Outcome::Refused(error)) => self.loose_refused(&plan.steps[index], &error),
                (None, _) => {}
            }
        }
        for (id, _) in &last {
            self.graph.unit_mut(*id).work.in_plan = false;
        }
        if let Some(error) = report.failed {
            match done.checked_sub(loose) {
                Some(index) => self.step_failed(units[index], &plan.steps[done], error, &units),
                None => self.loose_refused(&plan.steps[done], &error),
            }
        }
        // Like their jobs: those that need not wait for each other go by rank.
        let mut last = last;
        if last.len() > 1 {
            last.sort_by_cached_key(|(id, _)| Rank::of(self.graph.unit(*id)));
        }
        // What members need may have changed while the directory was being made.
        let made = plan.steps.iter().zip(0..done).skip(loose).filter(|(step, _)| matches!(step.op, Op::Mkdir { .. }));
        let made: Vec<UnitId> = made.map(|(_, index)| units[index - loose]).collect();
        self.realize_slices(&made);
        for (id, index) in last {
            if index < done {
                self.work_done(id);
            } else {
                self.queue_realize(id);
            }
            self.queue_collect(id);
            self.look_again(id);
        }
        for (pid, failure) in core::mem::take(&mut self.early_executions) {
            self.child_executed(pid, failure);
        }
        for (pid, status) in core::mem::take(&mut self.early_exits) {
            self.child_exited(pid, status);
        }
    }

    /// Nobody waits for a step that serves no unit: a record that could not be removed, or put aside.
    fn loose_refused(&mut self, step: &Step, error: &OpError) {
        self.tell(Severity::Warning, None, format!("{}: not done: {step}: {error}", step.unit));
    }

    /// A cgroup that went while the plan was in flight is looked at now.
    fn look_again(&mut self, id: UnitId) {
        let Some(unit) = self.graph.get(id).filter(|unit| unit.work.look_again) else { return };
        let watch = unit.realized.watch;
        self.graph.unit_mut(id).work.look_again = false;
        if let Some(watch) = watch {
            self.look_at(watch);
        }
    }

    fn fold_step(&mut self, id: UnitId, step: &Step, outcome: Outcome) {
        match (&step.op, outcome) {
            (Op::SignalAll { .. } | Op::SignalOne { .. }, outcome) => self.signalled(id, &outcome),
            (Op::Rmdir { .. }, Outcome::Refused(error)) => self.not_removed(id, &error),
            (op @ Op::Write { file: "cgroup.freeze", value, .. }, Outcome::Refused(error)) => {
                self.drop_intent(id, op);
                self.freeze_refused(id, value == "1", &error);
            }
            (Op::Write { file, .. }, Outcome::Refused(error)) if self.is_moot(id, file, &error) => {}
            (Op::WatchProcess { pid, .. }, Outcome::Gone) => self.process_lost(id, *pid),
            (Op::WatchProcess { .. }, Outcome::Refused(error)) => {
                // It may well live: nothing is known for want of descriptors or memory.
                self.tell(Severity::Warning, Some(id), format!("its process is not watched for now: {error}"));
                self.watch_later(id);
            }
            (op @ (Op::Write { .. } | Op::WriteDevice { .. }), Outcome::Refused(error)) => {
                self.drop_intent(id, op);
                self.note_refused(id, op);
                self.tell(Severity::Warning, Some(id), format!("not applied: {error}"));
            }
            (Op::Watch { .. }, Outcome::Refused(error)) => {
                self.drop_intent(id, &step.op);
                self.tell(Severity::Warning, Some(id), format!("not watched for now: {error}"));
                self.watch_later(id);
            }
            (Op::Xattr { .. }, Outcome::Refused(error)) => {
                self.drop_intent(id, &step.op);
                // Where nobody takes attributes, none is missed.
                if !matches!(error.errno, Errno::NotSup | Errno::Perm | Errno::Access) {
                    self.tell(Severity::Warning, Some(id), format!("not marked as ours: {error}"));
                }
            }
            (op, Outcome::Refused(error)) => {
                self.drop_intent(id, op);
                self.tell(Severity::Warning, Some(id), format!("{error}"));
            }
            (op, outcome) => self.fold_done(id, op, outcome),
        }
    }

    /// Nothing is asked for that a kernel without the file does not do by itself.
    fn is_moot(&self, id: UnitId, file: &str, error: &OpError) -> bool {
        let is_set =
            || wanted_attributes(&self.graph, &self.config, id).iter().any(|a| a.file == file && !a.is_default);
        error.errno == Errno::NoEnt && self.graph.unit(id).realized.stale && !is_set()
    }

    fn fold_done(&mut self, id: UnitId, op: &Op, outcome: Outcome) {
        self.drop_intent(id, op);
        match (op, outcome) {
            (Op::Mkdir { cgroup }, Outcome::Made { id: inode }) => {
                self.forget_below(id, cgroup);
                let unit = self.graph.unit_mut(id);
                let idle = unit.has_nobody();
                let (epochs, last) = (unit.realized.epochs, unit.realized.last.take());
                unit.realized = Realized {
                    path: Some(cgroup.clone()),
                    exists: true,
                    idle,
                    id: inode,
                    epochs,
                    last,
                    ..Realized::default()
                };
                if !idle {
                    self.directory_is_used(id);
                }
            }
            (Op::Observe { .. }, Outcome::Seen { id: inode, enabled }) => {
                let realized = &mut self.graph.unit_mut(id).realized;
                realized.id = inode;
                realized.foreign_enabled = enabled;
                realized.enabled = enabled;
            }
            (Op::Rmdir { watch, .. }, _) => self.removed(id, *watch),
            (Op::SubtreeControl { enable, .. }, Outcome::Controllers { enabled, refused }) => {
                self.controllers_changed(id, enabled, refused);
                let realized = &self.graph.unit(id).realized;
                let wanted = propagation::enable_mask(&self.graph, &self.config, id) | realized.foreign_enabled;
                if !enable.is_empty() && !wanted.contains(enabled) {
                    // Whoever needed them has gone meanwhile.
                    self.queue_realize(id);
                }
            }
            (Op::Write { file: "cgroup.freeze", .. }, _) => self.freeze_written(id),
            (Op::Write { file, value, .. }, _) => self.note_written(id, file, "", value),
            (Op::WriteDevice { file, device, value, .. }, _) => self.note_written(id, file, device, value),
            (Op::Watch { watch, .. }, _) => {
                self.graph.unit_mut(id).realized.watch = Some(*watch);
                self.watches.insert(*watch, id);
            }
            (Op::Attach { pin, .. }, outcome) => {
                let work = &mut self.graph.unit_mut(id).work;
                work.attached += u32::from(work.starting && outcome == Outcome::Attached);
                self.moved_in(id, *pin);
            }
            (Op::Spawn { .. }, Outcome::Spawned { pid }) => self.spawned(id, pid),
            (Op::WatchProcess { pid, .. }, _) => self.process_held(id, *pid),
            (Op::ReadCounters { .. }, Outcome::Counters(counters)) => {
                self.graph.unit_mut(id).realized.last = Some(Box::new(counters));
            }
            _ => {}
        }
    }

    /// The intent that led to this operation has been seen to.
    pub(super) fn drop_intent(&mut self, id: UnitId, op: &Op) {
        let unit = self.graph.unit_mut(id);
        if is_record(unit, op) {
            // Otherwise there is more to say by now.
            if unit.work.record == RecordWork::Planned {
                unit.work.record = RecordWork::Kept;
                unit.work.intents.iter_mut().for_each(|intents| intents.record = None);
            }
            return;
        }
        let Some(intents) = &mut unit.work.intents else { return };
        match op {
            Op::WriteFile { .. } | Op::RemoveFile { .. } | Op::RemoveRuntime { .. } => {
                drop_first(&mut intents.files, op);
            }
            Op::Xattr { .. } | Op::Delegate { .. } => drop_first(&mut intents.prepare, op),
            Op::Attach { pin, .. } => {
                drop_first(&mut intents.prepare, op);
                drop_first(&mut intents.attach, pin);
            }
            Op::Spawn { .. } => intents.spawn = None,
            Op::Write { file: "cgroup.freeze", value, .. } if intents.freeze == Some(value == "1") => {
                intents.freeze = None
            }
            _ => {}
        }
    }

    /// A value that was refused leaves the one before. Where that is not known, no other is to be taken for it.
    fn note_refused(&mut self, id: UnitId, op: &Op) {
        if !self.graph.unit(id).realized.stale {
            return;
        }
        match op {
            Op::Write { file, .. } => self.note_written(id, file, "", UNKNOWN),
            Op::WriteDevice { file, device, .. } => self.note_written(id, file, device, UNKNOWN),
            _ => {}
        }
    }

    pub(super) fn note_written(&mut self, id: UnitId, file: &'static str, device: &str, value: &str) {
        let controller = file.split('.').next().and_then(Controller::from_name);
        let epoch = match (controller, self.graph.unit(id).slice) {
            (Some(controller), Some(slice)) => self.graph.unit(slice).realized.epochs[controller.index()],
            _ => 0,
        };
        let written = &mut self.graph.unit_mut(id).realized.written;
        let entry = Written { file, device: device.into(), controller, epoch, value: value.into() };
        match written.iter_mut().find(|other| other.file == file && *other.device == *device) {
            Some(other) => *other = entry,
            None => {
                // Kept as long as the unit is up: no room for more.
                written.reserve_exact(1);
                written.push(entry);
            }
        }
    }

    fn controllers_changed(
        &mut self,
        id: UnitId,
        enabled: crate::controllers::ControllerMask,
        refused: Option<OpError>,
    ) {
        let realized = &mut self.graph.unit_mut(id).realized;
        // When a controller goes, the kernel forgets what was written to its files below.
        for controller in (realized.enabled - enabled).controllers() {
            let epoch = &mut realized.epochs[controller.index()];
            *epoch = epoch.wrapping_add(1);
        }
        realized.enabled = enabled;
        match refused {
            Some(error) => self.tell(Severity::Warning, Some(id), format!("controllers not switched: {error}")),
            // Whoever needed them may have gone meanwhile, or others may have come.
            // A slice above may have been kept from switching off what was in use here.
            None => {
                let above: Vec<UnitId> = core::iter::once(id).chain(self.graph.ancestors(id)).collect();
                self.realize_slices(&above);
            }
        }
    }

    /// The directory has gone, and with it everything that was believed of it.
    pub(super) fn removed(&mut self, id: UnitId, watch: Option<crate::plan::WatchId>) {
        if let Some(watch) = watch {
            self.watches.remove(&watch);
        }
        self.graph.unit_mut(id).work.replace = false;
        self.timers.clear(id, TimerReason::Retry);
        let realized = &mut self.graph.unit_mut(id).realized;
        let (last, epochs) = (realized.last.take(), realized.epochs);
        *realized = Realized { last, epochs, ..Realized::default() };
        self.forget_freeze(id);
        if let Some(path) = self.graph.cgroup_path(id) {
            self.forget_below(id, &path);
        }
        if let Some(slice) = self.graph.unit(id).slice {
            self.prune_if_dead(slice);
        }
    }

    /// What is below goes first: of those that nobody is in, none is to be counted on any more. One that is there after
    /// all is met again by whoever makes it.
    fn not_removed(&mut self, id: UnitId, error: &OpError) {
        self.forget_idle_below(id);
        if error.errno != Errno::Busy {
            // No notice will tell when this is over.
            self.graph.unit_mut(id).work.try_again = true;
            self.tell(Severity::Warning, Some(id), format!("not removed: {error}"));
        }
    }
}

/// Each unit of a plan once, with the place of its last step; so many steps go before theirs.
fn last_steps(units: &[UnitId], before: usize) -> Vec<(UnitId, usize)> {
    // Steps of one unit lie side by side, as a rule.
    let ends = (0..units.len()).filter(|index| units.get(index + 1) != units.get(*index));
    let mut last: Vec<(UnitId, usize)> = ends.map(|index| (units[index], index + before)).collect();
    last.sort_unstable_by_key(|(unit, index)| (*unit, Reverse(*index)));
    last.dedup_by_key(|(unit, _)| *unit);
    last
}

/// Takes out what has been seen to; steps are taken in the order of the list, so that it is found at once.
fn drop_first<T: PartialEq>(list: &mut Vec<T>, done: &T) {
    if let Some(at) = list.iter().position(|other| other == done) {
        list.remove(at);
    }
}
