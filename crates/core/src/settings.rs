//! What a unit is configured to be: the typed values behind its properties. How they are parsed, checked and printed is
//! the property table's business (`properties/`), what they mean for the kernel that of `resources.rs`.

mod exec;
mod resources;
mod service;

pub use exec::{DirectorySettings, ExecSettings, Preserve, ProtectHome, ProtectSystem, StreamKind, StreamSettings};
pub use resources::{CpuSet, DevicePolicy, ExtraResources, IpPrefix, Resources, TasksMax};
pub use service::{
    CommandRights, ExecCommand, ExitType, FailureMode, NotifyAccess, OomPolicy, Restart, ServiceCommand,
    ServiceSettings, ServiceType, StatusSet,
};

use crate::names::UnitName;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// "Not set" for weights, limits and times (`UINT64_MAX`).
pub const UNSET: u64 = u64::MAX;

/// Everything a unit is configured to be.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Settings {
    /// `Description`; none means the default text of the type.
    pub description: Option<Arc<str>>,
    /// `DefaultDependencies`
    pub default_dependencies: bool,
    /// `CollectMode`
    pub collect_mode: CollectMode,
    /// The `Slice` that was asked for; the edge itself is in the graph.
    pub slice: Option<UnitName>,
    /// Dependencies that were asked for, in order.
    pub dependencies: Vec<(Dependency, UnitName)>,
    /// Rarely set.
    pub rare: Option<Box<RareSettings>>,
    /// The cgroup context.
    pub resources: Resources,
    /// The kill context (scopes and services).
    pub kill: KillSettings,
    /// `TimeoutStopUSec` of scopes and services.
    pub timeout_stop_usec: u64,
    /// `RuntimeMaxUSec` of scopes and services.
    pub runtime_max_usec: u64,
    /// `RuntimeRandomizedExtraUSec`
    pub runtime_extra_usec: u64,
    /// `User` of a scope or service.
    pub user: Option<Arc<str>>,
    /// `Group` of a scope or service.
    pub group: Option<Arc<str>>,
    /// The execution context of a service, when something of it is set.
    pub exec: Option<Box<ExecSettings>>,
    /// What only services have.
    pub service: Option<Box<ServiceSettings>>,
}

/// Settings that hardly any unit has.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct RareSettings {
    /// `Documentation`
    pub documentation: Vec<String>,
    /// `SourcePath`
    pub source_path: Option<String>,
    /// `StopWhenUnneeded`
    pub stop_when_unneeded: bool,
    /// `RefuseManualStart`
    pub refuse_manual_start: bool,
    /// `RefuseManualStop`
    pub refuse_manual_stop: bool,
    /// `AllowIsolate`
    pub allow_isolate: bool,
    /// `IgnoreOnIsolate`
    pub ignore_on_isolate: Option<bool>,
    /// `RequiresMountsFor`
    pub requires_mounts_for: Vec<String>,
    /// `JobTimeoutUSec`; none is infinity.
    pub job_timeout_usec: Option<u64>,
    /// `JobRunningTimeoutUSec`; none is as `JobTimeoutUSec`.
    pub job_running_timeout_usec: Option<u64>,
    /// `Markers`
    pub markers: Vec<String>,
    /// `StartLimitIntervalUSec`; none is the manager's.
    pub start_limit_interval_usec: Option<u64>,
    /// `StartLimitBurst`; none is the manager's.
    pub start_limit_burst: Option<u32>,
}

impl RareSettings {
    /// Nothing set.
    pub const NONE: Self = Self {
        documentation: Vec::new(),
        source_path: None,
        stop_when_unneeded: false,
        refuse_manual_start: false,
        refuse_manual_stop: false,
        allow_isolate: false,
        ignore_on_isolate: None,
        requires_mounts_for: Vec::new(),
        job_timeout_usec: None,
        job_running_timeout_usec: None,
        markers: Vec::new(),
        start_limit_interval_usec: None,
        start_limit_burst: None,
    };
}

/// How often a unit may be started in how long a time, unless its own settings say otherwise.
pub const START_LIMIT: (u64, u32) = (10_000_000, 5);

impl Settings {
    /// Interval and burst of the limit on starts.
    #[must_use]
    pub fn start_limit(&self) -> (u64, u32) {
        let rare = self.rare();
        let (interval, burst) = START_LIMIT;
        (rare.start_limit_interval_usec.unwrap_or(interval), rare.start_limit_burst.unwrap_or(burst))
    }

    /// What a service does when the kernel has killed one of its processes because memory ran out.
    #[must_use]
    pub fn oom_policy(&self) -> OomPolicy {
        let default = if self.resources.delegate { OomPolicy::Continue } else { OomPolicy::Stop };
        self.service().oom_policy.unwrap_or(default)
    }

    /// The rarely set ones, for reading.
    #[must_use]
    pub fn rare(&self) -> &RareSettings {
        self.rare.as_deref().unwrap_or(&NO_RARE)
    }

    /// The rarely set ones, for changing.
    pub fn rare_mut(&mut self) -> &mut RareSettings {
        self.rare.get_or_insert_default()
    }

    /// Takes from the former settings what no file holds.
    pub(crate) fn keep_what_files_do_not_hold(&mut self, former: &Self) {
        if let Some(rare) = former.rare.as_ref().filter(|rare| !rare.markers.is_empty()) {
            self.rare_mut().markers.clone_from(&rare.markers);
        }
        let handles = former.exec.iter().flat_map(|exec| exec.streams.iter().enumerate());
        for (at, stream) in handles.filter(|(_, stream)| stream.handle.is_some()) {
            self.exec_mut().streams[at].handle = stream.handle;
        }
    }

    /// Gives back the room that lists had to grow: most units are loaded once, and stay.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.dependencies.shrink_to_fit();
        let Some(service) = self.service.as_deref_mut() else { return };
        service.environment.shrink_to_fit();
        for commands in &mut service.commands {
            commands.shrink_to_fit();
            commands.iter_mut().for_each(|command| command.arguments.shrink_to_fit());
        }
    }

    /// The execution context, for reading.
    #[must_use]
    pub fn exec(&self) -> &ExecSettings {
        self.exec.as_deref().unwrap_or(&NO_EXEC)
    }

    /// The execution context, for changing.
    pub fn exec_mut(&mut self) -> &mut ExecSettings {
        self.exec.get_or_insert_default()
    }

    /// What only services have, for reading.
    #[must_use]
    pub fn service(&self) -> &ServiceSettings {
        self.service.as_deref().unwrap_or(&NO_SERVICE)
    }

    /// What only services have, for changing.
    pub fn service_mut(&mut self) -> &mut ServiceSettings {
        self.service.get_or_insert_default()
    }
}

static NO_RARE: RareSettings = RareSettings::NONE;
static NO_EXEC: ExecSettings = ExecSettings::NONE;
static NO_SERVICE: ServiceSettings = ServiceSettings::NONE;

/// When a finished transient unit may vanish (reference 02.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CollectMode {
    /// Only when it is inactive.
    #[default]
    Inactive,
    /// Also when it has failed.
    InactiveOrFailed,
}

/// The dependency kinds that can be configured (reference 03.10); inverses are kept by the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as in the reference")]
pub enum Dependency {
    Requires,
    Requisite,
    Wants,
    BindsTo,
    PartOf,
    Upholds,
    Conflicts,
    Before,
    After,
    OnSuccess,
    OnFailure,
    PropagatesReloadTo,
    ReloadPropagatedFrom,
    PropagatesStopTo,
    StopPropagatedFrom,
    JoinsNamespaceOf,
}

/// The kill context (reference 02.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub struct KillSettings {
    pub mode: KillMode,
    pub signal: i32,
    /// None: as `signal`.
    pub restart_signal: Option<i32>,
    pub final_signal: i32,
    pub watchdog_signal: i32,
    pub send_sigkill: bool,
    pub send_sighup: bool,
}

/// Whom a stop kills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum KillMode {
    #[default]
    ControlGroup,
    Process,
    Mixed,
    None,
}

impl Default for KillSettings {
    fn default() -> Self {
        Self {
            mode: KillMode::ControlGroup,
            signal: 15,
            restart_signal: None,
            final_signal: 9,
            watchdog_signal: 6,
            send_sigkill: true,
            send_sighup: false,
        }
    }
}
