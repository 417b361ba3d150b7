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

use crate::check::{Checks, Next, Past, Verdict, View, Violation};
use crate::choice::{Choice, Replayed};
use crate::exhaustive::Size;
use crate::faults::{Blow, Faults, parts_done};
use crate::kernel::{self, CgroupId, Kernel, State, Version};
use crate::mutants::Mutant;
use crate::reference::{MARK, Reference};
use crate::workload::{Habits, Workload};
use crate::world::{Move, Visible, World};
use cgarbiter_core::client::Client;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Event, Outcome, Request, Step};
use std::any::Any;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many moves without a pause, or deadlines without an end, are no progress.
const MOVES_TO_REST_MAX: u32 = 20_000;
const DEADLINES_MAX: u32 = 200;
/// Process numbers end here where they are used again soon.
const PIDS_FEW: i32 = 700;

/// The oracles, and what they look at.
macro_rules! parts {
    ($run:ident) => {{
        let Run { world, reference, workload, checks, .. } = $run;
        (checks, View { world, reference, workload })
    }};
}
/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many things happen before it heals.
    pub steps: u64,
    /// Hear all oracles, instead of ending with the first that is not satisfied.
    pub collects: bool,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// Nothing goes wrong by itself.
    pub faultless: bool,
    /// Neither oracles nor invariants are asked: to see what they cost.
    pub unwatched: bool,
    /// Keep a text of everything that happens.
    pub trace: bool,
    /// Choices are those of a small world of this size (see [`crate::exhaustive`]).
    pub size: Option<Size>,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An oracle was not satisfied.
    Wrong(Violation),
    /// The world does not come to rest, or comes to rest too early.
    Stuck(Violation),
    /// The program itself gave up.
    Panic(String),
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// What was wrong, if anything was.
    pub failure: Option<Failure>,
    /// Everything that happened, if it was to be kept.
    pub trace: Vec<String>,
    /// Moves made.
    pub moves: u64,
    /// Steps of plans done.
    pub plan_steps: u64,
    /// How often everything had come to rest, and was looked over.
    pub rests: u64,
    /// Oracles that were not satisfied, when all were to be heard.
    pub unsatisfied: BTreeMap<&'static str, String>,
    /// How much the oracles and the reference remember in the end.
    pub size: usize,
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

/// What an outcome means.
pub(crate) fn failure_of(outcome: std::thread::Result<Result<(), Violation>>, is_healed: bool) -> Option<Failure> {
    match outcome {
        Ok(Ok(())) => None,
        Err(panic) => Some(Failure::Panic(text_of(panic.as_ref()))),
        Ok(Err(violation)) if violation.oracle == "progress" || is_healed && violation.oracle == "answers" => {
            Some(Failure::Stuck(violation))
        }
        Ok(Err(violation)) => Some(Failure::Wrong(violation)),
    }
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
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
        let habits = Habits::draw(choice);
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
        let checks = if options.unwatched { Checks::none() } else { Checks::new(options.collects) };
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

    /// The arbiter is killed, perhaps in the middle of a step, and another one starts.
    fn kill(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        self.step_partly(choice)?;
        self.crash()
    }

    /// Not more than some parts of the next step are done.
    fn step_partly(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        let parts = u32::try_from(self.world.cuts_in_move()).unwrap_or(0);
        self.world.make_partly(choice.below(parts + 1) as usize);
        self.see_who_died();
        self.take_visible()
    }

    /// The power goes, perhaps in the middle of a step, and everybody comes back.
    fn cut_power(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        self.step_partly(choice)?;
        self.world.cut_power(|_| choice.below(2) == 1);
        self.reference.power_cut();
        self.checks.power_cut();
        (self.is_stirred, self.is_reloading) = (true, false);
        self.workload.come_back(choice, &mut self.world, &mut self.reference);
        self.after(&Past::PowerCut)?;
        self.reference.look_at_settings(self.world.backend().store());
        self.make(&mut Replayed::default(), Move::Client)
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

    /// What a step means for the promises.
    fn note_step(&mut self, step: &Step, result: &Result<Outcome, cgarbiter_core::OpError>, pid: Option<i32>) {
        let taken = match result {
            Ok(Outcome::Refused(_)) | Err(_) => false,
            Ok(Outcome::Controllers { refused, .. }) => refused.is_none(),
            Ok(_) => true,
        };
        match (&step.op, result) {
            (Op::Write { cgroup, file, value } | Op::WriteDevice { cgroup, file, value, .. }, _) => {
                self.reference.written_value(cgroup.as_str(), file, value, taken);
            }
            (Op::SubtreeControl { cgroup, .. }, _) => {
                self.reference.written(cgroup.as_str(), "cgroup.subtree_control", taken);
            }
            (Op::Xattr { cgroup, name: MARK, .. }, _) => {
                self.reference.written(cgroup.as_str(), MARK, taken);
            }
            (Op::WatchProcess { cgroup, .. }, _) => self.reference.written(cgroup.as_str(), "pidfd", taken),
            (Op::Watch { cgroup, .. }, _) => self.reference.written(cgroup.as_str(), "watch", taken),
            (Op::WriteFile { file, .. } | Op::RenewRecord { file, .. } | Op::RemoveFile { file, .. }, _) => {
                self.reference.recorded(file, taken);
            }
            (Op::Rmdir { cgroup, .. }, _) if taken => self.reference.removed(cgroup.as_str()),
            (Op::Attach { cgroup, .. }, Ok(Outcome::Attached)) => {
                if let Some(pid) = pid {
                    self.reference.moved(pid, cgroup.as_str());
                }
            }
            (Op::Spawn { cgroup, .. }, Ok(Outcome::Spawned { pid })) => {
                if let Ok(pid) = i32::try_from(*pid) {
                    self.reference.born(pid, cgroup.as_str(), 0);
                }
            }
            _ => {}
        }
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
        self.requested(call, &client, &request)
    }

    /// Something that is no request reaches the manager.
    fn let_in(&mut self, next: &Next<'_>, made: Move) -> Result<(), Violation> {
        self.before(next)?;
        self.world.make(made);
        self.see_who_died();
        self.take_visible()?;
        self.after(&Past::Handled)
    }

    fn requested(&mut self, call: CallId, client: &Client, request: &Request) -> Result<(), Violation> {
        self.after(&Past::Request(call, client, request))
    }

    /// The arbiter is killed, and another one starts. Its listener subscribes anew.
    ///
    /// # Errors
    /// The first oracle that is not satisfied.
    pub(crate) fn crash(&mut self) -> Result<(), Violation> {
        self.before(&Next::Crash)?;
        self.world.crash();
        let graph = self.world.manager().graph();
        self.reference.crashed(|name| graph.find(name).is_some());
        self.note_found();
        self.checks.crashed();
        (self.is_stirred, self.is_reloading) = (true, false);
        self.after(&Past::Crash)?;
        self.workload.subscribe(&mut self.world);
        self.see_who_died();
        self.make(&mut Replayed::default(), Move::Client)
    }

    /// What the arbiter has found that is not told by its own knowledge.
    fn note_found(&mut self) {
        let (kernel, graph) = (self.world.backend().kernel(), self.world.manager().graph());
        for id in kernel.below(CgroupId::ROOT).into_iter().filter(|id| kernel.is_populated(*id)) {
            let path = String::from_utf8_lossy(&kernel.path(id)).into_owned();
            let unit = graph.find(path.rsplit('/').next().unwrap_or_default());
            if unit.is_none_or(|unit| !graph.unit(unit).realized.exists) {
                self.reference.leave_alone(path);
            }
        }
        let directory = format!("{}/", self.world.manager().config().unit_paths.transient);
        for (file, _) in self.world.backend().store().below(&directory) {
            self.reference.find_record(&file[directory.len()..]);
        }
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
        self.checks.hash_memory(state);
    }

    fn take_visible(&mut self) -> Result<(), Violation> {
        while let Some(visible) = self.world.take_visible() {
            self.after(&Past::Told(&visible))?;
            match &visible {
                Visible::Reply { call, result } => drop(self.reference.answered(*call, result)),
                Visible::Signal { message, .. } => match (message.member, message.body.as_slice()) {
                    ("JobRemoved", [Value::U32(job), _, Value::Str(unit), Value::Str(result)]) => {
                        self.reference.job_removed(*job, unit, result);
                    }
                    ("Reloading", [Value::Bool(begins)]) => self.is_reloading = *begins,
                    // A reload says of each unit that it goes, and goes on with all of them.
                    ("UnitRemoved", [Value::Str(unit), _]) if !self.is_reloading => self.reference.unit_removed(unit),
                    _ => {}
                },
                Visible::Message(_) => {}
            }
        }
        Ok(())
    }

    /// Processes that have ended are no longer anywhere; process 1 waits for its children.
    fn see_who_died(&mut self) {
        let kernel = self.world.backend_mut().kernel_mut();
        while let Some(pid) = kernel.zombie_child(Kernel::INIT) {
            let _ = kernel.reap(Kernel::INIT, pid);
        }
        let kernel = self.world.backend().kernel();
        let gone = self.reference.homes().map(|(pid, _)| pid).filter(|pid| kernel.state(*pid) != Some(State::Alive));
        let gone: Vec<i32> = gone.collect();
        gone.into_iter().for_each(|pid| self.reference.died(pid));
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

fn prepare(world: &mut World, options: &Options) {
    if let Some(mutant) = options.mutant {
        world.break_with(mutant);
    }
    if options.trace {
        world.start_trace();
    }
    world.check_invariants(!options.unwatched);
}

/// A machine: which kernel, which controllers.
fn draw_world(choice: &mut dyn Choice) -> World {
    let versions = [Version::V6_12, Version::V6_1, Version::V6_18, Version::V7_3];
    let mut kernel = kernel::Config::of(versions[choice.below(4) as usize]);
    kernel.kill_at_birth = false;
    kernel.immediate = choice.below(2) == 0;
    if choice.below(2) == 1 {
        kernel.pid_max = PIDS_FEW;
    }
    let mut config = Config::example();
    let enabled = [ControllerMask::empty(), ControllerMask::MEMORY | ControllerMask::PIDS, ControllerMask::all()];
    config.root_enabled = enabled[choice.below(3) as usize];
    World::new(config, kernel)
}
