//! Files can name each other in a row of any length. Nothing that is done for such a row may need more of the thread's
//! stack than what is done for one: a test's thread has two megabytes, and nothing is optimized.

mod support;

use cgarbiter_core::request::JobVerb;
use cgarbiter_core::unit::ActiveState;
use cgarbiter_core::{Errno, Op, OpError};
use support::{Machine, job, root};

const MANY: usize = 10_000;

/// So many services, each of which requires the next and comes after it.
fn row() -> Machine {
    let file = |n: usize| {
        let next = if n + 1 < MANY {
            format!("Requires=row-{0}.service\nAfter=row-{0}.service\n", n + 1)
        } else {
            String::new()
        };
        (format!("row-{n}.service"), format!("[Unit]\n{next}[Service]\nExecStart=/bin/sleep infinity\n"))
    };
    Machine::with_files((0..MANY).map(file))
}

#[test]
fn a_start_that_fails_at_the_end_of_a_row_fails_all_of_it() {
    let mut machine = row();
    machine.replies.clear();
    machine.ask(root(), job("row-0.service", JobVerb::Start));
    assert_eq!(machine.manager.jobs().len(), MANY);
    let plan = machine.plan.as_ref().expect("the last one starts first");
    let spawn = plan.steps.iter().position(|step| matches!(step.op, Op::Spawn { .. })).expect("it has a program");
    machine.run_plan(Some((spawn, OpError::new("system.slice", Errno::Again))));
    machine.settle();
    assert!(machine.manager.jobs().is_empty());
    let units = machine.manager.graph().iter().map(|(_, unit)| unit);
    let up: Vec<_> =
        units.filter(|unit| unit.active() != ActiveState::Inactive).map(|unit| unit.name.as_str()).collect();
    assert_eq!(up, ["-.slice", "row-9999.service", "system.slice"], "one has failed, the others have not begun");
}
