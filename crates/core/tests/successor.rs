//! Giving way to another program: who is answered what, and when.

mod support;

use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Effect, Event, Manager, RefusalKind, Reply, Request, Signal};
use support::{clocks, property, root, transient};

fn manager() -> Manager {
    Manager::new(Config { reexecutes: true, ..Config::example() }, clocks(1_000_000))
}

/// What comes of an event, but for lines for the operator.
fn effects(manager: &mut Manager, event: Event) -> Vec<Effect> {
    manager.handle_event(clocks(2_000_000), event);
    core::iter::from_fn(|| manager.poll_effect()).filter(|effect| !matches!(effect, Effect::Tell(_))).collect()
}

fn reexecute(call: u64) -> Event {
    Event::Request { call: CallId(call), client: root(), request: Request::Reexecute }
}

#[test]
fn a_program_is_tried_out_once_and_taken_after_all_have_been_answered() {
    let mut manager = manager();
    assert_eq!(effects(&mut manager, reexecute(1)), [Effect::CheckSuccessor]);
    assert_eq!(effects(&mut manager, reexecute(2)), []);
    assert_eq!(effects(&mut manager, Event::SuccessorWanted), []);
    let answered = |call| Effect::Reply(CallId(call), Ok(Reply::Done));
    assert_eq!(effects(&mut manager, Event::SuccessorChecked(None)), [answered(1), answered(2), Effect::Reexecute]);
    assert_eq!(effects(&mut manager, Event::SuccessorWanted), [Effect::CheckSuccessor], "that failed; once more");
}

#[test]
fn a_program_that_does_not_start_is_refused_with_its_reason() {
    let mut manager = manager();
    effects(&mut manager, reexecute(1));
    let told = effects(&mut manager, Event::SuccessorChecked(Some("no such key: pat".into())));
    let [Effect::Reply(CallId(1), Err(refusal))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(refusal.kind, RefusalKind::Failed);
    assert_eq!(refusal.message, "Not replaced, the installed program does not start: no such key: pat");
}

#[test]
fn who_waits_for_a_job_hears_of_its_end_before_another_takes_over() {
    let mut manager = manager();
    let arguments = Value::Array("s".into(), vec![Value::str("/bin/x")]);
    let command = Value::Struct(vec![Value::str("/bin/x"), arguments, Value::Bool(false)]);
    let start = transient("a.service", vec![property("ExecStart", Value::Array("(sasb)".into(), vec![command]))]);
    effects(&mut manager, Event::Request { call: CallId(1), client: root(), request: start });
    assert_eq!(manager.jobs().iter().count(), 1);
    let told = effects(&mut manager, Event::GivingWay);
    let ends = told.iter().filter_map(|effect| match effect {
        Effect::Emit(Signal::JobRemoved { result, .. }, _) => Some(*result),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), ["canceled"]);
    assert!(manager.jobs().is_empty());
    assert_eq!(effects(&mut manager, Event::GivingWay), [], "nobody waits any more");
}
