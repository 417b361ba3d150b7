//! The manager: takes events, decides the order in which things happen, hands out effects. It owns no rule.
//!
//! Call [`Manager::handle_event`] or [`Manager::handle_timeout`], then [`Manager::poll_effect`] until it answers `None`,
//! answering each [`Effect::Read`] at once by [`Event::ReadDone`]; then ask [`Manager::poll_timeout`] how long to wait.

use crate::config::Config;
use crate::effect::Effect;
use crate::event::Event;
use crate::graph::Graph;
use crate::time::{Instant, Now};
use alloc::collections::VecDeque;

/// The arbiter.
#[derive(Clone, Debug)]
pub struct Manager {
    config: Config,
    graph: Graph,
    effects: VecDeque<Effect>,
}

impl Manager {
    /// An arbiter of an empty tree.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        let _ = now;
        Self { config, graph: Graph::default(), effects: VecDeque::new() }
    }

    /// In: something happened.
    pub fn handle_event(&mut self, now: Now, event: Event) {
        let _ = (now, event);
    }

    /// In: time passed. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// Out: something to do.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Out: when to call [`Manager::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Look: all units.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Look: what it was told at start.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}
