//! Which backend there is, and what the core is told about it.

use super::clock;
use super::config::Choices;
use super::live::LiveBackend;
use super::replace::Kept;
use crate::args::daemon::{BackendChoice, Presence};
use cgarbiter_core::config::{Machine, Quotas};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::found::FoundDescriptor;
use cgarbiter_core::plan::{Pin, Plan};
use cgarbiter_core::{Answer, Config, Event, Found, OpError, Question, Report};
use cgarbiter_dbus::Descriptors;
use cgarbiter_fs_backend::{Executor, Kernel, Options, Root, RootChoice, RootError, machine, specifiers};
use nix::fcntl::{Flock, FlockArg};
use std::cell::RefCell;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

/// The leaf for processes that sit in the managed root, where they would keep controllers from being handed down.
const LEAF: &str = "init.scope";
/// What children find in their environment.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Below the prefix of all files.
const NOTIFY_SOCKET: &str = "/run/cgarbiter/notify";

/// Why there is no backend.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No root to manage.
    #[error("{0}")]
    Root(#[from] RootError),
    /// Something refused.
    #[error("{0}")]
    Refused(#[from] OpError),
    /// Another daemon is at work.
    #[error("another cgarbiterd manages {0}")]
    Taken(String),
    /// Another daemon, for another tree, would take our records for its own, and ours would be gone.
    #[error("another cgarbiterd keeps its records in {0}; one for another tree needs a --file-root of its own")]
    RecordsTaken(PathBuf),
    /// The simulated kernel cannot be set up.
    #[error("the simulated kernel cannot be set up: {0}")]
    Sim(std::io::Error),
}

/// Where the cgroups are.
pub enum Backend {
    /// In the kernel.
    Real(Box<Executor>),
    /// In a simulated one, around real processes.
    Sim(Rc<RefCell<LiveBackend>>),
}

/// A backend, what the core shall know of it, and a line that says which it is.
pub struct Chosen {
    /// The backend.
    pub backend: Backend,
    /// For the core.
    pub config: Config,
    /// What an earlier daemon has left.
    pub found: Found,
    /// For people.
    pub summary: String,
    /// Keep a second daemon out of the same tree and the same records, for as long as they live.
    pub locks: Vec<Flock<OwnedFd>>,
}

impl Backend {
    /// Finds the backend the operator wants, or the best there is.
    ///
    /// # Errors
    /// There is none like that.
    pub fn choose(choices: &Choices) -> Result<Chosen, BackendError> {
        match choices.backend {
            BackendChoice::Cgroupfs => Self::real(choices),
            // Software that looks for systemd must not be given an imagined kernel unless that was asked for.
            BackendChoice::Auto if choices.presence == Presence::Global => Self::real(choices),
            BackendChoice::Sim => Self::sim(choices),
            BackendChoice::Auto => match Self::real(choices) {
                Err(BackendError::Root(error)) => {
                    tracing::warn!("no real cgroup tree: {error}");
                    Self::sim(choices)
                }
                other => other,
            },
        }
    }

    fn real(choices: &Choices) -> Result<Chosen, BackendError> {
        let choice = RootChoice { path: choices.root.clone(), beside_systemd: choices.beside_systemd };
        let root = Root::find(&choice)?;
        let kernel = Kernel::probe(&root);
        for line in kernel.remarks() {
            tracing::info!("{line}");
        }
        let lock = lock_root(&root)?;
        empty_root(&root)?;
        let directory = root.directory().to_owned();
        let config = Config {
            root: root.path().to_owned(),
            supported: root.supported()?,
            root_enabled: root.enabled()?,
            reexecutes: true,
            ..config(choices, machine(&root)).map_err(BackendError::Sim)?
        };
        let summary = format!("cgroupfs at {directory} (controllers: {})", config.supported.in_words());
        let options = Options { file_root: choices.file_root.clone(), ..Options::default() };
        let mut executor = Executor::new(root, kernel, &options)?;
        Executor::adopt_orphans()?;
        let transient = &config.unit_paths.transient;
        let records = executor.lock_directory(transient)?;
        let shown = || choices.file_root.join(transient.trim_start_matches('/'));
        let locks = vec![lock, records.ok_or_else(|| BackendError::RecordsTaken(shown()))?];
        let config = Config { notify_socket: notify_socket(&executor, choices), ..config };
        let found = executor.find(&config.unit_paths)?;
        Ok(Chosen { backend: Self::Real(Box::new(executor)), config, found, summary, locks })
    }

    fn sim(choices: &Choices) -> Result<Chosen, BackendError> {
        let machine = simulated_machine();
        let config =
            Config { supported: ControllerMask::all(), ..config(choices, machine).map_err(BackendError::Sim)? };
        let live = LiveBackend::new().map_err(BackendError::Sim)?;
        let summary = String::from("simulated kernel; no cgroup is touched");
        // It has only just been imagined.
        let found = Found::default();
        Ok(Chosen { backend: Self::Sim(Rc::new(RefCell::new(live))), config, found, summary, locks: Vec::new() })
    }

    /// Whether the kernel is imagined.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Sim(_))
    }

    /// Runs a plan here and now.
    pub fn run(&mut self, plan: &Plan) -> Report {
        match self {
            Self::Real(executor) => executor.run(plan),
            Self::Sim(live) => live.borrow_mut().run(plan),
        }
    }

    /// Answers a question.
    pub fn answer(&mut self, question: &Question) -> Answer {
        match self {
            Self::Real(executor) => executor.answer(question),
            Self::Sim(live) => live.borrow_mut().answer(question),
        }
    }

    /// Lets go of processes.
    pub fn release(&mut self, pins: &[Pin]) {
        match self {
            Self::Real(executor) => executor.release(pins),
            Self::Sim(live) => live.borrow_mut().release(pins),
        }
    }

    /// Holds what a predecessor has kept for services.
    pub(super) fn keep(&mut self, stored: Vec<Kept>) -> Vec<FoundDescriptor> {
        let Self::Real(executor) = self else { return Vec::new() };
        let held = stored
            .into_iter()
            .map(|(found, descriptor)| FoundDescriptor { pin: executor.keep(descriptor).pin, ..found });
        held.collect()
    }

    /// Another hand on each of what is kept for services.
    pub(super) fn copies(&self, stored: Vec<FoundDescriptor>) -> Vec<Kept> {
        let Self::Real(executor) = self else { return Vec::new() };
        stored
            .into_iter()
            .filter_map(|found| Some((executor.copy_of(found.pin)?, found)))
            .map(|(a, b)| (b, a))
            .collect()
    }

    /// Another hand on the same backend, for the thread that runs slow plans; only the real one has slow plans.
    #[must_use]
    pub fn second(&self) -> Option<Executor> {
        match self {
            Self::Real(executor) => Some((**executor).clone()),
            Self::Sim(_) => None,
        }
    }

    /// Another program is about to take over this process.
    pub fn prepare_to_be_replaced(&self) {
        if let Self::Real(executor) = self {
            executor.prepare_to_be_replaced();
        }
    }

    /// It has not come to that.
    pub fn go_on(&self) {
        if let Self::Real(executor) = self {
            executor.go_on();
        }
    }

    /// Reaps children that have ended and that nobody waits for; answers whether that was all.
    #[must_use]
    pub fn reap_strangers(&self) -> bool {
        match self {
            Self::Real(executor) => executor.reap_strangers(),
            // It adopts nobody, and waits for its own.
            Self::Sim(_) => true,
        }
    }

    /// A plan of the thread has been reported: its new watches may speak.
    pub fn announce(&self) {
        if let Self::Real(executor) = self {
            executor.announce();
        }
    }

    /// A descriptor that becomes readable when there is something to [`drain`](Self::drain).
    ///
    /// # Errors
    /// The system gives no more descriptors.
    pub fn notices(&self) -> std::io::Result<OwnedFd> {
        match self {
            Self::Real(executor) => executor.notices().try_clone_to_owned(),
            Self::Sim(live) => live.borrow().notices(),
        }
    }

    /// Hands over what has happened. Never blocks. Answers whether that was all.
    pub fn drain(&mut self, hand_over: &mut dyn FnMut(Event)) -> bool {
        match self {
            Self::Real(executor) => executor.drain(hand_over),
            Self::Sim(live) => live.borrow_mut().drain(hand_over),
        }
    }

    /// What takes hold of processes whose descriptors clients send.
    #[must_use]
    pub fn descriptors(&self) -> Box<dyn Descriptors> {
        match self {
            Self::Real(executor) => Box::new(RealDescriptors((**executor).clone())),
            Self::Sim(live) => Box::new(SimDescriptors(live.clone())),
        }
    }
}

/// The directory at the top of the cgroup2 mount and the controllers that groups in it have, when it can be written and
/// no systemd owns it: a place for a group of one's own that touches nobody else's.
#[must_use]
pub fn controllers_to_share() -> Option<(PathBuf, ControllerMask)> {
    let root = Root::find(&RootChoice::default()).ok()?;
    Some((root.directory().into(), root.enabled().ok()?))
}

/// The socket on which services tell of themselves; nothing when it cannot be made.
fn notify_socket(executor: &Executor, choices: &Choices) -> String {
    let path = choices.file_root.join(NOTIFY_SOCKET.trim_start_matches('/'));
    match executor.listen_notify(&path) {
        Ok(()) => path.to_string_lossy().into_owned(),
        Err(error) => {
            tracing::warn!("services cannot tell of themselves (Type=notify, WatchdogSec=): {error}");
            String::new()
        }
    }
}

/// One tree, one writer.
fn lock_root(root: &Root) -> Result<Flock<OwnedFd>, BackendError> {
    let directory = File::open(root.directory()).map_err(BackendError::Sim)?;
    Flock::lock(directory.into(), FlockArg::LockExclusiveNonblock)
        .map_err(|_| BackendError::Taken(root.directory().to_owned()))
}

/// Moves processes out of a root that is not the top of the hierarchy: as long as it holds some, no controller can be
/// handed down.
fn empty_root(root: &Root) -> Result<(), BackendError> {
    if root.is_top() {
        return Ok(());
    }
    let inside = root.internal_processes()?;
    if !inside.is_empty() {
        let moved = root.move_to_leaf(LEAF, &inside)?;
        tracing::info!("moved {moved} processes from {} into {LEAF} below it", root.directory());
    }
    Ok(())
}

fn config(choices: &Choices, machine: Machine) -> std::io::Result<Config> {
    let mut defaults = choices.defaults.clone();
    if let Some(share) = choices.tasks_max_share {
        defaults.tasks_max = machine.tasks_max / 10_000 * share + machine.tasks_max % 10_000 * share / 10_000;
    }
    Ok(Config {
        root: String::new(),
        supported: ControllerMask::empty(),
        root_enabled: ControllerMask::empty(),
        machine,
        defaults,
        unit_paths: choices.unit_paths.clone(),
        environment: vec![PATH.into()],
        seed: clock::seed()?,
        unsupported: choices.unsupported,
        quotas: Quotas::default(),
        uid: nix::unistd::geteuid().as_raw(),
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned(),
        notify_socket: String::new(),
        reexecutes: false,
    })
}

/// The machine as the simulated kernel shows it: the real one's memory and tasks.
fn simulated_machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let number = |path: &str, default: u64| read(path).trim().parse().unwrap_or(default);
    let meminfo = read("/proc/meminfo");
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: u64 = total.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(1 << 20);
    let tasks = number("/proc/sys/kernel/threads-max", 32_768).min(number("/proc/sys/kernel/pid_max", 32_769) - 1);
    let architecture = if cfg!(target_arch = "x86_64") { "x86-64" } else { std::env::consts::ARCH };
    Machine {
        memory_bytes: kib * 1024,
        page_size: 4096,
        tasks_max: tasks,
        architecture: architecture.into(),
        virtualization: String::new(),
        specifiers: specifiers(),
    }
}

struct RealDescriptors(Executor);

impl Descriptors for RealDescriptors {
    fn adopt(&mut self, descriptor: OwnedFd) -> u64 {
        self.0.adopt_any(descriptor).map_or(0, |pin| pin.0)
    }

    fn release(&mut self, pin: u64) {
        self.0.release(&[Pin(pin)]);
    }
}

struct SimDescriptors(Rc<RefCell<LiveBackend>>);

impl Descriptors for SimDescriptors {
    fn adopt(&mut self, descriptor: OwnedFd) -> u64 {
        self.0.borrow_mut().adopt(descriptor)
    }

    fn release(&mut self, pin: u64) {
        self.0.borrow_mut().release(&[Pin(pin)]);
    }
}
