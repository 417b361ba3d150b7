//! What a job is when another one is asked for beside it: what either was to be.

mod support;

use cgarbiter_core::job::Job;
use cgarbiter_core::request::{JobVerb, Request, UnitRef};
use cgarbiter_core::value::Value;
use support::{Machine, job, property, root, scope, transient};

fn job_of<'a>(machine: &'a Machine, name: &str) -> Option<&'a Job> {
    let graph = machine.manager.graph();
    let id = graph.find(name).expect("a loaded unit");
    machine.manager.jobs().iter().find(|job| job.unit == id)
}

fn start(name: &str, mode: &str) -> Request {
    Request::Job { unit: UnitRef::Name(name.into()), verb: JobVerb::Start, mode: mode.into() }
}

/// Two scopes of which the second waits for the first, and a third one for the second.
fn in_a_row() -> Machine {
    let mut machine = Machine::checked();
    machine.ask(root(), transient("x.scope", scope("a.slice", 7)));
    for (name, pid, before) in [("y.scope", 8, "x.scope"), ("z.scope", 9, "y.scope")] {
        let mut properties = scope("a.slice", pid);
        properties.push(property("After", Value::strings([before])));
        machine.ask(root(), transient(name, properties));
    }
    machine
}

fn is_running(machine: &Machine, name: &str) -> bool {
    job_of(machine, name).expect("a job").running
}

#[test]
fn a_job_that_waits_waits_no_longer_when_it_is_asked_for_without_regard_to_the_order() {
    let mut machine = in_a_row();
    // Its slice is being made.
    machine.run_plan(None);
    assert!(is_running(&machine, "x.scope") && !is_running(&machine, "y.scope") && !is_running(&machine, "z.scope"));
    machine.ask(root(), start("y.scope", "ignore-dependencies"));
    assert!(is_running(&machine, "y.scope"), "it waits for nobody");
    assert!(is_running(&machine, "z.scope"), "and nobody waits for it");
    machine.settle();
    assert_eq!(machine.manager.jobs().iter().count(), 0);
}

#[test]
fn a_job_that_runs_cannot_be_taken_back_when_it_is_asked_for_irreversibly() {
    let mut machine = in_a_row();
    machine.run_plan(None);
    machine.ask(root(), start("x.scope", "replace-irreversibly"));
    let call = machine.ask(root(), job("x.scope", JobVerb::Stop));
    let (_, reply) = machine.replies.iter().find(|(other, _)| *other == call).expect("an answer");
    assert!(matches!(reply, Err(refusal) if refusal.message.contains("is destructive")), "{reply:?}");
    machine.settle();
}
