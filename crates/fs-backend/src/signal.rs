//! Signals to a whole cgroup, so that no process slips away by forking, and to single children.

use crate::apply::write_file;
use crate::dirs::Dir;
use crate::errno::at;
use crate::executor::Executor;
use crate::pins::{has_ended, leader_of};
use crate::read::{read_file, read_pids};
use crate::tree::{Visit, walk};
use crate::{parse, sys};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Signals;
use cgarbiter_core::{OpError, Outcome};
use nix::errno::Errno;
use nix::sys::stat::fstat;
use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Rounds after which processes that keep turning up are taken for a storm, and the kernel's help is asked for.
const ROUNDS_CALM: u32 = 8;
/// Rounds after which a signal that does not kill has been sent often enough: the storm will hear the next one.
const ROUNDS_MAX: u32 = 64;
/// How long a storm may take to freeze.
const FREEZE_WAIT: Duration = Duration::from_millis(500);

type Done = Result<Outcome, OpError>;

impl Executor {
    /// `SIGKILL` goes by `cgroup.kill` where nobody is to be spared: it also reaches what is being forked. On kernels
    /// that then kill whatever is cloned into the cgroup later, it is the last resort only.
    pub(crate) fn signal_all(&mut self, cgroup: &CgroupPath, signals: Signals, spare: &[u32]) -> Done {
        let opened = self.shared.root.open_cgroup(cgroup).and_then(|fd| Ok(Dir { id: fstat(&fd)?.st_ino, fd }));
        let top = match opened {
            Ok(top) => top,
            Err(Errno::ENOENT) => return Ok(Outcome::Signalled { count: 0 }),
            Err(errno) => return Err(at(self.path_of(cgroup, ""))(errno)),
        };
        if is_empty(&top, &mut self.text) {
            return Ok(Outcome::Signalled { count: 0 });
        }
        let mut round = Round::new(self, cgroup, &top, signals, spare);
        let may_kill_all = signals.first == libc::SIGKILL && spare.is_empty() && !round.holds_ourselves;
        let done = match round.run(may_kill_all) {
            Ok(()) => round.refused.map_or(Ok(()), Err),
            Err(errno) => Err((round.cgroup_file(), errno)),
        };
        let count = round.seen.len() as u32;
        done.map(|()| Outcome::Signalled { count }).map_err(|(file, errno)| at(file)(errno))
    }

    /// Takes hold of a process that we have not started, if it is in the cgroup or below: a service that was handed its
    /// cgroup moves its processes out of the way of controllers. A child that the program before us in
    /// this process has started may have ended; how is still to be heard.
    pub(crate) fn watch_process(&mut self, cgroup: &CgroupPath, pid: u32) -> Done {
        let fail = |errno| at(format!("/proc/{pid}"))(errno);
        let pidfd = match sys::pidfd_open(pid) {
            Ok(pidfd) => pidfd,
            Err(Errno::ESRCH | Errno::EINVAL | Errno::ENOENT) => return Ok(Outcome::Gone),
            Err(errno) => return Err(fail(errno)),
        };
        // Looked at once it is held: whatever has this number now keeps it.
        let is_there = self.cgroup_of(pid).is_some_and(|own| is_within(&own, cgroup)) && !has_ended(pidfd.as_fd());
        if !is_there && !is_child(pid) {
            return Ok(Outcome::Gone);
        }
        self.shared.notices.add_process(pid, pidfd)?;
        Ok(Outcome::Done)
    }

    /// A child that has ended in the meantime is fine.
    pub(crate) fn signal_one(&mut self, pid: u32, signals: Signals) -> Done {
        let mut count = 0;
        for signal in in_order(signals) {
            match self.shared.notices.signal_child(pid, signal) {
                Some(Ok(())) => count = 1,
                None | Some(Err(Errno::ESRCH)) => break,
                Some(Err(errno)) => return Err(at(format!("/proc/{pid}"))(errno)),
            }
        }
        Ok(Outcome::Signalled { count })
    }
}

/// Whether the kernel says that nobody is in it or below, as mostly when the only process of a service has ended: then
/// there is no need to go and look. The root of all does not say.
fn is_empty(top: &Dir, buffer: &mut Vec<u8>) -> bool {
    read_file(top, "cgroup.events", buffer).is_ok_and(|text| text.lines().any(|line| line == "populated 0"))
}

/// One operation on one cgroup.
struct Round<'a> {
    executor: &'a mut Executor,
    cgroup: &'a CgroupPath,
    top: &'a Dir,
    signals: Signals,
    spare: &'a [u32],
    ourselves: u32,
    /// The arbiter itself lives in there.
    holds_ourselves: bool,
    seen: HashSet<u32>,
    /// The first signal that was refused: where and how.
    refused: Option<(String, Errno)>,
}

impl<'a> Round<'a> {
    fn new(
        executor: &'a mut Executor,
        cgroup: &'a CgroupPath,
        top: &'a Dir,
        signals: Signals,
        spare: &'a [u32],
    ) -> Self {
        let ourselves = std::process::id();
        let holds_ourselves = executor.cgroup_of(ourselves).is_some_and(|own| is_within(&own, cgroup));
        let seen = HashSet::new();
        Self { executor, cgroup, top, signals, spare, ourselves, holds_ourselves, seen, refused: None }
    }

    fn run(&mut self, may_kill_all: bool) -> nix::Result<()> {
        let kernel = &self.executor.shared.kernel;
        if may_kill_all && kernel.kill && !kernel.clone_after_kill_dies() {
            self.pass(false)?;
            if self.kill_all()? {
                return Ok(());
            }
        }
        let mut thaw = false;
        for round in 0..ROUNDS_MAX {
            if self.pass(true)? == 0 {
                break;
            }
            if round == ROUNDS_CALM {
                if may_kill_all && self.kill_all()? {
                    break;
                }
                thaw = self.freeze();
            }
        }
        if thaw {
            write_file(self.top, "cgroup.freeze", b"0")?;
        }
        Ok(())
    }

    /// Goes through the tree once; answers how many processes had not been seen before.
    fn pass(&mut self, send: bool) -> nix::Result<u32> {
        let mut new = 0;
        let mut pids = Vec::new();
        let mut buffer = std::mem::take(&mut self.executor.text);
        let walked = walk(self.top.fd.as_fd(), |visit| {
            let Visit::Enter { directory, path } = visit else { return Ok(()) };
            pids.clear();
            match list(directory, path.is_empty(), &mut buffer, &mut pids) {
                Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => {}
                Err(errno) => return Err(errno),
            }
            let id = fstat(directory)?.st_ino;
            for pid in &pids {
                if *pid == self.ourselves || self.spare.contains(pid) {
                    continue;
                }
                let first_time = self.seen.insert(*pid);
                new += u32::from(first_time);
                // What was killed before and is still there may be a new process under an old number.
                if send && (first_time || self.signals.first == libc::SIGKILL) {
                    self.send(*pid, id);
                }
            }
            Ok(())
        });
        self.executor.text = buffer;
        walked.map(|()| new)
    }

    /// Sends the signals, if the process is still one of this cgroup's.
    fn send(&mut self, pid: u32, id: u64) {
        let Ok(pidfd) = sys::pidfd_open(pid) else { return };
        let told = sys::pidfd_info(pidfd.as_fd()).ok().and_then(|info| info.cgroup_id);
        if told != Some(id) {
            let now = self.executor.cgroup_of(pid);
            if !now.is_some_and(|now| is_within(&now, self.cgroup)) {
                return;
            }
        }
        for signal in in_order(self.signals) {
            match sys::pidfd_signal(pidfd.as_fd(), signal) {
                Ok(()) => {}
                Err(Errno::ESRCH) => return,
                Err(errno) => {
                    self.refused.get_or_insert_with(|| (format!("/proc/{pid}"), errno));
                    return;
                }
            }
        }
    }

    /// Writes `cgroup.kill`; answers false where that does not exist: on the top of the hierarchy, on old kernels, and
    /// in threaded cgroups.
    fn kill_all(&mut self) -> nix::Result<bool> {
        match write_file(self.top, "cgroup.kill", b"1") {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT | Errno::EOPNOTSUPP) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Stops a storm, so that it can be counted; answers whether it has to be thawed afterwards.
    fn freeze(&mut self) -> bool {
        let mut buffer = Vec::new();
        let mut read = |file| read_file(self.top, file, &mut buffer).map(str::to_owned).unwrap_or_default();
        let may_freeze = !self.holds_ourselves && read("cgroup.freeze").trim_end() == "0";
        if !may_freeze || write_file(self.top, "cgroup.freeze", b"1").is_err() {
            return false;
        }
        let deadline = Instant::now() + FREEZE_WAIT;
        while !parse::cgroup_events(&read("cgroup.events")).frozen && Instant::now() < deadline {
            sleep(Duration::from_millis(1));
        }
        true
    }

    fn cgroup_file(&self) -> String {
        self.executor.path_of(self.cgroup, "cgroup.procs")
    }
}

/// Processes of a cgroup. Those of a threaded one are listed at its thread root, unless the walk began below that.
fn list(directory: BorrowedFd<'_>, is_top: bool, buffer: &mut Vec<u8>, pids: &mut Vec<u32>) -> nix::Result<()> {
    match read_pids(directory, "cgroup.procs", buffer, pids) {
        Err(Errno::EOPNOTSUPP) if is_top => {
            let mut threads = Vec::new();
            read_pids(directory, "cgroup.threads", buffer, &mut threads)?;
            let leaders: HashSet<u32> = threads.into_iter().filter_map(leader_of).collect();
            pids.extend(leaders);
            Ok(())
        }
        Err(Errno::EOPNOTSUPP) => Ok(()),
        done => done,
    }
}

fn is_within(cgroup: &CgroupPath, top: &CgroupPath) -> bool {
    cgroup.as_str().strip_prefix(top.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The signals to one process. Nothing needs to follow a kill.
fn in_order(signals: Signals) -> impl Iterator<Item = i32> {
    let more = signals.first != libc::SIGKILL;
    let then_continue = (more && signals.then_continue).then_some(libc::SIGCONT);
    let then_hangup = (more && signals.then_hangup).then_some(libc::SIGHUP);
    std::iter::once(signals.first).chain(then_continue).chain(then_hangup)
}

/// Whether we are the parent of a process.
fn is_child(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything.
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
    parent == Some(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_first_signal() {
        let signals = |first, then_continue, then_hangup| Signals { first, then_continue, then_hangup };
        let order = |s| in_order(s).collect::<Vec<_>>();
        assert_eq!(order(signals(libc::SIGTERM, true, true)), [libc::SIGTERM, libc::SIGCONT, libc::SIGHUP]);
        assert_eq!(order(signals(libc::SIGTERM, false, false)), [libc::SIGTERM]);
        assert_eq!(order(signals(libc::SIGKILL, true, true)), [libc::SIGKILL]);
    }

    #[test]
    fn within_means_itself_or_below() {
        let path = |text| CgroupPath::parse(text).expect("valid");
        assert!(is_within(&path("/a"), &path("/a")));
        assert!(is_within(&path("/a/b"), &path("/a")));
        assert!(is_within(&path("/a"), &path("")));
        assert!(!is_within(&path("/ab"), &path("/a")));
        assert!(!is_within(&path("/"), &path("/a")));
    }
}
