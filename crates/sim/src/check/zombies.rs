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
        look(view, |cgroup| !view.reference.is_refused(cgroup, "pidfd"))
    }

    fn healed(&mut self, view: &View<'_>) -> Verdict {
        look(view, |_| true)
    }
}

/// Whether nobody has ended of whom that is not known, as far as the services count that have these cgroups.
fn look(view: &View<'_>, counts: impl Fn(&str) -> bool) -> Verdict {
    let backend = view.world.backend();
    if let Some(pid) = backend.kernel().zombie_child(backend.arbiter()) {
        return Err(format!("process {pid} has ended, and its parent has not heard of it"));
    }
    for (_, unit) in view.world.manager().graph().iter() {
        let Some(service) =
            unit.service.as_deref().filter(|_| unit.realized.path.as_ref().is_none_or(|path| counts(path.as_str())))
        else {
            continue;
        };
        for pid in [service.main_pid, service.control_pid].into_iter().flatten() {
            if !Pid::try_from(pid).is_ok_and(|pid| view.is_alive(pid)) {
                return Err(format!("{} is held to have process {pid}, which has ended", unit.name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::check::Violation;
    use crate::choice::Replayed;
    use crate::kernel::{self, Pid};
    use crate::mutants::Mutant;
    use crate::run::{Options, Run};
    use crate::workload::calls;
    use crate::world::World;
    use cgarbiter_core::Config;

    fn to_rest(run: &mut Run) -> Result<(), Violation> {
        while let Some(next) = run.world.moves().next() {
            run.make(&mut Replayed::default(), next)?;
        }
        Ok(())
    }

    /// Nobody has said anything of how it is to run: it has a unit file.
    #[test]
    fn a_service_from_a_file_counts_as_soon_as_all_is_at_rest() {
        let mut world = World::new(Config::example(), kernel::Config::default());
        let file = "/etc/systemd/system/v.service".to_owned();
        world.backend_mut().store_mut().write(file, "[Service]\nExecStart=/bin/sleep infinity\n");
        let client = world.connect(0, None);
        let mut run = Run::plain(world, &Options { mutant: Some(Mutant::WaitsForNobody), ..Options::default() });
        run.world.call(client, calls::manager("Reload", Vec::new()));
        assert_eq!(to_rest(&mut run), Ok(()));
        run.world.call(client, calls::about("StartUnit", "v.service", "replace"));
        assert_eq!(to_rest(&mut run), Ok(()));
        let (_, unit) = run.world.manager().graph().iter().find(|(_, unit)| unit.service.is_some()).expect("it is up");
        let main = unit.service.as_deref().and_then(|service| service.main_pid).expect("it has a process");
        let main = Pid::try_from(main).expect("a number");
        run.world.backend_mut().kernel_mut().exit(main, 0).expect("it lives");
        let found = run.see().and_then(|()| to_rest(&mut run)).expect_err("nobody hears that it has ended");
        assert_eq!((found.oracle, found.what.contains("is held to have")), ("zombies", true), "{}", found.what);
    }
}
