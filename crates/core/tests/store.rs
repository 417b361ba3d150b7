//! Descriptors that services have the arbiter keep: each that comes is kept by one service, or let go of.

mod support;

use cgarbiter_core::event::{ExitStatus, Handed};
use cgarbiter_core::found::{Found, FoundDescriptor};
use cgarbiter_core::plan::Pin;
use cgarbiter_core::request::JobVerb;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Effect, Event, Manager};
use support::{Machine, clocks, job, property, root, transient};

const NAME: &str = "a.service";

/// A service that runs and may have so many kept.
fn running(most: u32, more: &[(&str, Value)]) -> Machine {
    let arguments = Value::Array("s".into(), vec![Value::str("/bin/x")]);
    let command = Value::Struct(vec![Value::str("/bin/x"), arguments, Value::Bool(false)]);
    let mut properties = vec![
        property("ExecStart", Value::Array("(sasb)".into(), vec![command])),
        property("FileDescriptorStoreMax", Value::U32(most)),
        property("AddRef", Value::Bool(true)),
    ];
    properties.extend(more.iter().map(|(name, value)| property(name, value.clone())));
    let mut machine = Machine::checked();
    machine.ask(root(), transient(NAME, properties));
    machine.settle();
    machine
}

fn main_pid(machine: &Machine) -> u32 {
    let graph = machine.manager.graph();
    let service = graph.unit(graph.find(NAME).expect("it is referred to")).service.as_ref();
    service.and_then(|service| service.main_pid).expect("it runs")
}

fn handed(pin: u64, same: &[u64]) -> Handed {
    let of = |number: u64| Pin(Pin::OTHER | number);
    Handed { pin: of(pin), same: same.iter().map(|number| of(*number)).collect() }
}

fn say(machine: &mut Machine, pid: u32, message: &str, descriptors: &[Handed]) {
    let (message, descriptors) = (message.into(), descriptors.to_vec());
    machine.hand_in(Event::Notified { pid, uid: 0, cgroup: None, message, descriptors });
    machine.settle();
}

/// Names and numbers of what is kept.
fn kept(machine: &Machine) -> Vec<String> {
    let shown = |found: FoundDescriptor| format!("{}={}", found.name, found.pin.0 & !Pin::OTHER);
    machine.manager.stored_descriptors().map(shown).collect()
}

/// Numbers that were let go of since.
fn released(machine: &mut Machine) -> Vec<u64> {
    std::mem::take(&mut machine.released).into_iter().map(|pin| pin.0 & !Pin::OTHER).collect()
}

#[test]
fn as_many_are_kept_as_may_be_and_the_rest_is_closed() {
    let mut machine = running(2, &[]);
    let pid = main_pid(&machine);
    say(&mut machine, pid, "FDSTORE=1\nFDNAME=web", &[handed(1, &[])]);
    say(&mut machine, pid, "FDSTORE=1", &[handed(2, &[1]), handed(3, &[]), handed(4, &[])]);
    assert_eq!(kept(&machine), ["web=1", "stored=3"]);
    assert_eq!(released(&mut machine), [2, 4], "one was known, one is too many");
    say(&mut machine, pid, "FDSTOREREMOVE=1\nFDNAME=web", &[]);
    assert_eq!((kept(&machine), released(&mut machine)), (vec!["stored=3".into()], vec![1]));
    say(&mut machine, pid, "FDSTOREREMOVE=1", &[]);
    say(&mut machine, pid, "FDSTORE=1\nFDNAME=a:b", &[handed(5, &[])]);
    assert_eq!(kept(&machine), ["stored=3", "stored=5"], "what is no name is not heeded");
}

#[test]
fn what_is_not_to_be_kept_is_closed_whoever_sends_it() {
    let mut machine = running(5, &[]);
    let pid = main_pid(&machine);
    say(&mut machine, pid, "READY=1", &[handed(1, &[])]);
    say(&mut machine, pid + 1, "FDSTORE=1", &[handed(2, &[])]);
    say(&mut machine, pid, "BARRIER=1", &[handed(3, &[])]);
    assert_eq!((kept(&machine).len(), released(&mut machine)), (0, vec![1, 2, 3]));
    let mut machine = running(0, &[("NotifyAccess", Value::str("main"))]);
    let pid = main_pid(&machine);
    say(&mut machine, pid, "FDSTORE=1", &[handed(1, &[])]);
    assert_eq!((kept(&machine).len(), released(&mut machine)), (0, vec![1]));
}

#[test]
fn a_flood_fills_one_store_and_no_more() {
    let mut machine = running(u32::MAX, &[]);
    let pid = main_pid(&machine);
    for message in 0..40 {
        let many: Vec<_> = (1..=250).map(|number| handed(message * 250 + number, &[])).collect();
        say(&mut machine, pid, "FDSTORE=1", &many);
    }
    assert_eq!(kept(&machine).len(), 224);
    assert_eq!(released(&mut machine).len(), 40 * 250 - 224);
}

#[test]
fn whose_other_end_has_gone_is_closed_unless_it_is_wanted_all_the_same() {
    let mut machine = running(5, &[]);
    let pid = main_pid(&machine);
    say(&mut machine, pid, "FDSTORE=1\nFDNAME=a", &[handed(1, &[])]);
    say(&mut machine, pid, "FDSTORE=1\nFDNAME=b\nFDPOLL=0", &[handed(2, &[])]);
    for number in [1, 2, 3] {
        machine.hand_in(Event::HungUp(handed(number, &[]).pin));
    }
    assert_eq!((kept(&machine), released(&mut machine)), (vec!["b=2".into()], vec![1]));
}

#[test]
fn the_next_main_process_finds_them_until_nobody_starts_any_more() {
    let restart = [("Restart", Value::str("always")), ("RestartUSec", Value::U64(1000))];
    let mut machine = running(5, &restart);
    let pid = main_pid(&machine);
    say(&mut machine, pid, "FDSTORE=1\nFDNAME=a", &[handed(1, &[])]);
    say(&mut machine, pid, "FDSTORE=1\nFDNAME=b", &[handed(2, &[])]);
    let both = [(Pin::OTHER | 2, "b".to_owned()), (Pin::OTHER | 1, "a".to_owned())];
    machine.hand_in(Event::Exited { pid, status: ExitStatus::Code(1) });
    machine.empty(NAME);
    machine.settle();
    machine.pass(5_000_000);
    machine.settle();
    assert_eq!(machine.handed_over.last().expect("started anew"), &both);
    assert_ne!(main_pid(&machine), pid);
    machine.ask(root(), job(NAME, JobVerb::Restart));
    end(&mut machine);
    assert_eq!(machine.handed_over.len(), 3);
    assert_eq!(machine.handed_over.last().expect("started anew"), &both);
    assert_eq!((kept(&machine).len(), released(&mut machine).len()), (2, 0));
    machine.ask(root(), job(NAME, JobVerb::Stop));
    end(&mut machine);
    assert_eq!((kept(&machine).len(), released(&mut machine)), (0, vec![2, 1]));
}

/// The main process goes, and what is to come comes.
fn end(machine: &mut Machine) {
    let pid = main_pid(machine);
    machine.settle();
    machine.hand_in(Event::Exited { pid, status: ExitStatus::Signal(15) });
    machine.empty(NAME);
    machine.settle();
}

#[test]
fn what_a_predecessor_has_kept_of_services_that_are_not_up_is_closed() {
    let (unit, name) = (NAME.into(), "a".into());
    let descriptors = vec![FoundDescriptor { unit, pin: Pin(Pin::OTHER | 1), name, polled: true }];
    let mut manager = Manager::recover(Config::example(), clocks(1), Found { descriptors, ..Found::default() });
    let effects = std::iter::from_fn(|| manager.poll_effect());
    let releases = effects.filter(|effect| matches!(effect, Effect::Release(pins) if *pins == [Pin(Pin::OTHER | 1)]));
    assert_eq!(releases.count(), 1);
}
