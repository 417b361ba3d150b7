//! Encoding: replies and signals as the messages that clients expect.

use super::*;
use crate::effect::JobRow;
use crate::effect::{ProcessRow, Reply, Signal, StepRow, UnitRow};
use crate::systemd1::objects::{self, Node};
use crate::systemd1::{encode_reply, encode_signal};

fn job_row() -> JobRow {
    JobRow { id: 7, unit: name("a-b.slice"), kind: "start", state: "waiting" }
}

fn unit_row(job: Option<(u32, &'static str)>) -> UnitRow {
    let description = "Slice /a/b".into();
    UnitRow { name: name("a-b.slice"), description, load: "loaded", active: "active", sub: "active", job }
}

#[test]
fn replies_have_the_types_that_the_table_promises() {
    let unit = || name("a.scope");
    let process = ProcessRow { cgroup: "/a.scope".into(), pid: 4, command: "sleep".into() };
    for (method, reply) in [
        ("StopUnit", Reply::Job(7)),
        ("KillUnit", Reply::Done),
        ("GetUnit", Reply::Unit(unit())),
        ("GetUnitByInvocationID", Reply::UnitByInvocation([0x1a; 16])),
        ("GetUnitByPIDFD", Reply::UnitOfPid { unit: unit(), invocation_id: None }),
        ("EnqueueUnitJob", Reply::EnqueuedJob { job: job_row(), affected: vec![job_row()] }),
        ("ListUnits", Reply::Units(vec![unit_row(None)])),
        ("ListJobs", Reply::Jobs(vec![job_row()])),
        ("GetUnitProcesses", Reply::Processes(vec![process])),
        ("Dump", Reply::Text("text".into())),
        ("ListUnitFiles", Reply::UnitFiles(vec![("/x.slice".into(), "static".into())])),
        ("EnableUnitFiles", Reply::FileChanges { carries: Some(true), changes: Vec::new() }),
        ("MaskUnitFiles", Reply::FileChanges { carries: None, changes: Vec::new() }),
        ("GetUnitFileLinks", Reply::Texts(Vec::new())),
    ] {
        let wanted = objects::MANAGER.method(method).expect("a method").output.signature();
        assert_eq!(encode_reply(reply).iter().map(Value::signature).collect::<String>(), wanted, "{method}");
    }
    let steps = Reply::Steps(vec![StepRow { unit: unit(), cause: "start", step: "mkdir".into() }]);
    assert_eq!(encode_reply(steps)[0].signature(), "a(sss)");
    assert_eq!(encode_reply(Reply::Value(Value::U32(1)))[0].signature(), "v");
    assert_eq!(encode_reply(Reply::Properties(vec![("Id", Value::U32(1))]))[0].signature(), "a{sv}");
}

#[test]
fn rows_have_the_fields_and_the_types_of_their_array() {
    let fields = |reply| encode_reply(reply)[0].as_array().expect("rows")[0].signature();
    assert_eq!(fields(Reply::Units(vec![unit_row(Some((7, "start")))])), "(ssssssouso)");
    assert_eq!(fields(Reply::Jobs(vec![job_row()])), "(usssoo)");
    let [row] = &*encode_reply(Reply::Units(vec![unit_row(None)])) else { panic!("one array") };
    let expected = Value::Struct(vec![
        Value::str("a-b.slice"),
        Value::str("Slice /a/b"),
        Value::str("loaded"),
        Value::str("active"),
        Value::str("active"),
        Value::str(""),
        Value::path("/org/freedesktop/systemd1/unit/a_2db_2eslice"),
        Value::U32(0),
        Value::str(""),
        Value::path("/"),
    ]);
    assert_eq!(row.as_array(), Some(&[expected][..]));
}

#[test]
fn an_invocation_id_makes_a_path_that_starts_with_no_digit() {
    let [path] = &*encode_reply(Reply::UnitByInvocation([0x1a; 16])) else { panic!("one path") };
    assert_eq!(path.as_str(), Some(&*unit_path(&["_31a", &"1a".repeat(15)].concat())));
}

#[test]
fn signals_are_those_of_the_table() {
    let unit = || name("a.scope");
    let changed = || vec![("ActiveState", Value::str("active"))];
    let unit_changed =
        Signal::UnitChanged { unit: unit(), interface: UNIT, changed: changed(), invalidated: vec!["Conditions"] };
    for signal in [
        Signal::UnitNew(unit()),
        Signal::UnitRemoved(unit()),
        Signal::JobNew { id: 7, unit: unit() },
        Signal::JobRemoved { id: 7, unit: unit(), result: "done" },
        unit_changed,
        Signal::JobChanged { id: 7, state: "running" },
        Signal::RequestStop(unit()),
        Signal::Reloading(true),
        Signal::UnitFilesChanged,
    ] {
        let message = encode_signal(signal);
        let node = Node::at(&message.path).expect("an object of ours");
        let mut all = node.interfaces().iter().chain(&objects::STANDARD);
        let interface = all.find(|interface| interface.name == message.interface).expect("stands on the object");
        let row = interface.signals.iter().find(|row| row.name == message.member).expect("in the table");
        assert!(row.body.fit(&message.body), "{} {:?}", message.member, message.body);
    }
}
