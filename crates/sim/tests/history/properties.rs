//! Properties: what is taken, how it is read, what is refused in which words, and what is not written.

use crate::story::Story;
use cgarbiter_core::RefusalKind;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, File};

const PLACE: &str = "/system.slice/s.scope";

#[test]
fn runc_2463_quota_and_period_belong_together_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        let mut story = Story::begin();
        story.running_scope("s.scope", Vec::new());
        let pair = [("CPUQuotaPeriodUSec", Value::U64(50_000)), ("CPUQuotaPerSecUSec", Value::U64(400_000))];
        let call = story.set("s.scope", order.map(|at| pair[at].clone()).into());
        story.rest();
        assert!(story.answer(call).expect("answered").is_ok());
        assert_eq!(story.value(PLACE, File::CpuMax).as_deref(), Some("20000 50000"));
    }
}

#[test]
fn runc_1605_a_limit_that_nobody_asked_us_to_change_stays_as_somebody_wrote_it() {
    let mut story = Story::begin();
    story.running_scope("s.scope", vec![("Delegate", Value::Bool(true)), ("CPUWeight", Value::U64(300))]);
    // The runtime writes what it does not tell.
    story.write(PLACE, File::MemoryMax, "1048576");
    story.write(PLACE, File::CpuWeight, "77");
    let call = story.set("s.scope", vec![("TasksMax", Value::U64(100))]);
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    let call = story.call("Reload", Vec::new());
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    assert_eq!(story.value(PLACE, File::PidsMax).as_deref(), Some("100"));
    assert_eq!(story.value(PLACE, File::MemoryMax).as_deref(), Some("1048576"));
    assert_eq!(story.value(PLACE, File::CpuWeight).as_deref(), Some("77"));
}

#[test]
fn runc_4568_a_transient_unit_needs_no_reload() {
    let mut story = Story::begin();
    story.running_scope("s.scope", Vec::new());
    assert_eq!(story.get("s.scope", "NeedDaemonReload"), Value::Bool(false));
    story.set("s.scope", vec![("TasksMax", Value::U64(100))]);
    story.rest();
    assert_eq!(story.get("s.scope", "NeedDaemonReload"), Value::Bool(false));
}

#[test]
fn crun_1445_an_unknown_property_is_refused_in_the_words_that_crun_reads_and_leaves_nothing() {
    let mut story = Story::begin();
    let (call, pid) = story.scope("s.scope", vec![("TasksMax", Value::U64(9)), ("FromTomorrow", Value::U64(1))]);
    story.rest();
    let text = "Cannot set property FromTomorrow, or unknown property.";
    assert_eq!(story.refusal(call), (RefusalKind::PropertyReadOnly, text.into()));
    assert_eq!((story.state("s.scope"), story.place(pid).as_str()), ("gone", "/"));
    let (call, pid) = story.scope("s.scope", vec![("TasksMax", Value::U64(9))]);
    story.rest();
    assert_eq!((story.result(call).as_str(), story.place(pid).as_str()), ("done", PLACE));
}

#[test]
fn systemd_38732_a_program_that_would_not_be_attached_is_not_accepted() {
    let mut story = Story::begin();
    let word = |text: &str| Value::str(text);
    let program = Value::Struct(vec![word("device"), word("/sys/fs/bpf/crun/x")]);
    let programs = Value::Array("(ss)".into(), vec![program]);
    let (call, _) = story.scope("s.scope", vec![("BPFProgram", programs)]);
    story.rest();
    let text = "Cannot set property BPFProgram, or unknown property.";
    assert_eq!(story.refusal(call), (RefusalKind::PropertyReadOnly, text.into()));
    // What it falls back to, one entry at a time.
    let allow = |path: &str| {
        let entry = Value::Struct(vec![word(path), word("rwm")]);
        ("DeviceAllow", Value::Array("(ss)".into(), vec![entry]))
    };
    let (call, _) = story.scope(
        "s.scope",
        vec![("DevicePolicy", word("strict")), allow("/dev/char/1:3"), allow("char-5"), allow("char-*")],
    );
    story.rest();
    assert_eq!(story.result(call), "done");
}

#[test]
fn sysbox_986_a_mask_of_processors_begins_with_its_lowest_byte() {
    let mut story = Story::begin_on(kernel::Config { cpus: 64, ..kernel::Config::default() });
    story.running_scope("s.scope", Vec::new());
    let mut mask = vec![0b101, 0b10];
    mask.resize(9, 0);
    let call = story.set("s.scope", vec![("AllowedCPUs", Value::Bytes(mask))]);
    story.rest();
    assert!(story.answer(call).expect("answered").is_ok());
    assert_eq!(story.value(PLACE, File::CpusetCpus).as_deref(), Some("0,2,9"));
}
