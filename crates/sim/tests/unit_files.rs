//! Units from files: what is loaded, what a reload changes, and what it leaves alone.

use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::unit::LoadState;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Errno, RefusalKind};
use cgarbiter_sim::kernel::{self, Caller, Fork};
use cgarbiter_sim::store::Entry;
use cgarbiter_sim::world::{Visible, World};

const UNITS: &str = "/etc/systemd/system";

struct Machine {
    world: World,
    client: cgarbiter_core::client::ClientId,
}

impl Machine {
    /// A machine with these files in `/etc/systemd/system`, which the arbiter has read.
    fn with(files: &[(&str, &str)]) -> Self {
        let mut world = World::new(Config::example(), kernel::Config::default());
        let client = world.connect(0, None);
        let mut machine = Self { world, client };
        files.iter().for_each(|(file, content)| machine.write(file, content));
        assert_eq!(machine.call("Reload", vec![]), "done");
        machine
    }

    fn write(&mut self, file: &str, content: &str) {
        self.world.backend_mut().store_mut().write(format!("{UNITS}/{file}"), content);
    }

    /// The word of a refusal, or "done".
    fn call(&mut self, member: &str, args: Vec<Value>) -> String {
        let path = "/org/freedesktop/systemd1".into();
        let interface = Some("org.freedesktop.systemd1.Manager".into());
        let id = self.world.call(self.client, MethodCall { path, interface, member: member.into(), args });
        self.world.run_until_quiet();
        let mut answer = String::from("none");
        while let Some(visible) = self.world.take_visible() {
            if let Visible::Reply { call, result } = visible
                && call == id
            {
                answer = result.map_or_else(|refusal| format!("{:?}", refusal.kind), |_| "done".into());
            }
        }
        answer
    }

    /// `NeedDaemonReload`, alone and among all of them.
    fn needs_reload(&mut self, name: &str) -> bool {
        let unit = format!("/org/freedesktop/systemd1/unit/{}", cgarbiter_core::names::label_escape(name));
        let interface = Value::str("org.freedesktop.systemd1.Unit");
        let one = self.read(&unit, "Get", vec![interface, Value::str("NeedDaemonReload")]);
        let Value::Variant(one) = one else { panic!("{one:?} is no value of a property") };
        let one = *one;
        let all = self.read(&unit, "GetAll", vec![Value::str("")]);
        let value = Value::Variant(Box::new(one));
        let row = Value::Entry(Box::new(Value::str("NeedDaemonReload")), Box::new(value.clone()));
        assert!(all.as_array().is_some_and(|all| all.contains(&row)), "{row:?} is not in {all:?}");
        value == Value::Variant(Box::new(Value::Bool(true)))
    }

    fn read(&mut self, path: &str, member: &str, args: Vec<Value>) -> Value {
        let interface = Some("org.freedesktop.DBus.Properties".into());
        let id = self.world.call(self.client, MethodCall { path: path.into(), interface, member: member.into(), args });
        self.world.run_until_quiet();
        let answers = std::iter::from_fn(|| self.world.take_visible()).filter_map(|visible| match visible {
            Visible::Reply { call, result } if call == id => Some(result),
            _ => None,
        });
        answers.last().expect("answered").expect("granted").remove(0)
    }

    fn start(&mut self, name: &str) -> String {
        self.call("StartUnit", vec![Value::str(name), Value::str("replace")])
    }

    fn set(&mut self, name: &str, property: &str, value: u64) -> String {
        let list = Value::Array("(sv)".into(), vec![pair(property, Value::U64(value))]);
        self.call("SetUnitProperties", vec![Value::str(name), Value::Bool(true), list])
    }

    /// A transient scope with a process of its own.
    fn start_scope(&mut self, name: &str) -> String {
        let pid = self.world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("there is room");
        let pids = Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())]);
        let lists = [
            Value::Array("(sv)".into(), vec![pair("PIDs", pids), pair("MemoryMax", Value::U64(1 << 20))]),
            Value::Array("(sa(sv))".into(), Vec::new()),
        ];
        let args = [Value::str(name), Value::str("fail")].into_iter().chain(lists).collect();
        self.call("StartTransientUnit", args)
    }

    fn crash(&mut self) {
        self.world.crash();
        self.world.run_until_quiet();
    }

    fn unit(&self, name: &str) -> &cgarbiter_core::unit::Unit {
        let graph = self.world.manager().graph();
        graph.unit(graph.find(name).expect("the unit is loaded"))
    }

    fn memory_max(&self, name: &str) -> u64 {
        self.unit(name).settings.resources.memory_max
    }

    /// The steps of the plans since the last look that change something in the kernel.
    fn writes(&mut self) -> Vec<String> {
        let lines = self.world.take_trace();
        let step = |line: &String| {
            let ops = ["  write ", "  mkdir ", "  rmdir ", "  attach "];
            let at = ops.iter().filter_map(|op| line.find(op)).min()?;
            line.starts_with("    ").then(|| line[at..].trim().to_owned())
        };
        lines.iter().filter_map(step).collect()
    }
}

fn pair(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

fn with_link(link: &str, target: &str) -> Machine {
    let mut machine = Machine::with(&[]);
    machine.world.backend_mut().store_mut().link(format!("{UNITS}/{link}"), target);
    assert_eq!(machine.call("Reload", vec![]), "done");
    machine
}

#[test]
fn a_reload_writes_only_what_changed() {
    let mut machine = Machine::with(&[
        ("a.slice", "[Slice]\nMemoryMax=1M\nCPUWeight=50\n"),
        ("b.slice", "[Slice]\nMemoryMax=2M\n"),
        ("c.service", "[Service]\nSlice=a.slice\nExecStart=/bin/sleep infinity\n"),
    ]);
    for name in ["a.slice", "b.slice", "c.service"] {
        assert_eq!(machine.start(name), "done", "{name}");
    }
    machine.world.start_trace();
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.writes(), Vec::<String>::new());
    machine.write("a.slice", "[Slice]\nMemoryMax=3M\nCPUWeight=50\n");
    machine.write("c.service.d/x.conf", "[Service]\nTasksMax=7\n");
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.writes(), ["write    a.slice memory.max 3145728", "write    a.slice/c.service pids.max 7"]);
    assert_eq!(machine.memory_max("b.slice"), 2 << 20);
}

#[test]
fn a_unit_whose_files_are_others_than_it_was_loaded_from_needs_a_reload() {
    const NAMES: [&str; 4] = ["a-b.slice", "bad.service", "masked.service", "none.service"];
    let service = "[Service]\nExecStart=/bin/true\n";
    let mut machine = Machine::with(&[
        ("a-b.slice", "[Slice]\nTasksMax=5\n"),
        ("bad.service", "[Service]\nType=notify\n"),
        ("masked.service", ""),
        ("x.service", service),
    ]);
    let stale = |machine: &mut Machine| NAMES.map(|name| machine.needs_reload(name));
    assert_eq!(machine.start("a-b.slice"), "done");
    assert_eq!(stale(&mut machine), [false; 4]);
    // What the arbiter writes itself, and files of others, tell nothing.
    assert_eq!(machine.set("a-b.slice", "TasksMax", 7), "done");
    machine.write("a-c.slice.d/x.conf", "[Slice]\nTasksMax=5\n");
    machine.write("a-b.slice", "[Slice]\nTasksMax=5\n");
    assert_eq!(stale(&mut machine), [false; 4]);
    machine.write("a-b.slice", "[Slice]\nTasksMax=6\n");
    machine.write("bad.service", service);
    machine.write("masked.service", service);
    machine.write("none.service", service);
    assert_eq!(stale(&mut machine), [true, true, true, false], "a unit without a file gets none before a reload");
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(stale(&mut machine), [false; 4]);
    for (drop_in, before, after) in [
        ("a-.slice.d/x.conf", "[Slice]\nTasksMax=8\n", "[Slice]\nTasksMax=9\n"),
        ("slice.d/y.conf", "#", "# ?"),
        ("a-b.slice.d/y.conf", "#", "# ?"),
    ] {
        machine.write(drop_in, before);
        assert!(machine.needs_reload("a-b.slice"), "{drop_in} is new");
        assert_eq!(machine.call("Reload", vec![]), "done");
        assert!(!machine.needs_reload("a-b.slice"));
        machine.write(drop_in, after);
        assert!(machine.needs_reload("a-b.slice"), "{drop_in} is another");
        machine.write(drop_in, before);
        assert!(!machine.needs_reload("a-b.slice"), "{drop_in} is what it was");
        machine.world.backend_mut().store_mut().remove(&format!("{UNITS}/{drop_in}"));
        assert!(machine.needs_reload("a-b.slice"), "{drop_in} has gone");
        machine.write(drop_in, before);
    }
    machine.world.backend_mut().store_mut().remove(&format!("{UNITS}/a-b.slice"));
    assert!(machine.needs_reload("a-b.slice"));
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.start_scope("t.scope"), "done");
    assert!(!machine.needs_reload("a-b.slice") && !machine.needs_reload("t.scope"));
    machine.write("t.scope.d/z.conf", "[Scope]\nTasksMax=3\n");
    assert!(machine.needs_reload("t.scope"));
}

#[test]
fn descriptors_are_kept_for_as_long_as_somebody_starts_with_them() {
    let file = "[Service]\nFileDescriptorStoreMax=2\nExecStart=/bin/sh -c 'systemd-notify FDSTORE=1; sleep infinity'\n";
    let mut machine = Machine::with(&[("a.service", file)]);
    let restart = |machine: &mut Machine| {
        machine.call("RestartUnit", vec![Value::str("a.service"), Value::str("replace")]);
        machine.world.advance(1_000_000);
        machine.world.backend_mut().held_descriptors()
    };
    assert_eq!(restart(&mut machine), 1);
    assert_eq!((restart(&mut machine), restart(&mut machine)), (2, 2));
    assert_eq!(machine.call("StopUnit", vec![Value::str("a.service"), Value::str("replace")]), "done");
    assert_eq!(machine.world.backend_mut().held_descriptors(), 0);
    assert_eq!((restart(&mut machine), restart(&mut machine)), (1, 2));
    machine.crash();
    assert_eq!(machine.world.backend_mut().held_descriptors(), 0, "they go with the arbiter");
}

#[test]
fn what_was_set_is_there_when_the_unit_is_loaded_again() {
    let mut machine = Machine::with(&[("a.slice.d/10-x.conf", "[Slice]\nMemoryMax=1M\nTasksMax=5\n")]);
    let property = Value::Struct(vec![Value::str("MemoryMax"), Value::Variant(Box::new(Value::U64(4 << 20)))]);
    let list = Value::Array("(sv)".into(), vec![property]);
    for (runtime, reload) in [(true, false), (false, true)] {
        let args = vec![Value::str("a.slice"), Value::Bool(runtime), list.clone()];
        assert_eq!(machine.call("SetUnitProperties", args), "done");
        assert!(machine.world.manager().graph().find("a.slice").is_none(), "nobody needs it");
        if reload {
            assert_eq!(machine.call("Reload", vec![]), "done");
        }
        assert_eq!(machine.start("a.slice"), "done");
        assert_eq!(machine.memory_max("a.slice"), 4 << 20);
        let drop_ins = &machine.unit("a.slice").drop_ins;
        assert!(drop_ins.len() == 2 && drop_ins[0].ends_with("10-x.conf"), "{drop_ins:?}");
        assert_eq!(machine.call("StopUnit", vec![Value::str("a.slice"), Value::str("replace")]), "done");
    }
}

#[test]
fn units_that_cannot_be_loaded_say_why() {
    let mut machine = Machine::with(&[
        ("empty.service", ""),
        ("no-command.service", "[Service]\nType=simple\n"),
        ("other-user.service", "[Service]\nUser=nobody\nExecStart=/bin/true\n"),
        ("broken.service", "[Service\nExecStart=/bin/true\n"),
        ("a.scope", "[Scope]\nMemoryMax=1M\n"),
        ("x@.service", "[Unit]\nDescription=instance %i\n[Service]\nExecStart=/bin/sleep %i\n"),
    ]);
    for (name, want) in [
        ("empty.service", "UnitMasked"),
        ("no-command.service", "BadUnitSetting"),
        ("other-user.service", "done"),
        ("broken.service", "LoadFailed"),
        ("a.scope", "NoSuchUnit"),
        ("missing.service", "NoSuchUnit"),
        ("x@1.service", "done"),
    ] {
        assert_eq!(machine.start(name), want, "{name}");
    }
    let instance = machine.unit("x@1.service");
    assert_eq!(&*instance.description(), "instance 1");
    assert_eq!(instance.fragment.as_deref(), Some("/etc/systemd/system/x@.service"));
    let mut machine = with_link("m.slice", "/dev/null");
    assert_eq!(machine.start("m.slice"), "UnitMasked");
}

#[test]
fn what_runs_keeps_its_limits_when_its_file_goes_or_becomes_unfit() {
    let mut machine = Machine::with(&[("a.service", "[Service]\nExecStart=/bin/sleep infinity\nMemoryMax=1M\n")]);
    assert_eq!(machine.start("a.service"), "done");
    machine.write("a.service", "[Service]\nUser=nobody\n");
    machine.world.start_trace();
    assert_eq!(machine.call("Reload", vec![]), "done");
    machine.world.backend_mut().store_mut().remove(&format!("{UNITS}/a.service"));
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.writes(), Vec::<String>::new());
    let unit = machine.unit("a.service");
    assert_eq!((unit.load, unit.settings.resources.memory_max, &unit.fragment), (LoadState::Loaded, 1 << 20, &None));
    assert_eq!(machine.call("StopUnit", vec![Value::str("a.service"), Value::str("replace")]), "done");
    assert_eq!(machine.start("a.service"), "NoSuchUnit");
}

#[test]
fn a_long_row_of_files_that_name_each_other_is_loaded() {
    let files: Vec<(String, String)> = (0..1_000)
        .map(|n| {
            (format!("n{n}.service"), format!("[Unit]\nAfter=n{}.service\n[Service]\nExecStart=/bin/true\n", n + 1))
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut machine = Machine::with(&files);
    assert_eq!(machine.call("RefUnit", vec![Value::str("n0.service")]), "done");
    assert_eq!(
        machine.world.manager().graph().iter().filter(|(_, unit)| unit.name.as_str().starts_with('n')).count(),
        1_001
    );
}

#[test]
fn files_count_after_a_crash_as_before() {
    let mut machine = Machine::with(&[
        ("a.slice", "[Slice]\nMemoryMax=1M\n"),
        ("a.slice.d/10-x.conf", "[Slice]\nTasksMax=5\n"),
        ("s-.scope.d/90-z.conf", "[Scope]\nTasksMax=7\nMemoryMax=9M\nCPUWeight=50\n"),
    ]);
    assert_eq!(machine.start("a.slice"), "done");
    assert_eq!(machine.start_scope("s-1.scope"), "done");
    assert_eq!(machine.set("a.slice", "MemoryMax", 4 << 20), "done");
    assert_eq!(machine.set("s-1.scope", "CPUWeight", 70), "done");
    let facts = |machine: &Machine, name: &str| {
        let unit = machine.unit(name);
        (unit.load, unit.state, unit.settings.clone(), unit.drop_ins.clone(), unit.fragment.clone())
    };
    let before = ["a.slice", "s-1.scope"].map(|name| facts(&machine, name));
    assert_eq!((before[0].3.len(), before[1].3.len()), (2, 2), "{before:?}");
    assert_eq!(before[1].2.resources.cpu_weight, 70);
    for _ in 0..2 {
        machine.crash();
        assert_eq!(["a.slice", "s-1.scope"].map(|name| facts(&machine, name)), before);
    }
    machine.world.start_trace();
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.writes(), Vec::<String>::new());
}

#[test]
fn what_became_unfit_takes_nothing_from_a_unit_with_a_record() {
    let mut machine = Machine::with(&[]);
    assert_eq!(machine.start_scope("a.scope"), "done");
    machine.write("a.scope.d/x.conf", "[Scope\nTasksMax=7\n");
    machine.crash();
    let unit = machine.unit("a.scope");
    assert_eq!((unit.load, unit.settings.resources.memory_max), (LoadState::Loaded, 1 << 20));
    assert!(unit.realized.exists);
}

#[test]
fn a_reload_leaves_a_unit_with_a_damaged_record_alone() {
    let mut machine = Machine::with(&[]);
    assert_eq!(machine.start_scope("a.scope"), "done");
    let record = machine.unit("a.scope").fragment.clone().expect("it is transient");
    machine
        .world
        .backend_mut()
        .store_mut()
        .write(record, "[Scope]\nnot what was written\n\n[X-Cgarbiter]\nVersion=1\n");
    machine.crash();
    machine.world.start_trace();
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.writes(), Vec::<String>::new());
    let unit = machine.unit("a.scope");
    assert!(unit.load == LoadState::Error && unit.realized.exists && unit.slice.is_some(), "{unit:?}");
}

#[test]
fn what_is_enabled_is_pulled_in_from_the_next_reload_on() {
    let mut machine = Machine::with(&[
        ("a.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=b.slice\n"),
        ("b.slice", "[Slice]\nMemoryMax=1M\n"),
    ]);
    let files = || Value::strings(["a.service"]);
    let no = || Value::Bool(false);
    assert_eq!(machine.call("EnableUnitFiles", vec![files(), no(), no()]), "done");
    let link = format!("{UNITS}/b.slice.wants/a.service");
    let target = |machine: &mut Machine| match machine.world.backend_mut().store_mut().below(&link).next() {
        Some((_, Entry::Link(target))) => Some(target.to_string()),
        _ => None,
    };
    assert_eq!(target(&mut machine).as_deref(), Some("/etc/systemd/system/a.service"));
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.start("b.slice"), "done");
    assert!(!machine.unit("a.service").active().is_inactive_or_failed(), "b.slice wants it");
    assert_eq!(machine.call("DisableUnitFiles", vec![files(), no()]), "done");
    assert_eq!(target(&mut machine), None);
    assert_eq!(machine.call("EnableUnitFiles", vec![Value::strings(["none.service"]), no(), no()]), "NoSuchUnit");
}

#[test]
fn a_call_whose_links_cannot_all_be_made_makes_none() {
    let text = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=b.slice c.slice d.slice\n";
    let mut machine = Machine::with(&[("a.service", text)]);
    machine.world.backend_mut().store_mut().sync();
    let before = machine.world.backend().store().clone();
    let (path, interface) = ("/org/freedesktop/systemd1".into(), Some("org.freedesktop.systemd1.Manager".into()));
    let args = vec![Value::strings(["a.service"]), Value::Bool(false), Value::Bool(false)];
    let id = machine.world.call(machine.client, MethodCall { path, interface, member: "EnableUnitFiles".into(), args });
    machine.world.step();
    machine.world.step();
    machine.world.refuse_step(Errno::RoFs);
    machine.world.run_until_quiet();
    let answers = core::iter::from_fn(|| machine.world.take_visible());
    let answer = answers.filter_map(|visible| match visible {
        Visible::Reply { call, result } if call == id => Some(result.map_err(|refusal| refusal.kind)),
        _ => None,
    });
    assert_eq!(answer.last(), Some(Err(RefusalKind::Errno(Errno::RoFs))));
    assert_eq!(*machine.world.backend_mut().store_mut(), before);
}

#[test]
fn a_mask_counts_when_it_is_made_and_the_state_of_files_is_that_on_the_disk() {
    let mut machine = Machine::with(&[("a.service", "[Service]\nExecStart=/bin/true\n")]);
    let files = || Value::strings(["a.service"]);
    assert_eq!(machine.call("MaskUnitFiles", vec![files(), Value::Bool(true), Value::Bool(false)]), "done");
    let runtime = machine.world.backend_mut().store_mut().below("/run/systemd/system/a.service").count();
    assert_eq!(runtime, 1, "a mask until the next boot lies below the operator's own");
    assert_eq!(machine.start("a.service"), "done", "the file in /etc comes first");
    assert_eq!(machine.call("MaskUnitFiles", vec![files(), Value::Bool(false), Value::Bool(false)]), "UnitExists");
    assert_eq!(machine.call("GetUnitFileState", vec![Value::str("b.service")]), "FileNotFound");
    machine.write("b.service", "[Service]\nExecStart=/bin/true\n");
    assert_eq!(machine.call("GetUnitFileState", vec![Value::str("b.service")]), "done");
    assert_eq!(machine.call("GetUnitFileState", vec![Value::str("b")]), "InvalidArgs");
    assert_eq!(machine.start_scope("t.scope"), "done");
    let args = vec![Value::strings(["t.scope"]), Value::Bool(false), Value::Bool(false)];
    assert_eq!(machine.call("EnableUnitFiles", args), "UnitGenerated");
}

#[test]
fn a_reload_of_five_thousand_files_takes_no_step() {
    let mut machine = Machine::with(&[]);
    // They look at every unit after every event.
    machine.world.check_invariants(false);
    for n in 0..5_000 {
        machine.write(&format!("s{n}.slice"), &format!("[Slice]\nMemoryMax={}M\n", n + 1));
    }
    assert_eq!(machine.call("Reload", vec![]), "done");
    for n in 0..5_000 {
        assert_eq!(machine.call("RefUnit", vec![Value::str(format!("s{n}.slice"))]), "done");
    }
    for n in 0..20 {
        assert_eq!(machine.start(&format!("s{n}.slice")), "done");
    }
    machine.world.start_trace();
    for _ in 0..3 {
        assert_eq!(machine.call("Reload", vec![]), "done");
    }
    assert_eq!(machine.writes(), Vec::<String>::new());
}

#[test]
fn a_transient_file_of_somebody_else_keeps_its_name_until_it_has_gone() {
    const FILE: &str = "/run/systemd/transient/x.scope";
    let mut machine = Machine::with(&[]);
    machine.world.backend_mut().store_mut().write(FILE, "[Scope]\nMemoryMax=5\n");
    machine.crash();
    for _ in 0..2 {
        assert_eq!(machine.start_scope("x.scope"), "UnitExists");
        assert_eq!(machine.call("Reload", vec![]), "done");
    }
    assert_eq!(machine.world.backend_mut().store_mut().read(FILE), Some("[Scope]\nMemoryMax=5\n"));
    machine.world.backend_mut().store_mut().remove(FILE);
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_eq!(machine.start_scope("x.scope"), "done");
}

#[test]
fn files_that_are_none_are_told_and_harm_nobody() {
    let mut machine = Machine::with(&[
        ("nul.service", "[Service]\nExecStart=/bin/true\0\nNonsense\n"),
        ("long.service", &format!("[Service]\nEnvironment=A={}\nExecStart=/bin/true\n", "x".repeat(1 << 20))),
        ("knot1.service", "[Unit]\nAfter=knot2.service\nRequires=knot2.service\n[Service]\nExecStart=/bin/true\n"),
        ("knot2.service", "[Unit]\nAfter=knot1.service\nRequires=knot1.service\n[Service]\nExecStart=/bin/true\n"),
        ("self.service", "[Unit]\nAfter=self.service\nRequires=self.service\n[Service]\nExecStart=/bin/true\n"),
    ]);
    for n in 0..1_000 {
        machine.write(&format!("many.slice.d/{n:04}.conf"), &format!("[Slice]\nMemoryMax={}M\n", n + 1));
    }
    assert_eq!(machine.call("Reload", vec![]), "done");
    for (name, want) in [
        ("nul.service", "done"),
        ("long.service", "LoadFailed"),
        ("knot1.service", "TransactionOrderIsCyclic"),
        ("self.service", "done"),
        ("many.slice", "done"),
    ] {
        assert_eq!(machine.start(name), want, "{name}");
    }
    assert_eq!(machine.memory_max("many.slice"), 1_000 << 20);
    assert_eq!(machine.unit("many.slice").drop_ins.len(), 1_000);
    for (link, target) in [("l1.service", format!("{UNITS}/l2.service")), ("l2.service", format!("{UNITS}/l1.service"))]
    {
        machine.world.backend_mut().store_mut().link(format!("{UNITS}/{link}"), target);
    }
    assert_eq!(machine.call("Reload", vec![]), "done");
    assert_ne!(machine.start("l1.service"), "done");
    assert_ne!(
        machine.call("EnableUnitFiles", vec![Value::strings(["l1.service"]), Value::Bool(false), Value::Bool(false)]),
        "done"
    );
}
