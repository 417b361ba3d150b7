//! A small world with everybody who watches it, and what each deed does to it.

use super::Size;
use super::deed::Deed;
use super::fingerprint::{Canonical, Fingerprint};
use super::size::Small;
use crate::check::Violation;
use crate::choice::Replayed;
use crate::kernel::{self, Caller, CgroupId, File, Fork, Kernel, Pid, SIGKILL, State, Version};
use crate::run::{Options, Run};
use crate::workload::calls;
use crate::world::{Move, World};
use cgarbiter_core::Config;
use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use std::collections::VecDeque;
use std::hash::Hash;

/// Processes have the numbers from here on, far from those the arbiter's processes get.
const FIRST: Pid = 5000;
/// Everything is up after fewer moves.
const MOVES_MAX: usize = 1000;

/// A small world. A value: copied and tried in different ways.
#[derive(Clone)]
pub struct Scene {
    pub(super) run: Run,
    pub(super) size: Size,
    /// What was sent and has not arrived.
    pub(super) sent: VecDeque<Sent>,
    client: ClientId,
}

/// A call on its way.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Sent {
    pub(super) deed: Deed,
    /// The process that a scope is asked for with.
    pid: Option<Pid>,
}

impl Scene {
    /// A machine on which nothing is up, or everything.
    ///
    /// # Errors
    /// When an oracle is not satisfied before it begins.
    pub fn new(size: Size, is_up: bool, options: &Options) -> Result<Self, Violation> {
        let mut machine = kernel::Config::of(Version::V6_12);
        machine.immediate = false;
        let config = Config { root_enabled: ControllerMask::empty(), ..Config::example() };
        let mut run = Run::plain(World::new(config, machine), options);
        let client = run.workload.first_client().expect("somebody asks");
        while run.world.moves().next().is_some() {
            run.make(&mut Replayed::default(), Move::Client)?;
        }
        let mut scene = Self { run, size, sent: VecDeque::new(), client };
        if is_up {
            for at in 0..size.units().len() {
                scene.take(Deed::Start(u8::try_from(at).expect("a small world")))?;
                scene.rest()?;
            }
        }
        Ok(scene)
    }

    fn rest(&mut self) -> Result<(), Violation> {
        for _ in 0..MOVES_MAX {
            match self.deeds().first() {
                Some(deed) if deed.is_own_move() => self.take(*deed)?,
                _ => return Ok(()),
            }
        }
        panic!("a small world comes to rest")
    }

    /// The deed happens, with everybody watching.
    ///
    /// # Errors
    /// The first oracle that is not satisfied.
    pub fn take(&mut self, deed: Deed) -> Result<(), Violation> {
        let nothing = &mut Replayed::default();
        match deed {
            Deed::Plan => self.run.make(nothing, Move::Plan),
            Deed::Notice(at) => {
                self.run.world.backend_mut().hasten(at.into());
                self.run.make(nothing, Move::Notice)
            }
            Deed::Client => {
                self.sent.pop_front().expect("what arrives was sent");
                self.run.make(nothing, Move::Client)
            }
            Deed::Kernel(at) => {
                self.run.world.backend_mut().kernel_mut().settle_one(at.into());
                self.run.see()
            }
            Deed::Timer => self.run.make(nothing, Move::Timer),
            Deed::Crash => {
                self.sent.clear();
                self.run.crash()
            }
            _ => {
                self.act(deed);
                self.run.see()
            }
        }?;
        self.run.world.backend_mut().take_in();
        Ok(())
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Start(at) => {
                let pid = self.small(at).is_scope().then(|| self.process());
                let call = self.start(at, pid);
                self.run.world.call(self.client, call);
                self.sent.push_back(Sent { deed, pid });
            }
            Deed::Stop(at) => self.send(deed, calls::about("StopUnit", self.name(at), "replace")),
            Deed::Set(at, limit) => {
                let limit = calls::property("TasksMax", Value::U64(limit.into()));
                self.send(deed, calls::set(self.name(at), true, vec![limit]));
            }
            Deed::Kill(at) => {
                let args = vec![Value::str(self.name(at)), Value::str("all"), Value::I32(SIGKILL.into())];
                self.send(deed, calls::manager("KillUnit", args));
            }
            Deed::Reload => self.send(deed, calls::manager("Reload", Vec::new())),
            Deed::Fork(at) => self.fork(at),
            Deed::Exit(pid) => {
                // Its end is seen by whoever sees who died.
                self.run.world.backend_mut().kernel_mut().exit(pid, 0).expect("it lives");
            }
            Deed::Own(at) => {
                let path = crate::reference::cgroup_of(self.name(at), self.small(at).slice);
                let kernel = self.run.world.backend_mut().kernel_mut();
                self.run.workload.make(kernel, &format!("{path}/own"));
            }
            Deed::Enter(at) => self.enter(at),
            Deed::Wait => {
                let next = self.run.world.next_deadline().expect("there is a deadline");
                self.run.world.set_time(next);
            }
            Deed::Plan | Deed::Notice(_) | Deed::Client | Deed::Kernel(_) | Deed::Timer | Deed::Crash => {
                unreachable!("not what somebody in the world does")
            }
        }
    }

    fn small(&self, at: u8) -> &'static Small {
        &self.size.units()[usize::from(at)]
    }

    fn name(&self, at: u8) -> &'static str {
        self.small(at).name
    }

    fn send(&mut self, deed: Deed, call: MethodCall) {
        self.run.world.call(self.client, call);
        self.sent.push_back(Sent { deed, pid: None });
    }

    fn start(&self, at: u8, pid: Option<Pid>) -> MethodCall {
        let small = self.small(at);
        let mut list = vec![calls::property("MemoryMax", Value::U64(1 << 20))];
        if let (Some(slice), Some(Ok(pid))) = (small.slice, pid.map(u32::try_from)) {
            list.push(calls::property("Slice", Value::str(slice)));
            list.push(calls::property("PIDs", calls::numbers([pid])));
        }
        if small.delegated {
            list.push(calls::property("Delegate", Value::Bool(true)));
        }
        calls::start_transient(small.name, "replace", list)
    }

    /// Numbers that processes may have.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Pid> + use<> {
        FIRST..FIRST + self.size.processes_max()
    }

    /// A number that nobody has: the lowest, so that numbers are used again as soon as can be.
    pub(super) fn free_number(&self) -> Option<Pid> {
        let kernel = self.run.world.backend().kernel();
        self.numbers().find(|pid| kernel.state(*pid).is_none())
    }

    /// A process in the root that nobody has asked to be moved.
    fn loose(&self) -> Option<Pid> {
        let kernel = self.run.world.backend().kernel();
        let is_loose = |pid: &Pid| {
            kernel.state(*pid) == Some(State::Alive)
                && kernel.cgroup_of(*pid) == Some(CgroupId::ROOT)
                && !self.run.reference.is_wanted_anywhere(*pid)
                && self.sent.iter().all(|sent| sent.pid != Some(*pid))
        };
        self.numbers().find(is_loose)
    }

    /// Is there a process for a new scope, or could there be one?
    pub(super) fn has_process(&self) -> bool {
        self.loose().or_else(|| self.free_number()).is_some()
    }

    fn process(&mut self) -> Pid {
        if let Some(pid) = self.loose() {
            return pid;
        }
        let number = self.free_number();
        let wanted = Fork { pid: number, child_of: Some(Kernel::INIT), ..Fork::default() };
        let kernel = self.run.world.backend_mut().kernel_mut();
        let pid = kernel.fork(&Caller::INIT, &wanted).expect("the root has room");
        self.run.reference.born(pid, "", 0);
        pid
    }

    fn fork(&mut self, at: u8) {
        let number = self.free_number();
        let cgroup = self.cgroup(self.small(at)).expect("somebody is in it");
        let kernel = self.run.world.backend_mut().kernel_mut();
        let family = kernel.below(cgroup).into_iter().flat_map(|cgroup| kernel.tasks_in(cgroup));
        let parent = family.filter(|pid| kernel.can_act(*pid)).min().expect("somebody forks");
        let caller = kernel.caller(parent).expect("it lives");
        let wanted = Fork { pid: number, child_of: Some(Kernel::INIT), ..Fork::default() };
        // It may be one too many.
        let Ok(child) = kernel.fork(&caller, &wanted) else { return };
        if let Some(home) = self.run.reference.home(parent).cloned() {
            self.run.reference.born(child, &home.cgroup, home.uid);
        }
    }

    fn enter(&mut self, at: u8) {
        let cgroup = self.cgroup(self.small(at)).expect("it is there");
        let path = crate::reference::cgroup_of(self.name(at), self.small(at).slice);
        let kernel = self.run.world.backend_mut().kernel_mut();
        let own = kernel.children(cgroup).next().map(|(_, own)| own).expect("its owner has made one");
        let pid = kernel.tasks_in(cgroup).min().expect("somebody is in it");
        if kernel.write(&Caller::INIT, own, File::CgroupProcs, pid.to_string().as_bytes()).is_ok() {
            self.run.reference.moved_by_owner(pid, &format!("{path}/own"));
        }
    }

    /// What tells it from worlds that behave otherwise.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint_with(&mut Canonical::default())
    }

    pub(super) fn fingerprint_with(&self, canonical: &mut Canonical) -> Fingerprint {
        canonical.begin(self.run.world.now().0);
        self.run.hash_canonical(canonical);
        self.sent.hash(canonical);
        canonical.end()
    }
}
