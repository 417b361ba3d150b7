//! The search engine: a few hundred seeds hold, each oracle notices what it is there for, the same choices give the
//! same run, and nothing grows with its length. What was found is told in `found.rs`.

use cgarbiter_sim::choice::{Bytes, Exhaustive, Seeded};
use cgarbiter_sim::mutants::Mutant;
use cgarbiter_sim::run::{Options, run};
use cgarbiter_sim::seen::Seen;
use cgarbiter_sim::story::{Story, run_seed};

const SEEDS: u64 = 500;
const ELSEWHERE: [&str; 2] = ["MoveFile", "RemoveEmpty"];

#[test]
fn seeds_hold() {
    let options = Options { steps: 150, ..Options::default() };
    let (mut plan_steps, mut rests) = (0, 0);
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        let ended = run_seed(seed, &options);
        assert_eq!(ended.failure, None, "cgarbiter-sim run --seed {seed} --steps {}", options.steps);
        plan_steps += ended.plan_steps;
        rests += ended.rests;
        seen.add(&ended.seen);
    }
    // What is damaged is put aside, and what was installed is removed, in worlds of their own (`crash`, `unit_files`).
    let missing: Vec<&str> = seen.missing().into_iter().filter(|kind| !ELSEWHERE.contains(kind)).collect();
    assert!(missing.is_empty(), "no seed brings {missing:?}");
    assert!(plan_steps > SEEDS * 15 && rests > SEEDS * 5, "too little happens: {plan_steps} steps, {rests} rests");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let options = Options { steps: 200, trace: true, ..Options::default() };
    let (one, two) = (run_seed(11, &options), run_seed(11, &options));
    assert_eq!(one.trace, two.trace);
    let replayed = Story::of_seed(11, &options).tell(true);
    assert_eq!(replayed.trace, one.trace);
    assert_ne!(run_seed(12, &options).trace, one.trace);
}

#[test]
fn every_mutant_is_noticed_by_its_oracle_and_by_no_other() {
    for mutant in Mutant::ALL {
        let options = Options { steps: 300, mutant: Some(mutant), faultless: true, ..Options::default() };
        let mut failures = (0..60).filter_map(|seed| run_seed(seed, &options).failure);
        let kind = failures.next().map(|failure| failure.kind()).unwrap_or_default();
        assert_eq!(kind.split(' ').nth(1), Some(mutant.oracle()), "{}: {kind:?}", mutant.name());
    }
}

#[test]
fn nothing_grows_with_the_length_of_a_run() {
    let size = |steps| run(&mut Seeded::new(5), &Options { steps, ..Options::default() }).size;
    let (short, long) = (size(500), size(8_000));
    assert!(long < 4 * short.max(200), "{short} things are remembered after 500 steps, {long} after 8000");
}

#[test]
fn bytes_and_lists_drive_a_run_as_seeds_do() {
    let options = Options { steps: 40, ..Options::default() };
    let bytes: Vec<u8> = (0..=255).cycle().map(|byte: u8| byte.wrapping_mul(37)).take(600).collect();
    assert_eq!(run(&mut Bytes::new(&bytes), &options).failure, None);
    // The shortest runs, each with another beginning.
    let mut choice = Exhaustive::new(5);
    let (mut runs, options) = (0, Options { steps: 2, ..Options::default() });
    loop {
        assert_eq!(run(&mut choice, &options).failure, None);
        runs += 1;
        if !choice.advance() {
            break;
        }
    }
    assert!(runs > 40, "{runs}");
}
