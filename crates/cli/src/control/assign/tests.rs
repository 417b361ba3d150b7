//! What each form of assignment becomes on the wire. Values marked W were seen on the wire from systemd-run 252.
//! `systemd-run-252.tsv` holds what that program sent for 190 assignments.

use super::*;

/// Where we differ on purpose: a range that runs backwards is an error, not ignored; signals may be written in small
/// letters; systemd-run 252 does not know the property yet.
const DIFFERENT: &[(&str, &str)] = &[
    ("AllowedCPUs=3-1", "refused"),
    ("KillSignal=term", "KillSignal i 15"),
    ("RestrictNetworkInterfaces=eth0 lo", r#"RestrictNetworkInterfaces (bas) [true,["eth0","lo"]]"#),
    ("RestrictNetworkInterfaces=~eth0", r#"RestrictNetworkInterfaces (bas) [false,["eth0"]]"#),
    ("RestrictNetworkInterfaces=", "RestrictNetworkInterfaces (bas) [true,[]]"),
];

#[test]
fn the_same_as_systemd_run() {
    let sent = |assignment: &str| match parse(assignment).as_deref() {
        Ok([Property { name, value }]) => {
            let variant = value.to_variant();
            format!("{name} {} {}", variant.value_signature(), crate::control::value::json(&variant))
        }
        Ok(several) => format!("{several:?}"),
        Err(_) => "refused".to_owned(),
    };
    let lines = include_str!("systemd-run-252.tsv").lines().skip(1);
    for (assignment, theirs) in lines.map(|line| line.split_once('\t').unwrap()) {
        let different = DIFFERENT.iter().find(|(name, _)| *name == assignment);
        assert_eq!(sent(assignment), different.map_or(theirs, |(_, ours)| *ours), "{assignment}");
    }
}

fn one(assignment: &str) -> (String, Value) {
    let property = parse(assignment).unwrap().remove(0);
    (property.name, property.value)
}

fn refused(assignment: &str) -> String {
    parse(assignment).unwrap_err().to_string()
}

#[track_caller]
fn check(assignment: &str, name: &str, value: Value) {
    assert_eq!(one(assignment), (name.to_owned(), value), "{assignment}");
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("64M", 64 << 20), // W: 67108864
        ("0", 0),
        ("4096", 4096),
        ("512B", 512),
        ("1K", 1024),
        ("1.5G", 3 << 29),
        ("1G 512M", 3 << 29),
        ("1G512M", 3 << 29),
        ("1E", 1 << 60),
        ("1K 1", 1025),
        ("infinity", INFINITY),
        ("", INFINITY),
    ] {
        check(&format!("MemoryMax={text}"), "MemoryMax", Value::U64(bytes));
    }
    check("MemoryLow=", "MemoryLow", Value::U64(0));
    check("MemoryMin=", "MemoryMin", Value::U64(0));
    check("MemorySwapMax=", "MemorySwapMax", Value::U64(INFINITY));
}

#[test]
fn wrong_sizes() {
    for text in ["64Q", ".5K", "5.", "5.K", "-1", "M", "16E", "1M 1G", "1G 1G", "64M!", "1e3", "64 M x"] {
        assert!(parse(&format!("MemoryMax={text}")).is_err(), "{text}");
    }
    insta::assert_snapshot!(refused("MemoryMax=64Q"), @"MemoryMax=64Q: unknown size suffix, expected K, M, G, T, P or E");
}

#[test]
fn percentages_become_scales() {
    check("MemoryMax=10%", "MemoryMaxScale", Value::U32(429_496_730)); // W
    check("MemoryMax=100%", "MemoryMaxScale", Value::U32(u32::MAX));
    check("MemoryMax=0%", "MemoryMaxScale", Value::U32(0));
    check("MemoryLow=12.5%", "MemoryLowScale", Value::U32(536_870_912));
    check("TasksMax=33%", "TasksMaxScale", Value::U32(1_417_339_207));
    check("TasksMax=1‰", "TasksMaxScale", Value::U32(4_294_967));
    check("ManagedOOMMemoryPressureLimit=50%", "ManagedOOMMemoryPressureLimit", Value::U32(2_147_483_648));
    assert!(refused("MemoryMax=101%").contains("at most 100%"));
    assert!(refused("MemoryMax=1.234%").contains("two decimals"));
    assert!(parse("MemoryMax=%").is_err());
    assert!(parse("ManagedOOMMemoryPressureLimit=5").is_err());
}

#[test]
fn tasks() {
    check("TasksMax=100", "TasksMax", Value::U64(100));
    check("TasksMax=infinity", "TasksMax", Value::U64(INFINITY));
    check("TasksMax=", "TasksMax", Value::U64(INFINITY));
    assert!(parse("TasksMax=1K").is_err());
}

#[test]
fn cpu_quota() {
    check("CPUQuota=20%", "CPUQuotaPerSecUSec", Value::U64(200_000));
    check("CPUQuota=50%", "CPUQuotaPerSecUSec", Value::U64(500_000)); // W
    check("CPUQuota=250%", "CPUQuotaPerSecUSec", Value::U64(2_500_000));
    check("CPUQuota=0.01%", "CPUQuotaPerSecUSec", Value::U64(100));
    check("CPUQuota=", "CPUQuotaPerSecUSec", Value::U64(INFINITY));
    assert!(refused("CPUQuota=0%").contains("nothing"));
    assert!(parse("CPUQuota=20").is_err());
    check("CPUQuotaPeriodSec=10ms", "CPUQuotaPeriodUSec", Value::U64(10_000));
    check("CPUQuotaPeriodSec=", "CPUQuotaPeriodUSec", Value::U64(INFINITY));
}

#[test]
fn weights() {
    check("CPUWeight=idle", "CPUWeight", Value::U64(0));
    check("CPUWeight=10000", "CPUWeight", Value::U64(10_000));
    check("StartupCPUWeight=", "StartupCPUWeight", Value::U64(INFINITY));
    check("IOWeight=1", "IOWeight", Value::U64(1));
    for wrong in ["CPUWeight=0", "CPUWeight=10001", "IOWeight=idle", "IOWeight=0", "IOWeight=x"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn cpu_sets() {
    check("AllowedCPUs=0-1", "AllowedCPUs", Value::Bytes(vec![3, 0, 0, 0, 0, 0, 0, 0])); // W
    check("AllowedCPUs=0-3,5 7", "AllowedCPUs", Value::Bytes(vec![0xaf, 0, 0, 0, 0, 0, 0, 0]));
    check("AllowedCPUs=63", "AllowedCPUs", Value::Bytes(vec![0, 0, 0, 0, 0, 0, 0, 0x80]));
    let mut second_word = vec![0; 16];
    second_word[8] = 1;
    check("AllowedCPUs=64", "AllowedCPUs", Value::Bytes(second_word));
    check("AllowedMemoryNodes=", "AllowedMemoryNodes", Value::Bytes(vec![]));
    for wrong in ["AllowedCPUs=3-0", "AllowedCPUs=a", "AllowedCPUs=1-", "AllowedCPUs=8192", "AllowedCPUs=-1"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn spans() {
    for (text, usec) in [
        ("5s", 5_000_000),
        ("5", 5_000_000),
        ("0", 0),
        ("1min 30s", 90_000_000),
        ("1min30s", 90_000_000),
        ("1.5h", 5_400_000_000),
        ("20 ms", 20_000),
        (".5", 500_000),
        ("1us", 1),
        ("1µs", 1),
        ("2d", 172_800_000_000),
        ("1w", 604_800_000_000),
        ("1y", 31_557_600_000_000),
        ("1M", 2_629_800_000_000),
        ("infinity", INFINITY),
    ] {
        check(&format!("TimeoutStopSec={text}"), "TimeoutStopUSec", Value::U64(usec));
    }
    check("RuntimeMaxSec=1h", "RuntimeMaxUSec", Value::U64(3_600_000_000));
    for wrong in ["", "s", "5.", "5 parsecs", "-5s", "5s!", "999999999999999y"] {
        assert!(parse(&format!("TimeoutStopSec={wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn delegation() {
    check("Delegate=yes", "Delegate", Value::Bool(true));
    check("Delegate=0", "Delegate", Value::Bool(false));
    check("Delegate=cpu io", "DelegateControllers", Value::Texts(vec!["cpu".into(), "io".into()]));
    check("Delegate=", "DelegateControllers", Value::Texts(vec![]));
    check("DisableControllers=cpu", "DisableControllers", Value::Texts(vec!["cpu".into()]));
}

#[test]
fn devices() {
    check("DeviceAllow=", "DeviceAllow", Value::Pairs(vec![]));
    check("DeviceAllow=/dev/null rw", "DeviceAllow", Value::Pairs(vec![("/dev/null".into(), "rw".into())]));
    check("DeviceAllow=char-pts", "DeviceAllow", Value::Pairs(vec![("char-pts".into(), String::new())]));
    let vda = |n| Value::PathNumbers(vec![("/dev/vda".into(), n)]);
    check("IOReadBandwidthMax=/dev/vda 1M", "IOReadBandwidthMax", vda(1_000_000)); // W
    check("IOWriteIOPSMax=/dev/vda infinity", "IOWriteIOPSMax", vda(INFINITY));
    check("IOReadBandwidthMax=", "IOReadBandwidthMax", Value::PathNumbers(vec![]));
    check("IODeviceWeight=/dev/vda 200", "IODeviceWeight", vda(200));
    check("IODeviceLatencyTargetSec=/dev/vda 25ms", "IODeviceLatencyTargetUSec", vda(25_000));
    assert!(refused("IOReadBandwidthMax=/dev/vda").contains("a path and a value"));
}

#[test]
fn networks() {
    let any = vec![(2, vec![0; 4], 0), (10, vec![0; 16], 0)];
    check("IPAddressDeny=any", "IPAddressDeny", Value::Addresses(any));
    check(
        "IPAddressAllow=10.0.0.0/8 192.0.2.1",
        "IPAddressAllow",
        Value::Addresses(vec![(2, vec![10, 0, 0, 0], 8), (2, vec![192, 0, 2, 1], 32)]),
    );
    check("IPAddressAllow=", "IPAddressAllow", Value::Addresses(vec![]));
    assert!(parse("IPAddressAllow=10.0.0.0/33").is_err());
    assert!(parse("IPAddressAllow=example.org").is_err());
    check("SocketBindDeny=any", "SocketBindDeny", Value::Binds(vec![(0, 0, 0, 0)]));
    check("SocketBindAllow=ipv6:udp:53", "SocketBindAllow", Value::Binds(vec![(10, 17, 1, 53)]));
    check("SocketBindAllow=tcp:1000-1999", "SocketBindAllow", Value::Binds(vec![(0, 6, 1000, 1000)]));
    check("SocketBindAllow=tcp", "SocketBindAllow", Value::Binds(vec![(0, 6, 0, 0)]));
    for wrong in ["0", "udp:tcp:1", "70000", "20-10", "x:1"] {
        assert!(parse(&format!("SocketBindAllow={wrong}")).is_err(), "{wrong}");
    }
    check(
        "RestrictNetworkInterfaces=~eth0 eth1",
        "RestrictNetworkInterfaces",
        Value::Names(false, vec!["eth0".into(), "eth1".into()]),
    );
}

#[test]
fn switches_signals_and_words() {
    check("SendSIGHUP=on", "SendSIGHUP", Value::Bool(true));
    assert!(parse("SendSIGHUP=maybe").is_err());
    for (text, number) in [("TERM", 15), ("SIGKILL", 9), ("sigint", 2), ("1", 1), ("RTMIN+1", libc::SIGRTMIN() + 1)] {
        check(&format!("KillSignal={text}"), "KillSignal", Value::I32(number));
    }
    assert!(parse("KillSignal=0").is_err());
    assert!(parse("KillSignal=65").is_err());
    assert!(parse("KillSignal=NOPE").is_err());
    check("Description=a = b", "Description", Value::Text("a = b".into()));
    let documents = vec!["man:x(1)".into(), "file:/a b".into()];
    check("Documentation=man:x(1) \"file:/a b\"", "Documentation", Value::Texts(documents));
    check("StartLimitBurst=3", "StartLimitBurst", Value::U32(3));
}

#[test]
fn unknown_and_malformed() {
    insta::assert_snapshot!(refused("MemoryMax"), @"'MemoryMax' is not an assignment: expected NAME=VALUE");
    insta::assert_snapshot!(refused("memorymax=1"), @"unknown property memorymax, did you mean MemoryMax?");
    insta::assert_snapshot!(refused("Colour=red"), @"unknown property Colour");
}

#[test]
fn signatures_on_the_wire() {
    for (assignment, signature) in [
        ("CPUAccounting=yes", "b"),
        ("KillSignal=9", "i"),
        ("MemoryMax=5%", "u"),
        ("MemoryMax=5", "t"),
        ("Slice=a.slice", "s"),
        ("Wants=", "as"),
        ("AllowedCPUs=", "ay"),
        ("IODeviceWeight=", "a(st)"),
        ("DeviceAllow=", "a(ss)"),
        ("IPAddressAllow=", "a(iayu)"),
        ("SocketBindAllow=", "a(iiqq)"),
        ("RestrictNetworkInterfaces=", "(bas)"),
    ] {
        let variant = parse(assignment).unwrap()[0].value.to_variant();
        assert_eq!(variant.value_signature().to_string(), signature, "{assignment}");
    }
}
