//! The machine of a run: which kernel, which controllers, what is broken in it.

use super::Options;
use crate::choice::Choice;
use crate::kernel::{self, Version};
use crate::world::World;
use cgarbiter_core::Config;
use cgarbiter_core::controllers::ControllerMask;

/// Process numbers end here where they are used again soon.
const PIDS_FEW: i32 = 700;

/// A machine: which kernel, which controllers.
pub(super) fn draw_world(choice: &mut dyn Choice) -> World {
    let versions = [Version::V6_12, Version::V6_1, Version::V6_18, Version::V7_3];
    let mut kernel = kernel::Config::of(versions[choice.below(4) as usize]);
    // Where the kernel has that fault at all: as a rule it is mended.
    kernel.kill_at_birth &= choice.below(2) == 1;
    kernel.immediate = choice.below(2) == 0;
    if choice.below(2) == 1 {
        kernel.pid_max = PIDS_FEW;
    }
    let mut config = Config::example();
    let enabled = [ControllerMask::empty(), ControllerMask::MEMORY | ControllerMask::PIDS, ControllerMask::all()];
    config.root_enabled = enabled[choice.below(3) as usize];
    World::new(config, kernel)
}

pub(super) fn prepare(world: &mut World, options: &Options) {
    if let Some(mutant) = options.mutant {
        world.break_with(mutant);
    }
    if options.trace {
        world.start_trace();
    }
    world.check_invariants(!options.unwatched);
}
