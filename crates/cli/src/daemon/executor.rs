//! The thread that runs slow plans, so that the bus is answered meanwhile. Quick ones run where the loop is: a change
//! of threads costs more than they do.

use cgarbiter_core::plan::{Cause, Op, Plan, Step};
use cgarbiter_core::{Event, Report};
use cgarbiter_fs_backend::{Executor, is_persistent};
use std::sync::mpsc::{Sender, channel};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Plans go in, reports come out.
pub(super) struct PlanThread {
    plans: Sender<Plan>,
    reports: UnboundedReceiver<Report>,
}

impl PlanThread {
    /// Starts the thread; it ends with this value.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(mut executor: Executor) -> std::io::Result<Self> {
        let (plans, inbox) = channel::<Plan>();
        let (outbox, reports) = unbounded_channel();
        std::thread::Builder::new().name("plans".into()).stack_size(256 << 10).spawn(move || {
            while let Ok(plan) = inbox.recv() {
                if outbox.send(executor.run_unannounced(&plan)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { plans, reports })
    }

    /// Hands a plan over.
    pub(super) fn run(&self, plan: Plan) {
        let sent = self.plans.send(plan);
        assert!(sent.is_ok(), "the thread lives as long as this");
    }

    /// The next report, as an event. Cancelling this loses nothing.
    pub(super) async fn done(&mut self) -> Event {
        match self.reports.recv().await {
            Some(report) => Event::PlanDone(report),
            None => unreachable!("the thread lives as long as this"),
        }
    }
}

/// Whether a plan may take long: lowering a limit on memory can mean reclaim, a kill goes on until nobody is left, a
/// program is waited for until it runs, a user's name may have to be asked for, a tree is removed file by file, and a
/// disk takes its time.
pub(super) fn is_slow(plan: &Plan) -> bool {
    plan.steps.iter().any(|step: &Step| match &step.op {
        Op::WriteFile { file, .. } | Op::RenewRecord { file, .. } => is_persistent(file),
        Op::RemoveFile { file, .. } | Op::RemoveEmpty { directory: file } | Op::Link { file, .. } => {
            is_persistent(file)
        }
        Op::MoveFile { file, to } => is_persistent(file) || is_persistent(to),
        Op::Write { file, .. } => step.cause != Cause::Start && matches!(*file, "memory.max" | "memory.high"),
        Op::SignalAll { .. } | Op::Spawn { .. } | Op::Delegate { .. } | Op::RemoveRuntime { .. } => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgarbiter_core::names::UnitName;
    use cgarbiter_core::plan::{OnError, PlanId};

    #[test]
    fn what_waits_for_a_disk_is_slow() {
        let slow = |op| {
            let unit = UnitName::parse("a.slice").expect("valid");
            let step = Step { unit, cause: Cause::SetProperties, on_error: OnError::Stop, op };
            is_slow(&Plan { id: PlanId(1), steps: [step].into_iter().collect() })
        };
        for (directory, persistent) in [("/run/cgarbiter/control", false), ("/etc/cgarbiter/control", true)] {
            let file = || format!("{directory}/a.slice.d/50-TasksMax.conf").into();
            assert_eq!(slow(Op::WriteFile { file: file(), content: String::new(), spares_others: false }), persistent);
            assert_eq!(slow(Op::RemoveFile { file: file(), directory: false }), persistent);
            assert_eq!(slow(Op::MoveFile { file: "/run/a".into(), to: file() }), persistent);
            assert_eq!(slow(Op::Link { file: file(), target: "/dev/null".into() }), persistent);
        }
    }
}
