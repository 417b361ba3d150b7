//! The table holds together: every method decodes, every property is answered with its declared type, for every type of
//! unit, and the errors are those that systemd 252 was seen to give.

mod decoding;
mod encoding;
mod like_systemd;
mod reading;

use super::{ManagerView, MethodCall, View};
use crate::config::Config;
use crate::graph::Graph;
use crate::names::UnitName;
use crate::settings::{KillSettings, Resources, Settings, TasksMax};
use crate::time::Timestamp;
use crate::unit::{LoadState, Unit, UnitId};
use crate::unit_files::UnitFiles;
use crate::value::Value;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

fn call(path: &str, interface: &str, member: &str, args: Vec<Value>) -> MethodCall {
    let interface = (!interface.is_empty()).then(|| interface.into());
    MethodCall { path: path.into(), interface, member: member.into(), args }
}

/// Some value of the type.
fn sample(signature: &str) -> Value {
    match signature {
        "b" => Value::Bool(true),
        "y" => Value::U8(1),
        "i" => Value::I32(1),
        "u" => Value::U32(1),
        "t" => Value::U64(0),
        "s" => Value::str("text"),
        "h" => Value::Handle(1),
        "v" => Value::Variant(alloc::boxed::Box::new(Value::U32(1))),
        "ay" => Value::Bytes(vec![0; 16]),
        other => Value::Array(other.strip_prefix('a').expect("an array").into(), Vec::new()),
    }
}

fn name(text: &str) -> UnitName {
    UnitName::parse(text).expect("valid name")
}

fn settings() -> Settings {
    let defaults = crate::config::Defaults::default();
    Settings {
        description: None,
        default_dependencies: true,
        collect_mode: crate::settings::CollectMode::Inactive,
        slice: None,
        dependencies: Vec::new(),
        rare: None,
        resources: Resources::with_defaults(&defaults, TasksMax::Infinity),
        kill: KillSettings::default(),
        timeout_stop_usec: defaults.timeout_stop_usec,
        runtime_max_usec: u64::MAX,
        runtime_extra_usec: 0,
        user: None,
        group: None,
        exec: None,
        service: None,
    }
}

/// A loaded unit, in a slice if one is given.
fn add(graph: &mut Graph, text: &str, slice: Option<UnitId>) -> UnitId {
    let mut unit = Unit::stub(name(text), settings());
    unit.load = LoadState::Loaded;
    let id = graph.insert(unit);
    graph.set_slice(id, slice);
    id
}

/// The error name and text of a refusal.
fn told(refusal: &crate::error::Refusal) -> (&str, &str) {
    (refusal.kind.bus_name(), &refusal.message)
}

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const ROOT: &str = "/org/freedesktop/systemd1";

fn text_args(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(Value::str).collect()
}

fn unit_path(label: &str) -> String {
    alloc::format!("{ROOT}/unit/{label}")
}

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SCOPE: &str = "org.freedesktop.systemd1.Scope";
const MAX: Value = Value::U64(u64::MAX);

/// One unit, alone in the world.
struct Alone {
    config: Config,
    graph: Graph,
    files: UnitFiles,
    id: UnitId,
}

impl Alone {
    fn new(text: &str) -> Self {
        let mut graph = Graph::default();
        let id = add(&mut graph, text, None);
        Self { config: Config::example(), graph, files: UnitFiles::default(), id }
    }

    fn unit(&mut self) -> &mut Unit {
        self.graph.unit_mut(self.id)
    }

    fn view(&self) -> View<'_> {
        View {
            config: &self.config,
            graph: &self.graph,
            files: &self.files,
            unit: self.id,
            readings: None,
            outdated: false,
        }
    }

    fn get(&self, interface: &str, name: &str) -> Value {
        super::unit_property(&self.view(), interface, name).expect("readable")
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
