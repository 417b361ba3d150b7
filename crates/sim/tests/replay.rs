//! A short trace as a person reads it, and what becomes of it when it is replayed whole, cut and altered.

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::{CgroupEvents, PinAnswer};
use cgarbiter_core::plan::{Counters, Pin, Plan, WatchId};
use cgarbiter_core::request::CallId;
use cgarbiter_core::value::Value;
use cgarbiter_core::{
    Answer, Config, Effect, Event, Found, Instant, Manager, Now, Op, Outcome, Question, Report, Request,
};
use cgarbiter_sim::replay::{End, Options, Verdict, replay};
use cgarbiter_trace::Writer;

/// A manager on a machine where all goes well, and what is written of it.
struct Recorded {
    manager: Manager,
    writer: Writer,
    usec: u64,
}

impl Recorded {
    fn begin() -> Self {
        let config = Config { supported: ControllerMask::MEMORY | ControllerMask::PIDS, ..Config::example() };
        let writer = Writer::begin(&["recorded by a test"], now(0), &config, &Found::default());
        Self { manager: Manager::new(config, now(0)), writer, usec: 0 }
    }

    fn hand_in(&mut self, event: Event) {
        self.usec += 250;
        self.writer.event(now(self.usec), &event);
        self.manager.handle_event(now(self.usec), event);
        let mut plans = Vec::new();
        while let Some(effect) = self.manager.poll_effect() {
            self.writer.effect(&effect);
            match effect {
                Effect::Run(plan) => plans.push(plan),
                Effect::Read(id, question) => {
                    let event = Event::ReadDone { id, answer: answer(&question) };
                    self.writer.event(now(self.usec), &event);
                    self.manager.handle_event(now(self.usec), event);
                }
                _ => {}
            }
        }
        plans.iter().for_each(|plan| self.hand_in(Event::PlanDone(report(plan))));
    }

    /// A scope begins with one process, and ends when that does.
    fn a_scope() -> String {
        let mut recorded = Self::begin();
        recorded.hand_in(Event::ClientConnected(ClientId(1)));
        let client = Client { id: ClientId(1), transport: Transport::Private, uid: 0, pid: Some(77) };
        let properties = vec![
            ("PIDs".into(), Value::Array("u".into(), vec![Value::U32(77)])),
            ("MemoryMax".into(), Value::U64(64 << 20)),
            ("Description".into(), Value::str("a \"quoted\" line\nand another")),
        ];
        let request =
            Request::StartTransient { name: "x.scope".into(), mode: "fail".into(), properties, auxiliary: Vec::new() };
        recorded.hand_in(Event::Request { call: CallId(1), client, request });
        recorded.hand_in(Event::CgroupChanged { watch: WatchId(1) });
        recorded.writer.end(now(recorded.usec), "the test is over");
        recorded.writer.text().to_owned()
    }
}

fn now(usec: u64) -> Now {
    Now { monotonic: Instant(35_000_000 + usec), realtime: 1_700_000_000_000_000 + usec }
}

fn answer(question: &Question) -> Answer {
    match question {
        Question::Pin(_) => Answer::Processes(vec![PinAnswer::Held { pin: Pin(1), uid: 0 }]),
        Question::Events(_) => Answer::Events(Some(CgroupEvents::default())),
        other => panic!("nobody asks {other:?} here"),
    }
}

fn report(plan: &Plan) -> Report {
    let outcome = |op: &Op| match op {
        Op::Mkdir { .. } => Outcome::Made { id: 7 },
        Op::SubtreeControl { enable, .. } => Outcome::Controllers { enabled: *enable, refused: None },
        Op::Attach { .. } => Outcome::Attached,
        Op::ReadCounters { .. } => Outcome::Counters(Counters { memory_current: Some(4096), ..Counters::default() }),
        _ => Outcome::Done,
    };
    Report { plan: plan.id, outcomes: plan.steps.iter().map(|step| outcome(&step.op)).collect(), failed: None }
}

fn replayed(trace: &str) -> Verdict {
    replay(trace.as_bytes(), &Options { until: None, check: true }, &mut |_| {}).expect("a trace")
}

#[test]
fn a_scope_reads_like_this() {
    insta::assert_snapshot!(Recorded::a_scope());
}

#[test]
fn it_comes_out_as_it_was_recorded() {
    let trace = Recorded::a_scope();
    let verdict = replayed(&trace);
    assert_eq!(verdict.end, End::Told("the test is over".into()));
    let mut seen = String::new();
    replay(trace.as_bytes(), &Options::default(), &mut |line| seen += &format!("{line}\n")).expect("a trace");
    let wanted: Vec<&str> =
        trace.lines().filter(|line| !line.starts_with(['#', 'c']) && !line.contains(" end ")).collect();
    let after_start = |line: &&str| !line.starts_with("        ");
    assert_eq!(seen.lines().collect::<Vec<_>>(), wanted.into_iter().filter(after_start).collect::<Vec<_>>());
}

#[test]
fn every_line_that_is_altered_left_out_or_added_is_found() {
    let trace = Recorded::a_scope();
    let lines: Vec<&str> = trace.lines().collect();
    let mut outputs = 0;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_output(line)) {
        let with = |new: &[&str]| [&lines[..index], new, &lines[index + 1..]].concat().join("\n") + "\n";
        let altered = format!("{line} ");
        for text in [with(&[&altered]), with(&[]), with(&[line, line])] {
            let End::Differs(difference) = replayed(&text).end else { panic!("nobody misses {line:?}") };
            assert!((index + 1..=index + 2).contains(&difference.line), "{line:?}: {difference}");
        }
        outputs += 1;
    }
    assert!(outputs > 20, "only {outputs} lines of effects");
}

fn is_output(line: &str) -> bool {
    line.starts_with("  ") && !line.starts_with("        ")
}

#[test]
fn a_trace_that_was_cut_anywhere_is_replayed_up_to_there() {
    let trace = Recorded::a_scope();
    let start = trace.find(" connected").expect("the first event");
    for end in start..trace.len() {
        let verdict = replayed(&trace[..end]);
        assert!(matches!(verdict.end, End::Cut(_) | End::Open), "{end}: {verdict}");
    }
}

#[test]
fn the_first_difference_is_shown_with_its_place() {
    let trace = Recorded::a_scope().replace("value=\"67108864\"", "value=\"67108865\"");
    insta::assert_snapshot!(replayed(&trace));
}

#[test]
fn a_start_comes_first_and_once() {
    let trace = Recorded::a_scope();
    let (start, event) = (trace.find("35.000000").expect("a start"), trace.find("35.000250").expect("an event"));
    let error =
        |text: String| replay(text.as_bytes(), &Options::default(), &mut |_| {}).expect_err("no trace").to_string();
    assert_eq!(error(format!("{}{}", &trace[..start], &trace[event..])), "line 3: an input before the start");
    assert_eq!(error(format!("{}{}", &trace[..event], &trace[start..])), "line 18: a second start");
}

#[test]
fn it_stops_where_it_is_told_to() {
    let trace = Recorded::a_scope();
    let line = trace.lines().position(|line| line.contains(" request ")).expect("a request") + 1;
    let verdict = replay(trace.as_bytes(), &Options { until: Some(line), check: false }, &mut |_| {}).expect("a trace");
    assert_eq!((verdict.inputs, verdict.end), (2, End::Stopped));
}

#[test]
fn an_input_that_the_core_does_not_survive_is_named() {
    let trace = Recorded::a_scope();
    let at = trace.find("done {plan=1").expect("a report");
    let line = trace[..at].lines().count();
    let verdict = replayed(&trace.replace("done {plan=1", "done {plan=9"));
    assert_eq!(verdict.end, End::Panicked(line));
}
