//! What clients were promised: slow and obvious, made from what they asked and what they were told, never from the
//! manager's own tables. Oracles (`check/`) hold the world to it.
//!
//! A promise is only as strong as the interface makes it. A unit whose processes may have ended, that somebody else has
//! asked to stop, or that a foreigner has meddled with, is promised nothing ([`Wish::Either`]).

mod asked;
mod canonical;
mod crashed;
mod processes;
mod said;
mod settings;
mod ties;

use asked::Meant;
pub use asked::{Asked, HARMLESS, Verb};
pub use processes::Home;
pub use said::Said;
pub use settings::Setting;

use crate::kernel::Pid;
use cgarbiter_core::CallId;
use std::collections::{BTreeMap, BTreeSet};

/// The attribute of a cgroup that says whose it is.
pub const MARK: &str = "user.invocation_id";

/// What a unit is to be, as the last who asked has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Nothing is promised.
    Either,
    /// Up; `kept` once its job is done.
    Up {
        /// The job is done.
        kept: bool,
    },
    /// Down; likewise.
    Down {
        /// The job is done.
        kept: bool,
    },
}

/// What was promised of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    /// Where its cgroup is to be.
    pub cgroup: String,
    /// What it is to be.
    pub wish: Wish,
    /// Values that are to stand in its files.
    pub limits: BTreeMap<&'static str, String>,
    /// Values that were asked for by calls without an answer yet, in the order in which they arrived.
    pub pending: Vec<(CallId, &'static str, String)>,
    /// Its subtree belongs to somebody else.
    pub delegated: bool,
    /// Who made it.
    pub owner: u32,
    /// It may end without anybody's asking.
    pub ends_by_itself: bool,
}

/// Which kinds of drop-ins may speak of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct DropIns {
    lasting: bool,
    runtime: bool,
}

/// Everything that was promised.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    units: BTreeMap<String, Promise>,
    /// Calls that have reached the manager and are not answered.
    asked: BTreeMap<CallId, Asked>,
    /// What jobs are for, from their replies.
    jobs: BTreeMap<u32, Meant>,
    /// Jobs that were asked for without regard to any order.
    unordered: BTreeSet<u32>,
    /// Where processes are, as far as anybody asked.
    homes: BTreeMap<Pid, Home>,
    /// Moves that were asked for and have not been made, with how often each was.
    wanted: BTreeMap<(Pid, String), u32>,
    /// Values that the kernel has refused, by cgroup and file; nothing where a value is not the matter.
    refused: BTreeMap<(String, String), String>,
    /// Records that could not be removed, or written, the last time.
    left: BTreeSet<String>,
    /// Cgroups with somebody inside of whom the last arbiter that came could not tell whose they are.
    left_alone: BTreeSet<String>,
    /// Files of cgroups in which somebody else has written.
    meddled: BTreeSet<(String, String)>,
    /// Files that drop-ins may speak of, by unit: they outlive it. And whether some of them are to stay and others are
    /// not: whoever reads them all again takes the first, whichever was asked for last, as systemd does.
    dropped_in: BTreeMap<(String, &'static str), DropIns>,
    /// Units that may be transient: what is set of them goes with them.
    transient: BTreeSet<String>,
    /// Whom units were said to have to do with: what happens to one may be the end of the other, or its start.
    ties: BTreeMap<String, BTreeSet<String>>,
    /// What was said of how units run.
    said: BTreeMap<String, Said>,
    /// Units that start again by themselves.
    restarting: BTreeSet<String>,
    /// Settings that are to stay when the machine is switched off, by unit and by the name that drop-ins have for them.
    settings: BTreeMap<(String, &'static str), Setting>,
}

impl Reference {
    /// Look: all units of which anything is promised.
    pub fn units(&self) -> impl Iterator<Item = (&str, &Promise)> {
        self.units.iter().map(|(name, promise)| (name.as_str(), promise))
    }

    /// Look: one unit.
    #[must_use]
    pub fn unit(&self, name: &str) -> Option<&Promise> {
        self.units.get(name)
    }

    /// Look: the unit whose cgroup this is.
    #[must_use]
    pub fn unit_at(&self, cgroup: &str) -> Option<(&str, &Promise)> {
        let name = cgroup.rsplit('/').next()?;
        let (name, promise) = self.units.get_key_value(name)?;
        (promise.cgroup == cgroup).then_some((name.as_str(), promise))
    }

    /// Look: calls that wait for their answer.
    pub fn waiting(&self) -> impl Iterator<Item = (CallId, &Asked)> {
        self.asked.iter().map(|(call, asked)| (*call, asked))
    }

    /// Look: has the kernel refused what was last written there?
    #[must_use]
    pub fn is_refused(&self, cgroup: &str, file: &str) -> bool {
        self.refused.contains_key(&(cgroup.to_owned(), file.to_owned()))
    }

    /// Look: was it this value?
    #[must_use]
    pub fn is_value_refused(&self, cgroup: &str, file: &str, value: &str) -> bool {
        self.refused.get(&(cgroup.to_owned(), file.to_owned())).is_some_and(|refused| refused == value)
    }

    /// Look: was the last that was to be done about this record, or the directory it lies in, refused?
    #[must_use]
    pub fn is_left(&self, file: &str) -> bool {
        let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.left.contains(file) || self.left.contains(directory)
    }

    /// Look: has the last arbiter that came found this, and no record of it?
    #[must_use]
    pub fn is_left_alone(&self, cgroup: &str) -> bool {
        self.left_alone.contains(cgroup)
    }

    /// An arbiter has come, and found this: a cgroup that is nobody's.
    pub fn leave_alone(&mut self, cgroup: String) {
        self.left_alone.insert(cgroup);
    }

    /// An arbiter has come, and found this record of a unit that may have been on its way out.
    pub fn find_record(&mut self, unit: &str) {
        self.transient.insert(unit.to_owned());
    }

    /// A record was written or removed, or was to be.
    pub fn recorded(&mut self, file: &str, taken: bool) {
        if taken {
            self.left.remove(file);
        } else {
            self.left.insert(file.to_owned());
        }
    }

    /// Look: has somebody else written in this file of the cgroup?
    #[must_use]
    pub fn is_meddled(&self, cgroup: &str, file: &str) -> bool {
        self.meddled.contains(&(cgroup.to_owned(), file.to_owned()))
    }

    /// Somebody else has written in this file of the cgroup.
    pub fn meddle(&mut self, cgroup: &str, file: &str) {
        self.meddled.insert((cgroup.to_owned(), file.to_owned()));
    }

    /// The kernel has taken or refused something.
    pub fn written(&mut self, cgroup: &str, file: &str, taken: bool) {
        self.written_value(cgroup, file, "", taken);
    }

    /// The kernel has taken or refused a value.
    pub fn written_value(&mut self, cgroup: &str, file: &str, value: &str, taken: bool) {
        let place = (cgroup.to_owned(), file.to_owned());
        if taken {
            // Ours again.
            self.meddled.remove(&place);
            self.refused.remove(&place);
        } else {
            self.refused.insert(place, value.to_owned());
        }
    }

    /// The cgroup has gone, and with it everything that was in its files.
    pub fn removed(&mut self, cgroup: &str) {
        let inside = format!("{cgroup}/");
        let is_there = |place: &str| place == cgroup || place.starts_with(&inside);
        self.refused.retain(|(place, _), _| !is_there(place));
        self.meddled.retain(|(place, _)| !is_there(place));
        self.left_alone.retain(|place| !is_there(place));
    }

    /// How much is remembered, as a number: it must not grow with the length of a run.
    #[must_use]
    pub fn size(&self) -> usize {
        let sets = self.wanted.len()
            + self.refused.len()
            + self.left.len()
            + self.left_alone.len()
            + self.meddled.len()
            + self.dropped_in.len();
        self.units.len()
            + self.asked.len()
            + self.jobs.len()
            + self.unordered.len()
            + self.homes.len()
            + self.settings.len()
            + self.transient.len()
            + self.ties.len()
            + self.restarting.len()
            + self.said.len()
            + sets
    }
}

/// Where the cgroup of a unit is: slices by their name, everything else in a slice.
#[must_use]
pub fn cgroup_of(name: &str, slice: Option<&str>) -> String {
    let Some(stem) = name.strip_suffix(".slice") else {
        return format!("{}/{name}", cgroup_of(slice.unwrap_or("system.slice"), None));
    };
    if stem == "-" {
        return String::new();
    }
    let mut path = String::new();
    for (at, _) in stem.match_indices('-').chain([(stem.len(), "")]) {
        path.push('/');
        path.push_str(&stem[..at]);
        path.push_str(".slice");
    }
    path
}

/// The value that a property puts into a file of the cgroup.
#[must_use]
pub fn limit_of(property: &str, number: u64) -> Option<(&'static str, String)> {
    let plain = if number == u64::MAX { "max".to_owned() } else { number.to_string() };
    Some(match property {
        "MemoryMax" => ("memory.max", plain),
        "MemoryHigh" => ("memory.high", plain),
        "MemoryLow" => ("memory.low", plain),
        "TasksMax" => ("pids.max", plain),
        "CPUWeight" => ("cpu.weight", if number == u64::MAX { "100".into() } else { plain }),
        "CPUQuotaPerSecUSec" if number == u64::MAX => ("cpu.max", "max 100000".into()),
        "CPUQuotaPerSecUSec" => ("cpu.max", format!("{} 100000", number / 10)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroups_follow_names() {
        assert_eq!(cgroup_of("a-b-c.slice", None), "/a.slice/a-b.slice/a-b-c.slice");
        assert_eq!(cgroup_of("x.scope", None), "/system.slice/x.scope");
        assert_eq!(cgroup_of("x.scope", Some("-.slice")), "/x.scope");
        assert_eq!(cgroup_of("x.scope", Some("a-b.slice")), "/a.slice/a-b.slice/x.scope");
    }

    #[test]
    fn limits_are_what_the_files_show() {
        assert_eq!(limit_of("CPUQuotaPerSecUSec", 500_000), Some(("cpu.max", "50000 100000".into())));
        assert_eq!(limit_of("TasksMax", u64::MAX), Some(("pids.max", "max".into())));
        assert_eq!(limit_of("Description", 1), None);
    }
}
