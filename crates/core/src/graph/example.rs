//! In tests: units that are loaded, tied and have jobs, without a manager.

use super::{Edge, Graph};
use crate::config::Config;
use crate::job::{Job, JobType};
use crate::jobs::{JobTable, Rank};
use crate::names::UnitName;
use crate::properties::default_settings;
use crate::time::Instant;
use crate::unit::{LoadState, State, Unit, UnitId};
use alloc::vec::Vec;

/// Units and their jobs.
#[derive(Default)]
pub(crate) struct Example {
    pub(crate) graph: Graph,
    pub(crate) jobs: JobTable,
}

impl Example {
    /// Units of these names, loaded and down.
    pub(crate) fn of(names: &[&str]) -> Self {
        let mut example = Self::default();
        for name in names {
            let name = UnitName::parse(name).expect("a valid name");
            let settings = default_settings(name.unit_type(), &Config::example());
            let mut unit = Unit::stub(name, settings);
            unit.load = LoadState::Loaded;
            example.graph.insert(unit);
        }
        example
    }

    pub(crate) fn id(&self, name: &str) -> UnitId {
        self.graph.find(name).expect("it was named at the beginning")
    }

    pub(crate) fn tie(mut self, from: &str, edge: Edge, to: &str) -> Self {
        self.graph.add_edge(self.id(from), edge, self.id(to));
        self
    }

    pub(crate) fn inside(mut self, name: &str, slice: &str) -> Self {
        self.graph.set_slice(self.id(name), Some(self.id(slice)));
        self
    }

    pub(crate) fn state(mut self, name: &str, state: State) -> Self {
        let id = self.id(name);
        self.graph.unit_mut(id).state = state;
        self
    }

    /// Installs a job.
    pub(crate) fn job(mut self, name: &str, kind: JobType) -> Self {
        let unit = self.id(name);
        let job = Job {
            id: self.jobs.next_id(),
            unit,
            kind,
            running: false,
            is_unrecorded: false,
            irreversible: false,
            ignore_order: false,
            owners: Vec::new(),
            held_reply: None,
            announced: false,
            installed_at: Instant(0),
            rank: Rank::of(self.graph.unit(unit)),
        };
        let id = job.id;
        self.jobs.insert(job, self.graph.unit(unit).slice);
        self.graph.unit_mut(unit).job = Some(id);
        self
    }

    pub(crate) fn names(&self, units: &[UnitId]) -> Vec<&str> {
        units.iter().map(|unit| self.graph.unit(*unit).name.as_str()).collect()
    }
}
