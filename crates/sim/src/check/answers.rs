//! Every call is answered exactly once, the reply that names a job comes before the job's end, and every job ends once.

use super::{Oracle, Past, Verdict, View};
use crate::world::Visible;
use cgarbiter_core::CallId;
use cgarbiter_core::systemd1::SignalMessage;
use cgarbiter_core::value::Value;
use std::collections::BTreeSet;

const RESULTS: [&str; 10] =
    ["done", "once", "canceled", "timeout", "failed", "dependency", "skipped", "invalid", "assert", "collected"];

/// So many jobs that have ended, and calls that were answered, are remembered.
const ENDED_MAX: usize = 256;

#[derive(Clone, Default)]
pub(super) struct Answers {
    /// Reached the manager, and wait.
    waiting: BTreeSet<CallId>,
    /// Reached the manager, and were answered: the last of them.
    answered: BTreeSet<CallId>,
    /// Announced, and not ended.
    jobs: BTreeSet<u32>,
    /// Ended, the last of them: numbers only grow.
    ended: BTreeSet<u32>,
}

impl Oracle for Answers {
    fn name(&self) -> &'static str {
        "answers"
    }

    fn before(&mut self, _view: &View<'_>, next: &super::Next<'_>) -> Verdict {
        if let super::Next::Request(call, ..) = next {
            self.waiting.insert(*call);
        }
        Ok(())
    }

    fn after(&mut self, _view: &View<'_>, past: &Past<'_>) -> Verdict {
        match past {
            Past::Told(Visible::Reply { call, result }) => {
                if self.waiting.remove(call) {
                    self.answered.insert(*call);
                    if self.answered.len() > ENDED_MAX {
                        self.answered.pop_first();
                    }
                } else if result.is_ok() || self.answered.contains(call) {
                    // Others were refused before they reached the manager: by their types alone.
                    return Err(format!("call {} is answered, and nobody waits", call.0));
                }
                match result.as_deref() {
                    Ok([Value::Path(path)]) => self.job_named(path),
                    _ => Ok(()),
                }
            }
            Past::Told(Visible::Signal { message, .. }) => self.told(message),
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        let known: BTreeSet<u32> = view.world.manager().jobs().iter().map(|job| job.id.0).collect();
        if known != self.jobs {
            return Err(format!("jobs {known:?} are there, and {:?} are known to clients", self.jobs));
        }
        Ok(())
    }

    fn healed(&mut self, view: &View<'_>) -> Verdict {
        // A reply that names a job is not held for as long as the job takes.
        match view.reference.waiting().next() {
            Some((call, asked)) => Err(format!("call {} is never answered: {asked:?}", call.0)),
            None => Ok(()),
        }
    }

    fn crashed(&mut self) {
        *self = Self::default();
    }

    fn size(&self) -> usize {
        self.waiting.len() + self.jobs.len() + self.answered.len()
    }
}

impl Answers {
    /// A reply names a job: it must not have been told to be over.
    fn job_named(&mut self, path: &str) -> Verdict {
        let Some(job) = path.strip_prefix("/org/freedesktop/systemd1/job/") else { return Ok(()) };
        let job: u32 = job.parse().map_err(|_| format!("a job called {path}"))?;
        if self.ended.contains(&job) {
            return Err(format!("job {job} is named in a reply after its end"));
        }
        Ok(())
    }

    fn told(&mut self, message: &SignalMessage) -> Verdict {
        let Some(Value::U32(job)) = message.body.first() else { return Ok(()) };
        match message.member {
            "JobNew" => {
                let is_new = !self.ended.contains(job) && self.jobs.insert(*job);
                return if is_new { Ok(()) } else { Err(format!("job {job} is announced twice")) };
            }
            "JobRemoved" => {
                if !self.jobs.remove(job) {
                    return Err(format!("job {job} ends, and was not there"));
                }
                self.ended.insert(*job);
                if self.ended.len() > ENDED_MAX {
                    self.ended.pop_first();
                }
                let result = message.body.get(3).and_then(Value::as_str).unwrap_or_default();
                if !RESULTS.contains(&result) {
                    return Err(format!("job {job} ends with {result:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
