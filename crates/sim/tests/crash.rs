//! The crash explorer: everything that changes something stands in it, nothing that was promised is lost, and what is
//! broken on purpose is noticed.

use cgarbiter_sim::crash::{Occasion, Options, Scenario, explore, tell};
use cgarbiter_sim::mutants::Mutant;

/// A few of the second cuts; the program takes all.
const SAMPLE: u64 = 50;

fn scenarios() -> impl Iterator<Item = Scenario> {
    Occasion::ALL.iter().flat_map(|occasion| occasion.scenarios())
}

#[test]
fn every_occasion_has_a_scenario_that_is_about_it() {
    for occasion in Occasion::ALL {
        assert!(!occasion.scenarios().is_empty(), "{}", occasion.word());
    }
    let mut asked = 0;
    for scenario in scenarios() {
        let mut stage = scenario.prepared(false);
        scenario.act(&mut stage);
        // What happens by itself may happen because of a call, too.
        if let Some(occasion) = stage.occasion().filter(|_| scenario.occasion < Occasion::Emptied) {
            assert_eq!(occasion, scenario.occasion, "{}", scenario.name);
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

#[test]
fn a_crash_at_any_moment_loses_nothing_that_was_promised() {
    let (mut cuts, mut second_cuts) = (0, 0);
    for scenario in scenarios() {
        let row = explore(&scenario, Options { sample: SAMPLE, ..Options::default() });
        if let Some(failure) = &row.failure {
            panic!("{}, {}: {failure}", scenario.occasion.word(), scenario.name);
        }
        (cuts, second_cuts) = (cuts + row.cuts, second_cuts + row.second_cuts);
    }
    assert!(cuts > 700 && second_cuts > 700, "{cuts} cuts, {second_cuts} second cuts");
}

#[test]
fn what_is_broken_on_purpose_is_noticed() {
    for mutant in Mutant::OF_CRASHES {
        let options = Options { once: true, mutant: Some(mutant), ..Options::default() };
        let seen = scenarios().find_map(|scenario| Some((explore(&scenario, options).failure?, scenario)));
        let (failure, scenario) = seen.unwrap_or_else(|| panic!("nobody notices {}", mutant.name()));
        let trace = tell(&scenario, options, &failure);
        assert!(!failure.wrong.is_empty() && trace.iter().any(|line| line.ends_with("crash")), "{}", mutant.name());
    }
}

#[test]
fn a_store_that_writes_in_place_is_noticed_in_the_middle_of_a_record() {
    let options = Options { once: true, mutant: Some(Mutant::WritesInPlace), ..Options::default() };
    let scope = Occasion::StartTransient.scenarios().swap_remove(1);
    let failure = explore(&scope, options).failure.expect("noticed");
    assert!(failure.first.parts > 0 && failure.second.is_none(), "{failure}");
}
