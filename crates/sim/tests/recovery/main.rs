//! The arbiter is killed without a warning after every step of a story, and its successor after every step of the
//! recovery. Whatever was promised is as it was; what was not, is as before or as it was to be.

mod facts;
mod story;

use cgarbiter_core::event::{Answer, CgroupEvents, Question};
use cgarbiter_core::names::UnitType;
use cgarbiter_core::unit::State;
use cgarbiter_sim::world::Move;
use facts::Facts;
use story::{STEPS, Story};

/// More time than any deadline of the story takes, but for the stop of the last scope.
const MOMENT_USEC: u64 = 500_000;
/// Enough for that, too.
const LONG_USEC: u64 = 10_000_000;

/// Things happen until kernel or store are others than before: where it makes a difference whether the arbiter dies.
/// False when nothing happens for a moment.
fn step(story: &mut Story) -> bool {
    while let Some(next) = story.world.moves().next() {
        story.world.make(next);
        if matches!(next, Move::Plan | Move::Kernel) {
            return true;
        }
    }
    story.world.pass_to_deadline(MOMENT_USEC)
}

fn settle(story: &mut Story) {
    while step(story) {}
}

/// What holds before and after each call of the story, when all is quiet.
fn promises() -> Vec<Facts> {
    let mut story = Story::begin();
    let mut facts = vec![Facts::of(&story)];
    for (at, name) in STEPS.iter().enumerate() {
        story.ask(at);
        settle(&mut story);
        assert_eq!(story.replied(), Some(true), "{name}");
        facts.push(Facts::of(&story));
    }
    facts
}

/// The story stopped at every step, in the middle of the call of that number.
fn every_moment(mut visit: impl FnMut(usize, usize, &Story)) {
    let mut story = Story::begin();
    for at in 0..STEPS.len() {
        story.ask(at);
        let mut steps = 0;
        while step(&mut story) {
            steps += 1;
            visit(at, steps, &story);
        }
        story.replied();
    }
}

/// After everything has come to rest: nothing is neither as it was nor as it was to be.
fn check(story: &Story, at: usize, promises: &[Facts], moment: &dyn Fn() -> String) {
    facts::check_controllers(&story.world);
    let facts = Facts::of(story);
    let mut wrong = facts.neither(&promises[at], &promises[at + 1]);
    if STEPS[at] == "oneshot service that remains" && facts::state(&story.world, "o.service") == Some("failed") {
        // Its process ended, and nobody was there to hear that all went well.
        wrong.retain(|line| !line.starts_with("o.service"));
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", moment());
}

#[test]
fn a_crash_at_any_step_loses_nothing_that_was_promised() {
    let promises = promises();
    let mut crashes = 0;
    every_moment(|at, steps, story| {
        let mut story = story.clone();
        story.world.crash();
        settle(&mut story);
        check(&story, at, &promises, &|| format!("crash after step {steps} of: {}", STEPS[at]));
        finish(story, at);
        crashes += 1;
    });
    assert!(crashes > 60, "only {crashes} moments");
}

#[test]
fn the_first_who_asks_sees_no_scope_that_nobody_is_in() {
    let mut seen = 0;
    every_moment(|at, steps, story| {
        let mut story = story.clone();
        story.world.crash();
        let graph = story.world.manager().graph();
        let up = graph.iter().filter(|(_, unit)| unit.unit_type() == UnitType::Scope && unit.state == State::Running);
        let places: Vec<_> = up.filter_map(|(id, _)| graph.cgroup_path(id)).collect();
        for cgroup in places {
            let events = story.world.backend_mut().answer(&Question::Events(cgroup.clone()));
            let populated = matches!(events, Answer::Events(Some(CgroupEvents { populated: true, .. })));
            assert!(populated, "{} after step {steps} of: {}", cgroup.as_str(), STEPS[at]);
            seen += 1;
        }
    });
    assert!(seen > 60, "only {seen} scopes");
}

#[test]
fn a_crash_at_any_step_of_the_recovery_changes_nothing() {
    let promises = promises();
    every_moment(|at, steps, story| {
        let mut recovering = story.clone();
        recovering.world.crash();
        let mut more = 0;
        while step(&mut recovering) {
            more += 1;
            let mut story = recovering.clone();
            story.world.crash();
            settle(&mut story);
            check(&story, at, &promises, &|| {
                format!("crash after step {steps} of: {}, and after step {more} of the recovery", STEPS[at])
            });
        }
    });
}

/// A stop that had begun comes to its end in its time, whoever carries it on.
fn finish(mut story: Story, at: usize) {
    if STEPS[at] == "stop of one that ignores it" && facts::state(&story.world, "d.scope") != Some("running") {
        story.world.advance(LONG_USEC);
        assert_eq!(facts::state(&story.world, "d.scope"), Some("failed"));
        assert!(!story.lives(3));
    }
}
