//! The table of installed jobs, and the queue of those that may be able to run.

use crate::graph::Graph;
use crate::job::{Job, JobId, JobType};
use crate::names::{UnitName, UnitType};
use crate::unit::{Unit, UnitId};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::hash::{Hash, Hasher};

/// Installed jobs: at most one for each unit.
#[derive(Clone, Debug, Default)]
pub struct JobTable {
    jobs: BTreeMap<JobId, Job>,
    by_unit: BTreeMap<UnitId, JobId>,
    last: u32,
    /// The jobs of each slice's members.
    by_slice: BTreeSet<(UnitId, JobId)>,
    /// For each slice, how many of its members have a stop or restart job.
    stopping: BTreeMap<UnitId, u32>,
    /// Jobs to look at, in the order in which they are.
    run_queue: BTreeSet<(Rank, JobId)>,
}

/// Who goes first among jobs that need not wait for each other: scopes before slices before services, the larger
/// `CPUWeight` (none is the largest), the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rank {
    unit_type: u8,
    weight: Reverse<u64>,
    name: UnitName,
}

impl Rank {
    pub(crate) fn of(unit: &Unit) -> Self {
        let unit_type = match unit.unit_type() {
            UnitType::Scope => 0,
            UnitType::Slice => 1,
            _ => 2,
        };
        Self { unit_type, weight: Reverse(unit.settings.resources.cpu_weight), name: unit.name.clone() }
    }
}

/// The other fields are indexes of what is hashed here, and the number handed out last.
impl Hash for JobTable {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { jobs, by_unit: _, last: _, by_slice: _, stopping: _, run_queue } = self;
        (jobs, run_queue).hash(state);
    }
}

impl JobTable {
    /// A fresh number.
    pub(crate) fn next_id(&mut self) -> JobId {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            let id = JobId(self.last);
            if !self.jobs.contains_key(&id) {
                return id;
            }
        }
    }

    /// The job.
    #[must_use]
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.get_mut(&id)
    }

    /// The unit's job.
    #[must_use]
    pub fn of_unit(&self, unit: UnitId) -> Option<&Job> {
        self.jobs.get(self.by_unit.get(&unit)?)
    }

    /// What the unit's job asks for.
    #[must_use]
    pub fn kind_of(&self, unit: UnitId) -> Option<JobType> {
        self.of_unit(unit).map(|job| job.kind)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// None at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(crate) fn insert(&mut self, job: Job, slice: Option<UnitId>) {
        assert!(!self.by_unit.contains_key(&job.unit), "a unit has at most one job");
        self.count(slice, job.kind, true);
        self.by_slice.extend(slice.map(|slice| (slice, job.id)));
        self.by_unit.insert(job.unit, job.id);
        self.run_queue.insert((job.rank.clone(), job.id));
        self.jobs.insert(job.id, job);
    }

    /// Has the job looked at.
    pub(crate) fn queue(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get(&id) {
            self.run_queue.insert((job.rank.clone(), id));
        }
    }

    /// The job to look at next.
    pub(crate) fn take_queued(&mut self) -> Option<JobId> {
        self.run_queue.pop_first().map(|(_, id)| id)
    }

    /// Is any job to be looked at?
    pub(crate) fn any_queued(&self) -> bool {
        !self.run_queue.is_empty()
    }

    pub(crate) fn remove(&mut self, id: JobId, slice: Option<UnitId>) -> Job {
        let job = self.jobs.remove(&id).expect("only installed jobs are removed");
        self.by_unit.remove(&job.unit);
        if let Some(slice) = slice {
            self.by_slice.remove(&(slice, id));
        }
        self.run_queue.remove(&(job.rank.clone(), id));
        self.count(slice, job.kind, false);
        job
    }

    /// Changes what a job asks for.
    pub(crate) fn set_kind(&mut self, id: JobId, kind: JobType, slice: Option<UnitId>) {
        let job = self.jobs.get_mut(&id).expect("only installed jobs are changed");
        let old = core::mem::replace(&mut job.kind, kind);
        self.count(slice, old, false);
        self.count(slice, kind, true);
    }

    /// The unit of a job has come to lie in another slice.
    pub(crate) fn relocate(&mut self, id: JobId, from: Option<UnitId>, to: Option<UnitId>) {
        let kind = self.jobs.get(&id).expect("only installed jobs are anywhere").kind;
        self.count(from, kind, false);
        self.count(to, kind, true);
        if let Some(slice) = from {
            self.by_slice.remove(&(slice, id));
        }
        self.by_slice.extend(to.map(|slice| (slice, id)));
    }

    fn count(&mut self, slice: Option<UnitId>, kind: JobType, up: bool) {
        let Some(slice) = slice.filter(|_| kind.stops_first()) else { return };
        let count = self.stopping.entry(slice).or_default();
        *count = if up { *count + 1 } else { count.checked_sub(1).expect("counted up before") };
        if *count == 0 {
            self.stopping.remove(&slice);
        }
    }

    /// How many members of a slice have a job that stops them.
    pub(crate) fn stopping_members(&self, slice: UnitId) -> u32 {
        self.stopping.get(&slice).copied().unwrap_or(0)
    }

    /// The jobs of a slice's members, by number.
    pub(crate) fn of_members(&self, slice: UnitId) -> impl Iterator<Item = &Job> {
        let range = self.by_slice.range((slice, JobId(0))..=(slice, JobId(u32::MAX)));
        range.filter_map(|(_, id)| self.jobs.get(id))
    }

    /// Units that have a job and do not occur in `jobs`.
    pub(crate) fn units_without(&self, jobs: &[(UnitId, JobType)]) -> Vec<UnitId> {
        let wanted: BTreeSet<UnitId> = jobs.iter().map(|(unit, _)| *unit).collect();
        self.by_unit.keys().filter(|unit| !wanted.contains(unit)).copied().collect()
    }

    /// The indexes say what the jobs say.
    ///
    /// # Panics
    /// When they do not.
    pub(crate) fn check_indexes(&self, graph: &Graph) {
        let mut stopping: BTreeMap<UnitId, u32> = BTreeMap::new();
        let mut by_slice = BTreeSet::new();
        for (id, job) in &self.jobs {
            let unit = graph.get(job.unit).expect("only units that exist have jobs");
            assert!(job.id == *id && self.by_unit.get(&job.unit) == Some(id), "job {} is not its unit's", id.0);
            assert!(unit.job == Some(*id), "{} does not know of its job", unit.name);
            assert!(job.kind != JobType::Nop && job.kind == job.kind.collapse(unit.active()), "{}", job.kind.as_str());
            by_slice.extend(unit.slice.map(|slice| (slice, *id)));
            if let Some(slice) = unit.slice.filter(|_| job.kind.stops_first()) {
                *stopping.entry(slice).or_default() += 1;
            }
        }
        assert!(self.by_unit.len() == self.jobs.len(), "units with jobs that have gone");
        assert!(graph.iter().filter(|(_, unit)| unit.job.is_some()).count() == self.jobs.len(), "a job that has gone");
        assert!(self.by_slice == by_slice, "jobs of members");
        assert!(self.stopping == stopping, "stopping {:?} of {stopping:?}", self.stopping);
        for (rank, id) in &self.run_queue {
            assert!(self.jobs.get(id).is_some_and(|job| job.rank == *rank), "job {} is queued and has gone", id.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::example::Example;
    use JobType::{Restart, Start, Stop};
    use core::hash::BuildHasher;
    use std::hash::BuildHasherDefault;

    fn fingerprint(table: &JobTable) -> u64 {
        BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(table)
    }

    fn example() -> Example {
        Example::of(&["a.slice", "a.service", "b.scope"]).inside("a.service", "a.slice")
    }

    #[test]
    fn scopes_go_before_slices_and_those_before_services() {
        let mut example = example().job("a.service", Start).job("a.slice", Start).job("b.scope", Start);
        assert_eq!(example.jobs.len(), 3);
        let mut order = Vec::new();
        while example.jobs.any_queued() {
            let id = example.jobs.take_queued().expect("one is queued");
            order.push(example.jobs.get(id).expect("it is installed").unit);
        }
        assert_eq!(example.names(&order), ["b.scope", "a.slice", "a.service"]);
        assert_eq!(example.jobs.take_queued(), None);
    }

    #[test]
    fn a_job_that_comes_to_stop_a_member_counts_as_one_from_then_on() {
        let mut example = example();
        assert!(example.jobs.is_empty());
        example = example.job("a.service", Start);
        let (slice, before) = (example.id("a.slice"), fingerprint(&example.jobs));
        let job = example.jobs.of_unit(example.id("a.service")).expect("installed").id;
        assert!(!example.jobs.is_empty() && example.jobs.stopping_members(slice) == 0);
        for (kind, stopping) in [(Stop, 1), (Restart, 1), (Start, 0)] {
            example.jobs.set_kind(job, kind, Some(slice));
            assert_eq!(
                (example.jobs.get(job).map(|job| job.kind), example.jobs.stopping_members(slice)),
                (Some(kind), stopping)
            );
            assert_eq!(fingerprint(&example.jobs) == before, kind == Start, "{kind:?}");
        }
    }
}
