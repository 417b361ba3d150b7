//! Steps about processes and threads.

use serde_json::Value;

use super::{File, Object, Profile, View, step};

/// Processes and threads of one scenario, dead or alive.
const MOST: usize = 40;

impl View<'_> {
    fn new_process(&mut self) -> String {
        let name = format!("p{}", self.generator.processes.len() + 1);
        self.generator.processes.push(name.clone());
        name
    }

    fn full(&self) -> bool {
        self.generator.processes.len() + self.generator.threads.len() >= MOST
    }

    /// By the driver: a plain fork, or directly into a cgroup.
    pub(super) fn spawn(&mut self) -> Object {
        if self.full() {
            return self.read();
        }
        let name = self.new_process();
        let mut step = step("spawn", &[("p", name.into())]);
        if self.dice().percent(85) {
            step.insert("into".to_owned(), self.path().into());
        }
        let delegate = self.generator.profile == Profile::Delegate;
        if self.dice().percent(if delegate { 50 } else { 5 }) {
            step.insert("u".to_owned(), 1000.into());
        }
        step
    }

    /// By a process.
    pub(super) fn fork(&mut self) -> Object {
        let Some(creator) = self.active().filter(|_| !self.full()) else { return self.spawn() };
        let name = self.new_process();
        let mut step = step("fork", &[("p", creator.into()), ("c", name.into())]);
        if self.dice().percent(40) {
            step.insert("into".to_owned(), self.path().into());
        }
        step
    }

    pub(super) fn thread(&mut self) -> Object {
        let Some(creator) = self.active().filter(|_| !self.full()) else { return self.spawn() };
        let name = format!("t{}", self.generator.threads.len() + 1);
        self.generator.threads.push(name.clone());
        step("thread", &[("p", creator.into()), ("t", name.into())])
    }

    /// A process or thread into another cgroup, by number or as `0`.
    pub(super) fn relocate(&mut self) -> Object {
        let (who, path) = (self.anybody(), self.path());
        let threaded = self.generator.profile == Profile::Threaded;
        let threads = self.dice().percent(if threaded { 50 } else { 15 });
        let file = if threads { File::CgroupThreads } else { File::CgroupProcs };
        let place = [("g", path.clone().into()), ("f", file.name().into())];
        if self.dice().percent(4) {
            let text = self.dice().pick(&["", "x", "-1", "99999999", "4294967296", " ", "1x"]);
            return step("write", &[place[0].clone(), place[1].clone(), ("d", text.into())]);
        }
        if self.dice().percent(5)
            && let Some(actor) = self.active()
        {
            let step = step("write", &[place[0].clone(), place[1].clone(), ("d", "0".into()), ("by", actor.into())]);
            return if self.freezes(&path) { self.read() } else { step };
        }
        let mut step = step("move", &place);
        step.insert("p".to_owned(), who.clone().into());
        step = self.acted(step);
        // Who freezes himself cannot say what came of it.
        let own = |actor: &Value| actor.as_str().is_some_and(|actor| self.same_process(actor, &who));
        if step.get("by").is_some_and(own) && self.freezes(&path) {
            step.remove("by");
        }
        step
    }

    fn same_process(&self, one: &str, other: &str) -> bool {
        let kernel = &self.player.kernel;
        let (one, other) = (self.player.pid(one), self.player.pid(other));
        one == other || kernel.threads(one).contains(&other)
    }

    fn freezes(&self, path: &str) -> bool {
        let kernel = &self.player.kernel;
        self.cgroups.iter().any(|cgroup| self.path_of(*cgroup) == path && kernel.is_frozen(*cgroup))
    }

    /// Deaths, and what follows from them.
    pub(super) fn end(&mut self) -> Object {
        let processes = self.generator.processes.clone();
        if processes.is_empty() {
            return self.spawn();
        }
        let process = self.dice().of(&processes).clone();
        match self.dice().below(10) {
            0..=3 => step("kill", &[("p", process.into())]),
            4..=6 => {
                let zombie = processes.iter().find(|name| {
                    matches!(self.player.kernel.state(self.player.pid(name)), Some(crate::kernel::State::Zombie(_)))
                });
                step("reap", &[("p", zombie.unwrap_or(&process).clone().into())])
            }
            7 => step("state", &[("p", process.into())]),
            _ => {
                let all: Vec<&String> = processes.iter().chain(&self.generator.threads).collect();
                let thread = all[self.generator.dice.below(all.len())].clone();
                step("texit", &[("t", thread.into())])
            }
        }
    }

    pub(super) fn whereabouts(&mut self) -> Object {
        let who = self.anybody();
        let mut step = step("where", &[("p", who.into())]);
        if let Some(actor) = self.active().filter(|_| self.generator.profile == Profile::Namespace) {
            step.insert("by".to_owned(), actor.into());
        }
        step
    }

    pub(super) fn unshare(&mut self) -> Object {
        let Some(actor) = self.active() else { return self.spawn() };
        step("unshare", &[("by", actor.into()), ("ns", "cgroup".into())])
    }

    pub(super) fn alloc(&mut self) -> Object {
        let Some(actor) = self.active() else { return self.spawn() };
        let mib = *self.dice().of(&[1, 1, 2, 3]);
        step("alloc", &[("p", actor.into()), ("mib", mib.into())])
    }
}
