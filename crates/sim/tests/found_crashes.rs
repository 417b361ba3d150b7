//! What swarms and the crash explorer have found by killing the arbiter, told by hand, each as short as its story.

use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Errno};
use cgarbiter_sim::kernel::{self, Caller, File, Fork};
use cgarbiter_sim::world::{Move, Visible, World};

struct Story {
    world: World,
    client: cgarbiter_core::client::ClientId,
}

impl Story {
    fn begin() -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
        let mut world = World::new(config, kernel::Config::default());
        let client = world.connect(0, None);
        Self { world, client }
    }

    fn call(&mut self, member: &str, args: Vec<Value>) {
        let call = MethodCall {
            path: "/org/freedesktop/systemd1".into(),
            interface: Some("org.freedesktop.systemd1.Manager".into()),
            member: member.into(),
            args,
        };
        self.world.call(self.client, call);
    }

    fn start(&mut self, name: &str, list: Vec<Value>) {
        let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
        self.call("StartTransientUnit", [Value::str(name), Value::str("replace")].into_iter().chain(lists).collect());
    }

    fn start_scope(&mut self, name: &str, slice: &str, mut list: Vec<Value>) -> i32 {
        let pid = self.world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("there is room");
        list.push(property("Slice", Value::str(slice)));
        list.push(property("PIDs", Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())])));
        self.start(name, list);
        pid
    }

    fn crash(&mut self) {
        self.world.crash();
        self.world.run_until_quiet();
    }

    /// The next job that ends, and what has happened by then.
    fn until_a_job_ends(&mut self) {
        while self.world.step() {
            while let Some(visible) = self.world.take_visible() {
                if matches!(visible, Visible::Signal { message, .. } if message.member == "JobRemoved") {
                    return;
                }
            }
        }
        panic!("no job ends");
    }

    fn value(&self, cgroup: &str, file: File) -> Option<String> {
        let kernel = self.world.backend().kernel();
        let id = kernel.lookup(&Caller::INIT, cgroup.as_bytes()).ok()?;
        kernel.read(&Caller::INIT, id, file).ok().map(|text| text.trim_end().to_owned())
    }

    fn state(&self, unit: &str) -> &'static str {
        let graph = self.world.manager().graph();
        graph.find(unit).map_or("gone", |id| graph.unit(id).state.sub())
    }
}

fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

fn limit(name: &str, number: u64) -> Value {
    property(name, Value::U64(number))
}

#[test]
fn a_slice_that_is_up_is_started_anew_when_that_is_on_record() {
    let mut story = Story::begin();
    story.start_scope("s.scope", "a.slice", Vec::new());
    // Its own job has ended; that of its member is in the middle of its plan.
    story.until_a_job_ends();
    assert!(story.world.backend().is_running());
    story.start("a.slice", vec![limit("MemoryMax", 1 << 20)]);
    let mut ended = 0;
    while ended < 2 {
        story.until_a_job_ends();
        ended += 1;
    }
    story.crash();
    assert_eq!(story.value("/a.slice", File::MemoryMax).as_deref(), Some("1048576"));
}

#[test]
fn what_a_slice_that_is_always_loaded_needs_is_counted_after_a_crash() {
    let mut story = Story::begin();
    story.start("system.slice", vec![limit("CPUWeight", 200)]);
    story.world.run_until_quiet();
    story.crash();
    story.start_scope("s.scope", "system.slice", Vec::new());
    story.world.run_until_quiet();
    assert_eq!(story.value("/system.slice", File::CpuWeight).as_deref(), Some("200"));
}

#[test]
fn a_scope_that_was_stopped_is_down_after_a_crash_whoever_stayed_behind() {
    let mut story = Story::begin();
    let pid = story.start_scope("s.scope", "a.slice", vec![property("KillMode", Value::str("none"))]);
    story.world.run_until_quiet();
    story.call("StopUnit", vec![Value::str("s.scope"), Value::str("replace")]);
    story.world.run_until_quiet();
    assert_eq!(
        (story.state("s.scope"), story.value("/a.slice/s.scope", File::CgroupProcs)),
        ("dead", Some(pid.to_string()))
    );
    story.crash();
    assert_eq!(story.state("s.scope"), "dead");
    story.world.backend_mut().kernel_mut().exit(pid, 0).expect("it lives");
    story.world.run_until_quiet();
    assert_eq!((story.state("s.scope"), story.value("/a.slice/s.scope", File::CgroupProcs)), ("gone", None));
}

#[test]
fn a_slice_that_would_not_go_hands_nothing_down() {
    let mut story = Story::begin();
    let list = vec![limit("MemoryMax", 1 << 20)];
    story.start("a-b.slice", list);
    // Refused twice: what is made for it, and its end.
    while let Some(next) = story.world.moves().next() {
        let step = story.world.backend().next_step().map(|step| step.op.clone());
        match step.filter(|_| next == Move::Plan) {
            Some(Op::Mkdir { cgroup }) if cgroup.as_str().ends_with("a-b.slice") => {
                story.world.refuse_step(Errno::NoMem)
            }
            Some(Op::Rmdir { .. }) => story.world.refuse_step(Errno::MFile),
            _ => story.world.make(next),
        }
    }
    assert_eq!(story.world.manager().outstanding(), [], "at rest nothing is left to do");
    assert_eq!(story.value("/a.slice", File::CgroupSubtreeControl).as_deref(), Some(""));
}

#[test]
fn a_refused_value_does_not_come_to_life_by_a_crash() {
    let mut story = Story::begin();
    story.start_scope("s.scope", "a.slice", Vec::new());
    for (bytes, fails) in [(2 << 20, false), (1 << 20, true)] {
        let list = Value::Array("(sv)".into(), vec![limit("MemoryMax", bytes)]);
        story.call("SetUnitProperties", vec![Value::str("s.scope"), Value::Bool(true), list]);
        story.world.step();
        while !fails && story.world.step() {}
    }
    story.world.refuse_step(Errno::NoSpc);
    story.world.run_until_quiet();
    story.crash();
    assert_eq!(story.value("/a.slice/s.scope", File::MemoryMax).as_deref(), Some("2097152"));
}

#[test]
fn a_scope_that_could_not_be_watched_at_once_is_watched_later() {
    let mut story = Story::begin();
    let pid = story.start_scope("s.scope", "a.slice", Vec::new());
    story.world.run_until_quiet();
    story.world.crash();
    while let Some(next) = story.world.moves().next() {
        let is_watch = story.world.backend().next_step().is_some_and(|step| matches!(step.op, Op::Watch { .. }));
        if next == Move::Plan && is_watch { story.world.refuse_step(Errno::NoSpc) } else { story.world.make(next) }
    }
    story.world.backend_mut().kernel_mut().exit(pid, 0).expect("it lives");
    story.world.advance(10_000_000);
    assert_eq!(story.state("s.scope"), "gone");
}
