//! What happens in the small worlds, by occasion.

use super::Occasion;
use super::stage::{FILES, Stage, flag, job, limit, of_unit, run, scope, service, service_with};
use crate::workload::calls;
use cgarbiter_core::value::Value;

/// What somebody does in a world.
type Act = fn(&mut Stage);

/// A small world and what happens in it.
#[derive(Clone)]
pub struct Scenario {
    /// What it stands for.
    pub occasion: Occasion,
    /// What is particular about it.
    pub name: &'static str,
    /// What was there before.
    prepare: Act,
    /// What happens.
    act: Act,
    /// A unit between whose end and start nothing is promised.
    pub(super) between: Option<&'static str>,
    /// A unit that is started once more: who runs in it then is somebody else each time.
    pub(super) renewed: Option<&'static str>,
    /// A unit that may be found failed, because its process ended and nobody was there to hear how.
    pub(super) unheard: Option<&'static str>,
}

impl Scenario {
    fn new(name: &'static str, prepare: Act, act: Act) -> Self {
        Self { occasion: Occasion::Begin, name, prepare, act, between: None, renewed: None, unheard: None }
    }

    fn between(self, unit: &'static str) -> Self {
        Self { between: Some(unit), ..self }
    }

    fn renewed(self, unit: &'static str) -> Self {
        Self { renewed: Some(unit), ..self }
    }

    fn unheard(self, unit: &'static str) -> Self {
        Self { unheard: Some(unit), ..self }
    }

    /// The world as it is before.
    #[must_use]
    pub fn prepared(&self, trace: bool) -> Stage {
        let mut stage = Stage::new();
        (self.prepare)(&mut stage);
        if trace {
            stage.world.start_trace();
        }
        stage
    }

    /// It begins to happen.
    pub fn act(&self, stage: &mut Stage) {
        (self.act)(stage);
    }
}

fn nothing(_: &mut Stage) {}

/// The scenarios that stand for an occasion.
pub(super) fn of(occasion: Occasion) -> Vec<Scenario> {
    let scenarios = match occasion {
        Occasion::StartTransient => starts(),
        Occasion::SetProperties => sets(),
        Occasion::Start => starts_of_files(),
        Occasion::Stop => stops(),
        Occasion::Attach | Occasion::Abandon | Occasion::Freeze | Occasion::Thaw | Occasion::Kill => {
            of_scopes(occasion)
        }
        Occasion::ReloadUnit => of_service("ReloadUnit"),
        Occasion::Restart => of_service("RestartUnit"),
        Occasion::TryRestart => of_service("TryRestartUnit"),
        Occasion::ReloadOrRestart => of_service("ReloadOrRestartUnit"),
        Occasion::ReloadOrTryRestart => of_service("ReloadOrTryRestartUnit"),
        Occasion::Enqueue | Occasion::CancelJob | Occasion::ClearJobs => of_jobs(occasion),
        Occasion::ResetFailed | Occasion::ResetFailedAll => of_failures(occasion),
        Occasion::Unref => {
            vec![Scenario::new("of one that has ended", referenced, |s| s.ask(of_unit("UnrefUnit", "a.scope")))]
        }
        Occasion::Reload => reloads(),
        Occasion::Install => installs(),
        Occasion::Emptied | Occasion::Exited | Occasion::Departed | Occasion::TimeIsUp => ends(occasion),
        Occasion::Begin => begins(),
    };
    scenarios.into_iter().map(|scenario| Scenario { occasion, ..scenario }).collect()
}

fn a_scope(s: &mut Stage) {
    let pid = s.process();
    s.granted(scope("a.scope", "app-deep.slice", &[pid], [limit("MemoryMax", 2 << 20), limit("TasksMax", 9)]));
}

fn a_stubborn_scope(s: &mut Stage) {
    let pid = s.stubborn_process();
    s.granted(scope("d.scope", "app.slice", &[pid], [limit("TimeoutStopUSec", 2_000_000)]));
}

fn a_delegated_scope(s: &mut Stage) {
    let pid = s.process();
    s.granted(scope("c.scope", "app.slice", &[pid], [flag("Delegate", true)]));
    let own = s.directory("/app.slice/c.scope", "own");
    s.write(own, crate::kernel::File::CgroupMaxDescendants, "5");
}

fn a_service(s: &mut Stage) {
    s.granted(service("s.service", "simple", false, &["/bin/sleep", "infinity"]));
}

/// One with a command on every occasion, each of which takes its time.
fn with_commands(name: &str) -> cgarbiter_core::systemd1::MethodCall {
    let around = ["ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"];
    let around = around.map(|property| run(property, &["/bin/sleep", "0.1"]));
    service_with(name, "simple", around.into_iter().chain([run("ExecStart", &["/bin/sleep", "infinity"])]))
}

fn a_service_with_commands(s: &mut Stage) {
    s.granted(with_commands("w.service"));
    s.settle();
}

const SAYS_READY: [&str; 3] = ["/bin/sh", "-c", "sleep 0.1; systemd-notify --ready; sleep infinity"];
const LEAVES_A_CHILD: [&str; 3] = ["/bin/sh", "-c", "(sleep infinity) &; echo $! > /run/p.pid"];

fn a_restarted_service(s: &mut Stage) {
    let list = [
        calls::property("Restart", Value::str("always")),
        limit("RestartUSec", 1_000_000),
        run("ExecStart", &["/bin/sleep", "infinity"]),
    ];
    s.granted(service_with("s.service", "simple", list));
}

fn a_failed_service(s: &mut Stage) {
    s.granted(service("f.service", "simple", false, &["/bin/false"]));
    s.settle();
}

fn a_slice(s: &mut Stage) {
    s.granted(calls::start_transient("app.slice", "fail", vec![limit("MemoryMax", 8 << 20), limit("CPUWeight", 50)]));
}

fn starts() -> Vec<Scenario> {
    vec![
        Scenario::new("slice", nothing, |s| {
            s.ask(calls::start_transient("app-new.slice", "fail", vec![limit("MemoryMax", 1 << 20)]));
        }),
        Scenario::new("scope", nothing, |s| {
            s.ask(scope(
                "a.scope",
                "app-new.slice",
                &s.spare[..1],
                [limit("MemoryMax", 2 << 20), limit("TasksMax", 9)],
            ));
        }),
        Scenario::new("scope beside another", a_scope, |s| {
            s.ask(scope("b.scope", "app-deep.slice", &s.spare, [limit("CPUWeight", 77)]));
        }),
        Scenario::new("delegated scope", a_slice, |s| {
            s.ask(scope("c.scope", "app.slice", &s.spare[..1], [flag("Delegate", true), limit("MemoryHigh", 1 << 20)]));
        }),
        Scenario::new("service", nothing, |s| {
            s.ask(service("s.service", "simple", false, &["/bin/sleep", "infinity"]));
        }),
        Scenario::new("service that does its work and remains", nothing, |s| {
            s.ask(service("o.service", "oneshot", true, &["/bin/true"]));
        })
        .unheard("o.service"),
        Scenario::new("service that fails", nothing, |s| {
            s.ask(service("f.service", "oneshot", false, &["/bin/false"]));
        })
        .unheard("f.service"),
        Scenario::new("service with commands around it", nothing, |s| s.ask(with_commands("w.service")))
            .unheard("w.service"),
        Scenario::new("service that says when it is ready", nothing, |s| {
            s.ask(service("n.service", "notify", false, &SAYS_READY));
        })
        .unheard("n.service"),
        Scenario::new("service that leaves its process behind", nothing, |s| {
            let file = calls::property("PIDFile", Value::str("/run/p.pid"));
            s.ask(service_with("p.service", "forking", [file, run("ExecStart", &LEAVES_A_CHILD)]));
        })
        .unheard("p.service"),
        Scenario::new("service without a program", nothing, |s| {
            s.ask(service("n.service", "exec", false, &["/nonexistent"]));
        })
        .unheard("n.service"),
    ]
}

fn sets() -> Vec<Scenario> {
    vec![
        Scenario::new("of a scope", a_scope, |s| s.ask(calls::set("a.scope", true, two_limits()))),
        Scenario::new("of a scope, to stay", a_scope, |s| s.ask(calls::set("a.scope", false, two_limits()))),
        Scenario::new("of a slice", a_scope, |s| s.ask(calls::set("app.slice", true, two_limits()))),
        Scenario::new("of a slice, to stay", a_scope, |s| s.ask(calls::set("app.slice", false, two_limits()))),
        Scenario::new("of a service", a_service, |s| s.ask(calls::set("s.service", true, two_limits()))),
        Scenario::new("of a slice with a file", from_files, |s| s.ask(calls::set("web.slice", false, two_limits()))),
        Scenario::new("of one that is down", from_files, |s| s.ask(calls::set("idle.slice", true, two_limits()))),
    ]
}

fn two_limits() -> Vec<Value> {
    vec![limit("MemoryMax", 3 << 20), limit("CPUWeight", 30)]
}

/// Units with files, of which some are up.
fn from_files(s: &mut Stage) {
    s.unit_file("web.slice", "[Slice]\nMemoryMax=16M\n");
    s.unit_file("idle.slice", "[Slice]\nTasksMax=50\n");
    s.unit_file("web.service", "[Service]\nSlice=web.slice\nExecStart=/bin/sleep infinity\nMemoryMax=4M\n");
    s.granted(calls::manager("Reload", vec![]));
    s.granted(job("StartUnit", "web.slice"));
}

fn starts_of_files() -> Vec<Scenario> {
    vec![
        Scenario::new("of a slice with a file", from_files, |s| s.ask(job("StartUnit", "idle.slice"))),
        Scenario::new("of a slice without one", nothing, |s| s.ask(job("StartUnit", "app-new.slice"))),
    ]
}

fn stops() -> Vec<Scenario> {
    let stop: [(&str, Act, Act); 7] = [
        ("of a scope", a_scope, |s| s.ask(job("StopUnit", "a.scope"))),
        ("of a scope that ignores it", a_stubborn_scope, |s| s.ask(job("StopUnit", "d.scope"))),
        ("of a delegated scope", a_delegated_scope, |s| s.ask(job("StopUnit", "c.scope"))),
        ("of a service", a_service, |s| s.ask(job("StopUnit", "s.service"))),
        ("of a service with commands", a_service_with_commands, |s| s.ask(job("StopUnit", "w.service"))),
        ("of a slice", a_slice, |s| s.ask(job("StopUnit", "app.slice"))),
        ("of a slice with a scope", a_scope, |s| s.ask(job("StopUnit", "app.slice"))),
    ];
    let scenarios = stop.into_iter().map(|(name, prepare, act)| Scenario::new(name, prepare, act));
    scenarios.map(|scenario| scenario.unheard("w.service")).collect()
}

fn of_service(member: &'static str) -> Vec<Scenario> {
    let act: Act = match member {
        "ReloadUnit" => |s| s.ask(job("ReloadUnit", "s.service")),
        "RestartUnit" => |s| s.ask(job("RestartUnit", "s.service")),
        "TryRestartUnit" => |s| s.ask(job("TryRestartUnit", "s.service")),
        "ReloadOrRestartUnit" => |s| s.ask(job("ReloadOrRestartUnit", "s.service")),
        _ => |s| s.ask(job("ReloadOrTryRestartUnit", "s.service")),
    };
    let mut scenarios = vec![Scenario::new("of a service", a_service, act).between("s.service")];
    if member == "ReloadUnit" {
        let act = |s: &mut Stage| s.ask(job("ReloadUnit", "w.service"));
        scenarios.push(Scenario::new("of a service that can", a_service_with_commands, act));
    }
    scenarios
}

fn of_jobs(occasion: Occasion) -> Vec<Scenario> {
    let stopping = |s: &mut Stage| {
        a_stubborn_scope(s);
        s.granted(job("StopUnit", "d.scope"));
    };
    vec![match occasion {
        Occasion::Enqueue => Scenario::new("start of a slice", nothing, |s| {
            let words = ["app-new.slice", "start", "replace"].map(Value::str);
            s.ask(calls::manager("EnqueueUnitJob", words.into()));
        }),
        Occasion::CancelJob => Scenario::new("of a stop", stopping, |s| {
            let number = s.job_of("d.scope");
            s.ask(calls::manager("CancelJob", vec![Value::U32(number)]));
        }),
        _ => Scenario::new("with a stop under way", stopping, |s| s.ask(calls::manager("ClearJobs", vec![]))),
    }]
}

fn frozen(s: &mut Stage) {
    a_scope(s);
    s.granted(of_unit("FreezeUnit", "a.scope"));
}

fn frozen_slice(s: &mut Stage) {
    a_scope(s);
    s.granted(of_unit("FreezeUnit", "app.slice"));
}

fn of_scopes(occasion: Occasion) -> Vec<Scenario> {
    match occasion {
        Occasion::Attach => vec![Scenario::new("into a delegated scope", a_delegated_scope, |s| {
            let args = vec![Value::str("c.scope"), Value::str("/own"), calls::numbers(s.spare)];
            s.ask(calls::manager("AttachProcessesToUnit", args));
        })],
        Occasion::Abandon => {
            vec![Scenario::new("of a scope", a_scope, |s| s.ask(of_unit("AbandonScope", "a.scope")))]
        }
        Occasion::Freeze => vec![
            Scenario::new("of a scope", a_scope, |s| s.ask(of_unit("FreezeUnit", "a.scope"))),
            Scenario::new("of a slice", a_scope, |s| s.ask(of_unit("FreezeUnit", "app.slice"))),
        ],
        Occasion::Thaw => vec![
            Scenario::new("of a scope", frozen, |s| s.ask(of_unit("ThawUnit", "a.scope"))),
            Scenario::new("of a slice", frozen_slice, |s| s.ask(of_unit("ThawUnit", "app.slice"))),
        ],
        _ => vec![
            Scenario::new("of a scope", a_scope, |s| s.ask(killing("a.scope", "all", 9))),
            Scenario::new("of the main process", a_service, |s| s.ask(killing("s.service", "main", 15)))
                .unheard("s.service"),
        ],
    }
}

fn killing(unit: &str, whom: &str, signal: i32) -> cgarbiter_core::systemd1::MethodCall {
    calls::manager("KillUnit", vec![Value::str(unit), Value::str(whom), Value::I32(signal)])
}

fn of_failures(occasion: Occasion) -> Vec<Scenario> {
    vec![match occasion {
        Occasion::ResetFailed => {
            Scenario::new("of a service", a_failed_service, |s| s.ask(of_unit("ResetFailedUnit", "f.service")))
        }
        _ => Scenario::new("of all", a_failed_service, |s| s.ask(calls::manager("ResetFailed", vec![]))),
    }]
}

fn referenced(s: &mut Stage) {
    let pid = s.process();
    s.granted(scope("a.scope", "app.slice", &[pid], [flag("AddRef", true)]));
    s.exit(pid, 0);
    s.settle();
}

fn to_be_wanted(s: &mut Stage) {
    from_files(s);
    s.unit_file("x.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=web.slice idle.slice\n");
}

fn of_x(member: &str, arguments: usize) -> cgarbiter_core::systemd1::MethodCall {
    let files = std::iter::once(Value::strings(["x.service"]));
    calls::manager(member, files.chain(std::iter::repeat_n(Value::Bool(false), arguments)).collect())
}

fn installs() -> Vec<Scenario> {
    vec![
        Scenario::new("of links", to_be_wanted, |s| s.ask(of_x("EnableUnitFiles", 2))),
        Scenario::new(
            "of links that go",
            |s| {
                to_be_wanted(s);
                s.granted(of_x("EnableUnitFiles", 2));
            },
            |s| s.ask(of_x("DisableUnitFiles", 1)),
        ),
    ]
}

fn reloads() -> Vec<Scenario> {
    vec![
        Scenario::new("with a changed file", from_files, |s| {
            s.unit_file("web.slice", "[Slice]\nMemoryMax=32M\nCPUWeight=20\n");
            s.ask(calls::manager("Reload", vec![]));
        }),
        Scenario::new("of transient units", a_scope, |s| s.ask(calls::manager("Reload", vec![]))),
    ]
}

fn remaining(s: &mut Stage) {
    s.granted(service("o.service", "simple", true, &["/bin/sleep", "infinity"]));
}

fn ends(occasion: Occasion) -> Vec<Scenario> {
    match occasion {
        Occasion::Emptied => vec![
            Scenario::new("of a scope", one_process, |s| s.exit(s.spare[0], 0)),
            Scenario::new("because its process is wanted elsewhere", one_process, |s| {
                s.ask(scope("g.scope", "app.slice", &s.spare[..1], []));
            }),
        ],
        Occasion::Exited => vec![
            Scenario::new("well", a_service, |s| s.exit(s.main_of("s.service"), 0)).unheard("s.service"),
            Scenario::new("badly", a_service, |s| s.exit(s.main_of("s.service"), 3)).unheard("s.service"),
            Scenario::new("and its service is started anew", a_restarted_service, |s| {
                s.exit(s.main_of("s.service"), 3)
            })
            .renewed("s.service")
            .unheard("s.service"),
            Scenario::new("and its service remains", remaining, |s| s.exit(s.main_of("o.service"), 0))
                .unheard("o.service"),
        ],
        Occasion::Departed => vec![Scenario::new("who controls a scope", controlled, Stage::leave)],
        _ => vec![Scenario::new("for a scope", limited, nothing)],
    }
}

fn one_process(s: &mut Stage) {
    s.granted(scope("e.scope", "app.slice", &s.spare[..1], [limit("MemoryMax", 1 << 20)]));
}

fn limited(s: &mut Stage) {
    s.granted(scope("r.scope", "app.slice", &s.spare[..1], [limit("RuntimeMaxUSec", 3_000_000)]));
}

fn controlled(s: &mut Stage) {
    let pid = s.process();
    let controller = calls::property("Controller", Value::str(":1.1"));
    s.granted(scope("k.scope", "app.slice", &[pid], [controller]));
}

/// The store as nobody of ours would leave it.
fn begins() -> Vec<Scenario> {
    fn record(s: &Stage, name: &str) -> (String, String) {
        let file = format!("{}/{name}", s.world.manager().config().unit_paths.transient);
        let text = s.world.backend().store().read(&file).expect("it has a record").to_owned();
        (file, text)
    }
    fn spoil(s: &mut Stage, name: &str, change: impl FnOnce(String) -> String) {
        let (file, text) = record(s, name);
        s.world.backend_mut().store_mut().write(file, change(text));
        s.world.crash();
    }
    fn torn(text: String) -> String {
        text[..text.len() - 20].to_owned()
    }
    fn a_scope_with_drop_ins(s: &mut Stage) {
        a_scope(s);
        s.granted(calls::set("a.scope", true, two_limits()));
        s.drop_in("a.scope", "[Scope]\nTasksMax=5\n");
    }
    vec![
        Scenario::new("with everything as it was", a_scope, |s| s.world.crash()),
        Scenario::new("with a torn record", a_scope, |s| spoil(s, "a.scope", torn)),
        Scenario::new("with a torn record of a slice", a_slice, |s| spoil(s, "app.slice", torn)),
        Scenario::new("with a torn record of a service", a_service, |s| spoil(s, "s.service", torn)),
        Scenario::new("with a torn record and drop-ins", a_scope_with_drop_ins, |s| spoil(s, "a.scope", torn)),
        Scenario::new("with a record of a newer version", a_scope, |s| {
            spoil(s, "a.scope", |text| text.replace("Version=1\n", "Version=2\n"));
        }),
        Scenario::new("without a record", a_scope, |s| {
            let (file, _) = record(s, "a.scope");
            s.world.backend_mut().store_mut().remove(&file);
            s.world.crash();
        }),
        Scenario::new("with a record of another boot", nothing, |s| {
            a_scope(s);
            let (file, text) = record(s, "a.scope");
            let settings = cgarbiter_core::persist::read(&text).expect("it is good").0.to_owned();
            let saved = cgarbiter_core::persist::Saved { boot_id: "another".into(), ..Default::default() };
            let old = cgarbiter_core::persist::write(&settings, &cgarbiter_core::persist::section(&saved));
            s.world.backend_mut().store_mut().write(file.replace("a.scope", "old.scope"), old);
            s.world.crash();
        }),
        Scenario::new("with files of others", nothing, |s| {
            let store = s.world.backend_mut().store_mut();
            store.write("/run/systemd/transient/README", "not ours");
            store.write("/run/systemd/transient/x.mount", "[Mount]\n");
            store.write(format!("{FILES}/broken.slice"), "[Slice\nMemoryMax=x\n");
            s.world.crash();
        }),
    ]
}
