//! What the search has found about services and what they are tied to, told by hand.

use cgarbiter_core::client::ClientId;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::unit::State;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Errno};
use cgarbiter_sim::kernel::{self, Caller, Version};
use cgarbiter_sim::world::{Move, Visible, World};

const TELLS: &[&str] = &["/bin/sh", "-c", "systemd-notify --ready; exec sleep infinity"];

fn begin() -> (World, ClientId) {
    let mut world = World::new(Config::example(), kernel::Config::of(Version::V6_12));
    let client = world.connect(0, None);
    call(&mut world, client, "Subscribe", Vec::new());
    world.run_until_quiet();
    (world, client)
}

fn call(world: &mut World, client: ClientId, member: &str, args: Vec<Value>) -> CallId {
    let call = MethodCall {
        path: "/org/freedesktop/systemd1".into(),
        interface: Some("org.freedesktop.systemd1.Manager".into()),
        member: member.into(),
        args,
    };
    world.call(client, call)
}

fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

fn service(world: &mut World, client: ClientId, name: &str, argv: &[&str], mut list: Vec<Value>) -> CallId {
    let command = Value::Struct(vec![Value::str(argv[0]), Value::strings(argv), Value::Bool(false)]);
    list.push(property("ExecStart", Value::Array("(sasb)".into(), vec![command])));
    let auxiliary = Value::Array("(sa(sv))".into(), Vec::new());
    let args = vec![Value::str(name), Value::str("replace"), Value::Array("(sv)".into(), list), auxiliary];
    call(world, client, "StartTransientUnit", args)
}

fn state(world: &World, unit: &str) -> State {
    let graph = world.manager().graph();
    graph.unit(graph.find(unit).expect("it is known")).state
}

/// Goes on until a job is said to have ended; how.
fn until_job_ends(world: &mut World) -> String {
    loop {
        match world.take_visible() {
            Some(Visible::Signal { message, .. }) if message.member == "JobRemoved" => {
                let Some(Value::Str(result)) = message.body.last() else { continue };
                return result.to_string();
            }
            Some(_) => {}
            None => step(world),
        }
    }
}

/// One thing happens, if only that time passes.
fn step(world: &mut World) {
    if !world.step() {
        assert!(world.pass_to_deadline(60_000_000), "nothing more happens");
    }
}

/// It had said that it was ready, and the job was done. A successor that took it for one that is not would end it when
/// the time for its start was over.
#[test]
fn a_service_that_is_ready_is_ready_after_a_crash() {
    let (mut world, client) = begin();
    service(&mut world, client, "v.service", TELLS, vec![property("Type", Value::str("notify"))]);
    assert_eq!(until_job_ends(&mut world), "done");
    world.crash();
    world.run_until_quiet();
    assert_eq!(state(&world, "v.service"), State::Running);
    world.advance(100_000_000);
    assert_eq!(state(&world, "v.service"), State::Running);
}

/// The unit is named by another one, so that it stays known after the refusal.
#[test]
fn a_refused_start_leaves_no_setting_behind() {
    let (mut world, client) = begin();
    let after = property("After", Value::strings(vec!["v.service"]));
    service(&mut world, client, "w.service", &["/bin/sleep", "infinity"], vec![after]);
    assert_eq!(until_job_ends(&mut world), "done");
    let limit = property("TasksMax", Value::U64(7));
    let wants = property("Requires", Value::strings(vec!["none.service"]));
    let refused = service(&mut world, client, "v.service", &["/bin/sleep", "infinity"], vec![limit, wants]);
    world.run_until_quiet();
    let is_refusal = |visible| matches!(visible, Visible::Reply { call, result: Err(_) } if call == refused);
    assert!(std::iter::from_fn(|| world.take_visible()).any(is_refusal));
    service(&mut world, client, "v.service", &["/bin/sleep", "infinity"], Vec::new());
    assert_eq!(until_job_ends(&mut world), "done");
    let kernel = world.backend().kernel();
    let id = kernel.lookup(&Caller::INIT, b"/system.slice/v.service").expect("it runs");
    assert_eq!(kernel.read(&Caller::INIT, id, kernel::File::PidsMax).expect("it has a limit").trim(), "2362");
}

/// A slice whose directory could not be made several times, which was told each time, is not given up for ever when the
/// directory turns out to be there; nor is it tried again without a pause.
#[test]
fn a_slice_that_could_not_be_made_before_is_made_when_it_can_be() {
    let (mut world, client) = begin();
    for _ in 0..6 {
        service(&mut world, client, "v.service", &["/bin/sleep", "infinity"], Vec::new());
        while !world.backend().next_step().is_some_and(|step| matches!(step.op, Op::Mkdir { .. })) {
            step(&mut world);
        }
        world.break_off_step(1, Errno::NoMem);
        assert_eq!(until_job_ends(&mut world), "failed");
        call(&mut world, client, "ResetFailedUnit", vec![Value::str("v.service")]);
        world.run_until_quiet();
    }
    service(&mut world, client, "v.service", &["/bin/sleep", "infinity"], Vec::new());
    assert_eq!(until_job_ends(&mut world), "done");
    world.run_until_quiet();
}

/// As long as another plan is in the way, nobody has been asked to end. A time-out that counted from the request would
/// give up on processes that have heard nothing.
#[test]
fn the_time_of_a_stop_begins_when_its_signal_is_sent() {
    let (mut world, client) = begin();
    service(&mut world, client, "v.service", &["/bin/sleep", "infinity"], Vec::new());
    assert_eq!(until_job_ends(&mut world), "done");
    world.run_until_quiet();
    service(&mut world, client, "w.service", &["/bin/sleep", "infinity"], Vec::new());
    while !world.backend().next_step().is_some_and(|step| matches!(step.op, Op::Mkdir { .. })) {
        step(&mut world);
    }
    call(&mut world, client, "StopUnit", vec![Value::str("v.service"), Value::str("replace")]);
    world.make(Move::Client);
    for _ in 0..4 {
        let next = world.next_deadline().expect("a stop has a deadline");
        world.set_time(next);
        world.make(Move::Timer);
    }
    assert_eq!(state(&world, "v.service"), State::StopSigterm);
    world.run_until_quiet();
    let kernel = world.backend().kernel();
    assert!(kernel.lookup(&Caller::INIT, b"/system.slice/v.service").is_err(), "the stop has reached everybody");
}

/// What forks twice becomes the arbiter's child.
#[test]
fn it_is_known_how_a_main_process_ended_that_was_left_behind() {
    let (mut world, client) = begin();
    let forks = ["/bin/sh", "-c", "(sleep 0.4; exit 3) &; exit 0"];
    service(&mut world, client, "v.service", &forks, vec![property("Type", Value::str("forking"))]);
    assert_eq!(until_job_ends(&mut world), "done");
    world.advance(1_000_000);
    let graph = world.manager().graph();
    let unit = graph.unit(graph.find("v.service").expect("it has failed"));
    assert_eq!((unit.state, unit.service.as_ref().map(|service| service.exec_main_status)), (State::Failed, Some(3)));
}

/// Its program was executed, which was heard of when the time for that was over and it was on its way out.
#[test]
fn a_program_that_is_executed_after_its_time_makes_no_service_ready() {
    let (mut world, client) = begin();
    let list = vec![property("Type", Value::str("exec")), property("KillMode", Value::str("none"))];
    service(&mut world, client, "v.service", &["/bin/sleep", "infinity"], list);
    while world.manager().graph().find("v.service").is_none() || state(&world, "v.service") != State::Start {
        step(&mut world);
    }
    let next = world.next_deadline().expect("a start has a deadline");
    world.set_time(next);
    world.make(Move::Timer);
    world.make(Move::Notice);
    assert_eq!(until_job_ends(&mut world), "failed");
    world.run_until_quiet();
    assert_eq!(state(&world, "v.service"), State::Failed);
}

/// The restart stops first, and waits for nobody. Then it would wait for the start of the other, which waits for it.
#[test]
fn a_restart_and_a_start_do_not_wait_for_each_other() {
    let (mut world, client) = begin();
    let after = |other: &str| property("After", Value::strings(vec![other]));
    service(&mut world, client, "v.service", &["/bin/false"], vec![after("w.service")]);
    assert_eq!(until_job_ends(&mut world), "done");
    world.advance(1_000_000);
    assert_eq!(state(&world, "v.service"), State::Failed);
    let list = vec![after("v.service"), property("Wants", Value::strings(vec!["v.service"]))];
    service(&mut world, client, "w.service", &["/bin/sleep", "infinity"], list);
    until_job_ends(&mut world);
    world.run_until_quiet();
    call(&mut world, client, "RestartUnit", vec![Value::str("w.service"), Value::str("replace")]);
    assert_eq!(until_job_ends(&mut world), "done");
    world.run_until_quiet();
    assert!(world.manager().jobs().is_empty(), "every job has ended");
}
