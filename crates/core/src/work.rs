//! What is to happen with a unit's cgroup in the next plan, beside making it look like its settings: the one-shot
//! intents of a start, a stop, a kill, a freeze.

use crate::plan::{Op, Pin, Signals, Spawn};
use crate::request::CallId;
use crate::settings::Settings;
use crate::unit::State;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Pending work of one unit.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Work {
    /// Its start job runs: make the cgroup, put the processes in.
    pub(crate) starting: bool,
    /// It is over: remove the cgroup, then become dead or failed.
    pub(crate) ending: Option<Ending>,
    /// Inactive, but its cgroup is still there: try to remove it.
    pub(crate) prune: bool,
    /// Its settings were changed while it is not up: its directory is to be made for them.
    pub(crate) configure: bool,
    /// The cgroup went while the plan was in flight: look when it is done.
    pub(crate) look_again: bool,
    /// The directory would not go, for a reason of which no notice will tell the end: to be tried again.
    pub(crate) try_again: bool,
    /// Somebody has left a directory where the unit's is to be: it goes first, if it is empty.
    pub(crate) replace: bool,
    /// Processes moved in by the start so far.
    pub(crate) attached: u32,
    /// The plan in flight has steps for it.
    pub(crate) in_plan: bool,
    /// What of the above the plan in flight, or being made, is about: requests and events may add more meanwhile.
    pub(crate) planned: Planned,
    /// What is to happen with its record.
    pub(crate) record: RecordWork,
    /// How often in a row the kernel surprised us; bounds retries.
    pub(crate) surprises: u8,
    /// One-shot operations; rarely there, so apart.
    pub(crate) intents: Option<Box<Intents>>,
}

/// What is to happen with a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum RecordWork {
    /// It says what is so, or there is none.
    #[default]
    Kept,
    /// It is to be written.
    Due,
    /// The plan in flight writes it, or was to.
    Planned,
}

/// What a plan was made for.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Planned {
    pub(crate) start: bool,
    pub(crate) end: bool,
    pub(crate) prune: bool,
    /// A process is started.
    pub(crate) spawn: bool,
    /// The directory is made though the unit is not up.
    pub(crate) configure: bool,
    /// Every value of its cgroup has been compared.
    pub(crate) compared: bool,
    pub(crate) replies: Vec<CallId>,
    pub(crate) undo: Vec<Undo>,
}

/// What a unit was before a call changed its properties, until that is on record.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Undo {
    /// The call that waits for it; none when its job tells.
    pub(crate) call: Option<CallId>,
    /// Who had made the unit, if the call has made it transient.
    pub(crate) made_by: Option<u32>,
    /// What the unit was configured to be.
    pub(crate) settings: Settings,
    /// Its drop-ins.
    pub(crate) drop_ins: Vec<Arc<str>>,
    /// What brings each record back that the call writes.
    pub(crate) files: Vec<Op>,
    /// All files have been read anew since.
    pub(crate) is_reread: bool,
}

/// How a unit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ending {
    /// Also when processes are left in the cgroup.
    pub(crate) force: bool,
    /// A service may be started anew afterwards.
    pub(crate) restart: bool,
}

/// One-shot operations.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Intents {
    /// The settings part of a record that is yet to be written; afterwards only its state section is renewed.
    pub(crate) record: Option<String>,
    /// Drop-ins to write, first of all.
    pub(crate) files: Vec<Op>,
    /// Kills, in the order in which they were asked for.
    pub(crate) signals: Vec<SignalIntent>,
    /// Operations on the directory before processes enter (attributes, ownership).
    pub(crate) prepare: Vec<Op>,
    /// Processes to move in.
    pub(crate) attach: Vec<Pin>,
    /// Calls that wait for some of the processes that `prepare` moves in.
    pub(crate) attaching: Vec<Attaching>,
    /// A process to start.
    pub(crate) spawn: Option<Box<Spawn>>,
    /// `cgroup.freeze` to write.
    pub(crate) freeze: Option<bool>,
    /// Requests that are answered once the plan has been run.
    pub(crate) replies: Vec<CallId>,
    /// How to take back those of them that change properties.
    pub(crate) undo: Vec<Undo>,
}

/// A call that has asked for processes to be moved into the unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attaching {
    pub(crate) call: CallId,
    /// Those that are not there yet, and not gone.
    pub(crate) pins: Vec<Pin>,
}

/// A kill of the unit's processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SignalIntent {
    /// Which signals.
    pub(crate) signals: Signals,
    /// Only the main process, by number.
    pub(crate) only: Option<u32>,
    /// Processes that are left out.
    pub(crate) spare: Vec<u32>,
    /// A client's kill: its count decides the reply, not the unit's state.
    pub(crate) by_client: Option<ClientKill>,
    /// The phase of a service's stop that it belongs to.
    pub(crate) phase: Option<State>,
    /// The plan in flight sends it.
    pub(crate) is_planned: bool,
}

/// What a client's kill is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKill {
    /// Whom to answer.
    pub(crate) call: CallId,
    /// Nothing killed is an error.
    pub(crate) must_kill: bool,
}

impl Intents {
    /// Nothing left to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.record.is_none()
            && self.files.is_empty()
            && self.signals.is_empty()
            && self.prepare.is_empty()
            && self.attach.is_empty()
            && self.attaching.is_empty()
            && self.spawn.is_none()
            && self.freeze.is_none()
            && self.replies.is_empty()
    }
}

impl Work {
    /// Notes what the next plan is about; units that are up are made to look like their settings.
    pub(crate) fn note_planned(&mut self, is_up: bool) {
        // A plan that failed leaves its replies to the next one.
        let mut replies = core::mem::take(&mut self.planned.replies);
        let mut undo = core::mem::take(&mut self.planned.undo);
        if let Some(intents) = &mut self.intents {
            replies.append(&mut intents.replies);
            intents.signals.iter_mut().for_each(|signal| signal.is_planned = true);
            let is_recorded = self.record != RecordWork::Kept;
            // A start that waits brings its record with it later.
            undo.extend(intents.undo.extract_if(.., |undo| undo.made_by.is_none() || is_recorded));
        }
        if self.record == RecordWork::Due {
            self.record = RecordWork::Planned;
        }
        let (end, prune) = (self.ending.is_some(), self.prune);
        let spawn = self.intents.as_ref().is_some_and(|intents| intents.spawn.is_some());
        let configure = core::mem::take(&mut self.configure) || self.planned.configure;
        let compared = (is_up || configure) && !end && !prune;
        self.planned = Planned { start: self.starting, end, prune, spawn, configure, compared, replies, undo };
    }

    /// Somebody waits for a change of settings.
    pub(crate) fn has_undo(&self) -> bool {
        !self.planned.undo.is_empty() || self.intents.as_ref().is_some_and(|intents| !intents.undo.is_empty())
    }

    /// Whether anything is pending.
    pub(crate) fn is_pending(&self) -> bool {
        let once = self.starting || self.ending.is_some() || self.prune || self.configure;
        once || self.in_plan || self.intents.is_some() || self.record != RecordWork::Kept
    }

    /// There is nothing to be recorded.
    pub(crate) fn forget_record(&mut self) {
        self.record = RecordWork::Kept;
        if let Some(intents) = &mut self.intents {
            intents.record = None;
            if intents.is_empty() {
                self.intents = None;
            }
        }
    }

    /// The intents, made when there are none.
    pub(crate) fn intents_mut(&mut self) -> &mut Intents {
        self.intents.get_or_insert_with(Box::default)
    }
}
