//! Descriptors that clients send: let go of when nobody needs them any more, and not before.

mod support;

use cgarbiter_core::event::ExitStatus;
use cgarbiter_core::plan::{Op, Pin};
use cgarbiter_core::settings::TasksMax;
use cgarbiter_core::unit_files::UnitFile;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Effect, Event, Manager, Request};
use support::{Machine, clocks, property, root, transient};

const HANDLE: u64 = Pin::OTHER | 5;

fn service(more: &[(&str, Value)]) -> Request {
    let arguments = Value::Array("s".into(), vec![Value::str("/bin/x")]);
    let command = Value::Struct(vec![Value::str("/bin/x"), arguments, Value::Bool(false)]);
    let mut properties = vec![
        property("ExecStart", Value::Array("(sasb)".into(), vec![command])),
        property("StandardOutputFileDescriptor", Value::Handle(HANDLE)),
    ];
    properties.extend(more.iter().map(|(name, value)| property(name, value.clone())));
    transient("a.service", properties)
}

fn is_released(manager: &mut Manager) -> bool {
    let effects = core::iter::from_fn(|| manager.poll_effect());
    effects.filter(|effect| matches!(effect, Effect::Release(pins) if pins.iter().any(|pin| pin.0 == HANDLE))).count()
        > 0
}

#[test]
fn a_rehearsal_lets_go_of_what_came_with_the_request() {
    let mut machine = Machine::checked();
    let request = Request::Plan(Box::new(service(&[])));
    machine
        .manager
        .handle_event(clocks(2_000_000), Event::Request { call: cgarbiter_core::CallId(1), client: root(), request });
    assert!(is_released(&mut machine.manager));
}

#[test]
fn who_is_started_anew_writes_to_where_it_wrote_before() {
    let mut machine = Machine::checked();
    machine.ask(root(), service(&[("Restart", Value::str("always")), ("RestartUSec", Value::U64(1000))]));
    machine.settle();
    let graph = machine.manager.graph();
    let id = graph.find("a.service").expect("it runs");
    let pid = graph.unit(id).service.as_ref().and_then(|service| service.main_pid).expect("a process");
    machine.empty("a.service");
    let event = Event::Exited { pid, status: ExitStatus::Code(1) };
    machine.manager.handle_event(clocks(3_000_000), event);
    machine.hand_in(Event::Notified { pid: 1, uid: 0, cgroup: None, message: String::new(), descriptors: vec![] });
    machine.settle();
    machine.pass(5_000_000);
    let handles = |machine: &Machine| {
        let steps = machine.plan.iter().flat_map(|plan| plan.steps.iter());
        let spawns = steps.filter_map(|step| match &step.op {
            Op::Spawn { command, .. } => Some(format!("{:?}", command.setup)),
            _ => None,
        });
        spawns.collect::<String>()
    };
    let mut seen = handles(&machine);
    for _ in 0..4 {
        machine.run_plan(None);
        seen += &handles(&machine);
    }
    assert!(seen.contains(&format!("Handle({HANDLE})")), "{seen}");
}

/// What came with the request stands in no file: a reload that reads all others anew leaves it.
#[test]
fn a_reload_that_reads_the_record_anew_keeps_what_came_with_the_request() {
    let mut machine = Machine::checked();
    machine.ask(root(), service(&[]));
    while let Some(plan) = machine.plan.clone() {
        for step in plan.steps.iter() {
            if let Op::WriteFile { file, content, .. } = &step.op {
                machine.files.push(UnitFile::text(file.clone(), content.as_str()));
            }
        }
        machine.run_plan(None);
    }
    let directory = machine.manager.config().unit_paths.files()[0].clone();
    machine.files.push(UnitFile::text(format!("{directory}/a.service.d/x.conf"), "[Service]\nTasksMax=7\n"));
    machine.ask(root(), Request::Reload);
    assert!(!is_released(&mut machine.manager));
    let graph = machine.manager.graph();
    let settings = &graph.unit(graph.find("a.service").expect("it runs")).settings;
    assert!(settings.exec().streams.iter().any(|stream| stream.handle == Some(HANDLE)));
    assert_eq!(settings.resources.tasks_max, TasksMax::Count(7));
}
