//! `Executor`: what runs plans and answers questions, and what it shares with its clones.

use crate::dirs::Dirs;
use crate::notify::{Message, NotifySocket};
use crate::pins::{Pins, examine_pidfd, is_pidfd};
use crate::probe::Kernel;
use crate::read::cgroup_of;
use crate::root::Root;
use crate::spawner::{SPAWNER_ARGUMENT, Spawner, SpawnerCommand};
use crate::store::Store;
use crate::watch::Notices;
use cgarbiter_core::event::{Event, Handed, PinAnswer};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{OnError, Pin, Plan};
use cgarbiter_core::{OpError, Outcome, Report};
use nix::fcntl::Flock;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Choices of the driver.
#[derive(Clone, Debug)]
pub struct Options {
    /// Prefix of all records.
    pub file_root: PathBuf,
    /// Where spawned processes write to.
    pub child_output: ChildOutput,
    /// The command that starts a spawner: this program with [`SPAWNER_ARGUMENT`], unless it is one that cannot be it.
    pub spawner: Vec<OsString>,
}

/// This program, even when another has been put in its place since.
fn spawner_command() -> Vec<OsString> {
    vec!["/proc/self/exe".into(), SPAWNER_ARGUMENT.into()]
}

impl Default for Options {
    fn default() -> Self {
        Self { file_root: PathBuf::from("/"), child_output: ChildOutput::Inherit, spawner: spawner_command() }
    }
}

/// Standard output and error of spawned processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildOutput {
    /// The arbiter's own.
    Inherit,
    /// Thrown away.
    Null,
}

/// The files that a delegatee gets when the kernel does not list them.
const DELEGATE_FILES: [&str; 3] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];

/// What programs that use `select` can live with.
const OPEN_FILES_USUAL: rlim_t = 1024;

/// Runs plans and answers questions.
#[derive(Debug)]
pub struct Executor {
    pub(crate) shared: Arc<Shared>,
    /// Kept for each clone by itself.
    pub(crate) dirs: Dirs,
    pub(crate) text: Vec<u8>,
}

/// What the clones of an executor have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: Root,
    pub(crate) kernel: Kernel,
    pub(crate) store: Store,
    pub(crate) notices: Notices,
    pub(crate) delegate_files: Vec<String>,
    pub(crate) spawner_command: SpawnerCommand,
    /// Limit of open files that the arbiter was started with, soft and hard; its children get it back.
    pub(crate) open_files: (rlim_t, rlim_t),
    pins: Mutex<Pins>,
    /// How many children are being started that are not known yet.
    pub(crate) births: AtomicUsize,
    /// Started when it is needed first.
    spawner: Mutex<Option<Spawner>>,
}

impl Shared {
    pub(crate) fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn spawner(&self) -> MutexGuard<'_, Option<Spawner>> {
        self.spawner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Executor {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), dirs: Dirs::default(), text: Vec::new() }
    }
}

impl Executor {
    /// Gets everything ready below an opened root.
    ///
    /// # Errors
    /// When the kernel is too old, inotify is exhausted, or the prefix of the records cannot be opened.
    pub fn new(root: Root, kernel: Kernel, options: &Options) -> Result<Self, OpError> {
        kernel.check_required()?;
        let listed = std::fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
        let mut delegate_files: Vec<String> = listed.lines().map(str::to_owned).collect();
        if delegate_files.is_empty() {
            delegate_files = DELEGATE_FILES.map(str::to_owned).to_vec();
        }
        let shared = Shared {
            root,
            kernel,
            store: Store::open(&options.file_root)?,
            notices: Notices::new()?,
            delegate_files,
            spawner_command: SpawnerCommand::new(options),
            open_files: raise_open_files(),
            pins: Mutex::default(),
            births: AtomicUsize::new(0),
            spawner: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), dirs: Dirs::default(), text: Vec::new() })
    }

    /// Runs a plan step by step; ends at the first refusal that is not only to be reported. For a caller who hands in
    /// the report before he drains notices again; see [`run_unannounced`](Self::run_unannounced) for others.
    pub fn run(&mut self, plan: &Plan) -> Report {
        let report = self.run_unannounced(plan);
        self.announce();
        report
    }

    /// The same, for a plan that runs on one thread while another drains notices: the present state of its new watches
    /// is not reported before [`announce`](Self::announce), which is called once the report has been handed in. A
    /// notice of a watch that the core does not know yet would be lost.
    pub fn run_unannounced(&mut self, plan: &Plan) -> Report {
        let mut outcomes = Vec::with_capacity(plan.steps.len());
        let mut failed = None;
        for step in plan.steps.iter() {
            match (self.apply(&step.op), step.on_error) {
                (Ok(outcome), _) => outcomes.push(outcome),
                (Err(error), OnError::Report) => outcomes.push(Outcome::Refused(error)),
                (Err(error), OnError::Stop) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        assert!(failed.is_some() || outcomes.len() == plan.steps.len());
        Report { plan: plan.id, outcomes, failed }
    }

    /// The reports of all plans run so far have been handed in.
    pub fn announce(&self) {
        self.shared.notices.announce();
    }

    /// Takes over a pidfd that a client sent.
    ///
    /// # Errors
    /// When it is not a pidfd, or its process cannot be seen from here.
    pub fn adopt(&self, pidfd: OwnedFd) -> Result<PinAnswer, OpError> {
        let examined = examine_pidfd(pidfd)?;
        Ok(self.shared.pins().hold(examined))
    }

    /// Takes over any descriptor that a client sent: a pidfd as [`adopt`](Self::adopt) does, another one as it is.
    /// None for a pidfd of which nothing can be made.
    pub fn adopt_any(&self, descriptor: OwnedFd) -> Option<Pin> {
        if !is_pidfd(&descriptor) {
            return Some(self.shared.pins().hold_other(descriptor));
        }
        match self.adopt(descriptor) {
            Ok(PinAnswer::Held { pin, .. }) => Some(pin),
            _ => None,
        }
    }

    /// Keeps others out of a directory of records, which is made when it is missing; none when somebody has it.
    ///
    /// # Errors
    /// There can be no such directory.
    pub fn lock_directory(&self, path: &str) -> Result<Option<Flock<OwnedFd>>, OpError> {
        self.shared.store.lock(path)
    }

    /// Ends what only serves this program, because another takes its place in this process; it is started anew when it
    /// is needed. The other begins with the limits that this one began with.
    pub fn prepare_to_be_replaced(&self) {
        *self.shared.spawner() = None;
        let (soft, hard) = self.shared.open_files;
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    }

    /// Nothing has come of being replaced.
    pub fn go_on(&self) {
        let _ = raise_open_files();
    }

    /// Lets go of processes; unknown ones are fine.
    pub fn release(&self, pins: &[Pin]) {
        let mut held = self.shared.pins();
        for pin in pins {
            held.take(*pin);
            if let Some(descriptor) = held.take_other(*pin) {
                self.shared.notices.forget_descriptor(descriptor.as_fd());
            }
        }
    }

    /// Holds a descriptor that came with a message, or that a predecessor has kept, and hears of its end.
    pub fn keep(&self, descriptor: OwnedFd) -> Handed {
        let mut pins = self.shared.pins();
        let same = pins.same_as(&descriptor);
        let pin = pins.hold_other(descriptor);
        if let Some(held) = pins.other(pin) {
            self.shared.notices.add_descriptor(pin, held);
        }
        Handed { pin, same }
    }

    /// Another hand on a descriptor that is held and is no process.
    #[must_use]
    pub fn copy_of(&self, pin: Pin) -> Option<OwnedFd> {
        self.shared.pins().copy_of(pin)
    }

    /// How many processes are held.
    #[must_use]
    pub fn pin_count(&self) -> usize {
        self.shared.pins().len()
    }

    /// Becomes readable when there is something to [`drain`](Self::drain).
    #[must_use]
    pub fn notices(&self) -> BorrowedFd<'_> {
        self.shared.notices.fd()
    }

    /// Hands over what has happened: ends of spawned processes first, then each changed watch once. Never blocks.
    /// Answers whether that was all; if not, come again before waiting for the descriptor.
    pub fn drain(&self, hand_over: &mut dyn FnMut(Event)) -> bool {
        // Where a sender is, is asked while it may still be waiting to be heard.
        let mut hear = |Message { pid, uid, text, descriptors }| {
            let cgroup = cgroup_of(&self.shared.root, pid);
            let descriptors = descriptors.into_iter().map(|descriptor| self.keep(descriptor)).collect();
            Event::Notified { pid, uid, cgroup, message: text, descriptors }
        };
        self.shared.notices.drain(&mut hear, hand_over)
    }

    /// Makes the socket on which services tell of themselves.
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn listen_notify(&self, path: &Path) -> Result<(), OpError> {
        self.shared.notices.listen(NotifySocket::bind(path)?)
    }

    /// The managed root.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.shared.root
    }

    /// What the kernel can do.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.shared.kernel
    }

    /// Absolute path of a file of a cgroup; an empty `file` names the directory.
    pub(crate) fn path_of(&self, cgroup: &CgroupPath, file: &str) -> String {
        self.shared.root.path_of(cgroup, file)
    }
}

impl AsFd for Executor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices()
    }
}

/// The limit of open files, soft and hard.
pub(crate) fn open_files() -> (rlim_t, rlim_t) {
    getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((OPEN_FILES_USUAL, OPEN_FILES_USUAL))
}

/// Connections and pinned processes are descriptors: as many as the hard limit allows. Answers what it was before;
/// where it cannot be changed, it stays.
fn raise_open_files() -> (rlim_t, rlim_t) {
    let before = open_files();
    let _ = setrlimit(Resource::RLIMIT_NOFILE, before.1, before.1);
    before
}
