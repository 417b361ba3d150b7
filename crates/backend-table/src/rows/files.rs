//! Interface files written.

use super::ops::{mkdir, write};
use super::{Row, row};

pub(super) const ROWS: &[Row] = &[row("a file is written, and a refusal names it", |t| {
    t.given(vec![mkdir("a")]);
    t.step(write("a", "cgroup.max.depth", "5"), "done");
    t.reads("a", "cgroup.max.depth", "5");
    t.step(write("a", "cgroup.max.depth", "-1"), "/a/cgroup.max.depth: ERANGE");
    t.step(write("a", "cgroup.max.depth", "x"), "/a/cgroup.max.depth: EINVAL");
    t.step(write("a", "no.such.file", "1"), "/a/no.such.file: ENOENT");
    t.step(write("b", "cgroup.max.depth", "1"), "/b/cgroup.max.depth: ENOENT");
    t.reads("a", "cgroup.max.depth", "5");
})];
