//! How a run is to be made, and how it has ended.

use crate::check::Violation;
use crate::exhaustive::Size;
use crate::mutants::Mutant;
use crate::seen::Seen;
use std::any::Any;
use std::collections::BTreeMap;

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
    /// What has come, by kind.
    pub seen: Seen,
    /// How much the oracles and the reference remember in the end.
    pub size: usize,
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
