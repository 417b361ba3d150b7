//! What is watched, and which notices come.

use super::ops::{attach, enable, mkdir, read_counters, rmdir, rmdir_watched, watch, watch_memory, write};
use super::{Row, path, row};
use crate::backend::Need;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::Question;

pub(super) const ROWS: &[Row] = &[
    row("a new watch reports the present state once", |t| {
        t.step(watch("a", 1), "/a/cgroup.events: ENOENT");
        t.heard("");
        t.given(vec![mkdir("a"), mkdir("b")]);
        t.plan(vec![watch("a", 1), watch("b", 2)], "done, done");
        t.heard("changed 1, changed 2");
        t.heard("");
        // It was added, although the plan ended early.
        t.plan(vec![mkdir("c"), watch("c", 3), mkdir("c")], "made, done, ended by /c: EEXIST");
        t.heard("changed 3");
    }),
    row("a cgroup tells when it is populated and when it is empty", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("c"), watch("a", 1), watch("a/b", 2), watch("c", 3)]);
        t.heard("changed 1, changed 2, changed 3");
        t.begin("p", "a/b");
        t.heard("changed 1, changed 2");
        t.begin("q", "a");
        t.heard("");
        t.move_to("p", "c");
        t.heard("changed 2, changed 3");
        t.kill("p");
        t.heard("changed 3");
        t.ask(&Question::Events(path("c")), "empty");
        t.reap("p");
        t.heard("");
        t.ask(&Question::Events(path("a")), "populated");
    }),
    row("a cgroup tells when it stands still and when it goes on", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), watch("a", 1), watch("a/b", 2)]);
        t.heard("changed 1, changed 2");
        t.begin("p", "a/b");
        t.heard("changed 1, changed 2");
        t.step(write("a", "cgroup.freeze", "1"), "done");
        t.heard("changed 1, changed 2");
        t.ask(&Question::Events(path("a/b")), "populated frozen");
        t.step(write("a", "cgroup.freeze", "1"), "done");
        t.heard("");
        t.step(write("a", "cgroup.freeze", "0"), "done");
        t.heard("changed 1, changed 2");
        t.ask(&Question::Events(path("a")), "populated");
        t.step(write("a/b", "cgroup.freeze", "2"), "/a/b/cgroup.freeze: ERANGE");
    }),
    row("an empty cgroup stands still at once", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        t.step(write("a", "cgroup.freeze", "1"), "done");
        t.heard("changed 1");
        t.ask(&Question::Events(path("a")), "empty frozen");
        t.given(vec![mkdir("a/b"), watch("a/b", 2)]);
        t.heard("changed 2");
        t.ask(&Question::Events(path("a/b")), "empty frozen");
    }),
    row("a watched cgroup that somebody else removes tells so where the kernel does", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        t.remove("a");
        t.heard(if t.removals_are_told() { "changed 1" } else { "" });
        t.ask(&Question::Events(path("a")), "not there");
        // Another one of that name is not watched.
        t.make("a");
        t.begin("p", "a");
        t.heard("");
        t.step(rmdir_watched("a", 1), "/a: EBUSY");
    }),
    row("a watch goes with the cgroup, and only then", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), watch("a", 1), watch("a/b", 2)]);
        t.heard("changed 1, changed 2");
        t.begin("p", "a/b");
        t.heard("changed 1, changed 2");
        t.step(rmdir_watched("a", 1), "/a: EBUSY");
        t.heard("");
        t.kill("p");
        t.heard("changed 1, changed 2");
        t.plan(vec![rmdir_watched("a/b", 2), rmdir_watched("a", 1)], "done, done");
        t.heard("");
        t.step(rmdir_watched("a", 1), "done");
        t.heard("");
    }),
    row("watched cgroups removed without letting go of their watches do the same", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("c"), watch("a", 1), watch("a/b", 2), watch("c", 3)]);
        t.heard("changed 1, changed 2, changed 3");
        t.step(rmdir_watched("a", 1), "done");
        t.heard(if t.removals_are_told() { "changed 2" } else { "" });
        t.step(rmdir("c"), "done");
        t.heard(if t.removals_are_told() { "changed 3" } else { "" });
    }),
    row("a watch that is let go of before it was heard is not heard", |t| {
        t.plan(vec![mkdir("a"), watch("a", 1), rmdir_watched("a", 1)], "made, done, done");
        t.heard("");
        t.given(vec![mkdir("a"), watch("a", 2)]);
        t.begin("p", "a");
        t.kill("p");
        t.step(rmdir_watched("a", 2), "done");
        t.heard("");
        t.step(rmdir_watched("none", 77), "done");
    }),
    row("a newer watch takes the place of an older one", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        t.given(vec![watch("a", 2)]);
        t.heard("changed 2");
        t.begin("p", "a");
        t.heard("changed 2");
        t.kill("p");
        t.heard("changed 2");
        // The watch that is there is another's.
        t.step(write("a", "cgroup.freeze", "1"), "done");
        t.heard("changed 2");
    }),
    row("both of two watches that one plan makes on a cgroup report, and the newer one stays", |t| {
        t.given(vec![mkdir("a"), watch("a", 1), watch("a", 2)]);
        t.heard("changed 1, changed 2");
        t.begin("p", "a");
        t.heard("changed 2");
    }),
    row("a kill for want of memory is told to those who want it", |t| {
        t.given(vec![enable("", ControllerMask::MEMORY)]);
        for (cgroup, watch) in [("a", watch_memory("a", 1)), ("b", watch("b", 2))] {
            t.given(vec![mkdir(cgroup), write(cgroup, "memory.max", "16M"), watch]);
            t.write(cgroup, "memory.swap.max", "0");
        }
        t.heard("changed 1, changed 2");
        for (name, stays, cgroup) in [("p", "q", "a"), ("r", "s", "b")] {
            t.begin(name, cgroup);
            t.begin(stays, cgroup);
        }
        t.heard("changed 1, changed 2");
        t.exhaust("p");
        t.heard("changed 1");
        t.ask(&Question::Events(path("a")), "populated oom 1");
        t.exhaust("r");
        t.heard("");
        t.ask(&Question::Events(path("b")), "populated oom 1");
        t.step(read_counters("b"), "counters cpu memory oom 1");
    })
    .needs(&[Need::Controllers(ControllerMask::MEMORY)]),
    row("memory news without that controller are no refusal", |t| {
        t.given(vec![mkdir("a")]);
        t.step(watch_memory("a", 1), "done");
        t.heard("changed 1");
        let pid = t.begin("p", "a");
        t.heard("changed 1");
        t.ask(&Question::CgroupOf(pid), "p in /a");
        let pin = t.pin("p");
        t.step(attach("a", pin), "attached");
        t.heard("");
    }),
];
