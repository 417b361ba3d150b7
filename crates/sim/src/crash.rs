//! The crash explorer. On every occasion on which an arbiter changes something (`crash/occasion.rs`), in a small world
//! (`crash/scenario.rs`), it is killed after every single thing that happens, and in the middle of every step that is
//! more than one system call (`backend/parts.rs`); and its successor after everything and in the middle of everything
//! that happens until it has recovered. After each, when all has come to rest, the world is held to what it was and
//! was to be (`crash/verdict.rs`).
//!
//! There is one order of things in it, the likeliest. Other orders, several requests at once and everything else that
//! goes wrong are the swarm's.

mod facts;
mod occasion;
mod scenario;
mod stage;
mod verdict;

pub use occasion::Occasion;
pub use scenario::Scenario;
pub use stage::Stage;

use crate::mutants::Mutant;
use facts::Facts;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use verdict::Promised;

/// How to explore.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Of the moments of a recovery every so many are tried; all for 0 and 1.
    pub sample: u64,
    /// The successor is not killed, too.
    pub once: bool,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
}

/// Where the arbiter was killed: after so many things, and so many parts of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Things that had happened.
    pub steps: usize,
    /// Parts of the next that had been done.
    pub parts: usize,
}

/// A failure: where the arbiter was killed, and its successor if it was, and what was wrong then.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When the arbiter was killed.
    pub first: Moment,
    /// When its successor was.
    pub second: Option<Moment>,
    /// What was wrong when all had come to rest.
    pub wrong: Vec<String>,
}

/// What came of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Things that happened, when nobody was killed.
    pub steps: usize,
    /// How often the arbiter was killed.
    pub cuts: u64,
    /// How often its successor was.
    pub second_cuts: u64,
    /// The first failure.
    pub failure: Option<Failure>,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts {
            0 => write!(f, "after step {}", self.steps),
            parts => write!(f, "after step {} and {parts} parts of the next", self.steps),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "killed {}", self.first)?;
        if let Some(second) = self.second {
            write!(f, ", and {second} of the recovery")?;
        }
        self.wrong.iter().try_for_each(|what| write!(f, "\n    {what}"))
    }
}

/// Kills the arbiter at every moment of a scenario.
#[must_use]
pub fn explore(scenario: &Scenario, options: Options) -> Row {
    let mut explorer = Explorer { scenario, options, outcomes: outcomes(scenario), moments: 0, row: Row::default() };
    let mut stage = explorer.begin(false);
    let done = every_moment(&mut stage, |moment, stage| {
        explorer.row.steps = explorer.row.steps.max(moment.steps);
        explorer.cut(moment, stage)
    });
    explorer.row.failure = done.err();
    explorer.row
}

/// Everything that happens on the way to a failure, in words.
#[must_use]
pub fn tell(scenario: &Scenario, options: Options, failure: &Failure) -> Vec<String> {
    let explorer = Explorer { scenario, options, outcomes: Vec::new(), moments: 0, row: Row::default() };
    let mut stage = explorer.begin(true);
    // Where it gives up itself, the trace ends.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        go_to(&mut stage, failure.first);
        stage.world.crash();
        if let Some(second) = failure.second {
            go_to(&mut stage, second);
            stage.world.crash();
        }
        stage.settle();
    }));
    stage.world.take_trace()
}

struct Explorer<'a> {
    scenario: &'a Scenario,
    options: Options,
    /// What was before, and what is to be.
    outcomes: Vec<Facts>,
    /// Moments of recoveries.
    moments: u64,
    row: Row,
}

impl Explorer<'_> {
    fn begin(&self, trace: bool) -> Stage {
        let mut stage = self.scenario.prepared(trace);
        if let Some(mutant) = self.options.mutant {
            stage.world.break_with(mutant);
        }
        self.scenario.act(&mut stage);
        stage
    }

    /// The arbiter is killed now.
    fn cut(&mut self, first: Moment, stage: &Stage) -> Result<(), Failure> {
        self.row.cuts += 1;
        let promised =
            Promised { kept: stage.is_kept(), heard: self.scenario.unheard.is_some_and(|unit| stage.is_over(unit)) };
        let fail = |second| move |wrong| Failure { first, second, wrong };
        let mut stage = stage.clone();
        guarded(|| {
            stage.world.crash();
            verdict::at_once(&mut stage.world)
        })
        .map_err(fail(None))?;
        if self.options.once {
            return self.judge(&mut stage, promised).map_err(fail(None));
        }
        let mut recovering = stage.clone();
        self.judge(&mut stage, promised).map_err(fail(None))?;
        every_moment(&mut recovering, |second, stage| {
            self.moments += 1;
            if !self.moments.is_multiple_of(self.options.sample.max(1)) {
                return Ok(());
            }
            self.row.second_cuts += 1;
            let mut stage = stage.clone();
            guarded(|| {
                stage.world.crash();
                Ok(())
            })
            .and_then(|()| self.judge(&mut stage, promised))
            .map_err(fail(Some(second)))
        })
    }

    /// Everything comes to rest, and is held to what was promised.
    fn judge(&self, stage: &mut Stage, promised: Promised) -> Result<(), Vec<String>> {
        guarded(|| {
            stage.settle();
            let outcomes: Vec<&Facts> = self.outcomes.iter().skip(usize::from(promised.kept)).collect();
            verdict::at_rest(self.scenario, &stage.world, &outcomes, promised)
        })
    }
}

/// What was before, and what is in the end if nobody is killed.
fn outcomes(scenario: &Scenario) -> Vec<Facts> {
    let mut stage = scenario.prepared(false);
    let before = Facts::of(&stage.world);
    scenario.act(&mut stage);
    stage.settle();
    vec![before, Facts::of(&stage.world)]
}

/// Visits a world after everything that happens in it, and within everything that has parts.
fn every_moment<E>(stage: &mut Stage, mut visit: impl FnMut(Moment, &Stage) -> Result<(), E>) -> Result<(), E> {
    for steps in 0.. {
        visit(Moment { steps, parts: 0 }, stage)?;
        for parts in 1..=stage.world.cuts_in_move() {
            let mut half_way = stage.clone();
            half_way.world.make_partly(parts);
            visit(Moment { steps, parts }, &half_way)?;
        }
        if !stage.advance() {
            break;
        }
    }
    Ok(())
}

fn go_to(stage: &mut Stage, moment: Moment) {
    for _ in 0..moment.steps {
        stage.advance();
    }
    if moment.parts > 0 {
        stage.world.make_partly(moment.parts);
    }
}

/// A program that gives up is wrong, too.
fn guarded(act: impl FnOnce() -> Result<(), Vec<String>>) -> Result<(), Vec<String>> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(vec![crate::run::text_of(panic.as_ref())]))
}
