//! Cgroups made, looked at and removed.

use super::ops::{
    attach, delegate, enable, mkdir, observe, read_counters, rmdir, signal_all, sleeper, watch, write, xattr,
};
use super::{Row, path, row};
use crate::player::Player;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::Question;
use cgarbiter_core::plan::Spawn;

pub(super) const ROWS: &[Row] = &[
    row("a cgroup is made once", |t| {
        t.step(mkdir("a"), "made");
        t.step(mkdir("a"), "/a: EEXIST");
        t.plan(vec![mkdir("b"), mkdir("b"), mkdir("c")], "made, ended by /b: EEXIST");
        t.is_there("c", false);
        t.plan_that_goes_on(vec![mkdir("b"), mkdir("c")], "refused /b: EEXIST, made");
    }),
    row("a cgroup is made in one that is there", |t| {
        t.step(mkdir("a/b"), "/a/b: ENOENT");
        t.step(mkdir("a"), "made");
        t.step(mkdir("a/b"), "made");
        t.step(mkdir(""), "/: EEXIST");
    }),
    row("what is there is looked at", |t| {
        t.step(observe("a"), "/a: ENOENT");
        t.make("a");
        t.step(observe("a"), "seen []");
        t.remove("a");
        t.make("a");
        t.step(observe("a"), "seen []");
    }),
    row("a limit on cgroups is named", |t| {
        t.given(vec![mkdir("a"), mkdir("a/b"), write("a", "cgroup.max.descendants", "1")]);
        t.step(mkdir("a/b/c"), "/a/cgroup.max.descendants: EAGAIN");
        t.step(mkdir("a/b"), "/a/b: EEXIST");
        t.given(vec![write("a", "cgroup.max.descendants", "max"), write("a", "cgroup.max.depth", "1")]);
        t.step(mkdir("a/b/c"), "/a/cgroup.max.depth: EAGAIN");
        t.step(mkdir("a/c"), "made");
    }),
    row("a name may be as long as a path", |t| {
        let name = "x".repeat(4096);
        t.step(mkdir(&name[..256]), "made");
        t.step(mkdir(&name), &format!("/{name}: ENAMETOOLONG"));
    }),
    row("another cgroup under the same name is the one that is meant", |t| {
        let again = |t: &mut Player<'_>| {
            t.remove("a");
            t.make("a");
        };
        t.given(vec![mkdir("a")]);
        again(t);
        t.step(write("a", "cgroup.max.depth", "3"), "done");
        t.reads("a", "cgroup.max.depth", "3");
        again(t);
        t.step(mkdir("a/b"), "made");
        t.step(rmdir("a/b"), "done");
        again(t);
        t.step(xattr("a", "trusted.delegate", Some("1")), "done");
        t.marked("a", "trusted.delegate", Some("1"));
        again(t);
        t.step(xattr("a", "trusted.delegate", None), "done");
        t.step(delegate("a", "4242", Some("4343")), "done");
        t.owned("a", "", (4242, 4343));
        t.owned("a", "cgroup.procs", (4242, 4343));
        t.begin("p", "outside");
        let pin = t.pin("p");
        again(t);
        t.step(attach("a", pin), "attached");
        t.ask(&Question::CgroupOf(t.pid("p")), "p in /a");
        t.ask(&Question::Members(path("a")), "p in /a");
        t.move_to("p", "outside");
        again(t);
        t.ask(&Question::Events(path("a")), "empty");
        t.ask(&Question::Readings(path("a")), "read cpu");
        t.spawn("q", "a", Spawn { tell_executed: true, ..sleeper() });
        t.heard("q executed");
        t.ask(&Question::CgroupOf(t.pid("q")), "q in /a");
        t.step(signal_all("a", 9), "signalled 1");
        t.heard("q killed 9");
        again(t);
        t.step(watch("a", 1), "done");
        t.heard("changed 1");
        again(t);
        t.step(watch("a", 2), "done");
        t.heard(if t.removals_are_told() { "changed 1, changed 2" } else { "changed 2" });
        t.begin("r", "a");
        t.heard("changed 2");
        t.move_to("r", "outside");
        t.heard("changed 2");
        t.remove("a");
        t.make("a");
        t.step(enable("a", ControllerMask::PIDS), "controllers [] but /a/cgroup.subtree_control: ENOENT");
        t.remove("a");
        t.step(xattr("a", "trusted.delegate", Some("1")), "/a: ENOENT");
        t.step(delegate("a", "4242", None), "/a: ENOENT");
        t.step(read_counters("a"), "counters");
        t.step(rmdir("a"), "done");
    }),
    row("a cgroup is removed with all that is empty below it", |t| {
        t.step(rmdir("a"), "done");
        t.step(rmdir("a/b"), "done");
        t.given(vec![mkdir("a"), mkdir("a/b"), mkdir("a/b/c"), mkdir("a/d")]);
        t.step(rmdir("a"), "done");
        t.is_there("a", false);
        t.step(rmdir("a"), "done");
        t.make("b");
        t.step(rmdir(""), "/: EBUSY");
        t.is_there("b", true);
    }),
];
