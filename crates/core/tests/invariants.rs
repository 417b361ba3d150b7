//! Random requests, faults and notices in random order; the invariants hold after every event, and once everything has
//! come to rest nothing is left behind.

mod support;

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::request::{JobRef, JobVerb, UnitRef};
use cgarbiter_core::unit::Unit;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Errno, Event, OpError, Request};
use support::{Machine, job, property, root, scope, transient};

/// A sequence that looks random (xorshift).
struct Choice(u64);

impl Choice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("small")]
    }
}

const SLICES: [&str; 5] = ["a.slice", "a-b.slice", "a-b-c.slice", "d.slice", "d-e.slice"];
const UNITS: [&str; 9] =
    ["x.scope", "y.scope", "z.scope", "s.service", "t.service", "a.slice", "a-b.slice", "d.slice", "d-e.slice"];
const MODES: [&str; 6] = ["replace", "fail", "replace-irreversibly", "flush", "ignore-dependencies", "isolate"];

fn client(choice: &mut Choice) -> Client {
    match choice.below(4) {
        0 => Client { id: ClientId(2), transport: Transport::Bus(":1.2".into()), uid: 1000, pid: Some(5) },
        1 => Client { id: ClientId(3), transport: Transport::Bus(":1.3".into()), uid: 0, pid: Some(6) },
        _ => root(),
    }
}

fn properties(choice: &mut Choice, name: &str) -> Vec<(String, Value)> {
    let mut list = Vec::new();
    if !name.ends_with(".slice") {
        list.push(property("Slice", Value::str(choice.of(&SLICES))));
    }
    if name.ends_with(".scope") {
        list.extend(scope(choice.of(&SLICES), 100 + choice.below(50) as u32));
        if choice.below(6) == 0 {
            list.push(property("Controller", Value::str(":1.3")));
        }
    }
    if name.ends_with(".service") {
        let command = vec![Value::str("/bin/x"), Value::strings(["/bin/x"]), Value::Bool(false)];
        list.push(property("ExecStart", Value::Array("(sasb)".into(), vec![Value::Struct(command)])));
        if choice.below(2) == 0 {
            list.push(property("Type", Value::str("oneshot")));
        }
        if choice.below(3) == 0 {
            list.push(property("RemainAfterExit", Value::Bool(true)));
        }
    }
    for _ in 0..choice.below(3) {
        list.push(match choice.below(8) {
            0 => property("CPUWeight", Value::U64(1 + choice.below(1000))),
            1 => property("MemoryMax", Value::U64(4096 + choice.below(1 << 30))),
            2 => property("CollectMode", Value::str("inactive-or-failed")),
            3 => property("DisableControllers", Value::strings([choice.of(&["cpu", "memory", "pids"])])),
            4 => property("AddRef", Value::Bool(true)),
            5 => property(choice.of(&["Requires", "BindsTo", "Wants", "PartOf"]), Value::strings([choice.of(&UNITS)])),
            6 => property(choice.of(&["After", "Before", "Conflicts"]), Value::strings([choice.of(&UNITS)])),
            _ => property(choice.of(&["TasksMax", "CPUQuotaPerSecUSec", "MemoryLow"]), Value::U64(choice.below(5000))),
        });
    }
    list
}

fn request(choice: &mut Choice) -> Request {
    let name = choice.of(&UNITS);
    let unit = UnitRef::Name(name.into());
    match choice.below(20) {
        0..=5 => {
            let auxiliary = match choice.below(4) {
                0 => {
                    let other = choice.of(&UNITS);
                    vec![(other.into(), properties(choice, other))]
                }
                _ => Vec::new(),
            };
            let properties = properties(choice, name);
            Request::StartTransient { name: name.into(), mode: choice.of(&MODES).into(), properties, auxiliary }
        }
        6..=8 => {
            let verb =
                choice.of(&[JobVerb::Start, JobVerb::Stop, JobVerb::Stop, JobVerb::Restart, JobVerb::TryRestart]);
            Request::Job { unit, verb, mode: choice.of(&MODES).into() }
        }
        9 => Request::Kill { unit, whom: choice.of(&["all", "main", "all-fail"]).into(), signal: 15 },
        10 if choice.below(2) == 0 => Request::Freeze { unit },
        10 => Request::Thaw { unit },
        11 => Request::ResetFailed { unit },
        12 => {
            let change = match choice.below(3) {
                0 => property("CPUWeight", Value::U64(1 + choice.below(1000))),
                1 => property("DisableControllers", Value::strings([choice.of(&["cpu", "memory", "pids"])])),
                _ => property("DefaultMemoryLow", Value::U64(choice.below(9000))),
            };
            Request::SetProperties { unit, runtime: choice.below(2) == 0, properties: vec![change] }
        }
        13 => Request::Ref { unit },
        14 => Request::Unref { unit },
        15 => Request::Abandon { unit },
        16 => Request::CancelJob { job: JobRef::Id(1 + choice.below(30) as u32) },
        17 => Request::LoadUnit { name: name.into() },
        18 if choice.below(3) == 0 => Request::Reload,
        18 => Request::ClearJobs,
        _ => Request::Plan(Box::new(transient(name, properties(choice, name)))),
    }
}

fn move_once(machine: &mut Machine, choice: &mut Choice, faults: bool) {
    match choice.below(16) {
        0..=4 => {
            let (client, request) = (client(choice), request(choice));
            machine.ask(client, request);
        }
        5..=9 => {
            let errno = choice.of(&[Errno::NoEnt, Errno::Exist, Errno::Access, Errno::Busy, Errno::Inval]);
            let error = OpError { errno, file: "f".into() };
            let fault = (faults && choice.below(3) == 0).then(|| (choice.below(12) as usize, error));
            machine.run_plan(fault);
        }
        10..=12 => {
            if let Some(watch) = machine.notices.pop_front() {
                machine.hand_in(Event::CgroupChanged { watch });
            }
        }
        13 => machine.empty(choice.of(&UNITS)),
        14 => machine.exit(choice.of(&UNITS), choice.below(2) as i32),
        _ => match choice.below(6) {
            0 => machine.hand_in(Event::ClientGone(ClientId(2 + choice.below(2)))),
            1 => machine.hand_in(Event::BusNameGone(choice.of(&[":1.2", ":1.3"]).into())),
            2 => machine.pass(100_000_000),
            _ => machine.pass(600_000),
        },
    }
}

fn walk(seed: u64, faults: bool) {
    let mut choice = Choice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut machine = Machine::checked();
    for _ in 0..150 {
        move_once(&mut machine, &mut choice, faults);
    }
    // Nothing fails any more, nobody asks for anything any more: everything comes to an end.
    machine.settle();
    machine.hand_in(Event::ClientGone(ClientId(1)));
    machine.hand_in(Event::ClientGone(ClientId(2)));
    machine.hand_in(Event::ClientGone(ClientId(3)));
    for _ in 0..4 {
        // A tie that was made while jobs were waiting may have them wait for each other.
        machine.ask(root(), Request::ClearJobs);
        for unit in UNITS {
            machine.exit(unit, 0);
            machine.empty(unit);
            machine.settle();
        }
        for unit in UNITS.into_iter().chain(SLICES) {
            machine.ask(root(), job(unit, JobVerb::Stop));
            machine.settle();
            machine.pass(100_000_000);
            machine.settle();
        }
        machine.ask(root(), Request::ResetFailedAll);
        machine.settle();
    }
    assert!(machine.manager.is_quiet());
    assert!(machine.manager.jobs().is_empty());
    let left: Vec<String> = machine.manager.graph().iter().map(|(_, unit)| describe(unit)).collect();
    assert_eq!(left, ["-.slice active", "system.slice active"]);
    assert!(machine.manager.poll_timeout().is_none());
    let calls: Vec<u64> = machine.replies.iter().map(|(call, _)| call.0).collect();
    let mut unique = calls.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), calls.len(), "a request was answered twice");
    let open: Vec<u64> = (1..=machine.asked()).filter(|call| unique.binary_search(call).is_err()).collect();
    assert!(open.is_empty(), "requests were not answered: {open:?}");
}

fn describe(unit: &Unit) -> String {
    let cgroup = if unit.realized.exists && !unit.perpetual { " with a cgroup" } else { "" };
    format!("{} {}{cgroup}", unit.name, unit.state.sub())
}

/// `RUNS` sets how many walks there are, `SEED` picks one.
#[test]
fn whatever_happens_the_tables_agree() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, last) = match number("SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("RUNS").unwrap_or(60)),
    };
    let mut bad: Vec<(u64, bool)> = Vec::new();
    for seed in first..=last {
        for faults in [false, true] {
            if std::panic::catch_unwind(|| walk(seed, faults)).is_err() {
                bad.push((seed, faults));
            }
        }
    }
    assert!(bad.is_empty(), "seeds {bad:?}");
}
