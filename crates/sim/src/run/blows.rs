//! What comes over the arbiter of a run: it is killed, or the power goes, perhaps in the middle of a step.

use super::Run;
use crate::check::{Next, Past, Violation};
use crate::choice::{Choice, Replayed};
use crate::world::Move;

impl Run {
    /// The arbiter is killed, perhaps in the middle of a step, and another one starts.
    pub(super) fn kill(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        self.step_partly(choice)?;
        self.crash()
    }

    /// Not more than some parts of the next step are done.
    fn step_partly(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        let parts = u32::try_from(self.world.cuts_in_move()).unwrap_or(0);
        self.world.make_partly(choice.below(parts + 1) as usize);
        self.see_who_died();
        self.take_visible()
    }

    /// The power goes, perhaps in the middle of a step, and everybody comes back.
    pub(super) fn cut_power(&mut self, choice: &mut dyn Choice) -> Result<(), Violation> {
        self.step_partly(choice)?;
        self.world.cut_power(|_| choice.below(2) == 1);
        self.reference.power_cut();
        self.checks.power_cut();
        (self.is_stirred, self.is_reloading) = (true, false);
        self.workload.come_back(choice, &mut self.world, &mut self.reference);
        self.after(&Past::PowerCut)?;
        self.reference.look_at_settings(self.world.backend().store());
        self.make(&mut Replayed::default(), Move::Client)
    }

    /// The arbiter is killed, and another one starts. Its listener subscribes anew.
    ///
    /// # Errors
    /// The first oracle that is not satisfied.
    pub(crate) fn crash(&mut self) -> Result<(), Violation> {
        self.before(&Next::Crash)?;
        self.world.crash();
        let graph = self.world.manager().graph();
        self.reference.crashed(|name| graph.find(name).is_some());
        self.note_found();
        self.checks.crashed();
        (self.is_stirred, self.is_reloading) = (true, false);
        self.after(&Past::Crash)?;
        self.workload.subscribe(&mut self.world);
        self.see_who_died();
        self.make(&mut Replayed::default(), Move::Client)
    }
}
