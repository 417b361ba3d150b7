//! What clients ask.

use super::{Habits, Workload, calls, processes};
use crate::choice::{Choice, pick};
use crate::kernel::Kernel;
use crate::reference::Reference;
use crate::world::World;
use cgarbiter_core::client::ClientId;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;

/// A kind of request.
pub(super) struct Kind {
    /// How often, next to the others.
    pub(super) weight: u32,
    make: fn(&mut Asker<'_>) -> MethodCall,
}

const fn kind(weight: u32, make: fn(&mut Asker<'_>) -> MethodCall) -> Kind {
    Kind { weight, make }
}

/// All kinds. The first makes scopes, without which little happens.
pub(super) const KINDS: [Kind; 22] = [
    kind(24, |a| a.start_scope()),
    kind(8, |a| a.start_service()),
    kind(8, |a| a.start_slice()),
    kind(10, |a| a.job("StopUnit")),
    kind(5, |a| a.job("StartUnit")),
    kind(3, |a| a.job("RestartUnit")),
    kind(12, |a| a.set_properties()),
    kind(5, |a| a.kill()),
    kind(4, |a| a.of_unit("FreezeUnit")),
    kind(5, |a| a.of_unit("ThawUnit")),
    kind(2, |a| a.of_unit("AbandonScope")),
    kind(5, |a| a.attach()),
    kind(3, |a| a.of_unit("RefUnit")),
    kind(3, |a| a.of_unit("UnrefUnit")),
    kind(3, |a| a.of_unit("ResetFailedUnit")),
    kind(8, |a| a.look()),
    kind(2, |a| a.subscribe()),
    kind(4, |a| a.nonsense()),
    kind(2, |a| a.rare()),
    kind(4, |a| a.glance()),
    kind(2, |a| a.enqueue()),
    kind(1, |a| a.install()),
];

const MODES: [&str; 6] =
    ["replace", "fail", "ignore-dependencies", "ignore-requirements", "flush", "replace-irreversibly"];
const PAGE: u64 = 4096;

/// Somebody who is about to ask.
pub(super) struct Asker<'a> {
    pub(super) choice: &'a mut dyn Choice,
    pub(super) world: &'a mut World,
    pub(super) reference: &'a mut Reference,
    names: u32,
    processes: u32,
    pub(super) ties: u32,
    pub(super) uid: u32,
}

impl Workload {
    /// A client asks something.
    pub(super) fn ask(&mut self, choice: &mut dyn Choice, world: &mut World, reference: &mut Reference) {
        // Root asks most of the time.
        let client = if choice.below(3) == 2 { pick(choice, &self.clients) } else { self.clients.first() };
        let Some(client) = client.copied() else { return };
        let kind = self.choose_kind(choice);
        let uid = world.client(client).map_or(0, |client| client.uid);
        let Habits { names, processes, ties, .. } = self.habits;
        let call = {
            let mut asker = Asker { choice, world, reference, names, processes, ties, uid };
            (kind.make)(&mut asker)
        };
        // Some say everything twice.
        if choice.below(6) == 5 {
            world.call(client, call.clone());
        }
        world.call(client, call);
    }

    fn choose_kind(&self, choice: &mut dyn Choice) -> &'static Kind {
        let total: u32 = self.habits.weights.iter().sum();
        let mut left = choice.below(total.max(1));
        for (kind, weight) in KINDS.iter().zip(&self.habits.weights) {
            if left < *weight {
                return kind;
            }
            left -= weight;
        }
        &KINDS[0]
    }

    /// A flood: one client sends many calls at once.
    pub(crate) fn flood(&mut self, choice: &mut dyn Choice, world: &mut World) {
        let client: Option<ClientId> = pick(choice, &self.clients).copied();
        let Some(client) = client else { return };
        for _ in 0..20 {
            world.call(client, calls::manager("ListUnits", Vec::new()));
        }
    }
}

impl Asker<'_> {
    pub(super) fn slice(&mut self) -> String {
        let known = ["a.slice", "a-b.slice", "c.slice", "a-b-d.slice", "system.slice"];
        known[self.choice.below(5.min(self.names + 1)) as usize].to_owned()
    }

    pub(super) fn scope(&mut self) -> String {
        format!("s{}.scope", self.choice.below(self.names * 2))
    }

    pub(super) fn service(&mut self) -> String {
        format!("v{}.service", self.choice.below(self.names))
    }

    pub(super) fn any_unit(&mut self) -> String {
        match self.choice.below(4) {
            0 | 1 => self.scope(),
            2 => self.slice(),
            _ => self.service(),
        }
    }

    pub(super) fn mode(&mut self) -> &'static str {
        if self.choice.below(4) == 3 { MODES[self.choice.below(6) as usize] } else { MODES[0] }
    }

    /// A process to put somewhere: new, or one there is; rarely one that must not be moved.
    pub(super) fn process(&mut self) -> u32 {
        let known: Vec<_> = self.reference.homes().map(|(pid, _)| pid).collect();
        let choice = self.choice.below(12);
        let room = known.len() < self.processes as usize;
        let pid = match choice {
            11 => Some([Kernel::INIT, Kernel::KTHREADD, 99_999][self.choice.below(3) as usize]),
            8..=10 => pick(self.choice, &known).copied(),
            _ if room => processes::begin(self.world, self.reference, self.uid),
            _ => pick(self.choice, &known).copied(),
        };
        pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(99_998)
    }

    fn limit(&mut self) -> Value {
        let pages = |choice: &mut dyn Choice| [256, 512, 1024, u64::MAX / PAGE][choice.below(4) as usize] * PAGE;
        let memory = |name, bytes| {
            let bytes = if bytes > u64::MAX / 2 { u64::MAX } else { bytes };
            calls::property(name, Value::U64(bytes))
        };
        match self.choice.below(10) {
            6 => calls::property("IOWeight", Value::U64([100, 1, 500][self.choice.below(3) as usize])),
            7 => self.device_limit(),
            8 => memory("MemoryMin", pages(self.choice)),
            9 => calls::property("AllowedCPUs", calls::bytes([1])),
            0 => memory("MemoryMax", pages(self.choice)),
            1 => calls::property("TasksMax", Value::U64([100, 7, 12, u64::MAX][self.choice.below(4) as usize])),
            2 => calls::property("CPUWeight", Value::U64([200, 1, 10_000][self.choice.below(3) as usize])),
            3 => memory("MemoryHigh", pages(self.choice)),
            4 => memory("MemoryLow", pages(self.choice)),
            _ => calls::property(
                "CPUQuotaPerSecUSec",
                Value::U64([500_000, 20_000, u64::MAX][self.choice.below(3) as usize]),
            ),
        }
    }

    /// Of a disk that is there, or of one that is not.
    fn device_limit(&mut self) -> Value {
        let disk = ["/dev/vda", "/var", "/dev/none"][self.choice.below(3) as usize];
        let (name, value) = match self.choice.below(3) {
            0 => ("IODeviceWeight", 200),
            1 => ("IOReadBandwidthMax", 1 << 20),
            _ => ("IOWriteIOPSMax", u64::MAX),
        };
        let one = Value::Struct(vec![Value::str(disk), Value::U64(value)]);
        calls::property(name, Value::Array("(st)".into(), vec![one]))
    }

    pub(super) fn limits(&mut self) -> Vec<Value> {
        (0..self.choice.below(4)).map(|_| self.limit()).collect()
    }

    fn start_scope(&mut self) -> MethodCall {
        let name = self.scope();
        let mut list = self.limits();
        if self.choice.below(4) != 3 {
            list.push(calls::property("Slice", Value::str(self.slice())));
        }
        let count = [1, 1, 1, 2, 0][self.choice.below(5) as usize];
        let pids: Vec<u32> = (0..count).map(|_| self.process()).collect();
        list.push(calls::property("PIDs", calls::numbers(pids)));
        match self.choice.below(16) {
            8..=10 => list.push(calls::property("Delegate", Value::Bool(true))),
            11 => list.push(calls::property("CollectMode", Value::str("inactive-or-failed"))),
            12 => list.push(calls::property("RuntimeMaxUSec", Value::U64(3_000_000))),
            13 => list.push(calls::property("TimeoutStopUSec", Value::U64(2_000_000))),
            14 => list.push(calls::property("KillMode", Value::str("none"))),
            15 => list.push(calls::property("SendSIGKILL", Value::Bool(false))),
            _ => {}
        }
        match self.choice.below(24) {
            21 => {
                list.push(calls::property("User", Value::str(["1000", "nobody-there"][self.choice.below(2) as usize])))
            }
            22 => list.push(calls::property("Controller", Value::str(format!(":1.{}", 1 + self.choice.below(6))))),
            23 if self.ties > 0 => self.tie(&mut list),
            _ => {}
        }
        if self.choice.below(8) == 7 {
            list.push(calls::property("AddRef", Value::Bool(true)));
        }
        self.spoil(&mut list);
        calls::start_transient(&name, self.mode(), list)
    }

    fn start_slice(&mut self) -> MethodCall {
        let name = self.slice();
        let mut list = self.limits();
        self.spoil(&mut list);
        calls::start_transient(&name, self.mode(), list)
    }

    /// Rarely makes a list of properties one that is refused.
    pub(super) fn spoil(&mut self, list: &mut Vec<Value>) {
        match self.choice.below(24) {
            21 => list.push(calls::property("NoSuchProperty", Value::U64(1))),
            22 => list.push(calls::property("MemoryMax", Value::str("much"))),
            23 => list.push(calls::property("CPUWeight", Value::U64(20_000))),
            _ => {}
        }
    }

    fn job(&mut self, member: &str) -> MethodCall {
        let unit = self.any_unit();
        calls::about(member, &unit, self.mode())
    }

    fn set_properties(&mut self) -> MethodCall {
        let unit = self.any_unit();
        let mut list = vec![self.limit()];
        list.append(&mut self.limits());
        if self.choice.below(4) == 3 {
            list.push(calls::property("NoSuchProperty", Value::U64(1)));
        }
        calls::set(&unit, self.choice.below(2) == 0, list)
    }

    fn kill(&mut self) -> MethodCall {
        let unit = self.any_unit();
        let whom = ["all", "main", "all-fail", "nobody"][self.choice.below(4) as usize];
        let signal = [9, 15, 18, 19, 0][self.choice.below(5) as usize];
        calls::manager("KillUnit", vec![Value::str(unit), Value::str(whom), Value::I32(signal)])
    }

    fn of_unit(&mut self, member: &str) -> MethodCall {
        let unit = self.any_unit();
        calls::manager(member, vec![Value::str(unit)])
    }

    fn attach(&mut self) -> MethodCall {
        let delegated: Vec<String> =
            self.reference.units().filter(|(_, unit)| unit.delegated).map(|(name, _)| name.to_owned()).collect();
        let unit = pick(self.choice, &delegated).cloned().unwrap_or_else(|| "s0.scope".into());
        let subpath = ["/", "/own", "/../x", "/own/deep"][self.choice.below(4) as usize];
        let pids = calls::numbers([self.process()]);
        calls::manager("AttachProcessesToUnit", vec![Value::str(unit), Value::str(subpath), pids])
    }

    fn subscribe(&mut self) -> MethodCall {
        calls::manager(["Subscribe", "Unsubscribe"][self.choice.below(2) as usize], Vec::new())
    }

    fn nonsense(&mut self) -> MethodCall {
        match self.choice.below(7) {
            6 => calls::manager("CleanUnit", vec![Value::str("a.slice"), Value::strings(vec!["all"])]),
            0 => calls::manager("StartUnit", vec![Value::U32(7)]),
            1 => calls::about("StopUnit", "..scope", "replace"),
            2 => calls::about("StartUnit", "a.slice", "someday"),
            3 => calls::manager("NoSuchMethod", Vec::new()),
            4 => calls::start_transient("x.mount", "fail", Vec::new()),
            _ => calls::about("StopUnit", "-.slice", "replace"),
        }
    }

    /// No property can be written in this way.
    pub(super) fn set_property(&mut self) -> MethodCall {
        let unit = self.any_unit();
        let mut call = calls::get(&unit, "org.freedesktop.systemd1.Unit", "Description");
        call.args.push(Value::Variant(Box::new(Value::str("other"))));
        call
    }

    fn rare(&mut self) -> MethodCall {
        match self.choice.below(7) {
            3 => calls::manager("CancelJob", vec![Value::U32(1 + self.choice.below(50))]),
            0 => calls::manager("Reload", Vec::new()),
            1 => calls::manager("ResetFailed", Vec::new()),
            2 => calls::manager("ClearJobs", Vec::new()),
            4 => calls::manager("SetEnvironment", vec![Value::strings(vec!["COLOUR=blue"])]),
            5 => MethodCall { member: "Set".into(), ..self.set_property() },
            // Who may is not asked here: nobody takes over from the arbiter of this world.
            6 if self.uid != 0 => calls::manager("Reexecute", Vec::new()),
            _ => calls::manager("Reload", Vec::new()),
        }
    }
}
