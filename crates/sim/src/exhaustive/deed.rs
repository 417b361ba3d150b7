//! What can happen in a small world, one thing at a time, and which of it can happen now.

use super::scene::{Scene, Sent};
use super::size::{Size, Small};
use crate::kernel::{Caller, CgroupId, Pid};
use crate::reference::Verb;
use crate::world::Move;
use cgarbiter_core::settings::TasksMax;
use cgarbiter_core::unit::{ActiveState, LoadState, Unit};

/// One thing that happens. Units are known by their place in [`Size`](super::Size).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// The next step of the plan in flight, or its report.
    Plan,
    /// The exit or the notice that waits at this place reaches the manager.
    Notice(u8),
    /// What a client sent first reaches the manager.
    Client,
    /// What the kernel has begun at this place comes to pass.
    Kernel(u8),
    /// A deadline of the manager has come.
    Timer,
    /// A client asks for a unit: a scope with a process, a slice with a limit.
    Start(u8),
    /// A client asks for a unit's end.
    Stop(u8),
    /// A client sets `TasksMax` of a unit to this.
    Set(u8, u8),
    /// A client has all processes of a scope killed.
    Kill(u8),
    /// A client asks for a reload.
    Reload,
    /// A process of a scope forks.
    Fork(u8),
    /// This process ends.
    Exit(Pid),
    /// The owner of a scope that was handed over makes a cgroup in it.
    Own(u8),
    /// The owner puts a process there.
    Enter(u8),
    /// Time passes until the next deadline.
    Wait,
    /// The arbiter is killed, and another one starts.
    Crash,
}

/// The two limits of tasks that are set by turns.
pub(super) const LIMITS: [u8; 2] = [7, 12];
/// So many calls are on their way at most.
const SENT_MAX: usize = 2;
/// So many processes at most are in a scope that forks.
const FAMILY_MAX: usize = 2;

impl Deed {
    /// Words for all kinds, in the order of the variants.
    pub const NAMES: [&str; 16] = [
        "plan step",
        "notice",
        "arrival",
        "kernel",
        "timer",
        "start",
        "stop",
        "set property",
        "kill",
        "reload",
        "fork",
        "exit",
        "own cgroup",
        "own process",
        "wait",
        "crash",
    ];

    /// The place of its kind in [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn kind(self) -> usize {
        match self {
            Self::Plan => 0,
            Self::Notice(_) => 1,
            Self::Client => 2,
            Self::Kernel(_) => 3,
            Self::Timer => 4,
            Self::Start(_) => 5,
            Self::Stop(_) => 6,
            Self::Set(..) => 7,
            Self::Kill(_) => 8,
            Self::Reload => 9,
            Self::Fork(_) => 10,
            Self::Exit(_) => 11,
            Self::Own(_) => 12,
            Self::Enter(_) => 13,
            Self::Wait => 14,
            Self::Crash => 15,
        }
    }

    /// In words, for a reader of a story.
    #[must_use]
    pub fn words(self, size: Size) -> String {
        let name = |at: u8| size.units()[usize::from(at)].name;
        let kind = Self::NAMES[self.kind()];
        match self {
            Self::Plan | Self::Client | Self::Timer | Self::Reload | Self::Wait | Self::Crash => kind.to_owned(),
            Self::Notice(at) | Self::Kernel(at) => format!("{kind} {at}"),
            Self::Set(at, limit) => format!("{kind} of {} to {limit}", name(at)),
            Self::Exit(pid) => format!("{kind} of {pid}"),
            Self::Start(at) | Self::Stop(at) | Self::Kill(at) | Self::Fork(at) | Self::Own(at) | Self::Enter(at) => {
                format!("{kind} {}", name(at))
            }
        }
    }

    /// One of the world's own moves, of which there may be any number between two things that somebody does.
    #[must_use]
    pub fn is_own_move(self) -> bool {
        self.kind() < 5
    }
}

impl Scene {
    /// Everything that can happen now: the world's own moves first, the likeliest of all in front.
    #[must_use]
    pub fn deeds(&self) -> Vec<Deed> {
        let mut deeds = Vec::with_capacity(32);
        self.own_moves(&mut deeds);
        self.calls(&mut deeds);
        self.processes(&mut deeds);
        let now = self.run.world.now();
        if self.run.world.next_deadline().is_some_and(|next| next > now) {
            deeds.push(Deed::Wait);
        }
        deeds.push(Deed::Crash);
        deeds
    }

    fn own_moves(&self, deeds: &mut Vec<Deed>) {
        let backend = self.run.world.backend();
        for next in self.run.world.moves() {
            match next {
                Move::Plan => deeds.push(Deed::Plan),
                Move::Notice => deeds.extend((0..place(backend.waiting())).map(Deed::Notice)),
                Move::Client => deeds.push(Deed::Client),
                Move::Kernel => deeds.extend((0..place(backend.kernel().unsettled().len())).map(Deed::Kernel)),
                Move::Timer => deeds.push(Deed::Timer),
            }
        }
    }

    fn calls(&self, deeds: &mut Vec<Deed>) {
        if self.sent.len() >= SENT_MAX {
            return;
        }
        for (at, small) in (0_u8..).zip(self.size.units()) {
            let unit = self.unit(small);
            let is_asked = |verb| self.is_asked(small.name, verb);
            if !unit.is_some_and(is_up) && !is_asked(Verb::Make) && (!small.is_scope() || self.has_process()) {
                deeds.push(Deed::Start(at));
            }
            let Some(unit) = unit.filter(|unit| unit.load == LoadState::Loaded) else { continue };
            if !unit.active().is_inactive_or_failed() && !is_asked(Verb::Stop) {
                deeds.push(Deed::Stop(at));
            }
            if !is_asked(Verb::Set) {
                let is_low = unit.settings.resources.tasks_max == TasksMax::Count(LIMITS[0].into());
                deeds.push(Deed::Set(at, LIMITS[usize::from(is_low)]));
            }
            if small.is_scope() && !self.family(small).is_empty() && !is_asked(Verb::Risk) {
                deeds.push(Deed::Kill(at));
            }
        }
        if self.sent.iter().all(|sent| sent.deed != Deed::Reload)
            && self.run.reference.waiting().all(|(_, asked)| asked.unit.is_some())
        {
            deeds.push(Deed::Reload);
        }
    }

    fn processes(&self, deeds: &mut Vec<Deed>) {
        let kernel = self.run.world.backend().kernel();
        let has_number = self.free_number().is_some();
        for (at, small) in (0_u8..).zip(self.size.units()).filter(|(_, small)| small.is_scope()) {
            let family = self.family(small);
            if has_number && family.len() < FAMILY_MAX && family.iter().any(|pid| kernel.can_act(*pid)) {
                deeds.push(Deed::Fork(at));
            }
            if let Some(cgroup) = self.cgroup(small).filter(|_| small.delegated) {
                let own = kernel.children(cgroup).next().map(|(_, own)| own);
                match own {
                    None => deeds.push(Deed::Own(at)),
                    Some(_) if kernel.tasks_in(cgroup).next().is_some() => deeds.push(Deed::Enter(at)),
                    Some(_) => {}
                }
            }
        }
        deeds.extend(self.numbers().filter(|pid| kernel.can_act(*pid)).map(Deed::Exit));
    }

    pub(super) fn unit(&self, small: &Small) -> Option<&Unit> {
        let graph = self.run.world.manager().graph();
        graph.find(small.name).map(|id| graph.unit(id))
    }

    /// Has somebody asked for this, and not been answered?
    fn is_asked(&self, unit: &str, verb: Verb) -> bool {
        let is_sent = |sent: &Sent| self.asks(sent.deed) == Some((unit, verb));
        let mut waiting = self.run.reference.waiting();
        self.sent.iter().any(is_sent)
            || waiting.any(|(_, asked)| asked.verb == verb && asked.unit.as_deref() == Some(unit))
    }

    fn asks(&self, deed: Deed) -> Option<(&'static str, Verb)> {
        let name = |at: u8| self.size.units()[usize::from(at)].name;
        match deed {
            Deed::Start(at) => Some((name(at), Verb::Make)),
            Deed::Stop(at) => Some((name(at), Verb::Stop)),
            Deed::Set(at, _) => Some((name(at), Verb::Set)),
            Deed::Kill(at) => Some((name(at), Verb::Risk)),
            _ => None,
        }
    }

    pub(super) fn cgroup(&self, small: &Small) -> Option<CgroupId> {
        let path = crate::reference::cgroup_of(small.name, small.slice);
        self.run.world.backend().kernel().lookup(&Caller::INIT, path.as_bytes()).ok()
    }

    /// The processes in a scope, itself or below.
    fn family(&self, small: &Small) -> Vec<Pid> {
        let kernel = self.run.world.backend().kernel();
        let Some(cgroup) = self.cgroup(small) else { return Vec::new() };
        kernel.below(cgroup).into_iter().flat_map(|cgroup| kernel.tasks_in(cgroup)).collect()
    }
}

fn is_up(unit: &Unit) -> bool {
    matches!(unit.active(), ActiveState::Active | ActiveState::Activating | ActiveState::Reloading)
}

fn place(count: usize) -> u8 {
    u8::try_from(count).expect("a small world")
}
