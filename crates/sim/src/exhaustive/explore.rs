//! The search: level by level, a level being what is reached by so many things that somebody does. So the first failure
//! found has the fewest of them on its way. Within a level each thread goes deep first: what its own moves make of a
//! world is visited at once, and few worlds wait.
//!
//! A world of the next level is kept as it is while there is room, and otherwise as the way that leads to it, which is
//! gone once more when its turn comes.

use super::deed::Deed;
use super::fingerprint::{Canonical, Fingerprint};
use super::scene::Scene;
use super::size::Size;
use super::visited::{Met, Visited};
use crate::check::Violation;
use crate::choice::Replayed;
use crate::mutants::Mutant;
use crate::run::{Failure, Options, failure_of};
use crate::story::Story;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How far to search.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What there is.
    pub size: Size,
    /// So many things that somebody does.
    pub depth: u32,
    /// So many worlds at most.
    pub worlds: u64,
    /// So many threads.
    pub jobs: usize,
    /// Of one world in so many it is seen that it comes to an end by itself; 0 for none.
    pub heal_one_in: u32,
    /// So many waiting worlds are kept as they are.
    pub kept: usize,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { size: Size::FULL, depth: 2, worlds: u64::MAX, jobs: 1, heal_one_in: 64, kept: 10_000, mutant: None }
    }
}

/// What was met with on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// How often each kind of deed was possible, in the order of [`Deed::NAMES`].
    pub possible: [u64; Deed::NAMES.len()],
    /// How often each was done.
    pub done: [u64; Deed::NAMES.len()],
    /// How often each kind of plan step was done.
    pub steps: BTreeMap<String, u64>,
    /// Deeds done.
    pub transitions: u64,
    /// Of those, how many led to a world that was known.
    pub merged: u64,
    /// Worlds that were seen to come to an end.
    pub healed: u64,
}

/// Where a search is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The level.
    pub depth: u32,
    /// Distinct worlds.
    pub worlds: u64,
    /// Deeds done.
    pub transitions: u64,
    /// Worlds at which this level begins and that are still to be visited.
    pub waiting: usize,
    /// Worlds at which the next level begins, as far as one thread knows.
    pub next: usize,
}

/// What came of a search.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Distinct worlds.
    pub worlds: u64,
    /// Of those, how many were met while each level was visited.
    pub levels: Vec<u64>,
    /// The last level of which every world was visited.
    pub completed: Option<u32>,
    /// What was met with.
    pub covered: Covered,
    /// What was wrong, and how to come there.
    pub failure: Option<(Failure, Story)>,
}

/// A world by what led to it.
#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    /// Its place among what could happen; for the first worlds, which of them.
    choice: u8,
    deed: Option<Deed>,
}

/// A world that waits to be visited.
struct Waiting {
    node: u32,
    print: Fingerprint,
    scene: Option<Box<Scene>>,
    /// It takes some of the room for worlds of the next level.
    is_counted: bool,
}

/// What one thread brings home.
#[derive(Default)]
struct Bag {
    /// Worlds of this level, the last to be visited first.
    here: Vec<Waiting>,
    /// Worlds of the next.
    next: Vec<Waiting>,
    covered: Covered,
    failures: Vec<(Failure, Vec<u32>)>,
}

struct Search<'a> {
    limits: &'a Limits,
    options: Options,
    visited: Visited,
    nodes: Mutex<Vec<Node>>,
    worlds: AtomicU64,
    transitions: AtomicU64,
    kept: AtomicUsize,
    /// As many worlds as were to be visited have been met.
    is_full: AtomicBool,
    is_failed: AtomicBool,
}

/// Searches, and says now and then where it is.
pub fn explore(limits: &Limits, tell: &(dyn Fn(&Progress) + Sync)) -> Found {
    let search = Search {
        limits,
        options: Options { mutant: limits.mutant, faultless: true, ..Options::default() },
        visited: Visited::default(),
        nodes: Mutex::default(),
        worlds: AtomicU64::new(0),
        transitions: AtomicU64::new(0),
        kept: AtomicUsize::new(0),
        is_full: AtomicBool::new(false),
        is_failed: AtomicBool::new(false),
    };
    search.go(tell)
}

impl Search<'_> {
    fn go(&self, tell: &(dyn Fn(&Progress) + Sync)) -> Found {
        let mut found = Found::default();
        let mut level = self.first(&mut found);
        for depth in 0..=self.limits.depth {
            let before = self.worlds.load(Ordering::Relaxed);
            let mut bag = Bag::default();
            self.visit_all(depth, level, tell).into_iter().for_each(|other| bag.take_in(other));
            found.covered.add(&bag.covered);
            let gone = self.worlds.load(Ordering::Relaxed);
            found.levels.push(if depth == 0 { gone } else { gone - before });
            bag.failures.sort_by_key(|(_, choices)| (choices.len(), choices.clone()));
            if let Some((failure, choices)) = bag.failures.into_iter().next() {
                found.failure = Some((failure, self.story(choices)));
            }
            if found.failure.is_some() || self.is_over() {
                break;
            }
            found.completed = Some(depth);
            level = bag.next;
        }
        found.worlds = self.worlds.load(Ordering::Relaxed);
        found
    }

    fn is_over(&self) -> bool {
        self.is_full.load(Ordering::Relaxed) || self.is_failed.load(Ordering::Relaxed)
    }

    /// The machine on which nothing is up, and the one on which everything is.
    fn first(&self, found: &mut Found) -> Vec<Waiting> {
        let mut first = Vec::new();
        let mut canonical = Canonical::default();
        for (choice, is_up) in [(0, false), (1, true)] {
            let made = catch_unwind(AssertUnwindSafe(|| Scene::new(self.limits.size, is_up, &self.options)));
            match made {
                Ok(Ok(scene)) => {
                    let print = scene.fingerprint_with(&mut canonical);
                    let node = Node { parent: u32::MAX, choice, deed: None };
                    first.push(self.keep(node, print, scene, true));
                    self.visited.meet(print, 0);
                    self.worlds.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Err(violation)) => self.fail_first(found, choice, Ok(Err(violation))),
                Err(panic) => self.fail_first(found, choice, Err(panic)),
            }
        }
        first
    }

    fn fail_first(&self, found: &mut Found, choice: u8, outcome: std::thread::Result<Result<(), Violation>>) {
        if let Some(failure) = failure_of(outcome, false) {
            found.failure.get_or_insert((failure, self.story(vec![choice.into()])));
        }
        self.is_failed.store(true, Ordering::Relaxed);
    }

    fn story(&self, choices: Vec<u32>) -> Story {
        let steps = choices.len() as u64 - 1;
        Story { choices, options: Options { steps, size: Some(self.limits.size), ..self.options.clone() } }
    }

    /// Visits these worlds and what their own moves make of them, on all threads.
    fn visit_all(&self, depth: u32, worlds: Vec<Waiting>, tell: &(dyn Fn(&Progress) + Sync)) -> Vec<Bag> {
        let queue = Mutex::new(worlds.into_iter());
        let jobs = self.limits.jobs.max(1);
        let work = |is_teller: bool| {
            let mut bag = Bag::default();
            let mut canonical = Canonical::default();
            while !self.is_over() {
                let (waiting, left) = {
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(waiting) = queue.next() else { break };
                    (waiting, queue.len())
                };
                if is_teller {
                    tell(&self.progress(depth, left, bag.next.len()));
                }
                bag.here.push(waiting);
                while let Some(waiting) = bag.here.pop().filter(|_| !self.is_over()) {
                    self.visit(depth, waiting, &mut canonical, &mut bag);
                }
            }
            bag
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (1..jobs).map(|_| scope.spawn(|| work(false))).collect();
            let own = work(true);
            let others = threads.into_iter().map(|thread| thread.join().expect("failures are caught"));
            std::iter::once(own).chain(others).collect()
        })
    }

    fn progress(&self, depth: u32, waiting: usize, next: usize) -> Progress {
        let [worlds, transitions] = [&self.worlds, &self.transitions].map(|count| count.load(Ordering::Relaxed));
        Progress { depth, worlds, transitions, waiting, next }
    }

    /// Everything that can happen in a world happens, each in a copy of its own.
    fn visit(&self, depth: u32, waiting: Waiting, canonical: &mut Canonical, bag: &mut Bag) {
        if waiting.is_counted {
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
        // Met again with fewer deeds, and visited there.
        if self.visited.level(waiting.print) != Some(depth) {
            return;
        }
        let mut scene = waiting.scene;
        let deeds = scene.get_or_insert_with(|| Box::new(self.again(waiting.node))).deeds();
        deeds.iter().for_each(|deed| bag.covered.possible[deed.kind()] += 1);
        let here = |deed: Deed| depth + u32::from(!deed.is_own_move());
        let mut deeds = (0_u8..).zip(deeds).filter(|(_, deed)| here(*deed) <= self.limits.depth).peekable();
        while !self.is_over()
            && let Some((choice, deed)) = deeds.next()
        {
            // The last one happens in the world itself.
            let child = if deeds.peek().is_some() { scene.clone() } else { scene.take() };
            let node = Node { parent: waiting.node, choice, deed: Some(deed) };
            self.happen(node, deed, *child.expect("it is there until the last"), (here(deed), depth), canonical, bag);
        }
    }

    fn happen(
        &self,
        node: Node,
        deed: Deed,
        mut scene: Scene,
        levels: (u32, u32),
        canonical: &mut Canonical,
        bag: &mut Bag,
    ) {
        bag.covered.done[deed.kind()] += 1;
        bag.covered.transitions += 1;
        self.transitions.fetch_add(1, Ordering::Relaxed);
        if let (Deed::Plan, Some(step)) = (deed, scene.run.world.backend().next_step()) {
            bag.covered.step(&step.op.to_string());
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| scene.take(deed)));
        match failure_of(outcome, false) {
            Some(failure) => self.fail(failure, node, bag),
            None => self.arrive(node, scene, levels, canonical, bag),
        }
    }

    /// A deed has led to a world, of the same level or the next: is it new?
    fn arrive(&self, node: Node, scene: Scene, (level, depth): (u32, u32), canonical: &mut Canonical, bag: &mut Bag) {
        let print = scene.fingerprint_with(canonical);
        match self.visited.meet(print, level) {
            Met::Known => {
                bag.covered.merged += 1;
                return;
            }
            Met::Sooner => bag.covered.merged += 1,
            Met::New => {
                let worlds = self.worlds.fetch_add(1, Ordering::Relaxed) + 1;
                if worlds >= self.limits.worlds {
                    self.is_full.store(true, Ordering::Relaxed);
                }
                let one_in = u128::from(self.limits.heal_one_in);
                if print.0.is_multiple_of(one_in) {
                    self.heal(scene.clone(), node, bag);
                }
            }
        }
        let is_here = level == depth;
        let waiting = self.keep(node, print, scene, is_here);
        if is_here { bag.here.push(waiting) } else { bag.next.push(waiting) }
    }

    fn heal(&self, mut scene: Scene, node: Node, bag: &mut Bag) {
        bag.covered.healed += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| scene.run.heal(&mut Replayed::default())));
        if let Some(failure) = failure_of(outcome, scene.run.is_healed) {
            self.fail(failure, node, bag);
        }
    }

    fn fail(&self, failure: Failure, node: Node, bag: &mut Bag) {
        let mut choices: Vec<u32> = self.way(node.parent).iter().map(|node| node.choice.into()).collect();
        choices.push(node.choice.into());
        bag.failures.push((failure, choices));
        self.is_failed.store(true, Ordering::Relaxed);
    }

    fn keep(&self, node: Node, print: Fingerprint, scene: Scene, is_here: bool) -> Waiting {
        let is_counted = !is_here && self.has_room();
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.push(node);
        let node = u32::try_from(nodes.len() - 1).expect("fewer than 2^32 worlds");
        let scene = (is_here || is_counted).then(|| Box::new(scene));
        Waiting { node, print, scene, is_counted }
    }

    /// Takes some of the room for worlds of the next level, if any is left.
    fn has_room(&self) -> bool {
        let is_there = self.kept.fetch_add(1, Ordering::Relaxed) < self.limits.kept;
        if !is_there {
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
        is_there
    }

    /// The nodes that lead to this one, itself included.
    fn way(&self, node: u32) -> Vec<Node> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut way = Vec::new();
        let mut at = node;
        while let Some(node) = nodes.get(at as usize) {
            way.push(*node);
            at = node.parent;
        }
        way.reverse();
        way
    }

    /// A world once more, by the way that leads to it; everything was checked the first time.
    fn again(&self, node: u32) -> Scene {
        let way = self.way(node);
        let first = Scene::new(self.limits.size, way[0].choice == 1, &self.options);
        let mut scene = first.expect("it was well the first time");
        scene.run.world.check_invariants(false);
        for deed in way.iter().filter_map(|node| node.deed) {
            scene.take(deed).expect("it was well the first time");
        }
        scene.run.world.check_invariants(true);
        scene
    }
}

impl Bag {
    /// Adds what another thread brings home.
    fn take_in(&mut self, mut other: Self) {
        self.next.append(&mut other.next);
        self.failures.append(&mut other.failures);
        self.covered.add(&other.covered);
    }
}

impl Covered {
    fn add(&mut self, other: &Self) {
        let sum = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        sum(&mut self.possible, &other.possible);
        sum(&mut self.done, &other.done);
        for (kind, count) in &other.steps {
            *self.steps.entry(kind.clone()).or_default() += count;
        }
        self.transitions += other.transitions;
        self.merged += other.merged;
        self.healed += other.healed;
    }

    /// A step of a plan is known by its first word, and a write by its file.
    fn step(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let kind = if verb == "write" { words.nth(1).unwrap_or(verb) } else { verb };
        match self.steps.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.steps.insert(kind.to_owned(), 1)),
        }
    }
}
