//! What searches have found in the core about units that end, fail or are found again while something else goes on,
//! told by hand.

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

fn service(world: &mut World, client: ClientId, kind: &str, argv: &[&str], remains: bool) {
    let line = [Value::str(argv[0]), Value::strings(argv.to_vec()), Value::Bool(false)];
    let command = Value::Array("(sasb)".into(), vec![Value::Struct(line.into())]);
    let list = vec![
        property("Type", Value::str(kind)),
        property("RemainAfterExit", Value::Bool(remains)),
        property("ExecStart", command),
    ];
    start(world, client, "v.service", list);
}

fn state(world: &World, unit: &str) -> &'static str {
    let graph = world.manager().graph();
    graph.find(unit).map_or("gone", |id| graph.unit(id).state.sub())
}

/// Goes on until a job is said to have ended; how.
fn until_removed(world: &mut World) -> String {
    for _ in 0..1_000 {
        while let Some(visible) = world.take_visible() {
            if let Visible::Signal { message, .. } = visible
                && message.member == "JobRemoved"
                && let Some(Value::Str(result)) = message.body.last()
            {
                return result.to_string();
            }
        }
        assert!(world.step(), "the world is at rest, and no job has ended");
    }
    panic!("no job ends");
}

/// Somebody stays in the scope, so that the directory does not tell that it was stopped; the record has to.
#[test]
fn a_scope_that_was_stopped_without_a_kill_is_down_whenever_the_next_arbiter_comes() {
    let (mut world, client) = begin();
    let pid = process(&mut world);
    start(
        &mut world,
        client,
        "s.scope",
        vec![property("PIDs", numbers(&[pid])), property("KillMode", Value::str("none"))],
    );
    assert_eq!(until_removed(&mut world), "done");
    call(&mut world, client, "StopUnit", vec![Value::str("s.scope"), Value::str("replace")]);
    assert_eq!(until_removed(&mut world), "done");
    world.crash();
    world.run_until_quiet();
    assert_eq!(state(&world, "s.scope"), "dead");
    assert_eq!(place(&world, pid), "/system.slice/s.scope");
}

/// That it has become its program was told to the arbiter before; nobody tells the next, who must not wait for it.
#[test]
fn a_service_whose_program_runs_is_up_whenever_the_next_arbiter_comes() {
    let (mut world, client) = begin();
    service(&mut world, client, "exec", &["/bin/sleep", "infinity"], false);
    assert_eq!(until_removed(&mut world), "done");
    world.crash();
    assert_eq!(state(&world, "v.service"), "running");
    world.advance(200_000_000);
    assert_eq!(state(&world, "v.service"), "running");
}

#[test]
fn a_service_whose_process_cannot_be_held_for_a_moment_runs_on() {
    let (mut world, client) = begin();
    service(&mut world, client, "simple", &["/bin/sleep", "infinity"], false);
    world.run_until_quiet();
    world.crash();
    until(&mut world, |op| matches!(op, Op::WatchProcess { .. }));
    world.refuse_step(Errno::MFile);
    world.run_until_quiet();
    assert_eq!(state(&world, "v.service"), "running");
    world.advance(10_000_000);
    assert_eq!(world.manager().outstanding(), [], "it is held in the end");
    let graph = world.manager().graph();
    let main = graph.find("v.service").and_then(|id| graph.unit(id).service.as_ref()?.main_pid).expect("it is known");
    let (kernel, main) = (world.backend_mut().kernel_mut(), i32::try_from(main).expect("a number"));
    kernel.exit(main, 0).expect("it lives");
    kernel.reap(Kernel::INIT, main).expect("it has ended");
    world.run_until_quiet();
    assert_eq!(state(&world, "v.service"), "failed", "its end is heard, and nobody can tell how it was");
}

#[test]
fn a_service_that_is_stopped_as_it_empties_has_nothing_left_to_do() {
    let (mut world, client) = begin();
    service(&mut world, client, "simple", &["/bin/sleep", "0.5"], true);
    world.run_until_quiet();
    assert!(world.pass_to_deadline(1_000_000));
    until(&mut world, |op| matches!(op, Op::RenewRecord { .. }));
    call(&mut world, client, "StopUnit", vec![Value::str("v.service"), Value::str("replace")]);
    world.make(Move::Client);
    world.make(Move::Notice);
    world.run_until_quiet();
    cgarbiter_core::invariants::check(world.manager());
    assert_eq!(state(&world, "v.service"), "gone");
}

/// What a refused change brings back is what the drop-in said, and not what counted: another one may lie above.
#[test]
fn a_refused_change_leaves_the_drop_in_that_it_was_to_replace() {
    let (mut world, client) = begin();
    call(&mut world, client, "StartUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    world.run_until_quiet();
    let mut set = |runtime, limits: &[(&str, u64)]| {
        let list = limits.iter().map(|(name, value)| property(name, Value::U64(*value))).collect();
        let args = vec![Value::str("a.slice"), Value::Bool(runtime), Value::Array("(sv)".into(), list)];
        call(&mut world, client, "SetUnitProperties", args);
        until(&mut world, |op| matches!(op, Op::WriteFile { .. }));
        if limits.len() > 1 {
            world.make(Move::Plan);
            world.refuse_step(Errno::NoSpc);
        }
        world.run_until_quiet();
    };
    set(false, &[("MemoryMax", 4 << 20)]);
    set(true, &[("MemoryMax", 1 << 20)]);
    set(false, &[("MemoryMax", 2 << 20), ("TasksMax", 7)]);
    let lasting = world.backend().store().read("/etc/systemd/system.control/a.slice.d/50-MemoryMax.conf");
    assert!(lasting.is_some_and(|text| text.contains("4194304")), "{lasting:?}");
}

/// The limits that a start was to bring are taken back, so that it has not been done.
#[test]
fn a_slice_that_is_not_made_transient_after_all_is_not_said_to_be() {
    let (mut world, client) = begin();
    call(&mut world, client, "StartUnit", vec![Value::str("a-b.slice"), Value::str("replace")]);
    world.run_until_quiet();
    while world.take_visible().is_some() {}
    start(&mut world, client, "c.slice", Vec::new());
    until(&mut world, |op| matches!(op, Op::WriteFile { .. }));
    start(&mut world, client, "a-b.slice", vec![property("MemoryMax", Value::U64(1 << 20))]);
    world.make(Move::Client);
    call(&mut world, client, "FreezeUnit", vec![Value::str("a.slice")]);
    world.make(Move::Client);
    assert_eq!(until_removed(&mut world), "done", "that of the other slice");
    until(&mut world, |op| matches!(op, Op::Watch { cgroup, .. } if cgroup.as_str().ends_with("a-b.slice")));
    world.refuse_step(Errno::NoSpc);
    assert_eq!(until_removed(&mut world), "failed");
    world.run_until_quiet();
    let machine = world.backend().kernel();
    let slice = machine.lookup(&Caller::INIT, b"/a.slice/a-b.slice").expect("it is up");
    let limit = machine.read(&Caller::INIT, slice, kernel::File::MemoryMax);
    assert_ne!(limit.ok().as_deref(), Some("1048576\n"));
}
