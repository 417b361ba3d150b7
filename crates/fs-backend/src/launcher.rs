//! Starts processes where there is no cgroup to put them into: for the simulated kernel, around real processes.

use crate::child::failure_told;
use crate::errno::at;
use crate::executor::{Options, open_files};
use crate::spawner::{Place, Request, Spawner, SpawnerCommand};
use cgarbiter_core::OpError;
use cgarbiter_core::exec::ExecFailure;
use cgarbiter_core::plan::Spawn;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A spawner, and how it is started.
#[derive(Debug)]
pub struct Launcher {
    command: SpawnerCommand,
    spawner: Option<Spawner>,
}

/// A process that has been born.
#[derive(Debug)]
pub struct Launched {
    /// Its number.
    pub pid: u32,
    /// What holds it.
    pub pidfd: OwnedFd,
    /// Closed when it has become its program, or has ended; see [`Report::read`].
    pub report: Report,
}

/// What a process tells on its way to its program.
#[derive(Debug)]
pub struct Report(std::fs::File);

impl Launcher {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self { command: SpawnerCommand::new(options), spawner: None }
    }

    /// Starts a process; `handles` are the descriptors that its standard streams name, in their order.
    ///
    /// # Errors
    /// It could not be born.
    pub fn launch(&mut self, spawn: &Spawn, handles: &[BorrowedFd<'_>]) -> Result<Launched, OpError> {
        self.try_launch(spawn, handles).map_err(at(spawn.path.clone()))
    }

    fn try_launch(&mut self, spawn: &Spawn, handles: &[BorrowedFd<'_>]) -> nix::Result<Launched> {
        let (report, tell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let request =
            Request { spawn, place: Place::Anywhere, open_files: open_files(), report: tell.as_fd(), handles };
        let mut forked = Err(Errno::EPIPE);
        for _ in 0..2 {
            if self.spawner.is_none() {
                self.spawner = Some(Spawner::start(&self.command)?);
            }
            forked = self.spawner.as_mut().map_or(Err(Errno::EPIPE), |spawner| spawner.fork(&request));
            if !matches!(forked, Err(Errno::EPIPE)) {
                break;
            }
            self.spawner = None;
        }
        let (pid, pidfd) = forked?;
        Ok(Launched { pid, pidfd, report: Report(report.into()) })
    }
}

impl Report {
    /// What it has told, once that is all: whether it failed. None while more may come.
    pub fn read(&mut self) -> Option<Option<ExecFailure>> {
        let mut told = Vec::new();
        match self.0.read_to_end(&mut told) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && told.len() < 2 => None,
            _ => Some(failure_told(&told)),
        }
    }
}

impl AsFd for Report {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
