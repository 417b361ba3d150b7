//! What it means that a plan ended early: which steps are tried again, which work is given up, and who is refused.

use super::Manager;
use crate::controllers::Controller;
use crate::effect::{Effect, Severity};
use crate::error::{Errno, OpError, Refusal, RefusalKind};
use crate::job::{JobResult, JobType};
use crate::names::UnitType;
use crate::plan::{Op, Step};
use crate::realized::Realized;
use crate::unit::{Unit, UnitId};
use alloc::format;
use alloc::vec::Vec;

/// How often the kernel may surprise a unit before its work is given up.
const SURPRISES_MAX: u8 = 4;

impl Manager {
    /// The plan ended at this step.
    pub(super) fn step_failed(&mut self, id: UnitId, step: &Step, error: OpError, units: &[UnitId]) {
        let kernel_lacks = matches!(&step.op, Op::Write { file, .. }
            if *file != "cgroup.freeze" && self.has_controller_of(id, file));
        let is_for_idle = self.is_for_idle(id, &step.op, units);
        let unit = self.graph.unit_mut(id);
        if matches!(error.errno, Errno::Exist | Errno::NoEnt | Errno::NoDev) {
            unit.work.surprises = unit.work.surprises.saturating_add(1);
        }
        let surprised = unit.work.surprises <= SURPRISES_MAX;
        match (&step.op, error.errno) {
            (Op::Mkdir { .. }, Errno::Exist) if surprised && unit.unit_type() != UnitType::Slice => {
                // Left by somebody, or by us in an earlier life: made anew if it is empty. Processes in it are nobody's
                // to take over; the start fails then.
                unit.work.replace = true;
            }
            (Op::Mkdir { cgroup }, Errno::Exist) if surprised => {
                // Somebody made it before us: what is in its files is not known.
                let idle = unit.has_nobody();
                let path = Some(cgroup.clone());
                unit.realized = Realized { path, exists: true, idle, stale: true, ..Realized::default() };
            }
            (Op::Mkdir { .. }, Errno::NoEnt) if surprised => self.lost_directory(self.graph.unit(id).slice),
            (Op::Write { file, value, .. }, Errno::NoEnt) if surprised && kernel_lacks => {
                // The kernel has no such file: as if written, but not in silence.
                self.note_written(id, file, "", value);
                self.tell(Severity::Warning, Some(id), format!("not applied: {error}"));
            }
            (Op::Watch { .. } | Op::Spawn { .. } | Op::Observe { .. }, Errno::NoEnt | Errno::NoDev)
                if surprised && !is_exec_error(step, &error) && !is_below(unit, &step.op) =>
            {
                self.lost_directory(Some(id));
            }
            _ if is_for_idle => self.idle_failed(id, &error, units),
            (Op::Spawn { .. }, _) if is_exec_error(step, &error) => self.spawn_failed(id, &error),
            (Op::Spawn { .. }, _) if !unit.work.starting => self.spawn_refused(id, &error),
            _ => self.give_up(id, step, &error, units),
        }
    }

    /// Whether the slice hands the file's controller down, so that the kernel is the reason when the file is missing.
    fn has_controller_of(&self, id: UnitId, file: &str) -> bool {
        let controller = file.split('.').next().and_then(Controller::from_name);
        match (controller, self.graph.unit(id).slice) {
            (Some(controller), Some(slice)) => self.graph.unit(slice).realized.enabled.contains(controller.mask()),
            _ => true,
        }
    }

    /// A directory that we thought was there has gone.
    pub(super) fn lost_directory(&mut self, id: Option<UnitId>) {
        let Some(id) = id else { return };
        let unit = self.graph.unit_mut(id);
        if unit.name.is_root_slice() {
            return;
        }
        let watch = unit.realized.watch;
        self.removed(id, watch);
        self.queue_realize_up(id);
    }

    /// The work that needs this step cannot be done: starts fail, changes are refused.
    fn give_up(&mut self, id: UnitId, step: &Step, error: &OpError, units: &[UnitId]) {
        if error.errno == Errno::Exist && is_record(self.graph.unit(id), &step.op) {
            self.leave_file_of_others(id);
        }
        self.drop_intent(id, &step.op);
        self.requeue(id);
        if let Op::Attach { pin, .. } = &step.op
            && self.attach_refused(id, *pin, error)
        {
            return;
        }
        if !self.graph.unit(id).work.starting {
            self.refuse_pending(id, &step.op, error);
            if matches!(step.op, Op::WriteFile { .. } | Op::RemoveFile { .. }) {
                // A matter of its own: whoever starts in it needs its directory, and not its record.
                return;
            }
        } else if matches!(step.op, Op::WriteFile { .. } | Op::RemoveFile { .. }) {
            // Who asked for a setting of the unit meanwhile is not told that it was kept.
            if self.undo_changes(id, error) {
                self.fail_start(id);
            }
        }
        // A step that serves a slice fails every start that needs the slice.
        let mut failed: Vec<UnitId> = units.to_vec();
        failed.sort_unstable();
        failed.dedup();
        failed.retain(|other| *other == id || self.graph.ancestors(*other).any(|slice| slice == id));
        for other in failed {
            if self.graph.unit(other).work.starting {
                self.start_failed(other, error);
            }
        }
    }

    /// A record could not be written: those who asked for it are refused, and a start that it belongs to is not made.
    /// Everything else that the unit waits for goes on.
    fn refuse_record(&mut self, id: UnitId, op: &Op, error: &OpError) {
        let is_own = is_record(self.graph.unit(id), op);
        let is_unmade = self.undo_changes(id, error);
        if is_unmade || is_own && self.jobs.of_unit(id).is_some_and(|job| !job.running) {
            self.fail_start(id);
        }
    }

    /// The unit's job that is to bring it up, alone or as part of a restart.
    fn fail_start(&mut self, id: UnitId) {
        let start = self.jobs.of_unit(id).filter(|job| matches!(job.kind, JobType::Start | JobType::Restart));
        if let Some(job) = start.map(|job| job.id) {
            self.finish_job(job, JobResult::Failed);
        }
    }

    fn refuse_pending(&mut self, id: UnitId, op: &Op, error: &OpError) {
        self.tell(Severity::Error, Some(id), format!("{error}"));
        if matches!(op, Op::WriteFile { .. } | Op::RemoveFile { .. }) {
            self.refuse_record(id, op, error);
            return;
        }
        if self.undo_changes(id, error) {
            self.fail_start(id);
        }
        let start_waits = self.jobs.of_unit(id).is_some_and(|job| job.kind == JobType::Start && !job.running);
        let work = &mut self.graph.unit_mut(id).work;
        let mut intents = work.intents.take().unwrap_or_default();
        if !intents.files.is_empty() {
            // They bring back what is in the store.
            work.intents_mut().files = core::mem::take(&mut intents.files);
        }
        if start_waits {
            // It has not failed by this.
            let kept = work.intents_mut();
            kept.attach = core::mem::take(&mut intents.attach);
            kept.record = intents.record.take();
        }
        let kills = intents.signals.iter().filter_map(|signal| signal.by_client).map(|kill| kill.call);
        let planned = core::mem::take(&mut work.planned.replies);
        let attaching = intents.attaching.iter().map(|attaching| attaching.call);
        let replies: Vec<_> = intents.replies.iter().copied().chain(planned).chain(attaching).chain(kills).collect();
        let prepared = intents.prepare.iter().filter_map(|op| match op {
            Op::Attach { pin, .. } => Some(*pin),
            _ => None,
        });
        let pins: Vec<_> = intents.attach.iter().copied().chain(prepared).collect();
        if !pins.is_empty() {
            self.effects.push_back(Effect::Release(pins));
        }
        if let Some(freeze) = intents.freeze {
            self.freeze_refused(id, freeze, error);
        }
        for call in replies {
            let refusal = Refusal::new(RefusalKind::Errno(error.errno), format!("{error}"));
            self.reply(call, Err(refusal));
        }
    }
}

/// The step writes the unit's own record, or part of it.
pub(super) fn is_record(unit: &Unit, op: &Op) -> bool {
    match op {
        Op::WriteFile { file, .. } | Op::RenewRecord { file, .. } => unit.fragment.as_ref() == Some(file),
        _ => false,
    }
}

/// The step is about a cgroup inside the unit's own: none of ours.
fn is_below(unit: &Unit, op: &Op) -> bool {
    matches!(op, Op::Attach { cgroup, .. } if unit.realized.path.as_ref().is_some_and(|path| path != cgroup))
}

/// The program could not be run, as opposed to its cgroup being gone.
fn is_exec_error(step: &Step, error: &OpError) -> bool {
    matches!(&step.op, Op::Spawn { command, .. } if command.path == error.file)
}
