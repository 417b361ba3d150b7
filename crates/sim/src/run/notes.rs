//! What happens in a run is noted in the reference: what was done, said, found, and who has died.

use super::Run;
use crate::check::{Past, Violation};
use crate::kernel::{CgroupId, Kernel, State};
use crate::reference::MARK;
use crate::workload::see_who_was_killed;
use crate::world::Visible;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Outcome, Step};

impl Run {
    /// What a step means for the promises.
    pub(super) fn note_step(
        &mut self,
        step: &Step,
        result: &Result<Outcome, cgarbiter_core::OpError>,
        pid: Option<i32>,
    ) {
        let taken = match result {
            Ok(Outcome::Refused(_)) | Err(_) => false,
            Ok(Outcome::Controllers { refused, .. }) => refused.is_none(),
            Ok(_) => true,
        };
        match (&step.op, result) {
            (Op::Write { cgroup, file, value }, _) => {
                if *file == "memory.max" {
                    // The kernel kills for that.
                    see_who_was_killed(&mut self.world, &mut self.reference);
                }
                self.reference.written_value(cgroup.as_str(), file, value, taken);
            }
            (Op::WriteDevice { cgroup, file, device, value }, _) => {
                self.reference.written_value(cgroup.as_str(), &format!("{file} {device}"), value, taken);
            }
            (Op::SubtreeControl { cgroup, .. }, _) => {
                self.reference.written(cgroup.as_str(), "cgroup.subtree_control", taken);
            }
            (Op::Xattr { cgroup, name: MARK, .. }, _) => {
                self.reference.written(cgroup.as_str(), MARK, taken);
            }
            (Op::WatchProcess { cgroup, .. }, _) => self.reference.written(cgroup.as_str(), "pidfd", taken),
            (Op::Watch { cgroup, .. }, _) => self.reference.written(cgroup.as_str(), "watch", taken),
            (Op::WriteFile { file, .. } | Op::RenewRecord { file, .. } | Op::RemoveFile { file, .. }, _) => {
                self.reference.recorded(file, taken);
            }
            (Op::Rmdir { cgroup, .. }, _) if taken => self.reference.removed(cgroup.as_str()),
            (Op::Attach { cgroup, .. }, Ok(Outcome::Attached)) => {
                if let Some(pid) = pid {
                    self.reference.moved(pid, cgroup.as_str());
                }
            }
            (Op::Spawn { cgroup, .. }, Ok(Outcome::Spawned { pid })) => {
                if let Ok(pid) = i32::try_from(*pid) {
                    self.reference.born(pid, cgroup.as_str(), 0);
                }
            }
            _ => {}
        }
    }

    /// What the arbiter has found that is not told by its own knowledge.
    pub(super) fn note_found(&mut self) {
        let (kernel, graph) = (self.world.backend().kernel(), self.world.manager().graph());
        for id in kernel.below(CgroupId::ROOT).into_iter().filter(|id| kernel.is_populated(*id)) {
            let path = String::from_utf8_lossy(&kernel.path(id)).into_owned();
            let unit = graph.find(path.rsplit('/').next().unwrap_or_default());
            if unit.is_none_or(|unit| !graph.unit(unit).realized.exists) {
                self.reference.leave_alone(path);
            }
        }
        let directory = format!("{}/", self.world.manager().config().unit_paths.transient);
        for (file, _) in self.world.backend().store().below(&directory) {
            self.reference.find_record(&file[directory.len()..]);
        }
    }

    pub(super) fn take_visible(&mut self) -> Result<(), Violation> {
        while let Some(visible) = self.world.take_visible() {
            self.after(&Past::Told(&visible))?;
            match &visible {
                Visible::Reply { call, result } => drop(self.reference.answered(*call, result)),
                Visible::Signal { message, .. } => match (message.member, message.body.as_slice()) {
                    ("JobRemoved", [Value::U32(job), _, Value::Str(unit), Value::Str(result)]) => {
                        self.reference.job_removed(*job, unit, result);
                    }
                    ("Reloading", [Value::Bool(begins)]) => self.is_reloading = *begins,
                    // A reload says of each unit that it goes, and goes on with all of them.
                    ("UnitRemoved", [Value::Str(unit), _]) if !self.is_reloading => self.reference.unit_removed(unit),
                    _ => {}
                },
                Visible::Message(_) => {}
            }
        }
        Ok(())
    }

    /// Processes that have ended are no longer anywhere; process 1 waits for its children.
    pub(super) fn see_who_died(&mut self) {
        let kernel = self.world.backend_mut().kernel_mut();
        while let Some(pid) = kernel.zombie_child(Kernel::INIT) {
            let _ = kernel.reap(Kernel::INIT, pid);
        }
        let kernel = self.world.backend().kernel();
        let gone = self.reference.homes().map(|(pid, _)| pid).filter(|pid| kernel.state(*pid) != Some(State::Alive));
        let gone: Vec<i32> = gone.collect();
        gone.into_iter().for_each(|pid| self.reference.died(pid));
    }
}
