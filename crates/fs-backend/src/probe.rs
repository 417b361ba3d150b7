//! What this kernel can do, found out once at start by trying. Where a bug is known, it is tried too, and the safe way
//! is taken when nobody can tell.

use crate::dirs::Dir;
use crate::errno::at;
use crate::root::Root;
use crate::{apply, sys};
use cgarbiter_core::OpError;
use cgarbiter_core::event::ExitStatus;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, unlinkat};
use std::os::fd::{AsFd, BorrowedFd};

/// Features that change what the backend does, or what an operator can expect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// `cgroup.kill` (5.14).
    pub kill: bool,
    /// `cgroup.freeze` (5.2).
    pub freeze: bool,
    /// pidfds (5.3), and waiting for them (5.4).
    pub pidfd: bool,
    /// `PIDFD_GET_INFO` with the cgroup id (6.13).
    pub pidfd_info: bool,
    /// clone3 with `CLONE_INTO_CGROUP` (5.7).
    pub clone_into: bool,
    /// Whether a child cloned into a cgroup that was once killed dies at birth; none when it could not be tried.
    pub clone_after_kill: Option<bool>,
    /// openat2 (5.6).
    pub openat2: bool,
    /// `user.` attributes on cgroups (5.7); none when it could not be tried.
    pub user_xattr: Option<bool>,
    /// `memory.oom.group` (4.19).
    pub oom_group: bool,
    /// Mount option `memory_recursiveprot`.
    pub memory_recursiveprot: bool,
    /// Mount option `nsdelegate`.
    pub nsdelegate: bool,
    /// Mount option `favordynmods` (6.0).
    pub favordynmods: bool,
}

impl Kernel {
    /// Tries everything; makes a cgroup of its own for that below the root, if it may, and removes it.
    #[must_use]
    pub fn probe(root: &Root) -> Self {
        let option = |name: &str| root.mount_options().iter().any(|o| o == name);
        let own = sys::pidfd_open(std::process::id());
        let info = own.as_ref().ok().and_then(|fd| sys::pidfd_info(fd.as_fd()).ok());
        let delegate = std::fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
        let mut kernel = Self {
            pidfd: own.is_ok(),
            pidfd_info: info.is_some_and(|info| info.cgroup_id.is_some()),
            openat2: root.has_openat2(),
            memory_recursiveprot: option("memory_recursiveprot"),
            nsdelegate: option("nsdelegate"),
            favordynmods: option("favordynmods"),
            oom_group: delegate.lines().any(|file| file == "memory.oom.group") || release() >= (4, 19),
            ..Self::default()
        };
        match Scratch::new(root) {
            Some(scratch) => kernel.try_in(&scratch.dir),
            None => {
                kernel.freeze = release() >= (5, 2);
                kernel.kill = release() >= (5, 14);
                kernel.clone_into = release() >= (5, 7);
            }
        }
        kernel
    }

    fn try_in(&mut self, dir: &Dir) {
        let has = |file: &str| faccessat(&dir.fd, file, AccessFlags::F_OK, AtFlags::empty()).is_ok();
        self.kill = has("cgroup.kill");
        self.freeze = has("cgroup.freeze");
        let set = sys::set_xattr(dir.fd.as_fd(), c"user.cgarbiter", b"1");
        self.user_xattr = Some(set.is_ok());
        self.clone_into = born_in(dir.fd.as_fd()) == Some(ExitStatus::Code(0));
        if self.clone_into && self.kill {
            // What counts is whether the numbers of kills differ, here and where we live; so one of two tries shows it.
            self.clone_after_kill = Some((0..2).any(|_| {
                let killed = apply::write_file(dir, "cgroup.kill", b"1");
                killed.is_ok() && born_in(dir.fd.as_fd()) == Some(ExitStatus::Signal(libc::SIGKILL))
            }));
        } else if self.clone_into {
            self.clone_after_kill = Some(false);
        }
    }

    /// Whether what is cloned into a cgroup that was once killed dies at birth, as far as it is known.
    #[must_use]
    pub fn clone_after_kill_dies(&self) -> bool {
        self.clone_after_kill != Some(false)
    }

    /// Nothing goes without pidfds.
    pub(crate) fn check_required(&self) -> Result<(), OpError> {
        if self.pidfd { Ok(()) } else { Err(at("pidfd_open (Linux 5.4 is needed)".to_owned())(Errno::ENOSYS)) }
    }

    /// One line for each thing that is missing or has to be worked around, for the log.
    #[must_use]
    pub fn remarks(&self) -> Vec<&'static str> {
        let lines = [
            (!self.pidfd, "no pidfds (Linux 5.4): the arbiter cannot work"),
            (!self.kill, "no cgroup.kill (Linux 5.14): processes are killed one by one"),
            (!self.freeze, "no cgroup.freeze (Linux 5.2): units cannot be frozen"),
            (!self.pidfd_info, "no PIDFD_GET_INFO (Linux 6.13): the cgroup of a process is read from /proc"),
            (!self.clone_into, "no clone3 into a cgroup (Linux 5.7): spawned processes move there before they run"),
            (
                self.clone_into && self.clone_after_kill == Some(true),
                "kernel bug: what is cloned into a cgroup that was once killed by cgroup.kill dies at birth; such \
                 processes are started once more, and cgroup.kill is the last resort",
            ),
            (
                self.clone_into && self.clone_after_kill.is_none(),
                "it could not be tried whether cgroup.kill harms processes started later; it is the last resort",
            ),
            (!self.openat2, "no openat2 (Linux 5.6): paths are resolved step by step"),
            (
                self.user_xattr == Some(false),
                "no user. attributes on cgroups (Linux 5.7): invocation ids and marks of delegation are not shown there",
            ),
            (!self.oom_group, "no memory.oom.group (Linux 4.19): OOMPolicy=kill has no effect"),
            (
                !self.memory_recursiveprot,
                "cgroup2 is mounted without memory_recursiveprot: protection set on a slice does not reach the units in it",
            ),
            (
                !self.nsdelegate,
                "cgroup2 is mounted without nsdelegate: a cgroup namespace does not guard the limits of its own root",
            ),
            (
                !self.favordynmods,
                "cgroup2 is mounted without favordynmods: the first process moved after a pause waits some milliseconds",
            ),
        ];
        lines.into_iter().filter(|(missing, _)| *missing).map(|(_, line)| line).collect()
    }
}

/// A cgroup to try things in; removed when dropped.
struct Scratch<'a> {
    root: &'a Root,
    name: String,
    dir: Dir,
}

impl<'a> Scratch<'a> {
    fn new(root: &'a Root) -> Option<Self> {
        let name = format!("cgarbiter-probe-{}", std::process::id());
        mkdirat(root.fd(), name.as_str(), Mode::from_bits_truncate(0o755)).ok()?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match openat(root.fd(), name.as_str(), flags, Mode::empty()) {
            Ok(fd) => Some(Self { root, name, dir: Dir { fd, id: 0 } }),
            Err(_) => {
                remove(root, &name);
                None
            }
        }
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        remove(self.root, &self.name);
    }
}

fn remove(root: &Root, name: &str) {
    // Nothing lives in it; should it be refused all the same, an empty cgroup stays behind.
    let _ = unlinkat(root.fd(), name, UnlinkatFlags::RemoveDir);
}

/// Has a child be born in a cgroup and end at once; how it ended, or none when it could not be born.
fn born_in(directory: BorrowedFd<'_>) -> Option<ExitStatus> {
    // SAFETY: the child makes one system call, which ends it.
    match unsafe { sys::fork(Some(directory)) } {
        // SAFETY: _exit takes a number, runs no handlers and does not return.
        Ok(sys::Forked::Child) => unsafe { libc::_exit(0) },
        Ok(sys::Forked::Parent { pidfd, .. }) => {
            let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            while poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
            sys::wait_pidfd(pidfd.as_fd()).ok().flatten()
        }
        Err(_) => None,
    }
}

/// Major and minor number of the running kernel, where a feature cannot be tried.
fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_thing_is_one_line() {
        let all = Kernel {
            kill: true,
            freeze: true,
            pidfd: true,
            pidfd_info: true,
            clone_into: true,
            clone_after_kill: Some(false),
            openat2: true,
            user_xattr: Some(true),
            oom_group: true,
            memory_recursiveprot: true,
            nsdelegate: true,
            favordynmods: true,
        };
        assert!(all.remarks().is_empty());
        assert!(!all.clone_after_kill_dies());
        let buggy = Kernel { clone_after_kill: Some(true), ..all.clone() };
        assert!(buggy.clone_after_kill_dies());
        assert_eq!(buggy.remarks().len(), 1);
        let unknown = Kernel { clone_after_kill: None, ..all.clone() };
        assert!(unknown.clone_after_kill_dies());
        let none = Kernel::default();
        assert_eq!(none.remarks().len(), 10);
        assert!(none.remarks().iter().all(|line| !line.contains('\n')));
        assert!(none.check_required().is_err());
        assert!(release() > (3, 0));
    }
}
