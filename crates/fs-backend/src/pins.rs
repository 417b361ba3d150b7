//! Processes held by a pidfd from the moment they are named until they have moved, so that their number cannot come to
//! mean another process.

use crate::errno::at;
use crate::{parse, sys};
use cgarbiter_core::OpError;
use cgarbiter_core::event::{ExitStatus, PinAnswer};
use cgarbiter_core::plan::Pin;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Process 2 starts all threads of the kernel.
const KTHREADD: u32 = 2;

/// A process that is held.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) pidfd: OwnedFd,
    pub(crate) pid: u32,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    next: u64,
    held: BTreeMap<u64, Pinned>,
    /// Descriptors that are no processes.
    others: BTreeMap<u64, Other>,
}

/// A descriptor that is no process, and what it is a descriptor of.
#[derive(Debug)]
struct Other {
    descriptor: OwnedFd,
    file: Option<(u64, u64)>,
}

impl Pins {
    /// Enters an examined process.
    pub(crate) fn hold(&mut self, examined: Examined) -> PinAnswer {
        match examined {
            Examined::Process(pinned, uid) => {
                self.next += 1;
                self.held.insert(self.next, pinned);
                PinAnswer::Held { pin: Pin(self.next), uid }
            }
            Examined::Refused(answer) => answer,
        }
    }

    /// Takes a process out of the table.
    pub(crate) fn take(&mut self, pin: Pin) -> Option<Pinned> {
        self.held.remove(&pin.0)
    }

    /// Keeps a descriptor that is no process.
    pub(crate) fn hold_other(&mut self, descriptor: OwnedFd) -> Pin {
        self.next += 1;
        let pin = self.next | Pin::OTHER;
        let file = file_of(&descriptor);
        self.others.insert(pin, Other { descriptor, file });
        Pin(pin)
    }

    /// Another hand on a descriptor that is no process.
    pub(crate) fn copy_of(&self, pin: Pin) -> Option<OwnedFd> {
        self.others.get(&pin.0)?.descriptor.try_clone().ok()
    }

    /// A descriptor that is no process.
    pub(crate) fn other(&self, pin: Pin) -> Option<BorrowedFd<'_>> {
        self.others.get(&pin.0).map(|other| other.descriptor.as_fd())
    }

    /// Takes a descriptor that is no process out of the table; an unknown one is fine.
    pub(crate) fn take_other(&mut self, pin: Pin) -> Option<OwnedFd> {
        self.others.remove(&pin.0).map(|other| other.descriptor)
    }

    /// Which of those that are held are the same open file. Files are told apart first by what is cheap.
    pub(crate) fn same_as(&self, descriptor: &OwnedFd) -> Vec<Pin> {
        let own = file_of(descriptor);
        let alike = self.others.iter().filter(|(_, other)| own.is_some() && other.file == own);
        let is_same = |other: &Other| sys::is_same_file(descriptor.as_fd(), other.descriptor.as_fd());
        alike.filter(|(_, other)| is_same(other)).map(|(pin, _)| Pin(*pin)).collect()
    }

    /// How many are held.
    pub(crate) fn len(&self) -> usize {
        self.held.len() + self.others.len()
    }
}

/// Device and inode: different for different files, the same for some that are not.
fn file_of(descriptor: &OwnedFd) -> Option<(u64, u64)> {
    fstat(descriptor).ok().map(|file| (file.st_dev, file.st_ino))
}

/// What a process turned out to be.
pub(crate) enum Examined {
    /// One that can be moved, and its real user.
    Process(Pinned, u32),
    /// Not one.
    Refused(PinAnswer),
}

/// Takes hold of the process with this number; of the whole process when it is the number of a thread.
pub(crate) fn examine_pid(pid: u32) -> Result<Examined, OpError> {
    if is_manager(pid) {
        return Ok(Examined::Refused(PinAnswer::Manager));
    }
    if pid == 0 {
        return Ok(Examined::Refused(PinAnswer::Gone));
    }
    match sys::pidfd_open(pid) {
        Ok(pidfd) => examine(pidfd, pid),
        Err(Errno::ESRCH) => Ok(Examined::Refused(PinAnswer::Gone)),
        // Not the leader of its process: EINVAL, ENOENT on newer kernels.
        Err(Errno::EINVAL | Errno::ENOENT) => match leader_of(pid).filter(|leader| *leader != pid) {
            Some(leader) => examine_pid(leader),
            None => Ok(Examined::Refused(PinAnswer::Gone)),
        },
        Err(errno) => Err(at(format!("/proc/{pid}"))(errno)),
    }
}

/// Whether a descriptor stands for a process.
pub(crate) fn is_pidfd(descriptor: &OwnedFd) -> bool {
    !matches!(sys::pidfd_signal(descriptor.as_fd(), 0), Err(Errno::EBADF))
}

/// Takes over a descriptor that a client sent; an error when it is not a pidfd of a whole process.
pub(crate) fn examine_pidfd(pidfd: OwnedFd) -> Result<Examined, OpError> {
    let refuse = |errno| at("pidfd".to_owned())(errno);
    // Safe to ask any descriptor; what is no pidfd says EBADF.
    match sys::pidfd_signal(pidfd.as_fd(), 0) {
        Ok(()) | Err(Errno::EPERM) => {}
        Err(Errno::ESRCH) => return Ok(Examined::Refused(PinAnswer::Gone)),
        Err(errno) => return Err(refuse(errno)),
    }
    let pid = match sys::pidfd_info(pidfd.as_fd()) {
        Ok(info) if info.pid != info.tgid => return Err(refuse(Errno::EINVAL)),
        Ok(info) => info.pid,
        Err(Errno::ESRCH) => return Ok(Examined::Refused(PinAnswer::Gone)),
        Err(_) => match pid_from_fdinfo(pidfd.as_fd()) {
            Some(-1) => return Ok(Examined::Refused(PinAnswer::Gone)),
            Some(pid) => u32::try_from(pid).unwrap_or(0),
            None => return Err(refuse(Errno::EBADF)),
        },
    };
    match pid {
        // It lives in a pid namespace that we cannot see into, and so cannot be moved by number.
        0 => Err(refuse(Errno::ESRCH)),
        pid if is_manager(pid) => Ok(Examined::Refused(PinAnswer::Manager)),
        pid => examine(pidfd, pid),
    }
}

fn examine(pidfd: OwnedFd, pid: u32) -> Result<Examined, OpError> {
    let told = match sys::pidfd_info(pidfd.as_fd()) {
        Ok(info) => Some(info),
        Err(Errno::ESRCH) => return Ok(Examined::Refused(PinAnswer::Gone)),
        Err(_) => None,
    };
    if has_ended(pidfd.as_fd()) {
        return Ok(Examined::Refused(PinAnswer::Gone));
    }
    let uid = match told {
        Some(info) if info.ppid != 0 && info.ppid != KTHREADD && pid != KTHREADD => info.uid,
        _ => {
            let stat = read_proc(pid, "stat").as_deref().and_then(parse::proc_stat);
            let status = read_proc(pid, "status");
            let uid = status.as_deref().and_then(|text| parse::proc_field(text, "Uid"));
            // What was read belongs to the process only if that is still there.
            if sys::pidfd_signal(pidfd.as_fd(), 0) == Err(Errno::ESRCH) {
                return Ok(Examined::Refused(PinAnswer::Gone));
            }
            if stat.is_some_and(|stat| stat.kernel_thread) {
                return Ok(Examined::Refused(PinAnswer::KernelThread));
            }
            let uid = uid.and_then(|uid| u32::try_from(uid).ok()).or(told.map(|info| info.uid));
            uid.ok_or_else(|| at(format!("/proc/{pid}/status"))(Errno::EIO))?
        }
    };
    Ok(Examined::Process(Pinned { pidfd, pid }, uid))
}

/// Whether all threads of the process have ended; it may still wait to be reaped.
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// How a process ended that nobody has reaped yet. None if it has been, or if we may not know.
pub(crate) fn unreaped_status(pid: u32, pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    let status = parse::zombie_status(&read_proc(pid, "stat")?)?;
    // It is still there: so it was this process that was looked at, and no later one of the same number.
    sys::pidfd_signal(pidfd, 0).ok()?;
    (status != 0 || may_look_at_all()).then(|| sys::status_of(status))
}

/// Whether we have the right (`CAP_SYS_PTRACE`) to look at processes of others.
fn may_look_at_all() -> bool {
    const CAP_SYS_PTRACE: u64 = 1 << 19;
    let status = read_proc(std::process::id(), "status").unwrap_or_default();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    rights.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|set| set & CAP_SYS_PTRACE != 0)
}

/// The process a thread belongs to.
pub(crate) fn leader_of(tid: u32) -> Option<u32> {
    let leader = parse::proc_field(&read_proc(tid, "status")?, "Tgid")?;
    u32::try_from(leader).ok()
}

fn is_manager(pid: u32) -> bool {
    pid == 1 || pid == std::process::id()
}

fn read_proc(pid: u32, file: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn pid_from_fdinfo(pidfd: BorrowedFd<'_>) -> Option<i64> {
    use std::os::fd::AsRawFd;
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    parse::proc_field(&text, "Pid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn child() -> std::process::Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat runs")
    }

    fn answer(pid: u32) -> PinAnswer {
        Pins::default().hold(examine_pid(pid).expect("examined"))
    }

    #[test]
    fn a_process_is_held_and_its_user_known() {
        let mut child = child();
        let uid = nix::unistd::getuid().as_raw();
        assert_eq!(answer(child.id()), PinAnswer::Held { pin: Pin(1), uid });
        let pidfd = sys::pidfd_open(child.id()).expect("opens");
        let adopted = Pins::default().hold(examine_pidfd(pidfd).expect("a pidfd"));
        assert_eq!(adopted, PinAnswer::Held { pin: Pin(1), uid });
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    #[test]
    fn what_cannot_be_moved_is_refused() {
        assert_eq!(answer(1), PinAnswer::Manager);
        assert_eq!(answer(std::process::id()), PinAnswer::Manager);
        assert_eq!(answer(0), PinAnswer::Gone);
        assert_eq!(answer(u32::MAX), PinAnswer::Gone);
        if parse::proc_stat(&read_proc(KTHREADD, "stat").unwrap_or_default()).is_some_and(|s| s.kernel_thread) {
            assert_eq!(answer(KTHREADD), PinAnswer::KernelThread);
        }
    }

    /// Its parent is another program that never asks how it ended.
    #[test]
    fn who_is_never_reaped_tells_how_it_ended() {
        for (end, want) in [("exit 7", ExitStatus::Code(7)), ("kill -TERM $$", ExitStatus::Signal(15))] {
            let script = format!("sh -c 'read go; {end}' <&3 & echo $!; exec sleep 600 3<&-");
            let (gate, open) = std::io::pipe().expect("a pipe");
            let mut command = Command::new("sh");
            command.args(["-c", &format!("exec 3<&0; {script}")]).stdin(gate).stdout(Stdio::piped());
            let mut parent = command.spawn().expect("sh runs");
            let mut line = String::new();
            let told = parent.stdout.take().expect("a pipe");
            std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut line).expect("told");
            let pid: u32 = line.trim().parse().expect("a pid");
            let pidfd = sys::pidfd_open(pid).expect("opens");
            assert_eq!(unreaped_status(pid, pidfd.as_fd()), None, "it lives");
            // The shell would reap it.
            while read_proc(parent.id(), "comm").as_deref() != Some("sleep\n") {
                std::thread::yield_now();
            }
            drop(open);
            while !has_ended(pidfd.as_fd()) {
                std::thread::yield_now();
            }
            assert_eq!(unreaped_status(pid, pidfd.as_fd()), Some(want));
            parent.kill().expect("killed");
            parent.wait().expect("reaped");
        }
    }

    #[test]
    fn zombies_and_the_reaped_are_gone() {
        let mut child = child();
        let pidfd = sys::pidfd_open(child.id()).expect("opens");
        child.kill().expect("killed");
        while !has_ended(pidfd.as_fd()) {
            std::thread::yield_now();
        }
        assert_eq!(answer(child.id()), PinAnswer::Gone);
        child.wait().expect("reaped");
        assert!(matches!(examine_pidfd(pidfd), Ok(Examined::Refused(PinAnswer::Gone))));
    }

    #[test]
    fn a_thread_stands_for_its_process() {
        let (send, receive) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            send.send(nix::unistd::gettid().as_raw() as u32).expect("sent");
            stopped.recv().ok();
        });
        let tid = receive.recv().expect("received");
        assert_eq!(answer(tid), PinAnswer::Manager, "a thread of ours");
        drop(stop);
        thread.join().expect("joined");
    }

    #[test]
    fn only_pidfds_are_adopted() {
        for path in ["/dev/null", "/proc"] {
            let file = std::fs::File::open(path).expect("opens");
            assert!(examine_pidfd(file.into()).is_err(), "{path}");
        }
    }
}
