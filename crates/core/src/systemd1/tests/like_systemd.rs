//! Values and errors that systemd 252 was seen to give, and the differences between properties of types.

use super::*;
use crate::effect::JobRow;
use crate::graph::Edge;
use crate::systemd1;
use crate::unit_files::UnitFiles;

fn strings(graph: &Graph, unit: UnitId, name: &str) -> Vec<String> {
    let (config, files) = (Config::example(), UnitFiles::default());
    let view = View { config: &config, graph, files: &files, unit, readings: None, outdated: false };
    let value = systemd1::unit_property(&view, UNIT, name).expect("readable");
    let mut names: Vec<_> =
        value.as_array().expect("a list").iter().filter_map(|v| v.as_str()).map(String::from).collect();
    names.sort();
    names
}

#[test]
fn the_manager_says_what_systemd_252_says() {
    let config = Config::example();
    let mut view = manager_view(&config);
    let get = |view: &ManagerView<'_>, name: &str| systemd1::manager_property(view, MANAGER, name);
    for (name, value) in [
        ("DefaultMemoryAccounting", Value::Bool(true)),
        ("DefaultTasksAccounting", Value::Bool(true)),
        ("DefaultCPUAccounting", Value::Bool(true)),
        ("DefaultBlockIOAccounting", Value::Bool(false)),
        ("ControlGroup", Value::str("")),
        ("DefaultStandardOutput", Value::str("journal")),
        ("ConfirmSpawn", Value::Bool(false)),
        ("DefaultTimeoutStartUSec", Value::U64(90_000_000)),
        ("DefaultTimeoutStopUSec", Value::U64(90_000_000)),
        ("DefaultRestartUSec", Value::U64(100_000)),
        ("DefaultStartLimitBurst", Value::U32(5)),
        ("ExitCode", Value::U8(0)),
        ("SystemState", Value::str("running")),
    ] {
        assert_eq!(get(&view, name), Ok(value), "{name}");
    }
    let unknown = get(&view, "NoSuch").expect_err("unknown");
    assert_eq!(
        told(&unknown),
        (
            "org.freedesktop.DBus.Error.UnknownProperty",
            "Unknown interface org.freedesktop.systemd1.Manager or property NoSuch."
        )
    );
    let Ok(Value::Str(version)) = get(&view, "Version") else { panic!("a string") };
    assert!(version.starts_with("252"));
    view.failed_units = 1;
    assert_eq!(get(&view, "SystemState"), Ok(Value::str("degraded")));
}

#[test]
fn a_job_says_what_systemd_252_says() {
    let job = JobRow { id: 7, unit: name("v264a.service"), kind: "start", state: "running" };
    let interface = "org.freedesktop.systemd1.Job";
    let path = Value::path("/org/freedesktop/systemd1/unit/v264a_2eservice");
    let unit = Value::Struct(vec![Value::str("v264a.service"), path]);
    assert_eq!(systemd1::job_property(&job, interface, "Unit"), Ok(unit));
    assert_eq!(systemd1::job_property(&job, interface, "JobType"), Ok(Value::str("start")));
    let text = "Unknown interface org.freedesktop.systemd1.Job or property Nope.";
    let unknown = systemd1::job_property(&job, interface, "Nope").expect_err("unknown");
    assert_eq!(told(&unknown), ("org.freedesktop.DBus.Error.UnknownProperty", text));
    let read_only = systemd1::refuse_job_set(interface, "State");
    assert_eq!(read_only.kind.bus_name(), "org.freedesktop.DBus.Error.PropertyReadOnly");
}

#[test]
fn get_of_wrong_names_is_refused_as_in_systemd_252() {
    let alone = Alone::new("v191a.scope");
    let service = "org.freedesktop.systemd1.Service";
    let slice = "org.freedesktop.systemd1.Slice";
    for (interface, property) in [
        (UNIT, "Nope"),
        (UNIT, "MemoryMax"),
        (service, "MemoryMax"),
        ("", "MemoryMax"),
        ("org.example.X", "MemoryMax"),
        (slice, "MemoryMax"),
    ] {
        let refusal = systemd1::unit_property(&alone.view(), interface, property).expect_err("unknown");
        let text = alloc::format!("Unknown interface {interface} or property {property}.");
        assert_eq!(told(&refusal), ("org.freedesktop.DBus.Error.UnknownProperty", &*text));
    }
    assert_eq!(alone.get(SCOPE, "MemoryMax"), MAX);
    assert_eq!(alone.get(UNIT, "Id"), Value::str("v191a.scope"));
}

#[test]
fn set_is_always_refused_as_in_systemd_252() {
    let alone = Alone::new("v191a.scope");
    let view = alone.view();
    for (interface, property) in [(SCOPE, "MemoryMax"), (UNIT, "Description"), (SCOPE, "Controller")] {
        let text = alloc::format!("Property '{property}' is not writable.");
        let refusal = systemd1::refuse_unit_set(&view, interface, property);
        assert_eq!(told(&refusal), ("org.freedesktop.DBus.Error.PropertyReadOnly", &*text));
    }
    let refusal = systemd1::refuse_unit_set(&view, UNIT, "Nope");
    let text = "Unknown interface org.freedesktop.systemd1.Unit or property Nope.";
    assert_eq!(told(&refusal), ("org.freedesktop.DBus.Error.UnknownProperty", text));
}

#[test]
fn get_all_goes_by_interface() {
    let alone = Alone::new("v192a.scope");
    let view = alone.view();
    let all = systemd1::unit_properties(&view, "").expect("all");
    let unit = systemd1::unit_properties(&view, UNIT).expect("unit");
    let scope = systemd1::unit_properties(&view, SCOPE).expect("scope");
    assert_eq!(all.len(), unit.len() + scope.len());
    assert_eq!(systemd1::unit_properties(&view, PROPERTIES), Ok(Vec::new()));
    for interface in ["org.freedesktop.systemd1.Service", "org.example.X"] {
        let refusal = systemd1::unit_properties(&view, interface).expect_err("unknown");
        let text = alloc::format!("Unknown interface '{interface}'.");
        assert_eq!(told(&refusal), ("org.freedesktop.DBus.Error.UnknownInterface", &*text));
    }
}

#[test]
fn a_fresh_scope_shows_the_defaults_of_systemd_252() {
    let alone = Alone::new("v193a.scope");
    let empty = |element: &str| Value::Array(element.into(), Vec::new());
    for (name, value) in [
        ("CPUWeight", MAX),
        ("CPUQuotaPeriodUSec", MAX),
        ("AllowedCPUs", Value::Bytes(Vec::new())),
        ("IODeviceWeight", empty("(st)")),
        ("MemoryLow", Value::U64(0)),
        ("MemoryMax", MAX),
        ("DevicePolicy", Value::str("auto")),
        ("DeviceAllow", empty("(ss)")),
        ("IPAddressAllow", empty("(iayu)")),
        ("DisableControllers", empty("s")),
        ("ManagedOOMSwap", Value::str("auto")),
        ("ManagedOOMMemoryPressureLimit", Value::U32(0)),
        ("ManagedOOMPreference", Value::str("none")),
        ("Delegate", Value::Bool(false)),
        ("MemoryAvailable", MAX),
        ("EffectiveCPUs", Value::Bytes(Vec::new())),
        ("KillMode", Value::str("control-group")),
        ("RestartKillSignal", Value::I32(15)),
        ("TimeoutStopUSec", Value::U64(90_000_000)),
        ("RuntimeMaxUSec", MAX),
        ("Result", Value::str("success")),
        ("Controller", Value::str("")),
        ("OOMPolicy", Value::str("stop")),
    ] {
        assert_eq!(alone.get(SCOPE, name), value, "{name}");
    }
    for (name, value) in [
        ("CollectMode", Value::str("inactive")),
        ("IgnoreOnIsolate", Value::Bool(true)),
        ("JobTimeoutUSec", MAX),
        ("JobRunningTimeoutUSec", MAX),
        ("OnFailureJobMode", Value::str("replace")),
        ("ConditionResult", Value::Bool(true)),
        ("LoadError", Value::Struct(vec![Value::str(""), Value::str("")])),
        ("Job", Value::Struct(vec![Value::U32(0), Value::path("/")])),
        ("CanClean", empty("s")),
    ] {
        assert_eq!(alone.get(UNIT, name), value, "{name}");
    }
}

#[test]
fn slices_and_members_are_tied_as_in_systemd_252() {
    let mut graph = Graph::default();
    let root = add(&mut graph, "-.slice", None);
    graph.unit_mut(root).perpetual = true;
    let outer = add(&mut graph, "v078.slice", Some(root));
    let inner = add(&mut graph, "v078-q.slice", Some(outer));
    assert_eq!(strings(&graph, inner, "Requires"), ["v078.slice"]);
    assert_eq!(strings(&graph, inner, "After"), ["v078.slice"]);
    assert_eq!(strings(&graph, inner, "Before"), ["shutdown.target"]);
    assert_eq!(strings(&graph, inner, "Conflicts"), ["shutdown.target"]);
    assert!(strings(&graph, inner, "RequiredBy").is_empty() && strings(&graph, inner, "Wants").is_empty());
    assert_eq!(strings(&graph, outer, "Before"), ["shutdown.target", "v078-q.slice"]);
    assert_eq!(strings(&graph, outer, "Requires"), ["-.slice"]);
    assert_eq!(strings(&graph, outer, "SliceOf"), ["v078-q.slice"]);
    assert!(strings(&graph, root, "Conflicts").is_empty() && strings(&graph, root, "After").is_empty());
}

#[test]
fn services_are_tied_as_in_systemd_252() {
    let mut graph = Graph::default();
    let slice = add(&mut graph, "v256.slice", None);
    let one = add(&mut graph, "v256t.service", Some(slice));
    let other = add(&mut graph, "v256u.service", Some(slice));
    graph.add_edge(one, Edge::Before, other);
    graph.add_edge(other, Edge::Requires, one);
    assert_eq!(
        strings(&graph, other, "After"),
        ["basic.target", "sysinit.target", "systemd-journald.socket", "v256.slice", "v256t.service"]
    );
    assert_eq!(strings(&graph, other, "Requires"), ["sysinit.target", "v256.slice", "v256t.service"]);
    assert_eq!(strings(&graph, one, "Before"), ["shutdown.target", "v256u.service"]);
    assert_eq!(strings(&graph, one, "RequiredBy"), ["v256u.service"]);
    graph.unit_mut(other).settings.default_dependencies = false;
    assert_eq!(strings(&graph, other, "Requires"), ["v256.slice", "v256t.service"]);
    assert!(strings(&graph, other, "Conflicts").is_empty());
}

#[test]
fn changes_announce_what_systemd_252_announces() {
    let names = |text: &str, interface: &str| {
        let alone = Alone::new(text);
        let (changed, invalidated) = systemd1::changed_properties(&alone.view(), interface);
        (changed.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), invalidated)
    };
    let (unit, checks) = names("a.slice", UNIT);
    assert_eq!(checks, ["Conditions", "Asserts"]);
    for wanted in ["ActiveState", "FreezerState", "SubState", "Job", "InvocationID", "StateChangeTimestampMonotonic"] {
        assert!(unit.contains(&wanted), "{wanted}");
    }
    assert_eq!(unit.len(), 22);
    assert_eq!(names("a.scope", SCOPE), (vec!["Controller", "Result"], vec![]));
    assert_eq!(names("a.slice", "org.freedesktop.systemd1.Slice"), (vec![], vec![]));
    let (service, commands) = names("a.service", "org.freedesktop.systemd1.Service");
    assert!(service.contains(&"MainPID") && service.contains(&"ExecMainStatus") && commands.contains(&"ExecStart"));
    assert_eq!(names("a.target", "org.freedesktop.systemd1.Target"), (vec![], vec![]));
}
