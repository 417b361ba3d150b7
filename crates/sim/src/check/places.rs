//! No process is moved unless somebody asked for it, and each is where it was asked to be.

use super::{Oracle, Past, Verdict, View};
use cgarbiter_core::Outcome;
use cgarbiter_core::plan::Op;

#[derive(Clone)]
pub(super) struct Places;

impl Oracle for Places {
    fn name(&self) -> &'static str {
        "places"
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        let Past::Step(step, Ok(Outcome::Attached), pid) = past else { return Ok(()) };
        let Op::Attach { cgroup, .. } = &step.op else { return Ok(()) };
        let Some(pid) = pid else { return Err(format!("{} has moved nobody", step.op)) };
        if !view.reference.is_wanted(*pid, cgroup.as_str()) {
            return Err(format!("process {pid} was moved to {cgroup}, and nobody asked for it"));
        }
        Ok(())
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        let kernel = view.world.backend().kernel();
        for (pid, home) in view.reference.homes() {
            let place = kernel.cgroup_of(pid).map(|id| String::from_utf8_lossy(&kernel.path(id)).into_owned());
            let place = place.map(|path| path.trim_end_matches('/').to_owned());
            if view.is_alive(pid) && place.as_deref() != Some(home.cgroup.as_str()) {
                return Err(format!("process {pid} belongs in {:?}, and is in {place:?}", home.cgroup));
            }
        }
        Ok(())
    }
}
