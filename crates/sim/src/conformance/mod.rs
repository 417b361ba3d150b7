//! The imagined kernel beside another one: the same operations drawn at random, step by step, and every answer
//! compared. What differs is shrunk to a scenario in the format of the kernel vectors.
//!
//! The other kernel is a real one as a rule; it is outside this library (see the program's `real` folder), because
//! nothing here makes system calls. The operations are those of `vectors/kernel/README.md`.
//!
//! Values that differ from run to run on a real machine are never asked for: [`reading`] says which files are read
//! for their keys, or for the result, alone.

mod dice;
mod generate;
mod record;
mod shrink;
mod values;

use std::fmt;

use serde_json::Value;

pub use dice::Dice;
use generate::Generator;
pub use generate::reading;
pub use record::recording;

use crate::kernel::Config;
use crate::vectors::kernel::{ANSWERS, Object, Player, first_difference, text_of};

/// One of the two that are compared.
pub trait Arm {
    /// The first line of a recording made here.
    fn machine(&self) -> Object;

    /// Begins a scenario: no cgroups, no test processes, nothing handed down, no mount options.
    ///
    /// # Errors
    /// When what the last scenario left cannot be cleared away.
    fn begin(&mut self) -> Result<(), String>;

    /// Does a step and answers as a recording would.
    fn perform(&mut self, step: &Object) -> Object;
}

/// The imagined kernel.
#[derive(Debug)]
pub struct Imagined {
    config: Config,
    pub(crate) player: Player,
}

impl Imagined {
    /// One that imitates this kernel on this machine.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { player: Player::new(config.clone()), config }
    }
}

impl Arm for Imagined {
    fn machine(&self) -> Object {
        let version = self.config.version;
        record::object(&[("op", "machine".into()), ("kernel", format!("{}.{}", version.major, version.minor).into())])
    }

    fn begin(&mut self) -> Result<(), String> {
        self.player = Player::new(self.config.clone());
        Ok(())
    }

    fn perform(&mut self, step: &Object) -> Object {
        let operation = text_of(step, "op").expect("every step has an operation");
        self.player.perform(operation, step).expect("only known operations are drawn")
    }
}

/// A step that was answered in two ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// All steps up to the one that differs.
    pub steps: Vec<Object>,
    /// What the other kernel answered to each.
    pub answers: Vec<Object>,
    /// What the imagined kernel answered to the last.
    pub imagined: Object,
}

/// The last step, and both answers to it.
impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.steps.last().expect("a step differs");
        let other = self.answers.last().expect("it was answered");
        if let (Some(expected), Some(got)) = (other.get("s"), self.imagined.get("s")) {
            let (expected, got) = first_difference(expected, got);
            return write!(f, "snapshot\n    expected {expected}\n    got      {got}");
        }
        let text = |object: &Object| Value::Object(object.clone()).to_string();
        write!(f, "{}\n    expected {}\n    got      {}", text(step), text(other), text(&self.imagined))
    }
}

/// How far a run has come.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Scenarios begun.
    pub scenarios: u64,
    /// Steps that were answered in the same way.
    pub agree: u64,
    /// Steps that were not.
    pub differ: u64,
    /// What differed, each shrunk.
    pub found: Vec<Disagreement>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} agree, {} differ in {} scenarios", self.agree, self.differ, self.scenarios)
    }
}

/// Steps of one scenario.
const LENGTH: usize = 80;

/// Runs scenarios of a seed until `go_on` says no; it is asked after each. A scenario ends at its first difference.
///
/// # Errors
/// When the other kernel cannot be brought back to the beginning.
pub fn run(
    seed: u64,
    imagined: &mut Imagined,
    other: &mut dyn Arm,
    go_on: &mut dyn FnMut(&Progress) -> bool,
) -> Result<Progress, String> {
    let mut progress = Progress::default();
    let mut seeds = Dice::new(seed);
    while go_on(&progress) {
        progress.scenarios += 1;
        let mut generator = Generator::new(Dice::new(seeds.below(1 << 48) as u64));
        let (agree, difference) = scenario(&mut generator, imagined, other)?;
        progress.agree += agree;
        if let Some(difference) = difference {
            progress.differ += 1;
            progress.found.push(shrink::shrink(difference, imagined, other)?);
        }
    }
    Ok(progress)
}

/// One scenario: how many steps agree, and the first that does not.
fn scenario(
    generator: &mut Generator,
    imagined: &mut Imagined,
    other: &mut dyn Arm,
) -> Result<(u64, Option<Disagreement>), String> {
    let mut pair = Pair::begin(imagined, other)?;
    let mut agree = 0;
    for number in 1..=LENGTH {
        let step = generator.next(&pair.imagined.player);
        if !pair.agree(step) {
            return Ok((agree, Some(pair.disagreement())));
        }
        agree += 1;
        // Who is where, populated and frozen is compared often, all the rest now and then, and at the end.
        let level = match number {
            LENGTH => "full",
            _ if number % 20 == 0 => "core",
            _ if number % 4 == 0 => "events",
            _ => continue,
        };
        if !pair.agree(record::object(&[("op", "snap".into()), ("lvl", level.into())])) {
            return Ok((agree, Some(pair.disagreement())));
        }
    }
    Ok((agree, None))
}

/// Both kernels in the same scenario.
struct Pair<'a> {
    imagined: &'a mut Imagined,
    other: &'a mut dyn Arm,
    steps: Vec<Object>,
    answers: Vec<Object>,
    last: Object,
}

impl<'a> Pair<'a> {
    fn begin(imagined: &'a mut Imagined, other: &'a mut dyn Arm) -> Result<Self, String> {
        imagined.begin()?;
        other.begin()?;
        Ok(Self { imagined, other, steps: Vec::new(), answers: Vec::new(), last: Object::new() })
    }

    /// Does the step on both. A snapshot that agrees is not kept.
    fn agree(&mut self, step: Object) -> bool {
        let answer = self.other.perform(&step);
        self.last = self.imagined.perform(&step);
        let same = ANSWERS.iter().all(|key| self.last.get(*key) == answer.get(*key));
        if !same || text_of(&step, "op") != Some("snap") {
            self.steps.push(step);
            self.answers.push(answer);
        }
        same
    }

    fn disagreement(self) -> Disagreement {
        Disagreement { steps: self.steps, answers: self.answers, imagined: self.last }
    }
}
