//! What was handed over: it is the owner's, before his processes are in it, and nobody else's business.

use crate::story::{Story, pids};
use cgarbiter_core::RefusalKind;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{Caller, File, Fork};

const PLACE: &str = "/system.slice/s.scope";

fn delegate() -> (&'static str, Value) {
    ("Delegate", Value::Bool(true))
}

#[test]
fn runc_648_what_lies_in_a_delegated_scope_is_left_alone() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![delegate()]);
    let scope = story.cgroup(PLACE).expect("it is there");
    story.kernel().mkdir(&Caller::INIT, scope, b"container").expect("made");
    let inside = format!("{PLACE}/container");
    story.write(&inside, File::CgroupProcs, &pid.to_string());
    story.write(PLACE, File::CgroupSubtreeControl, "+memory +pids");
    story.write(&inside, File::PidsMax, "11");
    let call = story.set("s.scope", vec![("TasksMax", Value::U64(100)), ("CPUWeight", Value::U64(50))]);
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    let reload = story.call("Reload", Vec::new());
    story.rest();
    assert!(story.answer(reload).expect("answered").is_ok());
    story.crash();
    story.rest();
    assert_eq!(story.value(PLACE, File::CgroupSubtreeControl).as_deref(), Some("memory pids"));
    assert_eq!(story.value(&inside, File::PidsMax).as_deref(), Some("11"));
    assert_eq!((story.state("s.scope"), story.place(pid)), ("running", inside));
}

#[test]
fn systemd_21683_a_delegated_scope_is_its_users_before_his_process_is_in_it() {
    let mut story = Story::begin();
    let (call, _) = story.scope("s.scope", vec![delegate(), ("User", Value::str("1000"))]);
    story.until(|op| matches!(op, Op::Attach { .. }));
    let scope = story.cgroup(PLACE).expect("it is there");
    let owner = |file| story.world.backend().kernel().stat(scope, file).expect("it is there").uid;
    assert_eq!([None, Some(File::CgroupProcs), Some(File::CgroupSubtreeControl)].map(owner), [1000; 3]);
    assert_eq!(owner(Some(File::PidsMax)), 0, "his limits are not his to change");
    story.rest();
    assert_eq!(story.result(call), "done");
}

#[test]
fn crun_2244_a_process_is_attached_below_a_delegated_scope() {
    let mut story = Story::begin();
    story.running_scope("s.scope", vec![delegate()]);
    let scope = story.cgroup(PLACE).expect("it is there");
    story.kernel().mkdir(&Caller::INIT, scope, b"container").expect("made");
    let exec = story.process();
    let args = vec![Value::str("s.scope"), Value::str("/container"), pids(&[exec])];
    let call = story.call("AttachProcessesToUnit", args);
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    assert_eq!(story.place(exec), format!("{PLACE}/container"), "it is there when it is said to be");
}

#[test]
fn systemd_27883_nobody_brings_processes_of_others_or_into_units_of_others() {
    let mut story = Story::begin();
    story.running_scope("s.scope", vec![delegate()]);
    let own = story.fork(&Fork { user: Some((1000, 1000)), ..Fork::default() });
    let others = story.process();
    let user = story.world.connect(1000, Some(own.unsigned_abs()));
    for (pid, whose) in [(others, "client's"), (own, "target unit's")] {
        let args = vec![Value::str("s.scope"), Value::str("/"), pids(&[pid])];
        let call = story.call_by(user, "AttachProcessesToUnit", args);
        story.rest();
        let text = format!("Process {pid} not owned by {whose} UID. Refusing.");
        assert_eq!(story.refusal(call), (RefusalKind::AccessDenied, text));
        assert_eq!(story.place(pid), "/");
    }
}
