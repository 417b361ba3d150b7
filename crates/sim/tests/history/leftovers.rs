//! Names, records and directories that an earlier life has left.

use crate::story::{Story, pids, unit};
use cgarbiter_core::RefusalKind;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{Caller, CgroupId, File, Fork};
use cgarbiter_sim::world::Move;

const PLACE: &str = "/system.slice/s.scope";

fn exists(name: &str) -> (RefusalKind, String) {
    (RefusalKind::UnitExists, format!("Unit {name} was already loaded or has a fragment file."))
}

#[test]
fn runc_3780_a_name_in_use_is_refused_and_nobody_is_moved() {
    let mut story = Story::begin();
    let first = story.running_scope("s.scope", vec![("TasksMax", Value::U64(7))]);
    let (call, second) = story.scope("s.scope", vec![("TasksMax", Value::U64(9))]);
    story.rest();
    assert_eq!(story.refusal(call), exists("s.scope"));
    assert_eq!((story.place(first).as_str(), story.place(second).as_str()), (PLACE, "/"));
    assert_eq!(story.value(PLACE, File::PidsMax).as_deref(), Some("7"));
}

#[test]
fn runc_3782_a_failed_unit_of_the_name_is_refused_until_it_is_reset() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(|op| matches!(op, Op::Attach { .. }));
    story.exit(pid);
    story.rest();
    assert_eq!(story.result(call), "failed");
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.rest();
    assert_eq!((story.refusal(call), story.place(pid).as_str()), (exists("s.scope"), "/"));
    let reset = story.call("ResetFailedUnit", unit("s.scope"));
    let again = story.start("s.scope", vec![("PIDs", pids(&[pid]))]);
    story.rest();
    assert!(story.answer(reset).expect("answered").is_ok());
    assert_eq!((story.result(again).as_str(), story.place(pid).as_str()), ("done", PLACE));
}

#[test]
fn systemd_6347_the_name_of_a_scope_that_has_ended_is_free_and_nothing_of_it_is_left() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", Vec::new());
    story.set("s.scope", vec![("TasksMax", Value::U64(9))]);
    story.rest();
    story.exit(pid);
    story.rest();
    assert_eq!(story.records(), Vec::<String>::new());
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.rest();
    assert_eq!((story.result(call).as_str(), story.place(pid).as_str()), ("done", PLACE));
    assert_eq!(story.value(PLACE, File::PidsMax).as_deref(), Some("2362"), "nothing is left of the old limit");
}

#[test]
fn systemd_27127_a_record_that_a_crash_has_left_does_not_take_the_name() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", Vec::new());
    story.exit(pid);
    story.until(|op| matches!(op, Op::Rmdir { .. }));
    story.world.make(Move::Plan);
    assert_eq!(story.cgroup(PLACE), None);
    assert_eq!(story.records(), ["/run/systemd/transient/s.scope"]);
    story.crash();
    story.rest();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.rest();
    assert_eq!((story.result(call).as_str(), story.place(pid).as_str()), ("done", PLACE));
}

#[test]
fn crun_a_directory_that_was_left_with_children_and_controllers_is_made_anew() {
    let mut story = Story::begin();
    story.running_scope("other.scope", Vec::new());
    let slice = story.cgroup("/system.slice").expect("it is there");
    let left = story.kernel().mkdir(&Caller::INIT, slice, b"s.scope").expect("made");
    story.kernel().mkdir(&Caller::INIT, left, b"container").expect("made");
    story.write(PLACE, File::CgroupSubtreeControl, "+memory");
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.rest();
    assert_eq!((story.result(call).as_str(), story.place(pid).as_str()), ("done", PLACE));
}

#[test]
fn crun_done_is_not_said_of_a_process_that_is_not_there() {
    let mut story = Story::begin();
    story.running_scope("other.scope", Vec::new());
    let slice = story.cgroup("/system.slice").expect("it is there");
    let left = story.kernel().mkdir(&Caller::INIT, slice, b"s.scope").expect("made");
    let child = story.kernel().mkdir(&Caller::INIT, left, b"container").expect("made");
    let stranger = story.fork(&Fork { into: Some(child), ..Fork::default() });
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.rest();
    assert_eq!((story.result(call).as_str(), story.place(pid).as_str()), ("failed", "/"));
    assert!(story.lives(stranger) && story.place(stranger) == "/system.slice/s.scope/container");
}

#[test]
fn directories_of_others_stay_whatever_they_are_called() {
    let mut story = Story::begin();
    let nomad = story.kernel().mkdir(&Caller::INIT, CgroupId::ROOT, b"nomad.slice").expect("made");
    story.kernel().mkdir(&Caller::INIT, nomad, b"share").expect("made");
    story.running_scope("s.scope", Vec::new());
    story.crash();
    story.rest();
    story.stop("s.scope");
    story.rest();
    assert!(story.cgroup("/nomad.slice/share").is_some());
}
