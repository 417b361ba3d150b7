//! What each operation of a plan does to kernel and store: one function per kind, with the kernel's own answers.

use super::answer::value;
use super::programs::{Act, acts};
use super::{SimBackend, error, number, subject};
use crate::kernel::{CgroupId, Disposition, Errno, File, Fork, Pid, SetMode, State};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::exec::{EXIT_EXEC, ExecFailure, ExecStep};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Op, Outcome, Pin, Spawn};
use cgarbiter_core::{Errno as Word, Event, OpError};

/// Statuses of a child whose user or group is not known.
const EXIT_USER: i32 = 217;
const EXIT_GROUP: i32 = 216;
/// The account of a person, as on the machine of the vectors.
const SOMEBODY: u32 = 1000;
/// The account of nobody.
const NOBODY: u32 = 65534;
/// `ENOTBLK`, which the core has no word for.
const NO_BLOCK_DEVICE: Word = Word::Other(15);

/// The files that are handed over with a directory, beside those of controllers (`/sys/kernel/cgroup/delegate`).
const DELEGATED: [File; 5] =
    [File::CgroupProcs, File::CgroupThreads, File::CgroupSubtreeControl, File::MemoryOomGroup, File::MemoryReclaim];

/// Devices that are no disks.
const CHARACTER_DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

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
            Op::WriteFile { file, content, spares_others } => self.store.put_record(file, content, *spares_others)?,
            Op::RenewRecord { file, section } => self.store.renew(file, section)?,
            Op::RemoveFile { file, directory: true } => self.store.forget_directory(file)?,
            Op::RemoveFile { file, directory: false } => self.store.forget(file)?,
            Op::Link { file, target } => self.store.put_link(file, target)?,
            Op::RemoveEmpty { directory } => self.store.remove_empty(directory)?,
            Op::RemoveRuntime { directories } => self.store.remove_all(directories.iter().map(String::as_str))?,
            Op::MoveFile { file, to } => self.store.move_over(file, to)?,
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
                let id = self.find_file_for_step(cgroup, "cgroup.events")?;
                self.watches.add(id, *watch, *memory);
            }
            Op::Attach { cgroup, pin } => return self.attach(cgroup, *pin),
            Op::SignalAll { cgroup, signals, spare } => {
                let count = self.signal_all(cgroup, *signals, spare)?;
                return Ok(Outcome::Signalled { count });
            }
            Op::SignalOne { pid, signals } => {
                let count = self.signal_one(*pid, *signals)?;
                return Ok(Outcome::Signalled { count });
            }
            Op::Delegate { cgroup, user, group } => self.delegate(cgroup, user, group.as_deref())?,
            Op::Xattr { cgroup, name, value } => self.xattr(cgroup, name, value.as_deref())?,
            Op::Spawn { cgroup, command } => return self.spawn(cgroup, command),
            Op::WatchProcess { cgroup, pid } => return self.watch_process(cgroup, *pid),
            Op::ReadCounters { cgroup } => {
                let counters = self.find_for_step(cgroup).map(|id| self.counters(id));
                return Ok(Outcome::Counters(counters.unwrap_or_default()));
            }
        }
        Ok(Outcome::Done)
    }

    fn mkdir(&mut self, cgroup: &CgroupPath) -> Result<Outcome, OpError> {
        let fail = |errno| error(cgroup, "", errno);
        let (parent, name) = cgroup.as_str().rsplit_once('/').ok_or_else(|| fail(Errno::EEXIST))?;
        let who = self.myself();
        let parent = self.kernel.lookup(&who, parent.as_bytes()).map_err(fail)?;
        let made = self.kernel.mkdir(&who, parent, name.as_bytes()).map_err(|errno| match errno {
            Errno::EAGAIN => OpError::new(self.exhausted_limit(cgroup), Word::Again),
            errno => fail(errno),
        })?;
        self.nearby = Some((cgroup.clone(), made));
        Ok(Outcome::Made { id: made.ino() })
    }

    /// Which limit of an ancestor forbids a new cgroup.
    fn exhausted_limit(&self, cgroup: &CgroupPath) -> String {
        let (mut depth, mut level) = (1, cgroup.parent());
        while let Some(ancestor) = level {
            let read = |file| self.find(&ancestor).ok().and_then(|id| self.read(id, file).ok()).unwrap_or_default();
            let number = |file| read(file).trim().parse::<u64>().ok();
            if number(File::CgroupMaxDepth).is_some_and(|max| max < depth) {
                return subject(&ancestor, File::CgroupMaxDepth.name());
            }
            let descendants = value(&read(File::CgroupStat), "nr_descendants");
            if number(File::CgroupMaxDescendants).zip(descendants).is_some_and(|(max, now)| max <= now) {
                return subject(&ancestor, File::CgroupMaxDescendants.name());
            }
            (depth, level) = (depth + 1, ancestor.parent());
        }
        subject(cgroup, "")
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
        if cgroup.is_root() {
            return Err(error(cgroup, "", Errno::EBUSY));
        }
        let Ok(top) = self.find_for_step(cgroup) else { return Ok(()) };
        let who = self.myself();
        let mut refused = None;
        for id in self.below(top).into_iter().rev() {
            if let Err(errno) = self.kernel.rmdir(&who, id) {
                refused.get_or_insert(errno);
            }
        }
        refused.map_or(Ok(()), |errno| Err(error(cgroup, "", errno)))
    }

    fn subtree_control(
        &mut self,
        cgroup: &CgroupPath,
        enable: ControllerMask,
        disable: ControllerMask,
    ) -> Result<Outcome, OpError> {
        let id = self.find_file_for_step(cgroup, "cgroup.subtree_control")?;
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
        let id = self.find_file_for_step(cgroup, file)?;
        let fail = |errno| error(cgroup, file, errno);
        let known = File::from_name(file.as_bytes()).ok_or_else(|| fail(Errno::ENOENT))?;
        let line = [value, "\n"].concat();
        self.kernel.write(&self.myself(), id, known, line.as_bytes()).map_err(fail)
    }

    /// The disk behind a path: its own node, or that of the file system it lies on, which is always the first disk. A
    /// number need not be that of a disk.
    fn device(&self, path: &str) -> Result<(u32, u32), OpError> {
        let disks = &self.kernel.config().disks;
        let fail = |errno| OpError::new(path, errno);
        if let Some(number) = path.strip_prefix("/dev/block/") {
            let pair =
                number.split_once(':').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
            return pair.ok_or_else(|| fail(Word::NoDev));
        }
        let place = match path.strip_prefix("/dev/") {
            Some(name) if name.starts_with("char/") || CHARACTER_DEVICES.contains(&name) => {
                return Err(fail(NO_BLOCK_DEVICE));
            }
            Some(name) => DISK_NAMES.iter().position(|disk| *disk == name).ok_or_else(|| fail(Word::NoEnt))?,
            None if path.starts_with('/') => 0,
            None => return Err(fail(Word::NoEnt)),
        };
        disks.get(place).copied().ok_or_else(|| fail(Word::NoDev))
    }

    /// The pin is let go of in any case.
    fn attach(&mut self, cgroup: &CgroupPath, pin: Pin) -> Result<Outcome, OpError> {
        let fail = |errno| error(cgroup, "cgroup.procs", errno);
        let held = self.pins.held.remove(&pin).ok_or_else(|| fail(Errno::EBADF))?;
        if held.is_reaped(&self.kernel) {
            return Ok(Outcome::Gone);
        }
        let id = self.find_file_for_step(cgroup, "cgroup.procs")?;
        if !held.is_alive() {
            return Ok(Outcome::Gone);
        }
        let pid = held.pid();
        match self.kernel.write(&self.myself(), id, File::CgroupProcs, pid.to_string().as_bytes()) {
            Ok(()) => assert!(self.kernel.cgroup_of(pid) == Some(id), "a process that was moved is there"),
            Err(Errno::ESRCH) => return Ok(Outcome::Gone),
            Err(errno) => return Err(fail(errno)),
        }
        Ok(Outcome::Attached)
    }

    /// One that is not in there is held all the same if it is a child.
    fn watch_process(&mut self, cgroup: &CgroupPath, pid: u32) -> Result<Outcome, OpError> {
        let pid = Pid::try_from(pid).unwrap_or(0);
        let top = self.find_for_step(cgroup).ok();
        let own = self.kernel.cgroup_of(pid);
        let is_within = top.zip(own).is_some_and(|(top, own)| own == top || self.kernel.below(top).contains(&own));
        if self.kernel.state(pid) != Some(State::Alive) {
            return Ok(Outcome::Gone);
        }
        if !is_within && self.kernel.parent_of(pid) != Some(self.arbiter) {
            return Ok(Outcome::Gone);
        }
        self.awaited.insert(pid);
        Ok(Outcome::Done)
    }

    fn delegate(&mut self, cgroup: &CgroupPath, user: &str, group: Option<&str>) -> Result<(), OpError> {
        let unknown = |kind: &str, name: &str| OpError::new(format!("{kind} {name}"), Word::Srch);
        let uid = account(user).ok_or_else(|| unknown("user", user))?;
        let gid = match group {
            Some(group) => Some(account(group).ok_or_else(|| unknown("group", group))?),
            None => primary_group(uid),
        };
        let id = self.find_for_step(cgroup)?;
        let who = self.myself();
        let nodes = std::iter::once(None).chain(DELEGATED.into_iter().map(Some));
        for node in nodes {
            let Ok(now) = self.kernel.stat(id, node) else { continue };
            let handed = self.kernel.chown(&who, id, node, uid, gid.unwrap_or(now.gid));
            handed.map_err(|errno| error(cgroup, node.map_or("", File::name), errno))?;
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
            Err(errno) => Err(error(cgroup, "", errno)),
        }
    }

    pub(crate) fn spawn(&mut self, cgroup: &CgroupPath, command: &Spawn) -> Result<Outcome, OpError> {
        let id = self.find_for_step(cgroup)?;
        let user = user_of(command);
        let known = acts(command).ok_or_else(|| failure(EXIT_EXEC, &command.path, Word::NoEnt));
        let (mut acts, failure) = match user.as_ref().map_err(ExecFailure::clone).and(known) {
            Ok(acts) => (acts, None),
            Err(failure) => {
                let code = u8::try_from(failure.status).expect("an exit status");
                (vec![Act::Sleep { usec: 0 }, Act::End { code }], Some(failure))
            }
        };
        let into = Fork { into: Some(id), user: user.ok().flatten(), ..Fork::default() };
        let born = self.kernel.fork(&self.myself(), &into);
        let pid =
            born.map_err(|errno| OpError::new(self.birth_subject(cgroup, errno), Word::from_raw(errno.number())))?;
        while let Some(Act::Ignore { signal }) = acts.first() {
            // A process that dies at birth has no dispositions to set.
            let _ = self.kernel.set_disposition(pid, *signal, Disposition::Ignore);
            acts.remove(0);
        }
        if failure.is_some() || command.tell_executed {
            match self.kernel.is_to_freeze(id) {
                false => self.exits.push_back(Event::Executed { pid: number(pid), failure }),
                // Who is born frozen has yet to become the program.
                true => acts.insert(0, Act::Become { failure }),
            }
        }
        self.programs.started(pid, command, acts);
        self.awaited.insert(pid);
        Ok(Outcome::Spawned { pid: number(pid) })
    }

    /// The file that a refused birth is about.
    fn birth_subject(&self, cgroup: &CgroupPath, errno: Errno) -> String {
        match errno {
            Errno::EAGAIN => {
                let mut levels = std::iter::successors(Some(cgroup.clone()), CgroupPath::parent);
                let full = levels.find(|level| self.find(level).is_ok_and(|id| self.is_full(id)));
                full.map_or_else(|| subject(cgroup, ""), |level| subject(&level, File::PidsMax.name()))
            }
            Errno::ENOENT => subject(cgroup, ""),
            _ => subject(cgroup, "cgroup.procs"),
        }
    }

    fn is_full(&self, id: CgroupId) -> bool {
        let number = |file| self.read(id, file).ok().and_then(|text| text.trim().parse::<u64>().ok());
        number(File::PidsMax).zip(number(File::PidsCurrent)).is_some_and(|(max, now)| max <= now)
    }
}

fn failure(status: i32, what: &str, errno: Word) -> ExecFailure {
    ExecFailure { status, what: what.to_owned(), errno }
}

/// User and group that a command asks for, if it does; or how it fails when there is no such user.
fn user_of(command: &Spawn) -> Result<Option<(u32, u32)>, ExecFailure> {
    let identity = command.setup.iter().find_map(|step| match step {
        ExecStep::Identity { user, group, .. } => Some((user.as_deref(), group.as_deref())),
        _ => None,
    });
    let Some((user, group)) = identity else { return Ok(None) };
    let uid = match user {
        Some(name) => account(name).ok_or_else(|| failure(EXIT_USER, name, Word::Srch))?,
        None => 0,
    };
    let gid = match group {
        Some(name) => account(name).ok_or_else(|| failure(EXIT_GROUP, &format!("group {name}"), Word::Srch))?,
        None => primary_group(uid).unwrap_or(0),
    };
    Ok(Some((uid, gid)))
}

/// The number of a user or group: the accounts of this machine are `root` and `nobody`, and every number will do.
fn account(name: &str) -> Option<u32> {
    match name {
        "root" => Some(0),
        "nobody" | "nogroup" => Some(NOBODY),
        _ => name.parse().ok(),
    }
}

/// The group of a user who has an account, which has the user's number.
fn primary_group(uid: u32) -> Option<u32> {
    matches!(uid, 0 | SOMEBODY | NOBODY).then_some(uid)
}
