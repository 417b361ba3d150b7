//! Where processes are: as they were born, as clients asked, as their owners moved them.

use super::{Reference, Verb};
use crate::kernel::Pid;
use cgarbiter_core::CallId;

/// Where a process is, as far as anybody asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Home {
    /// Path of its cgroup; empty for the root.
    pub cgroup: String,
    /// Where it was born.
    pub birthplace: String,
    /// Its user.
    pub uid: u32,
}

impl Reference {
    /// A process begins, there.
    pub fn born(&mut self, pid: Pid, cgroup: &str, uid: u32) {
        self.homes.insert(pid, Home { cgroup: cgroup.to_owned(), birthplace: cgroup.to_owned(), uid });
    }

    /// A process ends, by itself or by somebody else's signal.
    pub fn died(&mut self, pid: Pid) {
        let home = self.homes.remove(&pid);
        self.wanted.retain(|(other, _), _| *other != pid);
        self.drop_unmade(|(other, _)| *other == pid);
        let Some(home) = home else { return };
        self.left(&home.cgroup);
    }

    /// A process of a unit is not there any more. A scope ends with the last of them, a service with its main process.
    fn left(&mut self, cgroup: &str) {
        let Some(unit) = self.unit_around(cgroup).filter(|unit| !unit.ends_with(".slice")) else { return };
        let Some(promise) = self.units.get(&unit) else { return };
        let inside = format!("{}/", promise.cgroup);
        let is_in = |home: &Home| home.cgroup == promise.cgroup || home.cgroup.starts_with(&inside);
        if unit.ends_with(".service") || !self.homes.values().any(is_in) {
            self.release(&unit);
        }
    }

    /// The owner of a process has moved it.
    pub fn moved_by_owner(&mut self, pid: Pid, cgroup: &str) {
        if let Some(home) = self.homes.get_mut(&pid) {
            cgroup.clone_into(&mut home.cgroup);
        }
    }

    /// A process has moved itself, and may have been the last where it was.
    pub fn went(&mut self, pid: Pid, cgroup: &str) {
        let from = self.homes.get(&pid).map(|home| home.cgroup.clone());
        self.moved_by_owner(pid, cgroup);
        from.filter(|from| from != cgroup).iter().for_each(|from| self.left(from));
    }

    /// The arbiter has moved a process.
    pub fn moved(&mut self, pid: Pid, cgroup: &str) {
        let made = (pid, cgroup.to_owned());
        self.unwant(&made);
        self.drop_unmade(|wanted| *wanted == made);
        self.went(pid, cgroup);
    }

    pub(super) fn want(&mut self, pids: Vec<Pid>, cgroup: &str) -> Vec<(Pid, String)> {
        let moves: Vec<(Pid, String)> = pids.into_iter().map(|pid| (pid, cgroup.to_owned())).collect();
        moves.iter().for_each(|wanted| *self.wanted.entry(wanted.clone()).or_default() += 1);
        moves
    }

    /// Look: moves that have not been made, of a call without an answer.
    #[must_use]
    pub fn unmade_of(&self, call: CallId) -> &[(Pid, String)] {
        self.asked.get(&call).filter(|asked| asked.verb == Verb::Attach).map_or(&[], |asked| &asked.unmade)
    }

    /// Look: the same of a job that a reply has named.
    #[must_use]
    pub fn unmade_of_job(&self, job: u32) -> &[(Pid, String)] {
        self.jobs.get(&job).map_or(&[], |meant| &meant.unmade)
    }

    /// Moves that are not to be waited for any more.
    fn drop_unmade(&mut self, is_over: impl Fn(&(Pid, String)) -> bool) {
        let (asked, jobs) = (self.asked.values_mut(), self.jobs.values_mut());
        let lists = asked.map(|asked| &mut asked.unmade).chain(jobs.map(|meant| &mut meant.unmade));
        lists.for_each(|unmade| unmade.retain(|wanted| !is_over(wanted)));
    }

    pub(super) fn unwant(&mut self, wanted: &(Pid, String)) {
        if let Some(count) = self.wanted.get_mut(wanted) {
            *count -= 1;
            if *count == 0 {
                self.wanted.remove(wanted);
            }
        }
    }

    /// Look: has somebody asked for this move?
    #[must_use]
    pub fn is_wanted(&self, pid: Pid, cgroup: &str) -> bool {
        self.wanted.contains_key(&(pid, cgroup.to_owned()))
    }

    /// Look: has somebody asked for any move of this process?
    #[must_use]
    pub fn is_wanted_anywhere(&self, pid: Pid) -> bool {
        self.wanted.keys().any(|(other, _)| *other == pid)
    }

    /// Look: every process that anybody cares about.
    pub fn homes(&self) -> impl Iterator<Item = (Pid, &Home)> {
        self.homes.iter().map(|(pid, home)| (*pid, home))
    }

    /// Look: one of them.
    #[must_use]
    pub fn home(&self, pid: Pid) -> Option<&Home> {
        self.homes.get(&pid)
    }

    /// Look: the unit that a cgroup belongs to, itself or below.
    #[must_use]
    pub fn unit_around(&self, cgroup: &str) -> Option<String> {
        let mut at = cgroup;
        loop {
            if let Some((name, _)) = self.unit_at(at) {
                return Some(name.to_owned());
            }
            at = at.rsplit_once('/')?.0;
        }
    }
}
