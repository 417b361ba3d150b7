//! A machine of a hundred units on which something always goes on: scopes are started, changed, stopped, or empty by
//! themselves, services are started and stopped. After each round it is as it was before.

use cgarbiter_core::Config;
use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, Caller, Fork, Kernel};
use cgarbiter_sim::world::{Visible, World};

/// How many units there are between two rounds.
pub(crate) const UNITS: usize = 100;
const SLICES: usize = 8;
const SERVICES: usize = 8;
/// The others: the root, `system.slice`, `app.slice`.
const SCOPES: usize = UNITS - SLICES - SERVICES - 3;

/// The machine.
pub(crate) struct Busy {
    world: World,
    client: ClientId,
    /// The process of each scope.
    pids: Vec<i32>,
    round: usize,
}

impl Busy {
    /// All units are up. Nothing is checked but what the program asserts by itself.
    pub(crate) fn new() -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
        let mut world = World::new(config, kernel::Config::default());
        world.check_invariants(false);
        let client = world.connect(0, None);
        let mut busy = Self { world, client, pids: vec![0; SCOPES], round: 0 };
        (0..SCOPES).for_each(|scope| busy.start_scope(scope));
        (0..SERVICES).for_each(|service| busy.start_service(service));
        busy.rest();
        assert_eq!(busy.world.manager().graph().len(), UNITS);
        busy
    }

    /// How many steps of plans have been done.
    pub(crate) fn steps(&self) -> u64 {
        self.world.effort().steps
    }

    /// One scope is stopped, another empties by itself, two are changed, a service is stopped; then what has gone is
    /// started again.
    pub(crate) fn round(&mut self) {
        self.round += 1;
        let [stopped, emptied, raised, lowered] = [0, 1, 2, 3].map(|place| (4 * self.round + place) % SCOPES);
        let service = self.round % SERVICES;
        self.call("StopUnit", vec![Value::str(scope_name(stopped)), Value::str("fail")]);
        self.call("StopUnit", vec![Value::str(service_name(service)), Value::str("fail")]);
        self.end_process(emptied);
        self.change(raised, 2 << 30);
        self.change(lowered, 1 << 30);
        self.rest();
        self.start_scope(stopped);
        self.start_scope(emptied);
        self.start_service(service);
        self.rest();
        assert_eq!(self.world.manager().graph().len(), UNITS);
    }

    /// Everything that can happen happens; whoever asked has an answer, and it is no refusal.
    fn rest(&mut self) {
        self.world.run_until_quiet();
        while let Some(visible) = self.world.take_visible() {
            assert!(!matches!(visible, Visible::Reply { result: Err(_), .. }), "{visible:?}");
        }
        let kernel = self.world.backend_mut().kernel_mut();
        while let Some(pid) = kernel.zombie_child(Kernel::INIT) {
            kernel.reap(Kernel::INIT, pid).expect("a zombie is there");
        }
    }

    fn start_scope(&mut self, scope: usize) {
        let kernel = self.world.backend_mut().kernel_mut();
        let pid = kernel.fork(&Caller::INIT, &Fork::default()).expect("there is room");
        self.pids[scope] = pid;
        let pids = Value::Array("u".into(), vec![Value::U32(u32::try_from(pid).expect("a pid"))]);
        let slice = format!("app-{}.slice", scope % SLICES);
        let properties = vec![
            property("Slice", Value::str(slice)),
            property("MemoryMax", Value::U64(1 << 30)),
            property("TasksMax", Value::U64(512)),
            property("PIDs", pids),
        ];
        self.start(&scope_name(scope), properties);
    }

    fn start_service(&mut self, service: usize) {
        let arguments = ["/bin/sleep", "infinity"].into_iter().map(Value::str).collect();
        let command = vec![Value::str("/bin/sleep"), Value::Array("s".into(), arguments), Value::Bool(false)];
        let commands = Value::Array("(sasb)".into(), vec![Value::Struct(command)]);
        let properties = vec![property("MemoryMax", Value::U64(1 << 30)), property("ExecStart", commands)];
        self.start(&service_name(service), properties);
    }

    fn start(&mut self, name: &str, properties: Vec<Value>) {
        let auxiliary = Value::Array("(sa(sv))".into(), Vec::new());
        let properties = Value::Array("(sv)".into(), properties);
        self.call("StartTransientUnit", vec![Value::str(name), Value::str("fail"), properties, auxiliary]);
    }

    fn change(&mut self, scope: usize, memory: u64) {
        let properties = vec![property("MemoryMax", Value::U64(memory))];
        let properties = Value::Array("(sv)".into(), properties);
        self.call("SetUnitProperties", vec![Value::str(scope_name(scope)), Value::Bool(true), properties]);
    }

    fn end_process(&mut self, scope: usize) {
        let pid = self.pids[scope];
        self.world.backend_mut().kernel_mut().exit(pid, 0).expect("it lives");
    }

    fn call(&mut self, member: &str, args: Vec<Value>) {
        let (path, interface) = ("/org/freedesktop/systemd1".into(), Some("org.freedesktop.systemd1.Manager".into()));
        self.world.call(self.client, MethodCall { path, interface, member: member.into(), args });
    }
}

fn scope_name(scope: usize) -> String {
    format!("run-{scope}.scope")
}

fn service_name(service: usize) -> String {
    format!("job-{service}.service")
}

fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}
