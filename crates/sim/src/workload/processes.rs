//! What processes do: begin, fork, end, ignore what asks them to end, use the processor.

use super::Workload;
use crate::choice::{Choice, pick};
use crate::kernel::{Caller, Disposition, Fork, Kernel, Pid, SIGTERM, State};
use crate::reference::Reference;
use crate::world::World;

/// A process of this user begins in the root; none when there is no number left for it.
pub(super) fn begin(world: &mut World, reference: &mut Reference, uid: u32) -> Option<Pid> {
    let wanted = Fork { user: Some((uid, uid)), ..Fork::default() };
    let pid = world.backend_mut().kernel_mut().fork(&Caller::INIT, &wanted).ok()?;
    reference.born(pid, "", uid);
    Some(pid)
}

impl Workload {
    /// A process does something, if it can.
    pub(super) fn live(&mut self, choice: &mut dyn Choice, world: &mut World, reference: &mut Reference) {
        let known: Vec<Pid> = reference.homes().map(|(pid, _)| pid).collect();
        let Some(pid) = pick(choice, &known).copied() else { return };
        if !world.backend().kernel().can_act(pid) {
            return;
        }
        match choice.below(6) {
            0 => end(world, reference, pid, choice.below(2)),
            1 | 4 | 5 => {
                // One whose time has not come, or that has ended, uses nothing.
                let _ = world.backend_mut().kernel_mut().spend_cpu(pid, 1000);
            }
            2 if known.len() < self.habits.processes as usize => fork(world, reference, pid),
            3 if self.habits.ignore => {
                // It may have ended.
                let _ = world.backend_mut().kernel_mut().set_disposition(pid, SIGTERM, Disposition::Ignore);
            }
            _ => {}
        }
    }
}

fn end(world: &mut World, reference: &mut Reference, pid: Pid, code: u32) {
    let kernel = world.backend_mut().kernel_mut();
    if kernel.exit(pid, u8::try_from(code).unwrap_or(1)).is_ok() {
        reference.died(pid);
    }
}

fn fork(world: &mut World, reference: &mut Reference, pid: Pid) {
    let kernel = world.backend_mut().kernel_mut();
    let Ok(caller) = kernel.caller(pid) else { return };
    // Children belong to process 1, which waits for whoever ends.
    let wanted = Fork { child_of: Some(Kernel::INIT), ..Fork::default() };
    let Ok(child) = kernel.fork(&caller, &wanted) else { return };
    if kernel.state(child) == Some(State::Alive)
        && let Some(home) = reference.home(pid).cloned()
    {
        reference.born(child, &home.cgroup, home.uid);
    }
}
