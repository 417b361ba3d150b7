//! Plays rows on a backend: does what they say, compares what comes of it, and remembers names.

use crate::backend::{Backend, Thing};
use crate::cover::Cover;
use crate::rows::Row;
use crate::words::{self, Pids};
use cgarbiter_core::event::{Member, PinAnswer};
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::{Cause, OnError, Op, Pin, Plan, PlanId, Spawn, Step};
use cgarbiter_core::{Answer, Outcome, Question};
use std::io::Write;

/// What came of playing rows.
#[derive(Debug, Default)]
pub struct Played {
    /// Rows that were played.
    pub played: Vec<&'static str>,
    /// Rows that could not be played, and the need that was not met.
    pub left_out: Vec<String>,
    /// What came otherwise than the table says.
    pub differences: Vec<String>,
    /// What was seen of everything that there is to see.
    pub cover: Cover,
}

/// Plays rows, each on a machine of its own.
pub fn play<'a>(rows: &[Row], mut machine: impl FnMut() -> Box<dyn Backend + 'a>) -> Played {
    let mut all = Played::default();
    for row in rows {
        let mut backend = machine();
        if let Some(need) = row.needs.iter().find(|need| !backend.provides(**need)) {
            all.left_out.push(format!("{}: {need:?}", row.name));
            continue;
        }
        let mut player = Player::new(backend.as_mut(), row.name, &mut all.cover);
        (row.play)(&mut player);
        all.differences.append(&mut player.differences);
        all.played.push(row.name);
    }
    all
}

/// Tells one row to a backend.
pub struct Player<'a> {
    pub(crate) backend: &'a mut dyn Backend,
    row: &'static str,
    cover: &'a mut Cover,
    /// How many plans were run.
    plans: u64,
    /// How much was compared, to find the place in the row.
    compared: u32,
    pub(crate) pids: Pids,
    differences: Vec<String>,
}

impl<'a> Player<'a> {
    fn new(backend: &'a mut dyn Backend, row: &'static str, cover: &'a mut Cover) -> Self {
        Self { backend, row, cover, plans: 0, compared: 0, pids: Pids::new(), differences: Vec::new() }
    }

    /// A plan of one step, and what comes of it: its outcome, or how it was refused.
    pub fn step(&mut self, op: Op, wanted: &str) {
        let what = op.to_string();
        let seen = self.run(vec![op], OnError::Stop);
        self.compare(&what, seen.trim_start_matches("ended by "), wanted);
    }

    /// A plan that ends at the first refusal.
    pub fn plan(&mut self, ops: Vec<Op>, wanted: &str) {
        let seen = self.run(ops, OnError::Stop);
        self.compare("plan", &seen, wanted);
    }

    /// A plan that goes on after refusals.
    pub fn plan_that_goes_on(&mut self, ops: Vec<Op>, wanted: &str) {
        let seen = self.run(ops, OnError::Report);
        self.compare("plan", &seen, wanted);
    }

    /// Steps that only lead up to what the row is about.
    pub fn given(&mut self, ops: Vec<Op>) {
        let seen = self.run(ops, OnError::Stop);
        if seen.contains("ended by ") {
            self.compare("what is given", &seen, "");
        }
    }

    fn run(&mut self, ops: Vec<Op>, on_error: OnError) -> String {
        self.plans += 1;
        let unit = UnitName::parse("row.scope").expect("a name");
        let step = |op| Step { unit: unit.clone(), cause: Cause::Start, on_error, op };
        let plan = Plan { id: PlanId(self.plans), steps: ops.into_iter().map(step).collect() };
        let report = self.backend.run(&plan);
        self.cover.plan(&plan, &report);
        assert!(report.plan == plan.id, "a report is about its plan");
        self.report_text(&plan, &report)
    }

    /// Spawns a process and gives it a name.
    pub fn spawn(&mut self, name: &'static str, cgroup: &str, command: Spawn) {
        let step = Op::Spawn { cgroup: path(cgroup), command: Box::new(command) };
        let unit = UnitName::parse("row.service").expect("a name");
        self.plans += 1;
        let step = Step { unit, cause: Cause::Start, on_error: OnError::Stop, op: step };
        let plan = Plan { id: PlanId(self.plans), steps: [step].into() };
        let report = self.backend.run(&plan);
        self.cover.plan(&plan, &report);
        if let [Outcome::Spawned { pid }] = report.outcomes[..] {
            self.pids.insert(name, pid);
        }
        let seen = self.report_text(&plan, &report);
        self.compare("spawn", &seen, &format!("spawned {name}"));
    }

    /// A question, and its answer.
    pub fn ask(&mut self, question: &Question, wanted: &str) {
        let answer = self.backend.answer(question);
        self.cover.answer(question, &answer);
        let seen = self.answer_text(&answer);
        self.compare(&format!("{question:?}"), &seen, wanted);
    }

    /// The command lines of all processes in a cgroup and below.
    pub fn ask_commands(&mut self, cgroup: &str, wanted: &str) {
        let answer = self.backend.answer(&Question::Members(path(cgroup)));
        let members = if let Answer::Members(Some(members)) = &answer { members.as_slice() } else { &[] };
        let text = |member: &Member| format!("{} {}", words::named(&self.pids, member.pid), member.command);
        let seen = members.iter().map(text).collect::<Vec<_>>().join(", ");
        self.compare("commands", &seen, wanted);
    }

    /// Takes hold of a process.
    pub fn pin(&mut self, name: &'static str) -> Pin {
        let question = Question::Pin(vec![self.pid(name)]);
        let answer = self.backend.answer(&question);
        self.cover.answer(&question, &answer);
        match &answer {
            Answer::Processes(answers) if let [PinAnswer::Held { pin, .. }] = answers[..] => pin,
            other => {
                let seen = self.answer_text(other);
                self.compare("pin", &seen, "held");
                Pin(0)
            }
        }
    }

    /// How much is held by pins.
    pub fn held(&mut self, wanted: usize) {
        let seen = self.backend.held();
        self.compare("held", &seen.to_string(), &wanted.to_string());
    }

    /// What has been heard since it was last listened: nothing else, and nothing less.
    pub fn heard(&mut self, wanted: &str) {
        let all: Vec<String> = wanted.split(", ").filter(|text| !text.is_empty()).map(str::to_owned).collect();
        let names = self.pids.clone();
        let enough = |events: &[cgarbiter_core::Event]| {
            let texts = words::events_text(&names, events);
            all.iter().all(|text| texts.contains(text))
        };
        let events = self.backend.hear(&enough);
        self.cover.events(&events);
        let seen = words::events_text(&self.pids, &events).join(", ");
        self.compare("heard", &seen, wanted);
    }

    /// What an interface file says.
    pub fn reads(&mut self, cgroup: &str, file: &str, wanted: &str) {
        let seen = self.backend.read(&path(cgroup), file).unwrap_or_else(|| "not there".into());
        self.compare(file, &seen, wanted);
    }

    /// Whether there is such a cgroup.
    pub fn is_there(&mut self, cgroup: &str, wanted: bool) {
        let seen = self.backend.id_of(&path(cgroup)).is_some();
        self.compare(cgroup, &seen.to_string(), &wanted.to_string());
    }

    /// What lies at a path of the store.
    pub fn lies(&mut self, file: &str, wanted: &str) {
        let seen = words::thing(&self.backend.look(file));
        self.compare(file, &seen, wanted);
    }

    /// Waits until something lies at a path of the store.
    pub fn appears(&mut self, file: &str) {
        let seen = self.backend.await_thing(file);
        self.compare(file, &seen.to_string(), "true");
    }

    /// Who owns the directory of a cgroup, or a file in it.
    pub fn owned(&mut self, cgroup: &str, file: &str, wanted: (u32, u32)) {
        let seen = self.backend.owner(&path(cgroup), file);
        self.compare(file, &format!("{seen:?}"), &format!("{:?}", Some(wanted)));
    }

    /// An extended attribute of a cgroup.
    pub fn marked(&mut self, cgroup: &str, name: &str, wanted: Option<&str>) {
        let seen = self.backend.attribute(&path(cgroup), name);
        self.compare(name, &format!("{seen:?}"), &format!("{:?}", wanted.map(str::to_owned)));
    }

    /// Somebody else makes a cgroup.
    pub fn make(&mut self, cgroup: &str) {
        self.backend.make(&path(cgroup));
    }

    /// Somebody else removes a cgroup.
    pub fn remove(&mut self, cgroup: &str) {
        self.backend.remove(&path(cgroup));
    }

    /// Somebody else writes an interface file.
    pub fn write(&mut self, cgroup: &str, file: &str, text: &str) {
        self.backend.write(&path(cgroup), file, text);
    }

    /// Somebody else leaves a file.
    pub fn put(&mut self, file: &str, text: &str) {
        self.backend.put(file, &Thing::Text(text.into()));
    }

    /// Somebody else leaves a link.
    pub fn put_link(&mut self, file: &str, target: &str) {
        self.backend.put(file, &Thing::Link(target.into()));
    }

    /// Somebody else gives a directory of the store another name.
    pub fn move_away(&mut self, directory: &str, to: &str) {
        self.backend.move_away(directory, to);
    }

    /// The path by which processes reach a file of the store.
    #[must_use]
    pub fn reached(&self, file: &str) -> String {
        self.backend.reached(file)
    }

    /// A process of somebody else begins in this cgroup.
    pub fn begin(&mut self, name: &'static str, cgroup: &str) -> u32 {
        let pid = self.backend.begin(None);
        self.backend.move_to(pid, &path(cgroup));
        self.pids.insert(name, pid);
        pid
    }

    /// A process of somebody else begins where its parent is.
    pub fn begin_child(&mut self, name: &'static str, parent: &'static str) -> u32 {
        let pid = self.backend.begin(Some(self.pid(parent)));
        self.pids.insert(name, pid);
        pid
    }

    /// It ends, and is not reaped.
    pub fn kill(&mut self, name: &'static str) {
        self.backend.kill(self.pid(name));
    }

    /// It wants 64 MiB of memory, and is killed for it.
    pub fn exhaust(&mut self, name: &'static str) {
        self.backend.exhaust(self.pid(name));
    }

    /// It is reaped.
    pub fn reap(&mut self, name: &'static str) {
        self.backend.reap(self.pid(name));
    }

    /// Somebody else moves it.
    pub fn move_to(&mut self, name: &'static str, cgroup: &str) {
        self.backend.move_to(self.pid(name), &path(cgroup));
    }

    /// Lets go of a pin.
    pub fn release(&mut self, pin: Pin) {
        self.backend.release(&[pin]);
    }

    /// The number of a process.
    #[must_use]
    pub fn pid(&self, name: &str) -> u32 {
        *self.pids.get(name).unwrap_or_else(|| panic!("{}: nobody is called {name}", self.row))
    }

    /// Whether the kernel tells of watched cgroups that are removed.
    #[must_use]
    pub fn removals_are_told(&self) -> bool {
        self.backend.tells_removals()
    }

    /// The arbiter's own number.
    #[must_use]
    pub fn ourselves(&self) -> u32 {
        self.backend.ourselves()
    }

    /// Waits until a process has ended, reaped or not.
    pub fn ended(&mut self, name: &'static str) {
        let seen = self.backend.await_end(self.pid(name));
        self.compare(&format!("the end of {name}"), &seen.to_string(), "true");
    }

    fn compare(&mut self, what: &str, seen: &str, wanted: &str) {
        self.compared += 1;
        if seen != wanted {
            let place = format!("{}, no. {}", self.row, self.compared);
            self.differences.push(format!("{place}: {what}\n    wanted  {wanted}\n    seen    {seen}"));
        }
    }
}

impl Drop for Player<'_> {
    /// What a backend panics at says nothing of the row.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "in the row: {}, after no. {}", self.row, self.compared);
        }
    }
}

/// A cgroup below the managed root; the empty text is the root.
pub(crate) fn path(text: &str) -> CgroupPath {
    match text {
        "" => CgroupPath::root(),
        text => CgroupPath::parse(&format!("/{text}")).expect("a path"),
    }
}
