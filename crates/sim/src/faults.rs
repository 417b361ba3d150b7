//! What goes wrong. The model, in prose:
//!
//! * **Steps.** Any operation of a plan may fail with an errno that the kernel could give for it ([`errnos`]). It has
//!   then not been done, or, where it is more than one system call, perhaps in part: a directory is made and cannot be
//!   opened, a record is in its place and the disk does not say that it has it, some of many files, cgroups or
//!   processes were reached before descriptors ran out ([`parts_done`]). Errors that follow from the state of the tree
//!   (a directory that is there already or has gone, a cgroup with processes in it) are not injected: the imagined
//!   kernel gives them where they are true.
//! * **Questions.** Processes cannot be pinned or listed, because descriptors or memory have run out.
//! * **Records** are written aside and renamed over, so a failed write leaves what was there before. The disk is full,
//!   or read-only, from one moment to another: until then nothing is written, or, read-only, nothing changed at all.
//! * **Notices** come late (whenever the world takes its time), twice, without cause, and in another order, before the
//!   exits that they are about or after them; exits of several processes, too. What the kernel has begun, deaths and
//!   freezes, comes to pass in any order. When the queue runs over all that waited are lost, and the reader knows it:
//!   it then looks at everything. A notice that is lost without a trace is not in the model, since the kernel does not
//!   lose one.
//! * **Processes** fork and end between any two steps (`workload`). Numbers are used again: there are few of them.
//! * **Clients** leave in the middle of their calls, and flood: many calls at once. How much of that one of them may
//!   have under way is not the core's to say, and not in the model: the bus front end's tests hold it.
//! * **The arbiter** is killed between any two things that happen, its recovery included, and in the middle of a step
//!   that is more than one system call (`backend/parts.rs`). What was on its way to it is lost, and nobody answers
//!   those who wait. What it wrote stays: a killed process loses nothing that the kernel has taken.
//! * **The power** goes between any two things that happen and in the middle of a step, and the machine comes up
//!   again with an empty tree. `/run` is gone with it. Of each path on the disk that was changed and not synced, the
//!   old or the new is left (`store.rs`).
//! * **Clocks.** The wall clock jumps. The other one does not, but time passes between any two steps, as much as it
//!   takes for a deadline to come.
//!
//! A run draws which of these happen in it, and how often. Then it heals: nothing goes wrong any more, and the world
//! has to come to rest with everything that was promised in place.

use crate::backend::SimBackend;
use crate::choice::{Choice, pick};
use crate::reference::Reference;
use crate::workload::Workload;
use crate::world::World;
use cgarbiter_core::Errno;
use cgarbiter_core::plan::Op;

/// Something that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Step,
    Question,
    RepeatedNotice,
    ReorderedNotice,
    LostNotices,
    Disk,
    Departure,
    Flood,
    Clock,
    Delay,
    Crash,
    PowerCut,
}

const ALL: [Fault; 12] = [
    Fault::Step,
    Fault::Disk,
    Fault::Question,
    Fault::RepeatedNotice,
    Fault::ReorderedNotice,
    Fault::LostNotices,
    Fault::Departure,
    Fault::Flood,
    Fault::Clock,
    Fault::Delay,
    Fault::Crash,
    Fault::PowerCut,
];

/// Of so many times that a crash could come, one does: a recovery takes its time.
const CRASHES_ONE_IN: u32 = 4;
/// The same of power cuts, after which there is little to look at for a while.
const POWER_CUTS_ONE_IN: u32 = 16;

/// What is left to the caller, who has to do with all the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The arbiter is to be killed.
    Crash,
    /// The power is to be cut.
    PowerCut,
}

/// What goes wrong in this run.
#[derive(Clone, Debug)]
pub struct Faults {
    kinds: Vec<Fault>,
    /// One step in so many fails; 0 for none.
    steps_one_in: u32,
    /// What the disk answers at present.
    disk: Option<Errno>,
}

impl Faults {
    /// Draws what goes wrong in this run.
    pub fn draw(choice: &mut dyn Choice) -> Self {
        let kinds: Vec<Fault> = ALL.into_iter().filter(|_| choice.below(2) == 1).collect();
        let steps_one_in = if kinds.contains(&Fault::Step) { [100, 30, 10][choice.below(3) as usize] } else { 0 };
        Self { kinds, steps_one_in, disk: None }
    }

    /// Nothing goes wrong any more.
    pub fn heal(&mut self) {
        (self.kinds, self.steps_one_in, self.disk) = (Vec::new(), 0, None);
    }

    /// Nothing goes wrong but that the arbiter is killed.
    pub fn crash_only(&mut self) {
        (self.kinds, self.steps_one_in, self.disk) = (vec![Fault::Crash], 0, None);
    }

    /// Nothing goes wrong but that the power is cut.
    pub fn power_cut_only(&mut self) {
        (self.kinds, self.steps_one_in, self.disk) = (vec![Fault::PowerCut], 0, None);
    }

    /// Whether the next step fails, and how.
    pub fn of_step(&self, choice: &mut dyn Choice, op: &Op) -> Option<Errno> {
        if self.disk.is_some_and(|errno| is_of_store(op) && errnos(op).contains(&errno)) {
            return self.disk;
        }
        if !choice.once_in(self.steps_one_in) {
            return None;
        }
        pick(choice, errnos(op)).copied()
    }

    /// Something other than a step goes wrong.
    pub fn strike(
        &mut self,
        choice: &mut dyn Choice,
        world: &mut World,
        workload: &mut Workload,
        reference: &mut Reference,
    ) -> Option<Blow> {
        match pick(choice, &self.kinds) {
            Some(Fault::Question) => world.fail_question(pick(choice, &[Errno::MFile, Errno::NoMem]).copied()),
            Some(Fault::RepeatedNotice) => world.backend_mut().repeat_notice(choice.below(32) as usize),
            Some(Fault::ReorderedNotice) => world.backend_mut().hasten(choice.below(8) as usize),
            Some(Fault::LostNotices) => world.backend_mut().overflow_notices(),
            Some(Fault::Disk) => {
                self.disk = match self.disk {
                    None => pick(choice, &[Errno::NoSpc, Errno::RoFs]).copied(),
                    Some(_) => None,
                }
            }
            Some(Fault::Departure) if choice.below(2) == 0 => workload.disconnect(choice, world),
            Some(Fault::Departure) => workload.connect(choice, world, reference),
            Some(Fault::Flood) => workload.flood(choice, world),
            Some(Fault::Clock) => world.set_realtime_ahead(u64::from(choice.below(4)) * 3_600_000_000),
            Some(Fault::Delay) => {
                if let Some(next) = world.next_deadline() {
                    world.set_time(next.max(world.now()));
                }
            }
            Some(Fault::Crash) => return choice.once_in(CRASHES_ONE_IN).then_some(Blow::Crash),
            Some(Fault::PowerCut) => return choice.once_in(POWER_CUTS_ONE_IN).then_some(Blow::PowerCut),
            Some(Fault::Step) | None => {}
        }
        None
    }
}

/// Whether the disk has a say in it.
fn is_of_store(op: &Op) -> bool {
    matches!(
        op,
        Op::WriteFile { .. }
            | Op::RenewRecord { .. }
            | Op::Link { .. }
            | Op::RemoveFile { .. }
            | Op::RemoveEmpty { .. }
            | Op::MoveFile { .. }
            | Op::RemoveRuntime { .. }
    )
}

/// How much of a step is done that is refused with this errno: so many of its parts, or all of it when that is more
/// than there are cuts between them; 0 for nothing.
pub(crate) fn parts_done(choice: &mut dyn Choice, backend: &SimBackend, op: &Op, errno: Errno) -> usize {
    let cuts = u32::try_from(backend.cuts_in_step()).unwrap_or(u32::MAX - 1);
    let parts = match breaks_off(op, errno) {
        Some(Done::All) if choice.below(2) == 1 => cuts + 1,
        Some(Done::Some) => choice.below(cuts + 1),
        Some(Done::All) | None => 0,
    };
    parts as usize
}

/// How far an operation may have come when it is refused.
enum Done {
    /// Any number of its parts.
    Some,
    /// All of it: only what was to make sure of it has failed.
    All,
}

/// Whether something of an operation may have been done when it is refused with this errno. A record is written aside,
/// and nothing of it is seen before it is all there.
fn breaks_off(op: &Op, errno: Errno) -> Option<Done> {
    match (op, errno) {
        (Op::RemoveFile { directory: true, .. }, Errno::Io) => Some(Done::Some),
        (
            Op::WriteFile { file, .. }
            | Op::RenewRecord { file, .. }
            | Op::Link { file, .. }
            | Op::RemoveFile { file, .. }
            | Op::MoveFile { to: file, .. },
            Errno::Io,
        ) => (!file.starts_with("/run/")).then_some(Done::All),
        (Op::Mkdir { .. }, Errno::MFile | Errno::NoMem) => Some(Done::All),
        (Op::SignalAll { .. } | Op::Rmdir { .. }, Errno::MFile | Errno::NoMem) => Some(Done::Some),
        _ => None,
    }
}

/// What the kernel could answer to an operation without its being the state of the tree.
#[must_use]
pub fn errnos(op: &Op) -> &'static [Errno] {
    match op {
        Op::WriteFile { .. } | Op::RenewRecord { .. } | Op::Link { .. } => {
            &[Errno::NoSpc, Errno::NoMem, Errno::Io, Errno::RoFs, Errno::MFile]
        }
        Op::RemoveFile { .. } | Op::RemoveEmpty { .. } | Op::MoveFile { .. } | Op::RemoveRuntime { .. } => {
            &[Errno::Io, Errno::RoFs]
        }
        Op::Mkdir { .. } => &[Errno::NoMem, Errno::Again, Errno::NoSpc, Errno::MFile],
        Op::Observe { .. } | Op::Rmdir { .. } | Op::ReadCounters { .. } => &[Errno::MFile, Errno::NoMem],
        Op::SubtreeControl { .. } => &[Errno::NoMem, Errno::Busy],
        Op::Write { .. } | Op::WriteDevice { .. } => &[Errno::NoMem, Errno::Inval, Errno::MFile],
        Op::Watch { .. } => &[Errno::NoSpc, Errno::NoMem, Errno::MFile],
        Op::Attach { .. } => &[Errno::NoMem, Errno::Busy, Errno::Inval],
        Op::SignalAll { .. } => &[Errno::MFile, Errno::NoMem],
        Op::SignalOne { .. } => &[Errno::Perm],
        Op::WatchProcess { .. } => &[Errno::MFile],
        Op::Delegate { .. } => &[Errno::Perm, Errno::Srch],
        Op::Xattr { .. } => &[Errno::NoSpc, Errno::NoMem, Errno::NotSup],
        Op::Spawn { .. } => &[Errno::Again, Errno::NoMem],
    }
}
