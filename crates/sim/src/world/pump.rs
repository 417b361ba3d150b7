//! Between manager and machine: events go in, effects come out and are carried out, questions are answered at once.

use super::{Visible, World};
use crate::trace;
use cgarbiter_core::systemd1;
use cgarbiter_core::{Answer, Effect, Errno, Event, OpError, Question, ReadId, invariants};

impl World {
    pub(super) fn deliver(&mut self, event: Event) {
        match self.mutant {
            Some(mutant) => mutant.event(event, &self.backend).into_iter().for_each(|event| self.hand_in(event)),
            None => self.hand_in(event),
        }
    }

    fn hand_in(&mut self, event: Event) {
        self.note(|now| format!("{now} {}", trace::event(&event)));
        self.effort.events += 1;
        if let Event::Request { request, .. } = &event {
            self.seen.request(request);
        }
        self.manager.handle_event(self.clocks(), event);
        self.check();
        self.pump();
    }

    /// Takes the manager's effects; questions are answered at once.
    pub(super) fn pump(&mut self) {
        while let Some(effect) = self.manager.poll_effect() {
            self.note(|_| trace::effect(&effect));
            match effect {
                Effect::Run(plan) => {
                    self.effort.steps += plan.steps.len() as u64;
                    self.backend.begin(plan);
                }
                Effect::Read(id, question) => self.read(id, &question),
                Effect::Reply(call, result) => {
                    let result = result.map(systemd1::encode_reply);
                    let times = self.mutant.map_or(1, |mutant| mutant.replies(call));
                    (1..times).for_each(|_| self.visible.push_back(Visible::Reply { call, result: result.clone() }));
                    if times > 0 {
                        self.visible.push_back(Visible::Reply { call, result });
                    }
                }
                Effect::Emit(signal, audience) => {
                    self.effort.signals += 1;
                    let signal = self.mutant.map_or_else(|| signal.clone(), |mutant| mutant.signal(signal.clone()));
                    let also = self.mutant.and_then(|mutant| mutant.also(&signal));
                    for signal in std::iter::once(signal).chain(also) {
                        let message = systemd1::encode_signal(signal);
                        self.visible.push_back(Visible::Signal { message, audience: audience.clone() });
                    }
                }
                Effect::Release(pins) => self.backend.release(&pins),
                Effect::CheckSuccessor => self.sent.push_back(Event::SuccessorChecked(None)),
                Effect::Tell(message) => {
                    if self.mutant.is_none_or(|mutant| mutant.tells(&message)) {
                        self.visible.push_back(Visible::Message(message));
                    }
                }
                Effect::Reexecute => {}
            }
        }
    }

    fn read(&mut self, id: ReadId, question: &Question) {
        self.effort.questions += 1;
        self.seen.question(question);
        let failed = self.question_error.take_if(|_| may_fail(question));
        let answer = match question {
            _ if failed.is_some() => Answer::Failed(OpError::new("", failed.unwrap_or(Errno::Io))),
            Question::BusNameOwned(name) => Answer::Flag(self.owns(name)),
            _ => self.backend.answer(question),
        };
        let answer = match self.mutant {
            Some(mutant) => mutant.answer(&answer, self.effort.questions),
            None => answer,
        };
        self.note(|_| format!("    found {answer:?}"));
        self.manager.handle_event(self.clocks(), Event::ReadDone { id, answer });
        self.check();
    }

    /// In tests: what is always true of the manager is true now.
    pub(super) fn check(&self) {
        if self.is_checked {
            invariants::check(&self.manager);
        }
    }
}

/// Whether the backend may have to say that it could not find out; of the other questions, a failure is an answer.
fn may_fail(question: &Question) -> bool {
    match question {
        Question::Pin(_)
        | Question::Members(_)
        | Question::CgroupOfPin(_)
        | Question::Events(_)
        | Question::Orphans(_) => true,
        Question::CgroupOf(_)
        | Question::Readings(_)
        | Question::PidFile(_)
        | Question::UnitFiles(_)
        | Question::BusNameOwned(_) => false,
    }
}
