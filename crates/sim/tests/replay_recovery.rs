//! What an arbiter records that takes over from one that was killed, and what becomes of it when it is replayed.

use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Effect, Event, Found, Instant, Manager, Now};
use cgarbiter_sim::backend::SimBackend;
use cgarbiter_sim::kernel::{self, Caller, Fork};
use cgarbiter_sim::replay::{End, Options, Verdict, replay};
use cgarbiter_sim::world::World;
use cgarbiter_trace::{Input, Records, Writer};

/// A world where somebody has asked for a scope with limits, and nothing has been done about it yet.
fn asked() -> World {
    let mut config = Config::example();
    config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
    let mut world = World::new(config, kernel::Config::default());
    let pid = world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("there is room");
    let property = |name: &str, value: Value| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
    let list = vec![
        property("PIDs", Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())])),
        property("MemoryMax", Value::U64(64 << 20)),
        property("Description", Value::str("a \"quoted\" {line [\nand another")),
    ];
    let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
    let call = MethodCall {
        path: "/org/freedesktop/systemd1".into(),
        interface: Some("org.freedesktop.systemd1.Manager".into()),
        member: "StartTransientUnit".into(),
        args: [Value::str("x.scope"), Value::str("fail")].into_iter().chain(lists).collect(),
    };
    let client = world.connect(0, None);
    world.call(client, call);
    world
}

/// The successor of an arbiter, and what is written of it.
struct Successor {
    manager: Manager,
    backend: SimBackend,
    writer: Writer,
    now: Instant,
}

impl Successor {
    /// The arbiter of a world was killed; its successor comes to rest.
    fn of(world: &World) -> Self {
        let mut backend = world.backend().clone();
        backend.restart_arbiter();
        let config = Config { root_enabled: backend.root_enabled(), ..world.manager().config().clone() };
        let found = backend.found(&config.unit_paths);
        let now = clocks(world.now());
        let writer = Writer::begin(&["recorded by a test"], now, &config, &found);
        let manager = Manager::recover(config, now, found);
        let mut successor = Self { manager, backend, writer, now: world.now() };
        successor.pump();
        while let Some(event) = successor.next_event() {
            successor.hand_in(event);
        }
        successor.writer.end(now, "the test is over");
        successor
    }

    fn next_event(&mut self) -> Option<Event> {
        while self.backend.is_running() {
            if let Some(report) = self.backend.step() {
                return Some(Event::PlanDone(report));
            }
        }
        self.backend.poll_event()
    }

    fn hand_in(&mut self, event: Event) {
        self.writer.event(clocks(self.now), &event);
        self.manager.handle_event(clocks(self.now), event);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(effect) = self.manager.poll_effect() {
            self.writer.effect(&effect);
            match effect {
                Effect::Run(plan) => self.backend.begin(plan),
                Effect::Read(id, question) => {
                    let event = Event::ReadDone { id, answer: self.backend.answer(&question) };
                    self.writer.event(clocks(self.now), &event);
                    self.manager.handle_event(clocks(self.now), event);
                }
                Effect::Release(pins) => self.backend.release(&pins),
                Effect::Reply(..) | Effect::Emit(..) | Effect::Tell(_) => {}
                Effect::CheckSuccessor | Effect::Reexecute => panic!("nobody asks for that here"),
            }
        }
    }
}

fn clocks(now: Instant) -> Now {
    Now { monotonic: now, realtime: 1_790_000_000_000_000 + now.0 }
}

fn replayed(trace: &str) -> Verdict {
    replay(trace.as_bytes(), &Options { until: None, check: true }, &mut |_| {}).expect("a trace")
}

fn found(trace: &str) -> Found {
    let start = Records::new(trace.as_bytes()).expect("a trace").next().expect("a record").expect("a good line");
    let Input::Start { found, .. } = start.input else { panic!("{start:?}") };
    found
}

/// The units and what they are, as a person would be told.
fn states(manager: &Manager) -> Vec<String> {
    let units = manager.graph().iter();
    units.map(|(_, unit)| format!("{} {:?} {:?}", unit.name, unit.state, unit.realized)).collect()
}

#[test]
fn a_successor_reads_like_this() {
    let mut world = asked();
    world.run_until_quiet();
    insta::assert_snapshot!(Successor::of(&world).writer.text());
}

#[test]
fn a_successor_comes_out_as_it_was_recorded_whenever_the_one_before_was_killed() {
    let mut world = asked();
    let (mut something, mut nothing) = (0, 0);
    loop {
        let successor = Successor::of(&world);
        let trace = successor.writer.text();
        let verdict = replayed(trace);
        assert_eq!(verdict.end, End::Told("the test is over".into()), "{trace}");
        assert_eq!(verdict.outputs, trace.lines().filter(|line| is_output(line)).count());
        let mut crashed = world.clone();
        crashed.crash();
        crashed.run_until_quiet();
        assert_eq!(states(&successor.manager), states(crashed.manager()), "what was recorded is what a crash leads to");
        if found(trace) == Found::default() {
            nothing += 1
        } else {
            something += 1
        }
        if !world.step() {
            break;
        }
    }
    assert!(something > 5 && nothing > 0, "{something} moments with something to find, {nothing} without");
}

fn is_output(line: &str) -> bool {
    line.starts_with("  ") && !line.starts_with("        ")
}

#[test]
fn what_was_found_decides() {
    let mut world = asked();
    world.run_until_quiet();
    let successor = Successor::of(&world);
    let trace = successor.writer.text();
    assert!(replayed(trace).agrees(), "as it was written nothing differs");
    let from = trace.find("        {cgroups=").expect("what was found");
    let to = from + trace[from..].find("  run 1").expect("what came of it");
    for altered in [
        trace.replace("MemoryMax=67108864", "MemoryMax=67108865"),
        trace.replace("populated=true", "populated=false"),
        format!("{}{}", &trace[..from], &trace[to..]),
    ] {
        assert_ne!(altered, trace);
        assert!(matches!(replayed(&altered).end, End::Differs(_)), "nobody misses it in {altered}");
    }
}
