//! Counting: which steps agree, per group and in all, and the floors below which a group may not fall.

use super::Scenario;
use super::compare::{Object, differences, observes};
use super::json::Brief;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

/// A step that did not come out as recorded.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which scenario.
    pub scenario: String,
    /// Which of its steps, from 0.
    pub step: usize,
    /// What was to be done, in brief.
    pub what: String,
    /// Each difference as a line.
    pub lines: Vec<String>,
}

/// Steps and scenarios that agree and differ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Steps as recorded.
    pub agree: usize,
    /// Steps not as recorded.
    pub differ: usize,
    /// Scenarios in which something differs.
    pub scenarios_differ: usize,
    /// All scenarios.
    pub scenarios: usize,
}

/// How many steps agree, and what differs.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// By group.
    pub groups: BTreeMap<String, Count>,
    /// Everything that differs, in order.
    pub differences: Vec<Difference>,
    /// Scenarios left out.
    pub skipped: usize,
    /// What happened, step by step, when that was asked for.
    pub traces: Vec<String>,
}

impl Score {
    pub(super) fn begin(&mut self, scenario: &Scenario) {
        self.groups.entry(scenario.group.clone()).or_default().scenarios += 1;
    }

    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    pub(super) fn trace(&mut self, number: usize, step: &Object, lines: Vec<String>) {
        self.traces.push(format!("== step {number} {}", brief(step)));
        self.traces.extend(lines);
    }

    pub(super) fn step(&mut self, scenario: &Scenario, number: usize, step: &Object, got: Result<Object, String>) {
        let lines = match got {
            Ok(_) if !observes(step) => return,
            Ok(got) => differences(step, &got),
            Err(reason) => vec![reason],
        };
        let count = self.groups.entry(scenario.group.clone()).or_default();
        if lines.is_empty() {
            count.agree += 1;
            return;
        }
        count.differ += 1;
        if self.differences.last().is_none_or(|last| last.scenario != scenario.name) {
            count.scenarios_differ += 1;
        }
        let (scenario, what) = (scenario.name.clone(), brief(step));
        self.differences.push(Difference { scenario, step: number, what, lines });
    }

    /// All groups together.
    #[must_use]
    pub fn total(&self) -> Count {
        self.groups.values().fold(Count::default(), |sum, count| Count {
            agree: sum.agree + count.agree,
            differ: sum.differ + count.differ,
            scenarios_differ: sum.scenarios_differ + count.scenarios_differ,
            scenarios: sum.scenarios + count.scenarios,
        })
    }
}

/// The inputs of a step that tell a reader which one it is.
fn brief(step: &Object) -> String {
    let keys = ["op", "member", "args", "unit", "path", "under", "proc", "sig"];
    let shown = keys.iter().filter_map(|key| step.get(*key).map(|value| ((*key).to_owned(), value.clone())));
    Brief(&Json::Object(shown.collect())).to_string()
}

impl Count {
    /// Part of the steps that agree, in percent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        let all = (self.agree + self.differ).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a few thousand steps")]
        let part = self.agree as f64 / all as f64;
        100.0 * part
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fine, all) = (self.scenarios - self.scenarios_differ, self.scenarios);
        write!(
            f,
            "{:>6} agree {:>6} differ ({:.1} %), {fine} of {all} scenarios agree",
            self.agree,
            self.differ,
            self.percent()
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} step {}: {}", self.scenario, self.step, self.what)?;
        self.lines.iter().take(4).try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// What is expected of a replay: a floor for each group, and steps that differ on purpose.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Percent of the steps of a group that agree at least.
    #[serde(default)]
    pub floors: BTreeMap<String, f64>,
    /// Differences on purpose.
    #[serde(default)]
    pub differs: Vec<OnPurpose>,
}

/// Steps that differ on purpose, for one reason.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnPurpose {
    /// Why.
    pub reason: String,
    /// Which steps of which scenarios; an empty list means all.
    pub steps: BTreeMap<String, Vec<usize>>,
}

impl Expected {
    /// Differences that are not on purpose.
    pub fn unexpected<'a>(&'a self, score: &'a Score) -> impl Iterator<Item = &'a Difference> {
        score.differences.iter().filter(|difference| !self.differs.iter().any(|known| known.covers(difference)))
    }

    /// Groups that have fallen below their floor, one line each.
    #[must_use]
    pub fn below_floor(&self, score: &Score) -> Vec<String> {
        let fallen = |(group, count): (&String, &Count)| {
            let floor = *self.floors.get(group)?;
            let percent = count.percent();
            (percent < floor).then(|| format!("{group}: {percent:.2} % is below {floor} %"))
        };
        score.groups.iter().filter_map(fallen).collect()
    }
}

impl Expected {
    /// Steps that were to differ and do not, one line each.
    #[must_use]
    pub fn stale(&self, score: &Score) -> Vec<String> {
        let differs = |scenario: &str, step: usize| {
            score.differences.iter().any(|found| found.scenario == scenario && found.step == step)
        };
        let all = self.differs.iter().flat_map(|known| &known.steps);
        let steps = all.flat_map(|(scenario, steps)| steps.iter().map(move |step| (scenario, *step)));
        steps
            .filter(|(scenario, step)| !differs(scenario, *step))
            .map(|(name, step)| format!("{name} {step}"))
            .collect()
    }
}

impl OnPurpose {
    fn covers(&self, difference: &Difference) -> bool {
        let steps = self.steps.get(&difference.scenario);
        steps.is_some_and(|steps| steps.is_empty() || steps.contains(&difference.step))
    }
}
