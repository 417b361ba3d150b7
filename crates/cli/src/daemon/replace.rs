//! Upgrade in place: the program that is installed now takes over process, listening sockets and children. It finds
//! units, limits and processes as after a crash; whoever connects meanwhile waits in the sockets' queues.

use cgarbiter_core::found::FoundDescriptor;
use cgarbiter_core::plan::Pin;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::{UnixAddr, getsockname};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the descriptors that a predecessor leaves: `N`, blank, `N` …; each is asked for its path.
const INHERITED: &str = "CGARBITER_INHERITED";

/// Names the descriptor of a list of those that a predecessor has kept for services: number, whether it is let go of
/// when its other end goes, unit, name, a line each.
const STORED: &str = "CGARBITER_STORED";

/// Where the program is installed: a predecessor has known it before anything could be put in its place.
const PROGRAM: &str = "CGARBITER_PROGRAM";

/// How long a new program may take to find out whether it would start.
const CHECK_MAX: Duration = Duration::from_secs(10);

/// This program, whatever has been put in its place since.
const RUNNING: &str = "/proc/self/exe";

/// The program that we were started as, how, and with what.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    pub(super) inherited: Inherited,
    /// What it has kept for services.
    pub(super) stored: Vec<Kept>,
}

/// A descriptor that is kept for a service, and what the core knows of it.
pub(super) type Kept = (FoundDescriptor, OwnedFd);

impl Program {
    /// To be asked for first of all: later something may have been put in its place, or a second request to give way to
    /// that may come, which waits from now on until [`hear_requests`].
    ///
    /// # Errors
    /// The system does not tell.
    pub fn own() -> io::Result<Self> {
        hold_requests()?;
        let left = std::env::var_os(PROGRAM).filter(|_| is_successor()).map(PathBuf::from);
        let name = std::env::args_os().next();
        let path = match left.or_else(|| called_by(name.as_deref()?, &std::env::var_os("PATH")?, Path::new(RUNNING))) {
            Some(path) => path,
            None => std::env::current_exe()?,
        };
        let stored = if is_successor() { take_stored()? } else { Vec::new() };
        Ok(Self { path, arguments: std::env::args_os().skip(1).collect(), inherited: Inherited::collect()?, stored })
    }

    /// Finds out why what is installed now would not start, in one line, if so: it has to accept our arguments and the
    /// configuration, and not take for ever over it.
    pub(super) fn check(&self) -> impl Future<Output = Option<String>> + use<> {
        let name = format!("{} --check-config", self.path.display());
        let mut command = tokio::process::Command::new(&self.path);
        command
            .args(&self.arguments)
            .arg("--check-config")
            .env_remove(INHERITED)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        async move {
            match tokio::time::timeout(CHECK_MAX, command.output()).await {
                Ok(Ok(output)) if output.status.success() => None,
                Ok(Ok(output)) => {
                    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
                    Some(format!("{name}: {}: {said}", output.status))
                }
                Ok(Err(error)) => Some(format!("{name}: {error}")),
                Err(_) => Some(format!("{name}: not done after {} s", CHECK_MAX.as_secs())),
            }
        }
    }

    /// Becomes the program. Comes back only when that fails; nothing has changed then.
    pub(super) fn execute(&self, listeners: &[BorrowedFd<'_>], stored: &[Kept]) -> io::Error {
        self.try_to_execute(listeners, stored).unwrap_or_else(|error| error)
    }

    fn try_to_execute(&self, listeners: &[BorrowedFd<'_>], stored: &[Kept]) -> io::Result<io::Error> {
        let list = write_list(stored)?;
        let kept = stored.iter().map(|(_, descriptor)| descriptor.as_fd()).chain([list.as_fd()]);
        let all: Vec<BorrowedFd<'_>> = listeners.iter().copied().chain(kept).collect();
        let keep = |flag: FdFlag| all.iter().try_for_each(|fd| fcntl(fd, FcntlArg::F_SETFD(flag)).map(drop));
        keep(FdFlag::empty())?;
        let numbers: Vec<String> = listeners.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env(INHERITED, numbers.join(" ")).env(PROGRAM, &self.path);
        command.env(STORED, list.as_raw_fd().to_string());
        // The successor begins without a handler, and a signal without a handler ends it.
        hold_requests()?;
        let error = command.exec();
        let _ = hear_requests();
        let _ = keep(FdFlag::FD_CLOEXEC);
        Ok(error)
    }
}

/// The list of what is left, in a file that nobody else has.
fn write_list(stored: &[Kept]) -> io::Result<File> {
    let mut list = File::from(memfd_create("stored", MFdFlags::MFD_CLOEXEC)?);
    for (FoundDescriptor { unit, name, polled, .. }, descriptor) in stored {
        // The name comes last: it may hold blanks.
        writeln!(list, "{} {polled} {unit} {name}", descriptor.as_raw_fd())?;
    }
    list.rewind()?;
    Ok(list)
}

/// Takes hold of all that a predecessor has kept, so that none goes on to another program. To be called once, before
/// anything else is opened.
fn take_stored() -> io::Result<Vec<Kept>> {
    let Some(number) = std::env::var(STORED).ok().and_then(|number| number.parse().ok()) else { return Ok(Vec::new()) };
    let Some(list) = own(number)? else { return Ok(Vec::new()) };
    let text = io::read_to_string(File::from(list))?;
    let mut stored: Vec<Kept> = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (number, polled, unit, name) = (word().parse(), word() == "true", word().to_owned(), word().to_owned());
        let is_new = |number: &RawFd| stored.iter().all(|(_, known)| known.as_raw_fd() != *number);
        if let Some(descriptor) = number.ok().filter(is_new).map(own).transpose()?.flatten() {
            stored.push((FoundDescriptor { unit, pin: Pin(0), name, polled }, descriptor));
        }
    }
    Ok(stored)
}

/// Takes hold of a descriptor that was left for us, if it is one.
fn own(number: RawFd) -> io::Result<Option<OwnedFd>> {
    // SAFETY: takes numbers.
    if number <= 2 || unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Ok(None);
    }
    // SAFETY: it is open, and nothing that we have opened so far is; the predecessor has left it for us alone.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(descriptor.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(Some(descriptor))
}

/// SIGUSR2 waits, in a successor as well.
fn hold_requests() -> io::Result<()> {
    Ok(SigSet::from(Signal::SIGUSR2).thread_block()?)
}

/// SIGUSR2 comes in; somebody has to listen by now.
pub(super) fn hear_requests() -> io::Result<()> {
    Ok(SigSet::from(Signal::SIGUSR2).thread_unblock()?)
}

/// The path by which somebody called the program that runs as `running`, links and all: what an upgrade makes of them
/// counts. None when that name leads elsewhere.
fn called_by(name: &OsStr, search: &OsStr, running: &Path) -> Option<PathBuf> {
    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let running = identity(running)?;
    let has_directory = Path::new(name).parent().is_some_and(|parent| !parent.as_os_str().is_empty());
    let directories = match has_directory {
        true => vec![PathBuf::new()],
        false => std::env::split_paths(search).collect(),
    };
    let paths = directories.into_iter().filter_map(|directory| std::path::absolute(directory.join(name)).ok());
    paths.into_iter().find(|path| identity(path) == Some(running))
}

/// Whether there was a predecessor in this process.
pub(super) fn is_successor() -> bool {
    std::env::var_os(INHERITED).is_some()
}

/// The listening sockets that a predecessor has left.
pub(super) struct Inherited(Vec<(PathBuf, UnixListener)>);

impl Inherited {
    /// Takes hold of all of them, so that none goes on to another program. To be called once, before anything else is
    /// opened.
    ///
    /// # Errors
    /// One of them cannot be kept from other programs.
    fn collect() -> io::Result<Self> {
        let numbers = std::env::var(INHERITED).unwrap_or_default();
        let mut found: Vec<(PathBuf, UnixListener)> = Vec::new();
        for number in numbers.split(' ').filter_map(|number| number.parse::<RawFd>().ok()) {
            let Some(path) = bound_to(number).filter(|_| found.iter().all(|(_, known)| known.as_raw_fd() != number))
            else {
                continue;
            };
            // SAFETY: the predecessor has left this descriptor for us alone; it is a socket that is bound to a path,
            // and nothing that we have opened so far is.
            let socket = unsafe { OwnedFd::from_raw_fd(number) };
            fcntl(socket.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
            found.push((path, UnixListener::from(socket)));
        }
        Ok(Self(found))
    }

    /// The one at this path.
    pub(super) fn take(&mut self, path: &Path) -> Option<UnixListener> {
        let place = self.0.iter().position(|(bound, _)| bound == path)?;
        Some(self.0.swap_remove(place).1)
    }

    /// Those that nobody has taken, and where they are.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (PathBuf, UnixListener)> {
        self.0.drain(..)
    }
}

fn bound_to(number: RawFd) -> Option<PathBuf> {
    let address = getsockname::<UnixAddr>(number).ok()?;
    address.path().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_kept_is_listed_line_by_line() {
        let found = FoundDescriptor { unit: "a.service".into(), pin: Pin(7), name: "a b".into(), polled: true };
        let (end, _) = io::pipe().expect("a pipe");
        let stored = [(found, OwnedFd::from(end))];
        let number = stored[0].1.as_raw_fd();
        let list = write_list(&stored).expect("written");
        assert_eq!(io::read_to_string(list).expect("read"), format!("{number} true a.service a b\n"));
    }

    #[test]
    fn a_program_is_known_by_the_name_it_was_called_by_and_not_by_where_that_leads() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("bin")).expect("made");
        for version in ["daemon-1", "daemon-2"] {
            std::fs::write(at(version), version).expect("written");
        }
        symlink(at("daemon-1"), at("bin/daemon")).expect("linked");
        let search = std::env::join_paths([at("none"), at("bin")]).expect("no colons");
        let running = at("daemon-1");
        let known = |name: &OsStr| called_by(name, &search, &running);
        assert_eq!(known(at("bin/daemon").as_os_str()), Some(at("bin/daemon")));
        assert_eq!(known(OsStr::new("daemon")), Some(at("bin/daemon")), "found as a shell finds it");
        assert_eq!(known(at("daemon-2").as_os_str()), None, "another program");
        assert_eq!(known(OsStr::new("-sh")), None);
        assert_eq!(known(OsStr::new("")), None);
    }
}
