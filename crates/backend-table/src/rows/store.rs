//! Records, links and directories of the store.

use super::ops::{
    first_record, forget, forget_directory, link, move_file, record, remove_empty, remove_runtime, renew,
};
use super::{Row, row};
use cgarbiter_core::persist;

const A: &str = "/run/t/a.scope";
const B: &str = "/run/t/b.scope";
const DROP_INS: &str = "/run/t/a.scope.d";
const IN: &str = "/run/t/a.scope.d/x.conf";

fn whole(settings: &str) -> String {
    persist::write(settings, "Version=1\n")
}

pub(super) const ROWS: &[Row] = &[
    row("a record is written over whatever file is there", |t| {
        t.step(record(A, "one"), "done");
        t.lies(A, "\"one\"");
        t.step(record(A, "two"), "done");
        t.lies(A, "\"two\"");
        t.put(B, "others'");
        t.step(record(B, "ours"), "done");
        t.lies(B, "\"ours\"");
        t.step(record("/etc/t/deep/down/c.slice", ""), "done");
        t.lies("/etc/t/deep/down/c.slice", "\"\"");
    }),
    row("a record takes the place of a link, not of what it leads to", |t| {
        t.put(B, "kept");
        t.put_link(A, B);
        t.step(record(A, "ours"), "done");
        t.lies(A, "\"ours\"");
        t.lies(B, "\"kept\"");
    }),
    row("a record finds no place where a directory is, or below a file", |t| {
        t.put(IN, "x");
        t.step(record(DROP_INS, "y"), &format!("{DROP_INS}: EISDIR"));
        t.step(first_record(DROP_INS, "y"), &format!("{DROP_INS}: EEXIST"));
        t.lies(IN, "\"x\"");
        let below = format!("{IN}/z");
        t.step(record(&below, "y"), &format!("{IN}: ENOTDIR"));
        t.step(first_record(&below, "y"), &format!("{IN}: ENOTDIR"));
        t.lies(IN, "\"x\"");
    }),
    row("a first record spares what others have put there", |t| {
        t.step(first_record(A, &whole("one")), "done");
        t.lies(A, &format!("{:?}", whole("one")));
        t.step(first_record(A, &whole("two")), "done");
        t.lies(A, &format!("{:?}", whole("two")));
        t.put(B, "others'");
        t.step(first_record(B, "ours"), &format!("{B}: EEXIST"));
        t.lies(B, "\"others'\"");
        t.put_link("/run/t/c", A);
        t.step(first_record("/run/t/c", "ours"), "/run/t/c: EEXIST");
        t.lies("/run/t/c", &format!("-> {A}"));
        t.put_link("/run/t/d", "/nowhere");
        t.step(first_record("/run/t/d", "ours"), "/run/t/d: EEXIST");
        // A record that is damaged is one of ours all the same.
        let damaged = whole("three").replace("three", "four");
        t.put(B, &damaged);
        t.step(first_record(B, &whole("five")), "done");
        t.lies(B, &format!("{:?}", whole("five")));
    }),
    row("no record is larger than a mebibyte", |t| {
        let (fits, large) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
        t.step(record(A, &fits), "done");
        t.step(record(A, &large), &format!("{A}: errno 27"));
        t.lies(A, &format!("{fits:?}"));
        t.step(first_record(B, &large), &format!("{B}: errno 27"));
        t.lies(B, "nothing");
        t.put(B, "others'");
        t.step(first_record(B, &large), &format!("{B}: EEXIST"));
    }),
    row("the section of a record is renewed", |t| {
        t.step(renew(A, "x"), &format!("{A}: ENOENT"));
        t.step(record(A, &whole("one")), "done");
        t.step(renew(A, "Version=1\nState=running\n"), "done");
        t.lies(A, &format!("{:?}", persist::write("one", "Version=1\nState=running\n")));
        t.put(A, "others'");
        t.step(renew(A, "Version=1\n"), &format!("{A}: errno 74"));
        t.put(A, &whole("one").replace("one", "two"));
        t.step(renew(A, "Version=1\n"), &format!("{A}: errno 74"));
        t.lies(A, &format!("{:?}", whole("one").replace("one", "two")));
        t.put(B, &whole("one"));
        t.put_link("/run/t/c", B);
        t.step(renew("/run/t/c", "Version=1\n"), "/run/t/c: ELOOP");
        t.put(IN, "x");
        t.step(renew(DROP_INS, "Version=1\n"), &format!("{DROP_INS}: EISDIR"));
        t.step(renew(&format!("{IN}/y"), "Version=1\n"), &format!("{IN}/y: ENOTDIR"));
    }),
    row("a record goes, and a missing one is fine", |t| {
        t.step(forget(A), "done");
        t.plan(vec![record(A, "one"), forget(A), forget(A)], "done, done, done");
        t.lies(A, "nothing");
        t.put(B, "kept");
        t.put_link(A, B);
        t.step(forget(A), "done");
        t.lies(A, "nothing");
        t.lies(B, "\"kept\"");
        t.put(IN, "x");
        t.step(forget(DROP_INS), &format!("{DROP_INS}: EISDIR"));
        t.step(forget(&format!("{IN}/y")), &format!("{IN}/y: ENOTDIR"));
        t.step(forget("/etc/none/x"), "done");
        t.put("/etc/t/x.d/y", "x");
        t.step(forget("/etc/t/x.d"), "/etc/t/x.d: EISDIR");
    }),
    row("a directory of records goes with what is in it", |t| {
        t.step(forget_directory(DROP_INS), "done");
        t.given(vec![record(IN, "x"), record(&format!("{DROP_INS}/y.conf"), "y"), record(A, "stays")]);
        t.step(forget_directory(DROP_INS), "done");
        t.lies(DROP_INS, "nothing");
        t.lies(A, "\"stays\"");
        t.step(forget_directory(A), &format!("{A}: ENOTDIR"));
        t.lies(A, "\"stays\"");
        t.put_link(DROP_INS, "/run/t");
        t.step(forget_directory(DROP_INS), &format!("{DROP_INS}: ENOTDIR"));
        t.lies(DROP_INS, "-> /run/t");
    }),
    row("what lies deeper in a directory of records is not ours", |t| {
        t.put(IN, "x");
        t.put(&format!("{DROP_INS}/deeper/y"), "y");
        t.step(forget_directory(DROP_INS), &format!("{DROP_INS}: ENOTEMPTY"));
        t.lies(IN, "nothing");
        t.lies(&format!("{DROP_INS}/deeper/y"), "\"y\"");
    }),
    row("a record moves over what is there", |t| {
        t.step(move_file(A, B), "done");
        t.lies(B, "nothing");
        t.given(vec![record(A, "one"), record(B, "two")]);
        t.step(move_file(A, B), "done");
        t.lies(A, "nothing");
        t.lies(B, "\"one\"");
        t.step(move_file(A, B), "done");
        t.lies(B, "\"one\"");
        t.step(move_file(B, "/var/lib/t/quarantine/b.scope"), "done");
        t.lies("/var/lib/t/quarantine/b.scope", "\"one\"");
        t.put(IN, "x");
        t.put(A, "one");
        t.step(move_file(A, DROP_INS), &format!("{A}: EISDIR"));
        t.step(move_file(DROP_INS, A), &format!("{DROP_INS}: ENOTDIR"));
        t.step(move_file(A, &format!("{IN}/y")), &format!("{IN}/y: ENOTDIR"));
        t.lies(A, "\"one\"");
        t.step(move_file(DROP_INS, "/run/t/b.scope.d"), "done");
        t.lies("/run/t/b.scope.d/x.conf", "\"x\"");
        t.lies(DROP_INS, "nothing");
        t.put(IN, "y");
        t.step(move_file(DROP_INS, "/run/t/b.scope.d"), &format!("{DROP_INS}: ENOTEMPTY"));
        t.lies(IN, "\"y\"");
    }),
    row("a record lies where its path leads, wherever its directory has gone", |t| {
        t.given(vec![record(IN, "x")]);
        t.step(move_file(DROP_INS, "/run/t/b.scope.d"), "done");
        t.step(forget(IN), "done");
        t.lies("/run/t/b.scope.d/x.conf", "\"x\"");
        t.step(renew(IN, "Version=1\n"), &format!("{IN}: ENOENT"));
        t.step(record(IN, "y"), "done");
        t.lies(IN, "\"y\"");
        t.lies("/run/t/b.scope.d/x.conf", "\"x\"");
        t.plan(vec![forget_directory(DROP_INS), record(IN, "z")], "done, done");
        t.lies(IN, "\"z\"");
        // Somebody else does the same.
        t.move_away("/run/t", "/run/u");
        t.step(record(A, "one"), "done");
        t.lies(A, "\"one\"");
        t.lies("/run/u/a.scope.d/x.conf", "\"z\"");
        t.move_away("/run/t", "/run/v");
        t.step(forget(A), "done");
        t.lies("/run/v/a.scope", "\"one\"");
    }),
    row("a link takes the place of a file or a link", |t| {
        t.step(link("/etc/t/a.service", "/dev/null"), "done");
        t.lies("/etc/t/a.service", "-> /dev/null");
        t.step(link("/etc/t/a.service", "../b.service"), "done");
        t.lies("/etc/t/a.service", "-> ../b.service");
        t.put("/etc/t/c.service", "x");
        t.step(link("/etc/t/c.service", "/nowhere"), "done");
        t.lies("/etc/t/c.service", "-> /nowhere");
        t.step(link("/etc/t/deep/down/d.service", "x"), "done");
        t.put(IN, "x");
        t.step(link(DROP_INS, "x"), &format!("{DROP_INS}: EISDIR"));
        t.step(link(&format!("{IN}/y"), "x"), &format!("{IN}: ENOTDIR"));
        t.lies(IN, "\"x\"");
    }),
    row("only an empty directory is removed", |t| {
        t.step(remove_empty("/run/none/x"), "done");
        t.put(IN, "x");
        t.step(remove_empty(DROP_INS), "done");
        t.lies(IN, "\"x\"");
        t.plan(vec![forget(IN), remove_empty(DROP_INS), remove_empty(DROP_INS)], "done, done, done");
        t.lies(DROP_INS, "nothing");
        t.put(A, "x");
        t.step(remove_empty(A), &format!("{A}: ENOTDIR"));
        t.step(remove_empty(&format!("{A}/y")), &format!("{A}/y: ENOTDIR"));
        t.put_link(B, "/run/t");
        t.step(remove_empty(B), &format!("{B}: ENOTDIR"));
    }),
    row("what a service had goes with all that is in it", |t| {
        t.put("/run/had/deep/x", "x");
        t.put("/run/file", "x");
        t.put("/run/kept/x", "x");
        t.put_link("/run/link", "/run/kept");
        let all = ["/run/had", "/run/file", "/run/link", "/run/none"].map(|path| t.reached(path));
        t.step(remove_runtime(&all), "done");
        t.lies("/run/had", "nothing");
        t.lies("/run/file", "nothing");
        t.lies("/run/link", "nothing");
        t.lies("/run/kept/x", "\"x\"");
        let odd = ["/run/kept/x/y", "/run/kept"].map(|path| t.reached(path));
        t.step(remove_runtime(&odd), "/run/kept/x/y: ENOTDIR");
        t.lies("/run/kept", "nothing");
    }),
    row("the first refusal ends a plan, and what was done before it stays done", |t| {
        t.put(B, "others'");
        t.plan(vec![record(A, "x"), first_record(B, "y"), forget(A)], &format!("done, ended by {B}: EEXIST"));
        t.lies(A, "\"x\"");
    }),
];
