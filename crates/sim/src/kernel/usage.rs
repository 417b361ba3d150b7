//! What processes use up: processor time and block i/o, as `cpu.stat` and `io.stat` count them. Counted here, in all
//! ancestors, and kept there when the cgroup is gone.

use std::fmt::Write;

use super::process::Pid;
use super::{Controller, Errno, Kernel};

impl Kernel {
    /// A process used so many microseconds of processor time.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn spend_cpu(&mut self, tid: Pid, microseconds: u64) -> Result<(), Errno> {
        let mut next = Some(self.tasks[self.task(tid)?].cgroup);
        while let Some(index) = next {
            let cgroup = &mut self.cgroups[index];
            cgroup.cpu_usage += microseconds;
            next = cgroup.parent;
        }
        Ok(())
    }

    /// A process read from and wrote to a disk, with one operation for each that is not 0 bytes. Counted where the io
    /// controller is on.
    ///
    /// # Errors
    /// `ESRCH`, `ENODEV` for a disk that the machine does not have.
    pub fn do_io(&mut self, tid: Pid, disk: (u32, u32), read: u64, written: u64) -> Result<(), Errno> {
        let mut next = Some(self.tasks[self.task(tid)?].cgroup);
        if !self.config.disks.contains(&disk) {
            return Err(Errno::ENODEV);
        }
        while let Some(index) = next {
            let cgroup = &mut self.cgroups[index];
            if cgroup.active.has(Controller::Io) {
                let sums = cgroup.io.used.entry(disk).or_default();
                let more = [read, written, u64::from(read > 0), u64::from(written > 0)];
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            next = cgroup.parent;
        }
        Ok(())
    }

    pub(super) fn show_cpu_stat(&self, index: u32, text: &mut String) {
        let usage = self.cgroups[index].cpu_usage;
        write!(text, "usage_usec {usage}\nuser_usec {usage}\nsystem_usec 0\n").expect("strings take all");
        if self.config.at_least(6, 12) {
            text.push_str("nice_usec 0\n");
        }
        if self.cgroups[index].visible.has(Controller::Cpu) {
            text.push_str("nr_periods 0\nnr_throttled 0\nthrottled_usec 0\nnr_bursts 0\nburst_usec 0\n");
        }
    }

    pub(super) fn show_io_stat(&self, index: u32, text: &mut String) {
        for ((major, minor), [rbytes, wbytes, rios, wios]) in &self.cgroups[index].io.used {
            let bytes = format!("rbytes={rbytes} wbytes={wbytes}");
            writeln!(text, "{major}:{minor} {bytes} rios={rios} wios={wios} dbytes=0 dios=0")
                .expect("strings take all");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Caller, CgroupId, Config, File, Fork, Kernel};

    #[test]
    fn what_was_used_is_counted_upwards_and_stays() {
        let root = Caller::INIT;
        let mut kernel = Kernel::new(Config::default());
        kernel.write(&root, CgroupId::ROOT, File::CgroupSubtreeControl, b"+io").expect("handed down");
        let a = kernel.mkdir(&root, CgroupId::ROOT, b"a").expect("made");
        let b = kernel.mkdir(&root, a, b"b").expect("made");
        let pid = kernel.fork(&root, &Fork { into: Some(b), ..Fork::default() }).expect("started");
        kernel.spend_cpu(pid, 250).expect("alive");
        kernel.do_io(pid, (259, 0), 4096, 0).expect("a disk");
        kernel.exit(pid, 0).expect("ended");
        kernel.rmdir(&root, b).expect("removed");
        assert!(kernel.read(&root, a, File::CpuStat).expect("there").starts_with("usage_usec 250\n"));
        let io = kernel.read(&root, a, File::IoStat).expect("there");
        assert_eq!(io, "259:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n");
    }
}
