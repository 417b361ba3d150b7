//! Oracles: what must hold of a run, whatever happens in it. One file each; an oracle sees everything that happens and
//! knows nothing but the reference and the world.
//!
//! Beside them, the manager's own invariants are checked after every event (`core/src/invariants.rs`), and the imagined
//! kernel's books when all is quiet; both fail by a panic.

mod answers;
mod counters;
mod descendants;
mod durability;
mod jobs;
mod limits;
mod limits_first;
mod order;
mod permissions;
mod places;
mod progress;
mod promises;
mod realized;
mod restarts;
mod survival;
mod territory;
mod work;
mod zombies;

pub(crate) use realized::at_rest;

use crate::kernel::{Caller, CgroupId, File, Pid};
use crate::reference::Reference;
use crate::workload::Workload;
use crate::world::{Visible, World};
use cgarbiter_core::client::Client;
use cgarbiter_core::{CallId, Event, Instant, OpError, Outcome, Request, Step};
use std::collections::BTreeMap;
use std::hash::Hasher;

/// What an oracle looks at.
pub struct View<'a> {
    /// The world as it is now.
    pub world: &'a World,
    /// What was promised.
    pub reference: &'a Reference,
    /// Who is about.
    pub workload: &'a Workload,
}

/// Something that is about to happen.
pub enum Next<'a> {
    /// A step of a plan.
    Step(&'a Step),
    /// A call reaches the manager.
    Request(CallId, &'a Client, &'a Request),
    /// Something else reaches the manager: what the kernel has noticed, or that somebody has left.
    Event(&'a Event),
    /// A deadline of the manager has come.
    Due,
    /// The arbiter is killed.
    Crash,
}

/// Something that has happened.
pub enum Past<'a> {
    /// A step of a plan, with what came of it; of an attach, whom it moved.
    Step(&'a Step, &'a Result<Outcome, OpError>, Option<Pid>),
    /// A call has reached the manager, and what it led to at once has been told.
    Request(CallId, &'a Client, &'a Request),
    /// An event that is no request, or a deadline, has reached the manager, and what it led to at once has been told.
    Handled,
    /// A reply or a signal.
    Told(&'a Visible),
    /// The arbiter was killed, and the next one has started; nothing that it has to do has been done. Its jobs and
    /// plans are counted from the beginning.
    Crash,
    /// The power was cut, and the machine has come up again with another arbiter.
    PowerCut,
}

/// All is well, or what is not.
pub type Verdict = Result<(), String>;

/// One thing that must hold. What an oracle remembers goes along when a run is copied.
pub trait Oracle: Copied + Send {
    /// Its name, as the command line has it.
    fn name(&self) -> &'static str;

    /// Something is about to happen.
    ///
    /// # Errors
    /// When it must not.
    fn before(&mut self, _view: &View<'_>, _next: &Next<'_>) -> Verdict {
        Ok(())
    }

    /// Something has happened.
    ///
    /// # Errors
    /// When it should not have.
    fn after(&mut self, _view: &View<'_>, _past: &Past<'_>) -> Verdict {
        Ok(())
    }

    /// Nothing is going on.
    ///
    /// # Errors
    /// When something is not as it must be then.
    fn quiet(&mut self, _view: &View<'_>) -> Verdict {
        Ok(())
    }

    /// Nothing goes wrong any more, all deadlines have passed, and nothing is going on.
    ///
    /// # Errors
    /// When something is still to be done.
    fn healed(&mut self, _view: &View<'_>) -> Verdict {
        Ok(())
    }

    /// The arbiter was killed, and another one has started: numbers begin anew, and who waited is not answered.
    fn crashed(&mut self) {}

    /// How much it remembers, as a number: it must not grow with the length of a run.
    fn size(&self) -> usize {
        0
    }

    /// What it remembers on which its judgement of a future depends, beside what the world and the reference know as
    /// well (see [`cgarbiter_core::canonical`]).
    fn hash_memory(&self, _now: Instant, _state: &mut dyn Hasher) {}
}

/// An oracle as a copy of itself.
pub trait Copied {
    /// The copy.
    fn copied(&self) -> Box<dyn Oracle>;
}

impl<T: Oracle + Clone + 'static> Copied for T {
    fn copied(&self) -> Box<dyn Oracle> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Oracle> {
    fn clone(&self) -> Self {
        (**self).copied()
    }
}

/// An oracle that was not satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub oracle: &'static str,
    /// With what.
    pub what: String,
}

/// Names of all oracles, in the order in which they look.
pub const NAMES: [&str; 18] = [
    "realized",
    "answers",
    "territory",
    "limits-first",
    "places",
    "limits",
    "counters",
    "permissions",
    "work",
    "progress",
    "promises",
    "survival",
    "durability",
    "order",
    "jobs",
    "restarts",
    "zombies",
    "descendants",
];

/// All oracles.
#[derive(Clone)]
pub struct Checks {
    oracles: Vec<Box<dyn Oracle>>,
    /// Go on, and remember who was not satisfied.
    collects: bool,
    /// Goes on no further than to this one: from there on the reference is misled.
    last: Option<&'static str>,
    unsatisfied: BTreeMap<&'static str, String>,
}

impl Checks {
    /// All oracles; the first that is not satisfied ends the run, unless all of them are to be heard until the last is.
    #[must_use]
    pub fn new(collects: bool, last: Option<&'static str>) -> Self {
        Self { oracles: all(), collects, last, unsatisfied: BTreeMap::new() }
    }

    /// No oracle at all.
    #[must_use]
    pub fn none() -> Self {
        Self { oracles: Vec::new(), collects: false, last: None, unsatisfied: BTreeMap::new() }
    }

    /// Asks each of them.
    ///
    /// # Errors
    /// The first that is not satisfied.
    pub fn each(&mut self, mut ask: impl FnMut(&mut dyn Oracle) -> Verdict) -> Result<(), Violation> {
        for oracle in &mut self.oracles {
            if let Err(what) = ask(oracle.as_mut()) {
                if !self.collects || self.last == Some(oracle.name()) {
                    return Err(Violation { oracle: oracle.name(), what });
                }
                self.unsatisfied.entry(oracle.name()).or_insert(what);
            }
        }
        Ok(())
    }

    /// The arbiter was killed, and another one has started.
    pub fn crashed(&mut self) {
        self.oracles.iter_mut().for_each(|oracle| oracle.crashed());
    }

    /// The power was cut: nothing of what the oracles have seen is there any more.
    pub fn power_cut(&mut self) {
        self.oracles = all();
    }

    /// What the oracles remember that nobody else does.
    pub fn hash_memory(&self, now: Instant, state: &mut dyn Hasher) {
        self.oracles.iter().for_each(|oracle| oracle.hash_memory(now, state));
    }

    /// Look: who was not satisfied, and with what first, when all are to be heard.
    #[must_use]
    pub fn unsatisfied(&self) -> &BTreeMap<&'static str, String> {
        &self.unsatisfied
    }

    /// How much they remember, as a number.
    #[must_use]
    pub fn size(&self) -> usize {
        self.oracles.iter().map(|oracle| oracle.size()).sum()
    }
}

fn all() -> Vec<Box<dyn Oracle>> {
    let oracles: Vec<Box<dyn Oracle>> = vec![
        Box::new(realized::Realized),
        Box::<answers::Answers>::default(),
        Box::new(territory::Territory),
        Box::<limits_first::LimitsFirst>::default(),
        Box::new(places::Places),
        Box::<limits::Limits>::default(),
        Box::<counters::Counters>::default(),
        Box::<permissions::Permissions>::default(),
        Box::<work::Work>::default(),
        Box::new(progress::Progress),
        Box::<promises::Promises>::default(),
        Box::<survival::Survival>::default(),
        Box::new(durability::Durability),
        Box::<order::Order>::default(),
        Box::<jobs::Jobs>::default(),
        Box::<restarts::Restarts>::default(),
        Box::new(zombies::Zombies),
        Box::<descendants::Descendants>::default(),
    ];
    assert!(oracles.iter().map(|oracle| oracle.name()).eq(NAMES), "the names are those of the oracles");
    oracles
}

impl View<'_> {
    /// What stands in a file of a cgroup, without the newline.
    #[must_use]
    pub fn value(&self, cgroup: &str, file: &str) -> Option<String> {
        self.value_in(self.find(cgroup)?, file)
    }

    /// The same of a cgroup that has been found.
    #[must_use]
    pub fn value_in(&self, cgroup: CgroupId, file: &str) -> Option<String> {
        let kernel = self.world.backend().kernel();
        let mut text = kernel.read(&Caller::INIT, cgroup, File::from_name(file.as_bytes())?).ok()?;
        text.truncate(text.trim_end().len());
        Some(text)
    }

    /// The cgroup at a path.
    #[must_use]
    pub fn find(&self, cgroup: &str) -> Option<CgroupId> {
        self.world.backend().kernel().lookup(&Caller::INIT, cgroup.as_bytes()).ok()
    }

    /// Whether a cgroup is there.
    #[must_use]
    pub fn exists(&self, cgroup: &str) -> bool {
        self.find(cgroup).is_some()
    }

    /// Whether the process of this number lives.
    #[must_use]
    pub fn is_alive(&self, pid: Pid) -> bool {
        self.world.backend().kernel().state(pid) == Some(crate::kernel::State::Alive)
    }
}
