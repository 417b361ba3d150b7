//! One run: a world, everybody around it, what goes wrong in it, and the oracles that watch. Everything that could go
//! otherwise asks a [`Choice`], so a run is its list of choices.
//!
//! ```
//! use cgarbiter_sim::choice::Seeded;
//! use cgarbiter_sim::run::{Options, run};
//!
//! let ended = run(&mut Seeded::new(7), &Options { steps: 200, ..Options::default() });
//! assert_eq!(ended.failure, None);
//! ```
//!
//! A run has two phases. In the first anything may go wrong, and nothing may become wrong (safety). Then it heals: no
//! more faults, deadlines come, and all must come to rest (progress).

mod blows;
mod machine;
mod notes;
mod outcome;

pub use outcome::{Ended, Failure, Options};
pub(crate) use outcome::{failure_of, text_of};

use crate::check::{Checks, Next, Past, Verdict, View, Violation};
use crate::choice::{Choice, Replayed};
use crate::faults::{Blow, Faults, parts_done};
use crate::mutants::Mutant;
use crate::reference::Reference;
use crate::workload::{Habits, Workload};
use crate::world::{Move, World};
use cgarbiter_core::Event;
use cgarbiter_core::plan::Op;
use machine::{draw_world, prepare};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many moves without a pause, or deadlines without an end, are no progress.
const MOVES_TO_REST_MAX: u32 = 20_000;
const DEADLINES_MAX: u32 = 200;

/// The oracles, and what they look at.
macro_rules! parts {
    ($run:ident) => {{
        let Run { world, reference, workload, checks, .. } = $run;
        (checks, View { world, reference, workload })
    }};
}

/// Runs from beginning to end; takes a panic for an end like others.
pub fn run(choice: &mut dyn Choice, options: &Options) -> Ended {
    if let Some(size) = options.size {
        return crate::exhaustive::tell(choice, size, options);
    }
    let mut run = Run::new(choice, options);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.go(choice, options.steps)));
    let failure = failure_of(outcome, run.is_healed);
    run.ended(failure)
}

/// A run under way.
#[derive(Clone)]
pub struct Run {
    pub(crate) world: World,
    pub(crate) reference: Reference,
    pub(crate) workload: Workload,
    faults: Faults,
    pub(crate) checks: Checks,
    /// Something has happened since everything was looked over at rest.
    is_stirred: bool,
    pub(crate) is_healed: bool,
    is_reloading: bool,
    moves: u64,
    plan_steps: u64,
    rests: u64,
}

impl Run {
    /// Draws a machine, habits and faults.
    pub fn new(choice: &mut dyn Choice, options: &Options) -> Self {
        let mut world = draw_world(choice);
        prepare(&mut world, options);
        let mut faults = Faults::draw(choice);
        if options.faultless {
            faults.heal();
        }
        if options.mutant.is_some_and(Mutant::is_of_crashes) {
            faults.crash_only();
        }
        if options.mutant == Some(Mutant::SyncsNothing) {
            faults.power_cut_only();
        }
        let mut reference = Reference::default();
        let mut habits = Habits::draw(choice);
        if options.mutant.is_some() {
            habits.promise_more();
        }
        let workload = Workload::new(choice, habits, &mut world, &mut reference);
        Self::of(world, reference, workload, faults, options)
    }

    /// In this world, with the plainest habits, and nothing goes wrong.
    pub(crate) fn plain(mut world: World, options: &Options) -> Self {
        prepare(&mut world, options);
        let mut plain = Replayed::default();
        let mut reference = Reference::default();
        let habits = Habits::draw(&mut plain);
        let workload = Workload::new(&mut plain, habits, &mut world, &mut reference);
        Self::of(world, reference, workload, Faults::draw(&mut plain), options)
    }

    fn of(world: World, reference: Reference, workload: Workload, faults: Faults, options: &Options) -> Self {
        let checks = if options.unwatched {
            Checks::none()
        } else {
            Checks::new(options.collects, options.mutant.map(Mutant::oracle))
        };
        let (is_stirred, is_healed, is_reloading, moves, plan_steps, rests) = Default::default();
        Self {
            world,
            reference,
            workload,
            faults,
            checks,
            is_stirred,
            is_healed,
            is_reloading,
            moves,
            plan_steps,
            rests,
        }
    }

    /// Both phases.
    ///
    /// # Errors
    /// The first oracle that is not satisfied.
    pub fn go(&mut self, choice: &mut dyn Choice, steps: u64) -> Result<(), Violation> {
        for _ in 0..steps {
            self.step(choice)?;
        }
        self.heal(choice)
    }

    /// One thing happens.
    ///
    /// # Errors
    /// The first oracle that is not satisfied.
    pub fn step(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        let moves: Vec<Move> = self.world.moves().collect();
        let count = u32::try_from(moves.len()).unwrap_or(u32::MAX);
        match (choice.below(8), count) {
            (0..=5, 1..) => {
                let next = moves[choice.below(count) as usize];
                return self.make(choice, next);
            }
            (7, _) => match self.faults.strike(choice, &mut self.world, &mut self.workload, &mut self.reference) {
                Some(Blow::Crash) => return self.kill(choice),
                Some(Blow::PowerCut) => return self.cut_power(choice),
                None => {}
            },
            (0, 0) => self.wait(),
            _ => self.workload.act(choice, &mut self.world, &mut self.reference),
        }
        self.is_stirred = true;
        self.see_who_died();
        Ok(())
    }

    /// Time passes until something is due.
    fn wait(&mut self) {
        if let Some(next) = self.world.next_deadline() {
            self.world.set_time(next.max(self.world.now()));
        }
    }

    /// No more faults; all deadlines come; everything comes to rest, and is looked over.
    pub(crate) fn heal(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        self.faults.heal();
        self.world.fail_question(None);
        self.workload.settle(&mut self.world);
        self.is_healed = true;
        self.is_stirred = true;
        for _ in 0..DEADLINES_MAX {
            self.come_to_rest(choice)?;
            if self.world.next_deadline().is_none() {
                let (checks, view) = parts!(self);
                return checks.each(|oracle| oracle.healed(&view));
            }
            self.wait();
            self.see_who_died();
        }
        Err(stuck(format!("after {DEADLINES_MAX} deadlines there is another one")))
    }

    fn come_to_rest(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        for _ in 0..MOVES_TO_REST_MAX {
            let Some(next) = self.world.moves().next() else { return self.look_over() };
            self.make(choice, next)?;
        }
        Err(stuck(format!("after {MOVES_TO_REST_MAX} moves there is no rest")))
    }

    /// Makes one of the world's moves, with everybody watching.
    pub(crate) fn make(&mut self, choice: &mut dyn Choice, next: Move) -> Result<(), Violation> {
        self.moves += 1;
        self.is_stirred = true;
        match next {
            Move::Plan => self.plan_step(choice)?,
            Move::Client => self.hand_in()?,
            Move::Notice => {
                let backend = self.world.backend_mut();
                backend.take_in();
                backend.hasten(choice.below(at_least_one(backend.waiting())) as usize);
                match backend.next_event() {
                    Some(event) => self.let_in(&Next::Event(&event), next)?,
                    None => self.world.make(next),
                }
            }
            Move::Timer => self.let_in(&Next::Due, next)?,
            Move::Kernel => {
                let kernel = self.world.backend_mut().kernel_mut();
                kernel.settle_one(choice.below(at_least_one(kernel.unsettled().len())) as usize);
                self.see_who_died();
            }
        }
        self.take_visible()?;
        if self.world.moves().next().is_none() { self.look_over() } else { Ok(()) }
    }

    fn plan_step(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        let Some(step) = self.world.backend().next_step().cloned() else {
            self.world.make(Move::Plan);
            return Ok(());
        };
        self.plan_steps += 1;
        let pid = match &step.op {
            Op::Attach { pin, .. } => self.world.backend().pinned(*pin),
            _ => None,
        };
        self.before(&Next::Step(&step))?;
        match self.faults.of_step(choice, &step.op) {
            Some(errno) => match parts_done(choice, self.world.backend(), &step.op, errno) {
                0 => self.world.refuse_step(errno),
                parts => self.world.break_off_step(parts, errno),
            },
            None => self.world.make(Move::Plan),
        }
        let result = self.world.backend().last_result().cloned().expect("a step was done");
        self.after(&Past::Step(&step, &result, pid))?;
        self.note_step(&step, &result, pid);
        self.see_who_died();
        Ok(())
    }

    /// What a client sent reaches the manager.
    fn hand_in(&mut self) -> Result<(), Violation> {
        let next = self.world.next_sent().cloned();
        let (call, client, request) = match next {
            Some(Event::Request { call, client, request }) => (call, client, request),
            Some(other) => return self.let_in(&Next::Event(&other), Move::Client),
            None => unreachable!("something was sent"),
        };
        self.before(&Next::Request(call, &client, &request))?;
        self.reference.arrives(call, &client, &request);
        self.world.make(Move::Client);
        self.take_visible()?;
        self.reference.accepted(call);
        self.after(&Past::Request(call, &client, &request))
    }

    /// Something that is no request reaches the manager.
    fn let_in(&mut self, next: &Next<'_>, made: Move) -> Result<(), Violation> {
        self.before(next)?;
        self.world.make(made);
        self.see_who_died();
        self.take_visible()?;
        self.after(&Past::Handled)
    }

    /// Something has happened that was none of the world's own moves: everybody sees what came of it.
    pub(crate) fn see(&mut self) -> Result<(), Violation> {
        self.is_stirred = true;
        self.see_who_died();
        self.take_visible()?;
        if self.world.moves().next().is_none() { self.look_over() } else { Ok(()) }
    }

    /// What of it its future, and the judgement of that, depends on (see [`cgarbiter_core::canonical`]). What it has
    /// done so far is only counted.
    pub(crate) fn hash_canonical<H: Hasher>(&self, state: &mut H) {
        (&self.world, &self.reference, self.is_stirred, self.is_healed, self.is_reloading).hash(state);
        self.workload.foreign().for_each(|foreign| foreign.hash(state));
        self.checks.hash_memory(self.world.now(), state);
    }

    /// Nothing is going on: everything is looked over.
    fn look_over(&mut self) -> Result<(), Violation> {
        if !self.is_stirred {
            return Ok(());
        }
        if !self.world.manager().is_quiet() {
            return Err(stuck("nothing can happen, and the manager waits for something".into()));
        }
        self.is_stirred = false;
        self.rests += 1;
        self.world.backend().kernel().check_invariants();
        let (checks, view) = parts!(self);
        checks.each(|oracle| oracle.quiet(&view))
    }

    fn before(&mut self, next: &Next<'_>) -> Result<(), Violation> {
        let (checks, view) = parts!(self);
        checks.each(|oracle| oracle.before(&view, next))
    }

    fn after(&mut self, past: &Past<'_>) -> Result<(), Violation> {
        let (checks, view) = parts!(self);
        checks.each(|oracle| -> Verdict { oracle.after(&view, past) })
    }

    /// What came of it.
    #[must_use]
    pub fn ended(mut self, failure: Option<Failure>) -> Ended {
        Ended {
            failure,
            trace: self.world.take_trace(),
            unsatisfied: self.checks.unsatisfied().clone(),
            moves: self.moves,
            plan_steps: self.plan_steps,
            rests: self.rests,
            seen: self.world.seen().clone(),
            size: self.reference.size() + self.checks.size(),
        }
    }
}

/// Of so many things one is chosen.
fn at_least_one(count: usize) -> u32 {
    u32::try_from(count.max(1)).unwrap_or(u32::MAX)
}

fn stuck(what: String) -> Violation {
    Violation { oracle: "progress", what }
}
