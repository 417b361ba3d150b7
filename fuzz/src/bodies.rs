//! Method calls of any shape on a manager, between whatever else happens to it. After every event all tables agree, and
//! once everything has come to rest each request has been answered once, with a body of the announced type.

#[path = "../../crates/core/tests/support/mod.rs"]
mod machine;

use crate::input::Input;
use crate::values;
use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::names::{UnitName, label_escape};
use cgarbiter_core::request::JobVerb;
use cgarbiter_core::systemd1::table::{Interface, Method};
use cgarbiter_core::systemd1::{MethodCall, decode, encode_reply, objects};
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Errno, Event, OpError, Request};
use machine::{Machine, job, root};
use std::collections::BTreeMap;

/// Most moves of one input.
const MOVES_MAX: usize = 200;
/// What most calls are about.
const USUAL: [&str; 16] = [
    "StartTransientUnit",
    "StopUnit",
    "SetUnitProperties",
    "RefUnit",
    "UnrefUnit",
    "KillUnit",
    "FreezeUnit",
    "ThawUnit",
    "AttachProcessesToUnit",
    "AbandonScope",
    "StartUnit",
    "RestartUnit",
    "ResetFailedUnit",
    "EnqueueUnitJob",
    "CancelJob",
    "GetUnitProcesses",
];

/// Calls, plans run well or badly, notices, ends of processes, time.
pub fn bodies(data: &[u8]) {
    let mut input = Input::new(data);
    let mut run = Run { machine: Machine::checked(), outputs: BTreeMap::new() };
    let mut moves = 0;
    while !input.is_empty() && moves < MOVES_MAX {
        run.once(&mut input);
        moves += 1;
    }
    run.wind_down();
    run.check_replies();
}

struct Run {
    machine: Machine,
    /// The signature that the answer to each call has.
    outputs: BTreeMap<CallId, String>,
}

impl Run {
    fn once(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0..=7 => self.call(input),
            8..=10 => self.machine.run_plan(fault(input)),
            11 | 12 => {
                if let Some(watch) = self.machine.notices.pop_front() {
                    self.machine.hand_in(Event::CgroupChanged { watch });
                }
            }
            13 => self.machine.empty(&values::unit_name(input)),
            14 => {
                let code = input.below(2) as i32;
                self.machine.exit(&values::unit_name(input), code);
            }
            _ => self.world_event(input),
        }
    }

    fn world_event(&mut self, input: &mut Input<'_>) {
        match input.below(5) {
            0 => self.machine.hand_in(Event::ClientGone(ClientId(1 + input.below(3) as u64))),
            1 => self.machine.hand_in(Event::BusNameGone(input.of(&[":1.2", ":1.3"]).into())),
            2 => self.machine.hand_in(Event::ClientConnected(ClientId(1))),
            3 => self.machine.pass(600_000),
            _ => self.machine.pass(100_000_000),
        }
    }

    fn call(&mut self, input: &mut Input<'_>) {
        let client = client(input);
        let (call, method) = method_call(input);
        let Ok(request) = decode(call) else { return };
        let output = method.map(|method| method.output.signature());
        let rehearsed = input.once_in(24);
        let request = if rehearsed { Request::Plan(Box::new(request)) } else { request };
        let call = self.machine.ask(client, request);
        if let Some(output) = output.filter(|_| !rehearsed) {
            self.outputs.insert(call, output);
        }
    }

    /// Nothing fails and nobody asks for anything any more, until nothing is left that can end.
    fn wind_down(&mut self) {
        self.machine.settle();
        (1..=3).for_each(|client| self.machine.hand_in(Event::ClientGone(ClientId(client))));
        for _ in 0..4 {
            self.machine.ask(root(), Request::ClearJobs);
            for name in self.names() {
                self.machine.exit(&name, 0);
                self.machine.empty(&name);
                self.machine.settle();
            }
            for name in self.names() {
                self.machine.ask(root(), job(&name, JobVerb::Stop));
                self.machine.settle();
                self.machine.pass(100_000_000);
                self.machine.settle();
            }
            self.machine.ask(root(), Request::ResetFailedAll);
            self.machine.settle();
        }
        assert!(self.machine.manager.is_quiet(), "something is still to be done");
        assert!(self.machine.manager.jobs().is_empty(), "jobs are left");
    }

    fn names(&self) -> Vec<String> {
        self.machine.manager.graph().iter().map(|(_, unit)| unit.name.to_string()).collect()
    }

    fn check_replies(self) {
        let asked = self.machine.asked();
        let mut open: Vec<bool> = vec![true; usize::try_from(asked).expect("few") + 1];
        for (call, reply) in self.machine.replies {
            let was_open = std::mem::replace(&mut open[usize::try_from(call.0).expect("few")], false);
            assert!(was_open, "{call:?} was answered twice");
            let (Ok(reply), Some(output)) = (reply, self.outputs.get(&call)) else { continue };
            let signature: String = encode_reply(reply).iter().map(Value::signature).collect();
            assert_eq!(&signature, output, "the answer to {call:?}");
        }
        let unanswered: Vec<usize> = (1..open.len()).filter(|call| open[*call]).collect();
        assert!(unanswered.is_empty(), "{unanswered:?} were not answered");
    }
}

fn fault(input: &mut Input<'_>) -> Option<(usize, OpError)> {
    if !input.once_in(4) {
        return None;
    }
    let errno = input.of(&[Errno::NoEnt, Errno::Exist, Errno::Access, Errno::Busy, Errno::Inval]);
    Some((input.below(12), OpError { errno, file: "f".into() }))
}

fn client(input: &mut Input<'_>) -> Client {
    let bus = |number: u64, uid| Client {
        id: ClientId(number),
        transport: Transport::Bus(format!(":1.{number}").into()),
        uid,
        pid: Some(100 + number as u32),
    };
    match input.below(6) {
        0 => bus(2, 1000),
        1 | 2 => bus(3, 0),
        3 => Client { pid: None, ..root() },
        _ => root(),
    }
}

/// A call, and the method it is meant to be.
fn method_call(input: &mut Input<'_>) -> (MethodCall, Option<&'static Method>) {
    let (path, interfaces) = object(input);
    let interface = input.of(&interfaces);
    let useful = (interface.name == objects::MANAGER.name && !input.once_in(3)).then(|| input.of(&USUAL));
    let Some(method) = useful.and_then(|name| interface.method(name)).or_else(|| any_method(input, interface)) else {
        let member = input.text();
        return (MethodCall { path, interface: None, member, args: Vec::new() }, None);
    };
    let args = match method.name {
        "StartTransientUnit" if !input.once_in(6) => values::creation(input),
        "Get" | "GetAll" | "Set" => reading(input, &interfaces, method),
        _ => values::arguments(input, method.input.iter()),
    };
    let interface = (!input.once_in(8)).then(|| interface.name.into());
    // Without an interface, the first method of that name is meant, which may be another one.
    let meant = interface.is_some().then_some(method);
    let member = if input.once_in(64) { input.text() } else { method.name.into() };
    let meant = meant.filter(|method| method.name == member);
    (MethodCall { path, interface, member, args }, meant)
}

fn any_method(input: &mut Input<'_>, interface: &Interface) -> Option<&'static Method> {
    let count = interface.methods().count();
    if count == 0 { None } else { interface.methods().nth(input.below(count)) }
}

/// An object's path and the interfaces it may have.
fn object(input: &mut Input<'_>) -> (String, Vec<&'static Interface>) {
    let standard = || objects::STANDARD.iter().copied();
    match input.below(12) {
        0..=6 => (objects::MANAGER_PATH.into(), objects::ON_MANAGER.to_vec()),
        7..=9 => {
            let name = values::unit_name(input);
            let label = if input.once_in(10) { "self".into() } else { label_escape(&name) };
            let own = UnitName::parse(&name).map_or(&[][..], |name| objects::on_unit(name.unit_type()));
            (format!("/org/freedesktop/systemd1/unit/{label}"), own.iter().copied().chain(standard()).collect())
        }
        10 => {
            let path = format!("{}{}", objects::JOB_PREFIX, input.below(24));
            (path, objects::ON_JOB.iter().copied().chain(standard()).collect())
        }
        _ if input.once_in(2) => (input.text(), objects::ALL.to_vec()),
        _ => (objects::MANAGER_PATH.into(), standard().collect()),
    }
}

/// Which property of which interface is read, or all, or set.
fn reading(input: &mut Input<'_>, interfaces: &[&'static Interface], method: &Method) -> Vec<Value> {
    let mut candidates: Vec<&Interface> = interfaces.to_vec();
    candidates.push(&objects::MANAGER);
    let interface = input.of(&candidates);
    let name = if input.once_in(10) { input.text() } else { interface.name.into() };
    let count = interface.properties().count();
    let property = if count == 0 { None } else { interface.properties().nth(input.below(count)) };
    let property = property.map_or_else(|| input.text(), |property| property.name.into());
    let mut all = vec![Value::Str(name), Value::Str(property), Value::Variant(Box::new(Value::U64(input.number())))];
    all.truncate(method.input.iter().count());
    all
}
