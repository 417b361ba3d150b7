//! What searches have found in the core about units that come to their end while something else goes on, told by hand.

use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Errno};
use cgarbiter_sim::kernel::{self, Caller, Fork, Kernel};
use cgarbiter_sim::world::{Move, Visible, World};

fn begin() -> (World, ClientId) {
    let mut config = Config::example();
    config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
    let mut world = World::new(config, kernel::Config::default());
    let client = world.connect(0, None);
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

fn numbers(pids: &[i32]) -> Value {
    Value::Array("u".into(), pids.iter().map(|pid| Value::U32(pid.unsigned_abs())).collect())
}

fn start(world: &mut World, client: ClientId, name: &str, list: Vec<Value>) -> CallId {
    let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
    let args = [Value::str(name), Value::str("fail")].into_iter().chain(lists).collect();
    call(world, client, "StartTransientUnit", args)
}

fn process(world: &mut World) -> i32 {
    let wanted = Fork { child_of: Some(Kernel::INIT), ..Fork::default() };
    world.backend_mut().kernel_mut().fork(&Caller::INIT, &wanted).expect("there is room")
}

fn end(world: &mut World, pid: i32) {
    let kernel = world.backend_mut().kernel_mut();
    kernel.exit(pid, 0).expect("it lives");
    let _ = kernel.reap(Kernel::INIT, pid);
}

fn answer(world: &mut World, call: CallId) -> Option<Result<(), String>> {
    let told = std::iter::from_fn(|| world.take_visible());
    let mut answers = told.filter_map(|visible| match visible {
        Visible::Reply { call: answered, result } if answered == call => Some(result),
        _ => None,
    });
    answers.next().map(|result| result.map(drop).map_err(|refusal| refusal.to_string()))
}

/// Goes on until the next step is like that.
fn until(world: &mut World, is_it: impl Fn(&Op) -> bool) {
    for _ in 0..1_000 {
        if world.backend().next_step().is_some_and(|step| is_it(&step.op)) {
            return;
        }
        assert!(world.step(), "the world is at rest, and it has not come");
    }
    panic!("it does not come");
}

fn place(world: &World, pid: i32) -> String {
    let kernel = world.backend().kernel();
    let cgroup = kernel.cgroup_of(pid).expect("it lives");
    String::from_utf8_lossy(&kernel.path(cgroup)).into_owned()
}

/// Whoever is told "done" relies on the processes' being there.
#[test]
fn who_attaches_to_a_scope_that_ends_is_refused() {
    for is_planned in [true, false] {
        let (mut world, client) = begin();
        let (first, second) = (process(&mut world), process(&mut world));
        let list = vec![property("PIDs", numbers(&[first])), property("Delegate", Value::Bool(true))];
        start(&mut world, client, "s.scope", list);
        world.run_until_quiet();
        let args = vec![Value::str("s.scope"), Value::str("/"), numbers(&[second])];
        let attach = if is_planned {
            end(&mut world, first);
            until(&mut world, |op| matches!(op, Op::Rmdir { .. }));
            let attach = call(&mut world, client, "AttachProcessesToUnit", args);
            world.make(Move::Client);
            attach
        } else {
            // It arrives while another plan runs, and the end comes before the next.
            start(&mut world, client, "a.slice", Vec::new());
            until(&mut world, |op| matches!(op, Op::Mkdir { .. }));
            let attach = call(&mut world, client, "AttachProcessesToUnit", args);
            world.make(Move::Client);
            end(&mut world, first);
            world.make(Move::Notice);
            attach
        };
        world.run_until_quiet();
        let said = answer(&mut world, attach).expect("answered");
        assert!(said.expect_err("refused").contains("not active"), "planned: {is_planned}");
        assert_eq!(place(&world, second), "/");
    }
}

/// The directory is busy when it is to be removed, and empty before the plan is over: the only notice comes in between.
#[test]
fn a_scope_that_empties_while_its_end_is_under_way_leaves_nothing() {
    let (mut world, client) = begin();
    start(&mut world, client, "a.slice", Vec::new());
    world.run_until_quiet();
    let (first, second) = (process(&mut world), process(&mut world));
    let list = vec![property("PIDs", numbers(&[first, second])), property("Slice", Value::str("a.slice"))];
    start(&mut world, client, "s.scope", list);
    until(&mut world, |op| matches!(op, Op::Attach { .. }));
    world.make(Move::Plan);
    let limit = Value::Array("(sv)".into(), vec![property("MemoryMax", Value::U64(1 << 20))]);
    call(&mut world, client, "SetUnitProperties", vec![Value::str("a.slice"), Value::Bool(true), limit]);
    world.make(Move::Client);
    world.refuse_step(Errno::NoMem);
    until(&mut world, |op| matches!(op, Op::Rmdir { .. }));
    world.make(Move::Plan);
    assert!(world.backend().is_running(), "there is more in this plan");
    end(&mut world, first);
    while world.backend().has_event() {
        world.make(Move::Notice);
    }
    world.run_until_quiet();
    let kernel = world.backend().kernel();
    assert!(kernel.lookup(&Caller::INIT, b"/a.slice/s.scope").is_err(), "the directory has gone");
}
