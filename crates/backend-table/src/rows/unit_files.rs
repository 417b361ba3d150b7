//! The files that configure units, as they are found in the directories of the search path.

use super::{Row, row};
use cgarbiter_core::event::Question;
use std::sync::Arc;

fn search(paths: &[&str]) -> Question {
    Question::UnitFiles(paths.iter().map(|path| Arc::from(*path)).collect())
}

pub(super) const ROWS: &[Row] = &[
    row("unit files are found with what is beside them", |t| {
        t.ask(&search(&["/etc/u", "/run/u"]), "");
        t.put("/etc/u/a.service", "a");
        t.put("/etc/u/a.service.d/x.conf", "x");
        t.put("/etc/u/a.service.wants/b.service", "y");
        t.put_link("/etc/u/a.service.requires/c.service", "../c.service");
        t.put("/run/u/d.slice", "d");
        t.put("/etc/u/other/e.service", "e");
        t.ask(
            &search(&["/run/u", "/etc/u", "/none"]),
            "/run/u/d.slice \"d\", /etc/u/a.service \"a\", /etc/u/a.service.d/x.conf \"x\", \
             /etc/u/a.service.requires/c.service -> ../c.service \"\", /etc/u/a.service.wants/b.service \"\"",
        );
    }),
    row("links lead to files, or are masks", |t| {
        t.put("/etc/u/a.service", "a");
        t.put_link("/etc/u/b.service", "/etc/u/a.service");
        t.put_link("/etc/u/c.service", "a.service");
        t.put_link("/etc/u/d.service", "/dev/null");
        t.put_link("/etc/u/e.service", "/etc/none");
        t.put_link("/etc/u/f.service", "/etc/u/b.service");
        t.put_link("/etc/u/g.service", "../u/a.service");
        t.put_link("/etc/u/h.service", "h.service");
        t.ask(
            &search(&["/etc/u"]),
            "/etc/u/a.service \"a\", /etc/u/b.service -> /etc/u/a.service \"a\", \
             /etc/u/c.service -> a.service \"a\", /etc/u/d.service -> /dev/null \"\", \
             /etc/u/e.service -> /etc/none unreadable /etc/u/e.service: ENOENT, \
             /etc/u/f.service -> /etc/u/b.service \"a\", /etc/u/g.service -> ../u/a.service \"a\", \
             /etc/u/h.service -> h.service unreadable /etc/u/h.service: ELOOP",
        );
    }),
    row("a directory in the place of a unit file cannot be read", |t| {
        t.put("/etc/u/a.service/x", "x");
        t.put("/etc/u/b.service.d/c.conf/x", "x");
        t.put("/etc/u/b.service.d/other/x", "x");
        t.ask(
            &search(&["/etc/u"]),
            "/etc/u/a.service unreadable /etc/u/a.service: EISDIR, \
             /etc/u/b.service.d/c.conf unreadable /etc/u/b.service.d/c.conf: EISDIR",
        );
    }),
    row("a file is found by its path", |t| {
        t.put("/etc/u/a.service", "a");
        t.put_link("/etc/b.service", "/etc/u/a.service");
        t.ask(&search(&["/etc/u/a.service"]), "/etc/u/a.service \"a\"");
        t.ask(&search(&["/etc/b.service"]), "/etc/b.service -> /etc/u/a.service \"a\"");
        t.ask(&search(&["/etc/u/a.service/x", "/etc/none.service"]), "");
    }),
    row("what is being written aside is no unit file", |t| {
        t.put("/etc/u/.cgarbiter~", "half");
        t.put("/etc/u/a.service.d/.cgarbiter~", "half");
        t.put("/etc/u/b.service", "b");
        t.ask(&search(&["/etc/u"]), "/etc/u/b.service \"b\"");
    }),
];
