//! What the vectors do not show: transports, kindnesses, properties of later versions, and that nothing panics.

use super::*;
use crate::client::Transport;
use crate::controllers::Controller;
use crate::plan::Pin;
use crate::resources::required_controller;
use crate::unit_file::TransientFile;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const SCOPE: UnitType = UnitType::Scope;

fn check_as(unit_type: UnitType, transport: &Transport, name: &str, value: &Value) -> Result<Property, Refusal> {
    let config = Config::example();
    parse(name, value, &Context { unit_type, creating: true, transport, config: &config })
}

fn check(unit_type: UnitType, name: &str, value: Value) -> Result<Property, Refusal> {
    check_as(unit_type, &Transport::Bus(":1.1".into()), name, &value)
}

fn refusal(unit_type: UnitType, name: &str, value: Value) -> (RefusalKind, String) {
    let refusal = check(unit_type, name, value).expect_err("refused");
    (refusal.kind, refusal.message)
}

/// What the transient file holds after these properties, without its first line.
fn written(unit_type: UnitType, properties: &[(&str, Value)]) -> String {
    let mut settings = default_settings(unit_type, &Config::example());
    let mut file = TransientFile::new(unit_type);
    for (name, value) in properties {
        let property = check(unit_type, name, value.clone()).expect("accepted");
        property.apply(&mut settings);
        property.write_transient(&settings, &mut file);
    }
    file.into_text().lines().skip(1).map(|line| format!("{line}\n")).collect()
}

fn devices(list: &[(&str, u64)]) -> Value {
    let entry = |(path, number): &(&str, u64)| Value::Struct(vec![Value::str(path), Value::U64(*number)]);
    Value::Array("(st)".into(), list.iter().map(entry).collect())
}

#[test]
fn what_needs_a_bus_name_is_refused_on_the_private_socket() {
    let answer = check_as(SCOPE, &Transport::Private, "Controller", &Value::str(":1.1")).expect_err("refused");
    assert_eq!(answer.kind, RefusalKind::NotSupported);
    assert!(check_as(SCOPE, &Transport::Private, "AddRef", &Value::Bool(true)).is_ok(), "a connection can refer");
}

#[test]
fn properties_of_other_versions_and_bpf_programs_are_unknown() {
    for name in ["BPFProgram", "OOMPolicy", "MemoryZSwapMax", "DelegateSubgroup", "NFTSet", "IPIngressFilterPath"] {
        let text = format!("Cannot set property {name}, or unknown property.");
        assert_eq!(refusal(SCOPE, name, Value::str("")), (RefusalKind::PropertyReadOnly, text));
    }
}

#[test]
fn processes_come_by_number_or_by_descriptor() {
    let handles = |list: &[u64]| Value::Array("h".into(), list.iter().map(|h| Value::Handle(*h)).collect());
    assert_eq!(check(SCOPE, "PIDFDs", handles(&[7])), Ok(Property::PidFds(vec![Pin(7)])));
    assert_eq!(refusal(SCOPE, "PIDFDs", handles(&[0])).1, "Failed to set unit properties: Bad file descriptor");
    assert_eq!(refusal(SCOPE, "PIDFDs", handles(&[])).0, RefusalKind::InvalidArgs);
    let pids = Value::Array("u".into(), vec![Value::U32(0), Value::U32(4_000_000_000)]);
    assert_eq!(refusal(SCOPE, "PIDs", pids).1, "Process identifier -294967296 is not valid.");
}

#[test]
fn the_kindnesses() {
    let words = Value::Array("t".into(), vec![Value::U64(3), Value::U64(0)]);
    assert_eq!(check(SCOPE, "AllowedCPUs", words), check(SCOPE, "AllowedCPUs", Value::Bytes(vec![3])));
    assert_eq!(check(SCOPE, "Slice", Value::str("")), Ok(Property::Slice(None)));
}

#[test]
fn a_set_of_cpus_is_bounded() {
    let mut bytes = vec![0; 1025];
    assert!(check(SCOPE, "AllowedCPUs", Value::Bytes(bytes.clone())).is_ok());
    bytes[1024] = 1;
    assert_eq!(refusal(SCOPE, "AllowedCPUs", Value::Bytes(bytes)).0.bus_name(), "System.Error.ERANGE");
}

#[test]
fn transient_files_change_sections_and_keep_lists_whole() {
    let lines = written(
        SCOPE,
        &[
            ("Description", Value::str("50% of\nit")),
            ("Slice", Value::str("a-b.slice")),
            ("CPUWeight", Value::U64(0)),
            ("CPUQuotaPerSecUSec", Value::U64(5_000)),
            ("IOReadBandwidthMax", devices(&[("/dev/a", 1), ("/dev/b", u64::MAX)])),
            ("IOReadBandwidthMax", devices(&[("/dev/b", 2)])),
            ("MemoryHigh", Value::U64(u64::MAX)),
            ("TimeoutStopUSec", Value::U64(90_000_000)),
            ("KillSignal", Value::I32(2)),
            ("User", Value::str("someone")),
            ("PIDs", Value::Array("u".into(), vec![Value::U32(0)])),
            ("CollectMode", Value::str("inactive-or-failed")),
            ("Wants", Value::strings(["x.service", "y.slice"])),
        ],
    );
    let want = "[Unit]\nDescription=50%% of it\n\n[Scope]\nSlice=a-b.slice\nCPUWeight=idle\nCPUQuota=0.50%\n\
        IOReadBandwidthMax=\nIOReadBandwidthMax=/dev/a 1\n\
        IOReadBandwidthMax=\nIOReadBandwidthMax=/dev/a 1\nIOReadBandwidthMax=/dev/b 2\n\
        MemoryHigh=infinity\nTimeoutStopSec=1min 30s\nKillSignal=INT\nUser=someone\n\n\
        [Unit]\nCollectMode=inactive-or-failed\nWants=x.service\nWants=y.slice\n";
    assert_eq!(lines, want);
}

#[test]
fn drop_ins_are_named_and_complete() {
    let mut settings = default_settings(SCOPE, &Config::example());
    let mut drop_in = |name, value| {
        let property = check(SCOPE, name, value).expect("accepted");
        property.apply(&mut settings);
        property.drop_in(SCOPE, &settings)
    };
    let quota = drop_in("CPUQuotaPerSecUSec", Value::U64(250_000)).expect("kept");
    assert_eq!(quota.stem, "50-CPUQuota");
    let header = crate::unit_file::DROP_IN_HEADER;
    assert_eq!(quota.content, format!("{header}[Scope]\nCPUQuota=25%\n\n"));
    let scale = drop_in("MemoryMaxScale", Value::U32(u32::MAX)).expect("kept");
    assert_eq!(scale.stem, "50-MemoryMaxScale");
    assert_eq!(scale.content, format!("{header}[Scope]\nMemoryMax=100.00%\n\n"));
    assert_eq!(drop_in("Markers", Value::strings(["needs-reload"])), None);
}

#[test]
fn only_what_limits_requires_its_controller() {
    let needs = |name, value| required_controller(&check(SCOPE, name, value).expect("accepted"));
    for (name, value, want) in [
        ("MemoryMax", Value::U64(5), Some(Controller::Memory)),
        ("MemoryMax", Value::U64(u64::MAX), None),
        ("MemoryLow", Value::U64(0), None),
        ("MemorySwapMax", Value::U64(0), Some(Controller::Memory)),
        ("CPUWeight", Value::U64(0), Some(Controller::Cpu)),
        ("AllowedCPUs", Value::Bytes(vec![0]), None),
        ("AllowedCPUs", Value::Bytes(vec![1]), Some(Controller::Cpuset)),
        ("IOReadIOPSMax", devices(&[("/dev/a", u64::MAX)]), None),
        ("IOReadIOPSMax", devices(&[("/dev/a", 0)]), Some(Controller::Io)),
        ("TasksMax", Value::U64(u64::MAX), None),
        ("MemoryAccounting", Value::Bool(true), None),
        ("Description", Value::str("x"), None),
    ] {
        assert_eq!(needs(name, value), want, "{name}");
    }
}

#[test]
fn markers_are_replaced_or_changed() {
    let mut settings = default_settings(SCOPE, &Config::example());
    let mut set = |words: &[&str]| {
        check(SCOPE, "Markers", Value::strings(words)).map(|property| property.apply(&mut settings))?;
        Ok::<_, Refusal>(settings.rare().markers.join(" "))
    };
    assert_eq!(set(&["needs-reload"]), Ok("needs-reload".to_string()));
    assert_eq!(set(&["+needs-restart", "-needs-reload"]), Ok("needs-restart".to_string()));
    assert_eq!(set(&["+needs-restart", "needs-reload"]).map_err(|r| r.kind), Err(RefusalKind::BadUnitSetting));
    assert_eq!(set(&[]), Ok(String::new()));
}

/// Values of a type, the interesting numbers and texts among them.
fn values(signature: &str) -> BoxedStrategy<Value> {
    let numbers = prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(10_000), any::<u64>()];
    match signature {
        "b" => any::<bool>().prop_map(Value::Bool).boxed(),
        "t" => numbers.prop_map(Value::U64).boxed(),
        "u" => prop_oneof![Just(0), Just(u32::MAX), any::<u32>()].prop_map(Value::U32).boxed(),
        "i" => prop_oneof![Just(2), Just(10), 0..70, any::<i32>()].prop_map(Value::I32).boxed(),
        "h" => (0_u64..4).prop_map(Value::Handle).boxed(),
        "s" => texts().prop_map(Value::Str).boxed(),
        "ay" => prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes).boxed(),
        other => containers(other),
    }
}

fn containers(signature: &str) -> BoxedStrategy<Value> {
    if let Some(element) = signature.strip_prefix('a') {
        let element = String::from(element);
        let items = prop::collection::vec(values(&element), 0..4);
        return items.prop_map(move |items| Value::Array(element.clone(), items)).boxed();
    }
    let fields: &[&str] = match signature {
        "(st)" => &["s", "t"],
        "(ss)" => &["s", "s"],
        "(sasb)" => &["s", "as", "b"],
        "(sasas)" => &["s", "as", "as"],
        "(aiai)" => &["ai", "ai"],
        "(sb)" => &["s", "b"],
        "(iayu)" => &["i", "ay", "u"],
        other => panic!("no values for {other}"),
    };
    fields.iter().map(|field| values(field)).collect::<Vec<_>>().prop_map(Value::Struct).boxed()
}

fn texts() -> impl Strategy<Value = String> {
    let known =
        ["", "auto", "kill", "a.slice", "-.slice", "x.service", "/dev/null", "rwm", "cpu", "A=b", "1000", "none"];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(String::from), "\\PC{0,12}", "[a%\\\\\n\"]{0,6}"]
}

fn any_property() -> impl Strategy<Value = (&'static Row, Value)> {
    let rows: Vec<&'static Row> = rows().collect();
    prop::sample::select(rows).prop_flat_map(|row| (Just(row), values(row.signature())))
}

proptest! {
    #[test]
    fn accepted_values_apply_print_and_read(list in prop::collection::vec(any_property(), 0..6)) {
        let config = Config::example();
        for unit_type in [UnitType::Slice, UnitType::Scope, UnitType::Service] {
            let mut settings = default_settings(unit_type, &config);
            for (row, value) in &list {
                let Ok(property) = check(unit_type, row.name, value.clone()) else { continue };
                property.apply(&mut settings);
                let lines = property.drop_in(unit_type, &settings).map_or(String::new(), |d| d.content);
                prop_assert!(lines.lines().skip(3).all(|line| line.is_empty() || line.contains('=')), "{lines}");
                let shown = read(row.name, &settings, &config, unit_type);
                prop_assert!(shown.is_none_or(|shown| shown.has_signature(row.signature())));
            }
        }
    }

    #[test]
    fn values_of_another_type_are_refused(row in prop::sample::select(rows().collect::<Vec<_>>())) {
        let odd = Value::Variant(Box::new(Value::U8(1)));
        for unit_type in [UnitType::Slice, UnitType::Scope, UnitType::Service] {
            let answer = check(unit_type, row.name, odd.clone());
            prop_assert!(answer.is_err());
            let settable = row.is_settable(unit_type, true) && row.name != "Triggers";
            prop_assert!(!settable || answer.is_err_and(|r| r.kind != RefusalKind::PropertyReadOnly));
        }
    }
}

mod round_trip;
