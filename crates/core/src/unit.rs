//! `Unit`: a slice, scope or service with its settings, its state, and what is known of its cgroup. Which state follows
//! which is decided in `scope.rs`, `slice.rs` and `service.rs`; here are the words.

use crate::canonical;
use crate::client::ClientId;
use crate::error::Refusal;
use crate::job::JobId;
use crate::names::{UnitName, UnitType};
use crate::persist;
use crate::propagation::Masks;
use crate::realized::Realized;
use crate::service::ServiceState;
use crate::settings::{Settings, UNSET};
use crate::time::Timestamp;
use crate::work::Work;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

/// A unit's place in the graph; reused after the unit is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub(crate) u32);

impl UnitId {
    pub(crate) const FIRST: Self = Self(0);
    pub(crate) const LAST: Self = Self(u32::MAX);
}

/// A unit that is loaded, or at least named by one that is.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its name; also says its type.
    pub name: UnitName,
    /// Its type, so that the name need not be read again and again.
    kind: UnitType,
    /// Further names that links in the unit directories give it.
    pub aliases: Box<[UnitName]>,
    /// Is it known?
    pub load: LoadState,
    /// Why it could not be loaded.
    pub load_error: Option<Box<Refusal>>,
    /// Made by a call, gone when unreferenced.
    pub transient: bool,
    /// Exists as long as the manager.
    pub perpetual: bool,
    /// Its unit file, if it has one.
    pub fragment: Option<Arc<str>>,
    /// Its drop-ins, in the order in which they apply.
    pub drop_ins: Vec<Arc<str>>,
    /// What it is configured to be.
    pub settings: Settings,
    /// What it is.
    pub state: State,
    /// How it ended; success while it runs.
    pub result: UnitResult,
    /// Is it stopped in its tracks?
    pub freezer: FreezerState,
    /// Identity of one activation.
    pub invocation_id: Option<[u8; 16]>,
    /// When its state last changed in which way.
    pub times: Times,
    /// The installed job.
    pub job: Option<JobId>,
    /// Who keeps it loaded, with multiplicity.
    pub references: Vec<(ClientId, u32)>,
    /// Bus name that ends the scope itself when asked.
    pub controller: Option<Arc<str>>,
    /// What only services have; nothing for one that has never been started.
    pub service: Option<Box<ServiceState>>,
    /// The slice it lies in.
    pub slice: Option<UnitId>,
    /// Its cgroup, as far as we know.
    pub realized: Realized,
    /// Which controllers it and its members need.
    pub masks: Masks,
    /// What is to happen with its cgroup in the next plan.
    pub(crate) work: Work,
    /// Which uid made it.
    pub owner: u32,
    /// Queue marks.
    pub(crate) marks: Marks,
}

/// Which queues of the manager the unit is in, and what has been announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Marks {
    /// In the queue of units that may be collected.
    pub(crate) collect: bool,
    /// In the queue of changes to announce.
    pub(crate) changed: bool,
    /// UnitNew has gone out.
    pub(crate) announced: bool,
    /// A property of its type's interface has changed, too.
    pub(crate) type_changed: bool,
    /// Somebody waits for a property of it while its files are looked at.
    pub(crate) asked: bool,
}

/// An identity in hex digits, as `user.invocation_id` and `$INVOCATION_ID` have it.
#[must_use]
pub fn invocation_hex(id: &[u8; 16]) -> String {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
    str::from_utf8(&text).expect("digits are text").into()
}

/// The identity that 32 hex digits name.
#[must_use]
pub fn parse_invocation(text: &str) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' | b'A'..=b'F' => Some((digit | 0x20) - b'a' + 10),
        _ => None,
    };
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(id)
}

/// Is it known? (reference 02.1)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum LoadState {
    Stub,
    Loaded,
    NotFound,
    BadSetting,
    Error,
    Masked,
}

impl LoadState {
    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stub => "stub",
            Self::Loaded => "loaded",
            Self::NotFound => "not-found",
            Self::BadSetting => "bad-setting",
            Self::Error => "error",
            Self::Masked => "masked",
        }
    }
}

/// Is it up? (reference 02.1)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum ActiveState {
    Active,
    Reloading,
    Inactive,
    Failed,
    Activating,
    Deactivating,
}

impl ActiveState {
    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reloading => "reloading",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
        }
    }

    /// Inactive or failed.
    #[must_use]
    pub fn is_inactive_or_failed(self) -> bool {
        matches!(self, Self::Inactive | Self::Failed)
    }

    /// Active or reloading.
    #[must_use]
    pub fn is_active_or_reloading(self) -> bool {
        matches!(self, Self::Active | Self::Reloading)
    }

    /// Active, reloading or activating.
    #[must_use]
    pub fn is_active_or_activating(self) -> bool {
        matches!(self, Self::Active | Self::Reloading | Self::Activating)
    }

    /// Inactive, failed or deactivating.
    #[must_use]
    pub fn is_inactive_or_deactivating(self) -> bool {
        matches!(self, Self::Inactive | Self::Failed | Self::Deactivating)
    }
}

/// What it is: the sub-states of the three types in one list (reference 02.3 to 02.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum State {
    /// All types.
    Dead,
    /// Slices.
    Active,
    /// Scopes and services.
    Failed,
    Running,
    StopSigterm,
    StopSigkill,
    /// Scopes: processes and ownership are being arranged.
    StartChown,
    Abandoned,
    /// Services.
    Condition,
    StartPre,
    Start,
    StartPost,
    Exited,
    Reload,
    ReloadSignal,
    ReloadNotify,
    Stop,
    StopWatchdog,
    StopPost,
    FinalWatchdog,
    FinalSigterm,
    FinalSigkill,
    AutoRestart,
}

impl State {
    /// Signals have been sent, and the processes are waited for.
    #[must_use]
    pub fn is_signal_phase(self) -> bool {
        self.is_stop_phase() || self.is_final_phase()
    }

    /// Those before the commands of `ExecStopPost`.
    #[must_use]
    pub fn is_stop_phase(self) -> bool {
        matches!(self, Self::StopWatchdog | Self::StopSigterm | Self::StopSigkill)
    }

    /// Those after them.
    #[must_use]
    pub fn is_final_phase(self) -> bool {
        matches!(self, Self::FinalWatchdog | Self::FinalSigterm | Self::FinalSigkill)
    }

    /// The word on the bus.
    #[must_use]
    pub fn sub(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::StopSigterm => "stop-sigterm",
            Self::StopSigkill => "stop-sigkill",
            Self::StartChown => "start-chown",
            Self::Abandoned => "abandoned",
            Self::Condition => "condition",
            Self::StartPre => "start-pre",
            Self::Start => "start",
            Self::StartPost => "start-post",
            Self::Exited => "exited",
            Self::Reload => "reload",
            Self::ReloadSignal => "reload-signal",
            Self::ReloadNotify => "reload-notify",
            Self::Stop => "stop",
            Self::StopWatchdog => "stop-watchdog",
            Self::StopPost => "stop-post",
            Self::FinalWatchdog => "final-watchdog",
            Self::AutoRestart => "auto-restart",
            Self::FinalSigterm => "final-sigterm",
            Self::FinalSigkill => "final-sigkill",
        }
    }

    /// The active state that goes with it.
    #[must_use]
    pub fn active(self) -> ActiveState {
        match self {
            Self::Dead => ActiveState::Inactive,
            Self::Failed => ActiveState::Failed,
            Self::Active | Self::Running | Self::Abandoned | Self::Exited => ActiveState::Active,
            Self::Reload | Self::ReloadSignal | Self::ReloadNotify => ActiveState::Reloading,
            Self::StartChown | Self::Condition | Self::StartPre | Self::Start | Self::StartPost | Self::AutoRestart => {
                ActiveState::Activating
            }
            Self::Stop
            | Self::StopWatchdog
            | Self::StopSigterm
            | Self::StopSigkill
            | Self::StopPost
            | Self::FinalWatchdog
            | Self::FinalSigterm
            | Self::FinalSigkill => ActiveState::Deactivating,
        }
    }
}

/// How a scope or service ended (reference 02.3, 02.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum UnitResult {
    #[default]
    Success,
    Resources,
    Timeout,
    ExitCode,
    Signal,
    CoreDump,
    OomKill,
    Protocol,
    StartLimitHit,
    Watchdog,
    ExecCondition,
}

impl UnitResult {
    /// The unit has not failed.
    #[must_use]
    pub fn is_well(self) -> bool {
        matches!(self, Self::Success | Self::ExecCondition)
    }

    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Resources => "resources",
            Self::Timeout => "timeout",
            Self::ExitCode => "exit-code",
            Self::Signal => "signal",
            Self::CoreDump => "core-dump",
            Self::OomKill => "oom-kill",
            Self::Protocol => "protocol",
            Self::StartLimitHit => "start-limit-hit",
            Self::Watchdog => "watchdog",
            Self::ExecCondition => "exec-condition",
        }
    }

    /// The result of this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Success,
            Self::Resources,
            Self::Timeout,
            Self::ExitCode,
            Self::Signal,
            Self::CoreDump,
            Self::OomKill,
            Self::Protocol,
            Self::StartLimitHit,
            Self::Watchdog,
            Self::ExecCondition,
        ];
        all.into_iter().find(|result| result.as_str() == word)
    }
}

/// Is it stopped in its tracks? (reference 02.7)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum FreezerState {
    #[default]
    Running,
    Freezing,
    Frozen,
    Thawing,
}

impl FreezerState {
    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Freezing => "freezing",
            Self::Frozen => "frozen",
            Self::Thawing => "thawing",
        }
    }
}

/// When the state last changed in which way (reference 02.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the properties")]
pub struct Times {
    pub state_change: Timestamp,
    pub inactive_exit: Timestamp,
    pub active_enter: Timestamp,
    pub active_exit: Timestamp,
    pub inactive_enter: Timestamp,
}

/// Of the invocation id it counts whether there is one. Of the times those count from which a deadline may yet be
/// computed: when it was started, if it may run for so long only, and since when it has been in a state that is on
/// record (see [`crate::persist`]). Of the others, whether they have been.
impl Hash for Unit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            name,
            kind: _,
            aliases,
            load,
            load_error,
            transient,
            perpetual,
            fragment,
            drop_ins,
            settings,
            state: unit_state,
            result,
            freezer,
            invocation_id,
            times,
            job,
            references,
            controller,
            service,
            slice,
            realized,
            masks,
            work,
            owner,
            marks,
        } = self;
        (name, aliases, load, load_error, transient, perpetual, fragment, drop_ins, settings).hash(state);
        (unit_state, result, freezer, invocation_id.is_some(), job, references, controller).hash(state);
        invocation_id.iter().for_each(|id| canonical::write_invocation(id, state));
        let service = service.as_deref().filter(|service| **service != *ServiceState::NONE);
        (service, slice, realized, masks, work, owner, marks).hash(state);
        let Times { state_change, inactive_exit, active_enter, active_exit, inactive_enter } = times;
        let started = Some(inactive_exit).filter(|_| settings.runtime_max_usec != UNSET);
        let since = Some(state_change).filter(|_| persist::is_saved(*unit_state));
        (started, since).hash(state);
        [state_change, inactive_exit, active_enter, active_exit, inactive_enter].map(|time| time.is_set()).hash(state);
    }
}

impl Unit {
    /// A unit that is only named so far.
    #[must_use]
    pub fn stub(name: UnitName, settings: Settings) -> Self {
        Self {
            kind: name.unit_type(),
            name,
            aliases: Box::default(),
            load: LoadState::Stub,
            load_error: None,
            transient: false,
            perpetual: false,
            fragment: None,
            drop_ins: Vec::new(),
            settings,
            state: State::Dead,
            result: UnitResult::Success,
            freezer: FreezerState::Running,
            invocation_id: None,
            times: Times::default(),
            job: None,
            references: Vec::new(),
            controller: None,
            service: None,
            slice: None,
            realized: Realized::default(),
            masks: Masks::default(),
            work: Work::default(),
            owner: 0,
            marks: Marks::default(),
        }
    }

    /// Its type.
    #[must_use]
    pub fn unit_type(&self) -> UnitType {
        self.kind
    }

    /// Is it up?
    #[must_use]
    pub fn active(&self) -> ActiveState {
        self.state.active()
    }

    /// Nobody of it is there, and nobody is on the way.
    pub(crate) fn has_nobody(&self) -> bool {
        (self.active().is_inactive_or_failed() || self.state == State::Exited) && !self.work.starting
    }

    /// Can a start job do anything with it? Scopes start once (reference 02.1).
    #[must_use]
    pub fn can_start(&self) -> bool {
        let spent = self.unit_type() == UnitType::Scope && self.times.inactive_exit.is_set();
        self.load == LoadState::Loaded && self.unit_type().is_managed() && !spent
    }

    /// Can a reload job do anything with it?
    #[must_use]
    pub fn can_reload(&self) -> bool {
        self.unit_type() == UnitType::Service && self.settings.service().can_reload()
    }

    /// It is ending for good, though somebody may be left in its cgroup.
    pub(crate) fn leaves_processes(&self) -> bool {
        let Some(ending) = self.work.ending.filter(|ending| ending.force && self.unit_type() != UnitType::Slice) else {
            return false;
        };
        !ending.restart || self.service.as_ref().is_none_or(|service| service.forbid_restart)
    }

    /// The default text of the type, or what was set.
    #[must_use]
    pub fn description(&self) -> Arc<str> {
        match &self.settings.description {
            Some(text) => text.clone(),
            None => crate::slice::default_description(&self.name),
        }
    }
}
