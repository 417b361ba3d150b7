//! The simulated kernel with the clients' real processes in it: holds them by pidfds, hears of their ends, delivers
//! signals. What any of that means is the simulator's business.

use cgarbiter_core::event::{ExitStatus, PinAnswer};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Pin, Plan, Spawn};
use cgarbiter_core::{Answer, Errno, Event, OpError, Question, Report};
use cgarbiter_fs_backend::{Launched, Launcher, Options, Report as Execution, handles};
use cgarbiter_sim::backend::Real;
use cgarbiter_sim::kernel;
use cgarbiter_sim::live::Live;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Goes with the number of a child whose way to its program is watched.
const EXECUTION: u64 = 1 << 40;

/// The simulated tree and the real processes in it.
pub struct LiveBackend {
    live: Live,
    ends: Epoll,
    processes: BTreeMap<u32, OwnedFd>,
    /// Those that we have started, and whose end is ours to collect.
    children: BTreeSet<u32>,
    launcher: Launcher,
    /// Children on their way to their programs, and whether it is news that they have come there.
    executions: BTreeMap<u32, (Execution, bool)>,
    /// Descriptors that clients have sent, and that are no processes.
    others: BTreeMap<u64, OwnedFd>,
    news: VecDeque<Event>,
}

impl LiveBackend {
    /// An empty tree.
    ///
    /// # Errors
    /// The system gives no epoll set.
    pub fn new() -> io::Result<Self> {
        let live = Live::new(kernel::Config::default(), std::process::id())
            .map_err(|errno| io::Error::other(format!("{errno:?}")))?;
        let ends = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self {
            live,
            ends,
            processes: BTreeMap::new(),
            children: BTreeSet::new(),
            launcher: Launcher::new(&Options::default()),
            executions: BTreeMap::new(),
            others: BTreeMap::new(),
            news: VecDeque::new(),
        })
    }

    /// Readable when a process has ended.
    ///
    /// # Errors
    /// The system gives no more descriptors.
    pub fn notices(&self) -> io::Result<OwnedFd> {
        self.ends.0.as_fd().try_clone_to_owned()
    }

    /// Runs a plan.
    pub fn run(&mut self, plan: &Plan) -> Report {
        self.note_ends();
        self.live.begin(plan.clone());
        loop {
            let report = match self.live.poll_spawn().cloned() {
                Some(command) => {
                    let result = self.spawn(&command);
                    self.live.spawned(result)
                }
                None => self.live.step(),
            };
            self.deliver();
            if let Some(report) = report {
                return report;
            }
        }
    }

    /// Answers a question; processes that it is about and that are new here are met first.
    pub fn answer(&mut self, question: &Question) -> Answer {
        self.note_ends();
        for pid in self.live.strangers(question) {
            self.meet(pid);
        }
        let mut answer = self.live.answer(question);
        if let Answer::Members(Some(members)) = &mut answer {
            for member in members {
                // A process may have become another program since it was met.
                if let Some(command) = command_of(member.pid) {
                    member.command = command;
                }
            }
        }
        answer
    }

    /// Lets go of processes.
    pub fn release(&mut self, pins: &[Pin]) {
        pins.iter().for_each(|pin| drop(self.others.remove(&pin.0)));
        self.live.release(pins);
    }

    /// Takes hold of the process behind a pidfd, or of the descriptor if it is none.
    pub fn adopt(&mut self, descriptor: OwnedFd) -> u64 {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd())).unwrap_or_default();
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse::<u32>().ok());
        let Some(pid) = pid else {
            let number = self.others.last_key_value().map_or(1, |(last, _)| (last & !Pin::OTHER) + 1) | Pin::OTHER;
            self.others.insert(number, descriptor);
            return number;
        };
        match self.answer(&Question::Pin(vec![pid])) {
            Answer::Processes(held) => match held[..] {
                [PinAnswer::Held { pin, .. }] => pin.0,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// Hands over what has happened; always everything.
    pub fn drain(&mut self, hand_over: &mut dyn FnMut(Event)) -> bool {
        self.note_ends();
        self.deliver();
        self.news.drain(..).for_each(&mut *hand_over);
        while let Some(event) = self.live.poll_event() {
            hand_over(event);
        }
        true
    }

    /// Tells the simulator of every held process that has ended.
    fn note_ends(&mut self) {
        let mut events = [EpollEvent::empty(); 64];
        while let Ok(count @ 1..) = self.ends.wait(&mut events, EpollTimeout::ZERO) {
            for event in &events[..count] {
                let Ok(pid) = u32::try_from(event.data() & !EXECUTION) else { continue };
                self.hear_of(pid);
                if event.data() & EXECUTION != 0 {
                    continue;
                }
                if let Some(descriptor) = self.processes.remove(&pid) {
                    let _ = self.ends.delete(&descriptor);
                    let ours = self.children.remove(&pid);
                    let status = if ours { exit_status(&descriptor) } else { ExitStatus::Code(0) };
                    self.live.ended(pid, status);
                }
            }
        }
    }

    /// Hears whether a child has become its program.
    fn hear_of(&mut self, pid: u32) {
        let Some((report, tell)) = self.executions.get_mut(&pid) else { return };
        let Some(failure) = report.read() else { return };
        if failure.is_some() || *tell {
            self.news.push_back(Event::Executed { pid, failure });
        }
        if let Some((report, _)) = self.executions.remove(&pid) {
            let _ = self.ends.delete(report.as_fd());
        }
    }

    /// Meets a process by number, if it lives.
    fn meet(&mut self, pid: u32) {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
        let Ok(descriptor) = pidfd_open(raw, PidfdFlags::empty()) else { return };
        let Some(real) = self.examine(pid) else { return };
        if self.live.introduce(&real).is_ok() {
            self.hold(pid, descriptor);
        }
    }

    fn hold(&mut self, pid: u32, descriptor: OwnedFd) {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(pid));
        if self.ends.add(descriptor.as_fd(), event).is_ok() {
            self.processes.insert(pid, descriptor);
        }
    }

    /// What /proc tells of a process; none for zombies.
    fn examine(&mut self, pid: u32) -> Option<Real> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if field("State:").is_some_and(|state| state.starts_with('Z')) {
            return None;
        }
        let id = |name: &str| field(name)?.split_whitespace().next()?.parse::<u32>().ok();
        let parent = id("PPid:");
        let cgroup = parent.and_then(|parent| self.cgroup_of_ancestor(parent));
        Some(Real { pid, user: (id("Uid:")?, id("Gid:")?), cgroup, command: command_of(pid) })
    }

    /// The cgroup of the nearest ancestor that is known here.
    fn cgroup_of_ancestor(&mut self, mut pid: u32) -> Option<CgroupPath> {
        for _ in 0..64 {
            if self.processes.contains_key(&pid) {
                return match self.live.answer(&Question::CgroupOf(pid)) {
                    Answer::Cgroup { cgroup, .. } => cgroup,
                    _ => None,
                };
            }
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            pid = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())?;
        }
        None
    }

    fn spawn(&mut self, spawn: &Spawn) -> Result<Real, OpError> {
        let handles = handles(spawn).map(|handle| self.others.get(&handle).map(AsFd::as_fd));
        let handles: Option<Vec<_>> = handles.collect();
        let handles = handles.ok_or_else(|| OpError::new("descriptor", Errno::BadF))?;
        let Launched { pid, pidfd, report } = self.launcher.launch(spawn, &handles)?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, EXECUTION | u64::from(pid));
        if self.ends.add(report.as_fd(), event).is_ok() {
            self.executions.insert(pid, (report, spawn.tell_executed));
        }
        self.children.insert(pid);
        self.hold(pid, pidfd);
        let user = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        Ok(Real { pid, user, cgroup: None, command: command_of(pid) })
    }

    /// Sends the signals that the simulator has for real processes.
    fn deliver(&mut self) {
        while let Some(delivery) = self.live.poll_delivery() {
            let signal = Signal::from_named_raw(delivery.signal);
            if let (Some(descriptor), Some(signal)) = (self.processes.get(&delivery.pid), signal) {
                // A process that has just ended hears nothing; its end is on its way to us.
                let _ = pidfd_send_signal(descriptor, signal);
            }
        }
    }
}

/// How a child of ours ended. Others are taken to have ended well, since the kernel tells only their parents.
fn exit_status(descriptor: &OwnedFd) -> ExitStatus {
    match waitid(WaitId::PidFd(descriptor.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
        Ok(Some(status)) if status.dumped() => ExitStatus::Dumped(status.terminating_signal().unwrap_or(0)),
        Ok(Some(status)) if status.killed() => ExitStatus::Signal(status.terminating_signal().unwrap_or(0)),
        Ok(Some(status)) => ExitStatus::Code(status.exit_status().unwrap_or(0)),
        _ => ExitStatus::Code(0),
    }
}

fn command_of(pid: u32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let text: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    (!text.is_empty()).then(|| text.join(" "))
}
