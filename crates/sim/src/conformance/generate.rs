//! Random scenarios: what a manager does, what its clients do to it, and the edges of both. The generator looks at the
//! imagined kernel, so that most of what it draws has somebody to act and something to act on.

mod files;
mod processes;

use serde_json::Value;

use super::dice::Dice;
use super::record::object;
use crate::kernel::{CgroupId, Controller, File};
use crate::vectors::kernel::{Object, Player};

/// How a file is read so that the answer does not vary from run to run on a real machine: `None`, all of it; `keys`,
/// the first word of each line (times and counts of the kernel's own doing); `result`, only whether it can be read
/// (memory in use and block i/o, also of lines that come and go).
#[must_use]
pub fn reading(file: File) -> Option<&'static str> {
    use File as F;
    match file {
        F::CpuStat | F::CpuStatLocal | F::CgroupStatLocal | F::CpuPressure | F::IoPressure | F::MemoryPressure => {
            Some("keys")
        }
        // Reclaim and out-of-memory kills are counted as often as the kernel tried.
        F::MemoryEvents | F::MemoryEventsLocal => Some("keys"),
        F::MemoryCurrent | F::MemoryPeak | F::MemoryStat | F::MemoryNumaStat | F::IoStat => Some("result"),
        _ => None,
    }
}

/// What a scenario is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    General,
    Control,
    Threaded,
    Delegate,
    Freeze,
    /// Limits of cgroups in which nobody lives: nobody feels them.
    Limits,
    Namespace,
}

const PROFILES: [Profile; 7] = [
    Profile::General,
    Profile::Control,
    Profile::Threaded,
    Profile::Delegate,
    Profile::Freeze,
    Profile::Limits,
    Profile::Namespace,
];

/// Kinds of steps.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Mkdir,
    Rmdir,
    Control,
    Spawn,
    Fork,
    Thread,
    Move,
    Write,
    Odd,
    Read,
    Freeze,
    Kill,
    End,
    Type,
    Levels,
    Owner,
    Xattr,
    List,
    Where,
    Descriptor,
    Watch,
    Names,
    Unshare,
    Alloc,
}

/// How often each kind comes, by profile in the order of [`PROFILES`].
const WEIGHTS: [(Kind, [u8; 7]); 24] = [
    (Kind::Mkdir, [12, 12, 12, 12, 10, 10, 10]),
    (Kind::Rmdir, [6, 7, 6, 6, 5, 5, 5]),
    (Kind::Control, [12, 30, 10, 8, 3, 16, 10]),
    (Kind::Spawn, [8, 5, 8, 8, 10, 0, 8]),
    (Kind::Fork, [3, 2, 3, 3, 5, 0, 6]),
    (Kind::Thread, [2, 1, 10, 1, 3, 0, 2]),
    (Kind::Move, [10, 8, 14, 14, 14, 0, 14]),
    (Kind::Write, [10, 8, 4, 6, 3, 40, 6]),
    (Kind::Odd, [3, 2, 2, 2, 1, 5, 2]),
    (Kind::Read, [12, 12, 8, 8, 8, 25, 8]),
    (Kind::Freeze, [4, 1, 3, 3, 16, 1, 4]),
    (Kind::Kill, [2, 1, 2, 2, 6, 1, 2]),
    (Kind::End, [5, 3, 6, 4, 10, 0, 4]),
    (Kind::Type, [2, 3, 12, 2, 2, 1, 2]),
    (Kind::Levels, [3, 2, 2, 3, 1, 6, 2]),
    (Kind::Owner, [3, 1, 2, 18, 1, 2, 6]),
    (Kind::Xattr, [4, 1, 1, 4, 1, 3, 1]),
    (Kind::List, [2, 3, 2, 1, 1, 4, 1]),
    (Kind::Where, [2, 1, 2, 2, 3, 0, 8]),
    (Kind::Descriptor, [3, 2, 2, 6, 3, 2, 3]),
    (Kind::Watch, [2, 1, 1, 1, 4, 1, 1]),
    (Kind::Names, [2, 1, 1, 2, 1, 2, 2]),
    (Kind::Unshare, [1, 0, 0, 1, 1, 0, 8]),
    (Kind::Alloc, [1, 0, 1, 0, 1, 0, 0]),
];

/// Draws the steps of one scenario.
#[derive(Debug)]
pub(super) struct Generator {
    dice: Dice,
    profile: Profile,
    processes: Vec<String>,
    threads: Vec<String>,
    /// What was opened, by the number of the descriptor.
    descriptors: Vec<File>,
    watches: Vec<String>,
    /// Steps to come before anything is drawn.
    first: Vec<Object>,
}

impl Generator {
    /// A scenario of its own for each sequence of choices.
    pub(super) fn new(mut dice: Dice) -> Self {
        let profile = *dice.of(&PROFILES);
        let mut first = Vec::new();
        if profile == Profile::Namespace || dice.percent(20) {
            first.push(step("remount", &[("opts", "nsdelegate".into())]));
        }
        if profile != Profile::Namespace && dice.percent(60) {
            let all = Controller::ALL.map(|controller| format!("+{}", controller.name())).join(" ");
            let words = dice.pick(&[all.as_str(), "+memory +pids", "+cpu +memory +pids", "+cpuset +cpu +pids", "+io"]);
            first.push(write("/", File::CgroupSubtreeControl, words));
        }
        first.reverse();
        let (processes, threads, watches) = (Vec::new(), Vec::new(), Vec::new());
        Self { dice, profile, processes, threads, descriptors: Vec::new(), watches, first }
    }

    /// The next step; the player has done all those before.
    pub(super) fn next(&mut self, player: &Player) -> Object {
        if let Some(step) = self.first.pop() {
            return step;
        }
        let column = PROFILES.iter().position(|other| *other == self.profile).expect("one of them");
        let position = self.dice.weighted(WEIGHTS.iter().map(|(_, shares)| usize::from(shares[column])));
        let mut view = View::new(player, self);
        match WEIGHTS[position].0 {
            Kind::Mkdir => view.mkdir(),
            Kind::Rmdir => view.rmdir(),
            Kind::Control => view.control(),
            Kind::Spawn => view.spawn(),
            Kind::Fork => view.fork(),
            Kind::Thread => view.thread(),
            Kind::Move => view.relocate(),
            Kind::Write => view.write_setting(),
            Kind::Odd => view.write_odd(),
            Kind::Read => view.read(),
            Kind::Freeze => view.write_core(File::CgroupFreeze),
            Kind::Kill => view.write_core(File::CgroupKill),
            Kind::End => view.end(),
            Kind::Type => view.write_core(File::CgroupType),
            Kind::Levels => view.levels(),
            Kind::Owner => view.owner(),
            Kind::Xattr => view.xattr(),
            Kind::List => view.list(),
            Kind::Where => view.whereabouts(),
            Kind::Descriptor => view.descriptor(),
            Kind::Watch => view.watch(),
            Kind::Names => view.names(),
            Kind::Unshare => view.unshare(),
            Kind::Alloc => view.alloc(),
        }
    }
}

/// A step with these fields.
fn step(operation: &str, fields: &[(&str, Value)]) -> Object {
    let mut step = object(fields);
    step.insert("op".to_owned(), operation.into());
    step
}

fn write(path: &str, file: File, text: &str) -> Object {
    step("write", &[("g", path.into()), ("f", file.name().into()), ("d", text.into())])
}

/// What there is, and the choices.
struct View<'a> {
    player: &'a Player,
    generator: &'a mut Generator,
    cgroups: Vec<CgroupId>,
}

impl<'a> View<'a> {
    fn new(player: &'a Player, generator: &'a mut Generator) -> Self {
        Self { cgroups: player.kernel.below(CgroupId::ROOT), player, generator }
    }

    fn dice(&mut self) -> &mut Dice {
        &mut self.generator.dice
    }

    /// Nobody lives below the root, so no limit is felt.
    fn dry(&self) -> bool {
        self.generator.profile == Profile::Limits
    }

    fn path_of(&self, cgroup: CgroupId) -> String {
        self.player.kernel.path(cgroup).into_iter().map(char::from).collect()
    }

    /// One that is there; the root less often than others.
    fn cgroup(&mut self) -> CgroupId {
        let count = self.cgroups.len();
        let first = usize::from(count > 1 && self.dice().percent(80));
        let position = first + self.dice().below(count - first);
        self.cgroups[position]
    }

    /// A path, rarely of something that is not there or is a file.
    fn path(&mut self) -> String {
        let cgroup = self.cgroup();
        let path = self.path_of(cgroup);
        match self.dice().below(40) {
            0 => below(&path, "nowhere"),
            1 => below(&path, "cgroup.procs"),
            _ => path,
        }
    }

    /// Lets somebody else act now and then: another user, a process with its own namespace.
    fn acted(&mut self, mut step: Object) -> Object {
        let delegate = self.generator.profile == Profile::Delegate;
        let namespace = self.generator.profile == Profile::Namespace;
        if self.dice().percent(if delegate { 55 } else { 4 }) {
            let user = *self.dice().of(&[1000, 1000, 1000, 1001]);
            step.insert("u".to_owned(), user.into());
        }
        if self.dice().percent(if namespace { 50 } else { 6 })
            && let Some(process) = self.active()
        {
            step.insert("by".to_owned(), process.into());
        }
        step
    }

    /// A process that can act.
    fn active(&mut self) -> Option<String> {
        let kernel = &self.player.kernel;
        let active = self.generator.processes.iter().filter(|name| kernel.can_act(self.player.pid(name)));
        let active: Vec<String> = active.cloned().collect();
        (!active.is_empty()).then(|| self.dice().of(&active).clone())
    }

    /// Any process or thread, dead or alive.
    fn anybody(&mut self) -> String {
        let all: Vec<String> = self.generator.processes.iter().chain(&self.generator.threads).cloned().collect();
        if all.is_empty() || self.dice().percent(2) {
            return self.dice().pick(&["kthreadd", "p99"]).to_owned();
        }
        // The younger are more often alive.
        let newer = self.dice().percent(70) && all.len() > 4;
        let first = if newer { self.dice().below(all.len()) } else { 0 };
        self.dice().of(&all[first..]).clone()
    }
}

fn below(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}
