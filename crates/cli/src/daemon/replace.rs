//! Upgrade in place: the program that is installed now takes over process, listening sockets and children. It finds
//! units, limits and processes as after a crash; whoever connects meanwhile waits in the sockets' queues.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{UnixAddr, getsockname};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the descriptors that a predecessor leaves: `N`, blank, `N` …; each is asked for its path.
const INHERITED: &str = "CGARBITER_INHERITED";

/// Where the program is installed: a predecessor has known it before anything could be put in its place.
const PROGRAM: &str = "CGARBITER_PROGRAM";

/// The program that we were started as, and how.
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// To be asked for at once: later something may have been put in its place.
    pub(super) fn own() -> io::Result<Self> {
        let path = std::env::var_os(PROGRAM).filter(|_| is_successor()).map(PathBuf::from);
        let path = path.map_or_else(std::env::current_exe, Ok)?;
        Ok(Self { path, arguments: std::env::args_os().skip(1).collect() })
    }

    /// Whether what is installed now would start: it accepts our arguments and the configuration.
    ///
    /// # Errors
    /// What it said, in one line.
    pub(super) fn check(&self) -> io::Result<()> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).arg("--check-config").stdin(Stdio::null()).stdout(Stdio::null());
        let output = command.output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        Err(io::Error::other(format!("{} --check-config: {}: {said}", self.path.display(), output.status)))
    }

    /// Becomes the program. Comes back only when that fails; nothing has changed then.
    pub(super) fn execute(&self, listeners: &[BorrowedFd<'_>]) -> io::Error {
        let keep = |flag: FdFlag| listeners.iter().try_for_each(|fd| fcntl(fd, FcntlArg::F_SETFD(flag)).map(drop));
        if let Err(errno) = keep(FdFlag::empty()) {
            return errno.into();
        }
        let numbers: Vec<String> = listeners.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env(INHERITED, numbers.join(" ")).env(PROGRAM, &self.path);
        let error = command.exec();
        let _ = keep(FdFlag::FD_CLOEXEC);
        error
    }
}

/// Whether there was a predecessor in this process.
pub(super) fn is_successor() -> bool {
    std::env::var_os(INHERITED).is_some()
}

/// The listening socket at this path that a predecessor has left us.
pub(super) fn inherited(path: &Path) -> Option<UnixListener> {
    let numbers = std::env::var(INHERITED).ok()?;
    let numbers = numbers.split(' ').filter_map(|number| number.parse::<RawFd>().ok());
    let number = numbers.into_iter().find(|number| is_bound_to(*number, path))?;
    // SAFETY: the predecessor has left this descriptor for us alone, and the path tells that it is this one.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(socket.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    Some(socket.into())
}

fn is_bound_to(number: RawFd, path: &Path) -> bool {
    getsockname::<UnixAddr>(number).is_ok_and(|address| address.path() == Some(path))
}
