//! A plan in flight, one step at a time.

use super::SimBackend;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{OnError, Op, Step};
use cgarbiter_core::{OpError, Outcome, Plan, Report};
use std::sync::Arc;

/// A plan in flight.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) plan: Plan,
    pub(super) outcomes: Vec<Outcome>,
}

impl SimBackend {
    /// In: a plan to run. Only one is in flight at a time.
    pub fn begin(&mut self, plan: Plan) {
        assert!(self.running.is_none(), "one plan is in flight at a time");
        self.running = Some(Running { outcomes: Vec::with_capacity(plan.steps.len()), plan });
    }

    /// Look: is a plan in flight?
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Look: the step that [`step`](Self::step) would do next; none when only the report is left.
    #[must_use]
    pub fn next_step(&self) -> Option<&Step> {
        let running = self.running.as_ref()?;
        running.plan.steps.get(running.outcomes.len())
    }

    /// Look: the plan in flight, and how many of its steps have been done.
    #[must_use]
    pub fn running(&self) -> Option<(&Plan, usize)> {
        self.running.as_ref().map(|running| (&running.plan, running.outcomes.len()))
    }

    /// Look: what came of the last step.
    #[must_use]
    pub fn last_result(&self) -> Option<&Result<Outcome, OpError>> {
        self.last.as_ref()
    }

    /// Does the next step of the plan in flight; the report when it was the last.
    ///
    /// # Panics
    /// When no plan is in flight.
    pub fn step(&mut self) -> Option<Report> {
        let running = self.running.as_ref().expect("a plan is in flight");
        let (steps, next) = (Arc::clone(&running.plan.steps), running.outcomes.len());
        let Some(step) = steps.get(next) else {
            let running = self.running.take().expect("a plan is in flight");
            return Some(self.finish(running, None));
        };
        self.absorb();
        let result = self.apply(&step.op);
        self.stop_and_continue_after(&step.op);
        self.record(result)
    }

    /// In: the next step is not done, because the kernel answers this; the report when that ends the plan.
    ///
    /// # Panics
    /// When no plan is in flight, or none of its steps is left.
    pub fn refuse_step(&mut self, errno: cgarbiter_core::Errno) -> Option<Report> {
        let step = self.next_step().expect("a step is left to refuse");
        let refusal = OpError::new(subject(&step.op), errno);
        self.absorb();
        self.record(Err(refusal))
    }

    /// Takes down the answer to the next step; the report when it ends the plan.
    pub(crate) fn record(&mut self, result: Result<Outcome, OpError>) -> Option<Report> {
        let mut running = self.running.take().expect("a step belongs to a plan");
        self.last = Some(result.clone());
        let step = &running.plan.steps[running.outcomes.len()];
        match (result, step.on_error) {
            (Ok(outcome), _) => running.outcomes.push(outcome),
            (Err(error), OnError::Report) => running.outcomes.push(Outcome::Refused(error)),
            (Err(error), OnError::Stop) => return Some(self.finish(running, Some(error))),
        }
        if running.outcomes.len() == running.plan.steps.len() {
            return Some(self.finish(running, None));
        }
        self.running = Some(running);
        None
    }

    fn finish(&mut self, running: Running, failed: Option<OpError>) -> Report {
        assert!(failed.is_some() || running.outcomes.len() == running.plan.steps.len());
        self.watches.announce_new();
        Report { plan: running.plan.id, outcomes: running.outcomes, failed }
    }
}

/// What an operation is about, as its error names it.
fn subject(op: &Op) -> String {
    let file = |cgroup: &CgroupPath, file: &str| format!("{}/{file}", cgroup.as_str());
    match op {
        Op::WriteFile { file, .. }
        | Op::RemoveFile { file, .. }
        | Op::RenewRecord { file, .. }
        | Op::Link { file, .. }
        | Op::RemoveEmpty { directory: file }
        | Op::MoveFile { file, .. } => file.to_string(),
        Op::Write { cgroup, file: name, .. } | Op::WriteDevice { cgroup, file: name, .. } => file(cgroup, name),
        Op::SubtreeControl { cgroup, .. } => file(cgroup, "cgroup.subtree_control"),
        Op::Attach { cgroup, .. } | Op::SignalAll { cgroup, .. } => file(cgroup, "cgroup.procs"),
        Op::Xattr { cgroup, name, .. } => file(cgroup, name),
        Op::RemoveRuntime { directories } => directories.join(" "),
        Op::SignalOne { pid, .. } | Op::WatchProcess { pid, .. } => format!("pid {pid}"),
        Op::Mkdir { cgroup }
        | Op::Observe { cgroup }
        | Op::Rmdir { cgroup, .. }
        | Op::Watch { cgroup, .. }
        | Op::Delegate { cgroup, .. }
        | Op::Spawn { cgroup, .. }
        | Op::ReadCounters { cgroup } => cgroup.as_str().to_owned(),
    }
}
