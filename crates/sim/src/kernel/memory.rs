//! The memory controller: limits, and usage by object. There is no swap and nothing to reclaim: memory that a process
//! touched stays until it ends.

use super::cgroup::CgroupId;
use super::files::File;
use super::parse::{kstrtoint, memparse, strip};
use super::process::{Pid, State};
use super::{Errno, Kernel};

pub(super) const PAGE: u64 = 4096;

/// As many pages as a counter can hold; prints as `max`.
pub(super) const COUNTER_MAX: u64 = i64::MAX as u64 / PAGE;

/// Limits that take and print bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Min,
    Low,
    High,
    Max,
    SwapHigh,
    SwapMax,
    ZswapMax,
}

/// Lines of `memory.events`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    pub(super) max: u64,
    pub(super) oom: u64,
    pub(super) oom_kill: u64,
    pub(super) oom_group_kill: u64,
}

/// One accounting object. It outlives the controller's time in its cgroup as long as memory is charged to it.
#[derive(Clone, Debug)]
pub(super) struct MemoryObject {
    pub(super) parent: Option<u32>,
    pub(super) cgroup: Option<u32>,
    pub(super) usage: u64,
    pub(super) peak: u64,
    /// In pages, by [`Limit`].
    pub(super) limits: [u64; 7],
    pub(super) oom_group: bool,
    pub(super) zswap_writeback: bool,
    pub(super) events: Events,
    pub(super) events_local: Events,
    pub(super) references: u32,
}

const NO_LIMITS: [u64; 7] = [0, 0, COUNTER_MAX, COUNTER_MAX, COUNTER_MAX, COUNTER_MAX, COUNTER_MAX];

impl MemoryObject {
    pub(super) fn new(parent: Option<u32>, cgroup: u32) -> Self {
        Self {
            parent,
            cgroup: Some(cgroup),
            usage: 0,
            peak: 0,
            limits: NO_LIMITS,
            oom_group: false,
            zswap_writeback: true,
            events: Events::default(),
            events_local: Events::default(),
            references: 1,
        }
    }

    pub(super) fn max(&self) -> u64 {
        self.limits[Limit::Max as usize].saturating_mul(PAGE)
    }
}

impl Kernel {
    pub(super) fn memory_object(&self, cgroup: u32) -> u32 {
        let mut index = cgroup;
        loop {
            if let Some(object) = self.cgroups[index].memory {
                return object;
            }
            index = self.cgroups[index].parent.expect("the root has an object");
        }
    }

    pub(super) fn memory_here(&self, cgroup: u32) -> &MemoryObject {
        &self.memory[self.cgroups[cgroup].memory.expect("the controller is on")]
    }

    pub(super) fn memory_here_mut(&mut self, cgroup: u32) -> &mut MemoryObject {
        &mut self.memory[self.cgroups[cgroup].memory.expect("the controller is on")]
    }

    pub(super) fn memory_on(&mut self, cgroup: u32) {
        let parent = self.memory_object(cgroup);
        self.memory[parent].references += 1;
        let object = self.memory.insert(MemoryObject::new(Some(parent), cgroup));
        self.cgroups[cgroup].memory = Some(object);
    }

    pub(super) fn memory_off(&mut self, cgroup: u32) {
        let object = self.cgroups[cgroup].memory.take().expect("the controller was on");
        self.memory[object].cgroup = None;
        self.memory_unreference(object);
    }

    /// The controller is hidden, but still needed by another.
    pub(super) fn memory_reset(&mut self, cgroup: u32) {
        self.memory_here_mut(cgroup).limits = NO_LIMITS;
    }

    fn memory_unreference(&mut self, object: u32) {
        let mut next = Some(object);
        while let Some(object) = next {
            self.memory[object].references -= 1;
            if self.memory[object].references > 0 {
                return;
            }
            next = self.memory.remove(object).parent;
        }
    }

    fn charge(&mut self, process: u32, object: u32, bytes: u64) {
        match self.processes[process].memory.iter_mut().find(|(charged, _)| *charged == object) {
            Some((_, charged)) => *charged += bytes,
            None => {
                self.processes[process].memory.push((object, bytes));
                self.memory[object].references += 1;
            }
        }
        let mut next = Some(object);
        while let Some(object) = next {
            let charged = &mut self.memory[object];
            charged.usage += bytes;
            charged.peak = charged.peak.max(charged.usage);
            next = charged.parent;
        }
    }

    /// A process has ended: its memory is free again.
    pub(super) fn uncharge_memory(&mut self, process: u32) {
        for (object, bytes) in std::mem::take(&mut self.processes[process].memory) {
            let mut next = Some(object);
            while let Some(above) = next {
                let charged = &mut self.memory[above];
                charged.usage = charged.usage.checked_sub(bytes).expect("only charged memory is freed");
                next = charged.parent;
            }
            self.memory_unreference(object);
        }
    }

    /// A process touches fresh memory and keeps it. Where a limit is hit the out-of-memory killer takes the largest
    /// process below that limit. Answers whether the process is still alive.
    ///
    /// # Errors
    /// `ESRCH` when there is no such live process.
    pub fn touch_memory(&mut self, pid: Pid, bytes: u64) -> Result<bool, Errno> {
        let process = self.process_of(pid)?;
        if self.processes[process].state != State::Alive {
            return Err(Errno::ESRCH);
        }
        let object = self.memory_object(self.tasks[self.task(pid)?].cgroup);
        let mut wanted = bytes.div_ceil(PAGE) * PAGE;
        while wanted > 0 {
            let (room, tight) = self.room(object);
            let taken = wanted.min(room);
            if taken > 0 {
                self.charge(process, object, taken);
            }
            wanted -= taken;
            if wanted > 0 {
                let alive = self.out_of_memory(tight, Some(process));
                if !alive || self.processes.get(process).is_none_or(|it| it.state != State::Alive || it.dying.is_some())
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How much more fits, and the object whose limit decides.
    fn room(&self, object: u32) -> (u64, u32) {
        let (mut room, mut tight) = (u64::MAX, object);
        let mut next = Some(object);
        while let Some(index) = next {
            let counted = &self.memory[index];
            let here = if counted.parent.is_none() { u64::MAX } else { counted.max().saturating_sub(counted.usage) };
            if here < room {
                (room, tight) = (here, index);
            }
            next = counted.parent;
        }
        (room, tight)
    }

    pub(super) fn memory_event(&mut self, object: u32, count: impl Fn(&mut Events)) {
        count(&mut self.memory[object].events_local);
        self.memory_notify(object, File::MemoryEventsLocal);
        let mut next = Some(object);
        while let Some(index) = next {
            count(&mut self.memory[index].events);
            self.memory_notify(index, File::MemoryEvents);
            next = if self.options.memory_localevents { None } else { self.memory[index].parent };
        }
    }

    fn memory_notify(&mut self, object: u32, file: File) {
        if let Some(cgroup) = self.memory[object].cgroup {
            self.notify(cgroup, file);
        }
    }

    /// Bytes charged to a cgroup and everything below; 0 where the controller is off.
    #[must_use]
    pub fn memory_usage(&self, id: CgroupId) -> u64 {
        let object = self.live(id).ok().and_then(|index| self.cgroups[index].memory);
        object.map_or(0, |object| self.memory[object].usage)
    }

    pub(super) fn write_memory_limit(&mut self, cgroup: u32, limit: Limit, text: &[u8]) -> Result<(), Errno> {
        let pages = parse_pages(text, self.config.at_least(7, 2))?;
        self.memory_here_mut(cgroup).limits[limit as usize] = pages;
        if limit == Limit::Max {
            self.enforce_max(cgroup);
        }
        Ok(())
    }

    pub(super) fn write_oom_group(&mut self, cgroup: u32, text: &[u8]) -> Result<(), Errno> {
        let value = kstrtoint(strip(text))?;
        if value != 0 && value != 1 {
            return Err(Errno::EINVAL);
        }
        self.memory_here_mut(cgroup).oom_group = value == 1;
        Ok(())
    }

    pub(super) fn write_zswap_writeback(&mut self, cgroup: u32, text: &[u8]) -> Result<(), Errno> {
        let value = kstrtoint(strip(text))?;
        if value != 0 && value != 1 {
            return Err(Errno::EINVAL);
        }
        self.memory_here_mut(cgroup).zswap_writeback = value == 1;
        Ok(())
    }

    /// There is nothing to reclaim, so any whole page is too much.
    pub(super) fn write_reclaim(&self, text: &[u8]) -> Result<(), Errno> {
        let text = strip(text);
        if !self.config.at_least(6, 7) {
            let pages = if text.is_empty() { COUNTER_MAX } else { parse_pages(text, false)? };
            return if text == b"max" { Err(Errno::EINVAL) } else { reclaimed(pages) };
        }
        let (bytes, rest) = memparse(text, self.config.at_least(7, 2));
        if rest.len() == text.len() {
            return Err(Errno::EINVAL);
        }
        for option in strip(rest).split(|byte| *byte == b' ').filter(|option| !option.is_empty()) {
            let value = option.strip_prefix(b"swappiness=").ok_or(Errno::EINVAL)?;
            let none = value == b"max" && self.config.at_least(6, 16);
            if !none && !kstrtoint(value).is_ok_and(|value| (0..=200).contains(&value)) {
                return Err(Errno::EINVAL);
            }
        }
        reclaimed(bytes / PAGE)
    }
}

fn reclaimed(pages: u64) -> Result<(), Errno> {
    if pages == 0 { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// `max` or bytes, rounded down to pages. Nothing but blanks is 0.
pub(super) fn parse_pages(text: &[u8], saturate: bool) -> Result<u64, Errno> {
    let text = strip(text);
    if text == b"max" {
        return Ok(COUNTER_MAX);
    }
    let (bytes, rest) = memparse(text, saturate);
    if rest.is_empty() { Ok((bytes / PAGE).min(COUNTER_MAX)) } else { Err(Errno::EINVAL) }
}
