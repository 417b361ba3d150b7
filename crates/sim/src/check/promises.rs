//! Units are up as long as they were promised to be, and down when they were; nobody is signalled unasked, and none of
//! which something is promised is said to be gone.

use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::{HARMLESS, Promise, Wish};
use crate::world::Visible;
use cgarbiter_core::Instant;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use std::hash::Hasher;

#[derive(Clone, Default)]
pub(super) struct Promises {
    /// A reload says of each unit that it goes, and goes on with all of them.
    is_reloading: bool,
}

impl Oracle for Promises {
    fn name(&self) -> &'static str {
        "promises"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        let Next::Step(step) = next else { return Ok(()) };
        let Op::SignalAll { cgroup, signals, .. } = &step.op else { return Ok(()) };
        if HARMLESS.contains(&signals.first) && !signals.then_hangup {
            return Ok(());
        }
        match view.reference.unit_at(cgroup.as_str()) {
            Some((name, Promise { wish: Wish::Up { kept: true }, .. })) => {
                Err(format!("{name} is signalled, and nobody asked for its end"))
            }
            _ => Ok(()),
        }
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        let Past::Told(Visible::Signal { message, .. }) = past else { return Ok(()) };
        match (message.member, message.body.as_slice()) {
            ("Reloading", [Value::Bool(begins)]) => self.is_reloading = *begins,
            ("UnitRemoved", [Value::Str(name), _]) if !self.is_reloading => {
                let wish = view.reference.unit(name).map(|promise| promise.wish);
                if wish == Some(Wish::Up { kept: true }) {
                    return Err(format!("{name} was promised to be up, and is said to be gone"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn crashed(&mut self) {
        self.is_reloading = false;
    }

    fn hash_memory(&self, _: Instant, state: &mut dyn Hasher) {
        state.write_u8(u8::from(self.is_reloading));
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        let graph = view.world.manager().graph();
        for (name, promise) in view.reference.units() {
            let unit = graph.find(name).map(|id| graph.unit(id));
            let state = unit.map_or("not there", |unit| unit.state.sub());
            let is_up = unit.is_some_and(|unit| unit.active().is_active_or_reloading());
            let is_down = unit.is_none_or(|unit| unit.active().is_inactive_or_failed());
            match promise.wish {
                Wish::Up { kept: true } if !is_up => {
                    return Err(format!("{name} was promised to be up, and is {state}"));
                }
                Wish::Down { kept: true } if !is_down => {
                    return Err(format!("{name} was promised to be down, and is {state}"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
