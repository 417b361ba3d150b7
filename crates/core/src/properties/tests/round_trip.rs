//! What was accepted over the bus and written to a file is read back as what it was.

use super::*;
use crate::names::UnitName;
use crate::properties::kind::Kind;
use crate::properties::table;
use crate::resources::resolve_tasks_max;
use crate::settings::{ExecSettings, ExtraResources, RareSettings, Resources, Settings, TasksMax, UNSET};
use crate::unit_file::{self, Source, Warning};

const MANAGED: [UnitType; 3] = [UnitType::Slice, UnitType::Scope, UnitType::Service];

fn name_of(unit_type: UnitType) -> UnitName {
    UnitName::parse(&format!("a-b.{}", unit_type.suffix())).expect("a name")
}

fn read_file(text: &str, unit_type: UnitType, settings: &mut Settings) -> Vec<Warning> {
    let (name, config) = (name_of(unit_type), Config::example());
    unit_file::read(text, &Source { name: &name, path: "/etc/a", config: &config }, settings)
}

/// As a line can hold it: no line breaks, no blanks at the ends. Commands and variables can hold anything, since they
/// are quoted; but a program whose name begins like a prefix is taken for one.
fn for_a_line(row: &Row, value: Value) -> Value {
    match value {
        Value::Str(text) if matches!(row.kind, Kind::Commands(_) | Kind::CommandsEx(_)) => {
            Value::Str(text.trim_start_matches(['-', '@', ':', '+', '!']).into())
        }
        Value::Str(text) if matches!(row.kind, Kind::Environment) => Value::Str(text),
        Value::Str(text) => Value::Str(text.replace(['\n', '\r', '\0'], " ").trim().into()),
        Value::Array(element, items) => {
            Value::Array(element, items.into_iter().map(|item| for_a_line(row, item)).collect())
        }
        Value::Struct(fields) => Value::Struct(fields.into_iter().map(|field| for_a_line(row, field)).collect()),
        other => other,
    }
}

/// Shares are written with two decimals; they have a test of their own.
fn is_exact(row: &Row) -> bool {
    !matches!(row.kind, Kind::MemoryScale(_) | Kind::TasksMaxScale | Kind::Fraction(_))
}

/// What files hold of it: not the markers, no device without any limit left, and nothing that is as if it had never
/// been set.
fn as_kept(mut settings: Settings) -> Settings {
    if let Some(rare) = settings.rare.as_mut() {
        rare.markers.clear();
    }
    if let Some(extra) = settings.resources.extra.as_mut() {
        extra.io_device_limits.retain(|(_, limits)| *limits != [UNSET; 4]);
        extra.block_io_device_bandwidth.retain(|(_, limits)| *limits != [UNSET; 2]);
        // The order of devices means nothing, and each kind of limit has its own list in the file.
        extra.io_device_limits.sort();
        extra.block_io_device_bandwidth.sort();
    }
    settings.exec = settings.exec.filter(|exec| **exec != ExecSettings::NONE);
    settings.rare = settings.rare.filter(|rare| **rare != RareSettings::NONE);
    settings.resources.extra = settings.resources.extra.filter(|extra| **extra != ExtraResources::NONE);
    // For services, no time to stop at all is written as it is, and read as no limit.
    if settings.service.is_some() && settings.timeout_stop_usec == 0 {
        settings.timeout_stop_usec = UNSET;
    }
    settings
}

/// Checks and applies the properties that are accepted; the transient file, and the drop-ins of each.
fn write(unit_type: UnitType, list: &[(&'static Row, Value)]) -> (Settings, String, Vec<String>) {
    let mut settings = default_settings(unit_type, &Config::example());
    let (mut file, mut drop_ins) = (TransientFile::new(unit_type), Vec::new());
    for (row, value) in list {
        let Ok(property) = check(unit_type, row.name, for_a_line(row, value.clone())) else { continue };
        property.apply(&mut settings);
        property.write_transient(&settings, &mut file);
        drop_ins.extend(property.drop_in(unit_type, &settings).map(|drop_in| drop_in.content));
    }
    (settings, file.into_text(), drop_ins)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_written_is_read_back(list in prop::collection::vec(any_property(), 0..8)) {
        let list: Vec<_> = list.into_iter().filter(|(row, _)| is_exact(row)).collect();
        for unit_type in MANAGED {
            let (settings, file, drop_ins) = write(unit_type, &list);
            let mut read = default_settings(unit_type, &Config::example());
            prop_assert_eq!(read_file(&file, unit_type, &mut read), vec![], "{}", file);
            prop_assert_eq!(as_kept(read), as_kept(settings.clone()), "{}", file);
            let mut read = default_settings(unit_type, &Config::example());
            for drop_in in &drop_ins {
                prop_assert_eq!(read_file(drop_in, unit_type, &mut read), vec![], "{}", drop_in);
            }
            prop_assert_eq!(as_kept(read), as_kept(settings), "{:?}", drop_ins);
        }
    }

    #[test]
    fn shares_come_back_to_a_hundredth_of_a_percent(fraction in any::<u32>()) {
        let machine = Config::example().machine;
        let list = ["MemoryMaxScale", "TasksMaxScale", "ManagedOOMMemoryPressureLimit"]
            .map(|name| (row(name).expect("a property"), Value::U32(fraction)));
        let (settings, file, _) = write(SCOPE, &list);
        let mut read = default_settings(SCOPE, &Config::example());
        // The smallest shares are written as none, which is refused, and then the default stays.
        let warnings = read_file(&file, SCOPE, &mut read);
        prop_assume!(warnings.is_empty());
        let near = |a: u64, b: u64, whole: u64, step: u64| a.abs_diff(b) <= whole / 10_000 + step;
        let (a, b) = (&settings.resources, &read.resources);
        let tasks = |tasks_max| resolve_tasks_max(tasks_max, &machine);
        if a.memory_max != UNSET {
            prop_assert!(near(a.memory_max, b.memory_max, machine.memory_bytes, 4096));
        }
        if matches!(a.tasks_max, TasksMax::Scale(_)) {
            prop_assert!(near(tasks(a.tasks_max), tasks(b.tasks_max), machine.tasks_max, 1));
        }
        let limit = |r: &Resources| u64::from(r.extra().managed_oom_memory_pressure_limit);
        prop_assert!(near(limit(a), limit(b), u64::from(u32::MAX), 1));
    }
}

#[test]
fn every_property_that_is_written_is_read() {
    for row in rows() {
        let is_written = !row.key.is_empty();
        let is_read = table::rows_with_key(row.key).any(|found| found == row);
        assert_eq!(is_written, is_read, "{row:?}");
    }
}
