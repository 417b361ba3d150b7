//! Controllers switched on and off, and the limits that come with them.

use super::ops::{
    NONE, attach, disable, enable, mkdir, observe, read_counters, rmdir, sleeper, spawn, switch, write, write_device,
};
use super::{Row, path, row};
use crate::backend::Need;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::Question;

const MEMORY: ControllerMask = ControllerMask::MEMORY;
const PIDS: ControllerMask = ControllerMask::PIDS;
const BOTH: ControllerMask = MEMORY.union(PIDS);

pub(super) const ROWS: &[Row] = &[
    row("a controller that is not handed down cannot be handed on", |t| {
        t.given(vec![mkdir("a")]);
        t.step(enable("a", PIDS), "controllers [] but /a/cgroup.subtree_control: ENOENT");
        t.step(disable("a", PIDS), "controllers []");
        t.step(enable("b", PIDS), "/b/cgroup.subtree_control: ENOENT");
        t.step(switch("a", NONE, NONE), "controllers []");
    }),
    row("controllers are switched one by one", |t| {
        t.step(enable("", BOTH), "controllers [memory pids]");
        t.step(enable("", MEMORY), "controllers [memory pids]");
        t.given(vec![mkdir("a"), mkdir("a/b")]);
        t.step(enable("a", PIDS), "controllers [pids]");
        t.step(observe("a"), "seen [pids]");
        t.step(switch("a", MEMORY, PIDS), "controllers [memory]");
        t.step(disable("", BOTH), "controllers [memory] but /cgroup.subtree_control: EBUSY");
        t.step(disable("a", BOTH), "controllers []");
        t.step(disable("", BOTH), "controllers []");
    })
    .needs(&[Need::Controllers(BOTH)]),
    row("no controller of domains goes to the children of a cgroup with processes", |t| {
        t.given(vec![enable("", MEMORY), mkdir("a"), mkdir("a/b")]);
        t.begin("p", "a");
        t.step(enable("a", MEMORY), "controllers [] but /a/cgroup.subtree_control: EBUSY");
        t.move_to("p", "a/b");
        t.step(enable("a", MEMORY), "controllers [memory]");
        let pin = t.pin("p");
        t.step(attach("a", pin), "/a/cgroup.procs: EBUSY");
        t.held(0);
        t.ask(&Question::CgroupOf(t.pid("p")), "p in /a/b");
        t.step(spawn("a"), "/a/cgroup.procs: EBUSY");
    })
    .needs(&[Need::Controllers(MEMORY)]),
    row("a controller of threads does, and makes domains of them invalid", |t| {
        t.given(vec![enable("", PIDS), mkdir("a"), mkdir("a/b")]);
        t.begin("p", "a");
        t.begin("q", "outside");
        t.step(enable("a", PIDS), "controllers [pids]");
        t.reads("a/b", "cgroup.type", "domain invalid");
        let pin = t.pin("q");
        t.step(attach("a/b", pin), "/a/b/cgroup.procs: EOPNOTSUPP");
        t.step(spawn("a/b"), "/a/b/cgroup.procs: EOPNOTSUPP");
        t.ask(&Question::Members(path("a")), "p in /a");
        t.ask(&Question::Members(path("a/b")), "");
    })
    .needs(&[Need::Controllers(PIDS)]),
    row("files come and go with their controllers", |t| {
        t.given(vec![mkdir("a")]);
        t.step(write("a", "memory.max", "1048576"), "/a/memory.max: ENOENT");
        t.given(vec![enable("", MEMORY)]);
        t.step(write("a", "memory.max", "1048576"), "done");
        t.reads("a", "memory.max", "1048576");
        t.step(write("a", "memory.max", "4097"), "done");
        t.reads("a", "memory.max", "4096");
        t.step(write("a", "memory.max", "-1"), "/a/memory.max: EINVAL");
        t.step(write("a", "memory.max", "infinity"), "/a/memory.max: EINVAL");
        t.step(write("a", "memory.max", "max"), "done");
        t.reads("a", "memory.max", "max");
        t.given(vec![disable("", MEMORY)]);
        t.step(write("a", "memory.max", "max"), "/a/memory.max: ENOENT");
    })
    .needs(&[Need::Controllers(MEMORY)]),
    row("values of all controllers", |t| {
        t.given(vec![enable("", ControllerMask::all()), mkdir("a")]);
        t.step(write("a", "cpu.weight", "200"), "done");
        t.step(write("a", "cpu.weight", "0"), "/a/cpu.weight: ERANGE");
        t.step(write("a", "cpu.max", "1000 100000"), "done");
        t.step(write("a", "cpu.max", "1 100000"), "/a/cpu.max: EINVAL");
        t.step(write("a", "cpuset.cpus", "0"), "done");
        t.step(write("a", "cpuset.cpus", "x"), "/a/cpuset.cpus: EINVAL");
        t.step(write("a", "pids.max", "0"), "done");
        t.step(write("a", "pids.max", "-1"), "/a/pids.max: EINVAL");
        t.step(write("a", "pids.max", "max"), "done");
        t.step(write("a", "memory.low", "1M"), "done");
        t.reads("a", "memory.low", "1048576");
        t.step(write("a", "memory.oom.group", "2"), "/a/memory.oom.group: EINVAL");
    })
    .needs(&[Need::Controllers(ControllerMask::all())]),
    row("a line is about one device", |t| {
        t.given(vec![enable("", ControllerMask::IO), mkdir("a")]);
        t.step(write_device("a", "io.max", "/dev/vda", "rbps=1048576"), "done");
        t.step(write_device("a", "io.max", "/dev/none", "rbps=1"), "/dev/none: ENOENT");
        t.step(write_device("a", "io.max", "/dev/vda", "rbps=x"), "/a/io.max: EINVAL");
        t.step(write_device("a", "io.max", "/dev/null", "rbps=1"), "/dev/null: errno 15");
        t.step(write_device("b", "io.max", "/dev/vda", "rbps=1"), "/b/io.max: ENOENT");
        t.step(write_device("a", "io.max", "/dev/vda", "rbps=max"), "done");
        t.reads("a", "io.max", "");
    })
    .needs(&[Need::Disk]),
    row("a device that is not there is told before the file", |t| {
        t.given(vec![mkdir("a")]);
        t.step(write_device("a", "io.max", "/dev/none", "rbps=1"), "/dev/none: ENOENT");
        t.step(write_device("a", "io.max", "/dev/null", "rbps=1"), "/dev/null: errno 15");
    }),
    row("a full cgroup takes no more", |t| {
        t.given(vec![enable("", PIDS), mkdir("a"), mkdir("a/b"), write("a", "pids.max", "1")]);
        t.spawn("q", "a/b", sleeper());
        t.step(spawn("a/b"), "/a/pids.max: EAGAIN");
        t.step(spawn("a"), "/a/pids.max: EAGAIN");
        // Who moves in is not counted against the limit.
        t.begin("p", "a");
        t.ask(&Question::Readings(path("a")), "read cpu tasks 2");
        t.step(read_counters("a"), "counters cpu tasks 2");
    })
    .needs(&[Need::Controllers(PIDS)]),
    row("what there is to count depends on the controllers", |t| {
        t.given(vec![enable("", ControllerMask::all()), mkdir("a")]);
        t.step(read_counters("a"), "counters cpu memory tasks 0 io oom 0");
        t.ask(&Question::Readings(path("a")), "read cpu memory tasks 0 io oom 0 cpus mems");
        t.ask(&Question::Events(path("a")), "empty oom 0");
        t.given(vec![rmdir("a")]);
        t.step(read_counters("a"), "counters");
    })
    .needs(&[Need::Controllers(ControllerMask::all())]),
];
