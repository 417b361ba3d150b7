//! Signals to whole cgroups and to single processes.

use super::ops::{mkdir, record, shell, signal_all, signal_one, sleeper, watch, watch_process, write};
use super::{Row, path, row};
use cgarbiter_core::event::Question;
use cgarbiter_core::exec::ExecStep;
use cgarbiter_core::plan::{Op, Signals, Spawn};

const HUP: i32 = 1;
const SEGV: i32 = 11;
const KILL: i32 = 9;
const TERM: i32 = 15;
const STOP: i32 = 19;

/// The place of this limit in the core's list of limits.
const RLIMIT_CORE: u32 = 4;

fn all(cgroup: &str, signals: Signals, spare: &[u32]) -> Op {
    Op::SignalAll { cgroup: path(cgroup), signals, spare: spare.to_vec() }
}

fn told(command: Spawn) -> Spawn {
    Spawn { tell_executed: true, ..command }
}

pub(super) const ROWS: &[Row] = &[
    row("everybody below is signalled but those to spare", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("c")]);
        t.spawn("p", "a", told(sleeper()));
        t.spawn("q", "a/b", told(sleeper()));
        t.spawn("r", "c", told(sleeper()));
        t.heard("p executed, q executed, r executed");
        let signals = Signals { first: TERM, then_continue: false, then_hangup: false };
        t.step(all("a", signals, &[t.pid("q")]), "signalled 1");
        t.heard("p killed 15");
        t.step(signal_all("a", KILL), "signalled 1");
        t.heard("q killed 9");
        t.step(signal_all("a", TERM), "signalled 0");
        t.step(signal_all("d", TERM), "signalled 0");
        t.heard("");
        t.ask(&Question::Events(path("c")), "populated");
    }),
    row("a signal that is none is refused, where there is somebody to hear it", |t| {
        t.given(vec![mkdir("a")]);
        t.step(signal_all("a", 99), "signalled 0");
        t.spawn("p", "a", told(sleeper()));
        t.heard("p executed");
        t.step(signal_all("a", 99), "/proc/p: EINVAL");
        t.step(signal_one(t.pid("p"), 99), "/proc/p: EINVAL");
        t.step(signal_all("a", 0), "signalled 1");
        t.heard("");
    }),
    row("processes of others are signalled in their cgroup, and not one by one", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        t.step(signal_one(pid, TERM), "signalled 0");
        t.step(signal_all("a", KILL), "signalled 1");
        t.ended("p");
        t.heard("");
        t.ask(&Question::Events(path("a")), "empty");
    }),
    row("a process that was taken hold of is signalled", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        t.step(watch_process("a", pid), "done");
        t.step(signal_one(pid, 0), "signalled 1");
    }),
    row("a child is signalled until its end was told", |t| {
        t.given(vec![mkdir("a")]);
        t.spawn("p", "a", told(sleeper()));
        t.heard("p executed");
        let pid = t.pid("p");
        t.step(signal_one(pid, TERM), "signalled 1");
        t.heard("p killed 15");
        t.step(signal_one(pid, TERM), "signalled 0");
        t.step(signal_one(u32::MAX, TERM), "signalled 0");
        t.step(signal_one(0, TERM), "signalled 0");
    }),
    row("a child that has ended takes signals without effect until its end was told", |t| {
        t.given(vec![mkdir("a")]);
        t.spawn("p", "a", Spawn::new("/bin/sleep", ["/bin/sleep", "0"]));
        t.ended("p");
        t.step(signal_one(t.pid("p"), TERM), "signalled 1");
        t.step(signal_all("a", TERM), "signalled 0");
        t.heard("p exited 0");
        t.step(signal_one(t.pid("p"), TERM), "signalled 0");
    }),
    row("a stopped process hears nothing before it goes on, but a kill", |t| {
        t.given(vec![mkdir("a")]);
        t.spawn("p", "a", told(sleeper()));
        t.spawn("q", "a", told(sleeper()));
        t.heard("p executed, q executed");
        t.step(signal_all("a", STOP), "signalled 2");
        t.heard("");
        t.step(signal_one(t.pid("p"), TERM), "signalled 1");
        t.heard("");
        let signals = Signals { first: TERM, then_continue: true, then_hangup: false };
        t.step(Op::SignalOne { pid: t.pid("p"), signals }, "signalled 1");
        t.heard("p killed 15");
        t.step(signal_one(t.pid("q"), KILL), "signalled 1");
        t.heard("q killed 9");
    }),
    row("who does not heed the first signal may be ended by the hangup", |t| {
        t.given(vec![mkdir("a"), record("/run/here", "")]);
        let ready = t.reached("/run/ready");
        let script = format!("trap \"\" TERM; (exec sleep infinity) & echo $! > {ready}; exec sleep infinity");
        t.spawn("p", "a", told(shell(&script)));
        t.appears("/run/ready");
        t.heard("p executed");
        t.step(signal_all("a", TERM), "signalled 2");
        t.heard("");
        let signals = Signals { first: TERM, then_continue: true, then_hangup: true };
        t.step(all("a", signals, &[]), "signalled 2");
        t.heard("p killed 1");
        t.spawn("q", "a", told(sleeper()));
        t.heard("q executed");
        t.step(signal_one(t.pid("q"), HUP), "signalled 1");
        t.heard("q killed 1");
    }),
    row("a frozen process is ended by what would end it, and hears the rest when it is thawed", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.spawn("p", "a", told(sleeper()));
        t.spawn("q", "a", told(sleeper()));
        t.spawn("r", "a", told(sleeper()));
        // One without a core image.
        let limit = ExecStep::Limit { limit: RLIMIT_CORE, soft: 0, hard: 0 };
        t.spawn("s", "a", told(Spawn { setup: vec![limit], ..sleeper() }));
        t.heard("p executed, q executed, r executed, s executed, changed 1");
        t.step(write("a", "cgroup.freeze", "1"), "done");
        t.heard("changed 1");
        t.step(signal_one(t.pid("p"), TERM), "signalled 1");
        t.heard("p killed 15, changed 1");
        t.step(signal_one(t.pid("q"), KILL), "signalled 1");
        t.heard("q killed 9, changed 1");
        t.step(signal_one(t.pid("r"), STOP), "signalled 1");
        t.heard("");
        t.step(signal_one(t.pid("s"), SEGV), "signalled 1");
        t.heard("");
        t.ask(&Question::Events(path("a")), "populated frozen");
        t.step(write("a", "cgroup.freeze", "0"), "done");
        t.heard("s killed 11, changed 1");
        t.step(signal_one(t.pid("r"), TERM), "signalled 1");
        t.heard("");
        t.step(signal_all("a", KILL), "signalled 1");
        t.heard("r killed 9, changed 1");
    }),
    row("a threaded cgroup is reached from within and from above", |t| {
        t.given(vec![mkdir("a"), mkdir("a/t")]);
        t.write("a/t", "cgroup.type", "threaded");
        t.begin("p", "a");
        t.step(signal_all("a", 0), "signalled 1");
        t.step(signal_all("a/t", 0), "signalled 0");
        t.move_to("p", "a");
        t.write("a/t", "cgroup.threads", &t.pid("p").to_string());
        t.step(signal_all("a", 0), "signalled 1");
        t.step(signal_all("a/t", 0), "signalled 1");
        t.step(signal_all("a/t", KILL), "signalled 1");
        t.ended("p");
        t.ask(&Question::Events(path("a")), "empty");
    }),
];
