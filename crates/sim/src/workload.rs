//! What everybody around the arbiter does next: clients ask (`requests`, `services`, `looks`), processes live and die
//! (`processes`), foreigners use the same tree (`foreigners`). Legal and illegal, chosen with an eye on the reference,
//! so that most of it means something.

pub(crate) mod calls;
mod foreigners;
mod looks;
mod processes;
mod requests;
mod services;

pub(crate) use foreigners::MARKED;
pub(crate) use processes::see_who_was_killed;

use crate::choice::Choice;
use crate::kernel::Pid;
use crate::reference::Reference;
use crate::world::World;
use cgarbiter_core::client::ClientId;
use std::collections::BTreeMap;

/// Which users clients belong to: root, and two that are not.
const UIDS: [u32; 3] = [0, 1000, 1001];

/// Which kinds of things happen in a run; each run draws its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Weights of the requests, as `requests::KINDS` has them; 0 for never.
    weights: Vec<u32>,
    /// How many names of each type there are.
    names: u32,
    /// How many processes there are at most.
    processes: u32,
    /// Processes may ignore what asks them to end.
    ignore: bool,
    /// Foreigners are about.
    foreigners: bool,
    /// In how many of the ways in which units can have to do with each other these do, the first being the order.
    ties: u32,
}

impl Habits {
    /// Draws what happens in this run.
    pub fn draw(choice: &mut dyn Choice) -> Self {
        let mut weights: Vec<u32> = requests::KINDS.iter().map(|kind| kind.weight).collect();
        for weight in &mut weights {
            *weight *= [1, 0, 4][choice.below(3) as usize];
        }
        // Somebody makes units, or nothing happens.
        weights[0] = weights[0].max(requests::KINDS[0].weight);
        Self {
            weights,
            names: 1 + choice.below(4),
            processes: 4 + choice.below(20),
            ignore: choice.below(4) == 3,
            foreigners: choice.below(3) == 2,
            ties: if choice.below(2) == 1 { services::TIES_ALL } else { 0 },
        }
    }

    /// Nobody is tied to anybody, other than by their order: of those that are, little is promised.
    pub(crate) fn promise_more(&mut self) {
        self.ties = self.ties.min(services::TIES_OF_ORDER);
    }
}

/// Everybody around the arbiter; nobody by default.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    habits: Habits,
    clients: Vec<ClientId>,
    /// Who listens to everything.
    listener: Option<ClientId>,
    /// Directories that foreigners made, and what they wrote there.
    foreign: BTreeMap<String, Option<String>>,
    made: u32,
}

impl Workload {
    /// Some clients come to the bus, and the first processes begin.
    pub fn new(choice: &mut dyn Choice, habits: Habits, world: &mut World, reference: &mut Reference) -> Self {
        // Somebody listens to everything.
        let listener = Some(world.connect(0, None));
        let mut workload = Self { habits, clients: Vec::new(), listener, foreign: BTreeMap::new(), made: 0 };
        workload.subscribe(world);
        for _ in 0..=choice.below(3) {
            workload.connect(choice, world, reference);
        }
        workload
    }

    /// The machine has come up again: everybody connects anew, and nothing of foreigners is left.
    pub(crate) fn come_back(&mut self, choice: &mut dyn Choice, world: &mut World, reference: &mut Reference) {
        self.foreign.clear();
        self.listener = Some(world.connect(0, None));
        self.subscribe(world);
        for _ in 0..std::mem::take(&mut self.clients).len() {
            self.connect(choice, world, reference);
        }
    }

    /// The listener asks to be told of everything.
    pub(crate) fn subscribe(&self, world: &mut World) {
        if let Some(listener) = self.listener {
            world.call(listener, calls::manager("Subscribe", Vec::new()));
        }
    }

    /// Somebody does something.
    pub fn act(&mut self, choice: &mut dyn Choice, world: &mut World, reference: &mut Reference) {
        match choice.below(8) {
            0..=4 => self.ask(choice, world, reference),
            5 if self.habits.foreigners => self.interfere(choice, world, reference),
            _ => self.live(choice, world, reference),
        }
    }

    /// Everybody who stays away comes back, stopped processes go on: what heals.
    pub fn settle(&mut self, world: &mut World) {
        self.unfreeze_delegated(world);
        processes::let_go_on(world);
    }

    /// Look: who asks most of the time, root.
    pub(crate) fn first_client(&self) -> Option<ClientId> {
        self.clients.first().copied()
    }

    /// Look: directories of foreigners with what they wrote to `cgroup.max.descendants` there.
    pub fn foreign(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.foreign.iter().map(|(cgroup, value)| (cgroup.as_str(), value.as_deref()))
    }

    /// A client comes to the bus: a process of some user, in the root.
    pub(crate) fn connect(&mut self, choice: &mut dyn Choice, world: &mut World, reference: &mut Reference) {
        let first = self.clients.is_empty();
        let uid = if first { 0 } else { UIDS[choice.below(3) as usize] };
        let pid = processes::begin(world, reference, uid).and_then(|pid: Pid| u32::try_from(pid).ok());
        self.clients.push(world.connect(uid, pid));
    }

    /// A client leaves the bus; one always stays.
    pub(crate) fn disconnect(&mut self, choice: &mut dyn Choice, world: &mut World) {
        let count = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        if count > 1 {
            let client = self.clients.remove(1 + choice.below(count - 1) as usize);
            world.disconnect(client);
        }
    }
}
