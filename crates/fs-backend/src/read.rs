//! Answers to the core's questions. Whatever is missing is said to be missing; nothing is guessed.

use crate::apply::open_file;
use crate::cmdline::command_line;
use crate::dirs::Dir;
use crate::errno::at;
use crate::executor::Executor;
use crate::parse;
use crate::pins::examine_pid;
use crate::root::Root;
use crate::sys;
use crate::tree::{Visit, walk};
use cgarbiter_core::event::{CgroupEvents, Member, PinAnswer, Readings};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Counters, Pin};
use cgarbiter_core::{Answer, OpError, Question};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::read;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Executor {
    /// Answers a question about the present state. Names on the bus are not known here.
    pub fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Pin(pids) => match self.pin(pids) {
                Ok(answers) => Answer::Processes(answers),
                Err(error) => Answer::Failed(error),
            },
            Question::CgroupOf(pid) => Answer::Cgroup { pid: *pid, cgroup: self.cgroup_of(*pid) },
            Question::CgroupOfPin(pin) => self.cgroup_of_pin(*pin),
            Question::Events(cgroup) => match self.events(cgroup) {
                Ok(events) => Answer::Events(Some(events)),
                Err(Errno::ENOENT | Errno::ENODEV) => Answer::Events(None),
                Err(errno) => Answer::Failed(at(self.path_of(cgroup, "cgroup.events"))(errno)),
            },
            Question::Readings(cgroup) => Answer::Readings(self.readings(cgroup)),
            Question::Members(cgroup) => match self.members(cgroup) {
                Ok(members) => Answer::Members(Some(members)),
                Err(Errno::ENOENT | Errno::ENODEV) => Answer::Members(None),
                Err(errno) => Answer::Failed(at(self.path_of(cgroup, ""))(errno)),
            },
            Question::UnitFiles(search) => self.unit_files(search),
            Question::Orphans(cgroup) => match self.orphans(cgroup) {
                Ok(pids) => Answer::Pids(pids),
                Err(Errno::ENOENT | Errno::ENODEV) => Answer::Pids(Vec::new()),
                Err(errno) => Answer::Failed(at(self.path_of(cgroup, ""))(errno)),
            },
            Question::PidFile(file) => self.pid_file(file),
            Question::BusNameOwned(name) => Answer::Failed(at(format!("bus name {name}"))(Errno::EOPNOTSUPP)),
        }
    }

    fn pin(&mut self, pids: &[u32]) -> Result<Vec<PinAnswer>, OpError> {
        let mut answers = Vec::with_capacity(pids.len());
        for pid in pids {
            match examine_pid(*pid) {
                Ok(examined) => answers.push(self.shared.pins().hold(examined)),
                Err(error) => {
                    let held = answers.iter().filter_map(|answer| match answer {
                        PinAnswer::Held { pin, .. } => Some(*pin),
                        _ => None,
                    });
                    self.release(&held.collect::<Vec<_>>());
                    return Err(error);
                }
            }
        }
        Ok(answers)
    }

    fn cgroup_of_pin(&mut self, pin: Pin) -> Answer {
        let Some(pinned) = self.shared.pins().take(pin) else {
            return Answer::Failed(at("pidfd".to_owned())(Errno::EBADF));
        };
        let cgroup = self.cgroup_of(pinned.pid);
        // What was read belongs to the process only if that is still there.
        let alive = sys::pidfd_signal(pinned.pidfd.as_fd(), 0) != Err(Errno::ESRCH);
        Answer::Cgroup { pid: pinned.pid, cgroup: cgroup.filter(|_| alive) }
    }

    pub(crate) fn cgroup_of(&mut self, pid: u32) -> Option<CgroupPath> {
        let mut path = [0_u8; 32];
        let text = read_proc(proc_path(pid, "cgroup", &mut path), &mut self.text).ok()?;
        self.shared.root.below(parse::proc_cgroup(text)?)
    }

    /// That they could not be read does not mean that the cgroup has gone.
    fn events(&mut self, cgroup: &CgroupPath) -> nix::Result<CgroupEvents> {
        let (root, buffer) = (&self.shared.root, &mut self.text);
        let read = self.dirs.with(root, cgroup, |dir| {
            let mut events = parse::cgroup_events(read_file(dir, "cgroup.events", buffer)?);
            if let Ok(text) = read_file(dir, "memory.events", buffer) {
                events.oom_kills = parse::keyed(text, "oom_kill");
            }
            Ok(events)
        });
        match read {
            // The top of the hierarchy has no such file, and always has processes.
            Err(_) if cgroup.is_root() && root.is_top() => {
                Ok(CgroupEvents { populated: true, ..CgroupEvents::default() })
            }
            read => read,
        }
    }

    fn readings(&mut self, cgroup: &CgroupPath) -> Option<Readings> {
        let counters = self.counters(cgroup)?;
        let effective_cpus = self.read_text(cgroup, "cpuset.cpus.effective");
        let effective_mems = self.read_text(cgroup, "cpuset.mems.effective");
        Some(Readings { counters, effective_cpus, effective_mems })
    }

    /// Counters as far as the files exist; none when the cgroup is gone.
    pub(crate) fn counters(&mut self, cgroup: &CgroupPath) -> Option<Counters> {
        let (root, buffer) = (&self.shared.root, &mut self.text);
        let counted = self.dirs.with(root, cgroup, |dir| {
            let mut value =
                |file: &str, parse: &dyn Fn(&str) -> Option<u64>| read_file(dir, file, buffer).ok().and_then(parse);
            let usec = value("cpu.stat", &|text| parse::keyed(text, "usage_usec"));
            let memory_current = value("memory.current", &parse::single);
            let tasks_current = value("pids.current", &parse::single);
            let oom_kills = value("memory.events", &|text| parse::keyed(text, "oom_kill"));
            let io = read_file(dir, "io.stat", buffer).ok().map(parse::io_stat);
            if usec.is_none() {
                // Every cgroup has cpu.stat, so that this one may be gone; let it be resolved anew, once.
                open_file(dir, "cgroup.procs", OFlag::O_PATH)?;
            }
            let cpu_nsec = usec.map(|usec| usec.saturating_mul(1000));
            Ok(Counters { cpu_nsec, memory_current, tasks_current, io, oom_kills })
        });
        counted.ok()
    }

    fn members(&mut self, cgroup: &CgroupPath) -> nix::Result<Vec<Member>> {
        let top = self.shared.root.open_cgroup(cgroup)?;
        let mut members = Vec::new();
        let mut pids = Vec::new();
        walk(top.as_fd(), |visit| {
            let Visit::Enter { directory, path } = visit else { return Ok(()) };
            pids.clear();
            match read_pids(directory, "cgroup.procs", &mut self.text, &mut pids) {
                // In a threaded cgroup the processes are listed at the thread root.
                Ok(()) | Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => {}
                Err(errno) => return Err(errno),
            }
            let below = CgroupPath::parse(&String::from_utf8_lossy(path)).unwrap_or_else(CgroupPath::root);
            let cgroup = cgroup.join(&below);
            members.extend(pids.iter().map(|pid| Member {
                cgroup: cgroup.clone(),
                pid: *pid,
                command: command_of(*pid),
            }));
            Ok(())
        })?;
        Ok(members)
    }

    /// Processes whose parents are not among them; zombies are none.
    fn orphans(&mut self, cgroup: &CgroupPath) -> nix::Result<Vec<u32>> {
        let members: Vec<u32> = self.members(cgroup)?.iter().map(|member| member.pid).collect();
        let is_orphan = |pid: &u32| parent_of(*pid).is_some_and(|parent| !members.contains(&parent));
        Ok(members.iter().copied().filter(is_orphan).collect())
    }

    /// The file is believed as far as the number goes; where the process lies is asked of the kernel.
    fn pid_file(&mut self, file: &str) -> Answer {
        let text = read_pid_file(file).unwrap_or_default();
        let pid = text.trim().parse::<u32>().ok().filter(|pid| *pid > 0);
        Answer::Cgroup { pid: pid.unwrap_or(0), cgroup: pid.and_then(|pid| self.cgroup_of(pid)) }
    }

    /// A whole file as text, trimmed at the end; none when it cannot be read.
    pub(crate) fn read_text(&mut self, cgroup: &CgroupPath, file: &str) -> Option<String> {
        let (root, buffer) = (&self.shared.root, &mut self.text);
        self.dirs.with(root, cgroup, |dir| read_file(dir, file, buffer).map(|text| text.trim_end().to_owned())).ok()
    }
}

/// The cgroup of a process, below the managed root.
pub(crate) fn cgroup_of(root: &Root, pid: u32) -> Option<CgroupPath> {
    let (mut path, mut buffer) = ([0_u8; 32], Vec::new());
    let text = read_proc(proc_path(pid, "cgroup", &mut path), &mut buffer).ok()?;
    root.below(parse::proc_cgroup(text)?)
}

/// Longest file that can hold a number.
const PID_FILE_MAX: usize = 64;

/// A short regular file. Whoever made it may have put something else there: nothing is waited for.
fn read_pid_file(file: &str) -> Option<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = open(file, flags, Mode::empty()).ok()?;
    let is_regular = nix::sys::stat::fstat(&file).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG);
    let mut text = [0_u8; PID_FILE_MAX];
    let length = if is_regular { read(&file, &mut text).ok()? } else { 0 };
    String::from_utf8(text[..length].to_vec()).ok()
}

/// The parent of a process that lives.
fn parent_of(pid: u32) -> Option<u32> {
    let mut path = [0_u8; 32];
    let text = read_proc(proc_path(pid, "stat", &mut path), &mut Vec::new()).ok()?.to_owned();
    // The name may hold anything, even parentheses.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(parent)
}

/// Reads a whole interface file.
pub(crate) fn read_file<'a>(dir: &Dir, file: &str, buffer: &'a mut Vec<u8>) -> nix::Result<&'a str> {
    read_all(&open_file(dir, file, OFlag::O_RDONLY)?, buffer)
}

/// Reads a file of numbers, one a line: `cgroup.procs`, `cgroup.threads`. Processes of other pid namespaces, which show
/// as 0, are left out.
pub(crate) fn read_pids(
    directory: BorrowedFd<'_>,
    file: &str,
    buffer: &mut Vec<u8>,
    pids: &mut Vec<u32>,
) -> nix::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = nix::fcntl::openat(directory, file, flags, Mode::empty())?;
    let text = read_all(&file, buffer)?;
    pids.extend(text.lines().filter_map(|line| line.parse().ok()).filter(|pid: &u32| *pid != 0));
    Ok(())
}

fn read_proc<'a>(path: &str, buffer: &'a mut Vec<u8>) -> nix::Result<&'a str> {
    read_all(&open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?, buffer)
}

/// Reads to the end. A text with bytes that are no UTF-8 counts as empty from there on.
pub(crate) fn read_all<'a>(file: &OwnedFd, buffer: &'a mut Vec<u8>) -> nix::Result<&'a str> {
    const STEP: usize = 4096;
    let mut length = 0;
    loop {
        if buffer.len() < length + STEP {
            buffer.resize(length + STEP, 0);
        }
        match read(file, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let read = &buffer[..length];
    let valid = std::str::from_utf8(read).map_or_else(|e| e.valid_up_to(), str::len);
    Ok(std::str::from_utf8(&read[..valid]).unwrap_or_default())
}

/// `/proc/PID/FILE`, without allocation.
fn proc_path<'a>(pid: u32, file: &str, buffer: &'a mut [u8; 32]) -> &'a str {
    let mut rest = &mut buffer[..];
    let before = rest.len();
    write!(rest, "/proc/{pid}/{file}").expect("32 bytes hold it");
    let length = before - rest.len();
    std::str::from_utf8(&buffer[..length]).expect("it is text")
}

fn command_of(pid: u32) -> String {
    let file = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let cmdline = file("cmdline");
    let comm = if cmdline.is_empty() { file("comm") } else { Vec::new() };
    command_line(&cmdline, &comm)
}
