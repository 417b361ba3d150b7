//! Calls drawn at random, most of them legal: whatever happens, the kernel's books are in order after each.

use cgarbiter_sim::kernel::{
    Caller, CgroupId, Config, Descriptor, Disposition, File, Fork, Kernel, MountOptions, Pid, PidNamespace, State,
    Version, WatchId,
};

/// Numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

struct Stress {
    random: Random,
    kernel: Kernel,
    cgroups: Vec<CgroupId>,
    tids: Vec<Pid>,
    descriptors: Vec<Descriptor>,
    watches: Vec<WatchId>,
    numbers: Pid,
}

const WORDS: [&str; 10] =
    ["+pids", "-pids", "+memory", "-memory", "+cpu +io", "-io", "-cpu", "+cpuset", "-cpuset", "+pids +memory +cpuset"];

const WRITES: [(File, &str); 14] = [
    (File::CgroupType, "threaded"),
    (File::CgroupFreeze, "1"),
    (File::CgroupFreeze, "0"),
    (File::CgroupFreeze, "0"),
    (File::CgroupMaxDepth, "3"),
    (File::CgroupMaxDescendants, "max"),
    (File::PidsMax, "3"),
    (File::PidsMax, "max"),
    (File::MemoryMax, "1M"),
    (File::MemoryMax, "max"),
    (File::MemoryOomGroup, "1"),
    (File::CpusetCpus, "1"),
    (File::CpusetCpusPartition, "root"),
    (File::CpusetCpusPartition, "member"),
];

impl Stress {
    fn new(seed: u64, immediate: bool) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let version = random.pick(&[Version::V6_1, Version::V6_12, Version::V6_18, Version::V7_3]);
        let mut kernel = Kernel::new(Config { immediate, ..Config::of(version) });
        kernel.remount(MountOptions { nsdelegate: seed.is_multiple_of(2), ..MountOptions::default() });
        let cgroups = vec![CgroupId::ROOT];
        Self { random, kernel, cgroups, tids: vec![Kernel::INIT], descriptors: vec![], watches: vec![], numbers: 5000 }
    }

    fn cgroup(&mut self) -> CgroupId {
        self.random.pick(&self.cgroups)
    }

    /// Somebody who can act, often the first process.
    fn actor(&mut self) -> Caller {
        let tid = self.random.pick(&self.tids);
        match self.kernel.caller(tid) {
            Ok(caller) if self.kernel.can_act(tid) => caller,
            _ => Caller::INIT,
        }
    }

    fn step(&mut self) {
        match self.random.below(24) {
            0 | 1 => self.make(),
            2 => self.remove(),
            3..=5 => {
                let (who, cgroup, words) = (self.actor(), self.cgroup(), self.random.pick(&WORDS));
                self.kernel.write(&who, cgroup, File::CgroupSubtreeControl, words.as_bytes()).ok();
            }
            6..=8 => {
                let (cgroup, (file, text)) = (self.cgroup(), self.random.pick(&WRITES));
                self.kernel.write(&Caller::INIT, cgroup, file, text.as_bytes()).ok();
            }
            9..=11 => self.fork(),
            12 => self.thread(),
            13..=15 => self.relocate(),
            16 | 17 => self.signal(),
            18 => self.end(),
            19 => self.reap(),
            20 => self.touch(),
            21 => self.hold(),
            22 => self.family(),
            _ => self.time_passes(),
        }
    }

    fn make(&mut self) {
        let (who, parent) = (self.actor(), self.cgroup());
        let name = [b'a' + self.random.below(4) as u8];
        if let Ok(made) = self.kernel.mkdir(&who, parent, &name) {
            self.cgroups.push(made);
        }
    }

    fn remove(&mut self) {
        let cgroup = self.cgroup();
        if self.kernel.rmdir(&Caller::INIT, cgroup).is_ok() && self.random.below(4) > 0 {
            self.cgroups.retain(|other| *other != cgroup);
        }
    }

    fn fork(&mut self) {
        let mut who = self.actor();
        let into = (self.random.below(2) == 0).then(|| self.cgroup());
        let child_of = (self.random.below(2) == 0).then_some(Kernel::INIT);
        let pid = (self.random.below(4) == 0).then(|| self.random.pick(&[5000, 5001, 5002]));
        let user = self.random.pick(&[None, Some((0, 0)), Some((1000, 1000))]);
        self.numbers += 1;
        let namespace = (self.random.below(8) == 0).then_some((PidNamespace(1), self.numbers));
        if self.random.below(4) == 0 {
            who = who.as_user(1000);
        }
        if let Ok(pid) = self.kernel.fork(&who, &Fork { into, pid, child_of, user, pid_namespace: namespace }) {
            self.tids.push(pid);
        }
    }

    fn thread(&mut self) {
        let who = self.actor();
        if who.pid != Kernel::INIT {
            self.tids.extend(self.kernel.new_thread(&who, None).ok());
        }
    }

    fn relocate(&mut self) {
        let (who, cgroup, tid) = (self.actor(), self.cgroup(), self.random.pick(&self.tids));
        let file = self.random.pick(&[File::CgroupProcs, File::CgroupProcs, File::CgroupThreads]);
        if tid != Kernel::INIT {
            self.kernel.write(&who, cgroup, file, tid.to_string().as_bytes()).ok();
        }
    }

    fn signal(&mut self) {
        let (pid, cgroup) = (self.random.pick(&self.tids), self.cgroup());
        let signal = self.random.pick(&[9, 15, 15, 15, 18, 19, 10]);
        let disposition = self.random.pick(&[Disposition::Default, Disposition::Ignore, Disposition::Catch]);
        match self.random.below(8) {
            0 => drop(self.kernel.write(&Caller::INIT, cgroup, File::CgroupKill, b"1")),
            1 | 2 => drop(self.kernel.set_disposition(pid, signal, disposition)),
            3 => drop(self.kernel.take_caught(pid)),
            _ => drop(self.kernel.kill(&Caller::INIT, pid, signal)),
        }
    }

    fn end(&mut self) {
        let tid = self.random.pick(&self.tids);
        if tid == Kernel::INIT || !self.kernel.can_act(tid) {
            return;
        }
        match self.random.below(2) {
            0 => self.kernel.exit(tid, 3).expect("it can act"),
            _ => self.kernel.exit_thread(tid).expect("it can act"),
        }
    }

    fn reap(&mut self) {
        let parent = self.random.pick(&self.tids);
        if let Some(zombie) = self.kernel.zombie_child(parent) {
            assert!(matches!(self.kernel.state(zombie), Some(State::Zombie(_))));
            self.kernel.reap(parent, zombie).expect("a zombie");
            assert_eq!(self.kernel.state(zombie), None);
        }
        self.tids.retain(|tid| self.kernel.cgroup_of(*tid).is_some());
    }

    fn touch(&mut self) {
        let pid = self.random.pick(&self.tids);
        if pid != Kernel::INIT && self.kernel.can_act(pid) {
            self.kernel.touch_memory(pid, 300_000).expect("it is alive");
        }
    }

    fn hold(&mut self) {
        let (who, cgroup) = (self.actor(), self.cgroup());
        match self.random.below(5) {
            0 => self.descriptors.extend(self.kernel.open(&who, cgroup, None, true, false).ok()),
            1 => self.descriptors.extend(self.kernel.open(&who, cgroup, Some(File::PidsMax), true, false).ok()),
            2 => self.watches.extend(self.kernel.watch(&who, cgroup, Some(File::CgroupEvents), true).ok()),
            3 => {
                if let Some(descriptor) = self.descriptors.pop() {
                    self.kernel.close(descriptor).expect("it is open");
                }
            }
            _ => {
                if let Some(watch) = self.watches.pop() {
                    self.kernel.check(&Caller::INIT, watch);
                    self.kernel.unwatch(watch);
                }
            }
        }
    }

    fn family(&mut self) {
        let (who, pid) = (self.actor(), self.random.pick(&self.tids));
        let on = self.random.below(2) == 0;
        match self.random.below(3) {
            0 => drop(self.kernel.set_subreaper(pid, on)),
            1 if pid != Kernel::INIT => drop(self.kernel.set_reaps_itself(pid, on)),
            _ if who.pid != Kernel::INIT => drop(self.kernel.unshare_cgroup_namespace(&who)),
            _ => {}
        }
    }

    fn time_passes(&mut self) {
        let waiting = self.kernel.unsettled().len();
        if waiting > 0 {
            let position = self.random.below(waiting);
            self.kernel.settle_one(position);
        } else {
            drop(self.kernel.take_notices());
        }
    }

    fn run(mut self, steps: usize) -> Kernel {
        for _ in 0..steps {
            self.step();
            self.kernel.check_invariants();
        }
        self.kernel.settle();
        self.kernel.check_invariants();
        self.kernel
    }
}

#[test]
fn the_books_are_in_order_when_all_happens_at_once() {
    for seed in 0..60 {
        Stress::new(seed, true).run(300);
    }
}

#[test]
fn the_books_are_in_order_when_effects_come_later() {
    for seed in 1000..1060 {
        Stress::new(seed, false).run(300);
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let text = |seed| format!("{:?}", Stress::new(seed, false).run(200));
    assert_eq!(text(7), text(7));
}
