//! No process is moved unless somebody asked for it, each is where it was asked to be, and whoever is told that a move
//! was made can rely on it: when the reply comes, or the job is done, the living are in their places.

use super::{Oracle, Past, Verdict, View};
use crate::kernel::Pid;
use crate::world::Visible;
use cgarbiter_core::Outcome;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;

#[derive(Clone)]
pub(super) struct Places;

impl Oracle for Places {
    fn name(&self) -> &'static str {
        "places"
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        match past {
            Past::Step(step, Ok(Outcome::Attached), pid) => is_wanted(view, &step.op, *pid),
            Past::Told(Visible::Reply { call, result: Ok(_) }) => all_made(view, view.reference.unmade_of(*call)),
            Past::Told(Visible::Signal { message, .. }) => match (message.member, message.body.as_slice()) {
                ("JobRemoved", [Value::U32(job), .., Value::Str(result)]) if &**result == "done" => {
                    all_made(view, view.reference.unmade_of_job(*job))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
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

fn is_wanted(view: &View<'_>, op: &Op, pid: Option<Pid>) -> Verdict {
    let Op::Attach { cgroup, .. } = op else { return Ok(()) };
    let Some(pid) = pid else { return Err(format!("{op} has moved nobody")) };
    if !view.reference.is_wanted(pid, cgroup.as_str()) {
        return Err(format!("process {pid} was moved to {cgroup}, and nobody asked for it"));
    }
    Ok(())
}

/// It was said that these were moved.
fn all_made(view: &View<'_>, unmade: &[(Pid, String)]) -> Verdict {
    match unmade.iter().find(|(pid, _)| view.is_alive(*pid)) {
        Some((pid, cgroup)) => Err(format!("process {pid} was never moved to {cgroup}, and it was said to be done")),
        None => Ok(()),
    }
}
