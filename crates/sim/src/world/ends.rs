//! The arbiter is killed, or the power goes; another arbiter comes.

use super::{World, hand_down};
use cgarbiter_core::{Config, Manager};

impl World {
    /// The arbiter is killed without a warning, and another one starts. What was on its way to the old one is lost:
    /// calls that were not answered never will be, and the plan in flight ends where it is. Clients stay on the bus.
    pub fn crash(&mut self) {
        self.note(|now| format!("{now} crash"));
        self.sent.clear();
        self.backend.restart_arbiter();
        let config = self.manager.config().clone();
        let mut config = Config { root_enabled: self.backend.root_enabled(), ..config };
        // Nobody draws the same identities twice.
        config.seed[0] = config.seed[0].wrapping_add(1);
        let found = self.backend.found(&config.unit_paths);
        let found = self.mutant.map_or_else(|| found.clone(), |mutant| mutant.found(found.clone(), &mut self.backend));
        self.manager = Manager::recover(config, self.clocks(), found);
        self.check();
        self.pump();
    }

    /// The power goes, and the machine comes up again with a new arbiter, and nobody else on it. Clocks go on. Of what
    /// was not on the disk yet `is_lost` says what is lost.
    pub fn cut_power(&mut self, is_lost: impl FnMut(&str) -> bool) {
        self.note(|now| format!("{now} power cut"));
        self.sent.clear();
        self.clients.clear();
        self.backend.cut_power(is_lost);
        let mut config = self.manager.config().clone();
        hand_down(&mut self.backend, config.root_enabled);
        self.backend.pass_time(self.now);
        // Nobody draws the same identities twice.
        config.seed[0] = config.seed[0].wrapping_add(1);
        config.boot_id = format!("00000000-0000-4000-8000-{:012}", config.seed[0]);
        let found = self.backend.found(&config.unit_paths);
        self.manager = Manager::recover(config, self.clocks(), found);
        self.check();
        self.pump();
    }
}
