//! Which process is meant by a number, and which come along.

use crate::story::{Story, pids};
use cgarbiter_core::RefusalKind;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{Caller, CgroupId, Fork, Kernel};

fn is_attach(op: &Op) -> bool {
    matches!(op, Op::Attach { .. })
}

#[test]
fn a_number_used_again_between_request_and_move_is_not_the_process_that_was_named() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(is_attach);
    story.exit(pid);
    let _ = story.kernel().reap(Kernel::INIT, pid);
    let other = story.fork(&Fork { pid: Some(pid), ..Fork::default() });
    assert_eq!(other, pid);
    story.rest();
    assert_eq!(story.place(other), "/", "a stranger is not moved");
    assert_eq!((story.result(call).as_str(), story.state("s.scope")), ("failed", "failed"));
}

#[test]
fn a_child_forked_between_request_and_move_stays_and_later_ones_are_inside() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(is_attach);
    let parent = story.kernel().caller(pid).expect("it lives");
    let early = story.kernel().fork(&parent, &Fork::default()).expect("there is room");
    story.rest();
    let late = story.kernel().fork(&parent, &Fork::default()).expect("there is room");
    assert_eq!(story.result(call), "done");
    let places = [early, pid, late].map(|pid| story.place(pid));
    assert_eq!(places, ["/", "/system.slice/s.scope", "/system.slice/s.scope"]);
}

#[test]
fn a_process_outside_all_units_belongs_to_no_unit() {
    let mut story = Story::begin();
    story.running_scope("s.scope", Vec::new());
    let docker = story.kernel().mkdir(&Caller::INIT, CgroupId::ROOT, b"docker").expect("made");
    let foreign = story.fork(&Fork { into: Some(docker), ..Fork::default() });
    let outside = story.process();
    let gone = story.process();
    story.exit(gone);
    for pid in [foreign, outside, gone] {
        let call = story.call("GetUnitByPID", vec![Value::U32(pid.unsigned_abs())]);
        story.rest();
        let text = format!("PID {pid} does not belong to any loaded unit.");
        assert_eq!(story.refusal(call), (RefusalKind::NoUnitForPid, text));
    }
}

#[test]
fn systemd_26925_a_second_registration_moves_the_process_and_ends_the_first_scope() {
    let mut story = Story::begin();
    let pid = story.running_scope("app-gnome-x.scope", Vec::new());
    let call = story.start("app-x-1.scope", vec![("PIDs", pids(&[pid]))]);
    story.rest();
    assert_eq!(story.result(call), "done");
    assert_eq!(story.place(pid), "/system.slice/app-x-1.scope");
    assert_eq!((story.state("app-gnome-x.scope"), story.state("app-x-1.scope")), ("gone", "running"));
    assert_eq!(story.cgroup("/system.slice/app-gnome-x.scope"), None);
}
