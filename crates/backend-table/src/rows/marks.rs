//! Cgroups handed over and marked.

use super::ops::{delegate, enable, mkdir, xattr};
use super::{Row, row};
use crate::backend::Need;
use cgarbiter_core::controllers::ControllerMask;

pub(super) const ROWS: &[Row] = &[
    row("a delegated cgroup belongs to its user", |t| {
        t.given(vec![mkdir("a")]);
        t.owned("a", "", (0, 0));
        t.step(delegate("a", "4242", Some("4343")), "done");
        for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            t.owned("a", file, (4242, 4343));
        }
        t.owned("a", "cgroup.max.depth", (0, 0));
        t.step(delegate("a", "4242", Some("4343")), "done");
        t.step(delegate("a", "nobody", Some("nogroup")), "done");
        t.owned("a", "cgroup.procs", (65534, 65534));
        t.step(delegate("a", "root", None), "done");
        t.owned("a", "", (0, 0));
    }),
    row("a user without an account has no group", |t| {
        t.given(vec![mkdir("a")]);
        t.step(delegate("a", "4242", None), "done");
        t.owned("a", "", (4242, 0));
    }),
    row("a user brings the group of the account", |t| {
        t.given(vec![mkdir("a")]);
        t.step(delegate("a", "nobody", None), "done");
        t.owned("a", "", (65534, 65534));
    }),
    row("a cgroup is handed to those who exist", |t| {
        t.given(vec![mkdir("a")]);
        t.step(delegate("a", "no-such-user", None), "user no-such-user: ESRCH");
        t.step(delegate("a", "root", Some("no-such-group")), "group no-such-group: ESRCH");
        t.step(delegate("b", "root", None), "/b: ENOENT");
        t.step(delegate("b", "no-such-user", None), "user no-such-user: ESRCH");
        t.owned("a", "", (0, 0));
    }),
    row("files of controllers are handed over as far as the kernel says", |t| {
        t.given(vec![enable("", ControllerMask::MEMORY), mkdir("a")]);
        t.step(delegate("a", "4242", Some("4343")), "done");
        t.owned("a", "memory.max", (0, 0));
        t.owned("a", "memory.oom.group", (4242, 4343));
    })
    .needs(&[Need::Controllers(ControllerMask::MEMORY)]),
    row("a cgroup is marked", |t| {
        t.given(vec![mkdir("a")]);
        t.step(xattr("a", "trusted.delegate", Some("1")), "done");
        t.marked("a", "trusted.delegate", Some("1"));
        t.step(xattr("a", "trusted.delegate", Some("0")), "done");
        t.marked("a", "trusted.delegate", Some("0"));
        t.plan(vec![xattr("a", "trusted.delegate", None), xattr("a", "trusted.delegate", None)], "done, done");
        t.marked("a", "trusted.delegate", None);
        t.step(xattr("b", "trusted.delegate", Some("1")), "/b: ENOENT");
        t.step(xattr("b", "trusted.delegate", None), "/b: ENOENT");
        t.step(xattr("a", "odd.delegate", Some("1")), "/a: EOPNOTSUPP");
    }),
    row("a cgroup bears the marks of users", |t| {
        t.given(vec![mkdir("a")]);
        t.step(xattr("a", "user.invocation_id", Some("0a")), "done");
        t.step(xattr("a", "user.invocation_id", Some("0b")), "done");
        t.marked("a", "user.invocation_id", Some("0b"));
        t.step(xattr("a", "user.invocation_id", None), "done");
        t.marked("a", "user.invocation_id", None);
    })
    .needs(&[Need::UserXattr]),
];
