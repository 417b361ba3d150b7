//! Giving way to the program that is installed now: whether it may, who waits to hear of that, and what becomes of the
//! jobs. How the change is made is the driver's; what lives on is `recover`'s.

use super::Manager;
use super::requests::Answered;
use crate::effect::{Effect, Reply, Severity};
use crate::error::{Refusal, RefusalKind};
use crate::job::JobId;
use crate::request::CallId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What is known of the program that is to take over.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Successor {
    /// It is being tried out.
    checking: bool,
    /// Who asked for it and has no answer yet.
    calls: Vec<CallId>,
}

impl Manager {
    /// Asked for by a client, who is answered once the program has been tried out.
    pub(super) fn reexecute(&mut self, call: CallId) -> Answered {
        self.check_is_replaceable()?;
        self.successor.calls.push(call);
        self.check_successor();
        Ok(None)
    }

    /// Asked for by somebody who gets no answer.
    pub(super) fn successor_wanted(&mut self) {
        match self.check_is_replaceable() {
            Ok(()) => self.check_successor(),
            Err(refusal) => self.tell(Severity::Error, None, refusal.message),
        }
    }

    fn check_is_replaceable(&self) -> Result<(), Refusal> {
        if self.config.reexecutes {
            return Ok(());
        }
        let text = "This daemon cannot be replaced: the kernel that it manages lives in it.";
        Err(Refusal::new(RefusalKind::NotSupported, text))
    }

    fn check_successor(&mut self) {
        if !core::mem::replace(&mut self.successor.checking, true) {
            self.effects.push_back(Effect::CheckSuccessor);
        }
    }

    /// The program has been tried out; `unfit` says why it will not do.
    pub(super) fn successor_checked(&mut self, unfit: Option<String>) {
        let waiting = core::mem::take(&mut self.successor);
        let Some(why) = unfit else {
            waiting.calls.into_iter().for_each(|call| self.reply(call, Ok(Reply::Done)));
            self.after_replies.push(Effect::Reexecute);
            return;
        };
        let text = format!("Not replaced, the installed program does not start: {why}");
        for call in waiting.calls {
            self.reply(call, Err(Refusal::new(RefusalKind::Failed, text.clone())));
        }
        self.tell(Severity::Error, None, text);
    }

    /// The change is made now. Jobs are not handed on; what has been started or stopped for them goes on.
    pub(super) fn giving_way(&mut self) {
        let jobs: Vec<JobId> = self.jobs.iter().map(|job| job.id).collect();
        if !jobs.is_empty() {
            let text = format!("{} jobs are canceled: a new program takes over", jobs.len());
            self.tell(Severity::Warning, None, text);
        }
        jobs.into_iter().for_each(|id| self.cancel_alone(id));
    }
}
