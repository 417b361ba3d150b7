//! Directories below /run that a service has: they go with its end, unless they are to stay.

mod support;

use cgarbiter_core::value::Value;
use support::{Machine, property, root, transient};

/// Which directories were removed after the service's process ended, and whether another one was started before.
fn removed_after_end(more: &[(&str, &str)], code: i32) -> Vec<String> {
    let arguments = Value::Array("s".into(), vec![Value::str("/bin/x")]);
    let command = Value::Struct(vec![Value::str("/bin/x"), arguments, Value::Bool(false)]);
    let names = Value::Array("s".into(), vec![Value::str("a"), Value::str("b/c")]);
    let mut properties =
        vec![property("ExecStart", Value::Array("(sasb)".into(), vec![command])), property("RuntimeDirectory", names)];
    properties.extend(more.iter().map(|(name, value)| property(name, Value::str(*value))));
    let mut machine = Machine::checked();
    machine.ask(root(), transient("a.service", properties));
    machine.settle();
    machine.exit("a.service", code);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let steps = machine.plan.iter().flat_map(|plan| plan.steps.iter()).map(ToString::to_string);
        seen.extend(steps.filter(|step| step.starts_with("clear") || step.starts_with("spawn")));
        machine.run_plan(None);
        machine.pass(200_000);
    }
    seen
}

#[test]
fn they_go_with_the_end_of_the_service() {
    let cleared = ["clear    /run/a /run/b/c"];
    assert_eq!(removed_after_end(&[], 0), cleared);
    assert_eq!(removed_after_end(&[], 1), cleared);
    assert_eq!(removed_after_end(&[("RuntimeDirectoryPreserve", "restart")], 1), cleared);
    assert_eq!(removed_after_end(&[("RuntimeDirectoryPreserve", "yes")], 1), [""; 0]);
}

#[test]
fn a_restart_makes_them_anew_unless_they_are_to_stay() {
    let seen = removed_after_end(&[("Restart", "on-failure")], 1);
    assert_eq!(&seen[..2], ["clear    /run/a /run/b/c", "spawn    system.slice/a.service /bin/x"]);
    let seen = removed_after_end(&[("Restart", "on-failure"), ("RuntimeDirectoryPreserve", "restart")], 1);
    assert_eq!(seen, ["spawn    system.slice/a.service /bin/x"]);
}
