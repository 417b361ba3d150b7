//! While no arbiter is there, and when another one comes.

use crate::story::{Story, unit};
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{Caller, CgroupId, File};

const PLACE: &str = "/a.slice/s.scope";

/// Everything that stands in the files of all cgroups.
fn tree(story: &Story) -> Vec<(Vec<u8>, Vec<Option<String>>)> {
    let kernel = story.world.backend().kernel();
    let files = [
        File::MemoryMax,
        File::PidsMax,
        File::CpuWeight,
        File::CgroupSubtreeControl,
        File::CgroupFreeze,
        File::CgroupProcs,
    ];
    let below = kernel.below(CgroupId::ROOT).into_iter().filter(|id| *id != CgroupId::ROOT);
    let read = |id| files.map(|file| kernel.read(&Caller::INIT, id, file).ok()).into();
    below.map(|id| (kernel.path(id), read(id))).collect()
}

#[test]
fn between_two_arbiters_scopes_run_on_and_limits_stay() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![("Slice", Value::str("a.slice")), ("MemoryMax", Value::U64(4096))]);
    story.set("a.slice", vec![("TasksMax", Value::U64(50))]);
    let frozen = story.running_scope("f.scope", vec![("CPUWeight", Value::U64(55))]);
    story.call("FreezeUnit", unit("f.scope"));
    story.rest();
    let before = tree(&story);
    story.crash();
    assert_eq!(tree(&story), before, "the next one has come, and has not done anything yet");
    story.rest();
    assert_eq!(tree(&story), before);
    assert_eq!((story.state("s.scope"), story.state("f.scope")), ("running", "running"));
    assert!(story.lives(pid) && story.lives(frozen));
    assert_eq!(story.get("s.scope", "ActiveState"), Value::str("active"));
}

#[test]
fn what_ended_while_no_arbiter_was_there_ends_with_the_next_one() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![("Slice", Value::str("a.slice"))]);
    story.exit(pid);
    // The notice of it dies with whom it was for.
    story.crash();
    story.rest();
    assert_eq!((story.state("s.scope"), story.cgroup(PLACE)), ("gone", None));
    assert_eq!(story.records(), Vec::<String>::new());
}

#[test]
fn what_ends_after_the_next_one_has_looked_around_is_noticed_as_ever() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![("Slice", Value::str("a.slice"))]);
    story.crash();
    // It has found the scope up, and does not watch it yet.
    story.exit(pid);
    story.rest();
    assert_eq!((story.state("s.scope"), story.cgroup(PLACE)), ("gone", None));
}

#[test]
fn a_service_whose_main_process_has_moved_below_runs_on_and_its_end_is_heard() {
    let mut story = Story::begin();
    let command = Value::Array(
        "(sasb)".into(),
        vec![Value::Struct(vec![
            Value::str("/bin/sleep"),
            Value::Array("s".into(), vec![Value::str("/bin/sleep"), Value::str("1000")]),
            Value::Bool(false),
        ])],
    );
    story.start("d.service", vec![("ExecStart", command), ("Delegate", Value::Bool(true))]);
    story.rest();
    let pid = story.value("/system.slice/d.service", File::CgroupProcs).expect("there");
    let top = story.cgroup("/system.slice/d.service").expect("there");
    story.kernel().mkdir(&Caller::INIT, top, b"sub").expect("made");
    story.write("/system.slice/d.service/sub", File::CgroupProcs, &pid);
    story.crash();
    story.rest();
    assert_eq!(story.state("d.service"), "running");
    story.exit(pid.trim().parse().expect("a pid"));
    story.rest();
    assert_ne!(story.state("d.service"), "running");
}

#[test]
fn systemd_27189_who_holds_a_unit_still_holds_it_after_a_reload() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", Vec::new());
    let waiter = story.world.connect(0, None);
    let call = story.call_by(waiter, "RefUnit", unit("s.scope"));
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    let call = story.call("Reload", Vec::new());
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    story.heard.clear();
    story.exit(pid);
    story.rest();
    let object = crate::story::path("s.scope");
    let told = story.signals("PropertiesChanged").filter(|(_, message, _)| message.path == object);
    assert!(told.count() > 0, "who waits for the end is told");
    assert_eq!(story.state("s.scope"), "dead");
    let call = story.call_by(waiter, "UnrefUnit", unit("s.scope"));
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    assert_eq!(story.state("s.scope"), "gone");
}
