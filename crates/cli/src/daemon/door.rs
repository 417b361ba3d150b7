//! The core's door as the daemon uses it: the same four kinds of call, with a trace of all that passes, if one is
//! wanted.

use super::recorder::{Recorder, Recording};
use cgarbiter_core::found::FoundDescriptor;
use cgarbiter_core::{Config, Effect, Event, Found, Instant, Manager, Now};

/// The manager, and who writes down what it is told and what it wants.
pub(super) struct Door {
    manager: Manager,
    recorder: Option<Recorder>,
}

impl Door {
    /// Makes the manager, out of what an earlier one has left. `summary` says which backend it is, for whoever reads
    /// the trace.
    pub(super) fn open(recording: Option<&Recording>, summary: &str, now: Now, config: Config, found: Found) -> Self {
        let recorder = recording.and_then(|recording| Recorder::begin(recording, summary, now, &config, &found));
        Self { manager: Manager::recover(config, now, found), recorder }
    }

    /// Look: how many units there are.
    pub(super) fn units(&self) -> usize {
        self.manager.graph().len()
    }

    /// Look: whether somebody waits for the end of a job.
    pub(super) fn has_jobs(&self) -> bool {
        !self.manager.jobs().is_empty()
    }

    /// Look: descriptors that are kept for services.
    pub(super) fn stored_descriptors(&self) -> Vec<FoundDescriptor> {
        self.manager.stored_descriptors().collect()
    }

    /// In: something happened.
    pub(super) fn handle_event(&mut self, now: Now, event: Event) {
        // Between a question and its answer effects wait; before anything else all are out, so a trace may end.
        if !matches!(event, Event::ReadDone { .. }) {
            self.end_if_full(now);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.event(now, &event);
        }
        self.manager.handle_event(now, event);
    }

    /// In: time passed.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.end_if_full(now);
        if let Some(recorder) = &mut self.recorder {
            recorder.timeout(now);
        }
        self.manager.handle_timeout(now);
    }

    /// Out: something to do.
    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.manager.poll_effect()?;
        if let Some(recorder) = &mut self.recorder {
            recorder.effect(&effect);
            if recorder.is_heavy() {
                self.flush();
            }
        }
        Some(effect)
    }

    /// Out: when to call [`Door::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.manager.poll_timeout()
    }

    /// Writes what was recorded.
    pub(super) fn flush(&mut self) {
        if let Some(recorder) = &mut self.recorder
            && !recorder.flush()
        {
            self.recorder = None;
        }
    }

    /// Nothing more will pass.
    pub(super) fn close(&mut self, now: Now) {
        self.end(now, "the daemon was told to stop");
    }

    fn end_if_full(&mut self, now: Now) {
        if self.recorder.as_ref().is_some_and(Recorder::is_full) {
            self.end(now, "it has reached its limit");
        }
    }

    fn end(&mut self, now: Now, why: &str) {
        if let Some(recorder) = self.recorder.take() {
            recorder.end(now, why);
        }
    }
}
