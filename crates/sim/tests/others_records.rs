//! A file of somebody else that comes to lie, while the arbiter runs, where the record of a unit is to be.

use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Errno};
use cgarbiter_sim::kernel::{self, Caller, Fork, Kernel};
use cgarbiter_sim::world::{Move, Visible, World};

const FILE: &str = "/run/systemd/transient/s.scope";
const BESIDE: &str = "/run/systemd/transient/s.scope.d/50-TasksMax.conf";
const TEXT: &str = "[Scope]\nMemoryMax=1\n";

struct Story {
    world: World,
    client: ClientId,
    told: Vec<String>,
}

impl Story {
    fn begin() -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
        let mut world = World::new(config, kernel::Config::default());
        let client = world.connect(0, None);
        Self { world, client, told: Vec::new() }
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
        let args = [Value::str(name), Value::str("fail")].into_iter().chain(lists).collect();
        self.call("StartTransientUnit", args);
    }

    /// Asks for the scope, with a process of its own.
    fn start_scope(&mut self) -> i32 {
        let wanted = Fork { child_of: Some(Kernel::INIT), ..Fork::default() };
        let pid = self.world.backend_mut().kernel_mut().fork(&Caller::INIT, &wanted).expect("there is room");
        self.start("s.scope", vec![property("PIDs", Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())]))]);
        pid
    }

    fn end(&mut self, pid: i32) {
        let kernel = self.world.backend_mut().kernel_mut();
        kernel.exit(pid, 0).expect("it lives");
        let _ = kernel.reap(Kernel::INIT, pid);
    }

    fn until(&mut self, is_it: impl Fn(&Op) -> bool) {
        while !self.world.backend().next_step().is_some_and(|step| is_it(&step.op)) {
            assert!(self.world.step(), "the world is at rest, and it has not come");
        }
    }

    /// What the jobs have come to since this was asked last.
    fn results(&mut self) -> Vec<String> {
        self.world.run_until_quiet();
        cgarbiter_core::invariants::check(self.world.manager());
        assert_eq!(self.world.manager().outstanding(), [], "at rest nothing is left to do");
        let mut results = Vec::new();
        while let Some(visible) = self.world.take_visible() {
            match visible {
                Visible::Signal { message, .. } if message.member == "JobRemoved" => match message.body.last() {
                    Some(Value::Str(result)) => results.push(result.clone()),
                    other => panic!("a result is a string: {other:?}"),
                },
                Visible::Message(message) => self.told.push(message.text),
                Visible::Signal { .. } | Visible::Reply { .. } => {}
            }
        }
        results
    }

    fn put(&mut self, file: &str) {
        self.world.backend_mut().store_mut().write(file, TEXT);
    }

    fn read(&self, file: &str) -> Option<&str> {
        self.world.backend().store().read(file)
    }

    fn state(&self, unit: &str) -> &'static str {
        let graph = self.world.manager().graph();
        graph.find(unit).map_or("gone", |id| graph.unit(id).state.sub())
    }

    fn place(&self, pid: i32) -> String {
        let kernel = self.world.backend().kernel();
        String::from_utf8_lossy(&kernel.path(kernel.cgroup_of(pid).expect("it lives"))).into_owned()
    }

    fn has(&self, cgroup: &str) -> bool {
        self.world.backend().kernel().lookup(&Caller::INIT, cgroup.as_bytes()).is_ok()
    }
}

fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

fn tasks_max(unit: &str) -> Vec<Value> {
    let list = vec![property("TasksMax", Value::U64(7))];
    vec![Value::str(unit), Value::Bool(true), Value::Array("(sv)".into(), list)]
}

#[test]
fn a_start_fails_and_the_file_stays_until_its_owner_takes_it_away() {
    let mut story = Story::begin();
    for file in [FILE, BESIDE] {
        story.put(file);
    }
    for _ in 0..2 {
        let pid = story.start_scope();
        assert_eq!(story.results(), ["failed"]);
        assert_eq!((story.state("s.scope"), story.place(pid)), ("failed", "/".to_owned()));
        assert!(!story.has("/system.slice/s.scope"));
        let told = std::mem::take(&mut story.told);
        let about = |told: &&String| told.contains(&format!("{FILE} is somebody else's, and stays"));
        assert_eq!(told.iter().filter(about).count(), 1, "{told:?}");
        // Nor does anything that is done with the failed unit reach what is his.
        story.call("SetUnitProperties", tasks_max("s.scope"));
        story.world.run_until_quiet();
        story.call("ResetFailedUnit", vec![Value::str("s.scope")]);
        assert_eq!(story.results(), [""; 0]);
        assert_eq!(story.state("s.scope"), "gone");
        assert_eq!([story.read(FILE), story.read(BESIDE)], [Some(TEXT); 2]);
    }
    story.world.backend_mut().store_mut().remove(FILE);
    let pid = story.start_scope();
    assert_eq!(story.results(), ["done"]);
    assert_eq!(story.place(pid), "/system.slice/s.scope");
    assert!(story.read(FILE).is_some_and(|text| text != TEXT));
}

/// What was asked for meanwhile is taken back with the start, and not put beside the file.
#[test]
fn a_setting_of_a_start_that_fails_is_not_left_beside_the_file() {
    let mut story = Story::begin();
    story.start("c.slice", Vec::new());
    story.until(|op| matches!(op, Op::WriteFile { .. }));
    story.start_scope();
    story.world.make(Move::Client);
    story.call("SetUnitProperties", tasks_max("s.scope"));
    story.put(FILE);
    assert_eq!(story.results(), ["done", "failed"]);
    assert_eq!([story.read(FILE), story.read(BESIDE)], [Some(TEXT), None]);
    story.call("ResetFailedUnit", vec![Value::str("s.scope")]);
    assert_eq!(story.results(), [""; 0]);
    assert_eq!([story.read(FILE), story.read(BESIDE)], [Some(TEXT), None]);
}

/// A service is not started anew without a record, neither by itself nor when it is asked for.
#[test]
fn a_service_without_a_record_is_not_started() {
    let mut story = Story::begin();
    let file = "/run/systemd/transient/v.service";
    story.put(file);
    let words = |words: &[&str]| Value::Array("s".into(), words.iter().map(|word| Value::str(*word)).collect());
    let command = Value::Struct(vec![Value::str("/bin/sleep"), words(&["sleep", "inf"]), Value::Bool(false)]);
    let list = vec![
        property("ExecStart", Value::Array("(sasb)".into(), vec![command])),
        property("Restart", Value::str("always")),
    ];
    story.start("v.service", list);
    assert_eq!(story.results(), ["failed"]);
    story.world.advance(5_000_000);
    assert_eq!(story.state("v.service"), "failed");
    story.call("StartUnit", vec![Value::str("v.service"), Value::str("replace")]);
    assert_eq!(story.results().last().map(String::as_str), Some("failed"));
    assert_eq!((story.state("v.service"), story.read(file)), ("failed", Some(TEXT)));
    assert!(!story.has("/system.slice/v.service"));
}

/// A slice that is up is what it was, and keeps no record that is not its own.
#[test]
fn a_slice_that_is_up_is_not_made_transient() {
    let mut story = Story::begin();
    story.call("StartUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    assert_eq!(story.results(), ["done"]);
    let file = "/run/systemd/transient/a.slice";
    story.put(file);
    story.start("a.slice", vec![property("TasksMax", Value::U64(7))]);
    assert_eq!(story.results(), ["failed"]);
    let graph = story.world.manager().graph();
    let unit = graph.unit(graph.find("a.slice").expect("it is up"));
    assert_eq!((unit.transient, &unit.fragment, unit.state.sub()), (false, &None, "active"));
    story.call("StopUnit", vec![Value::str("a.slice"), Value::str("replace")]);
    assert_eq!(story.results(), ["done"]);
    assert_eq!(story.read(file), Some(TEXT));
}

/// Records that an arbiter before this one has left, or that could not be removed, are no reason to refuse anything.
#[test]
fn what_is_left_of_our_own_is_written_over() {
    let mut story = Story::begin();
    let pid = story.start_scope();
    story.until(|op| matches!(op, Op::Mkdir { cgroup } if cgroup.as_str().ends_with("/s.scope")));
    assert!(story.read(FILE).is_some(), "the record comes first");
    story.world.crash();
    story.client = story.world.connect(0, None);
    assert_eq!(story.results(), [""; 0]);
    assert_eq!((story.state("s.scope"), story.read(FILE)), ("gone", None));
    story.end(pid);
    for _ in 0..2 {
        let pid = story.start_scope();
        assert_eq!(story.results(), ["done"]);
        assert_eq!(story.place(pid), "/system.slice/s.scope");
        story.end(pid);
        story.until(|op| matches!(op, Op::RemoveFile { file, .. } if **file == *FILE));
        story.world.refuse_step(Errno::Io);
        assert_eq!(story.results(), [""; 0]);
        assert_eq!(story.state("s.scope"), "gone");
        assert!(story.read(FILE).is_some_and(|text| text != TEXT), "nobody could remove it");
    }
}
