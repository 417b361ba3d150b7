//! The pids controller: how many tasks, how many at most, and who counts a task until it is reaped.

use super::files::File;
use super::parse::{kstrtoll, strip};
use super::{Errno, Kernel};

/// One accounting object. It outlives the controller's time in its cgroup as long as unreaped tasks refer to it.
#[derive(Clone, Debug)]
pub(super) struct PidsObject {
    pub(super) parent: Option<u32>,
    /// The cgroup, while the controller is on there.
    pub(super) cgroup: Option<u32>,
    pub(super) current: u64,
    pub(super) peak: u64,
    /// `None`: no limit.
    pub(super) max: Option<u64>,
    /// Limits hit here or below.
    pub(super) events: u64,
    /// Limits hit here.
    pub(super) events_local: u64,
    /// Forks that failed here.
    pub(super) fork_failures: u64,
    pub(super) references: u32,
}

/// The object of the root, which counts nothing and has no limit.
const ROOT_OBJECT: u32 = 0;

/// The largest limit: as many tasks as a 64-bit kernel can number.
const PIDS_MAX: i64 = 4_194_304;

impl PidsObject {
    pub(super) fn new(parent: Option<u32>, cgroup: u32) -> Self {
        Self {
            parent,
            cgroup: Some(cgroup),
            current: 0,
            peak: 0,
            max: None,
            events: 0,
            events_local: 0,
            fork_failures: 0,
            references: 1,
        }
    }
}

impl Kernel {
    /// The object that counts tasks of this cgroup: its own or that of the nearest ancestor with the controller.
    fn pids_object(&self, cgroup: u32) -> u32 {
        let mut index = cgroup;
        loop {
            if let Some(object) = self.cgroups[index].pids {
                return object;
            }
            index = self.cgroups[index].parent.expect("the root has an object");
        }
    }

    pub(super) fn pids_here(&self, cgroup: u32) -> &PidsObject {
        &self.pids[self.cgroups[cgroup].pids.expect("the controller is on")]
    }

    pub(super) fn pids_on(&mut self, cgroup: u32) {
        let parent = self.pids_object(cgroup);
        self.pids[parent].references += 1;
        let object = self.pids.insert(PidsObject::new(Some(parent), cgroup));
        self.cgroups[cgroup].pids = Some(object);
        self.pids_recount(cgroup);
    }

    pub(super) fn pids_off(&mut self, cgroup: u32) {
        let object = self.cgroups[cgroup].pids.take().expect("the controller was on");
        self.pids[object].cgroup = None;
        self.pids_recount(cgroup);
        self.pids_unreference(object);
    }

    /// Live tasks here and below change to the object that is now responsible; zombies stay with the old one.
    fn pids_recount(&mut self, cgroup: u32) {
        self.for_each_below(cgroup, &mut |kernel, below| {
            for position in 0..kernel.cgroups[below].tasks.len() {
                let task = kernel.cgroups[below].tasks[position];
                kernel.pids_move(task, below);
            }
        });
    }

    pub(super) fn pids_move(&mut self, task: u32, cgroup: u32) {
        let (old, new) = (self.tasks[task].pids, self.pids_object(cgroup));
        if old != new {
            self.pids_charge_object(new);
            self.tasks[task].pids = new;
            self.pids_uncharge(old);
        }
    }

    /// Counts a new task; answers the object that does.
    pub(super) fn pids_charge(&mut self, cgroup: u32) -> u32 {
        let object = self.pids_object(cgroup);
        self.pids_charge_object(object);
        object
    }

    fn pids_charge_object(&mut self, object: u32) {
        self.pids[object].references += 1;
        let mut next = object;
        while let Some(parent) = self.pids[next].parent {
            let counted = &mut self.pids[next];
            counted.current += 1;
            counted.peak = counted.peak.max(counted.current);
            next = parent;
        }
    }

    /// A task is reaped, or counted elsewhere from now on.
    pub(super) fn pids_uncharge(&mut self, object: u32) {
        let mut next = object;
        while let Some(parent) = self.pids[next].parent {
            let counted = &mut self.pids[next].current;
            *counted = counted.checked_sub(1).expect("only counted tasks are uncounted");
            next = parent;
        }
        self.pids_unreference(object);
    }

    fn pids_unreference(&mut self, object: u32) {
        let mut next = Some(object);
        while let Some(object) = next {
            self.pids[object].references -= 1;
            if self.pids[object].references > 0 {
                return;
            }
            assert!(object != ROOT_OBJECT, "the root's object stays");
            next = self.pids.remove(object).parent;
        }
    }

    /// May one more task begin in this cgroup? A refusal is counted and notified.
    pub(super) fn pids_may_fork(&mut self, cgroup: u32) -> Result<(), Errno> {
        let object = self.pids_object(cgroup);
        let mut next = object;
        while let Some(parent) = self.pids[next].parent {
            let counted = &self.pids[next];
            if counted.max.is_some_and(|max| counted.current + 1 > max) {
                self.pids_refuse(object, next);
                return Err(Errno::EAGAIN);
            }
            next = parent;
        }
        Ok(())
    }

    /// Up to 6.10 a refusal counts where the fork was tried, later where the limit is and above.
    fn pids_refuse(&mut self, forking: u32, limiting: u32) {
        self.pids[forking].fork_failures += 1;
        if !self.config.at_least(6, 11) {
            self.pids_notify(forking, File::PidsEvents);
            return;
        }
        if self.options.pids_localevents {
            self.pids_notify(forking, File::PidsEventsLocal);
            return;
        }
        self.pids[limiting].events_local += 1;
        self.pids_notify(limiting, File::PidsEventsLocal);
        let mut next = limiting;
        while let Some(parent) = self.pids[next].parent {
            self.pids[next].events += 1;
            self.pids_notify(next, File::PidsEvents);
            next = parent;
        }
    }

    fn pids_notify(&mut self, object: u32, file: File) {
        if let Some(cgroup) = self.pids[object].cgroup {
            self.notify(cgroup, file);
        }
    }

    /// The number in `pids.events`, or with `local` in `pids.events.local`.
    pub(super) fn pids_events(&self, cgroup: u32, local: bool) -> u64 {
        let object = self.pids_here(cgroup);
        let forks = !self.config.at_least(6, 11) || self.options.pids_localevents;
        match (forks, local) {
            (true, _) => object.fork_failures,
            (false, true) => object.events_local,
            (false, false) => object.events,
        }
    }

    pub(super) fn write_pids_max(&mut self, cgroup: u32, text: &[u8]) -> Result<(), Errno> {
        let text = strip(text);
        let max = match text {
            b"max" => None,
            _ => Some(kstrtoll(text)?),
        };
        if max.is_some_and(|max| !(0..=PIDS_MAX).contains(&max)) {
            return Err(Errno::EINVAL);
        }
        let object = self.cgroups[cgroup].pids.expect("the controller is on");
        self.pids[object].max = max.map(i64::unsigned_abs);
        Ok(())
    }
}
