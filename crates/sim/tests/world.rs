//! The world as a whole: one thing per step, a value that can be copied at any moment, nothing left to chance.

use cgarbiter_core::Config;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, Caller, CgroupId, File, Fork};
use cgarbiter_sim::world::{Move, Visible, World};

fn world() -> World {
    let mut config = Config::example();
    config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
    World::new(config, kernel::Config::default())
}

fn manager(member: &str, args: Vec<Value>) -> MethodCall {
    MethodCall {
        path: "/org/freedesktop/systemd1".into(),
        interface: Some("org.freedesktop.systemd1.Manager".into()),
        member: member.into(),
        args,
    }
}

fn start_scope(pid: i32) -> MethodCall {
    let property = |name: &str, value| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
    let pids = Value::Array("u".into(), vec![Value::U32(u32::try_from(pid).expect("a pid"))]);
    let properties = vec![property("MemoryMax", Value::U64(1 << 20)), property("PIDs", pids)];
    let name = [Value::str("a.scope"), Value::str("fail")];
    let lists = [Value::Array("(sv)".into(), properties), Value::Array("(sa(sv))".into(), Vec::new())];
    manager("StartTransientUnit", name.into_iter().chain(lists).collect())
}

/// A world in which somebody has asked for a scope, and nothing of it has happened yet.
fn asked() -> (World, i32) {
    let mut world = world();
    let pid = world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("there is room");
    let client = world.connect(0, None);
    world.call(client, manager("Subscribe", Vec::new()));
    world.call(client, start_scope(pid));
    (world, pid)
}

fn everything(world: &mut World) -> Vec<String> {
    world.run_until_quiet();
    std::iter::from_fn(|| world.take_visible()).map(|visible| format!("{visible:?}")).collect()
}

#[test]
fn a_copy_taken_at_any_step_goes_on_in_the_same_way() {
    let (mut world, _) = asked();
    let told = everything(&mut world.clone());
    assert!(told.iter().any(|line| line.contains("JobRemoved") && line.contains("done")), "{told:#?}");
    loop {
        assert_eq!(everything(&mut world.clone()), told);
        if !world.step() {
            break;
        }
    }
}

#[test]
fn a_step_is_one_move_and_a_plan_goes_on_before_anything_else() {
    let (mut world, _) = asked();
    let mut seen = Vec::new();
    while let Some(next) = world.moves().next() {
        assert!(world.backend().is_running() == (next == Move::Plan));
        world.make(next);
        seen.push(next);
    }
    assert!(seen.iter().filter(|step| **step == Move::Client).count() == 2);
    assert!(seen.contains(&Move::Plan) && !world.step());
}

#[test]
fn no_process_is_in_its_scope_before_its_limits_are() {
    let (mut world, pid) = asked();
    let read = |world: &World, file| {
        let kernel = world.backend().kernel();
        let scope = kernel.lookup(&Caller::INIT, b"/system.slice/a.scope").ok()?;
        kernel.read(&Caller::INIT, scope, file).ok()
    };
    while world.step() {
        let inside = read(&world, File::CgroupProcs).is_some_and(|procs| procs.contains(&pid.to_string()));
        assert!(!inside || read(&world, File::MemoryMax).as_deref() == Some("1048576\n"));
    }
    assert_ne!(world.backend().kernel().cgroup_of(pid), Some(CgroupId::ROOT));
}

#[test]
fn the_reply_comes_before_the_end_of_the_job() {
    let (mut world, _) = asked();
    world.run_until_quiet();
    let told: Vec<Visible> = std::iter::from_fn(|| world.take_visible()).collect();
    let replied = told.iter().rposition(|visible| matches!(visible, Visible::Reply { result: Ok(_), .. }));
    let removed = told
        .iter()
        .rposition(|visible| matches!(visible, Visible::Signal { message, .. } if message.member == "JobRemoved"));
    assert!(replied < removed && replied.is_some(), "{told:#?}");
}

#[test]
fn a_scope_whose_process_ends_is_gone_from_unit_list_and_tree() {
    let (mut world, pid) = asked();
    world.run_until_quiet();
    assert!(world.manager().graph().find("a.scope").is_some());
    world.backend_mut().kernel_mut().exit(pid, 0).expect("it lives");
    world.run_until_quiet();
    assert!(world.manager().graph().find("a.scope").is_none());
    let kernel = world.backend().kernel();
    assert!(kernel.lookup(&Caller::INIT, b"/system.slice/a.scope").is_err());
    assert!(world.backend().store().below("/run").next().is_none(), "its record went with it");
}
