//! What the table has to hold: at least one row for every operation and every question, with every kind of answer, and
//! a refusal of every operation that can be refused.

use cgarbiter_core::event::{Answer, Event, PinAnswer, Question};
use cgarbiter_core::{Op, Outcome, Plan, Report};
use std::collections::BTreeSet;

/// The words for the variants of an enum. A new variant does not compile before it is here; then the table lacks it.
macro_rules! kinds {
    ($(#[$doc:meta])* $list:ident, $of:ident, $type:ident: $($variant:ident)*) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$(concat!(stringify!($type), "::", stringify!($variant))),*];

        fn $of(value: &$type) -> &'static str {
            match value {
                $($type::$variant { .. } => concat!(stringify!($type), "::", stringify!($variant)),)*
            }
        }
    };
}

kinds! {
    /// Every operation.
    OPS, op, Op:
    WriteFile RenewRecord RemoveFile MoveFile Link RemoveEmpty RemoveRuntime Mkdir Observe Rmdir SubtreeControl Write
    WriteDevice Watch Attach SignalAll SignalOne Delegate Xattr Spawn WatchProcess ReadCounters
}

kinds! {
    /// Every outcome of a step.
    OUTCOMES, outcome, Outcome:
    Done Refused Made Seen Controllers Attached Gone Signalled Spawned Counters
}

kinds! {
    /// Every question.
    QUESTIONS, question, Question:
    Pin CgroupOf CgroupOfPin Events Readings Members Orphans PidFile BusNameOwned UnitFiles
}

kinds! {
    /// Every answer.
    ANSWERS, answer, Answer:
    Processes Cgroup Events Readings Members Pids Flag UnitFiles Failed
}

kinds! {
    /// Everything that a process to be pinned can turn out to be.
    PINS, pin, PinAnswer:
    Held Gone KernelThread Manager
}

kinds! {
    /// Every event, whoever tells it.
    EVENTS, event, Event:
    Request ClientConnected ClientGone BusNameGone PlanDone ReadDone CgroupChanged Executed Exited Notified HungUp
    SuccessorWanted SuccessorChecked GivingWay
}

/// What no row has, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("Question::BusNameOwned", "names on a bus are the driver's business"),
    ("Answer::Flag", "it answers that question only"),
    ("Event::Request", "clients are the front end's business"),
    ("Event::ClientConnected", "clients are the front end's business"),
    ("Event::ClientGone", "clients are the front end's business"),
    ("Event::BusNameGone", "names on a bus are the driver's business"),
    ("Event::PlanDone", "a report is handed over by the driver"),
    ("Event::ReadDone", "an answer is handed over by the driver"),
    ("Event::HungUp", "what a descriptor leads to is not imagined; `live/store.rs` has it for the real backend"),
    ("Event::SuccessorWanted", "the driver's business"),
    ("Event::SuccessorChecked", "the driver's business"),
    ("Event::GivingWay", "the driver's business"),
];

/// Operations that nothing refuses, short of a disk that is full or broken, and why.
const NEVER_REFUSED: &[(&str, &str)] =
    &[("Op::ReadCounters", "what is not there has no counters"), ("Op::WatchProcess", "who is not there is gone")];

/// What was seen while rows were played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    seen: BTreeSet<&'static str>,
    refused: BTreeSet<&'static str>,
}

impl Cover {
    pub(crate) fn plan(&mut self, plan: &Plan, report: &Report) {
        for (step, out) in plan.steps.iter().zip(&report.outcomes) {
            self.seen.extend([op(&step.op), outcome(out)]);
            if matches!(out, Outcome::Refused(_) | Outcome::Controllers { refused: Some(_), .. }) {
                self.refused.insert(op(&step.op));
            }
        }
        if report.failed.is_some() {
            self.refused.extend(plan.steps.get(report.outcomes.len()).map(|step| op(&step.op)));
        }
    }

    pub(crate) fn answer(&mut self, asked: &Question, answered: &Answer) {
        self.seen.extend([question(asked), answer(answered)]);
        if let Answer::Processes(answers) = answered {
            self.seen.extend(answers.iter().map(pin));
        }
    }

    pub(crate) fn events(&mut self, events: &[Event]) {
        self.seen.extend(events.iter().map(event));
    }

    /// What no row had, of all that there is; also what is exempt and was seen all the same.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let all = [OPS, OUTCOMES, QUESTIONS, ANSWERS, PINS, EVENTS].concat();
        let is_exempt = |kind: &str| EXEMPT.iter().any(|(exempt, _)| *exempt == kind);
        let is_never_refused = |kind: &str| NEVER_REFUSED.iter().any(|(never, _)| *never == kind);
        let unseen = all.iter().filter(|kind| self.seen.contains(**kind) == is_exempt(kind));
        let unrefused = OPS.iter().filter(|kind| self.refused.contains(**kind) == is_never_refused(kind));
        unseen.map(|kind| (*kind).to_owned()).chain(unrefused.map(|kind| format!("{kind} refused"))).collect()
    }
}
