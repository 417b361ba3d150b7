//! The load itself: keeps `depth` operations in flight and notes how long each takes.

use std::io;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::unistd::Pid;

use crate::args::bench::{Args, Operation};

use super::complain;
use super::link::Link;
use super::process;
use super::report::Report;
use super::wire::{Body, Incoming, Kind, Method, Value};

const BUS: Method = Method {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
    signature: "",
};
const MANAGER: Method = Method {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "Subscribe",
    signature: "",
};
const MATCH: &str =
    "type='signal',path='/org/freedesktop/systemd1',interface='org.freedesktop.systemd1.Manager',member=";
/// What services run.
pub(super) const PAYLOAD: &str = "/bin/true";
/// How many errors are shown.
const SHOWN: usize = 3;

/// One operation.
#[derive(Debug, Clone, Copy)]
struct Slot {
    since: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Sent,
    Replied,
    Ended,
}

struct Load<'a> {
    args: &'a Args,
    operation: Operation,
    sleepers: Vec<Pid>,
    slots: Vec<Slot>,
    first_serial: u32,
    started: usize,
    times: Vec<Duration>,
    errors: usize,
    /// Signals that came before the reply they belong after.
    early: usize,
}

pub(super) fn run(args: &Args) -> io::Result<Report> {
    let sleepers = match args.operation {
        Operation::Scope | Operation::Cycle => process::sleepers(args.count as usize)?,
        Operation::Pid => process::sleepers(1)?,
        _ => vec![],
    };
    let mut link = Link::connect(&args.address)?;
    introduce(&mut link, args)?;
    if args.operation == Operation::Pid {
        let mut one = Load::new(args, Operation::Scope, 1, sleepers.clone());
        one.drive(&mut link)?;
    }
    let mut load = Load::new(args, args.operation, args.count as usize, sleepers);
    let took = load.drive(&mut link)?;
    if args.hold == 0 {
        load.sleepers.iter().copied().for_each(process::end);
    }
    if load.early > 0 {
        complain(format_args!("{} times JobRemoved came before the reply", load.early));
    }
    Ok(Report { operation: name_of(args.operation), depth: args.depth, took, times: load.times, errors: load.errors })
}

/// As it is called on the command line.
pub(super) fn name_of(operation: Operation) -> String {
    operation.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Hello and match rules on a bus; Subscribe everywhere (being subscribed already is fine).
fn introduce(link: &mut Link, args: &Args) -> io::Result<()> {
    let refused = |what: &str, name: String| io::Error::other(format!("{what}: {name}"));
    if !args.peer {
        link.call(BUS, |_| {})?.map_err(|name| refused("Hello", name))?;
        for signal in ["JobRemoved", "UnitRemoved"] {
            let rule = format!("{MATCH}'{signal}'");
            let add_match = Method { member: "AddMatch", signature: "s", ..BUS };
            link.call(add_match, |body| {
                body.string(&rule);
            })?
            .map_err(|name| refused("AddMatch", name))?;
        }
    }
    if args.operation != Operation::Ping
        && let Err(name) = link.call(MANAGER, |_| {})?
    {
        complain(format_args!("Subscribe: {name}"));
    }
    Ok(())
}

impl<'a> Load<'a> {
    fn new(args: &'a Args, operation: Operation, count: usize, sleepers: Vec<Pid>) -> Self {
        let slot = Slot { since: Instant::now(), state: State::Waiting };
        Self {
            args,
            operation,
            sleepers,
            slots: vec![slot; count],
            first_serial: 0,
            started: 0,
            times: Vec::with_capacity(count),
            errors: 0,
            early: 0,
        }
    }

    /// Until every operation has ended, or time is up.
    fn drive(&mut self, link: &mut Link) -> io::Result<Duration> {
        self.first_serial = link.next_serial();
        let begin = Instant::now();
        while self.times.len() < self.slots.len() {
            while self.started < self.slots.len() && self.started - self.times.len() < self.args.depth as usize {
                self.launch(link);
            }
            link.turn(1000)?;
            link.messages(|message| self.take(&message))?;
            if begin.elapsed() > Duration::from_secs(self.args.limit) {
                let missing = self.slots.len() - self.times.len();
                complain(format_args!("gave up: {missing} of {} not finished", self.slots.len()));
                self.errors += missing;
                break;
            }
        }
        Ok(begin.elapsed())
    }

    fn launch(&mut self, link: &mut Link) {
        let index = self.started;
        self.slots[index] = Slot { since: Instant::now(), state: State::Sent };
        self.started += 1;
        let method = |member, signature| Method { member, signature, ..MANAGER };
        let start = method("StartTransientUnit", "ssa(sv)a(sa(sv))");
        match self.operation {
            Operation::Scope | Operation::Cycle => {
                let (unit, pid) = (self.scope(index), self.pid(index));
                link.queue(start, |body| scope_arguments(body, &unit, pid));
            }
            Operation::Service => {
                let unit = self.service(index);
                link.queue(start, |body| service_arguments(body, &unit));
            }
            Operation::Slice => {
                let unit = self.slice(index);
                link.queue(start, |body| {
                    body.string(&unit).string("fail").array(8, |_| {}).array(8, |_| {});
                });
            }
            Operation::Stop => {
                let unit = self.slice(index);
                link.queue(method("StopUnit", "ss"), |body| {
                    body.string(&unit).string("replace");
                });
            }
            Operation::List => {
                link.queue(method("ListUnits", ""), |_| {});
            }
            Operation::Pid => {
                let pid = self.pid(0);
                link.queue(method("GetUnitByPID", "u"), |body| {
                    body.u32(pid);
                });
            }
            Operation::Set => {
                let tasks_max = 1000 + index as u64;
                link.queue(method("SetUnitProperties", "sba(sv)"), |body| {
                    body.string("bench.slice").u32(1).array(8, |properties| {
                        properties.property("TasksMax", Value::Number(tasks_max));
                    });
                });
            }
            Operation::Ping => {
                let ping = Method { interface: "org.freedesktop.DBus.Peer", member: "Ping", ..MANAGER };
                link.queue(ping, |_| {});
            }
            Operation::Spawn => unreachable!("no manager has a part in it"),
        }
    }

    fn scope(&self, index: usize) -> String {
        format!("bench-{}-{index}.scope", self.args.tag)
    }

    fn service(&self, index: usize) -> String {
        format!("bench-{}-{index}.service", self.args.tag)
    }

    fn slice(&self, index: usize) -> String {
        format!("bench-{}{index}.slice", self.args.tag)
    }

    fn pid(&self, index: usize) -> u32 {
        self.sleepers.get(index).map_or(0, |pid| pid.as_raw().unsigned_abs())
    }

    /// A name of ours → which operation.
    fn index_of(&self, unit: &str) -> Option<usize> {
        let rest = unit.strip_prefix("bench-")?.strip_prefix(self.args.tag.as_str())?;
        let number = rest.strip_prefix('-').unwrap_or(rest).split_once('.')?.0;
        number.parse().ok().filter(|index| *index < self.started)
    }

    fn take(&mut self, message: &Incoming<'_>) {
        match (message.kind, message.member) {
            (Kind::Return, _) => self.replied(message.reply_serial),
            (Kind::Error, _) => self.refused(message),
            (Kind::Signal, "JobRemoved") => self.job_removed(message),
            (Kind::Signal, "UnitRemoved") if matches!(self.operation, Operation::Cycle | Operation::Service) => {
                if let Some(index) = message.strings(0).next().and_then(|unit| self.index_of(unit)) {
                    self.end(index);
                }
            }
            (Kind::Signal | Kind::Other, _) => {}
        }
    }

    fn slot_of(&self, serial: u32) -> Option<usize> {
        let index = serial.checked_sub(self.first_serial)? as usize;
        (index < self.started).then_some(index)
    }

    fn replied(&mut self, serial: u32) {
        let Some(index) = self.slot_of(serial) else { return };
        if self.slots[index].state == State::Sent {
            self.slots[index].state = State::Replied;
        }
        if matches!(self.operation, Operation::List | Operation::Pid | Operation::Set | Operation::Ping) {
            self.end(index);
        }
    }

    fn refused(&mut self, message: &Incoming<'_>) {
        let Some(index) = self.slot_of(message.reply_serial) else { return };
        if self.errors < SHOWN {
            complain(format_args!("{}: {}", message.error, message.strings(0).next().unwrap_or_default()));
        }
        self.errors += 1;
        self.end(index);
    }

    fn job_removed(&mut self, message: &Incoming<'_>) {
        let mut strings = message.strings(4);
        let (Some(_job), Some(unit), Some(result)) = (strings.next(), strings.next(), strings.next()) else { return };
        let Some(index) = self.index_of(unit) else { return };
        match self.slots[index].state {
            State::Waiting | State::Ended => return,
            State::Sent => self.early += 1,
            State::Replied => {}
        }
        if result != "done" {
            if self.errors < SHOWN {
                complain(format_args!("{unit}: job {result}"));
            }
            self.errors += 1;
        } else if self.operation == Operation::Cycle {
            process::end(self.sleepers[index]);
            return;
        } else if self.operation == Operation::Service {
            return;
        }
        self.end(index);
    }

    fn end(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if slot.state != State::Ended {
            slot.state = State::Ended;
            self.times.push(slot.since.elapsed());
        }
    }
}

fn scope_arguments(body: &mut Body, unit: &str, pid: u32) {
    body.string(unit).string("fail").array(8, |properties| {
        properties.property("Slice", Value::Text("bench.slice"));
        properties.property("PIDs", Value::Pid(pid));
        properties.property("CollectMode", Value::Text("inactive-or-failed"));
    });
    body.array(8, |_| {});
}

fn service_arguments(body: &mut Body, unit: &str) {
    body.string(unit).string("fail").array(8, |properties| {
        properties.property("Slice", Value::Text("bench.slice"));
        properties.property("CollectMode", Value::Text("inactive-or-failed"));
        properties.property("ExecStart", Value::Command(PAYLOAD));
    });
    body.array(8, |_| {});
}
