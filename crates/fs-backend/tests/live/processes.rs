//! Processes that are moved, started and looked at.

use crate::world::{Sleeper, World, cgroup};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::{ExitStatus, Member};
use cgarbiter_core::exec::{EXIT_EXEC, ExecFailure, ExecStep};
use cgarbiter_core::plan::{Counters, OnError, Pin, Signals, Spawn};
use cgarbiter_core::{Answer, Errno, Op, Outcome, Question};
use std::time::Duration;

fn spawn(path: &str, arguments: &[&str]) -> Op {
    let command = Spawn { environment: vec!["A=b".into()], ..Spawn::new(path, arguments.iter().copied()) };
    Op::Spawn { cgroup: cgroup("s"), command: Box::new(command) }
}

fn begun(world: &mut World, op: Op) -> u32 {
    match world.run([op])[..] {
        [Outcome::Spawned { pid }] => pid,
        ref other => panic!("{other:?}"),
    }
}

fn spawned(world: &mut World, script: &str) -> u32 {
    begun(world, Op::Spawn { cgroup: cgroup("s"), command: Box::new(shell(script, Vec::new())) })
}

/// A script with these steps before it; its variables are its own.
fn shell(script: &str, setup: Vec<ExecStep>) -> Spawn {
    Spawn { setup, no_env_expand: true, ..Spawn::new("/bin/sh", ["sh", "-c", script]) }
}

fn signals(first: i32) -> Signals {
    Signals { first, then_continue: true, then_hangup: false }
}

#[test]
fn a_process_is_attached_and_seen_there() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s", "s/sub"]);
    let sleeper = Sleeper::new();
    let pid = sleeper.pid();
    world.attach("s/sub", pid);
    assert_eq!(world.executor.pin_count(), 0);
    let whereabouts = Answer::Cgroup { pid, cgroup: Some(cgroup("s/sub")) };
    assert_eq!(world.executor.answer(&Question::CgroupOf(pid)), whereabouts);
    let pin = world.pin(pid);
    assert_eq!(world.executor.answer(&Question::CgroupOfPin(pin)), whereabouts);
    assert_eq!(world.executor.pin_count(), 0);
    let member = Member { cgroup: cgroup("s/sub"), pid, command: "sleep 1000".into() };
    let members = Answer::Members(Some(vec![member]));
    // For a moment on its way to become its program, a process has no command line.
    world.until("the program", |world, _| world.executor.answer(&Question::Members(cgroup("s"))) == members);
    // Once more is fine.
    world.attach("s/sub", pid);
    assert_eq!(
        world.executor.answer(&Question::CgroupOf(std::process::id())),
        Answer::Cgroup { pid: std::process::id(), cgroup: None },
        "outside"
    );
}

#[test]
fn whoever_has_ended_is_gone() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let (mut zombie, mut reaped) = (Sleeper::new(), Sleeper::new());
    let pins = [world.pin(zombie.pid()), world.pin(reaped.pid())];
    reaped.kill();
    reaped.reap();
    zombie.kill();
    let is_zombie = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.contains(") Z "));
    while !is_zombie(zombie.pid()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let attach = pins.map(|pin| Op::Attach { cgroup: cgroup("s"), pin });
    assert_eq!(world.run(attach), [Outcome::Gone, Outcome::Gone]);
    assert_eq!(world.refused(Op::Attach { cgroup: cgroup("s"), pin: Pin(999) }).errno, Errno::BadF);
}

#[test]
fn a_refused_attach_names_the_file_and_lets_go() {
    let Some(mut world) = World::new() else { return };
    let sleeper = Sleeper::new();
    let pin = world.pin(sleeper.pid());
    let error = world.refused(Op::Attach { cgroup: cgroup("missing"), pin });
    assert_eq!(error.errno, Errno::NoEnt);
    assert!(error.file.ends_with("/missing/cgroup.procs"), "{error}");
    assert_eq!(world.executor.pin_count(), 0);
}

#[test]
fn a_spawned_process_runs_in_its_cgroup_with_a_clean_slate() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let out = world.files.path().join("out");
    std::fs::create_dir(&out).expect("made");
    let sources = ["status", "cgroup", "environ"].map(|file| format!("/proc/self/{file}"));
    let mut arguments: Vec<&str> = sources.iter().map(String::as_str).collect();
    arguments.insert(0, "cp");
    arguments.push(out.to_str().expect("text"));
    let pid = match world.run([spawn("/bin/cp", &arguments)])[..] {
        [Outcome::Spawned { pid }] => pid,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(world.exit_of(pid), ExitStatus::Code(0));
    let text = |file: &str| std::fs::read_to_string(out.join(file)).expect("copied");
    let place = format!("0::{}/s\n", world.executor.root().path());
    assert!(text("cgroup").ends_with(&place), "{}", text("cgroup"));
    assert_eq!(text("environ"), "A=b\0");
    let status = text("status");
    for key in ["SigBlk:", "SigIgn:", "SigCgt:"] {
        let set = status.lines().find_map(|line| line.strip_prefix(key)).expect("a set of signals");
        assert_eq!(set.trim(), "0000000000000000", "{key}");
    }
    assert!(status.contains(&format!("\nNSsid:\t{pid}\n")), "a session of its own: {status}");
    assert!(status.contains("\nUmask:\t0022\n"), "{status}");
}

#[test]
fn ends_are_told_as_they_were() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let pid = spawned(&mut world, "exit 7");
    assert_eq!(world.exit_of(pid), ExitStatus::Code(7));
    let pid = spawned(&mut world, "kill -9 $$");
    assert_eq!(world.exit_of(pid), ExitStatus::Signal(9));
    // A realtime signal has no name, but a number.
    let pid = spawned(&mut world, "kill -40 $$");
    assert_eq!(world.exit_of(pid), ExitStatus::Signal(40));
    let pid = spawned(&mut world, "sleep 1000");
    let signal = Op::SignalOne { pid, signals: signals(15) };
    assert_eq!(world.run([signal.clone()]), [Outcome::Signalled { count: 1 }]);
    assert_eq!(world.exit_of(pid), ExitStatus::Signal(15));
    assert_eq!(world.run([signal]), [Outcome::Signalled { count: 0 }]);
}

#[test]
fn a_program_that_cannot_run_is_refused() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    for (path, argument, errno) in [
        ("/no/such/program", "x", Errno::NoEnt),
        ("/etc/passwd", "x", Errno::Access),
        ("/bin/sh", "nul\0", Errno::Inval),
    ] {
        let pid = begun(&mut world, spawn(path, &[argument]));
        assert_eq!(world.failure_of(pid), ExecFailure { status: EXIT_EXEC, what: path.into(), errno });
    }
    world.until("nobody is left", |world, _| !world.is_populated("s"));
    world.run([Op::Rmdir { cgroup: cgroup("s"), watch: None }]);
    let error = world.refused(spawn("/bin/true", &["true"]));
    assert_eq!(error.errno, Errno::NoEnt);
    assert!(error.file.ends_with("/s"), "{error}");
}

#[test]
fn a_process_can_start_frozen_and_after_a_kill() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.freeze", value: "1".into() }]);
    let pid = spawned(&mut world, "exit 3");
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.freeze", value: "0".into() }]);
    assert_eq!(world.exit_of(pid), ExitStatus::Code(3));
    // Some kernels kill what is cloned into a cgroup that was once killed.
    for _ in 0..2 {
        world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.kill", value: "1".into() }]);
        let pid = spawned(&mut world, "exit 4");
        assert_eq!(world.exit_of(pid), ExitStatus::Code(4));
        let pid = begun(&mut world, spawn("/no/such/program", &["x"]));
        assert_eq!(world.exit_of(pid), ExitStatus::Code(EXIT_EXEC));
    }
}

#[test]
fn counters_are_read_as_far_as_they_exist() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let pid = spawned(&mut world, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
    world.exit_of(pid);
    let outcomes = world.run([Op::ReadCounters { cgroup: cgroup("s") }, Op::ReadCounters { cgroup: cgroup("gone") }]);
    let [Outcome::Counters(counters), Outcome::Counters(none)] = outcomes[..] else { panic!("{outcomes:?}") };
    assert!(counters.cpu_nsec.is_some_and(|nsec| nsec > 0), "{counters:?}");
    assert_eq!(none, Counters::default());
    match world.executor.answer(&Question::Readings(cgroup("s"))) {
        Answer::Readings(Some(readings)) => assert_eq!(readings.counters.cpu_nsec, counters.cpu_nsec),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clone_on_another_thread_shares_pins_and_watches() {
    let Some(mut world) = World::new() else { return };
    let sleeper = Sleeper::new();
    let pin = world.pin(sleeper.pid());
    let mut other = world.executor.clone();
    std::thread::spawn(move || {
        let unit = cgarbiter_core::names::UnitName::parse("s.scope").expect("valid");
        let (cause, on_error) = (cgarbiter_core::plan::Cause::Start, OnError::Stop);
        let step = |op| cgarbiter_core::Step { unit: unit.clone(), cause, on_error, op };
        let watch = cgarbiter_core::plan::WatchId(1);
        let steps = vec![
            step(Op::Mkdir { cgroup: cgroup("s") }),
            step(Op::Watch { cgroup: cgroup("s"), watch, memory: false }),
            step(Op::Attach { cgroup: cgroup("s"), pin }),
        ];
        let report = other.run(&cgarbiter_core::Plan { id: cgarbiter_core::plan::PlanId(1), steps: steps.into() });
        assert_eq!(report.failed, None);
    })
    .join()
    .expect("the plan runs");
    world.until_changed(1);
    assert!(world.is_populated("s"));
}

#[test]
fn a_full_cgroup_is_named() {
    let Some(mut world) = World::new() else { return };
    if !world.enable(ControllerMask::PIDS) {
        return;
    }
    world.mkdir(&["s"]);
    world.run([Op::Write { cgroup: cgroup("s"), file: "pids.max", value: "0".into() }]);
    let report = world.report([spawn("/bin/true", &["true"])], OnError::Stop);
    match report.failed {
        Some(error) => {
            assert_eq!(error.errno, Errno::Again);
            assert!(error.file.ends_with("/s/pids.max"), "{error}");
        }
        // A process that moves in by itself is not forked there.
        None => assert!(!world.executor.kernel().clone_into),
    }
}

#[test]
fn a_kill_for_want_of_memory_is_told() {
    let Some(mut world) = World::new() else { return };
    if !world.enable(ControllerMask::MEMORY) {
        return;
    }
    world.mkdir(&["s"]);
    for (file, value) in [("memory.max", "16M"), ("memory.swap.max", "0")] {
        world.report([Op::Write { cgroup: cgroup("s"), file, value: value.into() }], OnError::Report);
    }
    let sleeper = Sleeper::new();
    world.attach("s", sleeper.pid());
    world.watch("s", 1);
    world.until_changed(1);
    // From a pipe, which has no end to begin at: all of it is kept.
    spawned(&mut world, "head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null");
    world.until_changed(1);
    world.until("the count", |world, _| match world.executor.answer(&Question::Events(cgroup("s"))) {
        Answer::Events(Some(events)) => events.populated && events.oom_kills.is_some_and(|kills| kills > 0),
        other => panic!("{other:?}"),
    });
    let outcomes = world.run([Op::ReadCounters { cgroup: cgroup("s") }]);
    let [Outcome::Counters(counters)] = outcomes[..] else { panic!("{outcomes:?}") };
    assert!(counters.memory_current.is_some() && counters.oom_kills.is_some_and(|kills| kills > 0));
    assert!(counters.tasks_current.is_some() == world.read("s/cgroup.controllers").contains("pids"));
}
