//! What is left of the promises when the arbiter has been killed and another one has started.
//!
//! What was done before, and told, still counts: a unit is up, its limits stand, its processes are where they are. What
//! was under way when it died is promised nobody any more: who asked for it has no answer, and asks again.

use super::{MARK, Promise, Reference, Verb, Wish};
use std::collections::BTreeSet;

impl Reference {
    /// The arbiter was killed, and another one has started, which knows these units.
    pub fn crashed(&mut self, is_known: impl Fn(&str) -> bool) {
        self.leave_open();
        self.files_are_read();
        let made = self.asked.values().filter(|asked| asked.verb == Verb::Make).filter_map(|asked| asked.unit.clone());
        let begun = self.jobs.values().filter(|meant| meant.verb == Verb::Make).map(|meant| meant.unit.clone());
        let unfinished: BTreeSet<String> = made.chain(begun).collect();
        for asked in self.asked.values() {
            // Made anew, or not.
            asked.unit.iter().filter(|unit| asked.makes(unit)).for_each(|unit| drop(self.said.remove(unit)));
        }
        self.asked.clear();
        self.jobs.clear();
        self.unordered.clear();
        self.wanted.clear();
        self.left_alone.clear();
        for (name, promise) in &mut self.units {
            // Of most slices nothing is known but the directory, which stays as long as somebody is in it.
            let is_open = match promise.wish {
                // A slice without mark and record is anybody's, and of a service only the record tells how far it was.
                Wish::Up { kept } => {
                    let is_unmarked = || name.ends_with(".slice") && self.refused.contains_key(&mark_of(promise));
                    let is_behind = || name.ends_with(".service") && is_unrecorded(&self.left, name);
                    !kept || is_unmarked() || is_behind()
                }
                // Nor of one whose record could not be written, which was told.
                Wish::Down { kept } => !kept || name.ends_with(".slice") || is_unrecorded(&self.left, name),
                Wish::Either => true,
            };
            if is_open {
                promise.wish = Wish::Either;
            }
            // Half-way is any value.
            for (_, file, _) in std::mem::take(&mut promise.pending) {
                promise.limits.remove(file);
            }
            // It may come up or go down; what was set of it counts, unless it was still to be made.
            if promise.wish != (Wish::Up { kept: true }) && unfinished.contains(name) {
                promise.limits.clear();
            }
        }
        // A unit of which nothing was done yet, or everything undone, is no longer known.
        self.units.retain(|name, promise| promise.wish == Wish::Up { kept: true } || is_known(name));
        self.said.retain(|name, _| is_known(name) && !is_unrecorded(&self.left, name));
    }
}

fn mark_of(promise: &Promise) -> (String, String) {
    (promise.cgroup.clone(), MARK.to_owned())
}

pub(super) fn is_drop_in(file: &str, unit: &str) -> bool {
    file.rsplit('/').nth(1).and_then(|directory| directory.strip_suffix(".d")) == Some(unit)
}

fn is_unrecorded(left: &BTreeSet<String>, unit: &str) -> bool {
    left.iter().any(|file| file.rsplit('/').next() == Some(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::asked::Meant;
    use std::collections::BTreeMap;

    #[test]
    fn what_was_done_still_counts_and_what_was_under_way_does_not() {
        let mut reference = Reference::default();
        let wishes = [
            ("kept.scope", Wish::Up { kept: true }),
            ("under-way.scope", Wish::Up { kept: false }),
            ("open.scope", Wish::Either),
            ("gone.scope", Wish::Either),
        ];
        for (name, wish) in wishes {
            let promise = Promise {
                cgroup: format!("/{name}"),
                wish,
                limits: BTreeMap::from([("pids.max", "7".into()), ("memory.max", "1".into())]),
                pending: vec![(cgarbiter_core::CallId(1), "pids.max", "12".into())],
                delegated: false,
                owner: 0,
                ends_by_itself: false,
            };
            reference.units.insert(name.into(), promise);
        }
        let made = Meant { unit: "under-way.scope".into(), verb: Verb::Make, unmade: Vec::new() };
        reference.jobs.insert(1, made);
        reference.crashed(|name| name != "gone.scope");
        let left: Vec<(&str, Wish, usize)> =
            reference.units().map(|(name, promise)| (name, promise.wish, promise.limits.len())).collect();
        let open = Wish::Either;
        let kept = ("kept.scope", Wish::Up { kept: true }, 1);
        assert_eq!(left, [kept, ("open.scope", open, 1), ("under-way.scope", open, 0)]);
    }
}
