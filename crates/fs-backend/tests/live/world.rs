//! A private cgroup, an executor in it, and words to write plans with.

use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::{Event, ExitStatus, PinAnswer};
use cgarbiter_core::exec::ExecFailure;
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::{Cause, OnError, Pin, Plan, PlanId, WatchId};
use cgarbiter_core::{Answer, Op, OpError, Outcome, Question, Report, Step};
use cgarbiter_fs_backend::{Executor, Kernel, Options, Root, RootChoice};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const MOUNTS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    pub(crate) executor: Executor,
    pub(crate) directory: PathBuf,
    pub(crate) files: tempfile::TempDir,
}

impl World {
    /// A world, unless this machine does not let us have one.
    pub(crate) fn new() -> Option<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("cgarbiter-test-{}-{number}", std::process::id());
        let made = MOUNTS.iter().map(|mount| Path::new(mount).join(&name)).find(|directory| {
            directory.parent().is_some_and(|mount| mount.join("cgroup.procs").exists())
                && fs::create_dir(directory).is_ok()
        });
        let Some(directory) = made else {
            assert!(std::env::var_os("CGARBITER_REQUIRE_LIVE").is_none(), "no cgroup could be made below {MOUNTS:?}");
            skip(&format!("no cgroup can be made below {MOUNTS:?}; run as root where cgroup2 is mounted"));
            return None;
        };
        let files = tempfile::tempdir().expect("a temporary directory");
        let choice = RootChoice { path: Some(directory.clone()), beside_systemd: true };
        let root = Root::find(&choice).expect("a usable root");
        let kernel = Kernel::probe(&root);
        // Where these tests are brought to another machine, the program is not where it was built.
        let brought = std::env::var_os("CGARBITER_SPAWNER");
        let spawner = vec![brought.unwrap_or_else(|| env!("CARGO_BIN_EXE_cgarbiter-spawner").into())];
        let options = Options { file_root: files.path().into(), spawner, ..Options::default() };
        let executor = Executor::new(root, kernel, &options).expect("an executor");
        Some(Self { executor, directory, files })
    }

    /// Runs steps of which none may be refused.
    pub(crate) fn run(&mut self, ops: impl IntoIterator<Item = Op>) -> Vec<Outcome> {
        let report = self.report(ops, OnError::Stop);
        assert_eq!(report.failed, None);
        report.outcomes
    }

    /// Runs one step that has to be refused.
    pub(crate) fn refused(&mut self, op: Op) -> OpError {
        self.report([op], OnError::Stop).failed.expect("refused")
    }

    pub(crate) fn report(&mut self, ops: impl IntoIterator<Item = Op>, on_error: OnError) -> Report {
        let unit = UnitName::parse("test.scope").expect("valid");
        let step = |op| Step { unit: unit.clone(), cause: Cause::Start, on_error, op };
        let plan = Plan { id: PlanId(7), steps: ops.into_iter().map(step).collect() };
        let report = self.executor.run(&plan);
        assert_eq!(report.plan, plan.id);
        report
    }

    pub(crate) fn mkdir(&mut self, paths: &[&str]) {
        self.run(paths.iter().map(|path| Op::Mkdir { cgroup: cgroup(path) }));
    }

    /// Hands controllers down, if the machine has them to give.
    pub(crate) fn enable(&mut self, enable: ControllerMask) -> bool {
        if !self.can_enable(enable) {
            skip(&format!("no {enable} controller is handed down; see CGARBITER_REQUIRE_LIVE"));
            return false;
        }
        let disable = ControllerMask::empty();
        let outcomes = self.run([Op::SubtreeControl { cgroup: CgroupPath::root(), enable, disable }]);
        assert!(matches!(outcomes[..], [Outcome::Controllers { refused: None, .. }]), "{outcomes:?}");
        true
    }

    /// Whether the machine has these controllers to give.
    pub(crate) fn can_enable(&self, enable: ControllerMask) -> bool {
        let parent = self.directory.parent().expect("a mount");
        // What the whole machine hands down is changed only where the caller has said that it is his to try things on.
        let may_change = std::env::var_os("CGARBITER_REQUIRE_LIVE").is_some();
        for controller in enable.controllers().filter(|_| may_change) {
            let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{}", controller.name()));
        }
        self.executor.root().supported().expect("readable").contains(enable)
    }

    pub(crate) fn pin(&mut self, pid: u32) -> Pin {
        match self.executor.answer(&Question::Pin(vec![pid])) {
            Answer::Processes(answers) => match answers[..] {
                [PinAnswer::Held { pin, .. }] => pin,
                ref other => panic!("not held: {other:?}"),
            },
            other => panic!("not pinned: {other:?}"),
        }
    }

    pub(crate) fn attach(&mut self, path: &str, pid: u32) {
        let pin = self.pin(pid);
        assert_eq!(self.run([Op::Attach { cgroup: cgroup(path), pin }]), [Outcome::Attached]);
    }

    pub(crate) fn watch(&mut self, path: &str, number: u64) {
        self.run([Op::Watch { cgroup: cgroup(path), watch: WatchId(number), memory: true }]);
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    pub(crate) fn is_populated(&self, path: &str) -> bool {
        self.read(&format!("{path}/cgroup.events")).contains("populated 1")
    }

    /// Waits for something, draining notices meanwhile into `seen`.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self, &[Event]) -> bool) -> Vec<Event> {
        let (deadline, mut seen) = (Instant::now() + Duration::from_secs(20), Vec::new());
        loop {
            self.executor.drain(&mut |event| seen.push(event));
            if done(self, &seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "still waiting for {what}; seen {seen:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn until_changed(&mut self, number: u64) {
        let event = Event::CgroupChanged { watch: WatchId(number) };
        self.until("a notice", |_, seen| seen.contains(&event));
    }

    /// Why a child could not become its program; it has ended with the status that goes with that.
    pub(crate) fn failure_of(&mut self, pid: u32) -> ExecFailure {
        let is_end = |event: &Event| matches!(event, Event::Exited { pid: whose, .. } if *whose == pid);
        let seen = self.until("a failure", |_, seen| seen.iter().any(is_end));
        let failure = seen.iter().find_map(|event| match event {
            Event::Executed { pid: whose, failure } if *whose == pid => failure.clone(),
            _ => None,
        });
        let failure = failure.unwrap_or_else(|| panic!("no failure of {pid} in {seen:?}"));
        assert!(seen.contains(&Event::Exited { pid, status: ExitStatus::Code(failure.status) }), "{seen:?}");
        failure
    }

    pub(crate) fn exit_of(&mut self, pid: u32) -> ExitStatus {
        let mut exit = None;
        self.until("an exit", |_, seen| {
            exit = seen.iter().find_map(|event| match event {
                Event::Exited { pid: whose, status } if *whose == pid => Some(*status),
                _ => None,
            });
            exit.is_some()
        });
        exit.expect("seen")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::write(self.directory.join("cgroup.freeze"), "0");
        let _ = fs::write(self.directory.join("cgroup.kill"), "1");
        let deadline = Instant::now() + Duration::from_secs(10);
        while remove(&self.directory).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn remove(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}

/// Says it past the harness, which keeps to itself what a passing test prints.
pub(crate) fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

pub(crate) fn cgroup(path: &str) -> CgroupPath {
    CgroupPath::parse(&format!("/{path}")).expect("a valid path")
}

/// A process that sleeps until it is killed, and is reaped with the test.
pub(crate) struct Sleeper(Child);

impl Sleeper {
    pub(crate) fn new() -> Self {
        Self(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep runs"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("killed");
    }

    pub(crate) fn reap(&mut self) -> std::process::ExitStatus {
        self.0.wait().expect("reaped")
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
