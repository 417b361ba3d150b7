//! A small world in which one thing is going to happen, and what was promised about it so far.

use super::Occasion;
use crate::kernel::{self, Caller, CgroupId, Disposition, File, Fork, Pid, SIGTERM};
use crate::workload::calls;
use crate::world::{Visible, World};
use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::unit::State;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config};

/// More time than any deadline of a scenario takes.
const LONG_USEC: u64 = 200_000_000;

/// A world, its processes, and somebody who asks.
#[derive(Clone)]
pub struct Stage {
    /// The world.
    pub world: World,
    /// Processes that are in nobody's cgroup yet.
    pub(super) spare: [u32; 2],
    client: ClientId,
    /// The call that the scenario is about.
    asked: Option<CallId>,
    occasion: Option<Occasion>,
    /// Whether it was granted, as far as the answer has arrived.
    granted: Option<bool>,
    job: Option<u32>,
    /// What was asked for has been said to be done: from now on nothing else will do.
    kept: bool,
}

/// Where unit files lie.
pub(super) const FILES: &str = "/etc/systemd/system";

impl Stage {
    /// A world with somebody beside whom nothing is to happen to: a scope that was handed over, with a limit, and a
    /// cgroup inside that its owner made; and a cgroup that belongs to nobody here.
    pub(super) fn new() -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY;
        let mut world = World::new(config, kernel::Config::default());
        let client = world.connect(0, None);
        let mut stage =
            Self { world, spare: [0; 2], client, asked: None, occasion: None, granted: None, job: None, kept: false };
        let (pid, other) = (stage.process(), stage.process());
        stage.spare = [stage.process(), stage.process()];
        let list = [limit("MemoryMax", 1 << 20), flag("Delegate", true)];
        stage.granted(scope("by.scope", "by.slice", &[pid], list));
        let inside = stage.directory("/by.slice/by.scope", "payload");
        stage.write(inside, File::CgroupProcs, &pid.to_string());
        stage.write(inside, File::CgroupMaxDescendants, "7");
        let foreign = stage.directory("", "openrc.other");
        stage.write(foreign, File::CgroupProcs, &other.to_string());
        stage.write(foreign, File::MemoryMax, "40960");
        stage
    }

    /// A process begins in the root.
    pub(super) fn process(&mut self) -> u32 {
        let pid = self.world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default());
        pid.ok().and_then(|pid| u32::try_from(pid).ok()).expect("there is room")
    }

    /// One that does not end when it is asked to.
    pub(super) fn stubborn_process(&mut self) -> u32 {
        let pid = self.process();
        let kernel = self.world.backend_mut().kernel_mut();
        kernel.set_disposition(signed(pid), SIGTERM, Disposition::Ignore).expect("it lives");
        pid
    }

    /// A process ends by itself.
    pub(super) fn exit(&mut self, pid: u32, code: u8) {
        let kernel = self.world.backend_mut().kernel_mut();
        kernel.exit(signed(pid), code).expect("it lives");
        let _ = kernel.reap(kernel::Kernel::INIT, signed(pid));
    }

    /// Somebody else makes a directory.
    pub(super) fn directory(&mut self, above: &str, name: &str) -> CgroupId {
        let kernel = self.world.backend_mut().kernel_mut();
        let above = kernel.lookup(&Caller::INIT, above.as_bytes()).expect("it is there");
        kernel.mkdir(&Caller::INIT, above, name.as_bytes()).expect("it is not there yet")
    }

    /// Somebody else writes.
    pub(super) fn write(&mut self, cgroup: CgroupId, file: File, value: &str) {
        let kernel = self.world.backend_mut().kernel_mut();
        kernel.write(&Caller::INIT, cgroup, file, value.as_bytes()).expect("the kernel takes it");
    }

    /// A file of a unit is put in its place; not read yet.
    pub(super) fn unit_file(&mut self, name: &str, text: &str) {
        self.world.backend_mut().store_mut().write(format!("{FILES}/{name}"), text);
    }

    /// A drop-in is put beside the record of a transient unit; not read yet.
    pub(super) fn drop_in(&mut self, name: &str, text: &str) {
        let directory = self.world.manager().config().unit_paths.transient.clone();
        self.world.backend_mut().store_mut().write(format!("{directory}/{name}.d/50-by-hand.conf"), text);
    }

    /// Asks, in preparation: it is granted, and everything that can happen at once has happened.
    pub(super) fn granted(&mut self, call: MethodCall) {
        let member = call.member.clone();
        self.ask(call);
        self.world.run_until_quiet();
        self.listen();
        assert!(self.granted == Some(true), "{member} is granted");
        (self.asked, self.occasion, self.granted, self.job, self.kept) = Default::default();
    }

    /// Asks; the rest is left to the world.
    pub(super) fn ask(&mut self, call: MethodCall) {
        assert!(self.asked.is_none(), "one call at a time");
        self.occasion = Occasion::of_call(&call);
        self.asked = Some(self.world.call(self.client, call));
    }

    /// Whoever asks leaves.
    pub(super) fn leave(&mut self) {
        self.world.disconnect(self.client);
    }

    /// The number of the job that a unit waits for.
    pub(super) fn job_of(&self, unit: &str) -> u32 {
        let graph = self.world.manager().graph();
        graph.find(unit).and_then(|id| graph.unit(id).job).expect("it has a job").0
    }

    /// The main process of a service.
    pub(super) fn main_of(&self, unit: &str) -> u32 {
        let graph = self.world.manager().graph();
        let service = graph.find(unit).and_then(|id| graph.unit(id).service.as_ref());
        service.and_then(|service| service.main_pid).expect("it runs")
    }

    /// One thing happens, at once or when time has passed. False when nothing more will.
    pub(super) fn advance(&mut self) -> bool {
        let next = self.world.moves().next();
        match next {
            Some(next) => self.world.make(next),
            None if !self.world.pass_to_deadline(LONG_USEC) => return false,
            None => {}
        }
        self.listen();
        true
    }

    /// The same until nothing more will happen.
    pub(super) fn settle(&mut self) {
        while self.advance() {}
    }

    /// Takes in what clients are told.
    pub(super) fn listen(&mut self) {
        while let Some(visible) = self.world.take_visible() {
            match visible {
                Visible::Reply { call, result } if self.asked == Some(call) => self.answered(&result),
                Visible::Signal { message, .. } if message.member == "JobRemoved" => {
                    if let [Value::U32(job), _, _, Value::Str(result)] = message.body.as_slice() {
                        self.kept |= self.job == Some(*job) && &**result == "done";
                    }
                }
                _ => {}
            }
        }
    }

    fn answered(&mut self, result: &Result<Vec<Value>, cgarbiter_core::Refusal>) {
        self.granted = Some(result.is_ok());
        match result.as_deref() {
            Ok([Value::U32(job), ..]) => self.job = Some(*job),
            Ok([Value::Path(path), ..]) => self.job = path.rsplit('/').next().and_then(|id| id.parse().ok()),
            Ok(_) => self.kept = true,
            Err(_) => {}
        }
    }

    /// Look: what somebody has asked for.
    #[must_use]
    pub fn occasion(&self) -> Option<Occasion> {
        self.occasion
    }

    /// Whether a unit is down, and nothing more is to be written about that.
    pub(super) fn is_over(&self, unit: &str) -> bool {
        let manager = self.world.manager();
        let state = manager.graph().find(unit).map(|id| manager.graph().unit(id).state);
        let is_down = state.is_none_or(|state| matches!(state, State::Dead | State::Failed | State::Exited));
        is_down && manager.is_quiet()
    }

    /// Whether the caller was told that all is done.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }
}

fn signed(pid: u32) -> Pid {
    Pid::try_from(pid).expect("the kernel numbers processes from 1")
}

/// A property that is a number.
pub(super) fn limit(name: &str, number: u64) -> Value {
    calls::property(name, Value::U64(number))
}

/// A property that is yes or no.
pub(super) fn flag(name: &str, value: bool) -> Value {
    calls::property(name, Value::Bool(value))
}

/// StartTransientUnit of a scope of these processes.
pub(super) fn scope(name: &str, slice: &str, pids: &[u32], list: impl IntoIterator<Item = Value>) -> MethodCall {
    let place =
        [calls::property("Slice", Value::str(slice)), calls::property("PIDs", calls::numbers(pids.iter().copied()))];
    calls::start_transient(name, "fail", list.into_iter().chain(place).collect())
}

/// StartTransientUnit of a service.
pub(super) fn service(name: &str, kind: &str, remains: bool, command: &[&str]) -> MethodCall {
    service_with(name, kind, [flag("RemainAfterExit", remains), run("ExecStart", command)])
}

/// The same with whatever is in the list.
pub(super) fn service_with(name: &str, kind: &str, list: impl IntoIterator<Item = Value>) -> MethodCall {
    let kind = calls::property("Type", Value::str(kind));
    calls::start_transient(name, "fail", std::iter::once(kind).chain(list).collect())
}

/// A property that is a command.
pub(super) fn run(property: &str, command: &[&str]) -> Value {
    let line = [Value::str(command[0]), Value::strings(command.to_vec()), Value::Bool(false)];
    calls::property(property, Value::Array("(sasb)".into(), vec![Value::Struct(line.into())]))
}

/// A method of a unit and a mode.
pub(super) fn job(member: &str, unit: &str) -> MethodCall {
    calls::about(member, unit, "replace")
}

/// A method of a unit alone.
pub(super) fn of_unit(member: &str, unit: &str) -> MethodCall {
    calls::manager(member, vec![Value::str(unit)])
}
