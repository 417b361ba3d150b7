//! What searches have found in the core about requests that are refused half-way, told by hand.

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
    let args = [Value::str(name), Value::str("replace")].into_iter().chain(lists).collect();
    call(world, client, "StartTransientUnit", args)
}

fn set(world: &mut World, client: ClientId, unit: &str, names: &[&str]) -> CallId {
    let list = names.iter().map(|name| property(name, Value::U64(1 << 20))).collect();
    let args = vec![Value::str(unit), Value::Bool(true), Value::Array("(sv)".into(), list)];
    call(world, client, "SetUnitProperties", args)
}

fn process(world: &mut World) -> i32 {
    let wanted = Fork { child_of: Some(Kernel::INIT), ..Fork::default() };
    world.backend_mut().kernel_mut().fork(&Caller::INIT, &wanted).expect("there is room")
}

/// A delegated scope that is up.
fn scope(world: &mut World, client: ClientId) {
    let pid = process(world);
    start(world, client, "s.scope", vec![property("PIDs", numbers(&[pid])), property("Delegate", Value::Bool(true))]);
    world.run_until_quiet();
}

/// How each of the calls was answered so far, and each job.
#[derive(Default)]
struct Told {
    answers: Vec<(CallId, Result<(), String>)>,
    results: Vec<String>,
}

impl Told {
    fn listen(&mut self, world: &mut World) {
        while let Some(visible) = world.take_visible() {
            match visible {
                Visible::Reply { call, result } => {
                    self.answers.push((call, result.map(drop).map_err(|refusal| refusal.to_string())));
                }
                Visible::Signal { message, .. } if message.member == "JobRemoved" => {
                    if let Some(Value::Str(result)) = message.body.last() {
                        self.results.push(result.to_string());
                    }
                }
                _ => {}
            }
        }
    }

    fn of(&self, call: CallId) -> Option<&Result<(), String>> {
        self.answers.iter().find(|(answered, _)| *answered == call).map(|(_, result)| result)
    }
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

fn read(world: &World, cgroup: &str, file: kernel::File) -> String {
    let kernel = world.backend().kernel();
    let id = kernel.lookup(&Caller::INIT, cgroup.as_bytes()).expect("it is there");
    let text = kernel.read(&Caller::INIT, id, file).expect("it has the file");
    text.trim().to_owned()
}

/// A successor that came after the refusal, and before the first drop-in was taken back, would apply it.
#[test]
fn who_is_refused_is_told_when_nothing_is_left_of_the_change() {
    let (mut world, client) = begin();
    scope(&mut world, client);
    let change = set(&mut world, client, "s.scope", &["TasksMax", "MemoryMax"]);
    until(&mut world, |op| matches!(op, Op::WriteFile { .. }));
    world.make(Move::Plan);
    world.refuse_step(Errno::NoSpc);
    let mut told = Told::default();
    until(&mut world, |op| matches!(op, Op::RemoveFile { .. }));
    told.listen(&mut world);
    assert_eq!(told.of(change), None, "a drop-in is still there");
    world.run_until_quiet();
    told.listen(&mut world);
    assert!(told.of(change).expect("answered").is_err());
    let directory = "/run/systemd/transient/s.scope.d/";
    assert_eq!(world.backend().store().below(directory).count(), 0);
}

/// The directory that one client names is not there; another has set a limit, which is kept.
#[test]
fn a_process_that_cannot_be_moved_refuses_nobody_but_who_asked_for_it() {
    let (mut world, client) = begin();
    scope(&mut world, client);
    // Both come while another plan runs.
    start(&mut world, client, "a.slice", Vec::new());
    until(&mut world, |op| matches!(op, Op::Mkdir { .. }));
    let pid = process(&mut world);
    let args = vec![Value::str("s.scope"), Value::str("/none"), numbers(&[pid])];
    let attach = call(&mut world, client, "AttachProcessesToUnit", args);
    world.make(Move::Client);
    let change = set(&mut world, client, "s.scope", &["MemoryMax"]);
    world.make(Move::Client);
    world.run_until_quiet();
    let mut told = Told::default();
    told.listen(&mut world);
    assert!(told.of(attach).expect("answered").is_err());
    assert_eq!(told.of(change), Some(&Ok(())));
    assert_eq!(read(&world, "/system.slice/s.scope", kernel::File::MemoryMax), "1048576");
}

/// The record of new settings cannot be written; by then a restart has joined the start, and must not make it "done".
#[test]
fn a_start_without_record_has_failed_though_it_has_become_a_restart() {
    let (mut world, client) = begin();
    start(&mut world, client, "a.slice", Vec::new());
    world.run_until_quiet();
    call(&mut world, client, "StopUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    world.run_until_quiet();
    Told::default().listen(&mut world);
    call(&mut world, client, "StartUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    world.run_until_quiet();
    let mut told = Told::default();
    told.listen(&mut world);
    told.results.clear();
    start(&mut world, client, "a.slice", vec![property("MemoryMax", Value::U64(1 << 20))]);
    until(&mut world, |op| matches!(op, Op::WriteFile { .. }));
    call(&mut world, client, "RestartUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    world.make(Move::Client);
    world.refuse_step(Errno::NoSpc);
    world.run_until_quiet();
    told.listen(&mut world);
    assert_eq!(told.results, ["failed"]);
}

/// A drop-in that cannot be written is the matter of who asked for it, not of the start that followed.
#[test]
fn a_start_does_not_take_the_blame_for_a_setting_nor_hide_it() {
    let (mut world, client) = begin();
    let change = set(&mut world, client, "a.slice", &["TasksMax"]);
    until(&mut world, |op| matches!(op, Op::WriteFile { .. }));
    start(&mut world, client, "a.slice", Vec::new());
    world.make(Move::Client);
    world.refuse_step(Errno::NoSpc);
    world.run_until_quiet();
    let mut told = Told::default();
    told.listen(&mut world);
    assert!(told.of(change).expect("answered").is_err(), "it is not kept");
}

/// One process was moved, another could not be: the first keeps the scope's directory, and with it those of the slices
/// above. They are tried again when it has ended, and not all the time until then.
#[test]
fn directories_above_a_failed_start_wait_for_who_is_left_in_it() {
    let (mut world, client) = begin();
    let processes = [process(&mut world), process(&mut world)];
    let list = vec![property("PIDs", numbers(&processes)), property("Slice", Value::str("a-b.slice"))];
    let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
    let args = [Value::str("s.scope"), Value::str("ignore-dependencies")].into_iter().chain(lists).collect();
    call(&mut world, client, "StartTransientUnit", args);
    until(&mut world, |op| matches!(op, Op::Attach { .. }));
    world.make(Move::Plan);
    world.refuse_step(Errno::NoMem);
    world.run_until_quiet();
    call(&mut world, client, "StopUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    world.run_until_quiet();
    let steps = world.effort().steps;
    world.advance(60_000_000);
    assert_eq!(world.effort().steps, steps, "there is nothing to do");
    world.backend_mut().kernel_mut().exit(processes[0], 0).expect("it lives");
    world.advance(60_000_000);
    let kernel = world.backend().kernel();
    assert!(kernel.lookup(&Caller::INIT, b"/a.slice").is_err(), "nobody is left");
}

/// A slice that somebody lies in is made transient, and its start is canceled before it begins. It stays what it was
/// made, and so it has to be on record: settings that follow lie beside that.
#[test]
fn a_unit_that_was_made_is_on_record_though_its_start_never_began() {
    let (mut world, client) = begin();
    let pid = process(&mut world);
    let list = vec![property("PIDs", numbers(&[pid])), property("Slice", Value::str("a-b.slice"))];
    let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
    let args = [Value::str("s.scope"), Value::str("ignore-dependencies")].into_iter().chain(lists).collect();
    call(&mut world, client, "StartTransientUnit", args);
    world.run_until_quiet();
    call(&mut world, client, "Subscribe", Vec::new());
    world.run_until_quiet();
    start(&mut world, client, "a-b.slice", vec![property("TasksMax", Value::U64(7))]);
    let job = loop {
        match world.take_visible() {
            Some(Visible::Signal { message, .. }) if message.member == "JobNew" => {
                if let [Value::U32(job), _, Value::Str(unit)] = message.body.as_slice()
                    && &**unit == "a.slice"
                {
                    break *job;
                }
            }
            Some(_) => {}
            None => assert!(world.step(), "no job of the slice above comes"),
        }
    };
    call(&mut world, client, "CancelJob", vec![Value::U32(job)]);
    world.make(Move::Client);
    world.run_until_quiet();
    let mut told = Told::default();
    told.listen(&mut world);
    assert_eq!(told.results, ["canceled", "dependency"]);
    let record = world.backend().store().read("/run/systemd/transient/a-b.slice").expect("it is on record");
    assert!(record.contains("TasksMax=7"), "{record}");
}

/// A scope starts once, also when it has left somebody behind and the arbiter was killed since.
#[test]
fn a_scope_that_has_ended_is_not_started_by_a_successor() {
    let (mut world, client) = begin();
    let pid = process(&mut world);
    start(
        &mut world,
        client,
        "s.scope",
        vec![property("PIDs", numbers(&[pid])), property("KillMode", Value::str("none"))],
    );
    world.run_until_quiet();
    call(&mut world, client, "StopUnit", vec![Value::str("s.scope"), Value::str("replace")]);
    world.run_until_quiet();
    let again = |world: &mut World| {
        let mut told = Told::default();
        told.listen(world);
        told.results.clear();
        let call = call(world, client, "StartUnit", vec![Value::str("s.scope"), Value::str("replace")]);
        world.run_until_quiet();
        told.listen(world);
        (told.of(call).cloned(), told.results)
    };
    let before = again(&mut world);
    world.crash();
    call(&mut world, client, "Subscribe", Vec::new());
    world.run_until_quiet();
    assert_eq!(again(&mut world), before);
}

/// The first write after a restart is refused: in the file stands what a predecessor wrote, and not the default.
#[test]
fn a_limit_that_a_successor_could_not_write_again_can_be_lifted() {
    let (mut world, client) = begin();
    scope(&mut world, client);
    set(&mut world, client, "s.scope", &["MemoryMax"]);
    world.run_until_quiet();
    assert_eq!(read(&world, "/system.slice/s.scope", kernel::File::MemoryMax), "1048576");
    world.crash();
    let is_its =
        |op: &Op| matches!(op, Op::Write { cgroup, file: "memory.max", .. } if cgroup.as_str().ends_with("scope"));
    until(&mut world, is_its);
    world.refuse_step(Errno::Busy);
    world.run_until_quiet();
    let list = vec![property("MemoryMax", Value::U64(u64::MAX))];
    let args = vec![Value::str("s.scope"), Value::Bool(true), Value::Array("(sv)".into(), list)];
    call(&mut world, client, "SetUnitProperties", args);
    world.run_until_quiet();
    assert_eq!(read(&world, "/system.slice/s.scope", kernel::File::MemoryMax), "max");
}

/// A slice is removed after what is below it. When that ends half-way, the directory of a member that is not up is not
/// counted on any more, and made anew when it is needed.
#[test]
fn what_is_below_a_removal_that_was_broken_off_is_not_believed_to_be_there() {
    let (mut world, client) = begin();
    let pid = process(&mut world);
    start(&mut world, client, "a-s.slice", Vec::new());
    let list = vec![property("PIDs", numbers(&[pid])), property("Slice", Value::str("a-s.slice"))];
    start(&mut world, client, "s.scope", list);
    until(&mut world, |op| matches!(op, Op::WriteFile { file, .. } if file.ends_with("/s.scope")));
    world.refuse_step(Errno::NoSpc);
    world.run_until_quiet();
    set(&mut world, client, "s.scope", &["MemoryMax"]);
    world.run_until_quiet();
    let is_there =
        |world: &World| world.backend().kernel().lookup(&Caller::INIT, b"/a.slice/a-s.slice/s.scope").is_ok();
    assert!(is_there(&world), "limits of a unit that is not up lie in a directory of its own");
    call(&mut world, client, "StopUnit", vec![Value::str("a-s.slice"), Value::str("replace")]);
    until(&mut world, |op| matches!(op, Op::Rmdir { .. }));
    world.break_off_step(1, Errno::MFile);
    assert!(!is_there(&world));
    let manager = world.manager();
    let scope = manager.graph().find("s.scope").expect("it is kept");
    assert!(!manager.graph().unit(scope).realized.exists);
}
