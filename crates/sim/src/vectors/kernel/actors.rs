//! Who and what a recording speaks of by name: processes, threads, descriptors, watches, programs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Object, bytes, text_of};
use crate::kernel::{Caller, CgroupId, Config, Descriptor, Errno, File, Kernel, Pid, ProgramId, State, WatchId};

/// One sequence being played.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) kernel: Kernel,
    /// Numbers of processes and threads, also of those that are gone.
    pids: BTreeMap<String, Pid>,
    names: BTreeMap<Pid, String>,
    pub(super) descriptors: BTreeMap<String, Descriptor>,
    pub(super) watches: BTreeMap<String, WatchId>,
    pub(super) programs: BTreeMap<String, ProgramId>,
}

/// Why an operation did not answer 0.
pub(super) enum No {
    /// The kernel refused.
    Errno(Errno),
    /// A word of the recording, such as `INACTIVE`.
    Word(&'static str),
}

impl From<Errno> for No {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl No {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Errno(errno) => errno.name(),
            Self::Word(word) => word,
        }
    }
}

impl Player {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            kernel: Kernel::new(config),
            pids: BTreeMap::from([("self".to_owned(), Kernel::INIT), ("kthreadd".to_owned(), Kernel::KTHREADD)]),
            names: BTreeMap::new(),
            descriptors: BTreeMap::new(),
            watches: BTreeMap::new(),
            programs: BTreeMap::new(),
        }
    }

    /// The number of a process or thread; -1 if it was never created.
    pub(crate) fn pid(&self, name: &str) -> Pid {
        self.pids.get(name).copied().unwrap_or(-1)
    }

    pub(super) fn name(&self, pid: Pid) -> &str {
        self.names.get(&pid).map_or("?", String::as_str)
    }

    pub(super) fn enrol(&mut self, name: &str, pid: Pid) {
        self.pids.insert(name.to_owned(), pid);
        self.names.insert(pid, name.to_owned());
    }

    /// The process that the field names, acting with its own user or the one that the step says.
    pub(super) fn actor(&self, object: &Object, field: &str) -> Result<Caller, No> {
        let mut caller = Caller::INIT;
        if let Some(name) = text_of(object, field) {
            let pid = self.pid(name);
            if !self.kernel.can_act(pid) {
                return Err(No::Word("INACTIVE"));
            }
            caller = self.kernel.caller(pid)?;
        }
        match object.get("u").and_then(Value::as_u64) {
            Some(uid) => Ok(caller.as_user(u32::try_from(uid).expect("users are small numbers"))),
            None => Ok(caller),
        }
    }

    pub(super) fn life(&self, name: &str) -> &'static str {
        match self.pids.get(name).map(|pid| self.kernel.state(*pid)) {
            None => "none",
            Some(None) => "reaped",
            Some(Some(State::Alive)) => "alive",
            Some(Some(State::Zombie(_))) => "zombie",
        }
    }

    pub(super) fn cgroup(&self, who: &Caller, object: &Object) -> Result<CgroupId, No> {
        Ok(self.kernel.lookup(who, &path(object, "g"))?)
    }

    /// The directory and file that a step names; `.` is the directory itself.
    pub(super) fn node(&self, who: &Caller, object: &Object) -> Result<(CgroupId, Option<File>), No> {
        let cgroup = self.cgroup(who, object)?;
        match text_of(object, "f").unwrap_or(".") {
            "." => Ok((cgroup, None)),
            name => {
                self.kernel.access(who, cgroup, None, false, false, true)?;
                Ok((cgroup, Some(File::from_name(name.as_bytes()).ok_or(Errno::ENOENT)?)))
            }
        }
    }

    /// The same for steps that are about files only.
    pub(super) fn file(&self, who: &Caller, object: &Object) -> Result<(CgroupId, File), No> {
        let (cgroup, file) = self.node(who, object)?;
        Ok((cgroup, file.ok_or(Errno::EISDIR)?))
    }

    /// Names of the processes that a text lists, without the driver and the kernel threads.
    pub(super) fn names_in(&self, text: &str) -> Value {
        let pids = text.lines().map(|line| line.parse::<Pid>().expect("a list of numbers"));
        let strangers = [Kernel::INIT, Kernel::KTHREADD];
        let mut names: Vec<&str> = pids.filter(|pid| !strangers.contains(pid)).map(|pid| self.name(pid)).collect();
        names.sort_unstable();
        names.into()
    }
}

pub(super) fn path(object: &Object, key: &str) -> Vec<u8> {
    bytes(text_of(object, key).unwrap_or("/"))
}
