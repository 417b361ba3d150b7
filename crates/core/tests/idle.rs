//! Cgroups of units that are not up: made when a property is set, as systemd does, and left where they are.

mod support;

use cgarbiter_core::request::UnitRef;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Errno, OpError, Request};
use support::{Machine, property, root, scope};

fn set(machine: &mut Machine, unit: &str, name: &str, value: Value) {
    let (unit, properties) = (UnitRef::Name(unit.into()), vec![property(name, value)]);
    machine.ask(root(), Request::SetProperties { unit, runtime: true, properties });
}

/// The steps of the plan in flight, without records.
fn steps(machine: &Machine) -> Vec<String> {
    let steps = machine.plan.iter().flat_map(|plan| plan.steps.iter()).map(ToString::to_string);
    steps.filter(|step| !step.starts_with("record") && !step.contains("invocation_id")).collect()
}

#[test]
fn who_is_configured_has_a_cgroup_and_nobody_waits_for_it_to_become_empty() {
    let mut machine = Machine::checked();
    set(&mut machine, "a-b.slice", "TasksMax", Value::U64(10));
    let made = steps(&machine);
    assert!(made.iter().any(|step| step == "mkdir    a.slice/a-b.slice"), "{made:#?}");
    assert!(made.iter().any(|step| step == "write    a.slice/a-b.slice pids.max 10"), "{made:#?}");
    assert!(made.iter().all(|step| !step.starts_with("watch")), "{made:#?}");
    machine.settle();
    assert!(machine.replies.iter().all(|(_, reply)| reply.is_ok()));
    assert!(machine.manager.graph().find("a-b.slice").is_none(), "nobody needs it");
}

#[test]
fn what_was_left_is_known_again_and_written_only_where_it_differs() {
    let mut machine = Machine::checked();
    set(&mut machine, "a.slice", "TasksMax", Value::U64(10));
    machine.settle();
    set(&mut machine, "a.slice", "TasksMax", Value::U64(11));
    assert_eq!(steps(&machine), ["write    a.slice pids.max 11"]);
    machine.settle();
    machine.start("x.scope", scope("a.slice", 7));
    machine.stop("x.scope");
    machine.stop("a.slice");
    set(&mut machine, "a.slice", "TasksMax", Value::U64(12));
    assert!(steps(&machine).iter().any(|step| step == "mkdir    a.slice"), "it went with its slice's end");
}

#[test]
fn a_slice_goes_with_what_was_left_in_it() {
    let mut machine = Machine::checked();
    machine.start("x.scope", scope("a.slice", 7));
    set(&mut machine, "a-b.slice", "TasksMax", Value::U64(10));
    machine.settle();
    machine.stop("a.slice");
    let a = machine.manager.graph().find("a.slice");
    assert!(a.is_none_or(|id| !machine.manager.graph().unit(id).realized.exists), "{:?}", machine.plan);
    set(&mut machine, "a-b.slice", "TasksMax", Value::U64(11));
    assert!(steps(&machine).iter().any(|step| step == "mkdir    a.slice/a-b.slice"));
}

#[test]
fn settings_count_although_no_cgroup_can_be_made_for_them() {
    let mut machine = Machine::checked();
    set(&mut machine, "a.slice", "TasksMax", Value::U64(10));
    let plan = machine.plan.as_ref().expect("a plan");
    let at = plan.steps.iter().position(|step| step.to_string().starts_with("mkdir")).expect("a directory");
    machine.run_plan(Some((at, OpError::new("a.slice", Errno::NoSpc))));
    machine.settle();
    assert!(machine.replies.iter().all(|(_, reply)| reply.is_ok()), "{:?}", machine.replies);
}
