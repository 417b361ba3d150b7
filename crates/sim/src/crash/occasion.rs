//! On what occasions an arbiter changes something: every kind of request and of event, and the scenarios that stand for
//! each. A kind that is not listed here does not compile.

use super::scenario::{self, Scenario};
use cgarbiter_core::request::{JobVerb, Request};
use cgarbiter_core::{Event, systemd1};

macro_rules! occasions {
    ($($name:ident $word:literal)*) => {
        /// Something on which an arbiter changes kernel or store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is its method, or said by its word")]
        pub enum Occasion { $($name,)* }

        impl Occasion {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The method, or what happens.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

occasions! {
    StartTransient "StartTransientUnit"
    SetProperties "SetUnitProperties"
    Attach "AttachProcessesToUnit"
    Start "StartUnit"
    Stop "StopUnit"
    ReloadUnit "ReloadUnit"
    Restart "RestartUnit"
    TryRestart "TryRestartUnit"
    ReloadOrRestart "ReloadOrRestartUnit"
    ReloadOrTryRestart "ReloadOrTryRestartUnit"
    Enqueue "EnqueueUnitJob"
    CancelJob "CancelJob"
    ClearJobs "ClearJobs"
    Kill "KillUnit"
    Freeze "FreezeUnit"
    Thaw "ThawUnit"
    Abandon "AbandonScope"
    ResetFailed "ResetFailedUnit"
    ResetFailedAll "ResetFailed"
    Unref "UnrefUnit"
    Reload "Reload"
    Install "EnableUnitFiles"
    Emptied "a cgroup becomes empty"
    Exited "a process ends"
    Departed "a client leaves"
    TimeIsUp "time is up"
    Begin "an arbiter starts"
}

impl Occasion {
    /// What a request changes; none when it only looks, or changes what dies with the arbiter.
    #[must_use]
    pub fn of_request(request: &Request) -> Option<Self> {
        Some(match request {
            Request::StartTransient { .. } => Self::StartTransient,
            Request::Job { verb, .. } => Self::of_verb(*verb),
            Request::EnqueueJob { .. } => Self::Enqueue,
            Request::Kill { .. } => Self::Kill,
            Request::Freeze { .. } => Self::Freeze,
            Request::Thaw { .. } => Self::Thaw,
            Request::ResetFailed { .. } => Self::ResetFailed,
            Request::ResetFailedAll => Self::ResetFailedAll,
            Request::SetProperties { .. } => Self::SetProperties,
            Request::Unref { .. } => Self::Unref,
            Request::Abandon { .. } => Self::Abandon,
            Request::Attach { .. } => Self::Attach,
            Request::CancelJob { .. } => Self::CancelJob,
            Request::ClearJobs => Self::ClearJobs,
            Request::Reload => Self::Reload,
            Request::ChangeUnitFiles { .. } => Self::Install,
            Request::Ref { .. }
            | Request::Processes { .. }
            | Request::GetUnit { .. }
            | Request::LoadUnit { .. }
            | Request::UnitByPid { .. }
            | Request::UnitByPidFd { .. }
            | Request::UnitByControlGroup { .. }
            | Request::UnitByInvocationId { .. }
            | Request::UnitFileState { .. }
            | Request::UnitFiles { .. }
            | Request::UnitFileLinks { .. }
            | Request::ListUnits { .. }
            | Request::ListUnitsByNames { .. }
            | Request::ListJobs
            | Request::GetJob { .. }
            | Request::JobNeighbours { .. }
            | Request::Subscribe
            | Request::Unsubscribe
            | Request::Reexecute
            | Request::SetEnvironment { .. }
            | Request::Get { .. }
            | Request::GetAll { .. }
            | Request::Set { .. }
            | Request::Introspect { .. }
            | Request::Dump { .. }
            | Request::NotServed(_)
            | Request::Plan(_) => return None,
        })
    }

    fn of_verb(verb: JobVerb) -> Self {
        match verb {
            JobVerb::Start => Self::Start,
            JobVerb::Stop => Self::Stop,
            JobVerb::Reload => Self::ReloadUnit,
            JobVerb::Restart => Self::Restart,
            JobVerb::TryRestart => Self::TryRestart,
            JobVerb::ReloadOrRestart => Self::ReloadOrRestart,
            JobVerb::ReloadOrTryRestart => Self::ReloadOrTryRestart,
        }
    }

    /// What an event other than a request changes. A report belongs to whatever its plan was for, and so does word of
    /// a program that runs; answers, connections and a successor lead to nothing by themselves.
    #[must_use]
    pub fn of_event(event: &Event) -> Option<Self> {
        match event {
            Event::Request { request, .. } => Self::of_request(request),
            Event::ClientGone(_) | Event::BusNameGone(_) => Some(Self::Departed),
            Event::CgroupChanged { .. } => Some(Self::Emptied),
            Event::Exited { .. } | Event::Notified { .. } | Event::HungUp(_) => Some(Self::Exited),
            Event::ClientConnected(_)
            | Event::PlanDone(_)
            | Event::Executed { .. }
            | Event::ReadDone { .. }
            | Event::SuccessorWanted
            | Event::SuccessorChecked(_)
            | Event::GivingWay => None,
        }
    }

    /// What a method call changes.
    #[must_use]
    pub fn of_call(call: &systemd1::MethodCall) -> Option<Self> {
        systemd1::decode(call.clone()).ok().as_ref().and_then(Self::of_request)
    }

    /// What stands for it.
    #[must_use]
    pub fn scenarios(self) -> Vec<Scenario> {
        scenario::of(self)
    }
}
