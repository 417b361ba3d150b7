//! Masks and values by example; the vectors' own values are replayed by the test `property_vectors`.

use super::*;
use crate::attribute::Attribute;
use crate::config::Config;
use crate::names::UnitType;
use crate::properties::default_settings;
use crate::settings::CpuSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// Nothing set, no accounting.
fn bare() -> Resources {
    let mut resources = default_settings(UnitType::Slice, &Config::example()).resources;
    (resources.memory_accounting, resources.tasks_accounting) = (false, false);
    resources
}

fn with(change: impl FnOnce(&mut Resources)) -> Resources {
    let mut resources = bare();
    change(&mut resources);
    resources
}

fn visit(resources: &Resources, inherited: &Inherited, mask: ControllerMask) -> Vec<Attribute> {
    let mut all = Vec::new();
    attributes(resources, inherited, mask, &Config::example(), &mut |attribute| all.push(attribute));
    all
}

/// `file value` of every line, with a star where a fresh cgroup holds it already.
fn lines(resources: &Resources, mask: ControllerMask) -> Vec<String> {
    let show = |a: Attribute| {
        let star = if a.is_default { "*" } else { "" };
        let device = if a.device.is_empty() { String::new() } else { format!("[{}] ", a.device) };
        format!("{star}{} {device}{}", a.file, a.value)
    };
    visit(resources, &Inherited::default(), mask).into_iter().map(show).collect()
}

#[test]
fn each_setting_needs_its_controller() {
    type Change = fn(&mut Resources);
    let table: [(&str, Change); 19] = [
        ("", |_| {}),
        ("", |r| r.cpu_accounting = true),
        ("", |r| r.cpu_quota_period_usec = 5),
        ("cpu", |r| r.cpu_weight = 0),
        ("cpu", |r| r.startup_cpu_weight = 5),
        ("cpu", |r| r.startup_cpu_shares = 5),
        ("cpu", |r| r.cpu_quota_per_sec_usec = 1),
        ("cpuset", |r| r.startup_allowed_memory_nodes = CpuSet(vec![1])),
        ("io", |r| r.io_accounting = true),
        ("io", |r| r.block_io_weight = 10),
        ("io", |r| r.extra_mut().io_device_limits.push(("/".into(), [UNSET; 4]))),
        ("memory", |r| r.memory_accounting = true),
        ("memory", |r| (r.memory_min, r.memory_min_set) = (1, true)),
        ("", |r| (r.memory_min, r.memory_min_set) = (0, true)),
        ("memory", |r| r.memory_limit = 5),
        ("pids", |r| r.tasks_max = TasksMax::Scale(1)),
        ("", |r| r.default_memory_low = 5),
        ("cpu memory", |r| (r.delegate, r.delegate_controllers) = (true, ControllerMask::parse("cpu memory"))),
        ("", |r| r.delegate_controllers = ControllerMask::all()),
    ];
    for (i, (want, change)) in table.into_iter().enumerate() {
        assert_eq!(own_mask(&with(change)).to_string(), want, "row {i}");
    }
}

#[test]
fn nothing_set_is_what_a_fresh_cgroup_holds() {
    let all = visit(&bare(), &Inherited::default(), ControllerMask::all());
    assert!(all.iter().all(|attribute| attribute.is_default), "{all:?}");
    assert_eq!(all.len(), 14);
}

#[test]
fn cpu_values() {
    type Change = fn(&mut Resources);
    let table: [(&[&str], Change); 5] = [
        (&["cpu.idle 1", "*cpu.max max 100000"], |r| r.cpu_weight = 0),
        (&["*cpu.idle 0", "cpu.weight 200", "*cpu.max max 100000"], |r| r.cpu_shares = 2048),
        (&["*cpu.idle 0", "*cpu.weight 100", "*cpu.max max 100000"], |r| {
            (r.cpu_shares, r.startup_cpu_weight) = (2048, 7);
        }),
        (&["*cpu.idle 0", "*cpu.weight 100", "cpu.max 1000 3333"], |r| {
            (r.cpu_quota_per_sec_usec, r.cpu_quota_period_usec) = (300_000, 0);
        }),
        (&["*cpu.idle 0", "*cpu.weight 100", "cpu.max 18446744073709551614 1000000"], |r| {
            (r.cpu_quota_per_sec_usec, r.cpu_quota_period_usec) = (u64::MAX - 1, 1_000_000);
        }),
    ];
    for (want, change) in table {
        assert_eq!(lines(&with(change), ControllerMask::CPU), want);
    }
}

#[test]
fn sets_use_commas() {
    let resources = with(|r| r.allowed_cpus = CpuSet(vec![0b10_1111]));
    assert_eq!(lines(&resources, ControllerMask::CPUSET), ["cpuset.cpus 0-3,5", "*cpuset.mems "]);
}

#[test]
fn block_io_settings_count_only_without_the_new_ones() {
    let old = with(|r| {
        r.block_io_weight = 1000;
        r.extra_mut().block_io_device_bandwidth.push(("/dev/vda".into(), [5, UNSET]));
    });
    let limits = "io.max [/dev/vda] rbps=5 wbps=max riops=max wiops=max";
    assert_eq!(lines(&old, ControllerMask::IO), ["io.bfq.weight 109", "io.weight default 200", limits]);
    let both = Resources { io_weight: 30, ..old };
    assert_eq!(lines(&both, ControllerMask::IO), ["io.bfq.weight 30", "io.weight default 30"]);
}

#[test]
fn device_lines() {
    let resources = with(|r| {
        let extra = r.extra_mut();
        extra.io_device_weight.push(("/dev/vda".into(), 10_000));
        extra.io_device_limits.push(("/dev/vdb".into(), [UNSET; 4]));
        extra.io_device_latency.push(("/dev/vda".into(), 25_000));
    });
    let want = [
        "*io.bfq.weight 100",
        "*io.weight default 100",
        "io.bfq.weight [/dev/vda] 1000",
        "io.weight [/dev/vda] 10000",
        "*io.max [/dev/vdb] rbps=max wbps=max riops=max wiops=max",
        "io.latency [/dev/vda] target=25000",
    ];
    assert_eq!(lines(&resources, ControllerMask::IO), want);
}

fn value_of(resources: &Resources, inherited: &Inherited, file: &str) -> String {
    let all = visit(resources, inherited, ControllerMask::MEMORY);
    all.into_iter()
        .find(|attribute| attribute.file == file)
        .map(|attribute| attribute.value.into_owned())
        .expect("there")
}

#[test]
fn protection_comes_from_above_unless_it_is_set() {
    let inherited = Inherited { memory_min: Some(4096), memory_low: Some(8192) };
    assert_eq!(value_of(&bare(), &inherited, "memory.min"), "4096");
    assert_eq!(value_of(&bare(), &inherited, "memory.low"), "8192");
    let own = with(|r| r.memory_min_set = true);
    assert_eq!(value_of(&own, &inherited, "memory.min"), "0");
}

#[test]
fn the_old_memory_limit_gives_way_to_any_new_setting() {
    let none = Inherited::default();
    let old = with(|r| r.memory_limit = 4096);
    assert_eq!(value_of(&old, &none, "memory.max"), "4096");
    assert_eq!(value_of(&Resources { memory_high: 1, ..old.clone() }, &none, "memory.max"), "max");
    let inherited = Inherited { memory_low: Some(1), ..none };
    assert_eq!(value_of(&old, &inherited, "memory.max"), "max");
}

#[test]
fn fractions_are_rounded_down_to_pages_and_tasks() {
    let machine = Config::example().machine;
    assert_eq!(memory_share(&machine, u32::MAX), machine.memory_bytes);
    assert_eq!(memory_share(&machine, u32::MAX / 2) % machine.page_size, 0);
    assert_eq!(resolve_tasks_max(TasksMax::Scale(429_496_729), &machine), 1575);
    assert_eq!(resolve_tasks_max(TasksMax::Scale(1), &machine), 0);
}

#[test]
fn more_tasks_than_the_kernel_can_number_are_no_limit() {
    let of = |count| lines(&with(|r| r.tasks_max = TasksMax::Count(count)), ControllerMask::PIDS);
    assert_eq!(of(4_194_304), ["pids.max 4194304"]);
    assert_eq!(of(4_194_305), ["*pids.max max"]);
}

#[test]
fn only_what_nobody_has_asked_for_may_be_missing() {
    let may_be_missing = |resources: &Resources| {
        let all = visit(resources, &Inherited::default(), ControllerMask::all() - ControllerMask::IO);
        all.into_iter().filter(|attribute| attribute.optional).map(|attribute| attribute.file).collect::<Vec<_>>()
    };
    assert_eq!(may_be_missing(&bare()), ["cpu.idle", "memory.swap.max", "memory.oom.group"]);
    assert_eq!(may_be_missing(&with(|r| r.cpu_weight = 0)), ["memory.swap.max", "memory.oom.group"]);
    assert_eq!(may_be_missing(&with(|r| r.memory_swap_max = 0)), ["cpu.idle", "memory.oom.group"]);
}

#[test]
fn a_file_tells_how_the_names_of_its_properties_begin_and_no_others() {
    type Change = fn(&mut Resources);
    let table: [(&str, Change); 11] = [
        ("CPUWeight", |r| r.cpu_weight = 0),
        ("CPUQuotaPerSecUSec", |r| r.cpu_quota_per_sec_usec = 300_000),
        ("AllowedCPUs", |r| r.allowed_cpus = CpuSet(vec![1])),
        ("AllowedMemoryNodes", |r| r.allowed_memory_nodes = CpuSet(vec![1])),
        ("MemoryMin", |r| (r.memory_min, r.memory_min_set) = (4096, true)),
        ("MemoryLow", |r| (r.memory_low, r.memory_low_set) = (4096, true)),
        ("MemoryHigh", |r| r.memory_high = 4096),
        ("MemoryMax", |r| r.memory_max = 4096),
        ("MemorySwapMax", |r| r.memory_swap_max = 4096),
        ("TasksMax", |r| r.tasks_max = TasksMax::Count(7)),
        ("IOWeight", |r| r.io_weight = 7),
    ];
    let value = |attribute: &Attribute| (attribute.file, attribute.value.to_string());
    let usual: Vec<_> = visit(&bare(), &Inherited::default(), ControllerMask::all()).iter().map(value).collect();
    for (name, change) in table {
        let changed = visit(&with(change), &Inherited::default(), ControllerMask::all());
        let mut files = changed.iter().map(value).filter(|one| !usual.contains(one)).peekable();
        assert!(files.peek().is_some(), "{name} changes nothing");
        for (file, _) in files {
            let prefix = property_prefix(file);
            let meant = table.iter().filter(|(other, _)| other.starts_with(prefix)).map(|(other, _)| *other);
            assert_eq!(meant.collect::<Vec<_>>(), [name], "{file}: {prefix}");
        }
    }
    assert_eq!(property_prefix("memory.oom.group"), "OOM");
}
