//! The world: the manager, the machine under it, the clients around it, and virtual time.
//!
//! A world is a value: clone it, stop it between any two steps, look into it. [`World::step`] does exactly one thing,
//! the first of [`World::moves`]; a search may take another of them with [`World::make`]. Nothing else in here is a
//! choice.

mod canonical;

use crate::backend::SimBackend;
use crate::kernel::{self, Caller, CgroupId, File};
use crate::mutants::Mutant;
use crate::trace;
use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::effect::{Audience, Message};
use cgarbiter_core::invariants;
use cgarbiter_core::systemd1::{self, MethodCall, SignalMessage};
use cgarbiter_core::value::Value;
use cgarbiter_core::{
    Answer, CallId, Config, Effect, Errno, Event, Instant, Manager, Now, OpError, Question, ReadId, Refusal,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

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

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The next step of the plan in flight, or its report.
    Plan,
    /// An exit or a notice of the kernel reaches the manager.
    Notice,
    /// What a client sent first reaches the manager.
    Client,
    /// A death or a freeze that the kernel has begun comes to pass (see [`kernel::Config::immediate`]).
    Kernel,
    /// A deadline of the manager has come.
    Timer,
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
        };
        world.pump();
        world
    }

    /// The arbiter is killed without a warning, and another one starts. What was on its way to the old one is lost:
    /// calls that were not answered never will be, and the plan in flight ends where it is. Clients stay on the bus.
    pub fn crash(&mut self) {
        self.note(|now| format!("{now} crash"));
        self.sent.clear();
        self.backend.restart_arbiter();
        let config = self.manager.config().clone();
        let mut config = Config { root_enabled: self.backend.root_enabled(), ..config };
        // Nobody draws the same identities twice.
        config.seed[0] = config.seed[0].wrapping_add(1);
        let found = self.backend.found(&config.unit_paths);
        let found = self.mutant.map_or_else(|| found.clone(), |mutant| mutant.found(found.clone(), &mut self.backend));
        self.manager = Manager::recover(config, self.clocks(), found);
        self.check();
        self.pump();
    }

    /// The power goes, and the machine comes up again with a new arbiter, and nobody else on it. Clocks go on. Of what
    /// was not on the disk yet `is_lost` says what is lost.
    pub fn cut_power(&mut self, is_lost: impl FnMut(&str) -> bool) {
        self.note(|now| format!("{now} power cut"));
        self.sent.clear();
        self.clients.clear();
        self.backend.cut_power(is_lost);
        let mut config = self.manager.config().clone();
        hand_down(&mut self.backend, config.root_enabled);
        self.backend.pass_time(self.now);
        // Nobody draws the same identities twice.
        config.seed[0] = config.seed[0].wrapping_add(1);
        config.boot_id = format!("00000000-0000-4000-8000-{:012}", config.seed[0]);
        let found = self.backend.found(&config.unit_paths);
        self.manager = Manager::recover(config, self.clocks(), found);
        self.check();
        self.pump();
    }

    /// A client comes to the bus; it has the unique name `:1.N`.
    pub fn connect(&mut self, uid: u32, pid: Option<u32>) -> ClientId {
        self.last_client += 1;
        let id = ClientId(self.last_client);
        let name: Arc<str> = format!(":1.{}", self.last_client).into();
        self.clients.insert(id, Client { id, transport: Transport::Bus(name), uid, pid });
        id
    }

    /// A client leaves the bus.
    pub fn disconnect(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(&id) else { return };
        if let Some(name) = client.bus_name() {
            self.sent.push_back(Event::BusNameGone(String::from(&**name)));
        }
        self.sent.push_back(Event::ClientGone(id));
    }

    /// Look: a client.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(&id)
    }

    /// A client calls a method. The call is on its way until a [`Move::Client`].
    ///
    /// # Panics
    /// When the client has left.
    pub fn call(&mut self, client: ClientId, call: MethodCall) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let client = self.clients.get(&client).expect("only a connected client calls").clone();
        let pings = call.member == "Ping" && call.interface.as_deref() == Some("org.freedesktop.DBus.Peer");
        match systemd1::decode(call) {
            // Every connection answers this by itself.
            _ if pings => self.visible.push_back(Visible::Reply { call: id, result: Ok(Vec::new()) }),
            Ok(request) => self.sent.push_back(Event::Request { call: id, client, request }),
            Err(refusal) => self.visible.push_back(Visible::Reply { call: id, result: Err(refusal) }),
        }
        id
    }

    /// What can happen now, the likeliest first: a plan goes on, then the kernel is heard, then clients, then what the
    /// kernel has begun, then time.
    pub fn moves(&self) -> impl Iterator<Item = Move> + use<> {
        let due = self.manager.poll_timeout().is_some_and(|at| at <= self.now);
        [
            (Move::Plan, self.backend.is_running()),
            (Move::Notice, self.backend.has_event()),
            (Move::Client, !self.sent.is_empty()),
            (Move::Kernel, !self.backend.kernel().unsettled().is_empty()),
            (Move::Timer, due),
        ]
        .into_iter()
        .filter_map(|(step, possible)| possible.then_some(step))
    }

    /// Does exactly one thing; false when there is nothing to do until time passes.
    pub fn step(&mut self) -> bool {
        let first = self.moves().next();
        if let Some(step) = first {
            self.make(step);
        }
        first.is_some()
    }

    /// Look: what a [`Move::Client`] would hand in.
    #[must_use]
    pub fn next_sent(&self) -> Option<&Event> {
        self.sent.front()
    }

    /// Look: how many calls and departures are on their way.
    #[must_use]
    pub fn sent_count(&self) -> usize {
        self.sent.len()
    }

    /// Instead of a [`Move::Plan`]: the kernel refuses the next step.
    ///
    /// # Panics
    /// When no step is left to refuse.
    pub fn refuse_step(&mut self, errno: Errno) {
        self.note_step(&format!("  -> {errno}"));
        if let Some(report) = self.backend.refuse_step(errno) {
            self.deliver(Event::PlanDone(report));
        }
    }

    /// Instead of a [`Move::Plan`]: the next step is refused after so many parts of it are done
    /// ([`SimBackend::break_off_step`]).
    pub fn break_off_step(&mut self, parts: usize, errno: Errno) {
        self.note_step(&format!("  -> {errno} after {parts} parts"));
        if let Some(report) = self.backend.break_off_step(parts, errno) {
            self.deliver(Event::PlanDone(report));
        }
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

    /// Does one of the possible things.
    pub fn make(&mut self, step: Move) {
        match step {
            Move::Plan => self.plan_step(),
            Move::Notice => {
                if let Some(event) = self.backend.poll_event() {
                    self.deliver(event);
                }
            }
            Move::Client => {
                let event = self.sent.pop_front().expect("something was sent");
                self.deliver(event);
            }
            Move::Kernel => self.backend.kernel_mut().settle_one(0),
            Move::Timer => {
                self.note(|now| format!("{now} time-out"));
                self.effort.events += 1;
                self.manager.handle_timeout(self.clocks());
                self.check();
                self.pump();
            }
        }
    }

    /// Look: between how many parts of the first of the [`moves`](Self::moves) a crash may come.
    #[must_use]
    pub fn cuts_in_move(&self) -> usize {
        if self.backend.is_running() { self.backend.cuts_in_step() } else { 0 }
    }

    /// So many parts of a [`Move::Plan`] are done. Only a [`crash`](Self::crash) may follow.
    pub fn make_partly(&mut self, parts: usize) {
        if parts == 0 {
            return;
        }
        self.note_step(&format!("  -> cut after {parts} parts"));
        match self.mutant {
            Some(mutant) => mutant.step_partly(&mut self.backend, parts),
            None => self.backend.step_partly(parts),
        }
    }

    fn plan_step(&mut self) {
        self.note_step("");
        let report = match self.mutant {
            Some(mutant) => mutant.step(&mut self.backend),
            None => self.backend.step(),
        };
        if let Some(report) = report {
            self.deliver(Event::PlanDone(report));
        }
    }

    fn note_step(&mut self, remark: &str) {
        if self.trace.is_some()
            && let Some(line) = self.backend.next_step().map(trace::step)
        {
            self.note(|_| format!("{line}{remark}"));
        }
    }

    fn deliver(&mut self, event: Event) {
        match self.mutant {
            Some(mutant) => mutant.event(event, &self.backend).into_iter().for_each(|event| self.hand_in(event)),
            None => self.hand_in(event),
        }
    }

    fn hand_in(&mut self, event: Event) {
        self.note(|now| format!("{now} {}", trace::event(&event)));
        self.effort.events += 1;
        self.manager.handle_event(self.clocks(), event);
        self.check();
        self.pump();
    }

    /// Takes the manager's effects; questions are answered at once.
    fn pump(&mut self) {
        while let Some(effect) = self.manager.poll_effect() {
            self.note(|_| trace::effect(&effect));
            match effect {
                Effect::Run(plan) => {
                    self.effort.steps += plan.steps.len() as u64;
                    self.backend.begin(plan);
                }
                Effect::Read(id, question) => self.read(id, &question),
                Effect::Reply(call, result) => {
                    let result = result.map(systemd1::encode_reply);
                    let times = self.mutant.map_or(1, |mutant| mutant.replies(call));
                    (1..times).for_each(|_| self.visible.push_back(Visible::Reply { call, result: result.clone() }));
                    if times > 0 {
                        self.visible.push_back(Visible::Reply { call, result });
                    }
                }
                Effect::Emit(signal, audience) => {
                    self.effort.signals += 1;
                    let also = self.mutant.and_then(|mutant| mutant.also(&signal));
                    for signal in std::iter::once(signal).chain(also) {
                        let message = systemd1::encode_signal(signal);
                        self.visible.push_back(Visible::Signal { message, audience: audience.clone() });
                    }
                }
                Effect::Release(pins) => self.backend.release(&pins),
                Effect::CheckSuccessor => self.sent.push_back(Event::SuccessorChecked(None)),
                Effect::Tell(message) => {
                    if self.mutant.is_none_or(|mutant| mutant.tells(&message)) {
                        self.visible.push_back(Visible::Message(message));
                    }
                }
                Effect::Reexecute => {}
            }
        }
    }

    fn read(&mut self, id: ReadId, question: &Question) {
        self.effort.questions += 1;
        let failed = self.question_error.take_if(|_| may_fail(question));
        let answer = match question {
            _ if failed.is_some() => Answer::Failed(OpError::new("", failed.unwrap_or(Errno::Io))),
            Question::BusNameOwned(name) => Answer::Flag(self.owns(name)),
            _ => self.backend.answer(question),
        };
        let answer = match self.mutant {
            Some(mutant) => mutant.answer(&answer, self.effort.questions),
            None => answer,
        };
        self.note(|_| format!("    found {answer:?}"));
        self.manager.handle_event(self.clocks(), Event::ReadDone { id, answer });
        self.check();
    }

    /// In tests: what is always true of the manager is true now.
    fn check(&self) {
        if self.is_checked {
            invariants::check(&self.manager);
        }
    }

    fn owns(&self, name: &str) -> bool {
        self.clients.values().any(|client| client.bus_name().is_some_and(|own| &**own == name))
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

/// Whether the backend may have to say that it could not find out; of the other questions, a failure is an answer.
fn may_fail(question: &Question) -> bool {
    match question {
        Question::Pin(_)
        | Question::Members(_)
        | Question::CgroupOfPin(_)
        | Question::Events(_)
        | Question::Orphans(_) => true,
        Question::CgroupOf(_)
        | Question::Readings(_)
        | Question::PidFile(_)
        | Question::UnitFiles(_)
        | Question::BusNameOwned(_) => false,
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
