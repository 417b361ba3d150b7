//! Reading properties: of units, of the manager, of jobs; declared types and announced changes.

use super::*;
use crate::effect::JobRow;
use crate::event::Readings;
use crate::names::{CgroupPath, UnitType};
use crate::plan::Counters;
use crate::properties;
use crate::systemd1;
use crate::systemd1::objects::on_unit;
use crate::systemd1::table::Read;

const TYPES: [&str; 4] = ["a.scope", "a.slice", "a.service", "a.target"];

#[test]
fn every_property_has_its_declared_type_on_every_type_of_unit() {
    for text in TYPES {
        let alone = Alone::new(text);
        for interface in on_unit(name(text).unit_type()) {
            for property in interface.properties() {
                let value = alone.get(interface.name, property.name);
                assert_eq!(value.signature(), property.signature, "{text} {}", property.name);
            }
        }
    }
}

/// Settable, but shown under no name on units of that type: systemd does the same.
const HIDDEN: [(&str, UnitType); 2] = [("User", UnitType::Scope), ("Group", UnitType::Scope)];

#[test]
fn what_can_be_set_can_be_read_with_the_same_type() {
    for text in TYPES {
        let kind = name(text).unit_type();
        let shown = |name: &str| on_unit(kind).iter().find_map(|interface| interface.property(name));
        for row in properties::rows().filter(|row| row.is_readable() && row.types.has(kind)) {
            let alias = row.name.ends_with("Overridable");
            match shown(row.name) {
                // Shown with the times and results of its last run.
                Some(property) if row.name.starts_with("Exec") => assert!(property.signature.starts_with("a(sasb")),
                Some(property) => assert_eq!(property.signature, row.signature(), "{}", row.name),
                None => assert!(alias || HIDDEN.contains(&(row.name, kind)), "{} of {kind:?} is not shown", row.name),
            }
        }
        let settings = on_unit(kind).iter().flat_map(|interface| interface.properties());
        for property in settings.filter(|property| matches!(property.read, Read::Setting)) {
            let row = properties::row(property.name).expect("a row");
            assert_eq!(row.signature(), property.signature, "{}", row.name);
        }
    }
}

#[test]
fn every_property_of_manager_job_and_log_has_its_declared_type() {
    let config = Config::example();
    let view = manager_view(&config);
    let job = JobRow { id: 7, unit: name("a.scope"), kind: "start", state: "running" };
    let manager = systemd1::manager_properties(&view, "").expect("all");
    let log = systemd1::log_properties(&view, "").expect("all");
    let job = systemd1::job_properties(&job, "").expect("all");
    assert!(manager.len() > 90 && log.len() == 3 && job.len() == 5);
    for (found, interface) in
        [(manager, &systemd1::objects::MANAGER), (log, &systemd1::objects::LOG_CONTROL), (job, &systemd1::objects::JOB)]
    {
        for (name, value) in found {
            assert_eq!(value.signature(), interface.property(name).expect("known").signature, "{name}");
        }
    }
}

#[test]
fn the_control_group_is_the_path_that_clients_see() {
    let mut alone = Alone::new("a.scope");
    assert_eq!(alone.get(SCOPE, "ControlGroup"), Value::str(""));
    alone.unit().realized.path = CgroupPath::parse("/a.slice/a.scope");
    assert_eq!(alone.get(SCOPE, "ControlGroup"), Value::str("/a.slice/a.scope"));
    alone.config.root = "/below".into();
    assert_eq!(alone.get(SCOPE, "ControlGroup"), Value::str("/below/a.slice/a.scope"));
    alone.unit().realized.path = Some(CgroupPath::root());
    assert_eq!(alone.get(SCOPE, "ControlGroup"), Value::str("/below"));
    alone.config.root = String::new();
    assert_eq!(alone.get(SCOPE, "ControlGroup"), Value::str("/"));
}

#[test]
fn counters_are_shown_only_while_they_are_accounted() {
    let mut alone = Alone::new("a.scope");
    let counters = Counters {
        cpu_nsec: Some(7),
        memory_current: Some(4096),
        tasks_current: Some(2),
        io: Some([1, 2, 3, 4]),
        ..Counters::default()
    };
    let readings = Readings { counters, effective_cpus: Some("0-2,65\n".into()), effective_mems: Some("\n".into()) };
    let get = |alone: &Alone, name: &str| {
        let view = View { readings: Some(&readings), ..alone.view() };
        systemd1::unit_property(&view, SCOPE, name).expect("readable")
    };
    assert_eq!(get(&alone, "CPUUsageNSec"), Value::U64(7));
    assert_eq!(get(&alone, "TasksCurrent"), Value::U64(2));
    assert_eq!(get(&alone, "IOWriteBytes"), MAX);
    assert_eq!(get(&alone, "MemoryAvailable"), MAX);
    let cpus = [7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(get(&alone, "EffectiveCPUs"), Value::Bytes(cpus.to_vec()));
    assert_eq!(get(&alone, "EffectiveMemoryNodes"), Value::Bytes(Vec::new()));
    alone.unit().settings.resources.io_accounting = true;
    alone.unit().settings.resources.memory_max = 10_000;
    assert_eq!(get(&alone, "IOWriteBytes"), Value::U64(3));
    assert_eq!(get(&alone, "MemoryAvailable"), Value::U64(5904));
    alone.unit().settings.resources.memory_accounting = false;
    assert_eq!(get(&alone, "MemoryCurrent"), MAX);
    alone.unit().realized.last = Some(alloc::boxed::Box::new(counters));
    assert_eq!(alone.get(SCOPE, "CPUUsageNSec"), Value::U64(7));
    assert_eq!(alone.get(SCOPE, "TasksCurrent"), MAX);
}

#[test]
fn the_kernel_is_asked_only_for_what_it_alone_knows() {
    for (interface, property, wanted) in [
        (SCOPE, Some("MemoryCurrent"), true),
        (SCOPE, Some("MemoryMax"), false),
        (SCOPE, Some("IPIngressBytes"), false),
        (UNIT, Some("ActiveState"), false),
        ("", Some("MemoryCurrent"), false),
        (SCOPE, None, true),
        (UNIT, None, false),
        ("", None, true),
        (MANAGER, None, false),
    ] {
        assert_eq!(systemd1::needs_readings(interface, property), wanted, "{interface} {property:?}");
    }
    for (interface, property, wanted) in [
        (UNIT, Some("NeedDaemonReload"), true),
        (UNIT, Some("FragmentPath"), false),
        (SCOPE, None, false),
        (UNIT, None, true),
        ("", None, true),
    ] {
        assert_eq!(systemd1::needs_files(interface, property), wanted, "{interface} {property:?}");
    }
}
