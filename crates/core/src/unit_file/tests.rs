//! Whole files: what they make of a unit, and what is said about them.

use super::*;
use crate::config::Config;
use crate::names::UnitName;
use crate::properties::default_settings;
use crate::settings::{Dependency, Settings, TasksMax, UNSET};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use insta::assert_snapshot;

fn read_as(name: &str, text: &str) -> (Settings, Vec<Warning>) {
    let (name, config) = (UnitName::parse(name).expect("a name"), Config::example());
    let mut settings = default_settings(name.unit_type(), &config);
    let warnings = read(text, &Source { name: &name, path: "/etc/units/x", config: &config }, &mut settings);
    (settings, warnings)
}

fn warnings(name: &str, text: &str) -> String {
    let line = |w: Warning| format!("{}: {}: {} ({:?})\n", w.line, w.key, w.text, w.severity);
    read_as(name, text).1.into_iter().map(line).collect()
}

#[test]
fn keys_by_their_old_names() {
    let text = "[Service]\nReadWriteDirectories=-/a\nReadWritePaths=/b\nReadOnlyDirectories=/c\n\
        InaccessibleDirectories=/d\nExecStart=/x\n";
    let (settings, warnings) = read_as("a.service", text);
    assert_eq!(warnings, []);
    let exec = settings.exec();
    assert_eq!(exec.read_write_paths, ["-/a", "/b"]);
    assert_eq!((exec.read_only_paths[0].as_str(), exec.inaccessible_paths[0].as_str()), ("/c", "/d"));
}

#[test]
fn a_slice_file_that_is_wrong_in_many_places() {
    let text = "TasksMax=1\n[Slice]\nMemoryMax=0\nTasksMax=77\nCPUWeight=20000\nAllowedCPUs=x\nIOWeight=\n\
        MemoryHigh=-1\nCPUQuota=0%\nCPUAccounting=maybe\n\
        Delegate=yes\nMemoryLow=\\\n  17Q\nIODeviceWeight=/dev/../a 5\n\
        IOReadBandwidthMax=/dev/a\nDeviceAllow=/etc/passwd r\nIPAddressDeny=any 1.2.3.4/40\nDevicePolicy=open\n\
        DisableControllers=cpu nonsense\nX-Note=mine\n[Bogus]\nx=y\n[X-Mine]\nz=1\nno equals sign\n=1\n\
        [Unit]\nAfter=a.service b c@.service\nCollectMode=sometimes\nJobTimeoutSec=soon\nBPFProgram=x\n\
        Documentation=man:x nowhere \"http://a\n[Service]\nExecStart=x\n";
    assert_snapshot!(warnings("a-b.slice", text), @r#"
    1: TasksMax: Assignment outside of section. Ignoring. (Skipped)
    3: MemoryMax: MemoryMax=0 out of range, ignoring. (Skipped)
    5: CPUWeight: CPUWeight=20000 out of range, ignoring. (Skipped)
    6: AllowedCPUs: Invalid CPU set 'x' in AllowedCPUs=, ignoring. (Skipped)
    8: MemoryHigh: Invalid memory limit '-1' in MemoryHigh=, ignoring. (Skipped)
    9: CPUQuota: CPUQuota=0% out of range, ignoring. (Skipped)
    10: CPUAccounting: Failed to parse boolean value, ignoring: maybe (Skipped)
    11: Delegate: Delegate= setting not supported for this unit type, ignoring. (Skipped)
    12: MemoryLow: Invalid memory limit '17Q' in MemoryLow=, ignoring. (Skipped)
    14: IODeviceWeight: Invalid path '/dev/../a 5' in IODeviceWeight=, ignoring. (Skipped)
    15: IOReadBandwidthMax: Invalid value '/dev/a' in IOReadBandwidthMax=, ignoring. (Skipped)
    16: DeviceAllow: DeviceAllow= requires device node or pattern, ignoring. (Skipped)
    17: IPAddressDeny: Invalid address prefix '1.2.3.4/40', ignoring. (Skipped)
    18: DevicePolicy: Invalid value 'open' in DevicePolicy=, ignoring. (Skipped)
    19: DisableControllers: Invalid controller name 'nonsense', ignoring. (Skipped)
    21: : Unknown section 'Bogus'. Ignoring. (Skipped)
    25: : Missing '=', ignoring line. (Skipped)
    26: : Missing key name before '=', ignoring line. (Skipped)
    28: After: Failed to add dependency on b, ignoring: Invalid argument (Skipped)
    29: CollectMode: Invalid value 'sometimes' in CollectMode=, ignoring. (Skipped)
    30: JobTimeoutSec: Invalid time span 'soon' in JobTimeoutSec=, ignoring. (Skipped)
    31: BPFProgram: Unknown key name 'BPFProgram' in section 'Unit', ignoring. (Skipped)
    32: Documentation: Invalid value 'nowhere', ignoring. (Skipped)
    32: Documentation: Invalid syntax 'man:x nowhere "http://a' in Documentation=, ignoring. (Skipped)
    33: : Unknown section 'Service'. Ignoring. (Skipped)
    "#);
}

#[test]
fn a_mistake_about_rights_or_commands_makes_the_unit_unfit() {
    for (text, line, word) in [
        ("[Service]\nGroup=a:b\n", 2, "Invalid Group setting"),
        ("[Service]\nUser=%m\n", 2, "cannot be resolved"),
        ("[Service]\nRestart=always\nExecStart=bin/true\n", 3, "absolute path"),
        ("[Service]\nExecStart=/bin/a \"b\n", 2, "syntax"),
        ("[Service]\nExecStart=@/bin/a\n", 2, "Empty argument list"),
        ("[Service]\nExecStart=-\n", 2, "absolute path"),
    ] {
        let (settings, warnings) = read_as("a.service", &format!("{text}Environment=A=1\n"));
        let last = warnings.last().expect("a warning");
        assert_eq!((last.line, last.severity), (line, Severity::BadSetting), "{text}");
        assert!(last.text.contains(word), "{}", last.text);
        assert!(settings.service().environment.is_empty(), "nothing is read behind it");
    }
}

#[test]
fn what_is_no_unit_file_is_not_read_on() {
    let (settings, warnings) = read_as("a.slice", "[Slice]\nTasksMax=5\n[Slice\nTasksMax=6\n");
    assert_eq!(settings.resources.tasks_max, TasksMax::Count(5));
    assert_eq!((warnings[0].line, warnings[0].severity), (3, Severity::Unreadable));
}

#[test]
fn drop_ins_come_on_top_and_nothing_resets() {
    let (name, config) = (UnitName::parse("a.slice").expect("a name"), Config::example());
    let mut settings = default_settings(name.unit_type(), &config);
    for text in [
        "[Slice]\nMemoryMax=50%\nMemoryLow=1G\nAllowedCPUs=0-1\nIODeviceWeight=/dev/a 5\nTasksMax=10%\nCPUQuota=150%\n",
        "[Slice]\nMemoryMax=1.5G\nAllowedCPUs=3,8\nIODeviceWeight=/dev/b 6\nIOReadBandwidthMax=\"/dev/c d\" 5M\n",
        "[Slice]\nMemoryLow=\nIODeviceWeight=\nIODeviceWeight=/dev/c 7\nTasksMax=\nCPUQuota=\nIOWriteIOPSMax=/dev/a 1K\n",
    ] {
        assert_eq!(read(text, &Source { name: &name, path: "", config: &config }, &mut settings), []);
    }
    let r = &settings.resources;
    assert_eq!((r.memory_max, r.memory_low, r.memory_low_set), (1_610_612_736, 0, true));
    assert_eq!((r.allowed_cpus.0.as_slice(), r.cpu_quota_per_sec_usec), (&[0b1_0000_1011][..], UNSET));
    assert_eq!((r.tasks_max, &r.extra().io_device_weight), (TasksMax::Count(2362), &[("/dev/c".into(), 7)].to_vec()));
    let limits = &r.extra().io_device_limits;
    assert_eq!(limits[0], ("/dev/c d".into(), [5_000_000, UNSET, UNSET, UNSET]));
    assert_eq!(limits[1], ("/dev/a".into(), [UNSET, UNSET, UNSET, 1000]));
}

#[test]
fn a_service_as_people_write_it() {
    let text = "# A comment\n[Unit]\nDescription=Front end of %i (%%)\nAfter=network.target other@.service\n\
        Wants=x.slice\n\n\
        [Service]\nType=oneshot\nSlice=shop-%i.slice\nEnvironment=A=1 \"B=two words\"\nEnvironment='A=3'\n\
        ExecStart=-/bin/sh -c \"echo $A; exit 1\" %n ; @/bin/true true \\;\n\
        TimeoutStopSec=1min 30\nKillSignal=SIGINT\nMemoryMax=64M\nDelegate=cpu pids\n[Install]\nWantedBy=x.target\n";
    let (settings, warnings) = read_as("web@eu.service", text);
    assert_eq!(warnings, []);
    assert_eq!(settings.description.as_deref(), Some("Front end of eu (%)"));
    let dependencies: Vec<_> = settings.dependencies.iter().map(|(kind, name)| (*kind, name.to_string())).collect();
    let after = |name: &str| (Dependency::After, name.into());
    let wants = (Dependency::Wants, "x.slice".into());
    assert_eq!(dependencies, [after("network.target"), after("other@eu.service"), wants]);
    assert_eq!(settings.slice.as_ref().map(UnitName::as_str), Some("shop-eu.slice"));
    assert_eq!((settings.timeout_stop_usec, settings.kill.signal), (90_000_000, 2));
    let service = settings.service();
    assert_eq!(service.environment, ["B=two words", "A=3"]);
    let start = service.commands(crate::settings::ServiceCommand::Start);
    let [shell, last] = start else { panic!("{start:?}") };
    assert_eq!(shell.arguments, ["/bin/sh", "-c", "echo $A; exit 1", "web@eu.service"]);
    assert!(shell.ignore_failure && !last.ignore_failure);
    assert_eq!((last.path.as_str(), last.arguments.join(" ").as_str()), ("/bin/true", "true ;"));
    assert_eq!(
        settings.resources.delegate_controllers.controllers().map(|c| c.name()).collect::<Vec<_>>(),
        ["cpu", "pids"]
    );
}
