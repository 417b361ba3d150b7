//! The table of what backends answer, played on the imagined machine: at once, and with deaths and freezing that take
//! their time.

use cgarbiter_backend_table::{Backend, Need, Thing, cover::Cover, play, rows::rows};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Pin;
use cgarbiter_core::{Answer, Event, Instant, Plan, Question, Report};
use cgarbiter_sim::backend::SimBackend;
use cgarbiter_sim::kernel::{Caller, CgroupId, Config, File, Fork, Kernel, Pid, State, Version};
use cgarbiter_sim::store::Entry;

/// Where processes of others begin.
const OUTSIDE: &str = "/outside";

/// How long something may take to be heard.
const PATIENCE_USEC: u64 = 60_000_000;

struct Imagined {
    backend: SimBackend,
    now: Instant,
}

impl Imagined {
    fn new(config: Config) -> Self {
        Self { backend: SimBackend::new(config), now: Instant(0) }
    }

    fn find(&self, cgroup: &CgroupPath) -> Option<CgroupId> {
        self.backend.kernel().lookup(&Caller::INIT, cgroup.as_str().as_bytes()).ok()
    }

    fn there(&self, cgroup: &CgroupPath) -> CgroupId {
        self.find(cgroup).unwrap_or_else(|| panic!("{} is not there", cgroup.as_str()))
    }

    /// False when nothing happens any more before it is so.
    fn pass_time_until(&mut self, is_so: impl Fn(&Self) -> bool) -> bool {
        self.kernel().settle();
        while !is_so(self) {
            let Some(at) = self.backend.poll_timeout() else { return false };
            self.now = at.max(self.now);
            self.backend.pass_time(self.now);
            self.kernel().settle();
        }
        true
    }

    fn kernel(&mut self) -> &mut Kernel {
        self.backend.kernel_mut()
    }
}

fn pid(number: u32) -> Pid {
    Pid::try_from(number).expect("a small number")
}

fn number(pid: Pid) -> u32 {
    u32::try_from(pid).expect("a process")
}

fn file_of(name: &str) -> File {
    File::from_name(name.as_bytes()).unwrap_or_else(|| panic!("{name} is no file"))
}

impl Backend for Imagined {
    fn provides(&mut self, _: Need) -> bool {
        true
    }

    fn tells_removals(&self) -> bool {
        self.backend.kernel().config().version >= Version::new(7, 1)
    }

    fn run(&mut self, plan: &Plan) -> Report {
        self.backend.begin(plan.clone());
        loop {
            if let Some(report) = self.backend.step() {
                return report;
            }
        }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        self.backend.answer(question)
    }

    fn release(&mut self, pins: &[Pin]) {
        self.backend.release(pins);
    }

    fn held(&self) -> usize {
        self.backend.held_processes() + self.backend.held_descriptors()
    }

    fn hear(&mut self, enough: &dyn Fn(&[Event]) -> bool) -> Vec<Event> {
        let (mut heard, end) = (Vec::new(), self.now.after(PATIENCE_USEC));
        loop {
            self.kernel().settle();
            while let Some(event) = self.backend.poll_event() {
                heard.push(event);
            }
            match self.backend.poll_timeout().filter(|at| !enough(&heard) && *at <= end) {
                Some(at) => self.now = at.max(self.now),
                None => return heard,
            }
            self.backend.pass_time(self.now);
        }
    }

    fn shown(&self, file: &str) -> String {
        file.to_owned()
    }

    fn reached(&self, file: &str) -> String {
        file.to_owned()
    }

    fn id_of(&self, cgroup: &CgroupPath) -> Option<u64> {
        self.find(cgroup).map(CgroupId::ino)
    }

    fn make(&mut self, cgroup: &CgroupPath) {
        let parent = self.there(&cgroup.parent().expect("not the root"));
        let name = cgroup.components().next_back().expect("not the root").to_owned();
        self.kernel().mkdir(&Caller::INIT, parent, name.as_bytes()).expect("made");
    }

    fn remove(&mut self, cgroup: &CgroupPath) {
        let id = self.there(cgroup);
        self.kernel().rmdir(&Caller::INIT, id).expect("removed");
    }

    fn write(&mut self, cgroup: &CgroupPath, file: &str, text: &str) {
        let id = self.there(cgroup);
        self.kernel().write(&Caller::INIT, id, file_of(file), text.as_bytes()).expect("written");
        self.kernel().settle();
    }

    fn read(&self, cgroup: &CgroupPath, file: &str) -> Option<String> {
        let text = self.backend.kernel().read(&Caller::INIT, self.find(cgroup)?, file_of(file)).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn owner(&self, cgroup: &CgroupPath, file: &str) -> Option<(u32, u32)> {
        let file = (!file.is_empty()).then(|| file_of(file));
        let attributes = self.backend.kernel().stat(self.find(cgroup)?, file).ok()?;
        Some((attributes.uid, attributes.gid))
    }

    fn attribute(&self, cgroup: &CgroupPath, name: &str) -> Option<String> {
        let value = self.backend.kernel().get_xattr(&Caller::INIT, self.find(cgroup)?, None, name.as_bytes()).ok()?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    fn begin(&mut self, parent: Option<u32>) -> u32 {
        let outside = CgroupPath::parse(OUTSIDE).expect("a path");
        if self.find(&outside).is_none() {
            self.make(&outside);
        }
        let into = self.there(&outside);
        let born = match parent {
            Some(parent) => self.kernel().fork(&Caller::root(pid(parent)), &Fork::default()),
            None => self.kernel().fork(&Caller::INIT, &Fork { into: Some(into), ..Fork::default() }),
        };
        number(born.expect("born"))
    }

    fn kill(&mut self, number: u32) {
        self.kernel().kill(&Caller::INIT, pid(number), 9).expect("killed");
        self.kernel().settle();
    }

    fn await_end(&mut self, number: u32) -> bool {
        self.pass_time_until(|this| this.backend.kernel().state(pid(number)) != Some(State::Alive))
    }

    fn reap(&mut self, number: u32) {
        let parent = self.kernel().parent_of(pid(number)).expect("it has a parent");
        self.kernel().reap(parent, pid(number)).expect("reaped");
    }

    fn exhaust(&mut self, number: u32) {
        self.kernel().touch_memory(pid(number), 64 << 20).expect("it lives");
        self.kernel().settle();
        assert!(matches!(self.backend.kernel().state(pid(number)), Some(State::Zombie(_))), "there was enough");
    }

    fn move_to(&mut self, number: u32, cgroup: &CgroupPath) {
        let id = self.there(cgroup);
        self.kernel().write(&Caller::INIT, id, File::CgroupProcs, number.to_string().as_bytes()).expect("moved");
    }

    fn ourselves(&self) -> u32 {
        number(self.backend.arbiter())
    }

    fn put(&mut self, file: &str, thing: &Thing) {
        match thing {
            Thing::Nothing => drop(self.backend.store_mut().remove(file)),
            Thing::Text(text) => self.backend.store_mut().write(file, text.as_str()),
            Thing::Link(target) => self.backend.store_mut().link(file, target.as_str()),
            Thing::Directory => self.backend.store_mut().write(format!("{file}/something"), ""),
        }
    }

    fn move_away(&mut self, directory: &str, to: &str) {
        self.backend.store_mut().move_over(directory, to).expect("moved");
    }

    fn await_thing(&mut self, file: &str) -> bool {
        self.pass_time_until(|this| this.look(file) != Thing::Nothing)
    }

    fn look(&self, file: &str) -> Thing {
        let store = self.backend.store();
        match store.below(file).find(|(path, _)| *path == file) {
            Some((_, Entry::Text(text))) => Thing::Text(text.clone()),
            Some((_, Entry::Link(target))) => Thing::Link(target.to_string()),
            None if store.below(&format!("{file}/")).next().is_some() => Thing::Directory,
            None => Thing::Nothing,
        }
    }
}

fn played(config: &Config) -> Cover {
    let played = play(&rows(), || Box::new(Imagined::new(config.clone())));
    assert!(played.left_out.is_empty(), "left out:\n{}", played.left_out.join("\n"));
    assert!(played.differences.is_empty(), "{}", played.differences.join("\n"));
    played.cover
}

#[test]
fn the_imagined_machine_answers_like_the_table() {
    let missing = played(&Config::default()).missing();
    assert!(missing.is_empty(), "no row has: {}", missing.join(", "));
}

#[test]
fn and_so_it_does_as_older_and_newer_kernels() {
    for version in [Version::V6_1, Version::V6_18, Version::V7_3] {
        // Who dies at birth is not born again here.
        played(&Config { kill_at_birth: false, ..Config::of(version) });
    }
}

#[test]
fn and_so_it_does_when_deaths_take_their_time() {
    played(&Config { immediate: false, ..Config::default() });
}
