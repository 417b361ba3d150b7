//! What a step consists of: an arbiter that is killed in the middle of one leaves the first parts of it done.
//!
//! | operation | its parts |
//! |---|---|
//! | a record written or renewed | half of the text aside, all of it aside, the renaming, outside `/run` the syncing |
//! | a directory of records removed | each of the files |
//! | a cgroup removed | each below it, the deepest first |
//! | controllers switched | each of them |
//! | all of a cgroup signalled | each process |
//!
//! All others are one system call, or nobody can tell.

use super::SimBackend;
use crate::kernel::Caller;
use crate::store::aside;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Op;
use cgarbiter_core::{Errno, Report};

impl SimBackend {
    /// Look: between how many parts of the next step a crash may come; 0 when it is done at once.
    #[must_use]
    pub fn cuts_in_step(&self) -> usize {
        self.next_step().map_or(0, |step| self.parts(&step.op).len())
    }

    /// In: so many parts of the next step are done. It is neither reported nor gone on with: a crash has to follow.
    pub fn step_partly(&mut self, parts: usize) {
        let Some(step) = self.next_step() else { return };
        for part in self.parts(&step.op).into_iter().take(parts) {
            // What one part is refused, the whole step would have been.
            let _ = self.apply_unsynced(&part);
        }
    }

    /// In: the next step is refused after so many of its parts are done, or after all of it when that is more than
    /// [`Self::cuts_in_step`]. What was done is not synced. The report when that ends the plan.
    ///
    /// # Panics
    /// When no plan is in flight, or none of its steps is left.
    pub fn break_off_step(&mut self, parts: usize, errno: Errno) -> Option<Report> {
        let op = self.next_step().expect("a step is left to break off").op.clone();
        if parts > self.cuts_in_step() {
            let _ = self.apply_unsynced(&op);
        } else {
            self.step_partly(parts);
        }
        self.refuse_step(errno)
    }

    /// All parts but the last.
    fn parts(&self, op: &Op) -> Vec<Op> {
        let mut parts = match op {
            Op::WriteFile { file, content, spares_others } => {
                let is_refused = self.store.may_put_record(file, content, *spares_others).is_err();
                return if is_refused { Vec::new() } else { written(file, content) };
            }
            Op::RemoveFile { file, directory: false } | Op::Link { file, .. } | Op::MoveFile { to: file, .. }
                if !file.starts_with("/run/") =>
            {
                return vec![op.clone()];
            }
            Op::RenewRecord { file, section } => {
                let renewed = self.store.renewed(file, section);
                return renewed.map_or_else(|_| Vec::new(), |content| written(file, &content));
            }
            Op::RemoveFile { file, directory: true } => {
                let files = self.store.files_in(file).into_iter();
                files.map(|file| Op::RemoveFile { file, directory: false }).collect()
            }
            Op::Rmdir { cgroup, .. } => self.cgroups_in(cgroup),
            Op::SubtreeControl { cgroup, enable, disable } => switches(cgroup, *enable, *disable),
            Op::SignalAll { cgroup, signals, spare } => {
                let members = self.find(cgroup).ok().and_then(|top| self.members(top).ok()).unwrap_or_default();
                let pids = members.into_iter().filter_map(|pid| u32::try_from(pid).ok());
                pids.filter(|pid| !spare.contains(pid)).map(|pid| Op::SignalOne { pid, signals: *signals }).collect()
            }
            _ => Vec::new(),
        };
        parts.pop();
        parts
    }

    fn cgroups_in(&self, cgroup: &CgroupPath) -> Vec<Op> {
        let Ok(top) = self.kernel.lookup(&Caller::INIT, cgroup.as_str().as_bytes()) else { return Vec::new() };
        let below = self.below(top).into_iter().rev();
        below.map(|id| Op::Rmdir { cgroup: self.path(id), watch: None }).collect()
    }
}

fn written(file: &str, content: &str) -> Vec<Op> {
    let half = content.len() / 2;
    let half = (0..=half).rev().find(|at| content.is_char_boundary(*at)).unwrap_or(0);
    let write =
        |file: &str, content: &str| Op::WriteFile { file: file.into(), content: content.into(), spares_others: false };
    let aside = aside(file);
    let mut parts = vec![write(&aside, &content[..half]), write(&aside, content)];
    if !file.starts_with("/run/") {
        parts.push(write(file, content));
    }
    parts
}

fn switches(cgroup: &CgroupPath, enable: ControllerMask, disable: ControllerMask) -> Vec<Op> {
    let one = |enable, disable| Op::SubtreeControl { cgroup: cgroup.clone(), enable, disable };
    let on = enable.controllers().map(|controller| one(controller.mask(), ControllerMask::empty()));
    let off = disable.controllers().map(|controller| one(ControllerMask::empty(), controller.mask()));
    on.chain(off).collect()
}
