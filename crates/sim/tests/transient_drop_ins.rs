//! Drop-ins of transient units that come, change and go: a reload makes of them what a restart would.

use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Errno};
use cgarbiter_sim::kernel::{self, Caller, File, Fork, Kernel};
use cgarbiter_sim::world::{Move, Visible, World};

const CGROUP: &str = "/system.slice/a-b.scope";
const OWN: &str = "/etc/systemd/system/a-b.scope.d/60-own.conf";
const TYPE: &str = "/run/systemd/system/scope.d/50-type.conf";
const PREFIX: &str = "/etc/systemd/system/a-.scope.d/40-prefix.conf";

struct Story {
    world: World,
    client: ClientId,
    told: Vec<String>,
}

impl Story {
    /// A scope that was made with two limits, and given another one since.
    fn begin() -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
        let mut world = World::new(config, kernel::Config::default());
        let client = world.connect(0, None);
        let mut story = Self { world, client, told: Vec::new() };
        let wanted = Fork { child_of: Some(Kernel::INIT), ..Fork::default() };
        let pid = story.world.backend_mut().kernel_mut().fork(&Caller::INIT, &wanted).expect("there is room");
        let pids = Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())]);
        let list = vec![property("PIDs", pids), number("MemoryMax", 8 << 20), number("TasksMax", 100)];
        let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
        story.call(
            "StartTransientUnit",
            [Value::str("a-b.scope"), Value::str("fail")].into_iter().chain(lists).collect(),
        );
        story.world.run_until_quiet();
        story.set(number("MemoryHigh", 6 << 20));
        story.world.run_until_quiet();
        story
    }

    fn call(&mut self, member: &str, args: Vec<Value>) -> CallId {
        let call = MethodCall {
            path: "/org/freedesktop/systemd1".into(),
            interface: Some("org.freedesktop.systemd1.Manager".into()),
            member: member.into(),
            args,
        };
        self.world.call(self.client, call)
    }

    fn set(&mut self, property: Value) -> CallId {
        let list = Value::Array("(sv)".into(), vec![property]);
        self.call("SetUnitProperties", vec![Value::str("a-b.scope"), Value::Bool(true), list])
    }

    fn put(&mut self, file: &str, settings: &str) {
        self.world.backend_mut().store_mut().write(file, format!("[Scope]\n{settings}\n"));
    }

    fn take_away(&mut self, file: &str) {
        assert!(self.world.backend_mut().store_mut().remove(file));
    }

    /// Whether the call has been answered, and how.
    fn answer(&mut self, call: CallId) -> Option<bool> {
        let mut answer = None;
        while let Some(visible) = self.world.take_visible() {
            match visible {
                Visible::Reply { call: answered, result } if answered == call => answer = Some(result.is_ok()),
                Visible::Message(message) => self.told.push(message.text),
                Visible::Reply { .. } | Visible::Signal { .. } => {}
            }
        }
        answer
    }

    fn reload(&mut self) {
        let call = self.call("Reload", Vec::new());
        self.world.run_until_quiet();
        assert_eq!(self.answer(call), Some(true));
        cgarbiter_core::invariants::check(self.world.manager());
        assert_eq!(self.world.manager().outstanding(), [], "at rest nothing is left to do");
    }

    fn until(&mut self, is_it: impl Fn(&Op) -> bool) {
        while !self.world.backend().next_step().is_some_and(|step| is_it(&step.op)) {
            assert!(self.world.step(), "the world is at rest, and it has not come");
        }
    }

    /// `memory.max`, `memory.high` (in MiB) and `pids.max` as they are in force.
    fn limits(&self) -> [String; 3] {
        let kernel = self.world.backend().kernel();
        let id = kernel.lookup(&Caller::INIT, CGROUP.as_bytes()).expect("it is up");
        let read = |file| kernel.read(&Caller::INIT, id, file).expect("it is there").trim_end().to_owned();
        let memory = |file| read(file).parse::<u64>().map_or("max".into(), |bytes| (bytes >> 20).to_string());
        [memory(File::MemoryMax), memory(File::MemoryHigh), read(File::PidsMax)]
    }

    /// What is in force after a reload, and the settings and drop-ins that a restart finds are the same.
    fn reloaded(&mut self) -> [String; 3] {
        self.reload();
        let mut other = self.world.clone();
        other.crash();
        other.run_until_quiet();
        let unit = |world: &World| {
            let graph = world.manager().graph();
            let unit = graph.unit(graph.find("a-b.scope").expect("it is up"));
            (unit.settings.clone(), unit.drop_ins.clone(), unit.fragment.clone())
        };
        assert_eq!(unit(&self.world), unit(&other), "as after a restart");
        self.limits()
    }
}

fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

fn number(name: &str, value: u64) -> Value {
    property(name, Value::U64(value))
}

#[test]
fn a_drop_in_that_comes_changes_or_goes_counts_from_the_reload_on() {
    let mut story = Story::begin();
    for file in [OWN, TYPE, PREFIX] {
        assert_eq!(story.limits(), ["8", "6", "100"], "{file}");
        story.put(file, "TasksMax=50\nMemoryHigh=1M");
        assert_eq!(story.limits(), ["8", "6", "100"], "nobody has asked for a reload");
        assert_eq!(story.reloaded(), ["8", "6", "50"], "{file}: what was set since counts above it");
        story.put(file, "TasksMax=40\nMemoryMax=4M");
        assert_eq!(story.reloaded(), ["4", "6", "40"], "{file}");
        story.take_away(file);
        assert_eq!(story.reloaded(), ["8", "6", "100"], "{file}: what it was made with");
    }
}

#[test]
fn drop_ins_apply_by_their_names_and_hide_those_of_the_same() {
    let mut story = Story::begin();
    story.put(PREFIX, "TasksMax=1");
    story.put(TYPE, "TasksMax=2\nMemoryMax=2M");
    assert_eq!(story.reloaded(), ["2", "6", "2"]);
    story.put("/etc/systemd/system/a-b.scope.d/50-type.conf", "MemoryMax=3M");
    assert_eq!(story.reloaded(), ["3", "6", "1"]);
    story.put("/etc/systemd/system.control/a-b.scope.d/50-type.conf", "MemoryMax=5M");
    assert_eq!(story.reloaded(), ["5", "6", "1"]);
}

/// No file is read, and nothing written, for a unit that nothing has changed for.
#[test]
fn a_reload_without_news_writes_nothing() {
    let mut story = Story::begin();
    story.put(OWN, "TasksMax=50");
    story.reload();
    story.world.start_trace();
    story.put("/etc/systemd/system/b-c.scope.d/50-other.conf", "TasksMax=3");
    story.reload();
    let trace = story.world.take_trace().join("\n");
    assert!(!trace.contains("record ") && !trace.contains("write "), "{trace}");
}

#[test]
fn a_unit_with_an_unfit_drop_in_keeps_what_it_has_and_is_told_once() {
    let mut story = Story::begin();
    story.put(OWN, "TasksMax=50");
    story.reload();
    story.world.backend_mut().store_mut().link(OWN, "/nowhere");
    for times in [1, 0] {
        story.reload();
        let told = std::mem::take(&mut story.told);
        assert_eq!(told.iter().filter(|text| text.contains("keeps its settings")).count(), times, "{told:?}");
        assert_eq!(story.limits(), ["8", "6", "50"]);
    }
    story.put(OWN, "TasksMax=7");
    assert_eq!(story.reloaded(), ["8", "6", "7"]);
}

/// A change that is on its way counts as if it were on record; one that is refused leaves what the reload has brought.
#[test]
fn a_change_that_is_on_its_way_counts_above_the_drop_in_until_it_is_refused() {
    for refused in [false, true] {
        let mut story = Story::begin();
        let set = story.set(number("TasksMax", 30));
        story.until(|op| matches!(op, Op::WriteFile { .. }));
        story.put(OWN, "TasksMax=50\nMemoryMax=4M");
        story.call("Reload", Vec::new());
        story.world.make(Move::Client);
        if refused {
            story.world.refuse_step(Errno::NoSpc);
        }
        story.world.run_until_quiet();
        assert_eq!(story.answer(set), Some(!refused));
        assert_eq!(story.limits(), ["4", "6", if refused { "50" } else { "30" }]);
        story.take_away(OWN);
        assert_eq!(story.reloaded(), ["8", "6", if refused { "100" } else { "30" }]);
    }
}

/// A record that has gone cannot tell what the unit was made with.
#[test]
fn a_unit_whose_record_has_gone_keeps_what_it_has() {
    let mut story = Story::begin();
    story.take_away("/run/systemd/transient/a-b.scope");
    story.put(OWN, "TasksMax=50");
    story.reload();
    assert_eq!(story.limits(), ["8", "6", "100"]);
    assert!(story.told.iter().any(|text| text.contains("a-b.scope: it is not there")), "{:?}", story.told);
}
