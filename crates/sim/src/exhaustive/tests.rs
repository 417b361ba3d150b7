//! Worlds with the same fingerprint behave alike, others do not; and the search finds what it should.

use super::scene::Scene;
use super::{Deed, Fingerprint, Found, Limits, Size, explore};
use crate::choice::{Choice, Seeded};
use crate::mutants::Mutant;
use crate::run::{Failure, Options};
use std::collections::BTreeMap;

fn scene(is_up: bool) -> Scene {
    let options = Options { faultless: true, trace: true, ..Options::default() };
    Scene::new(Size::FULL, is_up, &options).expect("a world to begin with")
}

/// As many deeds as a seed draws, the world's own moves as often as others.
fn walk(seed: u64, steps: u32) -> (Scene, Vec<Deed>) {
    let mut choice = Seeded::new(seed);
    let mut scene = scene(choice.below(2) == 1);
    let mut way = Vec::new();
    for _ in 0..steps {
        let deed = draw(&mut choice, &scene);
        scene.take(deed).expect("nothing is wrong");
        way.push(deed);
    }
    (scene, way)
}

fn draw(choice: &mut Seeded, scene: &Scene) -> Deed {
    let deeds = scene.deeds();
    let own = deeds.iter().filter(|deed| deed.is_own_move()).count();
    let among = if own > 0 && choice.below(4) != 0 { own } else { deeds.len() };
    deeds[choice.below(u32::try_from(among).expect("few")) as usize]
}

/// What was seen, without names: numbers and identities.
fn seen(scene: &mut Scene) -> String {
    let text = scene.run.world.take_trace().join("\n");
    let mut masked = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (body, end) = word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        let is_identity = body.len() == 32 && body.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_digit());
        masked.push_str(if is_identity || is_number { "#" } else { body });
        masked.push_str(end);
    }
    masked
}

#[test]
fn worlds_that_are_taken_for_one_behave_alike() {
    let mut met: BTreeMap<Fingerprint, (Scene, Vec<Deed>)> = BTreeMap::new();
    let mut compared = 0;
    for seed in 0..600 {
        let (scene, way) = walk(seed, 4 + u32::try_from(seed % 9).expect("few"));
        match met.get(&scene.fingerprint()) {
            Some((other, other_way)) if *other_way != way => {
                compared += 1;
                go_on_alike(seed, scene, other.clone());
            }
            Some(_) => {}
            None => drop(met.insert(scene.fingerprint(), (scene, way))),
        }
    }
    assert!(compared >= 30, "only {compared} pairs came the same world by different ways");
}

/// The same deeds are possible, lead to the same worlds, and show the same.
fn go_on_alike(seed: u64, mut one: Scene, mut other: Scene) {
    // Only what comes from now on is compared.
    drop((one.run.world.take_trace(), other.run.world.take_trace()));
    let mut choice = Seeded::new(seed ^ 0xa11ce);
    for step in 0..40 {
        assert_eq!(one.deeds(), other.deeds(), "seed {seed}, step {step}");
        let deed = draw(&mut choice, &one);
        let outcomes = [one.take(deed), other.take(deed)];
        assert_eq!(outcomes[0], outcomes[1], "seed {seed}, step {step}: {deed:?}");
        assert_eq!(seen(&mut one), seen(&mut other), "seed {seed}, step {step}: {deed:?}");
        assert_eq!(one.fingerprint(), other.fingerprint(), "seed {seed}, step {step}: {deed:?}");
    }
}

fn after(is_up: bool, deeds: &[Deed]) -> Scene {
    let mut scene = scene(is_up);
    deeds.iter().for_each(|deed| scene.take(*deed).expect("nothing is wrong"));
    scene
}

#[test]
fn worlds_that_differ_in_something_that_matters_are_told_apart() {
    use Deed::{Client, Crash, Enter, Exit, Fork, Kill, Own, Plan, Reload, Set, Start, Stop};
    // Each differs from all others: in what is on its way, wanted, promised, planned, done, alive, on disk.
    let ways: [&[Deed]; 16] = [
        &[],
        &[Set(0, 7)],
        &[Set(0, 12)],
        &[Set(1, 7)],
        &[Set(0, 7), Client],
        &[Set(0, 7), Client, Plan],
        &[Set(3, 7), Client, Plan],
        &[Stop(0)],
        &[Kill(0)],
        &[Reload],
        &[Fork(0)],
        &[Fork(1)],
        &[Exit(5000)],
        &[Own(2)],
        &[Own(2), Enter(2)],
        &[Stop(0), Client, Plan],
    ];
    let mut met = BTreeMap::new();
    for way in ways {
        if let Some(other) = met.insert(after(true, way).fingerprint(), way) {
            panic!("{way:?} is taken for {other:?}");
        }
    }
    for way in [&[][..], &[Start(0)], &[Start(0), Client], &[Start(0), Client, Crash]] {
        if let Some(other) = met.insert(after(false, way).fingerprint(), way) {
            panic!("{way:?} is taken for {other:?}");
        }
    }
}

#[test]
fn time_that_passes_matters_only_to_deadlines() {
    let rest = scene(true);
    let mut later = rest.clone();
    later.run.world.set_time(later.run.world.now().after(7_000_000));
    assert_eq!(rest.fingerprint(), later.fingerprint(), "nothing is waited for");
    let mut stopping = after(true, &[Deed::Stop(0), Deed::Client]);
    while !stopping.deeds().contains(&Deed::Wait) {
        let deed = stopping.deeds()[0];
        stopping.take(deed).expect("nothing is wrong");
    }
    let mut later = stopping.clone();
    later.run.world.set_time(later.run.world.now().after(1));
    assert_ne!(stopping.fingerprint(), later.fingerprint(), "the deadline is nearer");
}

#[test]
fn a_crash_at_rest_changes_nothing_but_who_is_asked() {
    let mut crashed = scene(true);
    crashed.take(Deed::Crash).expect("nothing is wrong");
    let before = crashed.fingerprint();
    while crashed.deeds()[0].is_own_move() {
        let deed = crashed.deeds()[0];
        crashed.take(deed).expect("nothing is wrong");
    }
    assert_ne!(before, crashed.fingerprint(), "everything is written once more");
    let units: Vec<_> = crashed.run.world.manager().graph().iter().map(|(_, unit)| unit.name.to_string()).collect();
    assert_eq!(units, ["-.slice", "a-b.slice", "a.slice", "d.scope", "s0.scope", "s1.scope", "system.slice"]);
}

fn search(limits: &Limits) -> Found {
    explore(limits, &|_| {})
}

fn small(depth: u32) -> Limits {
    Limits { size: Size::of(1).expect("the smallest"), depth, heal_one_in: 1, ..Limits::default() }
}

#[test]
fn a_small_world_is_well_to_its_end() {
    let found = search(&small(2));
    assert_eq!(found.failure.map(|(failure, _)| failure), None);
    assert_eq!((found.completed, found.levels.iter().sum::<u64>()), (Some(2), found.worlds));
    assert!(found.worlds > 1_000 && found.covered.healed + 2 >= found.worlds, "{}", found.worlds);
    let missed: Vec<_> = Deed::NAMES.iter().zip(found.covered.done).filter(|(_, done)| *done == 0).collect();
    assert_eq!(missed, [(&"own cgroup", 0), (&"own process", 0)], "nothing is handed over here");
    for step in ["mkdir", "attach", "record", "renew", "forget", "signal", "rmdir", "watch", "pids.max", "xattr"] {
        assert!(found.covered.steps.contains_key(step), "no {step} in {:?}", found.covered.steps);
    }
}

#[test]
fn threads_and_room_make_no_difference() {
    let plain = search(&small(1));
    for limits in [Limits { jobs: 3, ..small(1) }, Limits { kept: 0, ..small(1) }] {
        let found = search(&limits);
        assert_eq!((&found.levels, &found.covered), (&plain.levels, &plain.covered));
    }
    let few = search(&Limits { worlds: 40, ..small(2) });
    assert_eq!((few.worlds, few.completed), (40, Some(0)));
}

#[test]
fn what_is_broken_on_purpose_is_found_near_by() {
    let cases = [
        (Mutant::StopsNothing, 1, 1),
        (Mutant::RepliesTwice, 3, 1),
        (Mutant::LosesNotices, 1, 1),
        (Mutant::AttachesFirst, 1, 1),
    ];
    for (mutant, size, depth) in cases {
        let size = Size::of(size).expect("there is one");
        let found = search(&Limits { size, depth, mutant: Some(mutant), heal_one_in: 1, ..Limits::default() });
        let (failure, story) = found.failure.unwrap_or_else(|| panic!("{} is not found", mutant.name()));
        let (Failure::Wrong(violation) | Failure::Stuck(violation)) = &failure else { panic!("{failure:?}") };
        assert_eq!(violation.oracle, mutant.oracle(), "{}", violation.what);
        assert_eq!(story.tell(false).failure, Some(failure), "the way there is told again");
        let text = story.to_text();
        assert_eq!(crate::story::Story::parse(&text).map(|read| read.choices), Ok(story.choices));
    }
}
