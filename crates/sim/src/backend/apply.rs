//! What each operation of a plan does to kernel and store: one function per kind, with the kernel's own answers.

use super::programs::{Act, acts};
use super::{SimBackend, error, number};
use crate::kernel::{CgroupId, Disposition, Errno, File, Fork, Pid, SetMode, State};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::exec::{ExecFailure, ExecStep};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::persist;
use cgarbiter_core::plan::{Op, Outcome, Pin, Spawn};
use cgarbiter_core::{Errno as Word, Event, OpError};

/// Status of a child without a program.
const EXIT_EXEC: u8 = 203;
/// Statuses of a child whose user or group is not known.
const EXIT_USER: u8 = 217;
const EXIT_GROUP: u8 = 216;
/// `EBADMSG`, which the kernel never answers.
const BADMSG: i32 = 74;

/// The files that are handed over with a directory, beside those of controllers (`/sys/kernel/cgroup/delegate`).
const DELEGATED: [File; 5] =
    [File::CgroupProcs, File::CgroupThreads, File::CgroupSubtreeControl, File::MemoryOomGroup, File::MemoryReclaim];

/// The nodes of the machine's disks, in the order of the kernel's configuration.
const DISK_NAMES: [&str; 4] = ["vda", "vdb", "vdc", "vdd"];

impl SimBackend {
    /// Does one operation; records are on the disk when it returns.
    pub(super) fn apply(&mut self, op: &Op) -> Result<Outcome, OpError> {
        let outcome = self.apply_unsynced(op);
        if !self.forgets_to_sync {
            self.store.sync();
        }
        outcome
    }

    /// Does one operation, and leaves it to the machine when it writes records to the disk.
    pub(super) fn apply_unsynced(&mut self, op: &Op) -> Result<Outcome, OpError> {
        match op {
            Op::WriteFile { file, spares_others: true, .. } if self.store.is_of_others(file) => {
                return Err(OpError::new(&**file, Word::Exist));
            }
            Op::WriteFile { file, content, .. } => self.store.write(file.clone(), content.as_str()),
            Op::RenewRecord { file, section } => self.renew_record(file, section)?,
            Op::RemoveFile { file, directory: true } => self.store.remove_directory(file),
            Op::RemoveFile { file, directory: false } => drop(self.store.remove(file)),
            Op::Link { file, target } => self.store.link(file.clone(), target.clone()),
            // Directories exist as long as something is in them.
            Op::RemoveEmpty { .. } => {}
            // What services have below `/run` is not imagined.
            Op::RemoveRuntime { .. } => {}
            Op::MoveFile { file, to } => self.store.rename(file, to),
            Op::Mkdir { cgroup } => return self.mkdir(cgroup),
            Op::Observe { cgroup } => return self.observe(cgroup),
            Op::Rmdir { cgroup, watch } => {
                self.rmdir(cgroup)?;
                watch.iter().for_each(|watch| self.watches.drop_number(*watch));
            }
            Op::SubtreeControl { cgroup, enable, disable } => return self.subtree_control(cgroup, *enable, *disable),
            Op::Write { cgroup, file, value } => self.write(cgroup, file, value)?,
            Op::WriteDevice { cgroup, file, device, value } => {
                let (major, minor) = self.device(device)?;
                self.write(cgroup, file, &format!("{major}:{minor} {value}"))?;
            }
            Op::Watch { cgroup, watch, memory } => {
                let id = self.find_for_step(cgroup)?;
                self.watches.add(id, *watch, *memory);
            }
            Op::Attach { cgroup, pin } => return self.attach(cgroup, *pin),
            Op::SignalAll { cgroup, signals, spare } => {
                let count = self.signal_all(cgroup, *signals, spare)?;
                return Ok(Outcome::Signalled { count });
            }
            Op::SignalOne { pid, signals } => {
                let count = i32::try_from(*pid).map_or(0, |pid| self.signal(pid, *signals));
                return Ok(Outcome::Signalled { count });
            }
            Op::Delegate { cgroup, user, group } => self.delegate(cgroup, user, group.as_deref())?,
            Op::Xattr { cgroup, name, value } => self.xattr(cgroup, name, value.as_deref())?,
            Op::Spawn { cgroup, command } => return self.spawn(cgroup, command),
            Op::WatchProcess { cgroup, pid } => return self.watch_process(cgroup, *pid),
            Op::ReadCounters { cgroup } => {
                let id = self.find_for_step(cgroup)?;
                return Ok(Outcome::Counters(self.counters(id)));
            }
        }
        Ok(Outcome::Done)
    }

    fn renew_record(&mut self, file: &str, section: &str) -> Result<(), OpError> {
        let fail = |errno: Errno| OpError::new(file, Word::from_raw(errno.number()));
        let old = self.store.read(file).ok_or_else(|| fail(Errno::ENOENT))?;
        let new = persist::renew(old, section).map_err(|_| OpError::new(file, Word::from_raw(BADMSG)))?;
        self.store.write(file, new);
        Ok(())
    }

    fn mkdir(&mut self, cgroup: &CgroupPath) -> Result<Outcome, OpError> {
        let fail = |errno| error(cgroup, "", errno);
        let (parent, name) = cgroup.as_str().rsplit_once('/').ok_or_else(|| fail(Errno::EEXIST))?;
        let who = self.myself();
        let parent = self.kernel.lookup(&who, parent.as_bytes()).map_err(fail)?;
        let made = self.kernel.mkdir(&who, parent, name.as_bytes()).map_err(fail)?;
        self.nearby = Some((cgroup.clone(), made));
        Ok(Outcome::Made { id: made.ino() })
    }

    fn observe(&self, cgroup: &CgroupPath) -> Result<Outcome, OpError> {
        let id = self.find(cgroup)?;
        Ok(Outcome::Seen { id: id.ino(), enabled: self.enabled(id) })
    }

    fn enabled(&self, id: CgroupId) -> ControllerMask {
        ControllerMask::parse(&self.read(id, File::CgroupSubtreeControl).unwrap_or_default())
    }

    /// The deepest first. What is busy stays, and its ancestors with it, but the others go.
    fn rmdir(&mut self, cgroup: &CgroupPath) -> Result<(), OpError> {
        let Ok(top) = self.find_for_step(cgroup) else { return Ok(()) };
        let who = self.myself();
        let mut refused = None;
        for id in self.below(top).into_iter().rev() {
            if let Err(errno) = self.kernel.rmdir(&who, id) {
                refused.get_or_insert((id, errno));
            }
        }
        refused.map_or(Ok(()), |(id, errno)| Err(error(&self.path(id), "", errno)))
    }

    fn subtree_control(
        &mut self,
        cgroup: &CgroupPath,
        enable: ControllerMask,
        disable: ControllerMask,
    ) -> Result<Outcome, OpError> {
        let id = self.find_for_step(cgroup)?;
        let who = self.myself();
        let mut refused = None;
        let words = enable.controllers().map(|c| ('+', c)).chain(disable.controllers().map(|c| ('-', c)));
        for (sign, controller) in words {
            let word = format!("{sign}{}\n", controller.name());
            if let Err(errno) = self.kernel.write(&who, id, File::CgroupSubtreeControl, word.as_bytes()) {
                refused.get_or_insert_with(|| error(cgroup, "cgroup.subtree_control", errno));
            }
        }
        Ok(Outcome::Controllers { enabled: self.enabled(id), refused })
    }

    fn write(&mut self, cgroup: &CgroupPath, file: &str, value: &str) -> Result<(), OpError> {
        let id = self.find_for_step(cgroup)?;
        let fail = |errno| error(cgroup, file, errno);
        let known = File::from_name(file.as_bytes()).ok_or_else(|| fail(Errno::ENOENT))?;
        let line = [value, "\n"].concat();
        self.kernel.write(&self.myself(), id, known, line.as_bytes()).map_err(fail)
    }

    /// The disk behind a path: its own node, or that of the file system it lies on, which is always the first disk.
    fn device(&self, path: &str) -> Result<(u32, u32), OpError> {
        let disks = &self.kernel.config().disks;
        let fail = |errno| OpError::new(path, Word::from_raw(Errno::number(errno)));
        let named = path.strip_prefix("/dev/").map(|name| DISK_NAMES.iter().position(|disk| *disk == name));
        let place = match named {
            None if path.starts_with('/') => 0,
            Some(Some(place)) => place,
            _ => return Err(fail(Errno::ENOENT)),
        };
        disks.get(place).copied().ok_or_else(|| fail(Errno::ENODEV))
    }

    /// The pin is let go of in any case.
    fn attach(&mut self, cgroup: &CgroupPath, pin: Pin) -> Result<Outcome, OpError> {
        let pid = self.pins.get(pin);
        self.pins.release(pin);
        let id = self.find_for_step(cgroup)?;
        let Some(pid) = pid else { return Ok(Outcome::Gone) };
        match self.kernel.write(&self.myself(), id, File::CgroupProcs, pid.to_string().as_bytes()) {
            Ok(()) => assert!(self.kernel.cgroup_of(pid) == Some(id), "a process that was moved is there"),
            Err(Errno::ESRCH) => return Ok(Outcome::Gone),
            Err(errno) => return Err(error(cgroup, "cgroup.procs", errno)),
        }
        Ok(Outcome::Attached)
    }

    fn watch_process(&mut self, cgroup: &CgroupPath, pid: u32) -> Result<Outcome, OpError> {
        let id = self.find_for_step(cgroup)?;
        let pid = Pid::try_from(pid).unwrap_or(0);
        let is_within = self.kernel.cgroup_of(pid).is_some_and(|own| own == id || self.kernel.below(id).contains(&own));
        if !is_within || self.kernel.state(pid) != Some(State::Alive) {
            return Ok(Outcome::Gone);
        }
        self.awaited.insert(pid);
        Ok(Outcome::Done)
    }

    fn delegate(&mut self, cgroup: &CgroupPath, user: &str, group: Option<&str>) -> Result<(), OpError> {
        let id = self.find_for_step(cgroup)?;
        let unknown = || error(cgroup, "", Errno::ESRCH);
        let uid = account(user).ok_or_else(unknown)?;
        let gid = group.map_or(Some(uid), account).ok_or_else(unknown)?;
        let who = self.myself();
        let nodes = std::iter::once(None).chain(DELEGATED.into_iter().map(Some));
        for node in nodes {
            match self.kernel.chown(&who, id, node, uid, gid) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(error(cgroup, node.map_or("", File::name), errno)),
            }
        }
        Ok(())
    }

    fn xattr(&mut self, cgroup: &CgroupPath, name: &str, value: Option<&str>) -> Result<(), OpError> {
        let id = self.find_for_step(cgroup)?;
        let who = self.myself();
        let result = match value {
            Some(value) => self.kernel.set_xattr(&who, id, None, name.as_bytes(), value.as_bytes(), SetMode::Any),
            None => self.kernel.remove_xattr(&who, id, None, name.as_bytes()),
        };
        match result {
            Ok(()) | Err(Errno::ENODATA) => Ok(()),
            Err(errno) => Err(error(cgroup, name, errno)),
        }
    }

    pub(crate) fn spawn(&mut self, cgroup: &CgroupPath, command: &Spawn) -> Result<Outcome, OpError> {
        let id = self.find_for_step(cgroup)?;
        let user = user_of(command);
        let known = acts(command).ok_or((EXIT_EXEC, command.path.as_str()));
        let (mut acts, failure) = match user.and(known) {
            Ok(acts) => (acts, None),
            Err((code, what)) => (vec![Act::Sleep { usec: 0 }, Act::End { code }], Some((code, what))),
        };
        let into = Fork { into: Some(id), user: user.ok().flatten(), ..Fork::default() };
        let pid = self.kernel.fork(&self.myself(), &into).map_err(|errno| error(cgroup, "", errno))?;
        while let Some(Act::Ignore { signal }) = acts.first() {
            // A process that dies at birth has no dispositions to set.
            let _ = self.kernel.set_disposition(pid, *signal, Disposition::Ignore);
            acts.remove(0);
        }
        self.programs.started(pid, command, acts);
        self.awaited.insert(pid);
        let pid = number(pid);
        if let Some((status, what)) = failure {
            let failure = ExecFailure { status: i32::from(status), what: what.to_owned(), errno: Word::NoEnt };
            self.exits.push_back(Event::Executed { pid, failure: Some(failure) });
        } else if command.tell_executed {
            self.exits.push_back(Event::Executed { pid, failure: None });
        }
        Ok(Outcome::Spawned { pid })
    }
}

/// User and group that a command asks for, if it does; or the status and the name when there is no such user.
fn user_of(command: &Spawn) -> Result<Option<(u32, u32)>, (u8, &str)> {
    let identity = command.setup.iter().find_map(|step| match step {
        ExecStep::Identity { user, group, .. } => Some((user.as_deref(), group.as_deref())),
        _ => None,
    });
    let Some((user, group)) = identity else { return Ok(None) };
    let uid = user.map_or(Ok(0), |name| account(name).ok_or((EXIT_USER, name)))?;
    let gid = group.map_or(Ok(uid), |name| account(name).ok_or((EXIT_GROUP, name)))?;
    Ok(Some((uid, gid)))
}

/// The number of a user or group: the accounts of this machine are `root`, `nobody`, and every number.
fn account(name: &str) -> Option<u32> {
    match name {
        "root" => Some(0),
        "nobody" | "nogroup" => Some(65534),
        _ => name.parse().ok(),
    }
}
