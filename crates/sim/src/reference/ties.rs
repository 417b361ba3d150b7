//! Whose promises end with something that happens to another unit: those of the units below it, and of those that were
//! said to have to do with it.

use super::{Reference, Wish, cgroup_of};
use std::collections::BTreeSet;

impl Reference {
    /// The unit may come to its end by something that nobody was promised would not happen; those below it and those
    /// that are tied to it, too.
    pub fn release(&mut self, name: &str) {
        for name in self.concerned(name) {
            self.let_go(&name);
        }
    }

    /// Something comes of the unit that others may have to stop or start for; what is below it goes on.
    pub(super) fn release_tied(&mut self, name: &str) {
        let mut concerned: BTreeSet<String> = self.tied(name).iter().flat_map(|tied| self.concerned(tied)).collect();
        concerned.remove(name);
        concerned.iter().for_each(|name| self.let_go(name));
    }

    /// Nothing is promised of it, nor that the slices above stay down.
    fn let_go(&mut self, name: &str) {
        let Some(promise) = self.units.get_mut(name) else { return };
        promise.wish = Wish::Either;
        let cgroup = promise.cgroup.clone();
        for above in self.units.values_mut().filter(|above| matches!(above.wish, Wish::Down { .. })) {
            if cgroup.strip_prefix(&above.cgroup).is_some_and(|rest| rest.starts_with('/')) {
                above.wish = Wish::Either;
            }
        }
    }

    /// Whoever may be stopped or started with a unit: itself, what is below, and who is tied to any of these.
    fn concerned(&self, name: &str) -> BTreeSet<String> {
        let (mut found, mut todo) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(name) = todo.pop() {
            let next = self.below(&name).into_iter().chain(self.tied(&name));
            todo.extend(next.filter(|name| !found.contains(name)));
            found.insert(name);
        }
        found
    }

    /// The unit, and those that lie in it.
    fn below(&self, name: &str) -> Vec<String> {
        let known = self.units.get(name).map(|promise| promise.cgroup.clone());
        let inside = format!("{}/", known.unwrap_or_else(|| cgroup_of(name, None)));
        let below = self.units.iter().filter(|(_, promise)| promise.cgroup.starts_with(&inside));
        below.map(|(name, _)| name.clone()).chain([name.to_owned()]).collect()
    }

    fn tied(&self, name: &str) -> BTreeSet<String> {
        let from = self.ties.get(name).into_iter().flatten().cloned();
        let to = self.ties.iter().filter(|(_, others)| others.contains(name)).map(|(other, _)| other.clone());
        from.chain(to).collect()
    }

    /// Look: may another unit start this one, or stop it, without being asked to? It may have ended, or end, or start
    /// again by itself.
    pub(super) fn is_tied_loosely(&self, name: &str) -> bool {
        let is_loose = |other: &String| {
            let wish = self.units.get(other).map(|promise| promise.wish);
            self.restarting.contains(other) || wish.is_some_and(|wish| wish != Wish::Up { kept: true })
        };
        let is_tied = self.below(name).iter().any(|unit| !self.tied(unit).is_empty());
        is_tied && self.concerned(name).iter().any(|other| other != name && is_loose(other))
    }

    /// The unit has to do with that one from now on.
    pub(super) fn tie(&mut self, name: &str, other: String) {
        self.ties.entry(name.to_owned()).or_default().insert(other);
    }

    /// What was said of it is no longer known.
    pub(super) fn untie(&mut self, name: &str) {
        self.ties.remove(name);
        self.restarting.remove(name);
    }
}
