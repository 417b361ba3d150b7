//! What the stories are told with: a world, clients in it, and everything that they have heard.

use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::effect::Audience;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::{MethodCall, SignalMessage};
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Refusal, RefusalKind};
use cgarbiter_sim::kernel::{self, Caller, CgroupId, File, Fork, Pid};
use cgarbiter_sim::world::{Move, Visible, World};

pub(crate) const MANAGER: &str = "/org/freedesktop/systemd1";
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// What a call was answered.
pub(crate) type Answer = Result<Vec<Value>, Refusal>;

pub(crate) struct Story {
    pub(crate) world: World,
    /// Somebody with all rights.
    pub(crate) root: ClientId,
    /// Everything that became visible so far, in its order.
    pub(crate) heard: Vec<Visible>,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self::begin_on(kernel::Config::default())
    }

    pub(crate) fn begin_on(kernel: kernel::Config) -> Self {
        let mut config = Config::example();
        config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
        let mut world = World::new(config, kernel);
        let root = world.connect(0, None);
        Self { world, root, heard: Vec::new() }
    }

    /// A method of the manager.
    pub(crate) fn call(&mut self, member: &str, args: Vec<Value>) -> CallId {
        self.call_by(self.root, member, args)
    }

    pub(crate) fn call_by(&mut self, client: ClientId, member: &str, args: Vec<Value>) -> CallId {
        self.world.call(client, method(MANAGER, "org.freedesktop.systemd1.Manager", member, args))
    }

    /// StartTransientUnit with these properties.
    pub(crate) fn start(&mut self, name: &str, list: Vec<(&str, Value)>) -> CallId {
        let none = Value::Array("(sa(sv))".into(), Vec::new());
        self.call("StartTransientUnit", vec![Value::str(name), Value::str("fail"), properties(list), none])
    }

    /// Asks for a scope around a new process.
    pub(crate) fn scope(&mut self, name: &str, mut list: Vec<(&str, Value)>) -> (CallId, Pid) {
        let pid = self.process();
        list.push(("PIDs", pids(&[pid])));
        (self.start(name, list), pid)
    }

    /// A scope that is up.
    pub(crate) fn running_scope(&mut self, name: &str, list: Vec<(&str, Value)>) -> Pid {
        let (call, pid) = self.scope(name, list);
        self.rest();
        self.answer(call).expect("answered").expect("started");
        assert_eq!((self.state(name), self.place(pid).ends_with(name)), ("running", true));
        pid
    }

    pub(crate) fn set(&mut self, unit: &str, list: Vec<(&str, Value)>) -> CallId {
        self.call("SetUnitProperties", vec![Value::str(unit), Value::Bool(true), properties(list)])
    }

    pub(crate) fn stop(&mut self, unit: &str) -> CallId {
        self.call("StopUnit", vec![Value::str(unit), Value::str("replace")])
    }

    /// A property of a unit, as a client reads it.
    pub(crate) fn get(&mut self, unit: &str, name: &str) -> Value {
        let args = vec![Value::str(UNIT), Value::str(name)];
        let call = self.world.call(self.root, method(&path(unit), "org.freedesktop.DBus.Properties", "Get", args));
        self.rest();
        match self.answer(call).expect("answered").expect("there").pop() {
            Some(Value::Variant(value)) => *value,
            other => panic!("{name} of {unit} is {other:?}"),
        }
    }

    /// A process of root's, a child of process 1.
    pub(crate) fn process(&mut self) -> Pid {
        self.fork(&Fork::default())
    }

    pub(crate) fn fork(&mut self, how: &Fork) -> Pid {
        self.kernel().fork(&Caller::INIT, how).expect("there is room")
    }

    pub(crate) fn exit(&mut self, pid: Pid) {
        self.kernel().exit(pid, 0).expect("it lives");
    }

    pub(crate) fn kernel(&mut self) -> &mut kernel::Kernel {
        self.world.backend_mut().kernel_mut()
    }

    /// Somebody else than the arbiter writes a file of a cgroup.
    pub(crate) fn write(&mut self, cgroup: &str, file: File, text: &str) {
        let id = self.cgroup(cgroup).expect("it is there");
        self.kernel().write(&Caller::INIT, id, file, text.as_bytes()).expect("written");
    }

    /// Goes on until nothing happens without time passing.
    pub(crate) fn rest(&mut self) {
        self.world.run_until_quiet();
        self.listen();
        assert_eq!(self.world.manager().outstanding(), [], "at rest nothing is left to do");
    }

    /// The arbiter is killed, and the next one comes. Its jobs are numbered anew.
    pub(crate) fn crash(&mut self) {
        self.heard.clear();
        self.world.crash();
    }

    pub(crate) fn advance(&mut self, usec: u64) {
        self.world.advance(usec);
        self.rest();
    }

    /// Goes on until the next step is one like that; it has not been taken yet.
    pub(crate) fn until(&mut self, is_like_that: impl Fn(&Op) -> bool) {
        while !self.world.backend().next_step().is_some_and(|step| is_like_that(&step.op)) {
            assert!(self.world.step(), "the plan never came to that");
        }
        self.listen();
    }

    /// Everything that is on its way from the kernel, and from clients, reaches the manager now, while its plan is
    /// under way.
    pub(crate) fn deliver(&mut self) {
        while let Some(next) = self.world.moves().find(|next| matches!(next, Move::Notice | Move::Client)) {
            self.world.make(next);
        }
        self.listen();
    }

    pub(crate) fn listen(&mut self) {
        self.heard.extend(std::iter::from_fn(|| self.world.take_visible()));
    }

    /// How a call was answered; none when it was not, and never more than once.
    pub(crate) fn answer(&mut self, call: CallId) -> Option<Answer> {
        self.listen();
        let mut all = self.heard.iter().filter_map(|visible| match visible {
            Visible::Reply { call: answered, result } if *answered == call => Some(result.clone()),
            _ => None,
        });
        let first = all.next();
        assert!(all.next().is_none(), "a call is answered once");
        first
    }

    /// The refusal of a call.
    pub(crate) fn refusal(&mut self, call: CallId) -> (RefusalKind, String) {
        let refusal = self.answer(call).expect("answered").expect_err("refused");
        (refusal.kind, refusal.message)
    }

    /// Where in all that was heard the call was answered.
    pub(crate) fn answered_at(&self, call: CallId) -> usize {
        let is_it = |visible: &Visible| matches!(visible, Visible::Reply { call: answered, .. } if *answered == call);
        self.heard.iter().position(is_it).expect("answered")
    }

    /// The path of the job that a call was answered.
    pub(crate) fn job(&mut self, call: CallId) -> String {
        match self.answer(call).expect("answered").expect("granted").first() {
            Some(Value::Path(path)) => path.clone(),
            other => panic!("no job but {other:?}"),
        }
    }

    /// Signals of this name, each with its place in all that was heard.
    pub(crate) fn signals<'a>(
        &'a self,
        member: &'a str,
    ) -> impl Iterator<Item = (usize, &'a SignalMessage, &'a Audience)> {
        self.heard.iter().enumerate().filter_map(move |(at, visible)| match visible {
            Visible::Signal { message, audience } if message.member == member => Some((at, message, audience)),
            _ => None,
        })
    }

    /// The ends of this job that were told: place and result.
    pub(crate) fn ends(&self, job: &str) -> Vec<(usize, String)> {
        let of_job = self.signals("JobRemoved").filter(|(_, message, _)| message.body[1].as_str() == Some(job));
        of_job.map(|(at, message, _)| (at, message.body[3].as_str().unwrap_or_default().to_owned())).collect()
    }

    /// The one result of the job that a call was answered.
    pub(crate) fn result(&mut self, call: CallId) -> String {
        let job = self.job(call);
        let mut ends = self.ends(&job);
        assert_eq!(ends.len(), 1, "{job} ends once");
        ends.remove(0).1
    }

    pub(crate) fn state(&self, unit: &str) -> &'static str {
        let graph = self.world.manager().graph();
        graph.find(unit).map_or("gone", |id| graph.unit(id).state.sub())
    }

    pub(crate) fn cgroup(&self, path: &str) -> Option<CgroupId> {
        self.world.backend().kernel().lookup(&Caller::INIT, path.as_bytes()).ok()
    }

    /// A file of a cgroup, without its line end; none when it is not there.
    pub(crate) fn value(&self, cgroup: &str, file: File) -> Option<String> {
        let id = self.cgroup(cgroup)?;
        self.world.backend().kernel().read(&Caller::INIT, id, file).ok().map(|text| text.trim_end().to_owned())
    }

    /// Where a process is.
    pub(crate) fn place(&self, pid: Pid) -> String {
        let kernel = self.world.backend().kernel();
        let id = kernel.cgroup_of(pid).unwrap_or(CgroupId::ROOT);
        String::from_utf8_lossy(&kernel.path(id)).into_owned()
    }

    pub(crate) fn lives(&self, pid: Pid) -> bool {
        self.world.backend().kernel().state(pid) == Some(kernel::State::Alive)
    }

    /// The records of transient units.
    pub(crate) fn records(&self) -> Vec<String> {
        self.world.backend().store().below("/run").map(|(file, _)| file.to_owned()).collect()
    }
}

pub(crate) fn method(path: &str, interface: &str, member: &str, args: Vec<Value>) -> MethodCall {
    MethodCall { path: path.into(), interface: Some(interface.into()), member: member.into(), args }
}

/// The path of a unit's object.
pub(crate) fn path(unit: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("_{other:02x}"),
    };
    format!("{MANAGER}/unit/{}", unit.bytes().map(escape).collect::<String>())
}

pub(crate) fn properties(list: Vec<(&str, Value)>) -> Value {
    let one = |(name, value): (&str, Value)| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
    Value::Array("(sv)".into(), list.into_iter().map(one).collect())
}

pub(crate) fn pids(list: &[Pid]) -> Value {
    Value::Array("u".into(), list.iter().map(|pid| Value::U32(pid.unsigned_abs())).collect())
}

pub(crate) fn unit(name: &str) -> Vec<Value> {
    vec![Value::str(name)]
}
