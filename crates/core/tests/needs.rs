//! Units that others keep up, units that stop when nobody needs them, and jobs that end without taking others along.

mod support;

use cgarbiter_core::request::{JobVerb, PropertyList, UnitRef};
use cgarbiter_core::value::Value;
use cgarbiter_core::{RefusalKind, Request};
use support::{Machine, job, property, root, transient};

fn exec_start() -> (String, Value) {
    let arguments = Value::Array("s".into(), vec![Value::str("/bin/x")]);
    let command = Value::Struct(vec![Value::str("/bin/x"), arguments, Value::Bool(false)]);
    property("ExecStart", Value::Array("(sasb)".into(), vec![command]))
}

fn service(machine: &mut Machine, name: &str, more: &[(&str, Value)]) {
    let mut properties: PropertyList = vec![exec_start()];
    properties.extend(more.iter().map(|(name, value)| property(name, value.clone())));
    machine.ask(root(), transient(name, properties));
    machine.settle();
}

/// Stops a service, whose process does as it is told.
fn end(machine: &mut Machine, name: &str) {
    machine.stop(name);
    machine.exit(name, 0);
    machine.settle();
}

fn names(names: &[&str]) -> Value {
    Value::Array("s".into(), names.iter().map(|name| Value::str(*name)).collect())
}

fn sub(machine: &Machine, name: &str) -> &'static str {
    let graph = machine.manager.graph();
    graph.find(name).map_or("-", |id| graph.unit(id).state.sub())
}

#[test]
fn who_is_upheld_is_started_again_when_it_ends_but_not_for_ever() {
    let mut machine = Machine::checked();
    service(&mut machine, "t.service", &[("StartLimitIntervalUSec", Value::U64(0))]);
    service(&mut machine, "u.service", &[("Upholds", names(&["t.service"]))]);
    for _ in 0..16 {
        machine.exit("t.service", 1);
        machine.settle();
        assert_eq!(sub(&machine, "t.service"), "running");
    }
    machine.exit("t.service", 1);
    machine.settle();
    assert_eq!(sub(&machine, "t.service"), "failed", "tried too often");
    // Nobody upholds it any more.
    let mut machine = Machine::checked();
    service(&mut machine, "t.service", &[]);
    service(&mut machine, "u.service", &[("Upholds", names(&["t.service"]))]);
    end(&mut machine, "u.service");
    machine.exit("t.service", 1);
    machine.settle();
    assert_eq!(sub(&machine, "t.service"), "failed");
}

#[test]
fn who_stops_when_unneeded_stops_with_the_last_who_needs_it() {
    for tie in ["Requires", "Wants", "BindsTo", "Upholds"] {
        let mut machine = Machine::checked();
        let needed = vec![exec_start(), property("StopWhenUnneeded", Value::Bool(true))];
        let request = Request::StartTransient {
            name: "a.service".into(),
            mode: "fail".into(),
            properties: vec![exec_start(), property(tie, names(&["t.service"]))],
            auxiliary: vec![("t.service".into(), needed)],
        };
        machine.ask(root(), request);
        machine.settle();
        assert_eq!(sub(&machine, "t.service"), "running", "{tie}: it is needed");
        service(&mut machine, "b.service", &[(tie, names(&["t.service"]))]);
        end(&mut machine, "a.service");
        assert_eq!(sub(&machine, "t.service"), "running", "{tie}: by another");
        end(&mut machine, "b.service");
        machine.exit("t.service", 0);
        machine.settle();
        assert_eq!(sub(&machine, "t.service"), "-", "{tie}: by nobody");
    }
    let mut machine = Machine::checked();
    service(&mut machine, "t.service", &[("StopWhenUnneeded", Value::Bool(true))]);
    machine.exit("t.service", 0);
    machine.settle();
    assert_eq!(sub(&machine, "t.service"), "-", "nor has it ever been");
}

#[test]
fn a_job_that_makes_way_for_another_takes_nobody_along() {
    let mut machine = Machine::checked();
    let oneshot = [("Type", Value::str("oneshot"))];
    service(&mut machine, "t.service", &oneshot);
    assert_eq!(sub(&machine, "t.service"), "start");
    let after = [("Requires", names(&["t.service"])), ("After", names(&["t.service"]))];
    service(&mut machine, "u.service", &after);
    assert_eq!(sub(&machine, "u.service"), "dead", "it waits");
    let stop = Request::Job {
        unit: UnitRef::Name("t.service".into()),
        verb: JobVerb::Stop,
        mode: "ignore-requirements".into(),
    };
    machine.ask(root(), stop);
    machine.settle();
    machine.exit("t.service", 0);
    machine.settle();
    assert_eq!(sub(&machine, "u.service"), "running");
}

#[test]
fn a_mode_that_does_not_fit_is_refused_before_the_unit_is_looked_for() {
    let mut machine = Machine::checked();
    for verb in [JobVerb::Restart, JobVerb::ReloadOrTryRestart] {
        machine.ask(
            root(),
            match job("no.service", verb) {
                Request::Job { unit, verb, .. } => Request::Job { unit, verb, mode: "isolate".into() },
                other => other,
            },
        );
        let (_, reply) = machine.replies.pop().expect("an answer");
        let refusal = reply.expect_err("refused");
        assert_eq!((refusal.kind, &*refusal.message), (RefusalKind::InvalidArgs, "Isolate is only valid for start."));
    }
}
