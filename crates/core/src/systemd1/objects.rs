//! The tree of objects: which paths there are, and which interfaces stand on each.

use super::methods;
use super::read;
use super::table::{Arguments, Interface, SignalRow};
use crate::names::{UNIT_PREFIX, UnitName, UnitType, label_unescape};
use alloc::string::String;

/// The manager's object.
pub const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
/// Where log level and target are read.
pub const LOG_CONTROL_PATH: &str = "/org/freedesktop/LogControl1";
/// The interface that every unit has.
pub const UNIT_INTERFACE: &str = "org.freedesktop.systemd1.Unit";
/// Every job object lies below this path.
pub const JOB_PREFIX: &str = "/org/freedesktop/systemd1/job/";

/// `org.freedesktop.DBus.Properties`
pub static PROPERTIES: Interface = Interface {
    name: "org.freedesktop.DBus.Properties",
    methods: &[methods::PROPERTIES],
    signals: &[SignalRow {
        name: "PropertiesChanged",
        body: Arguments("interface_name:s changed_properties:a{sv} invalidated_properties:as"),
    }],
    properties: &[],
};

/// `org.freedesktop.DBus.Introspectable`
pub static INTROSPECTABLE: Interface = Interface {
    name: "org.freedesktop.DBus.Introspectable",
    methods: &[methods::INTROSPECTABLE],
    signals: &[],
    properties: &[],
};

/// `org.freedesktop.DBus.Peer`
pub static PEER: Interface =
    Interface { name: "org.freedesktop.DBus.Peer", methods: &[methods::PEER], signals: &[], properties: &[] };

/// `org.freedesktop.systemd1.Manager`
pub static MANAGER: Interface = Interface {
    name: "org.freedesktop.systemd1.Manager",
    methods: &[methods::MANAGER_UNITS, methods::MANAGER_FILES, methods::MANAGER_QUERIES, methods::MANAGER_REFUSED],
    signals: methods::MANAGER_SIGNALS,
    properties: &[read::manager::PROPERTIES, read::manager::DEFAULT_LIMITS],
};

/// `org.freedesktop.systemd1.Unit`
pub static UNIT: Interface = Interface {
    name: UNIT_INTERFACE,
    methods: &[methods::UNIT],
    signals: &[],
    properties: &[read::unit::PROPERTIES, read::dependencies::PROPERTIES],
};

/// `org.freedesktop.systemd1.Slice`
pub static SLICE: Interface = Interface {
    name: "org.freedesktop.systemd1.Slice",
    methods: &[methods::CGROUP],
    signals: &[],
    properties: &[read::cgroup::PROPERTIES, read::cgroup::SETTINGS],
};

/// `org.freedesktop.systemd1.Scope`
pub static SCOPE: Interface = Interface {
    name: "org.freedesktop.systemd1.Scope",
    methods: &[methods::SCOPE, methods::CGROUP],
    signals: &[SignalRow { name: "RequestStop", body: Arguments("") }],
    properties: &[
        read::service::SCOPE_PROPERTIES,
        read::cgroup::PROPERTIES,
        read::cgroup::SETTINGS,
        read::cgroup::KILL_SETTINGS,
    ],
};

/// `org.freedesktop.systemd1.Service`
pub static SERVICE: Interface = Interface {
    name: "org.freedesktop.systemd1.Service",
    methods: &[methods::SERVICE, methods::CGROUP],
    signals: &[],
    properties: &[
        read::service::PROPERTIES,
        read::cgroup::PROPERTIES,
        read::cgroup::SETTINGS,
        read::cgroup::KILL_SETTINGS,
    ],
};

/// `org.freedesktop.systemd1.Job`
pub static JOB: Interface = Interface {
    name: "org.freedesktop.systemd1.Job",
    methods: &[methods::JOB],
    signals: &[],
    properties: &[read::manager::JOB_PROPERTIES],
};

/// `org.freedesktop.LogControl1`
pub static LOG_CONTROL: Interface = Interface {
    name: "org.freedesktop.LogControl1",
    methods: &[],
    signals: &[],
    properties: &[read::manager::LOG_PROPERTIES],
};

/// On every object.
pub static STANDARD: [&Interface; 3] = [&PEER, &INTROSPECTABLE, &PROPERTIES];

/// Every interface there is.
pub static ALL: [&Interface; 10] =
    [&PEER, &INTROSPECTABLE, &PROPERTIES, &MANAGER, &UNIT, &SLICE, &SCOPE, &SERVICE, &JOB, &LOG_CONTROL];

/// On the manager.
pub static ON_MANAGER: [&Interface; 1] = [&MANAGER];
/// On jobs.
pub static ON_JOB: [&Interface; 1] = [&JOB];
/// On the log control object.
pub static ON_LOG_CONTROL: [&Interface; 1] = [&LOG_CONTROL];

static ON_SLICE: [&Interface; 2] = [&UNIT, &SLICE];
static ON_SCOPE: [&Interface; 2] = [&UNIT, &SCOPE];
static ON_SERVICE: [&Interface; 2] = [&UNIT, &SERVICE];
static ON_OTHER_UNIT: [&Interface; 1] = [&UNIT];
static ON_ANY_UNIT: [&Interface; 4] = [&UNIT, &SERVICE, &SCOPE, &SLICE];

/// The interfaces on units of one type, beside the standard ones. Types that are known by name only have no own.
#[must_use]
pub fn on_unit(kind: UnitType) -> &'static [&'static Interface] {
    match kind {
        UnitType::Slice => &ON_SLICE,
        UnitType::Scope => &ON_SCOPE,
        UnitType::Service => &ON_SERVICE,
        _ => &ON_OTHER_UNIT,
    }
}

/// The name of the interface that only units of this type have; none for types that are known by name only.
#[must_use]
pub fn type_interface(kind: UnitType) -> Option<&'static str> {
    on_unit(kind).get(1).map(|interface| interface.name)
}

/// What an object path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Holds nothing but other nodes: these.
    Folder(&'static [&'static str]),
    /// The manager.
    Manager,
    /// A unit, by the escaped last component of its path.
    Unit(String),
    /// A job, by its number as text.
    Job(String),
    /// Log level and target.
    LogControl,
}

impl Node {
    /// The node at this path. Units and jobs need not exist.
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Folder(&["org"]),
            "/org" => Self::Folder(&["freedesktop"]),
            "/org/freedesktop" => Self::Folder(&["LogControl1", "systemd1"]),
            "/org/freedesktop/systemd1/unit" | "/org/freedesktop/systemd1/job" => Self::Folder(&[]),
            MANAGER_PATH => Self::Manager,
            LOG_CONTROL_PATH => Self::LogControl,
            _ => return Self::member(path),
        })
    }

    fn member(path: &str) -> Option<Self> {
        if let Some(label) = path.strip_prefix(UNIT_PREFIX) {
            return Some(Self::Unit(label.into()));
        }
        let id = path.strip_prefix(JOB_PREFIX)?;
        id.parse::<u32>().ok().map(|_| Self::Job(id.into()))
    }

    /// The interfaces on it, beside the standard ones. A unit whose path does not tell its type may have any.
    pub(super) fn interfaces(&self) -> &'static [&'static Interface] {
        match self {
            Self::Folder(_) => &[],
            Self::Manager => &ON_MANAGER,
            Self::Job(_) => &ON_JOB,
            Self::LogControl => &ON_LOG_CONTROL,
            Self::Unit(label) => unit_name(label).map_or(&ON_ANY_UNIT, |name| on_unit(name.unit_type())),
        }
    }
}

/// The unit name behind the last component of a path; none for `self`, invocation ids and nonsense.
fn unit_name(label: &str) -> Option<UnitName> {
    UnitName::parse(&label_unescape(label)?).ok()
}
