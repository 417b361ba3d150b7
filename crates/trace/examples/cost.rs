//! What recording costs: a scope that starts and ends, with and without a trace, in nanoseconds and bytes.

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::event::{CgroupEvents, PinAnswer};
use cgarbiter_core::plan::{Counters, Pin, Plan, WatchId};
use cgarbiter_core::request::CallId;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Answer, Config, Effect, Event, Found, Manager, Now, Op, Outcome, Question, Report, Request};
use cgarbiter_trace::Writer;
use std::io::Write;
use std::time::Instant;

/// How many scopes are started and ended.
const SCOPES: u32 = 20_000;

struct Driven {
    manager: Manager,
    writer: Option<Writer>,
    file: std::fs::File,
    bytes: usize,
    watch: WatchId,
}

impl Driven {
    fn hand_in(&mut self, event: Event) {
        let now = Now::default();
        if let Some(writer) = &mut self.writer {
            writer.event(now, &event);
        }
        self.manager.handle_event(now, event);
        let mut plans = Vec::new();
        while let Some(effect) = self.manager.poll_effect() {
            if let Some(writer) = &mut self.writer {
                writer.effect(&effect);
            }
            match effect {
                Effect::Run(plan) => plans.push(plan),
                Effect::Read(id, question) => self.hand_in(Event::ReadDone { id, answer: answer(&question) }),
                _ => {}
            }
        }
        for plan in plans {
            let report = self.report(&plan);
            self.hand_in(Event::PlanDone(report));
        }
    }

    fn report(&mut self, plan: &Plan) -> Report {
        let mut outcomes = Vec::new();
        for step in &*plan.steps {
            outcomes.push(match &step.op {
                Op::Mkdir { .. } => Outcome::Made { id: 7 },
                Op::SubtreeControl { enable, .. } => Outcome::Controllers { enabled: *enable, refused: None },
                Op::Attach { .. } => Outcome::Attached,
                Op::ReadCounters { .. } => Outcome::Counters(Counters::default()),
                Op::Watch { watch, .. } => {
                    self.watch = *watch;
                    Outcome::Done
                }
                _ => Outcome::Done,
            });
        }
        Report { plan: plan.id, outcomes, failed: None }
    }

    /// What the loop does at the end of each turn.
    fn flush(&mut self) -> std::io::Result<()> {
        if let Some(writer) = &mut self.writer {
            self.file.write_all(writer.text().as_bytes())?;
            self.bytes += writer.text().len();
            writer.clear();
        }
        Ok(())
    }

    fn scope(&mut self, number: u32) -> std::io::Result<()> {
        let client = Client { id: ClientId(1), transport: Transport::Private, uid: 0, pid: Some(77) };
        let properties = vec![
            ("PIDs".into(), Value::Array("u".into(), vec![Value::U32(77)])),
            ("MemoryMax".into(), Value::U64(64 << 20)),
        ];
        let name = format!("run-{number}.scope");
        let request = Request::StartTransient { name, mode: "fail".into(), properties, auxiliary: Vec::new() };
        self.hand_in(Event::Request { call: CallId(u64::from(number)), client, request });
        self.flush()?;
        self.hand_in(Event::CgroupChanged { watch: self.watch });
        self.flush()
    }
}

fn answer(question: &Question) -> Answer {
    match question {
        Question::Pin(_) => Answer::Processes(vec![PinAnswer::Held { pin: Pin(1), uid: 0 }]),
        _ => Answer::Events(Some(CgroupEvents::default())),
    }
}

fn main() -> std::io::Result<()> {
    let path = std::env::temp_dir().join(format!("cgarbiter-trace-cost-{}", std::process::id()));
    for recorded in [false, true, false, true] {
        let config = Config::example();
        let writer = recorded.then(|| Writer::begin(&[], Now::default(), &config, &Found::default()));
        let manager = Manager::new(config, Now::default());
        let file = std::fs::File::create(&path)?;
        let mut driven = Driven { manager, writer, file, bytes: 0, watch: WatchId(0) };
        driven.hand_in(Event::ClientConnected(ClientId(1)));
        let begin = Instant::now();
        (0..SCOPES).try_for_each(|number| driven.scope(number))?;
        let each = begin.elapsed() / SCOPES;
        let bytes = driven.bytes / SCOPES as usize;
        writeln!(std::io::stdout(), "recorded: {recorded:5}  {each:?} and {bytes} bytes a scope")?;
    }
    std::fs::remove_file(path)
}
