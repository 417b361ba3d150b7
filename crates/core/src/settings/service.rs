//! What only services have; as much of reference 06.6 as is served.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// What only services have.
#[derive(Clone, Debug, PartialEq, Hash)]
#[expect(missing_docs, reason = "named as the properties")]
pub struct ServiceSettings {
    pub kind: Option<ServiceType>,
    pub exit_type: ExitType,
    /// The commands of each step, by [`ServiceCommand`].
    pub commands: [Vec<ExecCommand>; 7],
    pub remain_after_exit: bool,
    pub guess_main_pid: bool,
    pub pid_file: Option<String>,
    pub environment: Vec<String>,
    pub restart: Restart,
    pub restart_usec: u64,
    /// None: as the manager has it, and without end for `Type=oneshot`.
    pub timeout_start_usec: Option<u64>,
    /// None: as `TimeoutStopUSec`.
    pub timeout_abort_usec: Option<u64>,
    pub timeout_start_failure: FailureMode,
    pub timeout_stop_failure: FailureMode,
    pub watchdog_usec: u64,
    /// None: what the type needs.
    pub notify_access: Option<NotifyAccess>,
    pub file_descriptor_store_max: u32,
    pub success_status: StatusSet,
    pub restart_prevent_status: StatusSet,
    pub restart_force_status: StatusSet,
    /// None: `continue` for delegated units, else `stop`.
    pub oom_policy: Option<OomPolicy>,
    /// The signal that asks `Type=notify-reload` to reload; in a byte, because every unit that is loaded has one.
    pub reload_signal: u8,
}

impl ServiceSettings {
    /// Nothing set.
    pub const NONE: Self = Self {
        kind: None,
        exit_type: ExitType::Main,
        commands: [const { Vec::new() }; 7],
        remain_after_exit: false,
        guess_main_pid: true,
        pid_file: None,
        environment: Vec::new(),
        restart: Restart::No,
        restart_usec: 100_000,
        timeout_start_usec: None,
        timeout_abort_usec: None,
        timeout_start_failure: FailureMode::Terminate,
        timeout_stop_failure: FailureMode::Terminate,
        watchdog_usec: 0,
        notify_access: None,
        file_descriptor_store_max: 0,
        success_status: StatusSet::NONE,
        restart_prevent_status: StatusSet::NONE,
        restart_force_status: StatusSet::NONE,
        oom_policy: None,
        reload_signal: 1,
    };

    /// The commands of one step.
    #[must_use]
    pub fn commands(&self, step: ServiceCommand) -> &[ExecCommand] {
        &self.commands[step as usize]
    }

    /// `Type`, or what goes without saying.
    #[must_use]
    pub fn kind(&self) -> ServiceType {
        let default =
            if self.commands(ServiceCommand::Start).is_empty() { ServiceType::Oneshot } else { ServiceType::Simple };
        self.kind.unwrap_or(default)
    }

    /// `NotifyAccess`, or what the type, the watchdog and the store of descriptors need.
    #[must_use]
    pub fn notify_access(&self) -> NotifyAccess {
        let given = self.notify_access.unwrap_or(NotifyAccess::None);
        let needs = self.kind().notifies() || self.watchdog_usec > 0 || self.file_descriptor_store_max > 0;
        if needs && given == NotifyAccess::None { NotifyAccess::Main } else { given }
    }

    /// Whether it can be asked to read its configuration anew.
    #[must_use]
    pub fn can_reload(&self) -> bool {
        self.kind() == ServiceType::NotifyReload || !self.commands(ServiceCommand::Reload).is_empty()
    }
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self::NONE
    }
}

/// `Type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum ServiceType {
    Simple,
    Exec,
    Oneshot,
    Forking,
    Notify,
    NotifyReload,
    Idle,
}

impl ServiceType {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Simple, Self::Exec, Self::Oneshot, Self::Forking, Self::Notify, Self::NotifyReload, Self::Idle];

    /// Says itself when it is ready.
    #[must_use]
    pub fn notifies(self) -> bool {
        matches!(self, Self::Notify | Self::NotifyReload)
    }
}

/// The steps of a service's life that have commands, in the order of `ServiceSettings::commands`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as the properties, without Exec")]
pub enum ServiceCommand {
    Condition,
    StartPre,
    Start,
    StartPost,
    Reload,
    Stop,
    StopPost,
}

impl ServiceCommand {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Condition, Self::StartPre, Self::Start, Self::StartPost, Self::Reload, Self::Stop, Self::StopPost];

    /// The property that holds its commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Condition => "ExecCondition",
            Self::StartPre => "ExecStartPre",
            Self::Start => "ExecStart",
            Self::StartPost => "ExecStartPost",
            Self::Reload => "ExecReload",
            Self::Stop => "ExecStop",
            Self::StopPost => "ExecStopPost",
        }
    }
}

/// `ExitType`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum ExitType {
    #[default]
    Main,
    Cgroup,
}

/// `Restart`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum Restart {
    #[default]
    No,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnWatchdog,
    OnAbort,
    Always,
}

/// `TimeoutStartFailureMode`, `TimeoutStopFailureMode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum FailureMode {
    #[default]
    Terminate,
    Abort,
    Kill,
}

/// `NotifyAccess`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum NotifyAccess {
    #[default]
    None,
    All,
    Exec,
    Main,
}

/// `OOMPolicy`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the values")]
pub enum OomPolicy {
    Continue,
    Stop,
}

/// A set of exit codes and of signals, as `SuccessExitStatus` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusSet {
    /// Four words of exit codes and one of signals; nothing at all for the empty set, which most services have.
    words: Option<Box<[u64; 5]>>,
}

/// Which of the words is that of the signals.
const SIGNALS: usize = 4;

impl StatusSet {
    /// The empty set.
    pub const NONE: Self = Self { words: None };

    /// Adds an exit code.
    pub fn add_code(&mut self, code: u8) {
        self.words.get_or_insert_default()[usize::from(code / 64)] |= 1 << (code % 64);
    }

    /// Adds a signal, from 1 to 64.
    pub fn add_signal(&mut self, signal: u8) {
        assert!((1..=64).contains(&signal), "signals are checked before");
        self.words.get_or_insert_default()[SIGNALS] |= 1 << (signal - 1);
    }

    /// Adds another set.
    pub fn add(&mut self, other: &Self) {
        let Some(more) = &other.words else { return };
        self.words.get_or_insert_default().iter_mut().zip(**more).for_each(|(word, more)| *word |= more);
    }

    /// Nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_none()
    }

    fn has(&self, word: usize, bit: u8) -> bool {
        self.words.as_ref().is_some_and(|words| words[word] & (1 << bit) != 0)
    }

    /// Is this exit code in it?
    #[must_use]
    pub fn has_code(&self, code: i32) -> bool {
        u8::try_from(code).is_ok_and(|code| self.has(usize::from(code / 64), code % 64))
    }

    /// Is this signal in it?
    #[must_use]
    pub fn has_signal(&self, signal: i32) -> bool {
        u8::try_from(signal).is_ok_and(|signal| (1..=64).contains(&signal) && self.has(SIGNALS, signal - 1))
    }

    /// The codes, smallest first.
    pub fn codes(&self) -> impl Iterator<Item = i32> {
        (0..=255).filter(|code| self.has_code(*code))
    }

    /// The signals, smallest first.
    pub fn signals(&self) -> impl Iterator<Item = i32> {
        (1..=64).filter(|signal| self.has_signal(*signal))
    }
}

/// One command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub struct ExecCommand {
    pub path: String,
    pub arguments: Vec<String>,
    pub ignore_failure: bool,
    /// `$NAME` in the arguments stays as it is.
    pub no_env_expand: bool,
    pub rights: CommandRights,
}

/// With which rights a command runs, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandRights {
    /// Those of the service.
    #[default]
    Service,
    /// `!!`: the same on every kernel that has ambient capabilities.
    Ambient,
    /// `!`: the arbiter's user and groups, whatever else the service gives up.
    NoSetuid,
    /// `+`: the arbiter's.
    Full,
}

impl CommandRights {
    /// Each with its name on the bus and its prefix in unit files; the first has neither.
    pub const ALL: [(Self, &str, &str); 4] = [
        (Self::Service, "", ""),
        (Self::Ambient, "ambient", "!!"),
        (Self::NoSetuid, "no-setuid", "!"),
        (Self::Full, "privileged", "+"),
    ];

    /// The name on the bus.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// What stands before the command in a unit file.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        Self::ALL[self as usize].2
    }
}
