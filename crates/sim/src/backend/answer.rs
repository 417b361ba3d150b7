//! Answers to the core's questions, read from the kernel as it is now.

use super::{SimBackend, number};
use crate::kernel::{CgroupId, Errno, File, Kernel, Pid, State};
use cgarbiter_core::event::{CgroupEvents, Member, PinAnswer, Readings};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Counters;
use cgarbiter_core::{Answer, OpError, Question};

/// So much is read of a file that holds a number.
const PID_FILE_MAX: usize = 64;

impl SimBackend {
    /// Look: the command line that a process shows.
    #[must_use]
    pub fn command_of(&self, pid: Pid) -> Option<&str> {
        self.programs.command(pid)
    }

    /// In: a question, answered at once. Who owns a name on the bus is not the kernel's business: always "yes" here.
    pub fn answer(&mut self, question: &Question) -> Answer {
        self.absorb();
        match question {
            Question::Pin(pids) => Answer::Processes(pids.iter().map(|pid| self.pin(*pid)).collect()),
            Question::CgroupOf(pid) => {
                Answer::Cgroup { pid: *pid, cgroup: signed(*pid).and_then(|pid| self.place(pid)) }
            }
            Question::CgroupOfPin(pin) => match self.pins.held.remove(pin) {
                Some(held) => {
                    let pid = (!held.is_reaped(&self.kernel)).then_some(held.pid());
                    Answer::Cgroup { pid: number(held.pid()), cgroup: pid.and_then(|pid| self.place(pid)) }
                }
                None => Answer::Failed(OpError::new("pidfd", cgarbiter_core::Errno::BadF)),
            },
            Question::Events(cgroup) => Answer::Events(self.find(cgroup).ok().and_then(|id| self.events(id))),
            Question::Readings(cgroup) => Answer::Readings(self.find(cgroup).ok().map(|id| self.readings(id))),
            Question::Members(cgroup) => Answer::Members(self.find(cgroup).ok().and_then(|id| self.processes(id).ok())),
            Question::Orphans(cgroup) => Answer::Pids(self.orphans(cgroup)),
            Question::PidFile(file) => self.pid_file(file),
            Question::BusNameOwned(_) => Answer::Flag(true),
            Question::UnitFiles(search) => {
                Answer::UnitFiles(search.iter().flat_map(|directory| self.store.unit_files(directory)).collect())
            }
        }
    }

    fn pin(&mut self, pid: u32) -> PinAnswer {
        let Some(pid) = signed(pid).filter(|pid| self.kernel.state(*pid) == Some(State::Alive)) else {
            return PinAnswer::Gone;
        };
        if pid == Kernel::INIT || pid == self.arbiter {
            return PinAnswer::Manager;
        }
        if self.kernel.is_kernel_thread(pid) {
            return PinAnswer::KernelThread;
        }
        let uid = self.kernel.caller(pid).map_or(0, |caller| caller.uid);
        PinAnswer::Held { pin: self.pins.hold(pid), uid }
    }

    fn orphans(&self, cgroup: &CgroupPath) -> Vec<u32> {
        let members = self.find(cgroup).ok().and_then(|top| self.members(top).ok()).unwrap_or_default();
        let is_alive = |pid: &Pid| self.kernel.state(*pid) == Some(State::Alive);
        let is_orphan = |pid: &Pid| self.kernel.parent_of(*pid).is_none_or(|parent| !members.contains(&parent));
        members.iter().copied().filter(is_alive).filter(is_orphan).map(number).collect()
    }

    fn pid_file(&self, file: &str) -> Answer {
        let text = self.store.read(file).map(|text| text.get(..PID_FILE_MAX).unwrap_or(text));
        let pid: Option<u32> = text.and_then(|text| text.trim().parse().ok()).filter(|pid| *pid > 0);
        Answer::Cgroup { pid: pid.unwrap_or(0), cgroup: pid.and_then(signed).and_then(|pid| self.place(pid)) }
    }

    /// Where a process is, or was when it ended, as long as it is not reaped and that is still there.
    pub(super) fn place(&self, pid: Pid) -> Option<CgroupPath> {
        self.kernel.cgroup_of(pid).filter(|cgroup| self.kernel.exists(*cgroup)).map(|cgroup| self.path(cgroup))
    }

    fn events(&self, id: CgroupId) -> Option<CgroupEvents> {
        // The root has no such file.
        let (populated, frozen) = (self.kernel.is_populated(id), self.kernel.is_frozen(id));
        (id != CgroupId::ROOT).then(|| CgroupEvents { populated, frozen, oom_kills: self.kernel.oom_kills(id) })
    }

    fn readings(&self, id: CgroupId) -> Readings {
        let text = |file| self.read(id, file).ok().map(|text| text.trim_end().to_owned());
        Readings {
            counters: self.counters(id),
            effective_cpus: text(File::CpusetCpusEffective),
            effective_mems: text(File::CpusetMemsEffective),
        }
    }

    /// Counters as far as the files exist.
    pub(super) fn counters(&self, id: CgroupId) -> Counters {
        let single = |file| self.read(id, file).ok().and_then(|text| text.trim().parse().ok());
        let stat = self.read(id, File::CpuStat).ok();
        Counters {
            cpu_nsec: stat.and_then(|text| value(&text, "usage_usec")).map(|usec| usec * 1000),
            memory_current: single(File::MemoryCurrent),
            tasks_current: single(File::PidsCurrent),
            io: self.read(id, File::IoStat).ok().map(|text| io_sums(&text)),
            oom_kills: self.kernel.oom_kills(id),
        }
    }

    fn processes(&self, top: CgroupId) -> Result<Vec<Member>, Errno> {
        let mut found = Vec::new();
        for cgroup in self.below(top) {
            let text = match self.read(cgroup, File::CgroupProcs) {
                Err(Errno::EOPNOTSUPP) => continue,
                other => other?,
            };
            let path = self.path(cgroup);
            for pid in text.lines().filter_map(|line| line.parse::<Pid>().ok()) {
                let command = self.programs.command(pid).unwrap_or("[process]").to_owned();
                found.push(Member { cgroup: path.clone(), pid: number(pid), command });
            }
        }
        Ok(found)
    }
}

fn signed(pid: u32) -> Option<Pid> {
    Pid::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// The number after `key` in a file of `KEY VALUE` lines.
pub(super) fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key)?.1.trim().parse().ok()
}

/// `rbytes`, `rios`, `wbytes`, `wios` of all devices.
fn io_sums(text: &str) -> [u64; 4] {
    let mut sums = [0_u64; 4];
    for (key, number) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
        let place = ["rbytes", "rios", "wbytes", "wios"].iter().position(|name| *name == key);
        if let (Some(place), Ok(number)) = (place, number.parse::<u64>()) {
            sums[place] = sums[place].saturating_add(number);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_files_are_read() {
        assert_eq!(value("populated 1\nfrozen 0\n", "populated"), Some(1));
        assert_eq!(value("populated 1\n", "frozen"), None);
        let text = "254:0 rbytes=10 wbytes=1 rios=2 wios=3 dbytes=0 dios=0\n8:0 rbytes=5 rios=1\n";
        assert_eq!(io_sums(text), [15, 3, 1, 3]);
    }
}
