//! Plans and questions against the simulated kernel.

use super::*;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::{ExitStatus, PinAnswer};
use cgarbiter_core::exec::{EXIT_EXEC, ExecFailure};
use cgarbiter_core::names::UnitName;
use cgarbiter_core::plan::{Cause, OnError, Op, PlanId, Signals, Spawn, Step, WatchId};
use cgarbiter_core::{Answer, Instant, Plan, Question, Report};

const TERM: Signals = Signals { first: 15, then_continue: true, then_hangup: false };

fn path(text: &str) -> CgroupPath {
    CgroupPath::parse(text).expect("a path")
}

fn step(op: Op) -> Step {
    let unit = UnitName::parse("a.scope").expect("a name");
    Step { unit, cause: Cause::Start, on_error: OnError::Stop, op }
}

fn run(backend: &mut SimBackend, ops: Vec<Op>) -> Report {
    let steps = ops.into_iter().map(step).collect();
    backend.begin(Plan { id: PlanId(7), steps });
    loop {
        if let Some(report) = backend.step() {
            return report;
        }
    }
}

fn process(backend: &mut SimBackend) -> u32 {
    let pid = backend.kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("room");
    number(pid)
}

fn pin(backend: &mut SimBackend, pid: u32) -> Pin {
    match backend.answer(&Question::Pin(vec![pid])) {
        Answer::Processes(answers) => match answers[..] {
            [PinAnswer::Held { pin, .. }] => pin,
            _ => panic!("not held: {answers:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn scope() -> Vec<Op> {
    let (slice, scope) = (path("/a.slice"), path("/a.slice/a.scope"));
    let both = ControllerMask::MEMORY | ControllerMask::PIDS;
    let none = ControllerMask::empty();
    vec![
        Op::SubtreeControl { cgroup: CgroupPath::root(), enable: both, disable: none },
        Op::Mkdir { cgroup: slice.clone() },
        Op::SubtreeControl { cgroup: slice, enable: both, disable: none },
        Op::Mkdir { cgroup: scope.clone() },
        Op::Write { cgroup: scope.clone(), file: "memory.max", value: "1048576".into() },
        Op::Watch { cgroup: scope, watch: WatchId(1), memory: true },
    ]
}

#[test]
fn a_scope_is_made_filled_and_reported_empty() {
    let mut backend = SimBackend::new(Config::default());
    let pid = process(&mut backend);
    let mut ops = scope();
    ops.push(Op::Attach { cgroup: path("/a.slice/a.scope"), pin: pin(&mut backend, pid) });
    let report = run(&mut backend, ops);
    assert_eq!((report.plan, report.failed.as_ref(), report.outcomes.len()), (PlanId(7), None, 7));
    assert_eq!(report.outcomes.last(), Some(&Outcome::Attached));
    // The present state is reported once after the plan.
    assert_eq!(backend.poll_event(), Some(Event::CgroupChanged { watch: WatchId(1) }));
    assert_eq!(backend.poll_event(), None);
    let report = run(&mut backend, vec![Op::SignalAll { cgroup: path("/a.slice"), signals: TERM, spare: Vec::new() }]);
    assert_eq!(report.outcomes, [Outcome::Signalled { count: 1 }]);
    assert_eq!(backend.poll_event(), Some(Event::CgroupChanged { watch: WatchId(1) }));
    let rmdir = Op::Rmdir { cgroup: path("/a.slice"), watch: Some(WatchId(1)) };
    assert_eq!(run(&mut backend, vec![rmdir.clone()]).outcomes, [Outcome::Done]);
    assert_eq!(run(&mut backend, vec![rmdir]).outcomes, [Outcome::Done], "a missing one is fine");
}

#[test]
fn the_first_error_ends_a_plan() {
    let mut backend = SimBackend::new(Config::default());
    let mkdir = Op::Mkdir { cgroup: path("/a.slice") };
    let write = Op::Write { cgroup: path("/a.slice"), file: "memory.max", value: "max".into() };
    let report = run(&mut backend, vec![mkdir, write.clone(), write]);
    assert_eq!(report.outcomes.len(), 1);
    assert_eq!(report.failed.expect("refused").to_string(), "/a.slice/memory.max: ENOENT");
}

#[test]
fn a_pinned_process_that_ended_is_not_confused_with_its_successor() {
    let mut backend = SimBackend::new(Config::default());
    let pid = process(&mut backend);
    let pinned = pin(&mut backend, pid);
    let kernel_pid = Pid::try_from(pid).expect("small");
    let kernel = backend.kernel_mut();
    kernel.exit(kernel_pid, 0).expect("ends");
    kernel.reap(Kernel::INIT, kernel_pid).expect("reaped");
    kernel.fork(&Caller::INIT, &Fork { pid: Some(kernel_pid), ..Fork::default() }).expect("the number is free");
    let mut ops = scope();
    ops.push(Op::Attach { cgroup: path("/a.slice/a.scope"), pin: pinned });
    assert_eq!(run(&mut backend, ops).outcomes.last(), Some(&Outcome::Gone));
}

#[test]
fn programs_end_in_virtual_time_and_exits_come_before_notices() {
    let mut backend = SimBackend::new(Config::default());
    let command = |path: &str, argument: &str| Box::new(Spawn::new(path, [path, argument]));
    let mut ops = scope();
    ops.push(Op::Spawn { cgroup: path("/a.slice/a.scope"), command: command("/bin/sleep", "0.5") });
    let report = run(&mut backend, ops);
    let Some(Outcome::Spawned { pid }) = report.outcomes.last().cloned() else { panic!("{report:?}") };
    while backend.poll_event().is_some() {}
    assert_eq!(backend.poll_timeout(), Some(Instant(500_000)));
    backend.pass_time(Instant(499_999));
    assert!(!backend.has_event());
    backend.pass_time(Instant(500_000));
    let (exit, notice) =
        (Event::Exited { pid, status: ExitStatus::Code(0) }, Event::CgroupChanged { watch: WatchId(1) });
    assert_eq!(backend.next_event(), Some(exit.clone()));
    assert_eq!(backend.waiting(), 2);
    backend.hasten(1);
    assert_eq!(backend.next_event(), Some(notice.clone()), "unless they are told to");
    backend.hasten(1);
    assert_eq!(backend.poll_event(), Some(exit));
    assert_eq!(backend.poll_event(), Some(notice));
    let missing = Op::Spawn { cgroup: path("/a.slice/a.scope"), command: command("/nonexistent", "") };
    let report = run(&mut backend, vec![missing]);
    let Some(Outcome::Spawned { pid }) = report.outcomes.last().cloned() else { panic!("{report:?}") };
    let failure = ExecFailure { status: EXIT_EXEC, what: "/nonexistent".into(), errno: cgarbiter_core::Errno::NoEnt };
    while backend.poll_event() != Some(Event::Executed { pid, failure: Some(failure.clone()) }) {}
    backend.pass_time(Instant(500_001));
    assert_eq!(backend.poll_event(), Some(Event::Exited { pid, status: ExitStatus::Code(EXIT_EXEC) }));
}

#[test]
fn the_arbiter_and_process_one_cannot_be_pinned() {
    let mut backend = SimBackend::new(Config::default());
    let arbiter = number(backend.arbiter());
    let answer = backend.answer(&Question::Pin(vec![1, arbiter, 2, 9999]));
    let expected = [PinAnswer::Manager, PinAnswer::Manager, PinAnswer::KernelThread, PinAnswer::Gone];
    assert_eq!(answer, Answer::Processes(expected.to_vec()));
}

#[test]
fn a_step_that_is_broken_off_is_refused_and_partly_done() {
    let mut backend = SimBackend::new(Config::default());
    let steps = [Op::Mkdir { cgroup: path("/a.slice") }, Op::Mkdir { cgroup: path("/a.slice/b") }].map(step);
    backend.begin(Plan { id: PlanId(1), steps: steps.into() });
    backend.step();
    let report = backend.break_off_step(1, cgarbiter_core::Errno::MFile).expect("it ends the plan");
    assert_eq!(report.failed.expect("refused").to_string(), "/a.slice/b: EMFILE");
    assert!(backend.kernel().lookup(&Caller::INIT, b"/a.slice/b").is_ok(), "it is made all the same");
    backend.begin(Plan { id: PlanId(2), steps: [step(Op::Rmdir { cgroup: path("/a.slice"), watch: None })].into() });
    assert_eq!(backend.cuts_in_step(), 1);
    backend.break_off_step(1, cgarbiter_core::Errno::NoMem).expect("it ends the plan");
    assert!(backend.kernel().lookup(&Caller::INIT, b"/a.slice/b").is_err());
    assert!(backend.kernel().lookup(&Caller::INIT, b"/a.slice").is_ok());
    // A record is in its place, and the disk does not say that it has it.
    let write = step(Op::WriteFile { file: "/etc/a".into(), content: "text".into(), spares_others: false });
    backend.begin(Plan { id: PlanId(3), steps: [write].into() });
    let all = backend.cuts_in_step() + 1;
    backend.break_off_step(all, cgarbiter_core::Errno::Io).expect("it ends the plan");
    assert_eq!(backend.store().read("/etc/a"), Some("text"));
    backend.cut_power(|_| true);
    assert_eq!(backend.store().read("/etc/a"), None, "nor has it");
}
