//! Processes that are pinned, attached, looked at, taken hold of.

use super::ops::{attach, mkdir, observe, rmdir, shell, signal_one, sleeper, watch, watch_process};
use super::{Row, path, row};
use cgarbiter_core::event::Question;
use cgarbiter_core::plan::{Pin, Spawn};

/// A number that no kernel gives.
const NOBODY: u32 = u32::MAX;

pub(super) const ROWS: &[Row] = &[
    row("a process is pinned, attached, and let go of", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b")]);
        let pid = t.begin("p", "outside");
        let pin = t.pin("p");
        t.held(1);
        t.step(attach("a/b", pin), "attached");
        t.held(0);
        t.ask(&Question::CgroupOf(pid), "p in /a/b");
        t.step(attach("a/b", pin), "/a/b/cgroup.procs: EBADF");
        let pin = t.pin("p");
        t.step(attach("a/b", pin), "attached");
    }),
    row("whoever cannot be pinned is said to be what he is", |t| {
        let pid = t.begin("p", "outside");
        t.ask(&Question::Pin(vec![1, t.ourselves(), NOBODY, 0, pid]), "manager, manager, gone, gone, held of 0");
        t.held(1);
        t.kill("p");
        t.ask(&Question::Pin(vec![pid]), "gone");
        t.reap("p");
        t.ask(&Question::Pin(vec![pid]), "gone");
        t.ask(&Question::Pin(Vec::new()), "");
        t.held(1);
    }),
    row("a kernel thread cannot be pinned", |t| t.ask(&Question::Pin(vec![2]), "kernel thread"))
        .needs(&[crate::backend::Need::KernelThreads]),
    row("a pinned process that has ended is gone", |t| {
        t.given(vec![mkdir("a")]);
        t.begin("p", "outside");
        t.begin("q", "outside");
        let (zombie, reaped) = (t.pin("p"), t.pin("q"));
        t.kill("p");
        t.kill("q");
        t.reap("q");
        t.held(2);
        t.plan(vec![attach("a", zombie), attach("a", reaped)], "gone, gone");
        t.held(0);
        t.step(attach("a", Pin(999)), "/a/cgroup.procs: EBADF");
    }),
    row("a process is not attached to what is not there", |t| {
        t.begin("p", "outside");
        let pin = t.pin("p");
        t.step(attach("a", pin), "/a/cgroup.procs: ENOENT");
        t.held(0);
        let pin = t.pin("p");
        t.kill("p");
        t.step(attach("a", pin), "/a/cgroup.procs: ENOENT");
        let pid = t.begin("q", "outside");
        let pin = t.pin("q");
        t.kill("q");
        t.reap("q");
        t.step(attach("a", pin), "gone");
        t.ask(&Question::CgroupOf(pid), "q nowhere");
        t.held(0);
    }),
    row("pins are let go of, unknown ones too", |t| {
        t.begin("p", "outside");
        let (one, two) = (t.pin("p"), t.pin("p"));
        t.held(2);
        t.release(one);
        t.release(one);
        t.release(Pin(999));
        t.held(1);
        t.ask(&Question::CgroupOfPin(two), "p in /outside");
        t.held(0);
        t.ask(&Question::CgroupOfPin(two), "failed pidfd: EBADF");
    }),
    row("where a process is, is asked of the kernel", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        let (zombie, reaped) = (t.pin("p"), t.pin("p"));
        t.kill("p");
        t.ask(&Question::CgroupOf(pid), "p in /a");
        t.ask(&Question::CgroupOfPin(zombie), "p in /a");
        t.reap("p");
        t.ask(&Question::CgroupOf(pid), "p nowhere");
        t.ask(&Question::CgroupOfPin(reaped), "p nowhere");
        t.ask(&Question::CgroupOf(NOBODY), &format!("{NOBODY} nowhere"));
        t.ask(&Question::CgroupOf(0), "0 nowhere");
    }),
    row("one that has ended and is not reaped keeps no cgroup", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        t.kill("p");
        t.ask(&Question::Events(path("a")), "empty");
        t.ask(&Question::Members(path("a")), "");
        t.step(rmdir("a"), "done");
        t.ask(&Question::CgroupOf(pid), "p nowhere");
        t.given(vec![mkdir("a")]);
        t.ask(&Question::CgroupOf(pid), "p nowhere");
    }),
    row("a cgroup with processes is not removed, and what is empty below it is", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("a/b/c"), mkdir("a/d"), mkdir("a/d/e")]);
        t.begin("p", "a/b");
        t.step(rmdir("a"), "/a: EBUSY");
        t.is_there("a/b", true);
        t.is_there("a/b/c", false);
        t.is_there("a/d", false);
        t.step(rmdir("a/b"), "/a/b: EBUSY");
        t.step(observe("a/b"), "seen []");
        t.move_to("p", "outside");
        t.step(rmdir("a"), "done");
    }),
    row("members are all below", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("c")]);
        t.begin("p", "a");
        t.begin("q", "a/b");
        t.begin("r", "c");
        t.ask(&Question::Members(path("a")), "p in /a, q in /a/b");
        t.ask(&Question::Members(path("a/b")), "q in /a/b");
        t.ask(&Question::Members(path("d")), "not there");
        t.ask(&Question::Readings(path("d")), "not there");
        t.ask(&Question::Events(path("d")), "not there");
        t.ask(&Question::Orphans(path("d")), "");
    }),
    row("orphans have their parents elsewhere", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b")]);
        t.begin("p", "a");
        t.begin_child("q", "p");
        t.begin_child("r", "q");
        t.ask(&Question::Orphans(path("a")), "p");
        t.move_to("q", "a/b");
        t.ask(&Question::Orphans(path("a")), "p");
        t.ask(&Question::Orphans(path("a/b")), "q");
        t.move_to("r", "a/b");
        t.ask(&Question::Orphans(path("a/b")), "q");
        t.kill("q");
        t.ask(&Question::Orphans(path("a/b")), "r");
    }),
    row("threaded cgroups list their processes above", |t| {
        t.given(vec![mkdir("a"), mkdir("a/t")]);
        t.write("a/t", "cgroup.type", "threaded");
        t.begin("p", "a");
        t.ask(&Question::Members(path("a")), "p in /a");
        t.ask(&Question::Members(path("a/t")), "");
    }),
    row("the file of a process names it", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        let file = t.reached("/run/p.pid");
        t.ask(&Question::PidFile(file.clone()), "0 nowhere");
        t.put("/run/p.pid", &format!("{pid}\n"));
        t.ask(&Question::PidFile(file.clone()), "p in /a");
        t.put("/run/p.pid", &format!("  {pid}"));
        t.ask(&Question::PidFile(file.clone()), "p in /a");
        for text in ["", "x", "0", "-5", "1 2", "99999999999"] {
            t.put("/run/p.pid", text);
            t.ask(&Question::PidFile(file.clone()), "0 nowhere");
        }
        t.put("/run/p.pid", &format!("{pid}{}", " ".repeat(100)));
        t.ask(&Question::PidFile(file.clone()), "p in /a");
        t.put("/run/p.pid", &format!("{}{pid}", " ".repeat(100)));
        t.ask(&Question::PidFile(file.clone()), "0 nowhere");
        t.put("/run/p.pid", &NOBODY.to_string());
        t.ask(&Question::PidFile(file), &format!("{NOBODY} nowhere"));
        t.put_link("/run/q.pid", &t.reached("/run/p.pid"));
        t.put("/run/p.pid", &pid.to_string());
        let link = t.reached("/run/q.pid");
        t.ask(&Question::PidFile(link), "p in /a");
        let directory = t.reached("/run");
        t.ask(&Question::PidFile(directory), "0 nowhere");
    }),
    row("a process of others is taken hold of where it is said to be", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("c")]);
        let pid = t.begin("p", "a/b");
        t.step(watch_process("c", pid), "gone");
        t.step(watch_process("a", NOBODY), "gone");
        t.step(watch_process("a", 0), "gone");
        t.step(watch_process("d", pid), "gone");
        t.step(watch_process("a", pid), "done");
        t.step(watch_process("a/b", pid), "done");
        t.heard("");
    }),
    row("the end of a process that was taken hold of is told, as long as it is not reaped", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        t.step(watch_process("a", pid), "done");
        t.kill("p");
        t.heard("p killed 9");
        t.step(watch_process("a", pid), "gone");
        t.reap("p");
        t.heard("");
    }),
    row("a child is taken hold of wherever it is, and its end is told once", |t| {
        t.given(vec![mkdir("a"), mkdir("b")]);
        t.spawn("p", "a", Spawn { tell_executed: true, ..sleeper() });
        t.heard("p executed");
        let pid = t.pid("p");
        t.step(watch_process("a", pid), "done");
        t.step(watch_process("b", pid), "done");
        t.step(signal_one(pid, 9), "signalled 1");
        t.heard("p killed 9");
    }),
    row("a process that has ended cannot be taken hold of", |t| {
        t.given(vec![mkdir("a")]);
        let pid = t.begin("p", "a");
        t.kill("p");
        t.step(watch_process("a", pid), "gone");
        t.reap("p");
        t.step(watch_process("a", pid), "gone");
        t.heard("");
    }),
    row("a cgroup below the mark of emptiness is told of its commands", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        let told = Spawn { tell_executed: true, ..sleeper() };
        t.spawn("p", "a", told);
        t.heard("p executed, changed 1");
        t.ask_commands("a", "p /bin/sleep infinity");
        let script = Spawn { tell_executed: true, ..shell("sleep 1000; exit 0") };
        t.spawn("q", "a", script);
        t.heard("q executed");
        t.given(vec![mkdir("b")]);
        t.ask_commands("b", "");
    }),
];
