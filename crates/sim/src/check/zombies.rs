//! Whoever has ended is gone: no process waits in vain for the arbiter, its parent, to hear of its end, and no service
//! is held to have one that does not live.

use super::{Oracle, Verdict, View};
use crate::kernel::Pid;

#[derive(Clone, Default)]
pub(super) struct Zombies;

impl Oracle for Zombies {
    fn name(&self) -> &'static str {
        "zombies"
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        // A process that an arbiter before has spawned cannot always be watched at once.
        let is_watched = |name: &str| {
            let cgroup = view.reference.said_of(name).map(|said| said.cgroup.as_str());
            cgroup.is_some_and(|cgroup| !view.reference.is_refused(cgroup, "pidfd"))
        };
        look(view, is_watched)
    }

    fn healed(&mut self, view: &View<'_>) -> Verdict {
        look(view, |_| true)
    }
}

/// Whether nobody has ended of whom that is not known, as far as the services are concerned that count.
fn look(view: &View<'_>, counts: impl Fn(&str) -> bool) -> Verdict {
    let backend = view.world.backend();
    if let Some(pid) = backend.kernel().zombie_child(backend.arbiter()) {
        return Err(format!("process {pid} has ended, and its parent has not heard of it"));
    }
    for (_, unit) in view.world.manager().graph().iter() {
        let Some(service) = unit.service.as_deref().filter(|_| counts(unit.name.as_str())) else { continue };
        for pid in [service.main_pid, service.control_pid].into_iter().flatten() {
            if !Pid::try_from(pid).is_ok_and(|pid| view.is_alive(pid)) {
                return Err(format!("{} is held to have process {pid}, which has ended", unit.name));
            }
        }
    }
    Ok(())
}
