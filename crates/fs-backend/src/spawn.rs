//! Starts a process in a cgroup. It is born there, or, where that cannot be or is its death, moves there itself before
//! it becomes the program. Who forks is the spawner; here is what the arbiter has to do with it.

use crate::apply::open_file;
use crate::errno::at;
use crate::executor::Executor;
use crate::spawner::{Place, Request, Spawner, stream_handles};
use crate::{parse, sys};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Pin, Spawn};
use cgarbiter_core::{OpError, Outcome};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{pipe2, read};
use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often a child that is slow to be born is looked at.
const BIRTH_LOOK_MSEC: u8 = 20;
/// After this long it is believed.
const BIRTH_WAIT: Duration = Duration::from_millis(500);

/// A child, what holds it, and where it tells what becomes of it.
struct Born {
    pid: u32,
    pidfd: OwnedFd,
    report: OwnedFd,
}

impl Executor {
    pub(crate) fn spawn(&mut self, cgroup: &CgroupPath, command: &Spawn) -> Result<Outcome, OpError> {
        self.shared.births.fetch_add(1, Ordering::SeqCst);
        let spawned = self.bear(cgroup, command);
        self.shared.births.fetch_sub(1, Ordering::SeqCst);
        spawned
    }

    fn bear(&mut self, cgroup: &CgroupPath, command: &Spawn) -> Result<Outcome, OpError> {
        let (held, command) = self.held_handles(command)?;
        let command = &*command;
        let handles: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        let mut into = self.shared.kernel.clone_into;
        let dies = self.shared.kernel.clone_after_kill_dies();
        let born = loop {
            let born = self.start(cgroup, command, into, &handles);
            let born = born.map_err(|errno| at(self.start_error(cgroup, errno))(errno))?;
            // It has not run a single instruction; moving in by itself it will live.
            if into && dies && self.is_stillborn(cgroup, &born.report) {
                reap(&born.pidfd);
                into = false;
                continue;
            }
            break born;
        };
        let Born { pid, pidfd, report } = born;
        self.shared.notices.add_execution(pid, report, command.tell_executed)?;
        self.shared.notices.add_child(pid, pidfd)?;
        Ok(Outcome::Spawned { pid })
    }

    /// Descriptors that clients have sent for standard streams, which are held for as long as the unit wants them, and
    /// those that are kept for it. Of these some may have gone since the command was made: it goes without them.
    fn held_handles<'a>(&self, command: &'a Spawn) -> Result<(Vec<OwnedFd>, Cow<'a, Spawn>), OpError> {
        let pins = self.shared.pins();
        let copy = |handle| pins.copy_of(Pin(handle)).ok_or(Errno::EBADF);
        let streams = stream_handles(command).map(copy).collect::<nix::Result<Vec<_>>>();
        let mut held = streams.map_err(at("descriptor".to_owned()))?;
        if command.stored.is_empty() {
            return Ok((held, Cow::Borrowed(command)));
        }
        let mut command = command.clone();
        command.stored.retain(|(handle, _)| {
            let found = copy(*handle).ok();
            let is_there = found.is_some();
            held.extend(found);
            is_there
        });
        Ok((held, Cow::Owned(command)))
    }

    /// Has the spawner fork; when it has gone, by another one.
    fn start(
        &mut self,
        cgroup: &CgroupPath,
        command: &Spawn,
        into: bool,
        handles: &[BorrowedFd<'_>],
    ) -> nix::Result<Born> {
        let shared = self.shared.clone();
        let mut spawner = shared.spawner();
        for last in [false, true] {
            if spawner.is_none() {
                *spawner = Some(Spawner::start(&shared.spawner_command)?);
            }
            let running = spawner.as_mut().expect("one has just been started");
            let started = self.dirs.with(&shared.root, cgroup, |dir| {
                let (report, tell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
                let procs = if into { None } else { Some(open_file(dir, "cgroup.procs", OFlag::O_WRONLY)?) };
                let place = procs.as_ref().map_or(Place::Born(dir.fd.as_fd()), |procs| Place::Moves(procs.as_fd()));
                let (open_files, report_to) = (shared.open_files, tell.as_fd());
                let request = Request { spawn: command, place, open_files, report: report_to, handles };
                let (pid, pidfd) = running.fork(&request)?;
                Ok(Born { pid, pidfd, report })
            });
            match started {
                Err(Errno::EPIPE) if !last => *spawner = None,
                done => return done,
            }
        }
        Err(Errno::EPIPE)
    }

    /// Whether a child was dead at birth. That is what a kernel bug does to whatever is cloned into a cgroup that was
    /// once killed by `cgroup.kill`. One that is born frozen cannot tell, and is not waited for.
    fn is_stillborn(&mut self, cgroup: &CgroupPath, report: &OwnedFd) -> bool {
        let deadline = Instant::now() + BIRTH_WAIT;
        loop {
            if wait_readable(report, BIRTH_LOOK_MSEC) {
                match read(report, &mut [0_u8; 1]) {
                    Ok(told) => return told == 0,
                    Err(Errno::EINTR | Errno::EAGAIN) => continue,
                    Err(_) => return false,
                }
            }
            let text = self.read_text(cgroup, "cgroup.events").unwrap_or_default();
            let asked = self.read_text(cgroup, "cgroup.freeze").unwrap_or_default();
            if parse::cgroup_events(&text).frozen || asked == "1" || Instant::now() > deadline {
                return false;
            }
        }
    }

    /// The file that a refused birth is about.
    fn start_error(&mut self, cgroup: &CgroupPath, errno: Errno) -> String {
        match errno {
            Errno::EAGAIN => self.full_pids(cgroup),
            Errno::ENOENT | Errno::ENODEV => self.path_of(cgroup, ""),
            _ => self.path_of(cgroup, "cgroup.procs"),
        }
    }

    fn full_pids(&mut self, cgroup: &CgroupPath) -> String {
        let mut level = Some(cgroup.clone());
        while let Some(here) = level {
            let mut number = |file| self.read_text(&here, file).as_deref().and_then(parse::single);
            if number("pids.max").zip(number("pids.current")).is_some_and(|(max, now)| max <= now) {
                return self.path_of(&here, "pids.max");
            }
            level = here.parent();
        }
        self.path_of(cgroup, "")
    }
}

/// Takes the remains of a child that is on its way out.
fn reap(pidfd: &OwnedFd) {
    while matches!(sys::wait_pidfd(pidfd.as_fd()), Ok(None)) {
        wait_readable(pidfd, BIRTH_LOOK_MSEC);
    }
}

fn wait_readable(fd: &OwnedFd, msec: u8) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, msec).is_ok_and(|ready| ready > 0)
}
