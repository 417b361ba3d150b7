//! What a service adds to a unit: its processes, the command that runs, results, and the rules by which an end is
//! judged and a restart decided (reference 02.5). What follows from them is in `manager/service.rs`.

use crate::event::ExitStatus;
use crate::plan::Pin;
use crate::settings::{Restart, ServiceCommand, ServiceSettings};
use crate::time::{Instant, Timestamp};
use crate::unit::UnitResult;
use alloc::string::String;
use alloc::vec::Vec;

/// `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED`.
const CLD: [i32; 3] = [1, 2, 3];

/// The running side of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceState {
    /// The main process, while it lives.
    pub main_pid: Option<u32>,
    /// There has been one since the start, so that its absence means that it has ended.
    pub main_known: bool,
    /// Its end will be told: it is our child, or has been taken hold of.
    pub is_watched: bool,
    /// It was not started by us: its parent hears of its end, and may take its time to let go of it.
    pub is_adopted: bool,
    /// The last main process, for `ExecMainPID`.
    pub exec_main_pid: u32,
    /// `CLD_*` of its end; 0 while it lives.
    pub exec_main_code: i32,
    /// Exit code or signal.
    pub exec_main_status: i32,
    /// When it was started.
    pub exec_main_start: Timestamp,
    /// When it ended.
    pub exec_main_exit: Timestamp,
    /// Which of several commands is running.
    pub command_index: usize,
    /// The process of a command beside the main one, while it lives.
    pub control_pid: Option<u32>,
    /// When that was started.
    pub control_start: Timestamp,
    /// As `is_watched`, of that one.
    pub control_is_watched: bool,
    /// The command that runs beside the main process, or is about to, and its place.
    pub control: Option<(ServiceCommand, usize)>,
    /// The next plan starts a process.
    pub spawning: Option<Role>,
    /// How often it has been restarted since somebody has started it.
    pub restarts: u32,
    /// The next start begins to count anew.
    pub forget_restarts: bool,
    /// Somebody has asked for a stop: no restart follows.
    pub forbid_restart: bool,
    /// How the last reload ended.
    pub reload_result: UnitResult,
    /// The end that comes is followed by a restart.
    pub will_restart: bool,
    /// What it has said of itself.
    pub notified: Notified,
    /// Descriptors that are kept for its next main process, the latest first.
    pub store: Vec<Stored>,
    /// Its starts of late.
    pub(crate) starts: RateLimit,
    /// How the commands ended that ran since the start.
    pub runs: Vec<((ServiceCommand, usize), CommandRun)>,
}

/// What a service has told of itself by way of `$NOTIFY_SOCKET`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notified {
    /// The last of `READY`, `RELOADING`, `STOPPING`.
    pub state: NotifyState,
    /// `STATUS`
    pub text: Option<String>,
    /// `ERRNO`
    pub errno: i32,
    /// The last sign of life.
    pub watchdog: Timestamp,
    /// `WATCHDOG_USEC`
    pub watchdog_usec: Option<u64>,
}

/// A descriptor that is kept for a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Held under this number.
    pub pin: Pin,
    /// What the service calls it.
    pub name: String,
    /// It is let go of when its other end has gone.
    pub polled: bool,
}

/// The last state of three that a service has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum NotifyState {
    #[default]
    Unknown,
    Ready,
    Reloading,
    Stopping,
}

/// What a process of a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The service itself.
    Main,
    /// A command beside it.
    Control,
}

/// When a command ran, and how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "as in ServiceState")]
pub struct CommandRun {
    pub pid: u32,
    pub start: Timestamp,
    pub exit: Timestamp,
    pub code: i32,
    pub status: i32,
}

static NO_STATE: ServiceState = ServiceState::NEW;

impl ServiceState {
    /// A process that an arbiter before us has started could not be held yet.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.main_pid.is_some() && !self.is_watched || self.control_pid.is_some() && !self.control_is_watched
    }

    /// Of a service that has never been started.
    pub(crate) const NEW: Self = Self {
        main_pid: None,
        main_known: false,
        is_watched: false,
        is_adopted: false,
        exec_main_pid: 0,
        exec_main_code: 0,
        exec_main_status: 0,
        exec_main_start: Timestamp { realtime: 0, monotonic: 0 },
        exec_main_exit: Timestamp { realtime: 0, monotonic: 0 },
        command_index: 0,
        control_pid: None,
        control_start: Timestamp { realtime: 0, monotonic: 0 },
        control_is_watched: false,
        control: None,
        spawning: None,
        restarts: 0,
        forget_restarts: false,
        forbid_restart: false,
        reload_result: UnitResult::Success,
        will_restart: false,
        notified: Notified {
            state: NotifyState::Unknown,
            text: None,
            errno: 0,
            watchdog: Timestamp { realtime: 0, monotonic: 0 },
            watchdog_usec: None,
        },
        store: Vec::new(),
        starts: RateLimit { begin: None, count: 0 },
        runs: Vec::new(),
    };
    /// The same, to look at.
    pub(crate) const NONE: &'static Self = &NO_STATE;

    /// Nobody of its own is left, and nobody is about to come.
    pub(crate) fn is_alone(&self) -> bool {
        self.main_pid.is_none() && self.control_pid.is_none() && self.spawning.is_none()
    }

    /// A command beside the main process runs, or is about to.
    pub(crate) fn has_control(&self) -> bool {
        self.control_pid.is_some() || self.spawning == Some(Role::Control)
    }

    /// Notes that a command has begun, or ended.
    pub(crate) fn note_run(&mut self, command: (ServiceCommand, usize), run: CommandRun) {
        match self.runs.iter_mut().find(|(known, _)| *known == command) {
            Some((_, known)) => *known = run,
            None => self.runs.push((command, run)),
        }
    }

    /// How a command ran last.
    pub(crate) fn run_of(&self, command: (ServiceCommand, usize)) -> CommandRun {
        self.runs.iter().find(|(known, _)| *known == command).map(|(_, run)| *run).unwrap_or_default()
    }
}

/// Code and number of an end, as the bus has them.
pub(crate) fn exit_numbers(status: ExitStatus) -> (i32, i32) {
    match status {
        ExitStatus::Code(code) => (CLD[0], code),
        ExitStatus::Signal(signal) => (CLD[1], signal),
        ExitStatus::Dumped(signal) => (CLD[2], signal),
        ExitStatus::Lost => (0, 0),
    }
}

/// What an end comes to. A daemon may end by a polite signal; a command may not. `settings` are those of a main
/// process, whose further good ends are configured.
pub(crate) fn exit_result(status: ExitStatus, is_daemon: bool, settings: Option<&ServiceSettings>) -> UnitResult {
    let is_listed = |listed: fn(&ServiceSettings, i32) -> bool, number| settings.is_some_and(|s| listed(s, number));
    match status {
        ExitStatus::Code(0) => UnitResult::Success,
        ExitStatus::Signal(1 | 2 | 13 | 15) if is_daemon => UnitResult::Success,
        ExitStatus::Code(code) if is_listed(|s, code| s.success_status.has_code(code), code) => UnitResult::Success,
        ExitStatus::Signal(signal) if is_listed(|s, signal| s.success_status.has_signal(signal), signal) => {
            UnitResult::Success
        }
        ExitStatus::Code(_) => UnitResult::ExitCode,
        ExitStatus::Signal(_) => UnitResult::Signal,
        ExitStatus::Dumped(_) => UnitResult::CoreDump,
        ExitStatus::Lost => UnitResult::Protocol,
    }
}

/// Whether an end with this result is followed by a restart.
pub(crate) fn shall_restart(settings: &ServiceSettings, state: &ServiceState, result: UnitResult) -> bool {
    let is_in = |set: &crate::settings::StatusSet| match state.exec_main_code {
        1 => set.has_code(state.exec_main_status),
        2 | 3 => set.has_signal(state.exec_main_status),
        _ => false,
    };
    if state.forbid_restart || is_in(&settings.restart_prevent_status) {
        return false;
    }
    if is_in(&settings.restart_force_status) {
        return true;
    }
    let is_abort = matches!(result, UnitResult::Signal | UnitResult::CoreDump);
    match settings.restart {
        Restart::No => false,
        Restart::Always => result != UnitResult::ExecCondition,
        Restart::OnSuccess => result == UnitResult::Success,
        Restart::OnFailure => !matches!(result, UnitResult::Success | UnitResult::ExecCondition),
        Restart::OnAbnormal => {
            !matches!(result, UnitResult::Success | UnitResult::ExitCode | UnitResult::ExecCondition)
        }
        Restart::OnWatchdog => result == UnitResult::Watchdog,
        Restart::OnAbort => is_abort,
    }
}

/// So many in so long a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RateLimit {
    begin: Option<Instant>,
    count: u32,
}

impl RateLimit {
    /// Counts one more; whether that was not one too many.
    pub(crate) fn take(&mut self, now: Instant, interval_usec: u64, burst: u32) -> bool {
        if interval_usec == 0 || burst == 0 {
            return true;
        }
        match self.begin {
            Some(begin) if begin.after(interval_usec) >= now => {
                self.count = self.count.saturating_add(1);
                self.count <= burst
            }
            _ => {
                *self = Self { begin: Some(now), count: 1 };
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(result: UnitResult, status: ExitStatus, restart: Restart) -> bool {
        let settings = ServiceSettings { restart, ..ServiceSettings::NONE };
        let (exec_main_code, exec_main_status) = exit_numbers(status);
        let state = ServiceState { exec_main_code, exec_main_status, ..ServiceState::default() };
        shall_restart(&settings, &state, result)
    }

    #[test]
    fn the_table_of_restarts() {
        use UnitResult as R;
        let order = [
            Restart::Always,
            Restart::OnSuccess,
            Restart::OnFailure,
            Restart::OnAbnormal,
            Restart::OnAbort,
            Restart::OnWatchdog,
        ];
        let rows = [
            (R::Success, [true, true, false, false, false, false]),
            (R::ExitCode, [true, false, true, false, false, false]),
            (R::Signal, [true, false, true, true, true, false]),
            (R::CoreDump, [true, false, true, true, true, false]),
            (R::Timeout, [true, false, true, true, false, false]),
            (R::Watchdog, [true, false, true, true, false, true]),
            (R::OomKill, [true, false, true, true, false, false]),
            (R::Protocol, [true, false, true, true, false, false]),
            (R::ExecCondition, [false; 6]),
        ];
        for (result, row) in rows {
            assert!(!after(result, ExitStatus::Lost, Restart::No));
            for (restart, want) in order.into_iter().zip(row) {
                assert_eq!(after(result, ExitStatus::Lost, restart), want, "{restart:?} after {result:?}");
            }
        }
    }

    #[test]
    fn statuses_that_are_listed_decide_first() {
        let mut settings = ServiceSettings { restart: Restart::Always, ..ServiceSettings::NONE };
        settings.restart_prevent_status.add_code(3);
        settings.restart_force_status.add_signal(9);
        let ended =
            |code, status| ServiceState { exec_main_code: code, exec_main_status: status, ..Default::default() };
        assert!(!shall_restart(&settings, &ended(1, 3), UnitResult::ExitCode));
        assert!(shall_restart(&settings, &ended(1, 4), UnitResult::ExitCode));
        settings.restart = Restart::No;
        assert!(shall_restart(&settings, &ended(2, 9), UnitResult::Signal));
        assert!(!shall_restart(&settings, &ended(1, 9), UnitResult::ExitCode));
        let stopped = ServiceState { forbid_restart: true, ..ended(2, 9) };
        assert!(!shall_restart(&settings, &stopped, UnitResult::Signal));
    }

    #[test]
    fn ends_are_judged_by_what_ended() {
        let mut settings = ServiceSettings::NONE;
        settings.success_status.add_code(7);
        settings.success_status.add_signal(10);
        let main = |status, is_daemon| exit_result(status, is_daemon, Some(&settings));
        assert_eq!(main(ExitStatus::Signal(15), true), UnitResult::Success);
        assert_eq!(main(ExitStatus::Signal(15), false), UnitResult::Signal);
        assert_eq!(main(ExitStatus::Code(7), false), UnitResult::Success);
        assert_eq!(main(ExitStatus::Signal(10), false), UnitResult::Success);
        assert_eq!(main(ExitStatus::Dumped(10), true), UnitResult::CoreDump);
        assert_eq!(exit_result(ExitStatus::Code(7), false, None), UnitResult::ExitCode);
    }

    #[test]
    fn a_burst_is_let_through_and_no_more() {
        let mut limit = RateLimit::default();
        let mut at = |usec| limit.take(Instant(usec), 100, 3);
        assert!(at(10) && at(11) && at(12) && !at(13) && !at(110));
        assert!(at(111), "a new interval");
        assert!((0..9).all(|_| RateLimit::default().take(Instant(1), 0, 3)));
    }
}
