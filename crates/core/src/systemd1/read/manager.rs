//! Properties of the manager (reference 07.6), of jobs (03.12) and of the log control object.

use crate::settings::UNSET;
use crate::systemd1::encode::unit_path;
use crate::systemd1::read::{JobView, ManagerView};
use crate::systemd1::table::Emits::{self, Const, False, True};
use crate::systemd1::table::{Property, Read, nothing};
use crate::value::Value;
use alloc::vec;

/// The version of systemd whose features are served; clients read the leading digits.
pub const VERSION: &str = "252.1-cgarbiter";

pub(crate) const PROPERTIES: &[Property] = &[
    manager("Version", "s", Const, |_| Value::str(VERSION)),
    manager("Features", "s", Const, |_| Value::str("default-hierarchy=unified")),
    manager("Virtualization", "s", Const, |v| Value::str(&v.config.machine.virtualization)),
    manager("Architecture", "s", Const, |v| Value::str(&v.config.machine.architecture)),
    manager("Tainted", "s", Const, |_| Value::str("")),
    never("FirmwareTimestamp"),
    never("FirmwareTimestampMonotonic"),
    never("LoaderTimestamp"),
    never("LoaderTimestampMonotonic"),
    never("KernelTimestamp"),
    never("KernelTimestampMonotonic"),
    never("InitRDTimestamp"),
    never("InitRDTimestampMonotonic"),
    manager("UserspaceTimestamp", "t", Const, started),
    manager("UserspaceTimestampMonotonic", "t", Const, started_monotonic),
    manager("FinishTimestamp", "t", Const, started),
    manager("FinishTimestampMonotonic", "t", Const, started_monotonic),
    never("SecurityStartTimestamp"),
    never("SecurityStartTimestampMonotonic"),
    never("SecurityFinishTimestamp"),
    never("SecurityFinishTimestampMonotonic"),
    never("GeneratorsStartTimestamp"),
    never("GeneratorsStartTimestampMonotonic"),
    never("GeneratorsFinishTimestamp"),
    never("GeneratorsFinishTimestampMonotonic"),
    manager("UnitsLoadStartTimestamp", "t", Const, started),
    manager("UnitsLoadStartTimestampMonotonic", "t", Const, started_monotonic),
    manager("UnitsLoadFinishTimestamp", "t", Const, started),
    manager("UnitsLoadFinishTimestampMonotonic", "t", Const, started_monotonic),
    manager("UnitsLoadTimestamp", "t", Const, started),
    manager("UnitsLoadTimestampMonotonic", "t", Const, started_monotonic),
    manager("LogLevel", "s", False, |_| Value::str(LOG_LEVEL)),
    manager("LogTarget", "s", False, |_| Value::str(LOG_TARGET)),
    manager("NNames", "u", False, |v| Value::U32(v.units)),
    manager("NFailedUnits", "u", True, |v| Value::U32(v.failed_units)),
    manager("NJobs", "u", False, |v| Value::U32(v.jobs)),
    manager("NInstalledJobs", "u", False, |v| Value::U32(v.installed_jobs)),
    manager("NFailedJobs", "u", False, |v| Value::U32(v.failed_jobs)),
    manager("Progress", "d", False, |_| Value::F64(1.0)),
    manager("Environment", "as", False, |v| Value::strings(v.environment)),
    manager("ConfirmSpawn", "b", Const, |_| Value::Bool(false)),
    manager("ShowStatus", "b", False, |_| Value::Bool(false)),
    manager("UnitPath", "as", Const, |v| Value::strings(&v.config.unit_paths.search)),
    manager("DefaultStandardOutput", "s", Const, |_| Value::str("journal")),
    manager("DefaultStandardError", "s", Const, |_| Value::str("inherit")),
    manager("WatchdogDevice", "s", Const, |_| Value::str("")),
    number("RuntimeWatchdogUSec", False, 0),
    number("RebootWatchdogUSec", False, 0),
    number("KExecWatchdogUSec", False, 0),
    manager("ServiceWatchdogs", "b", False, |_| Value::Bool(false)),
    manager("ControlGroup", "s", False, |v| Value::str(&v.config.root)),
    manager("SystemState", "s", False, |v| Value::str(if v.failed_units == 0 { "running" } else { "degraded" })),
    manager("ExitCode", "y", False, |_| Value::U8(0)),
    number("DefaultTimerAccuracyUSec", Const, 60_000_000),
    manager("DefaultTimeoutStartUSec", "t", Const, |v| Value::U64(v.config.defaults.timeout_start_usec)),
    manager("DefaultTimeoutStopUSec", "t", Const, |v| Value::U64(v.config.defaults.timeout_stop_usec)),
    manager("DefaultTimeoutAbortUSec", "t", False, |v| Value::U64(v.config.defaults.timeout_stop_usec)),
    number("DefaultDeviceTimeoutUSec", Const, 90_000_000),
    number("DefaultRestartUSec", Const, 100_000),
    number("DefaultStartLimitIntervalUSec", Const, 10_000_000),
    manager("DefaultStartLimitBurst", "u", Const, |_| Value::U32(5)),
    manager("DefaultCPUAccounting", "b", Const, |v| Value::Bool(v.config.defaults.cpu_accounting)),
    manager("DefaultBlockIOAccounting", "b", Const, |_| Value::Bool(false)),
    manager("DefaultIOAccounting", "b", Const, |v| Value::Bool(v.config.defaults.io_accounting)),
    manager("DefaultIPAccounting", "b", Const, |_| Value::Bool(false)),
    manager("DefaultMemoryAccounting", "b", Const, |v| Value::Bool(v.config.defaults.memory_accounting)),
    manager("DefaultTasksAccounting", "b", Const, |v| Value::Bool(v.config.defaults.tasks_accounting)),
    manager("DefaultTasksMax", "t", False, |v| Value::U64(v.config.defaults.tasks_max)),
    number("TimerSlackNSec", Const, 50_000),
    manager("DefaultOOMPolicy", "s", Const, |_| Value::str("stop")),
    manager("DefaultOOMScoreAdjust", "i", Const, |_| Value::I32(0)),
    manager("CtrlAltDelBurstAction", "s", Const, |_| Value::str("none")),
];

/// The arbiter sets no limit on its children: they have its own.
pub(crate) const DEFAULT_LIMITS: &[Property] = &[
    number("DefaultLimitCPU", Const, UNSET),
    number("DefaultLimitCPUSoft", Const, UNSET),
    number("DefaultLimitFSIZE", Const, UNSET),
    number("DefaultLimitFSIZESoft", Const, UNSET),
    number("DefaultLimitDATA", Const, UNSET),
    number("DefaultLimitDATASoft", Const, UNSET),
    number("DefaultLimitSTACK", Const, UNSET),
    number("DefaultLimitSTACKSoft", Const, UNSET),
    number("DefaultLimitCORE", Const, UNSET),
    number("DefaultLimitCORESoft", Const, UNSET),
    number("DefaultLimitRSS", Const, UNSET),
    number("DefaultLimitRSSSoft", Const, UNSET),
    number("DefaultLimitNOFILE", Const, UNSET),
    number("DefaultLimitNOFILESoft", Const, UNSET),
    number("DefaultLimitAS", Const, UNSET),
    number("DefaultLimitASSoft", Const, UNSET),
    number("DefaultLimitNPROC", Const, UNSET),
    number("DefaultLimitNPROCSoft", Const, UNSET),
    number("DefaultLimitMEMLOCK", Const, UNSET),
    number("DefaultLimitMEMLOCKSoft", Const, UNSET),
    number("DefaultLimitLOCKS", Const, UNSET),
    number("DefaultLimitLOCKSSoft", Const, UNSET),
    number("DefaultLimitSIGPENDING", Const, UNSET),
    number("DefaultLimitSIGPENDINGSoft", Const, UNSET),
    number("DefaultLimitMSGQUEUE", Const, UNSET),
    number("DefaultLimitMSGQUEUESoft", Const, UNSET),
    number("DefaultLimitNICE", Const, UNSET),
    number("DefaultLimitNICESoft", Const, UNSET),
    number("DefaultLimitRTPRIO", Const, UNSET),
    number("DefaultLimitRTPRIOSoft", Const, UNSET),
    number("DefaultLimitRTTIME", Const, UNSET),
    number("DefaultLimitRTTIMESoft", Const, UNSET),
];

/// Properties of `org.freedesktop.LogControl1`.
pub(crate) const LOG_PROPERTIES: &[Property] = &[
    manager("LogLevel", "s", False, |_| Value::str(LOG_LEVEL)),
    manager("LogTarget", "s", False, |_| Value::str(LOG_TARGET)),
    manager("SyslogIdentifier", "s", False, |_| Value::str("cgarbiterd")),
];

/// Properties of jobs.
pub(crate) const JOB_PROPERTIES: &[Property] = &[
    job("Id", "u", Const, |j| Value::U32(j.id)),
    job("Unit", "(so)", Const, |j| Value::Struct(vec![Value::str(&j.unit), unit_path(&j.unit)])),
    job("JobType", "s", Const, |j| Value::str(j.kind)),
    job("State", "s", True, |j| Value::str(j.state)),
    nothing("ActivationDetails", "a(ss)", Const),
];

/// The log goes to the standard error stream at a level that the operator chooses at start; what is shown is the
/// default.
const LOG_LEVEL: &str = "info";
const LOG_TARGET: &str = "console";

const fn manager(
    name: &'static str,
    signature: &'static str,
    emits: Emits,
    read: fn(&ManagerView<'_>) -> Value,
) -> Property {
    Property { name, signature, emits, read: Read::Manager(read) }
}

const fn number(name: &'static str, emits: Emits, value: u64) -> Property {
    Property { name, signature: "t", emits, read: Read::Number(value) }
}

/// A moment in the start of the machine that the arbiter has no part in.
const fn never(name: &'static str) -> Property {
    number(name, Const, 0)
}

const fn job(name: &'static str, signature: &'static str, emits: Emits, read: fn(&JobView<'_>) -> Value) -> Property {
    Property { name, signature, emits, read: Read::Job(read) }
}

fn started(view: &ManagerView<'_>) -> Value {
    Value::U64(view.started.realtime)
}

fn started_monotonic(view: &ManagerView<'_>) -> Value {
    Value::U64(view.started.monotonic)
}
