//! Who asks while the manager is at work: nobody waits for the work of others.

use crate::story::Story;
use cgarbiter_core::RefusalKind;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::Disposition;

const SIGTERM: u8 = 15;

#[test]
fn runc_1959_an_unknown_job_mode_is_refused_at_once_also_while_a_plan_is_under_way() {
    let mut story = Story::begin();
    story.scope("busy.scope", Vec::new());
    story.until(|op| matches!(op, Op::Attach { .. }));
    let nothing = || Value::Array("(sv)".into(), Vec::new());
    let none = || Value::Array("(sa(sv))".into(), Vec::new());
    for mode in ["invalid", "testdelegate", "testDelegate", ""] {
        let args = vec![Value::str("probe.scope"), Value::str(mode), nothing(), none()];
        let call = story.call("StartTransientUnit", args);
        story.deliver();
        assert_eq!(story.refusal(call), (RefusalKind::InvalidArgs, format!("Job mode {mode} is invalid.")));
    }
    story.rest();
    assert_eq!((story.state("busy.scope"), story.state("probe.scope")), ("running", "gone"));
}

#[test]
fn runc_3904_who_asks_while_a_plan_is_under_way_is_answered() {
    let mut story = Story::begin();
    let known = story.running_scope("known.scope", Vec::new());
    story.scope("busy.scope", Vec::new());
    story.until(|op| matches!(op, Op::Attach { .. }));
    let by_pid = story.call("GetUnitByPID", vec![Value::U32(known.unsigned_abs())]);
    let list = story.call("ListUnits", Vec::new());
    story.deliver();
    assert!(story.world.backend().is_running());
    for call in [by_pid, list] {
        assert!(story.answer(call).expect("answered").is_ok());
    }
}

#[test]
fn runc_3904_a_reply_waits_for_a_few_plans_at_most_however_busy_others_keep_us() {
    let mut story = Story::begin();
    story.running_scope("busy.scope", Vec::new());
    let slow = story.running_scope("slow.scope", Vec::new());
    story.kernel().set_disposition(slow, SIGTERM, Disposition::Ignore).expect("it lives");
    story.stop("slow.scope");
    story.rest();
    // Its job waits for the stop, which takes its time; somebody else has always something to do.
    story.set("busy.scope", vec![("TasksMax", Value::U64(100))]);
    story.until(|op| matches!(op, Op::WriteFile { .. }));
    let (call, _) = story.scope("s.scope", vec![("After", Value::strings(["slow.scope"]))]);
    for limit in 1..12 {
        story.set("busy.scope", vec![("TasksMax", Value::U64(100 + limit))]);
        story.deliver();
        while story.world.backend().is_running() {
            assert!(story.world.step());
            if story.world.backend().running().is_some_and(|(_, done)| done == 0) {
                break;
            }
        }
        story.listen();
    }
    assert!(story.world.backend().is_running(), "it was busy all the time");
    assert!(story.answer(call).expect("answered by now").is_ok());
    assert_eq!(story.state("s.scope"), "dead");
}
