//! What searches have found in the core, told by hand, so that it stays found whatever becomes of the workload. Each
//! test names the kind of failure and is as short as its shrunk story was.

use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::plan::Op;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Errno};
use cgarbiter_sim::kernel::{self, Caller, File, Fork};
use cgarbiter_sim::world::{Move, Visible, World};

struct Story {
    world: World,
    client: cgarbiter_core::client::ClientId,
}

impl Story {
    fn begin() -> Self {
        Self::on(ControllerMask::MEMORY | ControllerMask::PIDS)
    }

    /// On a machine whose root hands these down.
    fn on(root_enabled: ControllerMask) -> Self {
        let config = Config { root_enabled, ..Config::example() };
        let mut world = World::new(config, kernel::Config::default());
        let client = world.connect(0, None);
        Self { world, client }
    }

    fn call(&mut self, member: &str, args: Vec<Value>) -> CallId {
        let call = MethodCall {
            path: "/org/freedesktop/systemd1".into(),
            interface: Some("org.freedesktop.systemd1.Manager".into()),
            member: member.into(),
            args,
        };
        self.world.call(self.client, call)
    }

    fn process(&mut self) -> i32 {
        self.world.backend_mut().kernel_mut().fork(&Caller::INIT, &Fork::default()).expect("there is room")
    }

    fn start_scope(&mut self, name: &str, extra: Vec<Value>) -> (CallId, i32) {
        let pid = self.process();
        let mut list = vec![property("PIDs", Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())]))];
        list.extend(extra);
        let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
        let args = [Value::str(name), Value::str("fail")].into_iter().chain(lists).collect();
        (self.call("StartTransientUnit", args), pid)
    }

    fn set(&mut self, unit: &str, list: Vec<Value>) -> CallId {
        let args = vec![Value::str(unit), Value::Bool(true), Value::Array("(sv)".into(), list)];
        self.call("SetUnitProperties", args)
    }

    /// Goes on to rest; the steps that `fails` names are refused, each time.
    fn settle(&mut self, fails: impl Fn(&Op) -> Option<Errno>) {
        while let Some(next) = self.world.moves().next() {
            let refused = self.world.backend().next_step().and_then(|step| fails(&step.op));
            match refused.filter(|_| next == Move::Plan) {
                Some(errno) => self.world.refuse_step(errno),
                None => self.world.make(next),
            }
        }
    }

    fn rest(&mut self) {
        self.settle(|_| None);
        assert_eq!(self.world.manager().outstanding(), [], "at rest nothing is left to do");
    }

    /// How a call was answered: none when it was not.
    fn answer(&mut self, call: CallId) -> Option<Result<(), String>> {
        let told = std::iter::from_fn(|| self.world.take_visible());
        let mut answers = told.filter_map(|visible| match visible {
            Visible::Reply { call: answered, result } if answered == call => Some(result),
            _ => None,
        });
        answers.next().map(|result| result.map(drop).map_err(|refusal| refusal.to_string()))
    }

    /// How jobs have ended since they were last looked at.
    fn results(&mut self) -> Vec<String> {
        let told = std::iter::from_fn(|| self.world.take_visible());
        let result = |visible| match visible {
            Visible::Signal { message, .. } if message.member == "JobRemoved" => message.body.last().cloned(),
            _ => None,
        };
        told.filter_map(result).map(|value| if let Value::Str(text) = value { text } else { String::new() }).collect()
    }

    fn value(&self, cgroup: &str, file: File) -> Option<String> {
        let kernel = self.world.backend().kernel();
        let id = kernel.lookup(&Caller::INIT, cgroup.as_bytes()).ok()?;
        kernel.read(&Caller::INIT, id, file).ok().map(|text| text.trim_end().to_owned())
    }

    fn state(&self, unit: &str) -> &'static str {
        let graph = self.world.manager().graph();
        graph.find(unit).map_or("gone", |id| graph.unit(id).state.sub())
    }
}

fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

fn slice(name: &str) -> Value {
    property("Slice", Value::str(name))
}

fn unit(name: &str) -> Vec<Value> {
    vec![Value::str(name)]
}

fn job(name: &str) -> Vec<Value> {
    vec![Value::str(name), Value::str("replace")]
}

#[test]
fn of_a_change_that_cannot_be_recorded_nothing_stays() {
    let mut story = Story::begin();
    story.start_scope("s.scope", Vec::new());
    story.rest();
    let list = vec![property("TasksMax", Value::U64(100)), property("MemoryMax", Value::U64(1 << 20))];
    let call = story.set("s.scope", list);
    story.settle(|op| {
        matches!(op, Op::WriteFile { file, .. } if file.ends_with("MemoryMax.conf")).then_some(Errno::NoSpc)
    });
    assert!(story.answer(call).expect("answered").expect_err("refused").contains("ENOSPC"));
    story.rest();
    assert_eq!(story.value("/system.slice/s.scope", File::PidsMax).as_deref(), Some("2362"));
    assert_eq!(story.value("/system.slice/s.scope", File::MemoryMax).as_deref(), Some("max"));
    let left: Vec<_> = story.world.backend().store().below("/run").map(|(file, _)| file.to_owned()).collect();
    assert_eq!(left, ["/run/systemd/transient/s.scope"], "nor in the records");
}

#[test]
fn who_attaches_is_not_refused_for_a_record_of_somebody_else() {
    let mut story = Story::begin();
    story.start_scope("s.scope", vec![property("Delegate", Value::Bool(true))]);
    story.rest();
    let set = story.set("s.scope", vec![property("TasksMax", Value::U64(100))]);
    // Its plan is made; what comes now waits for the next one, and that one meets the full disk, too.
    while story.world.backend().next_step().is_none() {
        assert!(story.world.step());
    }
    let pid = story.process();
    let pids = Value::Array("u".into(), vec![Value::U32(pid.unsigned_abs())]);
    let attach = story.call("AttachProcessesToUnit", vec![Value::str("s.scope"), Value::str("/"), pids]);
    let again = story.set("s.scope", vec![property("TasksMax", Value::U64(50))]);
    (0..2).for_each(|_| story.world.make(Move::Client));
    let fails = |op: &Op| matches!(op, Op::WriteFile { .. }).then_some(Errno::NoSpc);
    story.settle(fails);
    let mut answers = std::iter::from_fn(|| story.world.take_visible()).filter_map(|visible| match visible {
        Visible::Reply { call, result } => Some((call, result.is_ok())),
        Visible::Signal { .. } | Visible::Message(_) => None,
    });
    let answers: Vec<_> = answers.by_ref().filter(|(call, _)| [set, attach, again].contains(call)).collect();
    assert!(answers.contains(&(attach, true)) && answers.contains(&(set, false)), "{answers:?}");
    let home = story.world.backend().kernel().cgroup_of(pid).map(|id| story.world.backend().kernel().path(id));
    assert_eq!(home, Some(b"/system.slice/s.scope".to_vec()));
}

#[test]
fn a_directory_that_could_not_be_removed_is_removed_later() {
    let mut story = Story::begin();
    let (_, pid) = story.start_scope("s.scope", Vec::new());
    story.rest();
    story.world.backend_mut().kernel_mut().exit(pid, 0).expect("it lives");
    story.settle(|op| matches!(op, Op::Rmdir { .. }).then_some(Errno::MFile));
    assert!(story.value("/system.slice/s.scope", File::CgroupProcs).is_some());
    story.world.advance(1_000_000);
    assert_eq!(story.value("/system.slice/s.scope", File::CgroupProcs), None);
    assert_eq!(story.state("s.scope"), "gone");
}

#[test]
fn controllers_for_a_start_that_came_to_nothing_are_switched_off_again() {
    let mut story = Story::begin();
    story.start_scope("s.scope", vec![slice("a.slice")]);
    story.rest();
    let empty = || Value::Array("(sv)".into(), Vec::new());
    let auxiliary = || Value::Array("(sa(sv))".into(), Vec::new());
    let args = vec![Value::str("a-b-d.slice"), Value::str("replace"), empty(), auxiliary()];
    story.call("StartTransientUnit", args);
    story.settle(|op| matches!(op, Op::WriteFile { .. }).then_some(Errno::NoSpc));
    story.rest();
}

#[test]
fn a_slice_that_stays_for_those_left_behind_hands_down_no_more_than_is_needed() {
    let mut story = Story::begin();
    story.start_scope("left.scope", vec![slice("a.slice"), property("KillMode", Value::str("none"))]);
    story.start_scope("s.scope", vec![slice("a-b.slice"), property("CPUWeight", Value::U64(200))]);
    story.rest();
    assert!(story.value("/a.slice", File::CgroupSubtreeControl).expect("there").contains("cpu"));
    story.call("StopUnit", job("a.slice"));
    story.rest();
    assert!(!story.value("/a.slice", File::CgroupSubtreeControl).expect("there").contains("cpu"));
    assert!(!story.value("/", File::CgroupSubtreeControl).expect("there").contains("cpu"));
}

#[test]
fn a_member_that_stands_still_already_does_not_freeze_for_ever() {
    let mut story = Story::begin();
    story.start_scope("s.scope", vec![slice("a.slice")]);
    story.rest();
    story.call("FreezeUnit", unit("s.scope"));
    story.rest();
    let call = story.call("FreezeUnit", unit("a.slice"));
    story.rest();
    assert_eq!(story.answer(call), Some(Ok(())));
    // Nothing comes of it while the slice stands still, and it is answered each time.
    for _ in 0..2 {
        let call = story.call("ThawUnit", unit("s.scope"));
        story.rest();
        assert_eq!(story.answer(call), Some(Ok(())));
    }
    let call = story.call("ThawUnit", unit("a.slice"));
    story.rest();
    assert_eq!(story.answer(call), Some(Ok(())));
    assert_eq!(story.value("/a.slice/s.scope", File::CgroupEvents).as_deref(), Some("populated 1\nfrozen 0"));
}

/// A swarm of long runs, wrong `survival`: the job was told to be done, the record had been refused, and after a crash
/// the limit was gone.
#[test]
fn a_slice_that_is_up_is_not_made_anew_without_a_record() {
    let mut story = Story::begin();
    story.start_scope("s.scope", vec![slice("a.slice")]);
    story.rest();
    while story.world.take_visible().is_some() {}
    let make = |story: &mut Story| {
        let list = vec![property("MemoryMax", Value::U64(1 << 20))];
        let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
        let args = [Value::str("a.slice"), Value::str("replace")].into_iter().chain(lists).collect();
        story.call("StartTransientUnit", args);
    };
    make(&mut story);
    story.settle(|op| matches!(op, Op::WriteFile { .. }).then_some(Errno::MFile));
    assert_eq!(story.results(), ["failed"]);
    story.rest();
    assert_eq!(story.value("/a.slice", File::MemoryMax).as_deref(), Some("max"), "a failure changes nothing");
    make(&mut story);
    story.rest();
    assert_eq!(story.results(), ["done"], "nor is the name taken");
    story.world.crash();
    story.rest();
    assert_eq!(story.value("/a.slice", File::MemoryMax).as_deref(), Some("1048576"));
}

/// The exhaustive search, wrong `limits-first`: the job was over while another plan was under way, before the record
/// was written, and the next arbiter knew nothing of the limit.
#[test]
fn a_slice_that_is_up_has_its_record_before_it_is_said_to_be_made() {
    let mut story = Story::begin();
    story.start_scope("a.scope", vec![property("Slice", Value::str("a.slice"))]);
    story.rest();
    while story.world.take_visible().is_some() {}
    story.set("a.scope", vec![property("TasksMax", Value::U64(7))]);
    story.world.make(Move::Client);
    let list = vec![property("MemoryMax", Value::U64(1 << 20))];
    let lists = [Value::Array("(sv)".into(), list), Value::Array("(sa(sv))".into(), Vec::new())];
    story.call("StartTransientUnit", [Value::str("a.slice"), Value::str("replace")].into_iter().chain(lists).collect());
    story.world.make(Move::Client);
    let is_made = |visible| matches!(visible, Visible::Signal { message, .. } if message.member == "JobRemoved");
    while !std::iter::from_fn(|| story.world.take_visible()).any(is_made) {
        assert!(story.world.step(), "the job comes to its end");
    }
    story.world.crash();
    story.rest();
    let kernel = story.world.backend().kernel();
    let slice = kernel.lookup(&Caller::INIT, b"/a.slice").expect("it is up");
    assert_eq!(kernel.read(&Caller::INIT, slice, File::MemoryMax).as_deref(), Ok("1048576\n"));
}

#[test]
fn a_failed_unit_that_is_reset_still_loses_its_directory() {
    let mut story = Story::begin();
    story.start_scope("s.scope", vec![slice("a.slice")]);
    story.settle(|op| match op {
        Op::Attach { .. } => Some(Errno::NoMem),
        Op::Rmdir { .. } => Some(Errno::MFile),
        _ => None,
    });
    assert_eq!(story.state("s.scope"), "failed");
    story.call("ResetFailedUnit", unit("s.scope"));
    story.rest();
    assert_eq!(story.value("/a.slice/s.scope", File::CgroupEvents), None);
}

/// The root hands CPU time down whether we need it or not, so nobody's switching it off forgets the value.
#[test]
fn a_limit_that_is_lifted_goes_also_where_nobody_needs_its_controller_any_more() {
    let mut story = Story::on(ControllerMask::all());
    let (_, pid) = story.start_scope("x.scope", vec![slice("-.slice")]);
    story.settle(|_| None);
    for (quota, shown) in [(500_000, "50000 100000"), (u64::MAX, "max 100000")] {
        story.set("x.scope", vec![property("CPUQuotaPerSecUSec", Value::U64(quota))]);
        story.settle(|_| None);
        let kernel = story.world.backend().kernel();
        let cgroup = kernel.cgroup_of(pid).expect("it lives");
        assert_eq!(kernel.read(&Caller::INIT, cgroup, File::CpuMax).expect("it is handed down").trim(), shown);
    }
}
