//! Processes that are started in a cgroup: their birth, what becomes of them, and what they tell.

use super::ops::{mkdir, rmdir_watched, shell, sleeper, spawn, watch, write};
use super::{Row, path, row};
use crate::backend::Need;
use cgarbiter_core::event::Question;
use cgarbiter_core::exec::ExecStep;
use cgarbiter_core::plan::Spawn;

fn told(command: Spawn) -> Spawn {
    Spawn { tell_executed: true, ..command }
}

fn of(path: &str) -> Spawn {
    Spawn::new(path, [path])
}

fn identity(user: Option<&str>, group: Option<&str>) -> Spawn {
    let step = ExecStep::Identity { user: user.map(Into::into), group: group.map(Into::into), supplementary: vec![] };
    let setup = vec![step, ExecStep::Groups, ExecStep::Become { ambient: 0 }];
    told(Spawn { setup, ..sleeper() })
}

pub(super) const ROWS: &[Row] = &[
    row("a process is born in its cgroup, and its end is told", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        t.spawn("p", "a", told(sleeper()));
        t.heard("p executed, changed 1");
        t.ask(&Question::CgroupOf(t.pid("p")), "p in /a");
        t.ask(&Question::Events(path("a")), "populated");
        t.spawn("q", "a", of("/bin/true"));
        t.heard("q exited 0");
        t.spawn("r", "a", told(of("/bin/false")));
        t.heard("r executed, r exited 1");
        t.spawn("s", "a", shell("exit 7"));
        t.heard("s exited 7");
        t.spawn("u", "a", shell("kill -TERM $$; sleep infinity"));
        t.heard("u killed 15");
        t.spawn("v", "a", Spawn::new("/bin/sleep", ["/bin/sleep", "0.2"]));
        t.heard("v exited 0");
    }),
    row("a program that is not there is told, and the status that goes with it", |t| {
        t.given(vec![mkdir("a")]);
        t.spawn("p", "a", of("/nonexistent"));
        t.heard("p executed failed 203 /nonexistent: ENOENT, p exited 203");
        t.spawn("q", "a", told(of("/nonexistent")));
        t.heard("q executed failed 203 /nonexistent: ENOENT, q exited 203");
        t.ask(&Question::Events(path("a")), "empty");
    }),
    row("a process is not born where there is no cgroup", |t| {
        t.step(spawn("a"), "/a: ENOENT");
        t.heard("");
    }),
    row("users and groups are those of the machine", |t| {
        t.given(vec![mkdir("a")]);
        t.spawn("p", "a", identity(Some("nobody"), None));
        t.heard("p executed");
        t.ask(&Question::Pin(vec![t.pid("p")]), "held of 65534");
        t.spawn("q", "a", identity(Some("4242"), Some("4343")));
        t.heard("q executed");
        t.ask(&Question::Pin(vec![t.pid("q")]), "held of 4242");
        t.spawn("r", "a", identity(Some("no-such-user"), None));
        t.heard("r executed failed 217 no-such-user: ESRCH, r exited 217");
        t.spawn("s", "a", identity(None, Some("no-such-group")));
        t.heard("s executed failed 216 group no-such-group: ESRCH, s exited 216");
        t.spawn("u", "a", identity(None, Some("nogroup")));
        t.heard("u executed");
        t.ask(&Question::Pin(vec![t.pid("u")]), "held of 0");
    }),
    row("a process that is born frozen begins when it is thawed", |t| {
        t.given(vec![mkdir("a"), write("a", "cgroup.freeze", "1")]);
        t.spawn("p", "a", told(of("/bin/true")));
        t.heard("");
        t.step(write("a", "cgroup.freeze", "0"), "done");
        t.heard("p executed, p exited 0");
    }),
    row("a process is born in a cgroup that was killed before", |t| {
        t.given(vec![mkdir("a")]);
        t.spawn("p", "a", told(sleeper()));
        t.heard("p executed");
        t.step(write("a", "cgroup.kill", "1"), "done");
        t.heard("p killed 9");
        t.spawn("q", "a", told(of("/bin/true")));
        t.heard("q executed, q exited 0");
        t.step(write("a", "cgroup.kill", "2"), "/a/cgroup.kill: ERANGE");
    }),
    row("the last end leaves a cgroup that can be removed", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        t.spawn("p", "a", of("/bin/true"));
        t.heard("p exited 0, changed 1");
        t.step(rmdir_watched("a", 1), "done");
        t.heard("");
    }),
    row("what a process leaves behind is not ours to hear of", |t| {
        t.given(vec![mkdir("a"), watch("a", 1)]);
        t.heard("changed 1");
        t.spawn("p", "a", shell("(sleep 0.2; exit 3) & exit 0"));
        t.heard("p exited 0, changed 1");
    }),
    row("a process tells of itself", |t| {
        t.given(vec![mkdir("a")]);
        let variables = vec![format!("NOTIFY_SOCKET={}", t.reached("/run/notify")), "PATH=/usr/bin:/bin".into()];
        let script = "systemd-notify --no-block --ready --status=up; sleep infinity";
        t.spawn("p", "a", Spawn { environment: variables, ..shell(script) });
        t.heard("p notified 0 in /a READY=1|STATUS=up 0");
    })
    .needs(&[Need::Notify]),
];
