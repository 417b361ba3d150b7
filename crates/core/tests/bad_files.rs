//! Unit files that nobody should write, and what comes of them.

mod support;

use cgarbiter_core::request::JobVerb;
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::{Errno, OpError, RefusalKind, Request};
use support::{Machine, job, root};

const PLAIN: &str = "[Service]\nExecStart=/bin/x\n";

fn machine(files: &[(&str, String)]) -> Machine {
    let mut machine = Machine::with_files(files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())));
    machine.checks = true;
    machine
}

/// The refusal of a start, or that there was none.
fn start(machine: &mut Machine, unit: &str) -> Option<RefusalKind> {
    machine.replies.clear();
    let call = machine.ask(root(), job(unit, JobVerb::Start));
    machine.settle();
    let (_, reply) = machine.replies.iter().find(|(other, _)| *other == call).expect("every call is answered");
    reply.as_ref().err().map(|refusal| refusal.kind)
}

#[test]
fn units_that_wait_for_each_other_are_started_without_one_of_them_or_not_at_all() {
    let after = |tie: &str| format!("[Unit]\n{tie}=b.service\nAfter=b.service\n{PLAIN}");
    let back = format!("[Unit]\nAfter=a.service\n{PLAIN}");
    let mut wants = machine(&[("a.service", after("Wants")), ("b.service", back.clone())]);
    assert_eq!(start(&mut wants, "a.service"), None);
    let mut requires = machine(&[("a.service", after("Requires")), ("b.service", back)]);
    assert_eq!(start(&mut requires, "a.service"), Some(RefusalKind::TransactionOrderIsCyclic));
    let itself = format!("[Unit]\nRequires=a.service\nAfter=a.service\n{PLAIN}");
    assert_eq!(start(&mut machine(&[("a.service", itself)]), "a.service"), None, "who names itself is passed over");
}

#[test]
fn a_line_of_a_million_bytes_is_a_line() {
    let text = format!("[Service]\nExecStart=/bin/x {}\n", "x".repeat(1_000_000));
    let mut machine = machine(&[("a.service", text)]);
    assert_eq!(start(&mut machine, "a.service"), None);
}

#[test]
fn a_nul_ends_a_line() {
    let mut machine = machine(&[("a.service", "[Service]\0ExecStart=/bin/x\0NoSuchKey=1\0TasksMax=7\n".to_owned())]);
    assert_eq!(start(&mut machine, "a.service"), None);
    let graph = machine.manager.graph();
    let settings = &graph.unit(graph.find("a.service").expect("it runs")).settings;
    assert_eq!(format!("{:?}", settings.resources.tasks_max), "Count(7)");
}

#[test]
fn a_thousand_drop_ins_count_in_their_order() {
    let mut files = vec![("a.service".to_owned(), PLAIN.to_owned())];
    for number in 0..1000 {
        let text = format!("[Service]\nEnvironment=N{number}=1 LAST={number}\n");
        files.push((format!("a.service.d/{number:04}.conf"), text));
    }
    let mut machine = Machine::with_files(files);
    assert_eq!(start(&mut machine, "a.service"), None);
    let graph = machine.manager.graph();
    let unit = graph.unit(graph.find("a.service").expect("it runs"));
    let variables = &unit.settings.service().environment;
    assert_eq!((variables.len(), variables.last().map(String::as_str)), (1001, Some("LAST=999")));
    assert_eq!(unit.drop_ins.len(), 1000);
}

#[test]
fn what_cannot_be_read_is_a_unit_that_cannot_be_loaded() {
    let mut machine = machine(&[("good.service", PLAIN.to_owned())]);
    let directory = machine.manager.config().unit_paths.files()[0].clone();
    for (name, errno) in
        [("folder.service", Errno::IsDir), ("pipe.service", Errno::Inval), ("loop.service", Errno::Loop)]
    {
        let path = format!("{directory}/{name}");
        let content = Content::Unreadable(OpError::new(path.clone(), errno));
        machine.files.push(UnitFile { path: path.into(), link: None, content });
    }
    machine.ask(root(), Request::Reload);
    for name in ["folder.service", "pipe.service", "loop.service"] {
        assert_eq!(start(&mut machine, name), Some(RefusalKind::LoadFailed), "{name}");
    }
    assert_eq!(start(&mut machine, "good.service"), None);
}
