//! The world: the manager, the machine under it, the clients around it, and virtual time.
//!
//! A world is a value: clone it, stop it between any two steps, look into it. [`World::step`] does exactly one thing,
//! the first of [`World::moves`]; a search may take another of them with [`World::make`]. Nothing else in here is a
//! choice.

mod canonical;
mod clients;
mod ends;
mod moves;
mod pump;

pub use moves::Move;

use crate::backend::SimBackend;
use crate::kernel::{self, Caller, CgroupId, File};
use crate::mutants::Mutant;
use crate::seen::Seen;
use cgarbiter_core::client::{Client, ClientId};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::effect::{Audience, Message};
use cgarbiter_core::systemd1::SignalMessage;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Errno, Event, Instant, Manager, Now, Refusal};
use std::collections::{BTreeMap, VecDeque};

/// Wall-clock time at the monotonic clock's zero: some day in 2026, in microseconds.
const REALTIME_AT_ZERO: u64 = 1_790_000_000_000_000;
/// The arbiter starts one second after the machine.
const START: Instant = Instant(1_000_000);
/// So many steps without a pause mean that the world will never be quiet.
const STEPS_MAX: usize = 1_000_000;

/// Something that a client, a listener or the operator can see.
#[derive(Clone, Debug, PartialEq)]
pub enum Visible {
    /// The answer to a call.
    Reply {
        /// Which.
        call: CallId,
        /// Body or refusal.
        result: Result<Vec<Value>, Refusal>,
    },
    /// A signal, and who gets it.
    Signal {
        /// What it says.
        message: SignalMessage,
        /// To whom.
        audience: Audience,
    },
    /// What the operator is told.
    Message(Message),
}

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    manager: Manager,
    backend: SimBackend,
    now: Instant,
    clients: BTreeMap<ClientId, Client>,
    /// Sent and not yet received: calls, connections, departures.
    sent: VecDeque<Event>,
    visible: VecDeque<Visible>,
    last_call: u64,
    last_client: u64,
    trace: Option<Vec<String>>,
    /// How far the wall clock has been set ahead of where it would be.
    realtime_ahead: u64,
    /// The next question cannot be answered, for this reason.
    question_error: Option<Errno>,
    mutant: Option<Mutant>,
    is_checked: bool,
    effort: Effort,
    seen: Seen,
}

/// What the manager has done since its start, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Events and time-outs handled.
    pub events: u64,
    /// Questions asked.
    pub questions: u64,
    /// Steps of plans handed out.
    pub steps: u64,
    /// Signals emitted.
    pub signals: u64,
}

impl World {
    /// A machine that has just come up, and an arbiter of its tree. The root hands down what the configuration says it
    /// did when the arbiter came.
    ///
    /// # Panics
    /// When the kernel refuses one of these controllers.
    #[must_use]
    pub fn new(config: Config, kernel: kernel::Config) -> Self {
        let mut backend = SimBackend::new(kernel);
        hand_down(&mut backend, config.root_enabled);
        backend.pass_time(START);
        let manager = Manager::new(config, clocks(START, 0));
        let mut world = Self {
            manager,
            backend,
            now: START,
            clients: BTreeMap::new(),
            sent: VecDeque::new(),
            visible: VecDeque::new(),
            last_call: 0,
            last_client: 0,
            trace: None,
            realtime_ahead: 0,
            question_error: None,
            mutant: None,
            is_checked: cfg!(debug_assertions),
            effort: Effort::default(),
            seen: Seen::default(),
        };
        world.pump();
        world
    }

    /// The next question cannot be answered; none takes that back.
    pub fn fail_question(&mut self, errno: Option<Errno>) {
        self.question_error = errno;
    }

    /// The wall clock is set to so much ahead of where it would be by itself.
    pub fn set_realtime_ahead(&mut self, usec: u64) {
        self.realtime_ahead = usec;
    }

    /// From now on something between manager and machine is broken on purpose.
    pub fn break_with(&mut self, mutant: Mutant) {
        if mutant == Mutant::SyncsNothing {
            self.backend.forget_to_sync();
        }
        self.mutant = Some(mutant);
    }

    /// Whether to check the manager's invariants after every event; as a rule in debug builds only.
    pub fn check_invariants(&mut self, on: bool) {
        self.is_checked = on;
    }

    /// Look: what the manager has done so far.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// Look: what has come so far, by kind.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What has come that is not the world's own doing is counted by whoever does it.
    pub(crate) fn seen_mut(&mut self) -> &mut Seen {
        &mut self.seen
    }

    /// Goes on until nothing can happen without time passing.
    ///
    /// # Panics
    /// When that never comes.
    pub fn run_until_quiet(&mut self) {
        let steps = (0..STEPS_MAX).take_while(|_| self.step()).count();
        assert!(steps < STEPS_MAX, "the world does not come to rest");
    }

    /// Lets time pass: every deadline on the way is met, and after each the world comes to rest.
    pub fn advance(&mut self, usec: u64) {
        let end = self.now.after(usec);
        self.run_until_quiet();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.set_time(next.max(self.now));
            self.run_until_quiet();
        }
        self.set_time(end);
    }

    /// Lets time pass up to the next deadline, if that comes within so many microseconds; nothing is done about it yet.
    pub fn pass_to_deadline(&mut self, usec: u64) -> bool {
        let next = self.next_deadline().filter(|next| *next <= self.now.after(usec));
        if let Some(next) = next {
            self.set_time(next.max(self.now));
        }
        next.is_some()
    }

    /// Lets time pass until then, and nothing else happens: what has come due is a [`Move::Timer`] from now on.
    pub fn set_time(&mut self, now: Instant) {
        self.now = now;
        self.backend.pass_time(now);
    }

    /// When something will happen by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.manager.poll_timeout().into_iter().chain(self.backend.poll_timeout()).min()
    }

    /// Look: the time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Takes the first thing that has become visible.
    pub fn take_visible(&mut self) -> Option<Visible> {
        self.visible.pop_front()
    }

    /// Look: the manager.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Look: the machine.
    #[must_use]
    pub fn backend(&self) -> &SimBackend {
        &self.backend
    }

    /// The machine, for what others than the arbiter do to it.
    pub fn backend_mut(&mut self) -> &mut SimBackend {
        &mut self.backend
    }

    /// From now on keeps a line of text for everything that happens.
    pub fn start_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// In the lines that are kept, a remark.
    pub fn remark(&mut self, remark: impl FnOnce() -> String) {
        self.note(|_| remark());
    }

    /// Takes the lines kept so far.
    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn clocks(&self) -> Now {
        clocks(self.now, self.realtime_ahead)
    }

    fn note(&mut self, line: impl FnOnce(Instant) -> String) {
        if let Some(lines) = &mut self.trace {
            lines.push(line(self.now));
        }
    }
}

fn clocks(now: Instant, ahead: u64) -> Now {
    Now { monotonic: now, realtime: REALTIME_AT_ZERO.saturating_add(now.0).saturating_add(ahead) }
}

fn hand_down(backend: &mut SimBackend, controllers: ControllerMask) {
    for controller in controllers.controllers() {
        let word = format!("+{}", controller.name());
        let root = backend.kernel_mut();
        root.write(&Caller::INIT, CgroupId::ROOT, File::CgroupSubtreeControl, word.as_bytes())
            .expect("the root hands down what it has");
    }
}
