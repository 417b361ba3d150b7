//! The thread that runs slow plans, so that the bus is answered meanwhile. Quick ones run where the loop is: a change
//! of threads costs more than they do.

use cgarbiter_core::plan::{Cause, Op, Plan, Step};
use cgarbiter_core::{Event, Report};
use cgarbiter_fs_backend::Executor;
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
/// program is waited for until it runs, and a user's name may have to be asked for.
pub(super) fn is_slow(plan: &Plan) -> bool {
    plan.steps.iter().any(|step: &Step| match &step.op {
        Op::Write { file, .. } => step.cause != Cause::Start && matches!(*file, "memory.max" | "memory.high"),
        Op::SignalAll { .. } | Op::Spawn { .. } | Op::Delegate { .. } => true,
        _ => false,
    })
}
