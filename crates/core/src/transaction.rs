//! A transaction: the anchor job and all it pulls in (reference 03.6, 03.7). Built aside, then installed whole or
//! refused whole. Nothing is changed here; the manager installs what comes out.

mod pull;

use crate::error::{Refusal, RefusalKind};
use crate::graph::Graph;
use crate::job::{JobMode, JobType};
use crate::jobs::JobTable;
use crate::names::UnitType;
use crate::ordering;
use crate::unit::UnitId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use pull::Want;

/// The jobs to install, the anchor first, each unit once.
#[derive(Clone, Debug)]
pub(crate) struct Installable {
    /// Unit and what it is asked to become.
    pub(crate) jobs: Vec<(UnitId, JobType)>,
    /// Units whose installed jobs are canceled first (modes isolate and flush).
    pub(crate) cancel: Vec<UnitId>,
    pub(crate) irreversible: bool,
    pub(crate) ignore_order: bool,
}

type Key = (UnitId, JobType);

/// A transaction in the making.
pub(crate) struct Transaction<'a> {
    graph: &'a Graph,
    installed: &'a JobTable,
    mode: JobMode,
    anchor: Key,
    jobs: BTreeMap<Key, TransactionJob>,
    /// In the order in which they were added, so that what happens does not depend on ids.
    order: Vec<Key>,
}

#[derive(Clone, Debug, Default)]
struct TransactionJob {
    /// Jobs that this one pulled in, and whether they matter to it.
    objects: Vec<(Key, bool)>,
    /// Jobs that pulled this one in. Some may have gone, or may not need it any more: their own lists say so.
    subjects: Vec<Key>,
    matters_to_anchor: bool,
}

/// Builds and checks the transaction for one job.
///
/// # Errors
/// The refusal systemd would give; nothing has changed then.
pub(crate) fn build(
    graph: &Graph,
    installed: &JobTable,
    unit: UnitId,
    kind: JobType,
    mode: JobMode,
) -> Result<Installable, Refusal> {
    let mut transaction =
        Transaction { graph, installed, mode, anchor: (unit, kind), jobs: BTreeMap::new(), order: Vec::new() };
    transaction.add(Want::needed((unit, kind)), None)?;
    if mode == JobMode::Isolate {
        transaction.add_isolation();
    }
    transaction.activate()
}

impl Transaction<'_> {
    /// Mode isolate: every other unit that may be stopped, and is up or about to do something, gets a stop job.
    fn add_isolation(&mut self) {
        let graph = self.graph;
        for (id, unit) in graph.iter() {
            let ignored = unit.settings.rare.as_ref().and_then(|rare| rare.ignore_on_isolate);
            let keeps = ignored.unwrap_or(unit.unit_type() != UnitType::Service);
            let is_idle = unit.active().is_inactive_or_failed() && self.installed.of_unit(id).is_none();
            if !keeps && !self.has_job(id) && !is_idle {
                let _ = self.add(Want::needed((id, JobType::Stop)), Some(self.anchor));
            }
        }
    }

    /// Whether any job of the transaction is the unit's; they lie side by side in the map, this kind first.
    fn has_job(&self, unit: UnitId) -> bool {
        self.jobs.range((unit, JobType::Start)..).next().is_some_and(|(key, _)| key.0 == unit)
    }

    /// Takes a job out, and with it every job that needs it: whoever needs it cannot have it.
    fn remove(&mut self, key: Key) {
        let mut gone = BTreeSet::new();
        let mut todo = Vec::from([key]);
        while let Some(key) = todo.pop() {
            let Some(job) = self.jobs.remove(&key) else { continue };
            gone.insert(key);
            for subject in job.subjects {
                let Some(asks) = self.jobs.get_mut(&subject) else { continue };
                let needs = asks.objects.contains(&(key, true));
                asks.objects.retain(|(object, _)| *object != key);
                if needs && subject != self.anchor {
                    todo.push(subject);
                }
            }
        }
        if !gone.is_empty() {
            self.order.retain(|key| !gone.contains(key));
        }
    }

    /// The steps of reference 03.7.
    fn activate(mut self) -> Result<Installable, Refusal> {
        self.find_what_matters();
        if self.mode == JobMode::Fail {
            self.minimize_impact();
        }
        self.drop_redundant();
        if self.order == [self.anchor] {
            return self.activate_alone();
        }
        loop {
            if self.mode != JobMode::Isolate {
                self.collect_unneeded();
            }
            if !self.break_one_cycle()? {
                break;
            }
        }
        while self.drop_one_unmergeable()? {
            if self.mode != JobMode::Isolate {
                self.collect_unneeded();
            }
        }
        let merged = self.merge();
        let merged = self.without_redundant(merged);
        self.check_destructive(&merged)?;
        Ok(self.installable(merged))
    }

    /// What is left of the steps when the anchor is all there is, which is the usual case.
    fn activate_alone(mut self) -> Result<Installable, Refusal> {
        let (unit, kind) = self.anchor;
        if ordering::waits(self.graph, self.installed, unit, kind) {
            let cyclic = self.break_one_cycle()?;
            assert!(!cyclic, "the anchor is not dropped");
        }
        let merged = Vec::from([self.anchor]);
        self.check_destructive(&merged)?;
        Ok(self.installable(merged))
    }

    fn find_what_matters(&mut self) {
        let mut todo = Vec::from([self.anchor]);
        while let Some(key) = todo.pop() {
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            if !job.matters_to_anchor {
                job.matters_to_anchor = true;
                todo.extend(job.objects.iter().filter(|(_, matters)| *matters).map(|(object, _)| *object));
            }
        }
    }

    fn matters(&self, key: Key) -> bool {
        self.jobs.get(&key).is_some_and(|job| job.matters_to_anchor)
    }

    /// Drops jobs that do not matter and would stop a unit that is up, or reverse a queued job.
    fn minimize_impact(&mut self) {
        let unwanted = |key @ (unit, kind): &Key| {
            let stops = || *kind == JobType::Stop && self.graph.unit(*unit).active().is_active_or_activating();
            let reverses = || self.installed.kind_of(*unit).is_some_and(|other| other.merge(*kind).is_none());
            !self.matters(*key) && (stops() || reverses())
        };
        let drop: Vec<Key> = self.order.iter().filter(|key| unwanted(key)).copied().collect();
        for key in drop {
            self.remove(key);
        }
    }

    /// Drops the jobs of units for which every job would do nothing.
    fn drop_redundant(&mut self) {
        let redundant = self.redundant_units(self.order.iter().copied());
        if redundant.is_empty() {
            return;
        }
        self.jobs.retain(|(unit, _), _| redundant.binary_search(unit).is_err());
        self.order.retain(|(unit, _)| redundant.binary_search(unit).is_err());
    }

    /// Sorted, each once.
    fn redundant_units(&self, jobs: impl Iterator<Item = Key>) -> Vec<UnitId> {
        let mut redundant = Vec::new();
        let mut needed = Vec::new();
        for (unit, kind) in jobs {
            let keep = (unit, kind) == self.anchor
                || !kind.is_redundant(self.graph.unit(unit).active())
                || self.installed.kind_of(unit).is_some_and(|other| other.merge(kind).is_none());
            if keep {
                needed.push(unit)
            } else {
                redundant.push(unit)
            };
        }
        needed.sort_unstable();
        redundant.sort_unstable();
        redundant.dedup();
        redundant.retain(|unit| needed.binary_search(unit).is_err());
        redundant
    }

    /// Drops jobs that no job of the transaction asks for any more.
    fn collect_unneeded(&mut self) {
        let mut asked: BTreeMap<Key, usize> = BTreeMap::new();
        for (object, _) in self.jobs.values().flat_map(|job| &job.objects) {
            *asked.entry(*object).or_default() += 1;
        }
        let is_lost = |key: &Key| *key != self.anchor && !asked.contains_key(key);
        let mut lost: Vec<Key> = self.order.iter().copied().filter(is_lost).collect();
        if lost.is_empty() {
            return;
        }
        while let Some(key) = lost.pop() {
            let Some(job) = self.jobs.remove(&key) else { continue };
            for (object, _) in job.objects {
                let count = asked.get_mut(&object).expect("every object was counted");
                *count -= 1;
                if *count == 0 && object != self.anchor {
                    lost.push(object);
                }
            }
        }
        self.order.retain(|key| self.jobs.contains_key(key));
    }

    /// Looks for a cycle in the order of execution and drops one job of it that does not matter.
    fn break_one_cycle(&mut self) -> Result<bool, Refusal> {
        let Some(cycle) = ordering::find_cycle(self.graph, self.installed, &self.jobs_by_unit()) else {
            return Ok(false);
        };
        let victim = cycle.iter().rev().find(|unit| {
            let mut jobs = self.order.iter().filter(|(other, _)| other == *unit).peekable();
            jobs.peek().is_some() && jobs.all(|key| !self.matters(*key))
        });
        match victim.copied() {
            Some(unit) => {
                let drop: Vec<Key> = self.order.iter().filter(|(other, _)| *other == unit).copied().collect();
                drop.into_iter().for_each(|key| self.remove(key));
                Ok(true)
            }
            None => {
                let names: Vec<&str> = cycle.iter().map(|unit| self.graph.unit(*unit).name.as_str()).collect();
                Err(Refusal::new(
                    RefusalKind::TransactionOrderIsCyclic,
                    format!("Transaction order is cyclic: {}. See system logs for details.", names.join(" after ")),
                ))
            }
        }
    }

    fn jobs_by_unit(&self) -> BTreeMap<UnitId, JobType> {
        self.order.iter().map(|(unit, kind)| (*unit, *kind)).collect()
    }

    /// Of two jobs on one unit that conflict, drops one that does not matter.
    fn drop_one_unmergeable(&mut self) -> Result<bool, Refusal> {
        // Jobs of one unit lie side by side in the map.
        let jobs_of =
            |unit: UnitId| self.jobs.range((unit, JobType::Start)..).take_while(move |(key, _)| key.0 == unit);
        let conflict = self.order.iter().find_map(|a| {
            let b = jobs_of(a.0).map(|(key, _)| *key).find(|b| b.1.merge(a.1).is_none())?;
            Some((*a, b))
        });
        let Some((a, b)) = conflict else { return Ok(false) };
        let drop = match (self.matters(a), self.matters(b)) {
            (true, true) => {
                let name = &self.graph.unit(a.0).name;
                return Err(Refusal::new(
                    RefusalKind::TransactionJobsConflicting,
                    format!(
                        "Transaction contains conflicting jobs '{}' and '{}' for {name}. Probably contradicting requirement dependencies configured.",
                        a.1.as_str(),
                        b.1.as_str()
                    ),
                ));
            }
            (true, false) => b,
            (false, true) => a,
            (false, false) => self.less_wanted(a, b),
        };
        self.remove(drop);
        Ok(true)
    }

    /// Of two jobs that do not matter: the start when somebody who is started conflicts with the unit, else the stop.
    fn less_wanted(&self, a: Key, b: Key) -> Key {
        let (stop, other) = if a.1 == JobType::Stop { (a, b) } else { (b, a) };
        let starts = |by: &&Key| matches!(by.1, JobType::Start | JobType::Restart);
        let cannot_do_without = |by: &Key| self.jobs.get(by).is_some_and(|job| job.objects.contains(&(stop, true)));
        let is_conflicted = self.jobs[&stop].subjects.iter().filter(starts).any(cannot_do_without);
        if is_conflicted { other } else { stop }
    }

    fn merge(&self) -> Vec<Key> {
        let mut places: BTreeMap<UnitId, usize> = BTreeMap::new();
        let mut merged: Vec<Key> = Vec::new();
        for (unit, kind) in &self.order {
            match places.get(unit) {
                Some(place) => {
                    let present = &mut merged[*place].1;
                    let both = present.merge(*kind).expect("unmergeable jobs were dropped");
                    *present = both.collapse(self.graph.unit(*unit).active());
                }
                None => {
                    places.insert(*unit, merged.len());
                    merged.push((*unit, *kind));
                }
            }
        }
        merged
    }

    fn without_redundant(&self, merged: Vec<Key>) -> Vec<Key> {
        let redundant = self.redundant_units(merged.iter().copied());
        let stays = |unit: &UnitId| *unit == self.anchor.0 || redundant.binary_search(unit).is_err();
        merged.into_iter().filter(|(unit, _)| stays(unit)).collect()
    }

    fn check_destructive(&self, merged: &[Key]) -> Result<(), Refusal> {
        for (unit, kind) in merged {
            let Some(job) = self.installed.of_unit(*unit) else { continue };
            let conflicting = job.kind.merge(*kind).is_none();
            if conflicting && (self.mode == JobMode::Fail || job.irreversible) {
                let anchor = &self.graph.unit(self.anchor.0).name;
                let name = &self.graph.unit(*unit).name;
                return Err(Refusal::new(
                    RefusalKind::TransactionIsDestructive,
                    format!(
                        "Transaction for {anchor}/{} is destructive ({name} has '{}' job queued, but '{}' is included in transaction).",
                        self.anchor.1.as_str(),
                        job.kind.as_str(),
                        kind.as_str()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn installable(self, merged: Vec<Key>) -> Installable {
        let mut jobs = merged;
        let anchor = jobs.iter().position(|(unit, _)| *unit == self.anchor.0).expect("the anchor is never dropped");
        let anchor = jobs.remove(anchor);
        jobs.insert(0, anchor);
        let cancel = match self.mode {
            JobMode::Isolate | JobMode::Flush => self.installed.units_without(&jobs),
            _ => Vec::new(),
        };
        Installable {
            jobs,
            cancel,
            irreversible: self.mode == JobMode::ReplaceIrreversibly,
            ignore_order: self.mode == JobMode::IgnoreDependencies,
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod small;
#[cfg(test)]
mod tests;
