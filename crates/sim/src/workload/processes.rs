//! What processes do: begin, fork, end, ignore what asks them to end, use processor and memory, stop, move elsewhere.

use super::Workload;
use crate::choice::{Choice, pick};
use crate::kernel::{Caller, CgroupId, Disposition, File, Fork, Kernel, Pid, SIGTERM, State};
use crate::reference::{Promise, Reference, Wish};
use crate::world::World;

const SIGCONT: u8 = 18;
const SIGSTOP: u8 = 19;

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
        match choice.below(9) {
            6 => touch_memory(choice, world, reference, pid),
            7 => stand_still(choice, world, pid),
            8 => move_itself(choice, world, reference, pid),
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

/// A process uses memory, and may be killed for that, or another one.
fn touch_memory(choice: &mut dyn Choice, world: &mut World, reference: &mut Reference, pid: Pid) {
    let kernel = world.backend_mut().kernel_mut();
    let bytes = [1 << 16, 1 << 20, 1 << 22][choice.below(3) as usize];
    // It may have ended.
    let _ = kernel.touch_memory(pid, bytes);
    see_who_was_killed(world, reference);
}

/// Memory may have run out: whoever has ended was killed for that. It may be the end of its unit, whoever else is left
/// in it.
pub(crate) fn see_who_was_killed(world: &mut World, reference: &mut Reference) {
    let kernel = world.backend().kernel();
    let is_alive = |pid: Pid| kernel.state(pid) == Some(State::Alive);
    let killed: Vec<Pid> = reference.homes().map(|(pid, _)| pid).filter(|pid| !is_alive(*pid)).collect();
    for pid in &killed {
        let unit = reference.home(*pid).and_then(|home| reference.unit_around(&home.cgroup));
        unit.iter().for_each(|unit| reference.release(unit));
    }
    world.seen_mut().oom_kills += killed.len() as u64;
}

/// A process stops, and goes on.
fn stand_still(choice: &mut dyn Choice, world: &mut World, pid: Pid) {
    let signal = [SIGSTOP, SIGCONT][choice.below(2) as usize];
    let _ = world.backend_mut().kernel_mut().kill(&Caller::root(pid), pid, signal);
}

/// Whoever may do everything moves itself somewhere else.
fn move_itself(choice: &mut dyn Choice, world: &mut World, reference: &mut Reference, pid: Pid) {
    // A slice has room for none, and into one that comes up only the arbiter lets somebody.
    let is_open = |name: &str, unit: &Promise| !name.ends_with(".slice") && unit.wish == Wish::Up { kept: true };
    let places = reference.units().filter(|(name, unit)| is_open(name, unit)).map(|(_, unit)| unit.cgroup.clone());
    let places: Vec<String> = places.chain([String::new()]).collect();
    let Some(place) = pick(choice, &places) else { return };
    let kernel = world.backend_mut().kernel_mut();
    let to = if place.is_empty() { Ok(CgroupId::ROOT) } else { kernel.lookup(&Caller::INIT, place.as_bytes()) };
    let (Ok(caller), Ok(to)) = (kernel.caller(pid), to) else { return };
    if kernel.write(&caller, to, File::CgroupProcs, pid.to_string().as_bytes()).is_ok() {
        reference.went(pid, place);
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

/// Whoever stands still goes on.
pub(super) fn let_go_on(world: &mut World) {
    let kernel = world.backend_mut().kernel_mut();
    let all: Vec<Pid> = kernel.pids().collect();
    for pid in all {
        let _ = kernel.kill(&Caller::INIT, pid, SIGCONT);
    }
}
