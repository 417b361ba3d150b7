//! A refusal leaves nothing behind: neither ties, nor settings, nor references, nor records.

mod support;

use cgarbiter_core::client::{Client, Transport};
use cgarbiter_core::error::Errno;
use cgarbiter_core::graph::Edge;
use cgarbiter_core::request::{JobVerb, Request, UnitRef};
use cgarbiter_core::unit::Unit;
use cgarbiter_core::unit_files::UnitFile;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Answer, CallId, Config, Effect, Event, Manager, OpError, Question};
use support::{Machine, clocks, job, property, root, scope, transient};

fn unit<'a>(machine: &'a Machine, name: &str) -> &'a Unit {
    let graph = machine.manager.graph();
    graph.unit(graph.find(name).expect("a loaded unit"))
}

fn ties(machine: &Machine, name: &str) -> Vec<(Edge, String)> {
    let graph = machine.manager.graph();
    let id = graph.find(name).expect("a loaded unit");
    graph.all_edges(id).map(|(edge, other)| (edge, graph.unit(other).name.to_string())).collect()
}

fn names(name: &str, units: &[&str]) -> (String, Value) {
    property(name, Value::strings(units.iter().copied()))
}

#[test]
fn a_refused_start_of_a_slice_that_is_up_changes_nothing_of_it() {
    let mut machine = Machine::new();
    let mut properties = scope("a.slice", 7);
    properties.push(names("After", &["a.slice"]));
    machine.start("x.scope", properties);
    let before = (ties(&machine, "a.slice"), format!("{:?}", unit(&machine, "a.slice").settings));
    assert!(!before.0.is_empty());
    let properties = vec![
        names("Conflicts", &["b.slice"]),
        property("MemoryMax", Value::U64(1 << 20)),
        property("AddRef", Value::Bool(true)),
    ];
    let Request::StartTransient { name, properties, auxiliary, .. } = transient("a.slice", properties) else {
        unreachable!("what else")
    };
    let request = Request::StartTransient { name, mode: "isolate".into(), properties, auxiliary };
    let on_bus = Client { transport: Transport::Bus(":1.1".into()), ..root() };
    let call = machine.ask(on_bus, request);
    machine.settle();
    let (_, reply) = machine.replies.iter().find(|(other, _)| *other == call).expect("an answer");
    assert!(matches!(reply, Err(refusal) if refusal.message.contains("may not be isolated")), "{reply:?}");
    assert_eq!((ties(&machine, "a.slice"), format!("{:?}", unit(&machine, "a.slice").settings)), before);
    assert!(unit(&machine, "a.slice").references.is_empty());
    assert!(unit(&machine, "a.slice").fragment.is_none());
}

#[test]
fn making_a_slice_transient_leaves_the_ties_of_others_to_it() {
    let mut machine = Machine::new();
    let mut properties = scope("a.slice", 7);
    properties.push(names("After", &["a.slice"]));
    machine.start("x.scope", properties);
    machine.start("a.slice", vec![property("MemoryMax", Value::U64(1 << 20))]);
    assert!(ties(&machine, "x.scope").contains(&(Edge::After, "a.slice".to_owned())));
}

#[test]
fn a_reload_without_the_unit_files_says_which_could_not_be_read() {
    let mut manager = Manager::new(Config::example(), clocks(1_000_000));
    let call = CallId(1);
    manager.handle_event(clocks(1_000_001), Event::Request { call, client: root(), request: Request::Reload });
    let mut reply = None;
    while let Some(effect) = manager.poll_effect() {
        match effect {
            Effect::Read(id, Question::UnitFiles(_)) => {
                let answer = Answer::Failed(OpError::new("/etc/cgarbiter/units", Errno::Access));
                manager.handle_event(clocks(1_000_002), Event::ReadDone { id, answer });
            }
            Effect::Reply(_, answer) => reply = Some(answer),
            _ => {}
        }
    }
    let refusal = reply.expect("an answer").expect_err("refused");
    assert_eq!(refusal.message, "The unit files could not be read: /etc/cgarbiter/units: EACCES");
}

/// Everything else has been read anew, and is told as ever.
#[test]
fn a_reload_that_cannot_read_the_records_of_transient_units_leaves_those_as_they_are() {
    let mut machine = Machine::new();
    machine.start("x.scope", scope("a.slice", 7));
    let settings = format!("{:?}", unit(&machine, "x.scope").settings);
    let drop_in = "/etc/systemd/system/x.scope.d/50-more.conf";
    let files = vec![UnitFile::text(drop_in, "[Scope]\nMemoryMax=1M\n")];
    let call = CallId(99);
    machine.manager.handle_event(clocks(2_000_000), Event::Request { call, client: root(), request: Request::Reload });
    let (mut reply, mut told, mut readings) = (None, Vec::new(), 0);
    while let Some(effect) = machine.manager.poll_effect() {
        match effect {
            Effect::Read(id, Question::UnitFiles(_)) => {
                readings += 1;
                let fails = || Answer::Failed(OpError::new("/run/systemd/transient", Errno::MFile));
                let answer = if readings == 1 { Answer::UnitFiles(files.clone()) } else { fails() };
                machine.manager.handle_event(clocks(2_000_001), Event::ReadDone { id, answer });
            }
            Effect::Reply(_, answer) => reply = Some(answer),
            Effect::Tell(message) => told.push(message.text),
            Effect::Emit(signal, _) => told.push(format!("{signal:?}")),
            _ => {}
        }
    }
    assert_eq!((readings, reply), (2, Some(Ok(cgarbiter_core::effect::Reply::Done))));
    assert!(told.iter().any(|text| text == "x.scope keeps its settings: /run/systemd/transient: EMFILE"), "{told:?}");
    assert!(told.iter().any(|text| text == "Reloading(false)"), "{told:?}");
    assert_eq!(format!("{:?}", unit(&machine, "x.scope").settings), settings);
}

#[test]
fn a_change_that_cannot_be_recorded_takes_back_no_reload() {
    let mut machine = Machine::with_files([("a.slice".into(), "[Slice]\nTasksMax=10\n".into())]);
    machine.ask(root(), job("a.slice", JobVerb::Start));
    machine.settle();
    let properties = vec![property("MemoryMax", Value::U64(1 << 20))];
    let call = machine
        .ask(root(), Request::SetProperties { unit: UnitRef::Name("a.slice".into()), runtime: true, properties });
    let path = machine.files[0].path.clone();
    machine.files[0] = UnitFile::text(path, "[Slice]\nTasksMax=20\n");
    machine.ask(root(), Request::Reload);
    machine.run_plan(Some((0, OpError::new("x", Errno::NoSpc))));
    machine.settle();
    let (_, reply) = machine.replies.iter().find(|(other, _)| *other == call).expect("an answer");
    assert!(reply.is_err());
    let resources = &unit(&machine, "a.slice").settings.resources;
    assert!(format!("{:?}", resources.tasks_max).contains("20"), "{resources:?}");
}
