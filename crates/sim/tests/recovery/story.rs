//! The story that is interrupted: what clients ask, one after the other, and what they were promised by then.

use cgarbiter_core::Config;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, Caller, CgroupId, Disposition, File, Fork, Pid};
use cgarbiter_sim::world::{Visible, World};

/// A world with the processes of the story, before anybody asks.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) pids: Vec<Pid>,
}

pub(crate) const STEPS: [&str; 11] = [
    "scope with limits",
    "another limit",
    "scope in a nested slice",
    "delegated scope",
    "freeze",
    "limit of a slice",
    "simple service",
    "oneshot service that remains",
    "abandon",
    "scope that ignores the polite signal",
    "stop of one that ignores it",
];

impl Story {
    pub(crate) fn begin() -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY;
        let mut world = World::new(config, kernel::Config::default());
        let kernel = world.backend_mut().kernel_mut();
        let mut fork = || kernel.fork(&Caller::INIT, &Fork::default()).expect("there is room");
        let pids: Vec<Pid> = (0..4).map(|_| fork()).collect();
        kernel.set_disposition(pids[3], 15, Disposition::Ignore).expect("it lives");
        Self { world, pids }
    }

    /// What is asked at this place of the story.
    pub(crate) fn call(&self, step: usize) -> MethodCall {
        let pid = |at: usize| u32::try_from(self.pids[at]).expect("a pid");
        let number = Value::U64;
        match STEPS[step] {
            "scope with limits" => scope("a.scope", "app.slice", pid(0), vec![("MemoryMax", number(1 << 20))]),
            "another limit" => set("a.scope", vec![("MemoryMax", number(2 << 20)), ("TasksMax", number(33))]),
            "scope in a nested slice" => scope("b.scope", "app-deep-er.slice", pid(1), vec![("CPUWeight", number(77))]),
            "delegated scope" => scope("c.scope", "app.slice", pid(2), vec![("Delegate", Value::Bool(true))]),
            "freeze" => manager("FreezeUnit", vec![Value::str("b.scope")]),
            "limit of a slice" => set("app.slice", vec![("CPUWeight", number(55))]),
            "simple service" => service("s.service", "simple", false, &["/bin/sleep", "infinity"]),
            "oneshot service that remains" => service("o.service", "oneshot", true, &["/bin/true"]),
            "abandon" => manager("AbandonScope", vec![Value::str("a.scope")]),
            "scope that ignores the polite signal" => {
                scope("d.scope", "app-deep.slice", pid(3), vec![("TimeoutStopUSec", number(2_000_000))])
            }
            "stop of one that ignores it" => manager("StopUnit", vec![Value::str("d.scope"), Value::str("replace")]),
            other => panic!("{other}"),
        }
    }

    /// A client makes the call of this place, and leaves the rest to the world.
    pub(crate) fn ask(&mut self, step: usize) {
        if STEPS[step] == "freeze" {
            self.delegatee_acts();
        }
        let call = self.call(step);
        let client = self.world.connect(0, None);
        self.world.call(client, call);
    }

    /// Who was given a subtree has a cgroup and values of its own in it.
    fn delegatee_acts(&mut self) {
        let kernel = self.world.backend_mut().kernel_mut();
        let who = Caller::INIT;
        let scope = kernel.lookup(&who, b"/app.slice/c.scope").expect("it was delegated");
        let payload = kernel.mkdir(&who, scope, b"payload").expect("made");
        let write = |kernel: &mut kernel::Kernel, id, file, text: String| {
            kernel.write(&who, id, file, text.as_bytes()).expect("written");
        };
        write(kernel, payload, File::CgroupProcs, self.pids[2].to_string());
        write(kernel, scope, File::CgroupSubtreeControl, "+pids".into());
        write(kernel, payload, File::PidsMax, "7".into());
        write(kernel, scope, File::MemoryOomGroup, "1".into());
    }

    pub(crate) fn lives(&self, at: usize) -> bool {
        self.world.backend().kernel().state(self.pids[at]) == Some(kernel::State::Alive)
    }

    /// Whether the last call was granted; none when there was no reply.
    pub(crate) fn replied(&mut self) -> Option<bool> {
        let mut replied = None;
        while let Some(visible) = self.world.take_visible() {
            if let Visible::Reply { result, .. } = visible {
                replied = Some(result.is_ok());
            }
        }
        replied
    }
}

pub(crate) fn manager(member: &str, args: Vec<Value>) -> MethodCall {
    MethodCall {
        path: "/org/freedesktop/systemd1".into(),
        interface: Some("org.freedesktop.systemd1.Manager".into()),
        member: member.into(),
        args,
    }
}

fn properties(list: Vec<(&str, Value)>) -> Value {
    let one = |(name, value): (&str, Value)| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
    Value::Array("(sv)".into(), list.into_iter().map(one).collect())
}

fn start(name: &str, list: Vec<(&str, Value)>) -> MethodCall {
    let none = Value::Array("(sa(sv))".into(), Vec::new());
    manager("StartTransientUnit", vec![Value::str(name), Value::str("fail"), properties(list), none])
}

pub(crate) fn scope(name: &str, slice: &str, pid: u32, mut list: Vec<(&str, Value)>) -> MethodCall {
    list.push(("Slice", Value::str(slice)));
    list.push(("PIDs", Value::Array("u".into(), vec![Value::U32(pid)])));
    start(name, list)
}

pub(crate) fn service(name: &str, kind: &str, remains: bool, command: &[&str]) -> MethodCall {
    let words = command.iter().copied().map(Value::str).collect();
    let line = Value::Struct(vec![Value::str(command[0]), Value::Array("s".into(), words), Value::Bool(false)]);
    let commands = Value::Array("(sasb)".into(), vec![line]);
    start(name, vec![("Type", Value::str(kind)), ("RemainAfterExit", Value::Bool(remains)), ("ExecStart", commands)])
}

pub(crate) fn set(name: &str, list: Vec<(&str, Value)>) -> MethodCall {
    manager("SetUnitProperties", vec![Value::str(name), Value::Bool(true), properties(list)])
}

/// A file of a cgroup, without its line end; none when it is not there.
pub(crate) fn file(world: &World, cgroup: &str, name: File) -> Option<String> {
    let kernel = world.backend().kernel();
    let id = kernel.lookup(&Caller::INIT, cgroup.as_bytes()).ok()?;
    Some(kernel.read(&Caller::INIT, id, name).ok()?.trim_end().to_owned())
}

/// Where a process is.
pub(crate) fn place(world: &World, pid: Pid) -> String {
    let kernel = world.backend().kernel();
    let id = kernel.cgroup_of(pid).unwrap_or(CgroupId::ROOT);
    String::from_utf8_lossy(&kernel.path(id)).into_owned()
}
