//! Replies and signals: which comes first, who gets them, and that none is lost.

use crate::story::{Story, unit};
use cgarbiter_core::RefusalKind;
use cgarbiter_core::effect::Audience;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, Caller};
use cgarbiter_sim::world::Move;

#[test]
fn runc_1780_the_end_of_a_job_is_told_after_the_reply_that_names_it() {
    let mut story = Story::begin();
    let (start, _) = story.scope("s.scope", vec![("Slice", Value::str("a.slice"))]);
    story.rest();
    let stop = story.stop("s.scope");
    story.rest();
    for call in [start, stop] {
        let job = story.job(call);
        let ends = story.ends(&job);
        assert_eq!(ends.len(), 1, "{job}");
        assert!(story.answered_at(call) < ends[0].0, "{job}: who hears of the end does not know the job yet");
    }
}

#[test]
fn runc_1683_a_job_that_has_nothing_to_do_is_told_after_its_reply_too() {
    let mut story = Story::begin();
    story.running_scope("s.scope", Vec::new());
    // Nothing is up that could be restarted.
    let call = story.call("TryRestartUnit", vec![Value::str("b.slice"), Value::str("replace")]);
    story.rest();
    let job = story.job(call);
    let ends = story.ends(&job);
    assert_eq!(ends.len(), 1);
    assert!(story.answered_at(call) < ends[0].0);
}

#[test]
fn runc_2614_the_end_of_a_job_reaches_who_has_not_subscribed() {
    let mut story = Story::begin();
    let (call, _) = story.scope("s.scope", Vec::new());
    story.rest();
    let job = story.job(call);
    let told = story.signals("JobRemoved").find(|(_, message, _)| message.body[1].as_str() == Some(job.as_str()));
    assert_eq!(told.map(|(_, _, audience)| audience.clone()), Some(Audience::All));
}

#[test]
fn a_state_is_told_before_the_end_of_the_job_that_brought_it() {
    let mut story = Story::begin();
    let call = story.call("Subscribe", Vec::new());
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    let (start, _) = story.scope("s.scope", Vec::new());
    story.rest();
    let job = story.job(start);
    let end = story.ends(&job)[0].0;
    let object = crate::story::path("s.scope");
    let tells_active = |body: &[Value]| format!("{body:?}").contains("\"active\"");
    let mut changes = story.signals("PropertiesChanged").filter(|(_, message, _)| message.path == object);
    let active = changes.find(|(_, message, _)| tells_active(&message.body)).expect("it was told").0;
    assert!(active < end, "who hears of the end reads a state that is not told yet");
}

#[test]
fn crio_5497_calls_that_wait_are_answered_when_their_unit_ends() {
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", Vec::new());
    let set = story.set("s.scope", vec![("TasksMax", Value::U64(9))]);
    let kill = story.call("KillUnit", vec![Value::str("s.scope"), Value::str("all"), Value::I32(15)]);
    story.until(|op| matches!(op, Op::WriteFile { .. }));
    story.exit(pid);
    story.rest();
    assert_eq!(story.state("s.scope"), "gone");
    for call in [set, kill] {
        assert!(story.answer(call).is_some(), "{call:?} is never answered");
    }
}

#[test]
fn crio_5535_a_freeze_that_will_never_come_about_is_answered() {
    let mut story = Story::begin_on(kernel::Config { immediate: false, ..kernel::Config::default() });
    let pid = story.running_scope("s.scope", Vec::new());
    let call = story.call("FreezeUnit", unit("s.scope"));
    while let Some(next) = story.world.moves().find(|next| *next != Move::Kernel) {
        story.world.make(next);
    }
    assert_eq!(story.answer(call), None, "it does not stand still yet");
    // Gone behind our back, directory and all.
    let scope = story.cgroup("/system.slice/s.scope").expect("it is there");
    story.exit(pid);
    story.kernel().rmdir(&Caller::INIT, scope).expect("nobody is in it");
    story.rest();
    assert_eq!(story.refusal(call).0, RefusalKind::FreezeCancelled);
    assert_eq!(story.state("s.scope"), "gone");
}

#[test]
fn runc_4853_nobody_is_told_of_units_when_nobody_listens() {
    let mut story = Story::begin();
    let before = story.world.effort().signals;
    for number in 0..20 {
        story.running_scope(&format!("s{number}.scope"), Vec::new());
    }
    let told = story.world.effort().signals - before;
    // JobNew and JobRemoved of each; of the slice, too, once.
    assert!(told <= 42, "{told} signals for 20 starts");
}
