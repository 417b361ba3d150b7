//! A real kernel as one of the two that are compared: this process drives, test processes do what they are told, and
//! the hierarchy below a cgroup2 mount is what is looked at. Needs root, and a hierarchy that nobody else uses.
//!
//! The library makes no system calls; all of them are in this folder.

mod channel;
mod handles;
mod look;
mod machine;
mod operations;
mod process;
mod reset;
mod settle;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use cgarbiter_sim::conformance::Arm;
use cgarbiter_sim::kernel::File;
use cgarbiter_sim::vectors::kernel::Object;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;

use channel::{Channel, SLOTS};
use handles::Handles;
use operations::{Mount, answer_object, as_user, text, word};
use process::Actor;

/// Looks after a process that does not answer, two milliseconds apart: some seconds.
const PATIENCE: usize = 3000;

/// A process or thread of the scenario.
struct Task {
    tid: i32,
    slot: usize,
    /// Threads beside the leader are not waited for.
    thread: bool,
    reaped: bool,
}

/// The kernel that this program runs on.
pub(crate) struct Real {
    mount: Mount,
    machine: Object,
    /// Mount options, to be put back.
    options: String,
    modes: reset::Modes,
    actor: Actor,
    tasks: BTreeMap<String, Task>,
    names: BTreeMap<i32, String>,
    slots: usize,
    handles: Handles,
    /// Something was frozen in this scenario, so freezing has to be waited for.
    freezes: bool,
    /// Processors were put into a partition of their own.
    partitions: bool,
    /// Every step is told before it is done.
    trace: bool,
    /// Processors of the root when there is no partition.
    processors: Option<String>,
}

impl Real {
    /// The hierarchy mounted here, cleared of cgroups.
    pub(crate) fn new(path: &Path, trace: bool) -> Result<Self, String> {
        let options = reset::mount_options(path)?;
        let mount = Mount(path.to_owned());
        reset::remove_cgroups(path)?;
        let machine = machine::machine(&mount).map_err(|error| format!("{}: {error}", path.display()))?;
        let channel = Channel::new().map_err(|error| format!("shared memory: {error}"))?;
        rustix::thread::set_thread_groups(&[]).map_err(|error| format!("groups: {error}"))?;
        let driver = rustix::process::getpid().as_raw_nonzero().get();
        let mut real = Self {
            modes: reset::Modes::of(path),
            actor: Actor { channel, mount: mount.clone(), driver },
            mount,
            machine,
            options,
            tasks: BTreeMap::new(),
            names: BTreeMap::new(),
            slots: 0,
            handles: Handles::default(),
            freezes: false,
            partitions: false,
            trace,
            processors: look::read(path, File::CpusetCpusEffective),
        };
        let kills = real.kills_at_birth()?;
        real.machine.insert("kill_at_birth".to_owned(), kills.into());
        Ok(real)
    }

    /// Whether this kernel has the bug of that name, found out by trying: stable releases lost it one by one.
    fn kills_at_birth(&mut self) -> Result<bool, String> {
        self.begin()?;
        let story = [
            r#"{"op":"mkdir","g":"/birth"}"#,
            r#"{"op":"write","g":"/birth","f":"cgroup.kill","d":"1"}"#,
            r#"{"op":"spawn","p":"born","into":"/birth"}"#,
            r#"{"op":"state","p":"born"}"#,
        ];
        let told = story.map(|step| self.perform(&serde_json::from_str(step).expect("an object")));
        self.clear()?;
        Ok(told[3].get("v") == Some(&"zombie".into()))
    }

    /// The number of a process or thread; -1 if it was never created.
    fn tid(&self, name: &str) -> i32 {
        match name {
            "self" => self.actor.driver,
            "kthreadd" => 2,
            _ => self.tasks.get(name).map_or(-1, |task| task.tid),
        }
    }

    fn enrol(&mut self, name: &str, tid: i32, slot: usize, thread: bool) {
        self.names.insert(tid, name.to_owned());
        self.tasks.insert(name.to_owned(), Task { tid, slot, thread, reaped: false });
    }

    fn next_slot(&mut self) -> usize {
        let slot = self.slots;
        assert!(slot < SLOTS, "scenarios are smaller than that");
        self.actor.channel.reset(slot);
        self.slots += 1;
        slot
    }

    /// Does a step that no test process has to do.
    fn drive(&mut self, operation: &str, step: &Object) -> Object {
        let pid = self.tid(text(step, "p").unwrap_or(""));
        let answer = match operation {
            "spawn" => return self.spawn(step),
            "kill" | "reap" | "state" => return self.life(operation, text(step, "p").unwrap_or("")),
            "open" | "fdread" | "fdwrite" | "fdmove" | "fdclose" | "watch" | "check" => {
                let (handles, mount) = (&mut self.handles, &self.mount);
                as_user(step, || handles.perform(mount, operation, step, pid))
            }
            _ => as_user(step, || self.mount.perform(operation, step, pid)),
        };
        answer_object(answer.and_then(|answer| answer))
    }

    fn spawn(&mut self, step: &Object) -> Object {
        let slot = self.next_slot();
        let actor = &self.actor;
        let spawned = as_user(step, || {
            let into = actor.mount.directory_of(step)?;
            actor.clone_process(into.as_ref().map(std::os::fd::AsFd::as_fd), false, slot)
        });
        let answer = spawned.and_then(|spawned| spawned).map(|pid| {
            self.enrol(text(step, "p").unwrap_or(""), pid, slot, false);
            self.wait_for_birth(pid, slot);
            Vec::new()
        });
        answer_object(answer)
    }

    /// Lets a test process do a step.
    fn instruct(&mut self, by: &str, operation: &str, step: &Object) -> Object {
        let Some(task) = self.tasks.get(by).filter(|task| self.can_act(task)) else { return word("INACTIVE") };
        let (tid, slot) = (task.tid, task.slot);
        let mut question = step.clone();
        let created = match operation {
            "fork" => text(step, "c"),
            "thread" => text(step, "t"),
            _ => None,
        };
        question.insert("pid".to_owned(), self.tid(text(step, "p").unwrap_or("")).into());
        let child = created.map(|_| self.next_slot());
        child.map(|child| question.insert("slot".to_owned(), child.into()));
        let question = serde_json::to_vec(&question).expect("an object");
        let looks = Cell::new(0);
        let patient = || looks.replace(looks.get() + 1) < PATIENCE && settle::lives(tid);
        let answer = self.actor.channel.ask(slot, &question, patient);
        if answer.is_none() && settle::lives(tid) {
            return word("STUCK");
        }
        // A thread that ends does not say so.
        let Some(answer) = answer else { return if operation == "texit" { word_done() } else { word("KILLED") } };
        let mut answer: Object = serde_json::from_slice(&answer).expect("an object");
        let made = answer.remove("pid").and_then(|pid| pid.as_i64()).and_then(|pid| i32::try_from(pid).ok());
        if let (Some(tid), Some(name), Some(child)) = (made, created, child) {
            self.enrol(name, tid, child, operation == "thread");
            self.wait_for_birth(tid, child);
        }
        answer
    }

    fn life(&mut self, operation: &str, name: &str) -> Object {
        let Some(task) = self.tasks.get_mut(name) else {
            return match operation {
                "kill" => word("ESRCH"),
                "reap" => word("ECHILD"),
                _ => with_value("none".into()),
            };
        };
        let pid = Pid::from_raw(task.tid).expect("processes have positive numbers");
        let zombie = !task.thread && !task.reaped && settle::is_zombie(pid);
        match operation {
            "kill" if task.reaped => word("ESRCH"),
            "kill" => {
                rustix::process::kill_process(pid, Signal::KILL).ok();
                settle::wait_for_death(pid);
                word_done()
            }
            "reap" if zombie => {
                task.reaped = true;
                rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok();
                word_done()
            }
            "reap" => word("ECHILD"),
            _ if task.reaped => with_value("reaped".into()),
            _ => with_value(if zombie { "zombie" } else { "alive" }.into()),
        }
    }

    /// Answers in the words of a recording: names for numbers, and no more than was asked for.
    fn translate(&self, operation: &str, step: &Object, mut answer: Object) -> Object {
        let Some(Value::String(read)) = answer.get("v").filter(|_| operation == "read") else { return answer };
        let value = match (text(step, "how"), text(step, "f")) {
            (Some("result"), _) => None,
            (Some("keys"), _) => {
                Some(read.lines().map(|line| line.split(' ').next().unwrap_or("")).collect::<Vec<_>>().into())
            }
            (_, Some("cgroup.procs" | "cgroup.threads")) => Some(look::Names(&self.names).in_list(read.as_bytes())),
            (_, Some("cgroup.stat")) => Some(read.split_inclusive('\n').next().unwrap_or("").into()),
            _ => return answer,
        };
        match value {
            Some(value) => answer.insert("v".to_owned(), value),
            None => answer.remove("v"),
        };
        answer
    }
}

fn word_done() -> Object {
    Object::from_iter([("r".to_owned(), 0.into())])
}

fn with_value(value: Value) -> Object {
    Object::from_iter([("r".to_owned(), 0.into()), ("v".to_owned(), value)])
}

impl Arm for Real {
    fn machine(&self) -> Object {
        self.machine.clone()
    }

    fn begin(&mut self) -> Result<(), String> {
        self.clear()
    }

    fn perform(&mut self, step: &Object) -> Object {
        let operation = text(step, "op").unwrap_or("");
        if operation == "snap" {
            let level = text(step, "lvl").unwrap_or("core");
            let snapshot = look::Names(&self.names).snapshot(&self.mount.0, level);
            return Object::from_iter([("s".to_owned(), snapshot)]);
        }
        if self.trace {
            writeln!(std::io::stderr(), "{}", Value::Object(step.clone())).ok();
        }
        let doomed = self.doomed(step);
        let by = match operation {
            "fork" | "thread" | "alloc" => text(step, "p"),
            "texit" => text(step, "t"),
            _ => text(step, "by"),
        };
        let answer = match by {
            Some(by) => self.instruct(by, operation, step),
            None => self.drive(operation, step),
        };
        self.settle(operation, step, &answer, &doomed);
        self.translate(operation, step, answer)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.clear().ok();
        self.mount.remount_exactly(&self.options).ok();
    }
}
