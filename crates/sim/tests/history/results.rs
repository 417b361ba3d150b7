//! What is told of the end of a job: the truth, once, in any case; and the unit stays until it could be read.

use crate::story::{Story, pids, unit};
use cgarbiter_core::Errno;
use cgarbiter_core::plan::Op;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, Disposition};

const SIGTERM: u8 = 15;
/// More than the default time for a stop.
const LONG_USEC: u64 = 200_000_000;

#[test]
fn runc_2331_a_start_that_failed_is_told_as_failed() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", Vec::new());
    story.until(|op| matches!(op, Op::Attach { .. }));
    story.exit(pid);
    story.rest();
    assert_eq!((story.result(call).as_str(), story.state("s.scope")), ("failed", "failed"));
    let call = story.call("ResetFailedUnit", unit("s.scope"));
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    assert_eq!(story.state("s.scope"), "gone");
}

#[test]
fn runc_2331_the_end_of_a_stop_is_told_when_the_processes_have_gone() {
    let mut story = Story::begin_on(kernel::Config { immediate: false, ..kernel::Config::default() });
    let pid = story.running_scope("s.scope", Vec::new());
    let call = story.stop("s.scope");
    while story.world.step() {
        story.listen();
        let ends = story.signals("JobRemoved").filter(|(_, message, _)| message.body[2].as_str() == Some("s.scope"));
        // The first was that of its start.
        assert!(ends.count() < 2 || !story.lives(pid), "the end is told too early");
    }
    story.rest();
    assert_eq!(story.result(call), "done");
    assert!(!story.lives(pid) && story.cgroup("/system.slice/s.scope").is_none());
}

#[test]
fn podman_29709_every_start_ends_whatever_the_kernel_refuses() {
    for refused in 0.. {
        let mut story = Story::begin();
        let call = story.start("a-b.slice", vec![("MemoryMax", Value::U64(1 << 20))]);
        let (scope, _) = story.scope("s.scope", vec![("Slice", Value::str("a-b.slice"))]);
        let mut steps = 0;
        while story.world.moves().next().is_some() {
            let is_step = story.world.backend().next_step().is_some();
            if is_step && steps == refused {
                story.world.refuse_step(Errno::Io);
            } else {
                story.world.step();
            }
            steps += usize::from(is_step);
        }
        story.world.advance(LONG_USEC);
        story.listen();
        for call in [call, scope] {
            let result = story.result(call);
            assert!(matches!(result.as_str(), "done" | "failed" | "dependency"), "{result}");
        }
        assert_eq!(story.world.manager().jobs().iter().count(), 0);
        if steps <= refused {
            assert!(refused > 12, "only {refused} steps were refused");
            break;
        }
    }
}

#[test]
fn podman_29709_a_start_that_is_replaced_by_a_stop_ends_too() {
    let mut story = Story::begin();
    let before = story.running_scope("before.scope", Vec::new());
    story.kernel().set_disposition(before, SIGTERM, Disposition::Ignore).expect("it lives");
    let slow = story.stop("before.scope");
    // Waits for the end of the stop.
    let (start, _) = story.scope("s.scope", vec![("After", Value::strings(["before.scope"]))]);
    story.rest();
    let stop = story.stop("s.scope");
    story.rest();
    assert_eq!(story.result(start), "canceled");
    assert_eq!(story.result(stop), "done");
    story.advance(LONG_USEC);
    assert_eq!(story.result(slow), "done");
}

#[test]
fn a_unit_that_somebody_holds_stays_until_its_result_was_read() {
    let mut story = Story::begin();
    let pid = story.process();
    let reader = story.world.connect(0, None);
    let list = crate::story::properties(vec![("PIDs", pids(&[pid])), ("AddRef", Value::Bool(true))]);
    let none = Value::Array("(sa(sv))".into(), Vec::new());
    let args = vec![Value::str("s.scope"), Value::str("fail"), list, none];
    let call = story.call_by(reader, "StartTransientUnit", args);
    story.rest();
    assert_eq!(story.result(call), "done");
    story.exit(pid);
    story.rest();
    assert_eq!(story.state("s.scope"), "dead");
    let args = vec![Value::str("org.freedesktop.systemd1.Scope"), Value::str("Result")];
    let get = crate::story::method(&crate::story::path("s.scope"), "org.freedesktop.DBus.Properties", "Get", args);
    let call = story.world.call(reader, get);
    story.rest();
    let told = story.answer(call).expect("answered").expect("told");
    assert_eq!(told, [Value::Variant(Box::new(Value::str("success")))]);
    story.world.disconnect(reader);
    story.rest();
    assert_eq!(story.state("s.scope"), "gone");
}

#[test]
fn a_stop_reaches_processes_in_threaded_cgroups() {
    use cgarbiter_sim::kernel::{Caller, File};
    let mut story = Story::begin();
    let pid = story.running_scope("s.scope", vec![("Delegate", Value::Bool(true))]);
    let scope = story.cgroup("/system.slice/s.scope").expect("it is there");
    story.kernel().mkdir(&Caller::INIT, scope, b"workers").expect("made");
    story.write("/system.slice/s.scope/workers", File::CgroupType, "threaded");
    let parent = story.kernel().caller(pid).expect("it lives");
    let thread = story.kernel().new_thread(&parent, None).expect("there is room");
    story.write("/system.slice/s.scope/workers", File::CgroupThreads, &thread.to_string());
    let call = story.stop("s.scope");
    story.advance(LONG_USEC);
    assert_eq!(story.result(call), "done");
    assert!(!story.lives(pid) && story.cgroup("/system.slice/s.scope").is_none());
}
