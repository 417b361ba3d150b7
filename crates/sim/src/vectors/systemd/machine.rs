//! The machine of a vector file's header, fully booted: memory, CPUs, the root's controllers, and the caller in a scope
//! of its own.

use super::compare::Object;
use crate::kernel::{self, Caller, Fork, Pid, Version};
use crate::world::World;
use cgarbiter_core::Config;
use cgarbiter_core::client::ClientId;
use cgarbiter_core::config::{Machine, UnitPaths};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use serde_json::Value as Json;

/// The unit in which the caller and its processes live.
const ORIGIN: &str = "player.scope";

/// A world that has come up, and what the player needs to know of it.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) world: World,
    pub(super) me: ClientId,
    pub(super) facts: Facts,
}

/// Facts of the machine for which vectors have symbols.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The player's own process.
    pub(super) pid: Pid,
    pub(super) origin: String,
    pub(super) origin_unit: String,
    pub(super) block_device: String,
    pub(super) block_numbers: String,
    pub(super) default_tasks_max: u64,
}

/// Boots the machine of this header.
pub(super) fn boot(header: &Object) -> Ready {
    let mut world = World::new(config(header), kernel_config(header));
    let pid = world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("there is room");
    let me = world.connect(0, u32::try_from(pid).ok());
    let manager = |member: &str, args| MethodCall {
        path: "/org/freedesktop/systemd1".to_owned(),
        interface: Some("org.freedesktop.systemd1.Manager".to_owned()),
        member: member.to_owned(),
        args,
    };
    world.call(me, manager("Subscribe", Vec::new()));
    world.call(me, manager("StartTransientUnit", origin_scope(pid)));
    world.advance(1_000_000);
    while world.take_visible().is_some() {}
    let text = |key: &str, default: &str| header.get(key).and_then(Json::as_str).unwrap_or(default).to_owned();
    let facts = Facts {
        pid,
        origin: format!("/system.slice/{ORIGIN}"),
        origin_unit: format!("/org/freedesktop/systemd1/unit/{}", ORIGIN.replace('.', "_2e")),
        block_device: text("blockdev", "/dev/vda"),
        block_numbers: text("blockdev_majmin", "254:0"),
        default_tasks_max: fact(header, "default_tasks_max", 2362),
    };
    Ready { world, me, facts }
}

fn origin_scope(pid: Pid) -> Vec<Value> {
    let property = |name: &str, value| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
    let pids = vec![Value::U32(u32::try_from(pid).unwrap_or(0))];
    let properties =
        vec![property("Slice", Value::str("system.slice")), property("PIDs", Value::Array("u".to_owned(), pids))];
    vec![
        Value::str(ORIGIN),
        Value::str("fail"),
        Value::Array("(sv)".to_owned(), properties),
        Value::Array("(sa(sv))".to_owned(), Vec::new()),
    ]
}

fn fact(header: &Object, key: &str, default: u64) -> u64 {
    header.get(key).and_then(Json::as_u64).unwrap_or(default)
}

fn config(header: &Object) -> Config {
    let mut config = Config::example();
    let enabled = header.get("root_subtree_control").and_then(Json::as_str).unwrap_or_default();
    config.root_enabled = ControllerMask::parse(enabled);
    config.unit_paths = UnitPaths::systemd();
    config.defaults.tasks_max = fact(header, "default_tasks_max", 2362);
    config.defaults.timeout_stop_usec = fact(header, "default_timeout_stop_usec", 90_000_000);
    let threads = fact(header, "threads_max", 15_751);
    config.machine = Machine {
        memory_bytes: fact(header, "mem_total_bytes", 2_074_611_712),
        page_size: fact(header, "page_size", 4096),
        tasks_max: threads.min(fact(header, "pid_max", 4_194_304)),
        ..config.machine
    };
    config
}

fn kernel_config(header: &Object) -> kernel::Config {
    let release = header.get("kernel").and_then(Json::as_str).unwrap_or_default();
    let numbers = header.get("blockdev_majmin").and_then(Json::as_str).unwrap_or("254:0");
    let disk = numbers.split_once(':').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    kernel::Config {
        cpus: u32::try_from(fact(header, "cpus", 2)).unwrap_or(2),
        disks: disk.into_iter().collect(),
        ..kernel::Config::of(Version::parse(release).unwrap_or(Version::V6_12))
    }
}
