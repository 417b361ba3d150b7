//! Replays what systemd answered: scenarios of calls, kills and looks, in virtual time, without a bus. Each step that
//! carries a recorded outcome counts once, and agrees when every recorded field agrees.
//!
//! A scenario runs on its own copy of a world that has just come up, so none can spoil another.

mod act;
mod compare;
mod json;
mod machine;
mod observe;
mod player;
mod score;
mod symbols;

pub use score::{Difference, Expected, Score};

use super::BadLine;
use crate::world::World;
use compare::Object;
use serde_json::Value as Json;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One file of vectors.
#[derive(Clone, Debug)]
pub struct File {
    /// Facts of the machine it was recorded on.
    header: Object,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// A sequence of steps, independent of all others.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `group/what`.
    pub name: String,
    /// The rules it belongs to.
    pub group: String,
    /// Occurs in the name of each of its units.
    prefix: String,
    /// Shows behaviour that need not be copied.
    quirk: Option<String>,
    steps: Vec<Object>,
}

/// What to replay, and how much to tell.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave out what is labelled with a quirk.
    pub no_quirks: bool,
    /// Only scenarios whose name or group contains this.
    pub only: Option<String>,
    /// Record everything that happens.
    pub trace: bool,
}

impl File {
    /// Reads the lines of a vector file.
    ///
    /// # Errors
    /// When a line is no JSON, or misses a name, group, prefix or steps.
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let mut file = Self { header: Object::new(), scenarios: Vec::new() };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let bad = |reason: &str| BadLine { line: number + 1, reason: reason.to_owned() };
            let json: Json = serde_json::from_str(line).map_err(|error| bad(&error.to_string()))?;
            match json.get("header").and_then(Json::as_object) {
                Some(header) => file.header = header.clone(),
                None => file.scenarios.push(Scenario::parse(&json).ok_or_else(|| bad("no scenario"))?),
            }
        }
        Ok(file)
    }

    /// Replays the chosen scenarios.
    pub fn replay(&self, options: &Options, score: &mut Score) {
        let ready = machine::boot(&self.header);
        let chosen = |scenario: &&Scenario| match &options.only {
            Some(only) => scenario.name.contains(only) || scenario.group == *only,
            None => true,
        };
        for scenario in self.scenarios.iter().filter(chosen) {
            if options.no_quirks && scenario.quirk.is_some() {
                score.skip();
                continue;
            }
            score.begin(scenario);
            scenario.replay(&ready, options, score);
        }
    }
}

impl Scenario {
    fn parse(json: &Json) -> Option<Self> {
        let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
        let steps = json.get("steps")?.as_array()?.iter().map(|step| step.as_object().cloned());
        Some(Self {
            name: text("name")?,
            group: text("group")?,
            prefix: text("prefix")?,
            quirk: text("quirk"),
            steps: steps.collect::<Option<_>>()?,
        })
    }

    fn replay(&self, ready: &machine::Ready, options: &Options, score: &mut Score) {
        let mut player = player::Player::new(ready, &self.prefix);
        if options.trace {
            player.world.start_trace();
        }
        let mut broken = None;
        for (number, step) in self.steps.iter().enumerate() {
            let got = match &broken {
                Some(reason) => Err(String::clone(reason)),
                None => run(&mut player, step),
            };
            if let Err(reason) = &got
                && reason.starts_with("panic")
            {
                broken = Some(reason.clone());
            }
            if options.trace {
                score.trace(number, step, player.world.take_trace());
            }
            if !(options.no_quirks && step.contains_key("quirk")) {
                score.step(self, number, step, got);
            }
        }
    }
}

/// One step; a failed assertion of ours ends the scenario but not the replay.
fn run(player: &mut player::Player, step: &Object) -> Result<Object, String> {
    let result = catch_unwind(AssertUnwindSafe(|| player.run(step)));
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// A copy of the world as it is before each scenario, for those who want to look around.
#[must_use]
pub fn world_of(file: &File) -> World {
    machine::boot(&file.header).world
}
