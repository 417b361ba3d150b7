//! A notice says that something may have changed, not what is so: races between "empty" and a start, a restart, a
//! process that slips in.

use crate::story::{Story, pids};
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{File, Fork};

const PLACE: &str = "/system.slice/s.scope";

fn is_attach(op: &Op) -> bool {
    matches!(op, Op::Attach { .. })
}

#[test]
fn systemd_36781_an_empty_notice_before_the_attach_does_not_end_the_scope() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(is_attach);
    assert_eq!(story.value(PLACE, File::CgroupEvents).as_deref(), Some("populated 0\nfrozen 0"));
    story.world.backend_mut().repeat_notice(0);
    story.deliver();
    story.rest();
    assert_eq!((story.state("s.scope"), story.place(pid).as_str()), ("running", PLACE));
    assert_eq!(story.result(call), "done");
}

#[test]
fn systemd_36781_a_notice_that_waited_since_before_the_attach_is_not_believed_after_it() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(is_attach);
    story.world.backend_mut().repeat_notice(0);
    story.rest();
    story.world.backend_mut().repeat_notice(0);
    story.rest();
    assert_eq!((story.state("s.scope"), story.place(pid).as_str()), ("running", PLACE));
    assert_eq!(story.result(call), "done");
}

#[test]
fn systemd_36781_a_start_of_which_no_process_lived_fails_instead_of_running_empty() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(is_attach);
    story.exit(pid);
    story.rest();
    assert_eq!(story.result(call), "failed");
    assert_eq!(story.state("s.scope"), "failed");
    assert_eq!(story.cgroup(PLACE), None);
}

#[test]
fn systemd_36781_processes_that_end_while_others_are_moved_in_are_not_missed() {
    let mut story = Story::begin();
    let (first, second) = (story.process(), story.process());
    let call = story.start("s.scope", vec![("PIDs", pids(&[first, second]))]);
    story.until(is_attach);
    assert!(story.world.step() && story.place(first) == PLACE);
    story.exit(first);
    story.exit(second);
    // The only notice of it comes in the middle of the start.
    story.deliver();
    story.rest();
    assert_eq!(story.result(call), "done");
    assert_eq!((story.state("s.scope"), story.cgroup(PLACE)), ("gone", None));
}

#[test]
fn a_late_notice_of_the_life_before_does_not_end_the_new_one() {
    let mut story = Story::begin();
    let old = story.running_scope("s.scope", Vec::new());
    let watches = story.world.backend().watches();
    story.exit(old);
    story.rest();
    assert_eq!(story.state("s.scope"), "gone");
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(is_attach);
    watches.iter().for_each(|watch| story.world.backend_mut().late_notice(*watch));
    story.deliver();
    story.rest();
    watches.iter().for_each(|watch| story.world.backend_mut().late_notice(*watch));
    story.rest();
    assert_eq!((story.state("s.scope"), story.place(pid).as_str()), ("running", PLACE));
    assert_eq!(story.result(call), "done");
}

#[test]
fn a_process_that_slips_in_before_the_directory_is_removed_keeps_the_scope() {
    let mut story = Story::begin();
    let last = story.running_scope("s.scope", Vec::new());
    story.exit(last);
    story.until(|op| matches!(op, Op::Rmdir { .. }));
    let into = story.cgroup(PLACE);
    let late = story.fork(&Fork { into, ..Fork::default() });
    story.rest();
    assert_eq!((story.state("s.scope"), story.place(late).as_str()), ("running", PLACE));
    assert_eq!(story.get("s.scope", "ActiveState"), Value::str("active"));
    story.exit(late);
    story.rest();
    assert_eq!((story.state("s.scope"), story.cgroup(PLACE)), ("gone", None));
}

#[test]
fn a_slice_that_has_become_empty_stays() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![("Slice", Value::str("a.slice"))]);
    // A slice is watched only since it was frozen.
    story.start("a.slice", Vec::new());
    for member in ["FreezeUnit", "ThawUnit"] {
        let call = story.call(member, vec![Value::str("a.slice")]);
        story.rest();
        assert!(story.answer(call).expect("answered").is_ok());
    }
    let keeper = story.call("RefUnit", vec![Value::str("a.slice")]);
    story.exit(pid);
    story.rest();
    assert!(story.answer(keeper).expect("answered").is_ok());
    assert_eq!(story.value("/a.slice", File::CgroupEvents).as_deref(), Some("populated 0\nfrozen 0"));
    (0..2).for_each(|at| story.world.backend_mut().repeat_notice(at));
    story.rest();
    assert_eq!(story.state("a.slice"), "active");
}

#[test]
fn systemd_1351_a_scope_ends_with_the_last_process_in_it_or_below() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![("Delegate", Value::Bool(true))]);
    let scope = story.cgroup(PLACE).expect("it is there");
    let below = story.kernel().mkdir(&cgarbiter_sim::kernel::Caller::INIT, scope, b"below").expect("made");
    let child = story.fork(&Fork { into: Some(below), ..Fork::default() });
    story.exit(pid);
    story.rest();
    assert_eq!(story.state("s.scope"), "running");
    // Moved away by somebody else, and not ended: nobody but the cgroup tells.
    story.write("/", File::CgroupProcs, &child.to_string());
    story.rest();
    assert_eq!((story.state("s.scope"), story.cgroup(PLACE)), ("gone", None));
    assert!(story.lives(child));
}

#[test]
fn systemd_39141_a_scope_that_was_abandoned_ends_when_it_is_empty() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", Vec::new());
    let call = story.call("AbandonScope", vec![Value::str("s.scope")]);
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    assert_eq!(story.state("s.scope"), "abandoned");
    story.exit(pid);
    story.rest();
    assert_eq!((story.state("s.scope"), story.cgroup(PLACE)), ("gone", None));
}
