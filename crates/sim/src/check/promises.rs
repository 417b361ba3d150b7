//! Units are up as long as they were promised to be, and down when they were; nobody is signalled unasked.

use super::{Next, Oracle, Verdict, View};
use crate::reference::{Promise, Wish};
use cgarbiter_core::plan::Op;

#[derive(Clone)]
pub(super) struct Promises;

impl Oracle for Promises {
    fn name(&self) -> &'static str {
        "promises"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        let Next::Step(step) = next else { return Ok(()) };
        let Op::SignalAll { cgroup, .. } = &step.op else { return Ok(()) };
        match view.reference.unit_at(cgroup.as_str()) {
            Some((name, Promise { wish: Wish::Up { kept: true }, .. })) => {
                Err(format!("{name} is signalled, and nobody asked for its end"))
            }
            _ => Ok(()),
        }
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
