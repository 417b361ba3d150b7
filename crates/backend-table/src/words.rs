//! Reports, answers and events as short texts, in which processes and cgroups have the names that the row gave them.

use crate::backend::Thing;
use crate::player::Player;
use cgarbiter_core::event::{Answer, CgroupEvents, Event, ExitStatus, Member, PinAnswer, Readings};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Counters, Plan};
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::{Op, OpError, Outcome, Report};
use std::collections::BTreeMap;

/// Processes by the names that the row gave them.
pub(crate) type Pids = BTreeMap<&'static str, u32>;

impl Player<'_> {
    /// Outcomes in order, then why the plan ended early.
    pub(crate) fn report_text(&self, plan: &Plan, report: &Report) -> String {
        let failed = report.failed.as_ref().map(|error| format!("ended by {}", self.error(error)));
        let outcomes = plan.steps.iter().zip(&report.outcomes).map(|(step, outcome)| self.outcome(&step.op, outcome));
        outcomes.chain(failed).collect::<Vec<_>>().join(", ")
    }

    fn outcome(&self, op: &Op, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Done => "done".into(),
            Outcome::Refused(error) => format!("refused {}", self.error(error)),
            Outcome::Made { id } => format!("made{}", self.identity(op, *id)),
            Outcome::Seen { id, enabled } => format!("seen{} [{enabled}]", self.identity(op, *id)),
            Outcome::Controllers { enabled, refused } => match refused {
                None => format!("controllers [{enabled}]"),
                Some(error) => format!("controllers [{enabled}] but {}", self.error(error)),
            },
            Outcome::Attached => "attached".into(),
            Outcome::Gone => "gone".into(),
            Outcome::Signalled { count } => format!("signalled {count}"),
            Outcome::Spawned { pid } => format!("spawned {}", self.process(*pid)),
            Outcome::Counters(counters) => format!("counters{}", counted(counters)),
        }
    }

    /// Nothing, if the kernel says the same of the cgroup; it may have gone since.
    fn identity(&self, op: &Op, id: u64) -> &'static str {
        let cgroup = if let Op::Mkdir { cgroup } | Op::Observe { cgroup } = op { Some(cgroup) } else { None };
        match cgroup.and_then(|cgroup| self.backend.id_of(cgroup)) {
            Some(now) if now != id => " as another",
            _ => "",
        }
    }

    fn error(&self, error: &OpError) -> String {
        let mut file = self.backend.shown(&error.file);
        if let Some(pid) = file.strip_prefix("/proc/").and_then(|pid| pid.parse().ok()) {
            file = format!("/proc/{}", named(&self.pids, pid));
        }
        format!("{file}: {}", error.errno)
    }

    fn process(&self, pid: u32) -> String {
        named(&self.pids, pid)
    }

    /// An answer.
    pub(crate) fn answer_text(&self, answer: &Answer) -> String {
        match answer {
            Answer::Processes(answers) => answers.iter().map(held).collect::<Vec<_>>().join(", "),
            Answer::Cgroup { pid, cgroup } => format!("{} {}", self.process(*pid), place(cgroup.as_ref())),
            Answer::Events(None) | Answer::Readings(None) | Answer::Members(None) => "not there".into(),
            Answer::Events(Some(events)) => state(events),
            Answer::Readings(Some(readings)) => readings_text(readings),
            Answer::Members(Some(members)) => {
                let text = |member: &Member| format!("{} {}", self.process(member.pid), place(Some(&member.cgroup)));
                sorted(members.iter().map(text))
            }
            Answer::Pids(pids) => sorted(pids.iter().map(|pid| self.process(*pid))),
            Answer::Flag(flag) => flag.to_string(),
            Answer::UnitFiles(files) => files.iter().map(|file| self.unit_file(file)).collect::<Vec<_>>().join(", "),
            Answer::Failed(error) => format!("failed {}", self.error(error)),
        }
    }

    fn unit_file(&self, file: &UnitFile) -> String {
        let link = file.link.as_ref().map_or_else(String::new, |target| format!(" -> {target}"));
        match &file.content {
            Content::Text(text) => format!("{}{link} {text:?}", file.path),
            Content::Unreadable(error) => format!("{}{link} unreadable {}", file.path, self.error(error)),
        }
    }
}

/// Events in the order that they have to have: what is heard of processes, of each in its order, then changes, each
/// once, because several may be told as one.
pub(crate) fn events_text(pids: &Pids, events: &[Event]) -> Vec<String> {
    let mut told: Vec<(String, String)> = Vec::new();
    let mut changed: Vec<u64> = Vec::new();
    for event in events {
        match event {
            Event::CgroupChanged { watch } => changed.push(watch.0),
            Event::Executed { pid, failure } => {
                let failure = failure.as_ref().map_or_else(String::new, |failure| {
                    format!(" failed {} {}: {}", failure.status, failure.what, failure.errno)
                });
                told.push((named(pids, *pid), format!("executed{failure}")));
            }
            Event::Exited { pid, status } => told.push((named(pids, *pid), ended(*status))),
            Event::Notified { pid, uid, cgroup, message, descriptors } => {
                let lines = message.trim_end().replace('\n', "|");
                let text = format!("notified {uid} {} {lines} {}", place(cgroup.as_ref()), descriptors.len());
                told.push((named(pids, *pid), text));
            }
            other => told.push((String::new(), format!("{other:?}"))),
        }
    }
    changed.sort_unstable();
    changed.dedup();
    told.sort_by(|(one, _), (other, _)| one.cmp(other));
    let told = told.into_iter().map(|(process, text)| format!("{process} {text}"));
    told.chain(changed.into_iter().map(|watch| format!("changed {watch}"))).collect()
}

pub(crate) fn named(pids: &Pids, pid: u32) -> String {
    let name = pids.iter().find(|(_, number)| **number == pid);
    name.map_or_else(|| pid.to_string(), |(name, _)| (*name).to_owned())
}

fn ended(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exited {code}"),
        ExitStatus::Signal(signal) => format!("killed {signal}"),
        ExitStatus::Dumped(signal) => format!("dumped {signal}"),
        ExitStatus::Lost => "lost".into(),
    }
}

fn held(answer: &PinAnswer) -> String {
    match answer {
        PinAnswer::Held { uid, .. } => format!("held of {uid}"),
        PinAnswer::Gone => "gone".into(),
        PinAnswer::KernelThread => "kernel thread".into(),
        PinAnswer::Manager => "manager".into(),
    }
}

fn place(cgroup: Option<&CgroupPath>) -> String {
    match cgroup {
        None => "nowhere".into(),
        Some(cgroup) if cgroup.is_root() => "in /".into(),
        Some(cgroup) => format!("in {}", cgroup.as_str()),
    }
}

fn state(events: &CgroupEvents) -> String {
    let populated = if events.populated { "populated" } else { "empty" };
    let frozen = if events.frozen { " frozen" } else { "" };
    let killed = events.oom_kills.map_or_else(String::new, |count| format!(" oom {count}"));
    format!("{populated}{frozen}{killed}")
}

/// Which counters there are; those that do not depend on the machine with their values.
fn counted(counters: &Counters) -> String {
    let Counters { cpu_nsec, memory_current, tasks_current, io, oom_kills } = counters;
    let there = |is: bool, name: &str| if is { format!(" {name}") } else { String::new() };
    let value = |value: &Option<u64>, name: &str| value.map_or_else(String::new, |value| format!(" {name} {value}"));
    [
        there(cpu_nsec.is_some(), "cpu"),
        there(memory_current.is_some(), "memory"),
        value(tasks_current, "tasks"),
        there(io.is_some(), "io"),
        value(oom_kills, "oom"),
    ]
    .concat()
}

fn readings_text(readings: &Readings) -> String {
    let there = |text: &Option<String>, name: &str| match text {
        Some(_) => format!(" {name}"),
        None => String::new(),
    };
    let sets = [there(&readings.effective_cpus, "cpus"), there(&readings.effective_mems, "mems")].concat();
    format!("read{}{sets}", counted(&readings.counters))
}

pub(crate) fn thing(thing: &Thing) -> String {
    match thing {
        Thing::Nothing => "nothing".into(),
        Thing::Text(text) => format!("{text:?}"),
        Thing::Link(target) => format!("-> {target}"),
        Thing::Directory => "directory".into(),
    }
}

fn sorted(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts.join(", ")
}
