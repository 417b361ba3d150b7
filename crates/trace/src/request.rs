//! What clients ask for, as text: the core's words for the methods, with the values as they came.

use crate::tables::choice;
use cgarbiter_core::Request;
use cgarbiter_core::request::{FileVerb, JobRef, JobVerb, Object, UnitRef};

choice!(UnitRef { Name(name), Object(label) });
choice!(JobRef { Id(id), Object(label) });
choice!(JobVerb { Start, Stop, Reload, Restart, TryRestart, ReloadOrRestart, ReloadOrTryRestart });
choice!(FileVerb { Enable, Disable, Reenable, Link, Mask, Unmask, Revert, AddDependency { target, kind } });
choice!(Object { Manager, Unit(unit), Job(job), LogControl });

choice!(Request {
    StartTransient { name, mode, properties, auxiliary },
    Job { unit, verb, mode },
    EnqueueJob { unit, kind, mode },
    Kill { unit, whom, signal },
    Freeze { unit },
    Thaw { unit },
    ResetFailed { unit },
    ResetFailedAll,
    SetProperties { unit, runtime, properties },
    Ref { unit },
    Unref { unit },
    Abandon { unit },
    Attach { unit, subpath, pids },
    Processes { unit },
    GetUnit { name },
    LoadUnit { name },
    UnitByPid { pid },
    UnitByPidFd { pin },
    UnitByControlGroup { path },
    UnitByInvocationId { id },
    UnitFileState { name },
    UnitFiles { states, patterns },
    ChangeUnitFiles { verb, files, runtime, force, with_info },
    UnitFileLinks { name, runtime },
    ListUnits { states, patterns },
    ListUnitsByNames { names },
    ListJobs,
    GetJob { id },
    JobNeighbours { job, after },
    CancelJob { job },
    ClearJobs,
    Subscribe,
    Unsubscribe,
    Reload,
    Reexecute,
    SetEnvironment { unset, set },
    Get { object, interface, property },
    GetAll { object, interface },
    Set { object, interface, property, value },
    Introspect { path },
    Dump { patterns },
    NotServed(refusal),
    Plan(request),
});
