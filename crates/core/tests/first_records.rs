//! Which writes of records spare what somebody else has put in their place: a unit's first, and no other.

mod support;

use cgarbiter_core::plan::Op;
use cgarbiter_core::request::{JobVerb, UnitRef};
use cgarbiter_core::value::Value;
use cgarbiter_core::{Errno, OpError, Request, invariants};
use support::{Machine, job, property, root, scope, transient};

const FILE: &str = "/run/systemd/transient/a.scope";

/// The steps of the plan in flight that are about records: what each is, and whether it spares others.
fn records(machine: &Machine) -> Vec<(String, bool)> {
    let steps = machine.plan.iter().flat_map(|plan| plan.steps.iter());
    let records = steps.filter_map(|step| match &step.op {
        Op::WriteFile { spares_others, .. } => Some((step.to_string(), *spares_others)),
        Op::RenewRecord { .. } | Op::RemoveFile { .. } | Op::RemoveEmpty { .. } => Some((step.to_string(), false)),
        _ => None,
    });
    records.collect()
}

/// Runs plans until one is about records; these.
fn next_records(machine: &mut Machine) -> Vec<(String, bool)> {
    while machine.plan.is_some() && records(machine).is_empty() {
        machine.run_plan(None);
    }
    records(machine)
}

fn tasks_max(machine: &mut Machine) {
    let properties = vec![property("TasksMax", Value::U64(7))];
    machine.ask(root(), Request::SetProperties { unit: UnitRef::Name("a.scope".into()), runtime: true, properties });
}

#[test]
fn only_the_first_record_spares_what_is_there() {
    let mut machine = Machine::new();
    machine.ask(root(), transient("a.scope", scope("system.slice", 7)));
    assert_eq!(next_records(&mut machine), [(format!("record   {FILE}"), true)]);
    machine.settle();
    tasks_max(&mut machine);
    let drop_in = format!("record   {FILE}.d/50-TasksMax.conf");
    assert_eq!(next_records(&mut machine), [(drop_in, false)], "beside a record of ours nothing is anybody else's");
    machine.settle();
    machine.ask(root(), job("a.scope", JobVerb::Stop));
    assert_eq!(next_records(&mut machine), [(format!("renew    {FILE}"), false)]);
    invariants::check(&machine.manager);
}

/// Whatever else a record is refused for, nobody knows whether it is there, so it goes with the unit.
#[test]
fn what_may_be_there_is_removed_and_what_is_of_others_is_not() {
    for (errno, removed) in [(Errno::NoSpc, vec![(format!("forget   {FILE}"), false)]), (Errno::Exist, vec![])] {
        let mut machine = Machine::new();
        machine.ask(root(), transient("a.scope", scope("system.slice", 7)));
        next_records(&mut machine);
        let steps = machine.plan.as_ref().expect("a plan is in flight").steps.clone();
        let at = steps.iter().position(|step| matches!(step.op, Op::WriteFile { .. })).expect("it is in there");
        machine.run_plan(Some((at, OpError::new(FILE, errno))));
        machine.settle();
        let names_it = |line: &&String| line.contains(&format!("{FILE} is somebody else's"));
        assert_eq!(machine.told.iter().filter(names_it).count(), usize::from(errno == Errno::Exist));
        let is_there = |machine: &Machine| machine.manager.graph().find("a.scope").is_some();
        assert!(is_there(&machine), "{errno:?}: it has failed");
        machine.ask(root(), Request::ResetFailed { unit: UnitRef::Name("a.scope".into()) });
        assert_eq!(next_records(&mut machine), removed, "{errno:?}");
        machine.settle();
        assert!(!is_there(&machine), "{errno:?}");
        invariants::check(&machine.manager);
    }
}
