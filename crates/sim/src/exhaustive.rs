//! The bounded exhaustive search: every world that a small machine can come to by so many things that somebody does,
//! with the world's own moves between them in every order.
//!
//! * **What is there** is said by a [`Size`]: a few units that somebody may make, a few processes.
//! * **What can happen** is a [`Deed`]. The world's own moves (a step of the plan, a notice, an arrival, a death, a
//!   deadline) cost nothing; what somebody does (a call, a fork, an exit, the owner of a subtree, the passing of
//!   time, a crash of the arbiter) costs one. A search of depth *d* visits every world that is reached by at most *d*
//!   of them, from a machine on which nothing is up, and from one on which everything is.
//! * **What is met twice** is visited once: worlds are told apart by their [`Fingerprint`].
//! * **What is checked** in each: everything that a run checks (`check/`), in every step on the way; core's invariants
//!   after every event; the kernel's books and all oracles at rest. Of some worlds also that they come to an end when
//!   nobody does anything any more ([`Limits::heal_one_in`]).
//!
//! A failure is a [`Story`](crate::story::Story): its choices are, first, which of the two machines, and then for each
//! step the place among [`Scene::deeds`]. So `replay` and `shrink` work on it, and drawing such a list at random is a
//! run, too.

mod deed;
mod explore;
mod fingerprint;
mod scene;
mod size;
#[cfg(test)]
mod tests;
mod visited;

pub use deed::Deed;
pub use explore::{Covered, Found, Limits, Progress, explore};
pub use fingerprint::Fingerprint;
pub use scene::Scene;
pub use size::Size;

use crate::check::Violation;
use crate::choice::{Choice, Replayed};
use crate::run::{Ended, Failure, Options, failure_of};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a list of choices in a small world; then it heals.
pub(crate) fn tell(choice: &mut dyn Choice, size: Size, options: &Options) -> Ended {
    let mut scene = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<(), Violation> {
        let scene = scene.insert(Scene::new(size, choice.below(2) == 1, options)?);
        for _ in 0..options.steps {
            let deeds = scene.deeds();
            let count = u32::try_from(deeds.len()).unwrap_or(u32::MAX);
            let deed = deeds[choice.below(count) as usize];
            scene.run.world.remark(|| format!("-- {}", deed.words(size)));
            scene.take(deed)?;
        }
        scene.run.heal(&mut Replayed::default())
    }));
    let is_healed = scene.as_ref().is_some_and(|scene| scene.run.is_healed);
    let failure: Option<Failure> = failure_of(outcome, is_healed);
    match scene {
        Some(scene) => scene.run.ended(failure),
        None => Ended { failure, ..Ended::default() },
    }
}
