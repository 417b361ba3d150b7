//! Every method and signal of the API, one row each: name, arguments, and the request it is. Methods of systemd's that
//! the arbiter does not serve stand here too, with the reason. As of systemd 252, and a few later ones that cost
//! nothing.

use super::arguments::{AnyValue, Bytes, Call, Handle};
use super::refusals;
use super::table::{Arguments, Method, Serve, SignalRow, absent, method, refused};
use crate::error::Refusal;
use crate::plan::Pin;
use crate::request::{FileVerb, JobRef, JobVerb, Request, UnitRef};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const UNIT_ROWS: &str = "units:a(ssssssouso)";
const JOB_ROWS: &str = "jobs:a(usssoo)";
const PROCESS_ROWS: &str = "processes:a(sus)";
const QUEUED: &str = "job_id:u job_path:o unit_id:s unit_path:o job_type:s affected_jobs:a(uosos)";

/// Manager methods that start, stop, change or hold units.
pub(super) const MANAGER_UNITS: &[Method] = &[
    method("StartUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::Start)),
    method("StartUnitWithFlags", "name:s mode:s flags:t", "job:o", start_with_flags),
    method("StopUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::Stop)),
    method("ReloadUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::Reload)),
    method("RestartUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::Restart)),
    method("TryRestartUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::TryRestart)),
    method("ReloadOrRestartUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::ReloadOrRestart)),
    method("ReloadOrTryRestartUnit", "name:s mode:s", "job:o", |c| job_of_name(c, JobVerb::ReloadOrTryRestart)),
    method("EnqueueUnitJob", "name:s job_type:s job_mode:s", QUEUED, |mut c| {
        let (name, kind, mode) = c.take()?;
        Ok(Request::EnqueueJob { unit: UnitRef::Name(name), kind, mode })
    }),
    method("StartTransientUnit", "name:s mode:s properties:a(sv) aux:a(sa(sv))", "job:o", |mut c| {
        let (name, mode, properties, auxiliary) = c.take()?;
        Ok(Request::StartTransient { name, mode, properties, auxiliary })
    }),
    method("KillUnit", "name:s whom:s signal:i", "", |mut c| {
        let (name, whom, signal) = c.take()?;
        Ok(Request::Kill { unit: UnitRef::Name(name), whom, signal })
    }),
    method("FreezeUnit", "name:s", "", |c| Ok(Request::Freeze { unit: named(c)? })),
    method("ThawUnit", "name:s", "", |c| Ok(Request::Thaw { unit: named(c)? })),
    method("ResetFailedUnit", "name:s", "", |c| Ok(Request::ResetFailed { unit: named(c)? })),
    method("ResetFailed", "", "", |_| Ok(Request::ResetFailedAll)),
    method("SetUnitProperties", "name:s runtime:b properties:a(sv)", "", |mut c| {
        let (name, runtime, properties) = c.take()?;
        Ok(Request::SetProperties { unit: UnitRef::Name(name), runtime, properties })
    }),
    method("RefUnit", "name:s", "", |c| Ok(Request::Ref { unit: named(c)? })),
    method("UnrefUnit", "name:s", "", |c| Ok(Request::Unref { unit: named(c)? })),
    method("AbandonScope", "name:s", "", |c| Ok(Request::Abandon { unit: named(c)? })),
    method("AttachProcessesToUnit", "unit_name:s subcgroup:s pids:au", "", |mut c| {
        let (name, subpath, pids) = c.take()?;
        Ok(Request::Attach { unit: UnitRef::Name(name), subpath, pids })
    }),
    method("CancelJob", "id:u", "", |c| Ok(Request::CancelJob { job: numbered(c)? })),
    method("ClearJobs", "", "", |_| Ok(Request::ClearJobs)),
    method("Reload", "", "", |_| Ok(Request::Reload)),
    method("Reexecute", "", "", |_| Ok(Request::Reexecute)),
    method("SetEnvironment", "assignments:as", "", |mut c| {
        let (set,) = c.take()?;
        Ok(Request::SetEnvironment { unset: Vec::new(), set })
    }),
    method("UnsetEnvironment", "names:as", "", |mut c| {
        let (unset,) = c.take()?;
        Ok(Request::SetEnvironment { unset, set: Vec::new() })
    }),
    method("UnsetAndSetEnvironment", "names:as assignments:as", "", |mut c| {
        let (unset, set) = c.take()?;
        Ok(Request::SetEnvironment { unset, set })
    }),
];

const FLAG_INPUT: &str = "files:as runtime:b force:b";
const CHANGES: &str = "changes:a(sss)";
const CARRIES_CHANGES: &str = "carries_install_info:b changes:a(sss)";
const LAST_FLAG: u64 = 2;

/// Manager methods that change which unit files count, and for whom.
pub(super) const MANAGER_FILES: &[Method] = &[
    method("EnableUnitFiles", FLAG_INPUT, CARRIES_CHANGES, |c| change_files(c, FileVerb::Enable, true)),
    method("DisableUnitFiles", "files:as runtime:b", CHANGES, |c| remove_files(c, FileVerb::Disable)),
    method("EnableUnitFilesWithFlags", "files:as flags:t", CARRIES_CHANGES, |c| {
        change_files_with_flags(c, FileVerb::Enable, true)
    }),
    method("DisableUnitFilesWithFlags", "files:as flags:t", CHANGES, |c| {
        change_files_with_flags(c, FileVerb::Disable, false)
    }),
    method("DisableUnitFilesWithFlagsAndInstallInfo", "files:as flags:t", CARRIES_CHANGES, |c| {
        change_files_with_flags(c, FileVerb::Disable, true)
    }),
    method("ReenableUnitFiles", FLAG_INPUT, CARRIES_CHANGES, |c| change_files(c, FileVerb::Reenable, true)),
    method("LinkUnitFiles", FLAG_INPUT, CHANGES, |c| change_files(c, FileVerb::Link, false)),
    method("MaskUnitFiles", FLAG_INPUT, CHANGES, |c| change_files(c, FileVerb::Mask, false)),
    method("UnmaskUnitFiles", "files:as runtime:b", CHANGES, |c| remove_files(c, FileVerb::Unmask)),
    method("RevertUnitFiles", "files:as", CHANGES, |mut c| {
        let (files,) = c.take()?;
        let verb = FileVerb::Revert;
        Ok(Request::ChangeUnitFiles { verb, files, runtime: false, force: false, with_info: false })
    }),
    method("AddDependencyUnitFiles", "files:as target:s type:s runtime:b force:b", CHANGES, |mut c| {
        let (files, target, kind, runtime, force) = c.take()?;
        let verb = FileVerb::AddDependency { target, kind };
        Ok(Request::ChangeUnitFiles { verb, files, runtime, force, with_info: false })
    }),
];

/// Manager methods that only look, or listen.
pub(super) const MANAGER_QUERIES: &[Method] = &[
    method("GetUnit", "name:s", "unit:o", |c| Ok(Request::GetUnit { name: text(c)? })),
    method("GetUnitByPID", "pid:u", "unit:o", |mut c| {
        let (pid,) = c.take()?;
        Ok(Request::UnitByPid { pid })
    }),
    method("GetUnitByPIDFD", "pidfd:h", "unit:o unit_id:s invocation_id:ay", |mut c| {
        let (Handle(number),) = c.take()?;
        Ok(Request::UnitByPidFd { pin: (number != 0).then_some(Pin(number)) })
    }),
    method("GetUnitByInvocationID", "invocation_id:ay", "unit:o", |mut c| {
        let (Bytes(id),) = c.take()?;
        Ok(Request::UnitByInvocationId { id })
    }),
    method("GetUnitByControlGroup", "cgroup:s", "unit:o", |c| Ok(Request::UnitByControlGroup { path: text(c)? })),
    method("LoadUnit", "name:s", "unit:o", |c| Ok(Request::LoadUnit { name: text(c)? })),
    method("GetUnitProcesses", "name:s", PROCESS_ROWS, |c| Ok(Request::Processes { unit: named(c)? })),
    method("GetJob", "id:u", "job:o", |mut c| {
        let (id,) = c.take()?;
        Ok(Request::GetJob { id })
    }),
    method("GetJobAfter", "id:u", JOB_ROWS, |c| Ok(Request::JobNeighbours { job: numbered(c)?, after: true })),
    method("GetJobBefore", "id:u", JOB_ROWS, |c| Ok(Request::JobNeighbours { job: numbered(c)?, after: false })),
    method("ListUnits", "", UNIT_ROWS, |_| Ok(Request::ListUnits { states: Vec::new(), patterns: Vec::new() })),
    method("ListUnitsFiltered", "states:as", UNIT_ROWS, |mut c| {
        let (states,) = c.take()?;
        Ok(Request::ListUnits { states, patterns: Vec::new() })
    }),
    method("ListUnitsByPatterns", "states:as patterns:as", UNIT_ROWS, |mut c| {
        let (states, patterns) = c.take()?;
        Ok(Request::ListUnits { states, patterns })
    }),
    method("ListUnitsByNames", "names:as", UNIT_ROWS, |mut c| {
        let (names,) = c.take()?;
        Ok(Request::ListUnitsByNames { names })
    }),
    method("ListJobs", "", JOB_ROWS, |_| Ok(Request::ListJobs)),
    method("Subscribe", "", "", |_| Ok(Request::Subscribe)),
    method("Unsubscribe", "", "", |_| Ok(Request::Unsubscribe)),
    method("Dump", "", "output:s", |_| Ok(Request::Dump { patterns: Vec::new() })),
    method("DumpUnitsMatchingPatterns", "patterns:as", "output:s", |mut c| {
        let (patterns,) = c.take()?;
        Ok(Request::Dump { patterns })
    }),
    method("ListUnitFiles", "", "unit_files:a(ss)", |_| {
        Ok(Request::UnitFiles { states: Vec::new(), patterns: Vec::new() })
    }),
    method("ListUnitFilesByPatterns", "states:as patterns:as", "unit_files:a(ss)", |mut c| {
        let (states, patterns) = c.take()?;
        Ok(Request::UnitFiles { states, patterns })
    }),
    method("GetUnitFileLinks", "name:s runtime:b", "links:as", |mut c| {
        let (name, runtime) = c.take()?;
        Ok(Request::UnitFileLinks { name, runtime })
    }),
    method("GetUnitFileState", "file:s", "state:s", |c| Ok(Request::UnitFileState { name: text(c)? })),
];

const MACHINE: &str = "manages control groups, not the machine";
const PRESETS: &str = "has no presets; units are enabled by name";
const MOUNTS: &str = "does not mount anything into services";
const DIRECTORIES: &str = "does not own the directories of services";
const TARGETS: &str = "has no targets to boot into";
const USERS: &str = "does not allocate users";
const DESCRIPTORS: &str = "passes no file descriptors out; Dump answers with text";
const CONSOLE: &str = "does not write to the console";
const RESTART: &str = "restarts when its service manager restarts it, and keeps everything running meanwhile";
const REPLACE: &str = "takes one unit for each job";
const MARKERS: &str = "keeps markers, but starts no jobs for them";

/// Manager methods that systemd has and the arbiter does not.
pub(super) const MANAGER_REFUSED: &[Method] = &[
    refused("StartUnitReplace", "old_unit:s new_unit:s mode:s", "job:o", REPLACE),
    refused("CleanUnit", "name:s mask:as", "", DIRECTORIES),
    refused("BindMountUnit", "name:s source:s destination:s read_only:b mkdir:b", "", MOUNTS),
    refused("MountImageUnit", "name:s source:s destination:s read_only:b mkdir:b options:a(ss)", "", MOUNTS),
    refused("SetShowStatus", "mode:s", "", CONSOLE),
    absent("DumpByFileDescriptor", "", "fd:h", DESCRIPTORS),
    absent("DumpUnitsMatchingPatternsByFileDescriptor", "patterns:as", "fd:h", DESCRIPTORS),
    refused("Exit", "", "", RESTART),
    refused("Reboot", "", "", MACHINE),
    refused("PowerOff", "", "", MACHINE),
    refused("Halt", "", "", MACHINE),
    refused("KExec", "", "", MACHINE),
    refused("SwitchRoot", "new_root:s init:s", "", MACHINE),
    refused("SetExitCode", "number:y", "", MACHINE),
    refused("EnqueueMarkedJobs", "", "jobs:ao", MARKERS),
    refused("PresetUnitFiles", FLAG_INPUT, CARRIES_CHANGES, PRESETS),
    refused("PresetUnitFilesWithMode", "files:as mode:s runtime:b force:b", CARRIES_CHANGES, PRESETS),
    refused("PresetAllUnitFiles", "mode:s runtime:b force:b", CHANGES, PRESETS),
    refused("SetDefaultTarget", "name:s force:b", CHANGES, TARGETS),
    absent("GetDefaultTarget", "", "name:s", TARGETS),
    absent("LookupDynamicUserByName", "name:s", "uid:u", USERS),
    absent("LookupDynamicUserByUID", "uid:u", "name:s", USERS),
    absent("GetDynamicUsers", "", "users:a(us)", USERS),
];

/// The manager's signals.
pub(super) const MANAGER_SIGNALS: &[SignalRow] = &[
    SignalRow { name: "UnitNew", body: Arguments("id:s unit:o") },
    SignalRow { name: "UnitRemoved", body: Arguments("id:s unit:o") },
    SignalRow { name: "JobNew", body: Arguments("id:u job:o unit:s") },
    SignalRow { name: "JobRemoved", body: Arguments("id:u job:o unit:s result:s") },
    SignalRow { name: "StartupFinished", body: Arguments("firmware:t loader:t kernel:t initrd:t userspace:t total:t") },
    SignalRow { name: "UnitFilesChanged", body: Arguments("") },
    SignalRow { name: "Reloading", body: Arguments("active:b") },
];

/// Methods of every unit.
pub(super) const UNIT: &[Method] = &[
    method("Start", "mode:s", "job:o", |c| job_of_object(c, JobVerb::Start)),
    method("Stop", "mode:s", "job:o", |c| job_of_object(c, JobVerb::Stop)),
    method("Reload", "mode:s", "job:o", |c| job_of_object(c, JobVerb::Reload)),
    method("Restart", "mode:s", "job:o", |c| job_of_object(c, JobVerb::Restart)),
    method("TryRestart", "mode:s", "job:o", |c| job_of_object(c, JobVerb::TryRestart)),
    method("ReloadOrRestart", "mode:s", "job:o", |c| job_of_object(c, JobVerb::ReloadOrRestart)),
    method("ReloadOrTryRestart", "mode:s", "job:o", |c| job_of_object(c, JobVerb::ReloadOrTryRestart)),
    method("EnqueueJob", "job_type:s job_mode:s", QUEUED, |mut c| {
        let (kind, mode) = c.take()?;
        Ok(Request::EnqueueJob { unit: c.unit(), kind, mode })
    }),
    method("Kill", "whom:s signal:i", "", |mut c| {
        let (whom, signal) = c.take()?;
        Ok(Request::Kill { unit: c.unit(), whom, signal })
    }),
    method("ResetFailed", "", "", |c| Ok(Request::ResetFailed { unit: c.unit() })),
    method("SetProperties", "runtime:b properties:a(sv)", "", |mut c| {
        let (runtime, properties) = c.take()?;
        Ok(Request::SetProperties { unit: c.unit(), runtime, properties })
    }),
    method("Ref", "", "", |c| Ok(Request::Ref { unit: c.unit() })),
    method("Unref", "", "", |c| Ok(Request::Unref { unit: c.unit() })),
    refused("Clean", "mask:as", "", DIRECTORIES),
    method("Freeze", "", "", |c| Ok(Request::Freeze { unit: c.unit() })),
    method("Thaw", "", "", |c| Ok(Request::Thaw { unit: c.unit() })),
];

/// Methods of units that have a cgroup.
pub(super) const CGROUP: &[Method] = &[
    method("GetProcesses", "", PROCESS_ROWS, |c| Ok(Request::Processes { unit: c.unit() })),
    method("AttachProcesses", "subcgroup:s pids:au", "", |mut c| {
        let (subpath, pids) = c.take()?;
        Ok(Request::Attach { unit: c.unit(), subpath, pids })
    }),
];

/// Methods of scopes.
pub(super) const SCOPE: &[Method] = &[method("Abandon", "", "", |c| Ok(Request::Abandon { unit: c.unit() }))];

/// Methods of services.
pub(super) const SERVICE: &[Method] = &[
    refused("BindMount", "source:s destination:s read_only:b mkdir:b", "", MOUNTS),
    refused("MountImage", "source:s destination:s read_only:b mkdir:b options:a(ss)", "", MOUNTS),
];

/// Methods of jobs.
pub(super) const JOB: &[Method] = &[
    method("Cancel", "", "", |c| Ok(Request::CancelJob { job: c.job() })),
    method("GetAfter", "", JOB_ROWS, |c| Ok(Request::JobNeighbours { job: c.job(), after: true })),
    method("GetBefore", "", JOB_ROWS, |c| Ok(Request::JobNeighbours { job: c.job(), after: false })),
];

/// org.freedesktop.DBus.Properties
pub(super) const PROPERTIES: &[Method] = &[
    method("Get", "interface_name:s property_name:s", "value:v", |mut c| {
        let (interface, property): (String, String) = c.take()?;
        let object = c.object().ok_or_else(|| refusals::unknown_property(&interface, &property))?;
        Ok(Request::Get { object, interface, property })
    }),
    method("GetAll", "interface_name:s", "props:a{sv}", |mut c| {
        let (interface,): (String,) = c.take()?;
        let object = c.object().ok_or_else(|| refusals::unknown_interface(&interface))?;
        Ok(Request::GetAll { object, interface })
    }),
    method("Set", "interface_name:s property_name:s value:v", "", |mut c| {
        let (interface, property, AnyValue(value)): (String, String, _) = c.take()?;
        let object = c.object().ok_or_else(|| refusals::unknown_property(&interface, &property))?;
        Ok(Request::Set { object, interface, property, value })
    }),
];

/// org.freedesktop.DBus.Introspectable
pub(super) const INTROSPECTABLE: &[Method] =
    &[method("Introspect", "", "xml_data:s", |c| Ok(Request::Introspect { path: c.path }))];

/// org.freedesktop.DBus.Peer
pub(super) const PEER: &[Method] = &[
    Method { name: "Ping", input: Arguments(""), output: Arguments(""), serve: Serve::FrontEnd },
    Method { name: "GetMachineId", input: Arguments(""), output: Arguments("machine_uuid:s"), serve: Serve::FrontEnd },
];

fn text(mut call: Call) -> Result<String, Refusal> {
    let (text,) = call.take()?;
    Ok(text)
}

fn named(call: Call) -> Result<UnitRef, Refusal> {
    text(call).map(UnitRef::Name)
}

fn numbered(mut call: Call) -> Result<JobRef, Refusal> {
    let (id,) = call.take()?;
    Ok(JobRef::Id(id))
}

fn job_of_name(mut call: Call, verb: JobVerb) -> Result<Request, Refusal> {
    let (name, mode) = call.take()?;
    Ok(Request::Job { unit: UnitRef::Name(name), verb, mode })
}

fn job_of_object(mut call: Call, verb: JobVerb) -> Result<Request, Refusal> {
    let (mode,) = call.take()?;
    Ok(Request::Job { unit: call.unit(), verb, mode })
}

fn change_files(mut call: Call, verb: FileVerb, with_info: bool) -> Result<Request, Refusal> {
    let (files, runtime, force) = call.take()?;
    Ok(Request::ChangeUnitFiles { verb, files, runtime, force, with_info })
}

fn remove_files(mut call: Call, verb: FileVerb) -> Result<Request, Refusal> {
    let (files, runtime) = call.take()?;
    Ok(Request::ChangeUnitFiles { verb, files, runtime, force: false, with_info: false })
}

/// The flags are: until the next boot, and over what is there. A third one, for portable services, is not served.
fn change_files_with_flags(mut call: Call, verb: FileVerb, with_info: bool) -> Result<Request, Refusal> {
    let (files, flags): (_, u64) = call.take()?;
    if flags >= LAST_FLAG << 1 {
        return Err(refusals::invalid("Invalid argument"));
    }
    let (runtime, force) = (flags & 1 != 0, flags & LAST_FLAG != 0);
    Ok(Request::ChangeUnitFiles { verb, files, runtime, force, with_info })
}

fn start_with_flags(mut call: Call) -> Result<Request, Refusal> {
    let (name, mode, flags): (_, _, u64) = call.take()?;
    if flags != 0 {
        return Err(refusals::invalid(format!("Invalid 'flags' parameter '{flags}'")));
    }
    Ok(Request::Job { unit: UnitRef::Name(name), verb: JobVerb::Start, mode })
}
