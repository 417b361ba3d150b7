//! Signals to whole cgroups: nobody slips away, nobody is hit by mistake.

use crate::world::{Sleeper, World, cgroup};
use cgarbiter_core::plan::Signals;
use cgarbiter_core::{Op, Outcome};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Each generation starts the next and ends: no process lives longer than a moment.
const STORM: &str = "trap '' TERM\nsh \"$0\" &\n";
const CHAINS: u32 = 4;

fn signal_all(path: &str, first: i32, spare: &[u32]) -> Op {
    let signals = Signals { first, then_continue: true, then_hangup: false };
    Op::SignalAll { cgroup: cgroup(path), signals, spare: spare.to_vec() }
}

fn count(outcomes: &[Outcome]) -> u32 {
    match outcomes {
        [Outcome::Signalled { count }] => *count,
        other => panic!("{other:?}"),
    }
}

/// Starts a fork storm in the cgroup `s`.
fn storm(world: &mut World) {
    let script = world.files.path().join("storm");
    std::fs::write(&script, STORM).expect("written");
    let procs = world.directory.join("s/cgroup.procs");
    for _ in 0..CHAINS {
        let enter = format!("echo 0 > {}; exec sh {}", procs.display(), script.display());
        let mut starter = Command::new("sh").args(["-c", &enter]).stdin(Stdio::null()).spawn().expect("sh runs");
        starter.wait().expect("reaped");
    }
    std::thread::sleep(Duration::from_millis(50));
    assert!(world.is_populated("s"), "the storm rages");
}

#[test]
fn everybody_below_is_signalled_but_those_to_spare() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s", "s/a", "s/a/b", "other"]);
    let [mut top, mut below, mut spared, mut outside] = [(); 4].map(|()| Sleeper::new());
    for (path, sleeper) in [("s", &top), ("s/a/b", &below), ("s/a", &spared), ("other", &outside)] {
        world.attach(path, sleeper.pid());
    }
    assert_eq!(count(&world.run([signal_all("s", 15, &[spared.pid()])])), 2);
    for sleeper in [&mut top, &mut below] {
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleeper.reap()), Some(15));
    }
    assert_eq!(count(&world.run([signal_all("s", 9, &[])])), 1);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&spared.reap()), Some(9));
    assert_eq!(count(&world.run([signal_all("s", 9, &[])])), 0);
    assert_eq!(count(&world.run([signal_all("gone", 9, &[])])), 0);
    assert!(world.is_populated("other"));
    outside.kill();
}

#[test]
fn a_stopped_process_hears_of_it() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let mut sleeper = Sleeper::new();
    world.attach("s", sleeper.pid());
    assert_eq!(count(&world.run([signal_all("s", 19, &[])])), 1);
    assert_eq!(count(&world.run([signal_all("s", 15, &[])])), 1);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleeper.reap()), Some(15));
}

#[test]
fn a_fork_storm_ends_by_sigkill() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    storm(&mut world);
    assert!(count(&world.run([signal_all("s", 9, &[])])) > 0);
    world.until("the calm", |world, _| !world.is_populated("s"));
}

#[test]
fn a_fork_storm_ends_although_somebody_is_spared() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let spared = Sleeper::new();
    world.attach("s", spared.pid());
    storm(&mut world);
    world.run([signal_all("s", 9, &[spared.pid()])]);
    let left = format!("{}\n", spared.pid());
    world.until("the calm", |world, _| world.read("s/cgroup.procs") == left);
    assert_eq!(world.read("s/cgroup.freeze"), "0\n");
}

#[test]
fn a_signal_that_does_not_kill_comes_to_an_end_too() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    storm(&mut world);
    assert!(count(&world.run([signal_all("s", 15, &[])])) > 0);
    assert_eq!(world.read("s/cgroup.freeze"), "0\n");
    assert!(world.is_populated("s"), "it ignores the signal");
    world.run([signal_all("s", 9, &[])]);
    world.until("the calm", |world, _| !world.is_populated("s"));
}

#[test]
fn a_threaded_cgroup_is_reached_from_within_and_from_above() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s", "s/t"]);
    world.run([Op::Write { cgroup: cgroup("s/t"), file: "cgroup.type", value: "threaded".into() }]);
    for path in ["s/t", "s"] {
        let mut sleeper = Sleeper::new();
        world.attach("s/t", sleeper.pid());
        assert_eq!(count(&world.run([signal_all(path, 9, &[])])), 1, "{path}");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleeper.reap()), Some(9));
    }
}
