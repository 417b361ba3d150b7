use super::*;
use crate::config::Config;
use crate::effect::JobRow;
use crate::systemd1::objects::{on_unit, type_interface};
use crate::systemd1::{self, ManagerView, View};
use crate::time::Timestamp;

#[test]
fn every_property_has_its_declared_type_on_every_type_of_unit() {
    let config = Config::example();
    for text in ["a.scope", "a.slice", "a.service", "a.target"] {
        let mut graph = Graph::default();
        let id = add(&mut graph, text, None);
        let view = View { config: &config, graph: &graph, unit: id, readings: None };
        for interface in on_unit(name(text).unit_type()) {
            for property in interface.properties() {
                let value = systemd1::unit_property(&view, interface.name, property.name).expect("in the table");
                assert_eq!(value.signature(), property.signature, "{text} {}", property.name);
            }
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

fn manager_view(config: &Config) -> ManagerView<'_> {
    ManagerView {
        config,
        units: 3,
        failed_units: 0,
        jobs: 0,
        installed_jobs: 1,
        failed_jobs: 0,
        environment: &[],
        started: Timestamp { realtime: 5, monotonic: 4 },
    }
}

#[test]
fn get_all_of_nothing_is_the_union() {
    let config = Config::example();
    let mut graph = Graph::default();
    let id = add(&mut graph, "a.scope", None);
    let view = View { config: &config, graph: &graph, unit: id, readings: None };
    let all = systemd1::unit_properties(&view, "").expect("all");
    let unit = systemd1::unit_properties(&view, "org.freedesktop.systemd1.Unit").expect("unit");
    let scope = systemd1::unit_properties(&view, type_interface(crate::names::UnitType::Scope).expect("scope"));
    assert_eq!(all.len(), unit.len() + scope.expect("scope").len());
}
