//! A world in which as much ends as begins does not grow.

#[path = "../benches/busy/mod.rs"]
mod busy;
#[path = "../../core/tests/support/counting.rs"]
mod counting;

use busy::Busy;
use counting::{Counting, LIVE};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A round changes this or that table's shape, and each table but once.
const BYTES_MAX: i64 = 16 << 10;

#[test]
fn a_world_of_a_hundred_units_does_not_grow() {
    let mut busy = Busy::new();
    let mut run = |rounds: u32| {
        let before = busy.steps();
        (0..rounds).for_each(|_| busy.round());
        (busy.steps() - before, LIVE.get())
    };
    run(100);
    let (steps, before) = run(100);
    let (more_steps, after) = run(300);
    assert_eq!(more_steps, 3 * steps, "every round is like the others");
    assert!(after - before <= BYTES_MAX, "{} bytes more after 300 rounds", after - before);
}
