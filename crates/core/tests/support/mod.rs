//! A machine on which everything works at once: it answers every plan and every question, so that tests and benches see
//! the core alone.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test and bench uses a part of it")]

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::{CgroupEvents, ExitStatus, PinAnswer};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Counters, OnError, Pin, WatchId};
use cgarbiter_core::request::{JobVerb, PropertyList, UnitRef};
use cgarbiter_core::unit_files::UnitFile;
use cgarbiter_core::value::Value;
use cgarbiter_core::{
    Answer, CallId, Config, Effect, Event, Instant, Manager, Now, Op, OpError, Outcome, Plan, Question, Refusal, Reply,
    Report, Request, Step,
};
use std::collections::{HashMap, HashSet, VecDeque};

/// The manager and a machine without faults.
#[derive(Clone)]
pub struct Machine {
    pub manager: Manager,
    /// The plan in flight; [`Machine::settle`] runs it.
    pub plan: Option<Plan>,
    /// Replies since they were last taken.
    pub replies: Vec<(CallId, Result<Reply, Refusal>)>,
    /// Notices of the kernel that have not been heard yet.
    pub notices: VecDeque<WatchId>,
    /// What was told, with the unit that it is about.
    pub told: Vec<String>,
    /// What was let go of, and what was handed to each process that was started.
    pub released: Vec<Pin>,
    pub handed_over: Vec<Vec<(u64, String)>>,
    /// Which cgroups have processes in them.
    populated: HashMap<CgroupPath, WatchId>,
    enabled: HashMap<CgroupPath, ControllerMask>,
    watches: HashMap<CgroupPath, WatchId>,
    /// Which cgroups were told to stand still.
    frozen: HashSet<CgroupPath>,
    /// What lies in the directories for units.
    pub files: Vec<UnitFile>,
    /// Events handed in so far, and steps taken.
    pub events: u64,
    pub steps: u64,
    now: u64,
    last_call: u64,
    next_pid: u32,
    /// Whether the invariants are checked after each event.
    pub checks: bool,
}

pub fn root() -> Client {
    Client { id: ClientId(1), transport: Transport::Private, uid: 0, pid: Some(4711) }
}

impl Machine {
    pub fn new() -> Self {
        let manager = Manager::new(Config::example(), clocks(1_000_000));
        Self {
            manager,
            plan: None,
            replies: Vec::new(),
            notices: VecDeque::new(),
            populated: HashMap::new(),
            told: Vec::new(),
            released: Vec::new(),
            handed_over: Vec::new(),
            enabled: HashMap::new(),
            watches: HashMap::new(),
            frozen: HashSet::new(),
            files: Vec::new(),
            events: 0,
            steps: 0,
            now: 1_000_000,
            last_call: 0,
            next_pid: 10_000,
            checks: false,
        }
    }

    /// The same with the invariants checked after each event.
    pub fn checked() -> Self {
        Self { checks: true, ..Self::new() }
    }

    /// The same, with room for what is known of so many units.
    pub fn with_room_for(units: usize) -> Self {
        let mut machine = Self::new();
        machine.make_room_for(units);
        machine
    }

    /// The same with these files, by name.
    pub fn with_files(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut machine = Self::new();
        let directory = machine.manager.config().unit_paths.files()[0].clone();
        let file = |(name, text)| UnitFile::text(format!("{directory}/{name}"), text);
        machine.files = files.into_iter().map(file).collect();
        machine.ask(root(), Request::Reload);
        machine
    }

    pub fn make_room_for(&mut self, units: usize) {
        self.populated.reserve(units);
        self.enabled.reserve(units);
        self.watches.reserve(units);
    }

    /// Hands in one event and takes the effects.
    pub fn hand_in(&mut self, event: Event) {
        self.events += 1;
        self.now += 1;
        self.manager.handle_event(clocks(self.now), event);
        self.take_effects();
    }

    /// Lets time pass.
    pub fn pass(&mut self, usec: u64) {
        self.now += usec;
        self.manager.handle_timeout(clocks(self.now));
        self.take_effects();
    }

    pub fn ask(&mut self, client: Client, request: Request) -> CallId {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.hand_in(Event::Request { call, client, request });
        call
    }

    fn take_effects(&mut self) {
        loop {
            if self.checks {
                self.manager.check();
            }
            let Some(effect) = self.manager.poll_effect() else { break };
            match effect {
                Effect::Run(plan) => {
                    assert!(self.plan.is_none(), "one plan at a time");
                    self.plan = Some(plan);
                }
                Effect::Read(id, question) => {
                    let answer = self.answer(question);
                    self.events += 1;
                    self.manager.handle_event(clocks(self.now), Event::ReadDone { id, answer });
                }
                Effect::Reply(call, reply) => self.replies.push((call, reply)),
                Effect::Tell(message) => {
                    let unit = message.unit.map(|unit| format!("{unit}: ")).unwrap_or_default();
                    self.told.push(unit + &message.text);
                }
                Effect::Release(pins) => self.released.extend(pins),
                Effect::Emit(..) | Effect::CheckSuccessor | Effect::Reexecute => {}
            }
        }
    }

    fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Pin(pids) => {
                let held = |pid: u32| PinAnswer::Held { pin: Pin(u64::from(pid)), uid: 0 };
                Answer::Processes(pids.into_iter().map(held).collect())
            }
            Question::CgroupOf(pid) => Answer::Cgroup { pid, cgroup: None },
            Question::CgroupOfPin(_) => Answer::Cgroup { pid: 0, cgroup: None },
            Question::Events(cgroup) => {
                let populated = self.populated.contains_key(&cgroup);
                Answer::Events(Some(CgroupEvents { populated, frozen: self.stands_still(&cgroup), oom_kills: None }))
            }
            Question::Readings(_) => Answer::Readings(None),
            Question::Members(_) => Answer::Members(None),
            Question::Orphans(_) => Answer::Pids(Vec::new()),
            Question::PidFile(_) => Answer::Cgroup { pid: 0, cgroup: None },
            Question::BusNameOwned(_) => Answer::Flag(true),
            Question::UnitFiles(_) => Answer::UnitFiles(self.files.clone()),
        }
    }

    /// Runs the plan in flight; with `fault`, until the step of this number, which fails so.
    pub fn run_plan(&mut self, fault: Option<(usize, OpError)>) {
        let Some(plan) = self.plan.take() else { return };
        let mut outcomes = Vec::with_capacity(plan.steps.len());
        let mut failed = None;
        for (at, step) in plan.steps.iter().enumerate() {
            let refused = fault.as_ref().filter(|(fault, _)| *fault == at).map(|(_, error)| error.clone());
            // The kernel keeps a directory for who is in it, and tells of their end; nobody is left here.
            let refused = refused.filter(|_| !matches!(step.op, Op::Rmdir { .. }) || step.unit.is_valid_slice());
            match (refused, step.on_error) {
                (None, _) => outcomes.push(self.take_step(step)),
                (Some(error), OnError::Report) => outcomes.push(Outcome::Refused(error)),
                (error, OnError::Stop) => {
                    failed = error;
                    break;
                }
            }
        }
        self.hand_in(Event::PlanDone(Report { plan: plan.id, outcomes, failed }));
    }

    fn take_step(&mut self, step: &Step) -> Outcome {
        self.steps += 1;
        match &step.op {
            Op::Mkdir { .. } => Outcome::Made { id: 1 },
            Op::Observe { .. } => Outcome::Seen { id: 1, enabled: ControllerMask::empty() },
            Op::SubtreeControl { cgroup, enable, disable } => {
                let enabled = self.enabled.entry(cgroup.clone()).or_default();
                *enabled = (*enabled | *enable) - *disable;
                Outcome::Controllers { enabled: *enabled, refused: None }
            }
            Op::Watch { cgroup, watch, .. } => {
                self.populated.insert(cgroup.clone(), *watch);
                self.watches.insert(cgroup.clone(), *watch);
                Outcome::Done
            }
            Op::SignalAll { cgroup, .. } => {
                let killed = self.populated.remove(cgroup);
                self.notices.extend(killed);
                Outcome::Signalled { count: u32::from(killed.is_some()) }
            }
            Op::Rmdir { cgroup, .. } => {
                self.enabled.remove(cgroup);
                self.populated.remove(cgroup);
                self.watches.remove(cgroup);
                self.frozen.remove(cgroup);
                Outcome::Done
            }
            Op::Write { cgroup, file: "cgroup.freeze", value } => {
                self.freeze(cgroup, value == "1");
                Outcome::Done
            }
            Op::Attach { .. } => Outcome::Attached,
            Op::SignalOne { .. } => Outcome::Signalled { count: 1 },
            Op::Spawn { command, .. } => {
                self.handed_over.push(command.stored.clone());
                self.next_pid += 1;
                Outcome::Spawned { pid: self.next_pid }
            }
            Op::ReadCounters { .. } => Outcome::Counters(Counters::default()),
            _ => Outcome::Done,
        }
    }

    /// It and all below stand still, or go on, and tell.
    fn freeze(&mut self, cgroup: &CgroupPath, freeze: bool) {
        if freeze {
            self.frozen.insert(cgroup.clone());
        } else {
            self.frozen.remove(cgroup);
        }
        let is_below = |path: &CgroupPath| above(path).any(|above| above == *cgroup);
        let mut watches: Vec<WatchId> = self.watches.iter().filter(|(p, _)| is_below(p)).map(|(_, w)| *w).collect();
        watches.sort_unstable();
        self.notices.extend(watches);
    }

    fn stands_still(&self, cgroup: &CgroupPath) -> bool {
        above(cgroup).any(|above| self.frozen.contains(&above))
    }

    /// Everybody in a unit's cgroup has ended by themselves.
    pub fn empty(&mut self, unit: &str) {
        let graph = self.manager.graph();
        let path = graph.find(unit).and_then(|id| graph.unit(id).realized.path.clone());
        let watch = path.and_then(|path| self.populated.remove(&path));
        self.notices.extend(watch);
    }

    /// A service's main process has ended.
    pub fn exit(&mut self, unit: &str, code: i32) {
        let graph = self.manager.graph();
        let service = graph.find(unit).and_then(|id| graph.unit(id).service.as_ref());
        if let Some(pid) = service.and_then(|service| service.main_pid) {
            self.empty(unit);
            self.hand_in(Event::Exited { pid, status: ExitStatus::Code(code) });
        }
    }

    /// How many requests there were.
    pub fn asked(&self) -> u64 {
        self.last_call
    }

    /// Runs plans and hands in notices until there are none.
    pub fn settle(&mut self) {
        while self.plan.is_some() || !self.notices.is_empty() {
            self.run_plan(None);
            if let Some(watch) = self.notices.pop_front() {
                self.hand_in(Event::CgroupChanged { watch });
            }
        }
    }

    pub fn start(&mut self, name: &str, properties: PropertyList) {
        self.ask(root(), transient(name, properties));
        self.settle();
    }

    pub fn stop(&mut self, name: &str) {
        self.ask(root(), job(name, JobVerb::Stop));
        self.settle();
    }
}

/// A cgroup and all above it.
fn above(cgroup: &CgroupPath) -> impl Iterator<Item = CgroupPath> + use<> {
    std::iter::successors(Some(cgroup.clone()), CgroupPath::parent)
}

pub fn clocks(monotonic: u64) -> Now {
    Now { monotonic: Instant(monotonic), realtime: 1_790_000_000_000_000 + monotonic }
}

pub fn transient(name: &str, properties: PropertyList) -> Request {
    Request::StartTransient { name: name.into(), mode: "fail".into(), properties, auxiliary: Vec::new() }
}

pub fn job(name: &str, verb: JobVerb) -> Request {
    Request::Job { unit: UnitRef::Name(name.into()), verb, mode: "replace".into() }
}

pub fn property(name: &str, value: Value) -> (String, Value) {
    (name.into(), value)
}

/// A scope with a process and a limit, as small as they come.
pub fn scope(slice: &str, pid: u32) -> PropertyList {
    vec![
        property("Slice", Value::str(slice)),
        property("PIDs", Value::Array("u".into(), vec![Value::U32(pid)])),
        property("TasksMax", Value::U64(100)),
    ]
}

/// What runc asks for when it starts a container.
pub fn like_runc(slice: &str, pid: u32) -> PropertyList {
    vec![
        property("Description", Value::str("libcontainer container 4ac9f0d3")),
        property("Slice", Value::str(slice)),
        property("Delegate", Value::Bool(true)),
        property("PIDs", Value::Array("u".into(), vec![Value::U32(pid)])),
        property("MemoryAccounting", Value::Bool(true)),
        property("CPUAccounting", Value::Bool(true)),
        property("IOAccounting", Value::Bool(true)),
        property("TasksAccounting", Value::Bool(true)),
        property("DefaultDependencies", Value::Bool(false)),
        property("DevicePolicy", Value::str("strict")),
        property(
            "DeviceAllow",
            Value::Array(
                "(ss)".into(),
                [("char-*", "m"), ("block-*", "m"), ("/dev/null", "rwm"), ("/dev/zero", "rwm"), ("char-pts", "rwm")]
                    .map(|(path, mode)| Value::Struct(vec![Value::str(path), Value::str(mode)]))
                    .into(),
            ),
        ),
        property("MemoryMax", Value::U64(512 << 20)),
        property("MemoryLow", Value::U64(64 << 20)),
        property("CPUWeight", Value::U64(79)),
        property("CPUQuotaPerSecUSec", Value::U64(1_500_000)),
        property("TasksMax", Value::U64(4096)),
    ]
}
