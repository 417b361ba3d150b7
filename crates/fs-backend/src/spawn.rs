//! Starts a process in a cgroup. It is born there, or, where that cannot be or is its death, moves there itself before
//! it becomes the program.
//!
//! Between fork and execve the child is a copy of one thread of a program with many: it makes system calls and nothing
//! else. Everything it needs is prepared before.

use crate::apply::open_file;
use crate::dirs::Dir;
use crate::errno::at;
use crate::executor::{ChildOutput, Executor};
use crate::{parse, sys};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Spawn;
use cgarbiter_core::{OpError, Outcome};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::resource::rlim_t;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::Mode;
use nix::unistd::{pipe2, read};
use std::ffi::{CString, c_char};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// Exit code of a child that could not become its program, as the API knows it (`EXIT_EXEC`).
const EXIT_EXEC: i32 = 203;
/// How often a child that is slow to become its program is looked at.
const EXEC_LOOK_MSEC: u8 = 100;
/// After this long it is believed; should it fail later, its exit code tells.
const EXEC_WAIT: Duration = Duration::from_secs(5);

/// Signals there are, and the bytes of a set of them, as the kernel counts.
const SIGNALS: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 128 } else { 64 };
const SIGSET_SIZE: usize = SIGNALS as usize / 8;

/// What the child was at when it failed; the first is told by every child that lives.
const STAGE_BORN: u8 = 0;
const STAGE_MIGRATE: u8 = 1;
const STAGE_SETUP: u8 = 2;
const STAGE_EXEC: u8 = 3;

/// Bytes that a child which fails has told: that it was born, its stage, its errno.
const MESSAGE: usize = 6;

/// What a child has told before it became its program.
enum Told {
    /// Nothing: it was dead at birth. That is what a kernel bug does to whatever is cloned into a cgroup that was once
    /// killed by `cgroup.kill`.
    Nothing,
    /// It was born, and has become its program as far as is known.
    Started,
    /// What it was at, and why that failed.
    Failed(u8, Errno),
}

impl Executor {
    pub(crate) fn spawn(&mut self, cgroup: &CgroupPath, command: &Spawn) -> Result<Outcome, OpError> {
        let prepared = Prepared::new(command, self.shared.child_output, self.shared.open_files);
        let prepared = prepared.map_err(|errno| at(command.path.clone())(errno))?;
        let mut into = self.shared.kernel.clone_into;
        let (pid, pidfd) = loop {
            let started = self.dirs.with(&self.shared.root, cgroup, |dir| prepared.start(dir, into));
            let (pid, pidfd, report) = started.map_err(|errno| at(self.start_error(cgroup, errno))(errno))?;
            let (file, errno) = match self.wait_for_exec(cgroup, &report) {
                Told::Started => break (pid, pidfd),
                // It has not run a single instruction; moving in by itself it will live.
                Told::Nothing if into => {
                    reap(&pidfd);
                    into = false;
                    continue;
                }
                Told::Nothing => break (pid, pidfd),
                Told::Failed(STAGE_MIGRATE, errno) => (self.path_of(cgroup, "cgroup.procs"), errno),
                Told::Failed(STAGE_SETUP, errno) => ("/dev/null".to_owned(), errno),
                Told::Failed(_, errno) => (command.path.clone(), errno),
            };
            reap(&pidfd);
            return Err(at(file)(errno));
        };
        self.shared.notices.add_child(pid, pidfd)?;
        Ok(Outcome::Spawned { pid })
    }

    /// Waits until the child has become its program or has failed to. A child that is frozen, or starved, is not waited
    /// for to the end.
    fn wait_for_exec(&mut self, cgroup: &CgroupPath, report: &OwnedFd) -> Told {
        let deadline = Instant::now() + EXEC_WAIT;
        let (mut told, mut length) = ([0_u8; MESSAGE], 0);
        loop {
            if wait_readable(report, EXEC_LOOK_MSEC) {
                match read(report, &mut told[length..]) {
                    Ok(0) if length == 0 => return Told::Nothing,
                    // Closed by execve, or by death: then the exit is reported like any other.
                    Ok(0) => return Told::Started,
                    Ok(more) => length += more,
                    Err(Errno::EINTR) => {}
                    Err(_) => return Told::Started,
                }
                if length == MESSAGE {
                    let errno = i32::from_ne_bytes([told[2], told[3], told[4], told[5]]);
                    return Told::Failed(told[1], Errno::from_raw(errno));
                }
                continue;
            }
            let text = self.read_text(cgroup, "cgroup.events").unwrap_or_default();
            let asked = self.read_text(cgroup, "cgroup.freeze").unwrap_or_default();
            if parse::cgroup_events(&text).frozen || asked == "1" || Instant::now() > deadline {
                return Told::Started;
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

/// All that the child touches.
struct Prepared {
    path: CString,
    arguments: Strings,
    environment: Strings,
    null: OwnedFd,
    output: ChildOutput,
    open_files: libc::rlimit,
}

/// C strings with the array of pointers that execve takes.
struct Strings {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    fn new(texts: &[String]) -> nix::Result<Self> {
        let owned: Vec<CString> = texts.iter().map(|text| c_string(text)).collect::<nix::Result<_>>()?;
        // The texts stay where they are when the vector of them moves.
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Self { _owned: owned, pointers })
    }
}

impl Prepared {
    fn new(command: &Spawn, output: ChildOutput, (soft, hard): (rlim_t, rlim_t)) -> nix::Result<Self> {
        Ok(Self {
            open_files: libc::rlimit { rlim_cur: soft, rlim_max: hard },
            path: c_string(&command.path)?,
            arguments: Strings::new(&command.arguments)?,
            environment: Strings::new(&command.environment)?,
            null: open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?,
            output,
        })
    }

    /// Forks. Answers the child and the pipe on which it tells of a failure.
    fn start(&self, dir: &Dir, into: bool) -> nix::Result<(u32, OwnedFd, OwnedFd)> {
        let (report, tell) = pipe2(OFlag::O_CLOEXEC)?;
        let procs = if into { None } else { Some(open_file(dir, "cgroup.procs", OFlag::O_WRONLY)?) };
        // No handler of ours may run in the child.
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        // SAFETY: the child goes straight to `become_program`, which only makes system calls.
        let forked = unsafe { sys::fork(into.then_some(dir.fd.as_fd())) };
        if let Ok(sys::Forked::Child) = forked {
            // SAFETY: this is the child, and all descriptors and strings are live.
            unsafe { become_program(self, procs.as_ref().map(AsRawFd::as_raw_fd), tell.as_raw_fd()) }
        }
        let restored = mask.thread_set_mask();
        match forked? {
            sys::Forked::Parent { pid, pidfd } => {
                restored?;
                Ok((pid, pidfd, report))
            }
            sys::Forked::Child => unreachable!("the child has become its program"),
        }
    }
}

/// The child's half: moves where it belongs, takes leave of the arbiter, becomes the program.
///
/// # Safety
/// Only for a freshly forked child. Makes system calls and touches nothing that another thread may have held.
unsafe fn become_program(prepared: &Prepared, procs: Option<RawFd>, tell: RawFd) -> ! {
    let null = prepared.null.as_raw_fd();
    // SAFETY: all of these take numbers, or pointers to memory that was prepared before the fork and is never freed
    // here; each is async-signal-safe.
    unsafe {
        libc::write(tell, [STAGE_BORN].as_ptr().cast(), 1);
        if let Some(procs) = procs
            && libc::write(procs, c"0".as_ptr().cast(), 1) < 0
        {
            fail(tell, STAGE_MIGRATE);
        }
        // The C library would refuse the two signals that it keeps to itself, and they may be ignored like any other.
        let default_action = [0_u64; 8];
        for signal in 1..=SIGNALS {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default_action.as_ptr(),
                std::ptr::null::<u64>(),
                SIGSET_SIZE,
            );
        }
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const prepared.open_files);
        libc::setsid();
        libc::umask(0o022);
        let output = prepared.output == ChildOutput::Null;
        if libc::dup2(null, 0) < 0 || (output && (libc::dup2(null, 1) < 0 || libc::dup2(null, 2) < 0)) {
            fail(tell, STAGE_SETUP);
        }
        if libc::chdir(c"/".as_ptr()) < 0 {
            fail(tell, STAGE_SETUP);
        }
        // Older kernels refuse; every descriptor of ours is marked already.
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::execve(
            prepared.path.as_ptr(),
            prepared.arguments.pointers.as_ptr(),
            prepared.environment.pointers.as_ptr(),
        );
        fail(tell, STAGE_EXEC)
    }
}

/// Tells stage and errno, and ends.
///
/// # Safety
/// As for [`become_program`].
unsafe fn fail(tell: RawFd, stage: u8) -> ! {
    // SAFETY: the thread's errno is always there; the message lives on the stack; both calls are async-signal-safe.
    unsafe {
        let errno = (*libc::__errno_location()).to_ne_bytes();
        let message = [stage, errno[0], errno[1], errno[2], errno[3]];
        libc::write(tell, message.as_ptr().cast(), message.len());
        libc::_exit(EXIT_EXEC)
    }
}

/// Takes the remains of a child that is on its way out.
fn reap(pidfd: &OwnedFd) {
    while matches!(sys::wait_pidfd(pidfd.as_fd()), Ok(None)) {
        wait_readable(pidfd, EXEC_LOOK_MSEC);
    }
}

fn wait_readable(fd: &OwnedFd, msec: u8) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, msec).is_ok_and(|ready| ready > 0)
}

fn c_string(text: &str) -> nix::Result<CString> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}
