//! The system calls that nix does not wrap, or wraps too narrowly: pidfds, clone3, extended attributes, directory
//! listings. Most of the crate's `unsafe` is here.

use cgarbiter_core::event::ExitStatus;
use nix::Result;
use nix::errno::Errno;
use std::ffi::CStr;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What `PIDFD_GET_INFO` tells of a process (Linux 6.13).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PidInfo {
    pub(crate) pid: u32,
    pub(crate) tgid: u32,
    pub(crate) ppid: u32,
    pub(crate) uid: u32,
    /// Id of its cgroup v2, when the kernel told.
    pub(crate) cgroup_id: Option<u64>,
}

/// The kernel's `struct pidfd_info`, first version.
#[repr(C)]
#[derive(Default)]
struct RawPidInfo {
    mask: u64,
    cgroup_id: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ruid: u32,
    rest: [u32; 7],
    exit_code: i32,
}

const PIDFD_INFO_PID: u64 = 1;
const PIDFD_INFO_CREDS: u64 = 2;
const PIDFD_INFO_CGROUPID: u64 = 4;
const PIDFD_INFO_EXIT: u64 = 8;
/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: u64 = (3 << 30) | ((size_of::<RawPidInfo>() as u64) << 16) | (0xFF << 8) | 11;

/// The kernel's `struct clone_args`, with the cgroup.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Length of `struct clone_args` before it had the cgroup (Linux 5.3).
const CLONE_ARGS_SIZE_PLAIN: usize = 64;

/// Which half of a fork this is.
pub(crate) enum Forked {
    Child,
    Parent { pid: u32, pidfd: OwnedFd },
}

/// A pidfd of the process with this number.
pub(crate) fn pidfd_open(pid: u32) -> Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::ESRCH)?;
    // SAFETY: takes two numbers and no memory.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal; 0 only asks whether the process has not been reaped yet.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the null pointer asks for the default siginfo; the other arguments are numbers.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) };
    Errno::result(done).map(drop)
}

/// What the kernel tells of the process behind a pidfd; `ESRCH` when it has been reaped, `ENOTTY` or `EINVAL` on
/// kernels that do not know the question.
pub(crate) fn pidfd_info(pidfd: BorrowedFd<'_>) -> Result<PidInfo> {
    let raw = get_info(pidfd, PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID)?;
    let cgroup_id = (raw.mask & PIDFD_INFO_CGROUPID != 0).then_some(raw.cgroup_id);
    Ok(PidInfo { pid: raw.pid, tgid: raw.tgid, ppid: raw.ppid, uid: raw.ruid, cgroup_id })
}

/// How the process behind a pidfd ended (Linux 6.15): none until it has been reaped; an error when this kernel will not
/// tell.
pub(crate) fn pidfd_exit(pidfd: BorrowedFd<'_>) -> Result<Option<ExitStatus>> {
    let raw = get_info(pidfd, PIDFD_INFO_EXIT)?;
    Ok((raw.mask & PIDFD_INFO_EXIT != 0).then(|| status_of(raw.exit_code)))
}

/// A status as `wait` gives it.
pub(crate) fn status_of(status: i32) -> ExitStatus {
    match status & 0x7f {
        0 => ExitStatus::Code((status >> 8) & 0xff),
        signal if status & 0x80 != 0 => ExitStatus::Dumped(signal),
        signal => ExitStatus::Signal(signal),
    }
}

fn get_info(pidfd: BorrowedFd<'_>, mask: u64) -> Result<RawPidInfo> {
    let mut raw = RawPidInfo { mask, ..RawPidInfo::default() };
    // SAFETY: `raw` is live, writable and of the size that the request number encodes.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut raw) };
    Errno::result(done)?;
    Ok(raw)
}

/// Waits for a child without blocking; none while it runs.
pub(crate) fn wait_pidfd(pidfd: BorrowedFd<'_>) -> Result<Option<ExitStatus>> {
    // SAFETY: a siginfo_t of zeros is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::__WALL;
    // SAFETY: `info` is live and writable; P_PIDFD takes the descriptor as a number.
    let done = unsafe { libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, &raw mut info, flags) };
    Errno::result(done)?;
    // SAFETY: waitid fills the fields of SIGCHLD, or leaves zeros when no child has changed its state.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    Ok(Some(match info.si_code {
        libc::CLD_EXITED => ExitStatus::Code(status),
        libc::CLD_DUMPED => ExitStatus::Dumped(status),
        _ => ExitStatus::Signal(status),
    }))
}

/// A child that has ended and was not reaped yet; it stays as it is.
pub(crate) fn ended_child() -> Option<u32> {
    // SAFETY: a siginfo_t of zeros is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is live and writable.
    let done = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) };
    // SAFETY: waitid fills the field, or leaves a zero when no child has ended.
    let pid = if done == 0 { unsafe { info.si_pid() } } else { 0 };
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// Takes the remains of a child that has ended; how it ended is of no interest.
pub(crate) fn reap(pid: u32) {
    // SAFETY: takes numbers, and a place for the status that may be missing.
    unsafe { libc::waitpid(pid.cast_signed(), std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) };
}

/// Forks, into `cgroup` when given, with a pidfd for the parent.
///
/// # Safety
/// The child is a copy of one thread of a program that may have many: until it calls execve or _exit it must neither
/// allocate, lock, nor call anything that is not async-signal-safe.
pub(crate) unsafe fn fork(cgroup: Option<BorrowedFd<'_>>) -> Result<Forked> {
    // SAFETY: the caller's promise.
    unsafe { clone_process(cgroup, 0, libc::SIGCHLD) }
}

/// The same; the child is a child of the caller's parent, who hears of its end as of the caller's.
///
/// # Safety
/// As [`fork`].
pub(crate) unsafe fn fork_as_sibling(cgroup: Option<BorrowedFd<'_>>) -> Result<Forked> {
    // SAFETY: the caller's promise. The kernel wants no signal named here.
    unsafe { clone_process(cgroup, libc::CLONE_PARENT as u64, 0) }
}

/// # Safety
/// As [`fork`].
unsafe fn clone_process(cgroup: Option<BorrowedFd<'_>>, flags: u64, signal: i32) -> Result<Forked> {
    let mut pidfd: i32 = -1;
    let mut args = CloneArgs {
        flags: CLONE_PIDFD | flags,
        pidfd: &raw mut pidfd as u64,
        exit_signal: signal as u64,
        ..CloneArgs::default()
    };
    let mut size = CLONE_ARGS_SIZE_PLAIN;
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = directory.as_raw_fd() as u64;
        size = size_of::<CloneArgs>();
    }
    // SAFETY: the arguments are live; without CLONE_VM the child gets a copy of the memory and of this stack.
    let pid = Errno::result(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size) })?;
    if pid == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: CLONE_PIDFD has stored a new descriptor that nobody else knows of.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Forked::Parent { pid: pid as u32, pidfd })
}

/// Reads directory entries (`struct linux_dirent64`) into `buffer`; 0 at the end.
pub(crate) fn getdents(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to it.
    let read = unsafe { libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
    Errno::result(read).map(|n| n as usize)
}

/// Sets an extended attribute.
pub(crate) fn set_xattr(file: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: name is terminated, value is live for its length.
    let done = unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    Errno::result(done).map(drop)
}

/// Removes an extended attribute.
pub(crate) fn remove_xattr(file: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: name is terminated.
    Errno::result(unsafe { libc::fremovexattr(file.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// Reads an extended attribute into `buffer`.
pub(crate) fn get_xattr(file: BorrowedFd<'_>, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: name is terminated, the kernel writes at most `buffer.len()` bytes.
    let read = unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    Errno::result(read).map(|n| n as usize)
}

/// Whether two descriptors of this process are the same open file. A kernel that does not tell says no.
pub(crate) fn is_same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    const KCMP_FILE: libc::c_int = 0;
    let pid = std::process::id();
    // SAFETY: takes numbers.
    unsafe { libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, one.as_raw_fd(), other.as_raw_fd()) == 0 }
}
