//! Notices: a change of a watched cgroup, the end of a spawned process. One descriptor becomes readable for all of
//! them; no thread and no timer is needed.
//!
//! A cgroup costs one inotify watch on its `cgroup.events`, and one more on `memory.events` when out-of-memory news is
//! wanted. The files are watched and not the directory, because the kernel raises a notice only for a file whose inode
//! is in memory, and only a watch on the file itself keeps it there. A pollable descriptor per file instead would cost
//! four times the memory and one descriptor each.

use crate::errno::at;
use crate::notify::{MESSAGES_MAX, Message, NotifySocket};
use crate::{pins, sys};
use cgarbiter_core::event::{Event, ExitStatus};
use cgarbiter_core::exec::ExecFailure;
use cgarbiter_core::plan::{Pin, WatchId};
use cgarbiter_core::{Errno as Word, OpError};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::unistd::read;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Where an operator raises the limit that `ENOSPC` is about.
const WATCH_LIMIT: &str = "/proc/sys/fs/inotify/max_user_watches";
/// The same for `EMFILE` when the one instance is made.
const INSTANCE_LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";

/// Marks in the epoll set; processes are marked by their pid.
const INOTIFY: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;
const NOTIFY: u64 = u64::MAX - 2;
/// Goes with the number of a child whose way to its program is watched.
const EXECUTION: u64 = 1 << 40;
/// Marks a descriptor that is held, beside its number.
const DESCRIPTOR: u64 = 1 << 62;
/// Rounds of one drain, so that a flood of notices cannot keep the caller for ever.
const ROUNDS_MAX: u32 = 64;
/// Exit code told when somebody else in this program has reaped our child.
const CODE_UNKNOWN: i32 = 255;

/// Everything that is waited for.
#[derive(Debug)]
pub(crate) struct Notices {
    epoll: Epoll,
    inotify: Inotify,
    wake: EventFd,
    /// Where services tell of themselves.
    socket: OnceLock<NotifySocket>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    watches: HashMap<WatchDescriptor, WatchId>,
    descriptors: BTreeMap<WatchId, [Option<WatchDescriptor>; 2]>,
    /// Added, but whoever listens does not know them yet.
    unannounced: Vec<WatchId>,
    /// Announced, and their present state not yet reported.
    fresh: Vec<WatchId>,
    /// Processes whose end is waited for.
    processes: BTreeMap<u32, Process>,
    /// Children that have not become their programs yet, as far as is known.
    executions: BTreeMap<u32, Execution>,
}

/// A child on its way to become its program.
#[derive(Debug)]
struct Execution {
    /// Closed by execve, or by death.
    report: OwnedFd,
    /// What it has told so far.
    told: Vec<u8>,
    /// Whether it is news that all went well.
    tell: bool,
}

/// A process whose end is waited for.
#[derive(Debug)]
struct Process {
    pidfd: OwnedFd,
    /// Ours to reap; others are reaped by somebody else, before or after we hear of their end.
    is_child: bool,
}

impl Notices {
    pub(crate) fn new() -> Result<Self, OpError> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(|errno| at(INSTANCE_LIMIT.to_owned())(errno))?;
        let make = || {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
            epoll.add(&inotify, EpollEvent::new(EpollFlags::EPOLLIN, INOTIFY))?;
            epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
            Ok((epoll, wake))
        };
        let (epoll, wake) = make().map_err(|errno| at("epoll".to_owned())(errno))?;
        Ok(Self { epoll, inotify, wake, socket: OnceLock::new(), table: Mutex::default() })
    }

    /// Hears what services tell on this socket, too.
    pub(crate) fn listen(&self, socket: NotifySocket) -> Result<(), OpError> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, NOTIFY);
        self.epoll.add(socket.fd(), event).map_err(|errno| at("epoll".to_owned())(errno))?;
        assert!(self.socket.set(socket).is_ok(), "there is one socket for all");
        Ok(())
    }

    /// Becomes readable when there is something to drain.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Watches the cgroup at this absolute path; with `memory`, its out-of-memory news too, if it has such a file.
    pub(crate) fn add(&self, directory: &str, watch: WatchId, memory: bool) -> Result<(), OpError> {
        let events = self.add_file(directory, "cgroup.events")?;
        let memory = if memory {
            match self.add_file(directory, "memory.events") {
                Err(error) if error.errno == Word::NoEnt => None,
                added => Some(added?),
            }
        } else {
            None
        };
        let mut table = self.table();
        table.enter(watch, [Some(events), memory]);
        table.unannounced.push(watch);
        Ok(())
    }

    /// The watches added since are known now: the present state of each is reported with the next drain.
    pub(crate) fn announce(&self) {
        let mut table = self.table();
        if table.unannounced.is_empty() {
            return;
        }
        let mut added = std::mem::take(&mut table.unannounced);
        table.fresh.append(&mut added);
        drop(table);
        // Fails only when the counter is full, and then it is readable anyway.
        let _ = self.wake.write(1);
    }

    fn add_file(&self, directory: &str, file: &str) -> Result<WatchDescriptor, OpError> {
        let path = format!("{directory}/{file}");
        self.inotify
            .add_watch(path.as_str(), AddWatchFlags::IN_MODIFY)
            .map_err(|errno| at(if errno == Errno::ENOSPC { WATCH_LIMIT.to_owned() } else { path })(errno))
    }

    /// Stops watching; an unknown number is fine.
    pub(crate) fn remove(&self, watch: WatchId) {
        let mut table = self.table();
        for descriptor in table.leave(watch).into_iter().flatten() {
            // It may be gone already, along with the file.
            let _ = self.inotify.rm_watch(descriptor);
        }
        table.fresh.retain(|fresh| *fresh != watch);
        table.unannounced.retain(|added| *added != watch);
    }

    /// Waits for the end of a child.
    pub(crate) fn add_child(&self, pid: u32, pidfd: OwnedFd) -> Result<(), OpError> {
        self.enter(pid, Process { pidfd, is_child: true })
    }

    /// Waits for what a child tells on its way to become its program. To be called before [`add_child`].
    pub(crate) fn add_execution(&self, pid: u32, report: OwnedFd, tell: bool) -> Result<(), OpError> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, EXECUTION | u64::from(pid));
        let mut table = self.table();
        self.epoll.add(&report, event).map_err(|errno| at(format!("/proc/{pid}"))(errno))?;
        table.executions.insert(pid, Execution { report, told: Vec::new(), tell });
        Ok(())
    }

    /// Whether somebody waits for the end of this process.
    pub(crate) fn waits_for(&self, pid: u32) -> bool {
        self.table().processes.contains_key(&pid)
    }

    /// Waits for the end of a process that is no child of ours, or was not one when it began.
    pub(crate) fn add_process(&self, pid: u32, pidfd: OwnedFd) -> Result<(), OpError> {
        self.enter(pid, Process { pidfd, is_child: false })
    }

    fn enter(&self, pid: u32, process: Process) -> Result<(), OpError> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(pid));
        // Known before it can be heard of, so that its end finds it.
        let mut table = self.table();
        self.epoll.add(&process.pidfd, event).map_err(|errno| at(format!("/proc/{pid}"))(errno))?;
        table.processes.insert(pid, process);
        Ok(())
    }

    /// Hears when the other end of a descriptor goes, once. Of one that has no other end there is nothing to hear.
    pub(crate) fn add_descriptor(&self, pin: Pin, descriptor: BorrowedFd<'_>) {
        let event = EpollEvent::new(EpollFlags::EPOLLONESHOT, DESCRIPTOR | pin.0 & !Pin::OTHER);
        let _ = self.epoll.add(descriptor, event);
    }

    /// To be called before it is closed: others may hold it open.
    pub(crate) fn forget_descriptor(&self, descriptor: BorrowedFd<'_>) {
        let _ = self.epoll.delete(descriptor);
    }

    /// Sends a signal to a process whose end has not been told; otherwise answers none.
    pub(crate) fn signal_child(&self, pid: u32, signal: i32) -> Option<nix::Result<()>> {
        let table = self.table();
        Some(sys::pidfd_signal(table.processes.get(&pid)?.pidfd.as_fd(), signal))
    }

    /// Hands over what has happened: ends of processes first, then each changed watch once. Answers whether that was
    /// all; if not, the caller shall come again before it waits.
    pub(crate) fn drain(&self, hear: &mut dyn FnMut(Message) -> Event, hand_over: &mut dyn FnMut(Event)) -> bool {
        let mut left = MESSAGES_MAX;
        for _ in 0..ROUNDS_MAX {
            let round = self.drain_round();
            // What somebody has said comes before the news of its end.
            while let Some(message) = self.socket.get().and_then(|socket| socket.take(&mut left)) {
                hand_over(hear(message));
            }
            if left == 0 {
                Self::hand_over_round(round, hand_over);
                return false;
            }
            if round.is_empty() {
                return true;
            }
            Self::hand_over_round(round, hand_over);
        }
        false
    }

    fn hand_over_round(round: Round, hand_over: &mut dyn FnMut(Event)) {
        for (pid, failure) in round.executed {
            hand_over(Event::Executed { pid, failure });
        }
        for (pid, status) in round.exited {
            hand_over(Event::Exited { pid, status });
        }
        for watch in round.changed {
            hand_over(Event::CgroupChanged { watch });
        }
        round.hung_up.into_iter().for_each(|pin| hand_over(Event::HungUp(pin)));
    }

    fn drain_round(&self) -> Round {
        let mut ready = [EpollEvent::empty(); 64];
        let count = self.epoll.wait(&mut ready, 0_u8).unwrap_or(0);
        let mut round = Round::default();
        let mut table = self.table();
        for event in &ready[..count] {
            match event.data() {
                INOTIFY => round.read |= self.read_inotify(&mut table, &mut round.changed),
                // Read with every round.
                NOTIFY => round.read = true,
                WAKE => {
                    let _ = self.wake.read();
                    round.read = true;
                    round.changed.append(&mut table.fresh);
                }
                mark if mark & DESCRIPTOR != 0 => round.hung_up.push(Pin(mark & !DESCRIPTOR | Pin::OTHER)),
                mark if mark & EXECUTION != 0 => {
                    let pid = u32::try_from(mark & !EXECUTION).unwrap_or(0);
                    round.read = true;
                    round.executed.extend(self.hear_of(&mut table, pid, false));
                }
                pid => {
                    let pid = u32::try_from(pid).unwrap_or(0);
                    let ended = self.reap(&mut table, pid);
                    round.executed.extend(self.hear_of(&mut table, pid, ended.is_some()));
                    round.exited.extend(ended.map(|status| (pid, status)));
                }
            }
        }
        round.changed.sort_unstable();
        round.changed.dedup();
        round
    }

    /// Reads what a child has told; an event once it is all told, if it is news. One that has ended has told all, even
    /// if the spawner has not got round to closing its end: the event comes before that of the end.
    fn hear_of(&self, table: &mut Table, pid: u32, has_ended: bool) -> Option<(u32, Option<ExecFailure>)> {
        let execution = table.executions.get_mut(&pid)?;
        let mut buffer = [0_u8; 256];
        loop {
            match read(&execution.report, &mut buffer) {
                Ok(0) => break,
                Ok(more) => execution.told.extend_from_slice(&buffer[..more]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if !has_ended => return None,
                Err(_) => break,
            }
        }
        let _ = self.epoll.delete(&execution.report);
        let execution = table.executions.remove(&pid)?;
        let failure = crate::child::failure_told(&execution.told);
        // A child that was killed before it became its program has told neither; its end says enough.
        (failure.is_some() || execution.tell).then_some((pid, failure))
    }

    fn reap(&self, table: &mut Table, pid: u32) -> Option<ExitStatus> {
        let process = table.processes.get(&pid)?;
        // A child of the program that was here before us in this process is one of ours.
        let status = match sys::wait_pidfd(process.pidfd.as_fd()) {
            Ok(status) => status?,
            Err(_) if process.is_child => ExitStatus::Code(CODE_UNKNOWN),
            Err(_) => self.status_of(pid, &process.pidfd)?,
        };
        let _ = self.epoll.delete(&process.pidfd);
        table.processes.remove(&pid);
        Some(status)
    }

    /// How a process ended that somebody else reaps. Kernels that can tell (6.15) do so once it has been reaped: then
    /// the descriptor hangs up. But some who should reap are slow, or never do it (as many a process 1 of a container):
    /// until then the process itself tells, on any kernel. None when neither can be had yet.
    fn status_of(&self, pid: u32, pidfd: &OwnedFd) -> Option<ExitStatus> {
        match sys::pidfd_exit(pidfd.as_fd()) {
            Ok(Some(status)) => Some(status),
            Ok(None) => {
                if let Some(status) = pins::unreaped_status(pid, pidfd.as_fd()) {
                    return Some(status);
                }
                // Ended, not reaped yet: only the hanging up is news.
                let mut event = EpollEvent::new(EpollFlags::empty(), u64::from(pid));
                match self.epoll.modify(pidfd, &mut event) {
                    Ok(()) => None,
                    Err(_) => Some(ExitStatus::Lost),
                }
            }
            Err(_) => Some(pins::unreaped_status(pid, pidfd.as_fd()).unwrap_or(ExitStatus::Lost)),
        }
    }

    /// Reads all that inotify holds; answers whether there was anything.
    fn read_inotify(&self, table: &mut Table, changed: &mut Vec<WatchId>) -> bool {
        let mut any = false;
        while let Ok(events) = self.inotify.read_events() {
            any = true;
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    // Notices were lost, nobody knows which.
                    changed.extend(table.descriptors.keys());
                    continue;
                }
                let Some(&watch) = table.watches.get(&event.wd) else { continue };
                changed.push(watch);
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    table.lose(watch, event.wd);
                }
            }
        }
        any
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one look has found.
#[derive(Default)]
struct Round {
    hung_up: Vec<Pin>,
    executed: Vec<(u32, Option<ExecFailure>)>,
    exited: Vec<(u32, ExitStatus)>,
    changed: Vec<WatchId>,
    /// Something was read, even if it led to nothing.
    read: bool,
}

impl Round {
    fn is_empty(&self) -> bool {
        let is_silent = self.executed.is_empty() && self.exited.is_empty() && self.changed.is_empty();
        is_silent && self.hung_up.is_empty() && !self.read
    }
}

impl Table {
    /// The same file has the same descriptor: a newer watch takes it over from an older one.
    fn enter(&mut self, watch: WatchId, descriptors: [Option<WatchDescriptor>; 2]) {
        for descriptor in descriptors.into_iter().flatten() {
            if let Some(older) = self.watches.insert(descriptor, watch).filter(|older| *older != watch) {
                self.lose_from(older, descriptor);
            }
        }
        self.descriptors.insert(watch, descriptors);
    }

    fn leave(&mut self, watch: WatchId) -> [Option<WatchDescriptor>; 2] {
        let descriptors = self.descriptors.remove(&watch).unwrap_or_default();
        for descriptor in descriptors.iter().flatten() {
            self.watches.remove(descriptor);
        }
        descriptors
    }

    /// The kernel has dropped a descriptor, because its file is gone.
    fn lose(&mut self, watch: WatchId, descriptor: WatchDescriptor) {
        self.watches.remove(&descriptor);
        self.lose_from(watch, descriptor);
    }

    fn lose_from(&mut self, watch: WatchId, descriptor: WatchDescriptor) {
        if let Some(slots) = self.descriptors.get_mut(&watch) {
            slots.iter_mut().filter(|slot| **slot == Some(descriptor)).for_each(|slot| *slot = None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories with the same file names; inotify does not mind which file system they are in.
    fn group(name: &str, dir: &tempfile::TempDir) -> String {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).expect("made");
        std::fs::write(path.join("cgroup.events"), "populated 0\n").expect("written");
        path.to_str().expect("text").to_owned()
    }

    fn drained(notices: &Notices) -> Vec<u64> {
        notices.announce();
        let mut seen = Vec::new();
        let mut hear = |message: Message| panic!("unexpected {message:?}");
        let all = notices.drain(&mut hear, &mut |event| match event {
            Event::CgroupChanged { watch } => seen.push(watch.0),
            other => panic!("unexpected {other:?}"),
        });
        assert!(all);
        seen
    }

    #[test]
    fn each_watch_reports_once_after_it_was_added_and_once_per_change() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let notices = Notices::new().expect("made");
        let (a, b) = (group("a", &dir), group("b", &dir));
        notices.add(&a, WatchId(1), true).expect("no memory.events is fine");
        notices.add(&b, WatchId(2), false).expect("added");
        assert_eq!(drained(&notices), [1, 2]);
        assert_eq!(drained(&notices), Vec::<u64>::new());
        for _ in 0..3 {
            std::fs::write(format!("{b}/cgroup.events"), "populated 1\n").expect("written");
        }
        assert_eq!(drained(&notices), [2]);
        notices.remove(WatchId(2));
        notices.remove(WatchId(2));
        std::fs::write(format!("{b}/cgroup.events"), "populated 0\n").expect("written");
        assert_eq!(drained(&notices), Vec::<u64>::new());
    }

    #[test]
    fn a_file_that_vanishes_is_told_and_forgotten() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let notices = Notices::new().expect("made");
        let a = group("a", &dir);
        notices.add(&a, WatchId(1), false).expect("added");
        assert_eq!(drained(&notices), [1]);
        std::fs::remove_file(format!("{a}/cgroup.events")).expect("removed");
        assert_eq!(drained(&notices), [1]);
        assert!(notices.table().watches.is_empty());
        notices.remove(WatchId(1));
        assert!(notices.table().descriptors.is_empty());
        assert_eq!(notices.add(&a, WatchId(2), false).expect_err("gone").errno, Word::NoEnt);
    }

    #[test]
    fn a_newer_watch_takes_the_place_of_an_older_one() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let notices = Notices::new().expect("made");
        let a = group("a", &dir);
        notices.add(&a, WatchId(1), false).expect("added");
        notices.add(&a, WatchId(2), false).expect("added");
        assert_eq!(drained(&notices), [1, 2]);
        notices.remove(WatchId(1));
        std::fs::write(format!("{a}/cgroup.events"), "populated 1\n").expect("written");
        assert_eq!(drained(&notices), [2]);
    }

    #[test]
    fn after_an_overflow_every_watch_is_looked_at() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let notices = Notices::new().expect("made");
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("readable");
        let limit: u32 = limit.trim().parse().expect("a number");
        let (a, b, quiet) = (group("a", &dir), group("b", &dir), group("quiet", &dir));
        for (path, id) in [(&a, 1), (&b, 2), (&quiet, 3)] {
            notices.add(path, WatchId(id), false).expect("added");
        }
        assert_eq!(drained(&notices), [1, 2, 3]);
        // Equal notices in a row are merged, so that they have to take turns.
        let open = |path: &str| std::fs::File::options().write(true).open(format!("{path}/cgroup.events"));
        let files = [open(&a).expect("opens"), open(&b).expect("opens")];
        for turn in 0..limit + 10 {
            std::os::unix::fs::FileExt::write_at(&files[turn as usize % 2], b"x", 0).expect("written");
        }
        assert_eq!(drained(&notices), [1, 2, 3]);
    }
}
