//! Jobs: what a unit is asked to become. Types, modes, results, and the table that merges two jobs on one unit
//! (reference 03.1 to 03.5).

use crate::client::ClientId;
use crate::jobs::Rank;
use crate::request::{CallId, JobVerb};
use crate::time::Instant;
use crate::unit::{ActiveState, Unit, UnitId};

/// A job's number; 1 is the first of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u32);

/// What the unit is asked to become. All but `Nop` can be installed; the last three collapse into one of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum JobType {
    Start,
    VerifyActive,
    Stop,
    Reload,
    Restart,
    Nop,
    TryRestart,
    TryReload,
    ReloadOrStart,
}

impl JobType {
    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::VerifyActive => "verify-active",
            Self::Stop => "stop",
            Self::Reload => "reload",
            Self::Restart => "restart",
            Self::Nop => "nop",
            Self::TryRestart => "try-restart",
            Self::TryReload => "try-reload",
            Self::ReloadOrStart => "reload-or-start",
        }
    }

    /// The type of this name, as EnqueueUnitJob takes it.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Start,
            Self::VerifyActive,
            Self::Stop,
            Self::Reload,
            Self::Restart,
            Self::Nop,
            Self::TryRestart,
            Self::TryReload,
            Self::ReloadOrStart,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }

    /// What a verb asks for, before it is collapsed with the unit's state. What can reload need not be restarted.
    #[must_use]
    pub fn of_verb(verb: JobVerb, can_reload: bool) -> Self {
        match verb {
            JobVerb::ReloadOrRestart if can_reload => Self::ReloadOrStart,
            JobVerb::ReloadOrTryRestart if can_reload => Self::TryReload,
            JobVerb::Start => Self::Start,
            JobVerb::Stop => Self::Stop,
            JobVerb::Reload => Self::Reload,
            JobVerb::Restart | JobVerb::ReloadOrRestart => Self::Restart,
            JobVerb::TryRestart | JobVerb::ReloadOrTryRestart => Self::TryRestart,
        }
    }

    /// A stop, or a restart in its stop phase: these come first in any order.
    #[must_use]
    pub fn stops_first(self) -> bool {
        matches!(self, Self::Stop | Self::Restart)
    }

    /// What it asks for when it has stopped what it stops first.
    #[must_use]
    pub fn after_stop(self) -> Self {
        match self {
            Self::Restart => Self::Start,
            _ => self,
        }
    }

    /// What is left of it in the unit's present state (reference 03.1).
    #[must_use]
    pub fn collapse(self, state: ActiveState) -> Self {
        match self {
            Self::TryRestart if state.is_active_or_activating() => Self::Restart,
            Self::TryReload if state.is_active_or_reloading() => Self::Reload,
            Self::TryRestart | Self::TryReload => Self::Nop,
            Self::ReloadOrStart if state.is_active_or_reloading() => Self::Reload,
            Self::ReloadOrStart => Self::Start,
            _ => self,
        }
    }

    /// The one job that does what both would; none when they conflict (reference 03.2).
    #[must_use]
    pub fn merge(self, other: Self) -> Option<Self> {
        use JobType::{Reload, ReloadOrStart, Restart, Start, Stop, VerifyActive};
        if self == other {
            return Some(self);
        }
        match (self.min(other), self.max(other)) {
            (Start | VerifyActive | Reload, Stop) | (Stop, Reload | Restart) => None,
            (Start, VerifyActive) => Some(Start),
            (Start, Reload) => Some(ReloadOrStart),
            (Start | VerifyActive | Reload, Restart) => Some(Restart),
            (VerifyActive, Reload) => Some(Reload),
            (a, b) => unreachable!("{} and {} are never installed", a.as_str(), b.as_str()),
        }
    }

    /// Whether this already does what `other` asks for.
    #[must_use]
    pub fn is_superset_of(self, other: Self) -> bool {
        self.merge(other) == Some(self)
    }

    /// Whether it would do nothing in this state (reference 03.3).
    #[must_use]
    pub fn is_redundant(self, state: ActiveState) -> bool {
        match self {
            Self::Start | Self::VerifyActive => state.is_active_or_reloading(),
            Self::Stop => state.is_inactive_or_failed(),
            Self::Reload | Self::Restart => false,
            Self::Nop => true,
            Self::TryRestart | Self::TryReload | Self::ReloadOrStart => unreachable!("collapsed before it is judged"),
        }
    }

    /// Whether units like this one can do it at all (reference 03.6, step 2).
    #[must_use]
    pub fn is_applicable(self, unit: &Unit) -> bool {
        match self {
            Self::Start | Self::VerifyActive | Self::Nop => true,
            Self::Stop => !unit.perpetual,
            Self::Restart | Self::TryRestart => !unit.perpetual && unit.can_start(),
            Self::Reload | Self::TryReload | Self::ReloadOrStart => unit.can_reload(),
        }
    }
}

/// How conflicts with other jobs are treated (reference 03.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum JobMode {
    Fail,
    Replace,
    ReplaceIrreversibly,
    Isolate,
    Flush,
    IgnoreDependencies,
    IgnoreRequirements,
    Triggering,
}

impl JobMode {
    /// The mode of this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "fail" => Self::Fail,
            "replace" => Self::Replace,
            "replace-irreversibly" => Self::ReplaceIrreversibly,
            "isolate" => Self::Isolate,
            "flush" => Self::Flush,
            "ignore-dependencies" => Self::IgnoreDependencies,
            "ignore-requirements" => Self::IgnoreRequirements,
            "triggering" => Self::Triggering,
            _ => return None,
        })
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as on the bus")]
pub enum JobResult {
    Done,
    Canceled,
    Timeout,
    Failed,
    Dependency,
    Skipped,
    Invalid,
    Unsupported,
    Once,
}

impl JobResult {
    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Dependency => "dependency",
            Self::Skipped => "skipped",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Once => "once",
        }
    }
}

/// An installed job.
#[derive(Clone, Debug, Hash)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Whose it is.
    pub unit: UnitId,
    /// What it asks for.
    pub kind: JobType,
    /// Begun, or still waiting for its turn.
    pub running: bool,
    /// What it is for has come about, which nobody is told before it is on record.
    pub is_unrecorded: bool,
    /// Only an explicit cancel ends it.
    pub irreversible: bool,
    /// Takes no part in ordering.
    pub ignore_order: bool,
    /// Who asked for it, and may cancel it.
    pub owners: alloc::vec::Vec<ClientId>,
    /// A reply that waits until the processes are in place.
    pub held_reply: Option<CallId>,
    /// JobNew has gone out.
    pub announced: bool,
    /// When it was installed.
    pub installed_at: Instant,
    /// Its place among those that could run.
    pub(crate) rank: Rank,
}

impl Job {
    /// The state's word on the bus.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.running { "running" } else { "waiting" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::example::Example;
    use crate::time::Timestamp;
    use JobType::{Reload, ReloadOrStart, Restart, Start, Stop, VerifyActive};

    #[test]
    fn the_merge_table_is_symmetric_and_complete() {
        let rows = [
            (Start, [Some(Start), Some(Start), None, Some(ReloadOrStart), Some(Restart)]),
            (VerifyActive, [Some(Start), Some(VerifyActive), None, Some(Reload), Some(Restart)]),
            (Stop, [None, None, Some(Stop), None, None]),
            (Reload, [Some(ReloadOrStart), Some(Reload), None, Some(Reload), Some(Restart)]),
            (Restart, [Some(Restart), Some(Restart), None, Some(Restart), Some(Restart)]),
        ];
        for (a, results) in rows {
            for (b, want) in [Start, VerifyActive, Stop, Reload, Restart].into_iter().zip(results) {
                assert_eq!(a.merge(b), want, "{a:?} {b:?}");
                assert_eq!(b.merge(a), want, "{b:?} {a:?}");
            }
        }
    }

    #[test]
    fn every_word_is_read_back_and_others_are_none() {
        let all = [
            "start",
            "verify-active",
            "stop",
            "reload",
            "restart",
            "nop",
            "try-restart",
            "try-reload",
            "reload-or-start",
        ];
        for word in all {
            assert_eq!(JobType::parse(word).map(JobType::as_str), Some(word));
        }
        assert_eq!(JobType::parse("begin"), None);
        let modes = [
            ("fail", JobMode::Fail),
            ("replace", JobMode::Replace),
            ("replace-irreversibly", JobMode::ReplaceIrreversibly),
            ("isolate", JobMode::Isolate),
            ("flush", JobMode::Flush),
            ("ignore-dependencies", JobMode::IgnoreDependencies),
            ("ignore-requirements", JobMode::IgnoreRequirements),
            ("triggering", JobMode::Triggering),
        ];
        for (word, mode) in modes {
            assert_eq!(JobMode::parse(word), Some(mode));
        }
        assert_eq!(JobMode::parse("someday"), None);
    }

    #[test]
    fn what_cannot_reload_is_restarted_instead() {
        for (verb, reloads, restarts) in [
            (JobVerb::ReloadOrRestart, ReloadOrStart, Restart),
            (JobVerb::ReloadOrTryRestart, JobType::TryReload, JobType::TryRestart),
            (JobVerb::Reload, Reload, Reload),
            (JobVerb::Restart, Restart, Restart),
            (JobVerb::TryRestart, JobType::TryRestart, JobType::TryRestart),
        ] {
            assert_eq!((JobType::of_verb(verb, true), JobType::of_verb(verb, false)), (reloads, restarts), "{verb:?}");
        }
    }

    #[test]
    fn a_job_does_what_weaker_ones_would() {
        for (strong, weak) in [(Start, VerifyActive), (Restart, Start), (Restart, Reload), (Reload, VerifyActive)] {
            assert!(strong.is_superset_of(weak) && !weak.is_superset_of(strong), "{strong:?} {weak:?}");
            assert!(strong.is_superset_of(strong));
        }
        assert!(!Start.is_superset_of(Stop) && !Start.is_superset_of(Reload));
    }

    #[test]
    fn a_job_waits_until_it_runs() {
        let mut example = Example::of(&["a.slice"]).job("a.slice", Start);
        let id = example.jobs.of_unit(example.id("a.slice")).expect("installed").id;
        let job = example.jobs.get_mut(id).expect("installed");
        assert_eq!(job.state(), "waiting");
        job.running = true;
        assert_eq!(job.state(), "running");
    }

    #[test]
    fn what_is_perpetual_is_not_stopped_or_restarted() {
        let mut example = Example::of(&["a.slice", "a.scope"]);
        let [slice, scope] = [example.id("a.slice"), example.id("a.scope")];
        for kind in [Start, VerifyActive, Stop, Restart] {
            assert!(kind.is_applicable(example.graph.unit(slice)), "{kind:?}");
        }
        assert!(!Reload.is_applicable(example.graph.unit(slice)));
        example.graph.unit_mut(slice).perpetual = true;
        let applicable = |kind: JobType| kind.is_applicable(example.graph.unit(slice));
        assert!(applicable(Start) && !applicable(Stop) && !applicable(Restart));
        // A scope that was up once cannot be started again.
        let unit = example.graph.unit_mut(scope);
        unit.times.inactive_exit = Timestamp { monotonic: 1, realtime: 1 };
        assert!(!Restart.is_applicable(unit) && Stop.is_applicable(unit) && Start.is_applicable(unit));
    }

    #[test]
    fn tries_collapse_with_the_state() {
        assert_eq!(JobType::TryRestart.collapse(ActiveState::Inactive), JobType::Nop);
        assert_eq!(JobType::TryRestart.collapse(ActiveState::Activating), Restart);
        assert_eq!(ReloadOrStart.collapse(ActiveState::Failed), Start);
        assert_eq!(ReloadOrStart.collapse(ActiveState::Active), Reload);
        assert_eq!(JobType::TryReload.collapse(ActiveState::Active), Reload);
        assert_eq!(JobType::TryReload.collapse(ActiveState::Activating), JobType::Nop);
        assert_eq!(Restart.collapse(ActiveState::Inactive), Restart);
    }
}
