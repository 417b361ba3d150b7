//! Transactions as lists of jobs, from ties and states.

use super::*;
use crate::graph::Edge;
use crate::graph::example::Example;
use crate::unit::{LoadState, State};
use JobMode::{Fail, Flush, IgnoreDependencies, IgnoreRequirements, Isolate, Replace, ReplaceIrreversibly};
use JobType::{Restart, Start, Stop};
use alloc::boxed::Box;
use alloc::string::{String, ToString};

/// The jobs of a transaction as text, or the kind of refusal.
fn jobs(example: &Example, unit: &str, kind: JobType, mode: JobMode) -> Result<String, RefusalKind> {
    let built = build(&example.graph, &example.jobs, example.id(unit), kind, mode).map_err(|refusal| refusal.kind)?;
    let text = |(unit, kind): &(UnitId, JobType)| format!("{} {}", kind.as_str(), example.graph.unit(*unit).name);
    Ok(built.jobs.iter().map(text).collect::<Vec<_>>().join(", "))
}

fn ok(text: &str) -> Result<String, RefusalKind> {
    Ok(text.to_string())
}

fn set_load(example: &mut Example, unit: &str, load: LoadState) {
    let id = example.id(unit);
    example.graph.unit_mut(id).load = load;
}

#[test]
fn a_start_pulls_in_what_is_required_and_wanted_and_all_that_they_pull_in() {
    let example = Example::of(&["a.service", "b.service", "c.service", "d.service", "e.slice"])
        .tie("a.service", Edge::Requires, "b.service")
        .tie("b.service", Edge::Wants, "c.service")
        .inside("c.service", "e.slice");
    let all = "start a.service, start b.service, start c.service, start e.slice";
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok(all));
    for mode in [IgnoreDependencies, IgnoreRequirements] {
        assert_eq!(jobs(&example, "a.service", Start, mode), ok("start a.service"));
    }
    // What is up already needs no job, and what it pulls in is not asked for by anybody.
    let example = example.state("b.service", State::Running);
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok("start a.service"));
}

#[test]
fn what_cannot_be_loaded_refuses_who_requires_it_and_not_who_wants_it() {
    let rows = [
        (LoadState::NotFound, RefusalKind::NoSuchUnit),
        (LoadState::BadSetting, RefusalKind::BadUnitSetting),
        (LoadState::Masked, RefusalKind::UnitMasked),
        (LoadState::Stub, RefusalKind::LoadFailed),
        (LoadState::Error, RefusalKind::LoadFailed),
    ];
    for (load, refusal) in rows {
        let mut example = Example::of(&["a.service", "b.service", "w.service"])
            .tie("a.service", Edge::Requires, "b.service")
            .tie("w.service", Edge::Wants, "b.service");
        set_load(&mut example, "b.service", load);
        assert_eq!(jobs(&example, "a.service", Start, Replace), Err(refusal), "{load:?}");
        assert_eq!(jobs(&example, "w.service", Start, Replace), ok("start w.service"), "{load:?}");
        let stop = jobs(&example.state("b.service", State::Running), "b.service", Stop, Replace);
        let may_stop = load != LoadState::Stub;
        assert_eq!(stop.is_ok(), may_stop, "{load:?}: what has no file any more can still be stopped");
    }
}

#[test]
fn the_reason_of_a_damaged_unit_is_handed_on() {
    let mut example = Example::of(&["a.service"]);
    set_load(&mut example, "a.service", LoadState::Error);
    let reason = Refusal::new(RefusalKind::IoError, "its record is damaged");
    let id = example.id("a.service");
    example.graph.unit_mut(id).load_error = Some(Box::new(reason.clone()));
    let refused = build(&example.graph, &example.jobs, id, Start, Replace);
    assert_eq!(refused.map(|built| built.jobs), Err(reason));
}

#[test]
fn a_stop_takes_along_members_and_who_needs_it() {
    let example = Example::of(&["a.slice", "x.scope", "y.service", "z.service"])
        .inside("x.scope", "a.slice")
        .tie("y.service", Edge::Requires, "x.scope")
        .tie("z.service", Edge::Wants, "x.scope")
        .state("a.slice", State::Active)
        .state("x.scope", State::Running)
        .state("y.service", State::Running)
        .state("z.service", State::Running);
    assert_eq!(jobs(&example, "a.slice", Stop, Replace), ok("stop a.slice, stop x.scope, stop y.service"));
    // Who is down is not stopped.
    let example = example.state("y.service", State::Dead);
    assert_eq!(jobs(&example, "a.slice", Stop, Replace), ok("stop a.slice, stop x.scope"));
}

#[test]
fn a_restart_restarts_who_needs_it_and_is_up() {
    let example = Example::of(&["a.service", "up.service", "down.service"])
        .tie("up.service", Edge::Requires, "a.service")
        .tie("down.service", Edge::Requires, "a.service")
        .state("a.service", State::Running)
        .state("up.service", State::Running);
    assert_eq!(jobs(&example, "a.service", Restart, Replace), ok("restart a.service, restart up.service"));
}

#[test]
fn a_conflict_stops_the_other_and_a_wanted_stop_gives_way_in_mode_fail() {
    let both = Example::of(&["a.service", "b.service"]).state("b.service", State::Running);
    let mine = both.tie("a.service", Edge::Conflicts, "b.service");
    for mode in [Replace, Fail] {
        assert_eq!(jobs(&mine, "a.service", Start, mode), ok("start a.service, stop b.service"));
    }
    let theirs = Example::of(&["a.service", "b.service"])
        .tie("b.service", Edge::Conflicts, "a.service")
        .state("b.service", State::Running);
    assert_eq!(jobs(&theirs, "a.service", Start, Replace), ok("start a.service, stop b.service"));
    assert_eq!(jobs(&theirs, "a.service", Start, Fail), ok("start a.service"));
}

#[test]
fn jobs_that_contradict_each_other_are_refused_when_both_matter() {
    let example = |tie| {
        Example::of(&["a.service", "b.service", "c.service", "d.service"])
            .tie("a.service", Edge::Requires, "b.service")
            .tie("a.service", tie, "c.service")
            .tie("c.service", Edge::Conflicts, "b.service")
            .tie("c.service", Edge::Requires, "d.service")
            .state("b.service", State::StopSigterm)
    };
    let conflicting = Err(RefusalKind::TransactionJobsConflicting);
    assert_eq!(jobs(&example(Edge::Requires), "a.service", Start, Replace), conflicting);
    assert_eq!(jobs(&example(Edge::Wants), "a.service", Start, Replace), ok("start a.service, start b.service"));
}

#[test]
fn a_job_of_the_opposite_kind_is_replaced_unless_the_mode_or_the_job_forbids_it() {
    let example = || Example::of(&["a.service"]).state("a.service", State::Running).job("a.service", Stop);
    assert_eq!(jobs(&example(), "a.service", Start, Replace), ok("start a.service"));
    assert_eq!(jobs(&example(), "a.service", Stop, Fail), ok("stop a.service"));
    let destructive = Err(RefusalKind::TransactionIsDestructive);
    assert_eq!(jobs(&example(), "a.service", Start, Fail), destructive);
    let mut irreversible = example();
    let id = irreversible.jobs.of_unit(irreversible.id("a.service")).expect("it was installed").id;
    irreversible.jobs.get_mut(id).expect("it is there").irreversible = true;
    assert_eq!(jobs(&irreversible, "a.service", Start, Replace), destructive);
    assert_eq!(jobs(&irreversible, "a.service", Stop, Replace), ok("stop a.service"));
}

#[test]
fn a_cycle_is_broken_where_it_does_not_matter_and_refused_otherwise() {
    let example = |tie| {
        Example::of(&["a.service", "b.service"])
            .tie("a.service", tie, "b.service")
            .tie("a.service", Edge::After, "b.service")
            .tie("b.service", Edge::After, "a.service")
    };
    assert_eq!(jobs(&example(Edge::Wants), "a.service", Start, Replace), ok("start a.service"));
    let cyclic = Err(RefusalKind::TransactionOrderIsCyclic);
    assert_eq!(jobs(&example(Edge::Requires), "a.service", Start, Replace), cyclic);
}

#[test]
fn who_requires_what_was_dropped_is_dropped_and_nobody_else() {
    let example = Example::of(&["a.service", "b.service", "c.service", "d.service", "e.service"])
        .tie("a.service", Edge::Wants, "b.service")
        .tie("b.service", Edge::Requires, "c.service")
        .tie("b.service", Edge::After, "c.service")
        .tie("c.service", Edge::After, "b.service")
        .tie("a.service", Edge::Requires, "d.service")
        .tie("d.service", Edge::Requires, "e.service");
    let left = "start a.service, start d.service, start e.service";
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok(left));
    // `d` wants what is dropped, and goes on without it.
    let example = example.tie("d.service", Edge::Wants, "b.service");
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok(left));
}

#[test]
fn what_is_starting_already_is_asked_for_once_more_in_mode_fail() {
    let example = Example::of(&["a.service", "b.service"])
        .tie("a.service", Edge::Wants, "b.service")
        .state("b.service", State::Start);
    assert_eq!(jobs(&example, "a.service", Start, Fail), ok("start a.service, start b.service"));
}

#[test]
fn what_others_ask_for_as_well_stays_when_one_of_them_is_dropped() {
    let example = Example::of(&["a.service", "up.service", "lost.service", "both.service"])
        .tie("a.service", Edge::Requires, "up.service")
        .tie("up.service", Edge::Requires, "lost.service")
        .tie("lost.service", Edge::Requires, "both.service")
        .tie("a.service", Edge::Requires, "both.service")
        .state("up.service", State::Running);
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok("start a.service, start both.service"));
}

#[test]
fn of_two_that_are_only_wanted_the_one_that_declares_the_conflict_stays() {
    let example = |from, to| {
        Example::of(&["a.service", "x.service", "y.service"])
            .tie("a.service", Edge::Wants, "x.service")
            .tie("a.service", Edge::Wants, "y.service")
            .tie(from, Edge::Conflicts, to)
            .state("x.service", State::StopSigterm)
            .state("y.service", State::StopSigterm)
    };
    let y = jobs(&example("y.service", "x.service"), "a.service", Start, Replace);
    assert_eq!(y, ok("start a.service, start y.service, stop x.service"));
    let x = jobs(&example("x.service", "y.service"), "a.service", Start, Replace);
    assert_eq!(x, ok("start a.service, start x.service, stop y.service"));
}

#[test]
fn isolate_stops_other_services_that_are_up_and_nothing_else() {
    let example = Example::of(&["a.service", "up.service", "down.service", "x.scope", "a.slice"])
        .state("up.service", State::Running)
        .state("x.scope", State::Running)
        .state("a.slice", State::Active);
    assert_eq!(jobs(&example, "a.service", Start, Isolate), ok("start a.service, stop up.service"));
}

#[test]
fn isolate_and_flush_cancel_all_other_jobs() {
    for (mode, count) in [(Isolate, 1), (Flush, 1), (Replace, 0)] {
        let example = Example::of(&["a.service", "b.scope"]).job("b.scope", Start);
        let built = build(&example.graph, &example.jobs, example.id("a.service"), Start, mode).expect("granted");
        assert_eq!(example.names(&built.cancel), ["b.scope"][..count], "{mode:?}");
    }
}

#[test]
fn two_modes_mark_their_jobs() {
    let example = Example::of(&["a.service"]);
    for mode in [Replace, ReplaceIrreversibly, IgnoreDependencies, IgnoreRequirements] {
        let built = build(&example.graph, &example.jobs, example.id("a.service"), Start, mode).expect("granted");
        assert_eq!(built.irreversible, mode == ReplaceIrreversibly);
        assert_eq!(built.ignore_order, mode == IgnoreDependencies);
    }
}

/// More than a test's thread could take, were each step of a chain a call.
const MANY: usize = 10_000;

fn many_names() -> Vec<String> {
    (0..MANY).map(|number| format!("u{number}.service")).collect()
}

/// Each requires the next, and `w.service` can do without the first.
fn chain(names: &[&str]) -> Example {
    let example = Example::of(&[names, &["w.service"]].concat()).tie("w.service", Edge::Wants, names[0]);
    names.windows(2).fold(example, |example, pair| example.tie(pair[0], Edge::Requires, pair[1]))
}

#[test]
fn a_chain_of_dependencies_may_be_of_any_length() {
    let names = many_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let example = chain(&names);
    let built = build(&example.graph, &example.jobs, example.id(names[0]), Start, Replace).expect("granted");
    assert_eq!(built.jobs, names.iter().map(|name| (example.id(name), Start)).collect::<Vec<_>>());
    // The other way round, too; and what is up hands a stop to all that need it.
    let example = names.iter().fold(example, |example, name| example.state(name, State::Running));
    let built = build(&example.graph, &example.jobs, example.id(names[MANY - 1]), Stop, Replace).expect("granted");
    assert_eq!(built.jobs.len(), MANY);
}

#[test]
fn the_end_of_a_long_chain_refuses_its_beginning() {
    let names = many_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut example = chain(&names);
    set_load(&mut example, names[MANY - 1], LoadState::NotFound);
    assert_eq!(jobs(&example, names[0], Start, Replace), Err(RefusalKind::NoSuchUnit));
    assert_eq!(jobs(&example, "w.service", Start, Replace), ok("start w.service"));
}

#[test]
fn what_a_long_chain_pulled_in_goes_when_nobody_asks_for_it() {
    let names = many_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // The second is up: nobody asks for those behind it.
    let example = chain(&names).state(names[1], State::Running);
    assert_eq!(jobs(&example, names[0], Start, Replace), ok("start u0.service"));
    // Two that ask for each other stay.
    let example = Example::of(&["a.service", "b.service", "c.service", "d.service"])
        .tie("a.service", Edge::Wants, "b.service")
        .tie("b.service", Edge::Wants, "c.service")
        .tie("c.service", Edge::Wants, "d.service")
        .tie("d.service", Edge::Wants, "c.service")
        .state("b.service", State::Running);
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok("start a.service, start c.service, start d.service"));
}

#[test]
fn any_number_of_units_may_be_required_side_by_side() {
    let names = many_names();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let example = all[1..].iter().fold(Example::of(&all), |example, name| example.tie(all[0], Edge::Requires, name));
    let built = build(&example.graph, &example.jobs, example.id(all[0]), Start, Replace).expect("granted");
    assert_eq!(built.jobs.len(), all.len());
}

#[test]
fn what_cannot_be_looked_at_or_stopped_refuses_who_needs_that() {
    for edge in [Edge::Requisite, Edge::Conflicts] {
        let mut example = Example::of(&["a.service", "b.service"]).tie("a.service", edge, "b.service");
        set_load(&mut example, "b.service", LoadState::Stub);
        assert_eq!(jobs(&example, "a.service", Start, Replace), Err(RefusalKind::LoadFailed), "{edge:?}");
    }
    let mut example = Example::of(&["x.scope", "y.service"])
        .tie("y.service", Edge::Requires, "x.scope")
        .state("x.scope", State::Running)
        .state("y.service", State::Running);
    set_load(&mut example, "y.service", LoadState::Stub);
    assert_eq!(jobs(&example, "x.scope", Stop, Replace), Err(RefusalKind::LoadFailed));
}

#[test]
fn a_conflict_with_what_is_never_stopped_is_passed_over() {
    let mut example = Example::of(&["a.service", "b.slice"]).tie("a.service", Edge::Conflicts, "b.slice");
    example = example.state("b.slice", State::Active);
    let id = example.id("b.slice");
    example.graph.unit_mut(id).perpetual = true;
    assert_eq!(jobs(&example, "a.service", Start, Replace), ok("start a.service"));
}

#[test]
fn isolate_spares_what_it_starts() {
    let example = Example::of(&["a.service", "b.service"])
        .tie("a.service", Edge::Requires, "b.service")
        .state("b.service", State::Start);
    assert_eq!(jobs(&example, "a.service", Start, Isolate), ok("start a.service, start b.service"));
}

#[test]
fn what_is_perpetual_is_not_stopped() {
    let mut example = Example::of(&["a.slice", "b.slice"]).inside("b.slice", "a.slice").state("b.slice", State::Active);
    let id = example.id("b.slice");
    example.graph.unit_mut(id).perpetual = true;
    assert_eq!(jobs(&example, "b.slice", Stop, Replace), Err(RefusalKind::JobTypeNotApplicable));
    let example = example.state("a.slice", State::Active);
    assert_eq!(jobs(&example, "a.slice", Stop, Replace), ok("stop a.slice"));
}
