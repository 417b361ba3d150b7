//! The daemon with the simulated kernel, the client, and what else is on the machine: the whole way from a command line
//! to the answer, without root and without touching a cgroup.

// Tests may panic: that is how they fail.
#![allow(clippy::unwrap_used)]

#[path = "daemon/run.rs"]
mod run;

use cgarbiter_sim::replay::{self, End, Verdict};
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const DAEMON: &str = env!("CARGO_BIN_EXE_cgarbiterd");
const CLIENT: &str = env!("CARGO_BIN_EXE_cgarbiter");
const BENCH: &str = env!("CARGO_BIN_EXE_cgarbiter-bench");
const MANAGER: [&str; 3] =
    ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];

/// A daemon in a directory of its own, that is ready.
struct Daemon {
    process: Child,
    directory: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more options; they are about files in the daemon's directory, where it stands.
    fn start_with(more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let notify = directory.path().join("notify");
        let listener = UnixDatagram::bind(&notify).unwrap();
        listener.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let socket = directory.path().join("s.sock");
        let process = Command::new(DAEMON)
            .args(["--backend", "sim", "--bus", "none", "--config", "/dev/null", "--socket"])
            .arg(&socket)
            .arg("--file-root")
            .arg(directory.path())
            .args(more)
            .current_dir(directory.path())
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut buffer = [0; 256];
        let length = listener.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"READY=1"));
        Self { process, directory }
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.directory.path().join("s.sock").display())
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env("CGARBITER_ADDRESS", self.address()).stdin(Stdio::null());
        command
    }

    fn client(&self, args: &[&str]) -> Output {
        self.command(CLIENT, args).output().unwrap()
    }

    /// What the client prints when all is well.
    fn says(&self, args: &[&str]) -> String {
        let output = self.client(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn sleeper(&self, unit: &str, more: &[&str]) -> Child {
        let args: Vec<&str> =
            ["run", "--scope", "-q", "--unit", unit].iter().chain(more).chain(&["sleep", "600"]).copied().collect();
        let child = self.command(CLIENT, &args).spawn().unwrap();
        self.wait_until(|| self.client(&["show", unit, "-p", "SubState", "--value"]).stdout == b"running\n");
        child
    }

    fn wait_until(&self, mut done: impl FnMut() -> bool) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < limit, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// The names of all units.
    fn units(&self) -> Vec<String> {
        let listing: serde_json::Value = serde_json::from_str(&self.says(&["list", "--all", "--json"])).unwrap();
        listing.as_array().unwrap().iter().map(|row| row["unit"].as_str().unwrap().to_owned()).collect()
    }

    /// The files of transient units.
    fn records(&self) -> Vec<PathBuf> {
        let directory = self.directory.path().join("run/cgarbiter/transient");
        std::fs::read_dir(directory).map(|entries| entries.map(|e| e.unwrap().path()).collect()).unwrap_or_default()
    }

    fn trace(&self) -> Vec<u8> {
        std::fs::read(self.directory.path().join("trace")).unwrap()
    }

    fn stop(mut self) -> std::process::ExitStatus {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_command_runs_in_its_scope_and_everything_is_gone_when_it_ends() {
    let daemon = Daemon::start();
    let before = daemon.units();
    let output = daemon.client(&[
        "run",
        "--scope",
        "-p",
        "MemoryMax=64M",
        "-p",
        "TasksMax=50",
        "sh",
        "-c",
        "echo hello; exit 3",
    ]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"hello\n");
    daemon.wait_until(|| daemon.units() == before);
    assert_eq!(daemon.records(), Vec::<PathBuf>::new());
}

#[test]
fn limits_are_shown_changed_and_refused() {
    let daemon = Daemon::start();
    let mut sleeper = daemon.sleeper("a.scope", &["--slice", "x-y", "-p", "MemoryMax=64M"]);
    assert_eq!(daemon.says(&["show", "a.scope", "-p", "MemoryMax", "--value"]), "67108864\n");
    assert_eq!(daemon.says(&["show", "a.scope", "-p", "ControlGroup", "--value"]), "/x.slice/x-y.slice/a.scope\n");
    daemon.says(&["set", "--runtime", "a.scope", "MemoryMax=32M", "CPUWeight=idle"]);
    assert_eq!(daemon.says(&["show", "a.scope", "-p", "MemoryMax", "--value"]), "33554432\n");
    let refused = daemon.client(&["set", "a.scope", "MemoryMax=0"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("Value specified in MemoryMax is out of range"), "{text}");
    assert_eq!(daemon.says(&["show", "a.scope", "-p", "MemoryMax", "--value"]), "33554432\n");
    daemon.says(&["stop", "a.scope"]);
    assert!(!sleeper.wait().unwrap().success(), "it was ended by a signal");
    assert!(!daemon.units().contains(&"a.scope".to_owned()));
}

#[test]
fn stopping_a_slice_stops_what_is_in_it_and_a_stubborn_process_is_killed() {
    let daemon = Daemon::start();
    let script = "trap '' TERM; echo ready; while :; do sleep 1 & wait; done";
    let args =
        ["run", "--scope", "-q", "--unit", "s.scope", "--slice", "x", "-p", "TimeoutStopSec=300ms", "sh", "-c", script];
    let mut stubborn = daemon.command(CLIENT, &args).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    Read::read_exact(stubborn.stdout.as_mut().unwrap(), &mut line).unwrap();
    let mut other = daemon.sleeper("t.scope", &["--slice", "x"]);
    daemon.says(&["stop", "x.slice"]);
    stubborn.wait().unwrap();
    other.wait().unwrap();
    assert_eq!(daemon.says(&["show", "s.scope", "-p", "Result", "--value"]), "timeout\n");
    daemon.says(&["reset-failed", "s.scope"]);
    assert!(!daemon.units().iter().any(|unit| unit == "s.scope" || unit == "x.slice"), "{:?}", daemon.units());
}

#[test]
fn freezing_stops_real_processes() {
    let daemon = Daemon::start();
    let mut sleeper = daemon.sleeper("f.scope", &[]);
    let state = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find(|line| line.starts_with("State:")).unwrap().chars().nth(7).unwrap()
    };
    daemon.says(&["freeze", "f.scope"]);
    assert_eq!(daemon.says(&["show", "f.scope", "-p", "FreezerState", "--value"]), "frozen\n");
    daemon.wait_until(|| state(sleeper.id()) == 'T');
    daemon.says(&["thaw", "f.scope"]);
    daemon.wait_until(|| state(sleeper.id()) != 'T');
    daemon.says(&["kill", "-s", "KILL", "f.scope"]);
    sleeper.wait().unwrap();
}

#[test]
fn two_hundred_at_once_leave_nothing() {
    let daemon = Daemon::start();
    let before = daemon.units();
    let clients: Vec<Child> =
        (0..200).map(|_| daemon.command(CLIENT, &["run", "--scope", "-q", "true"]).spawn().unwrap()).collect();
    for mut client in clients {
        assert!(client.wait().unwrap().success(), "{}", daemon.log());
    }
    daemon.wait_until(|| daemon.units() == before);
    assert_eq!(daemon.records(), Vec::<PathBuf>::new());
}

#[test]
fn one_unit_named_twice_is_stopped_once() {
    let daemon = Daemon::start();
    let mut sleeper = daemon.sleeper("d.scope", &[]);
    let twice = daemon.client(&["stop", "d.scope", "d.scope"]);
    assert!(matches!(twice.status.code(), Some(0 | 5)), "{}", String::from_utf8_lossy(&twice.stderr));
    sleeper.wait().unwrap();
}

#[test]
fn a_plan_changes_nothing() {
    let daemon = Daemon::start();
    let before = daemon.units();
    let plan = daemon.says(&["plan", "start", "p.scope", "-p", "CPUQuota=20%", "--slice", "q"]);
    assert!(plan.contains("write    q.slice/p.scope cpu.max 20000 100000"), "{plan}");
    assert!(plan.contains("# -.slice: member"), "{plan}");
    assert_eq!(daemon.units(), before);
    let refused = daemon.client(&["plan", "start", "p.scope", "-p", "CPUQuota=0%"]);
    assert!(!refused.status.success());
}

#[test]
fn one_socket_has_one_daemon() {
    let daemon = Daemon::start();
    let socket = daemon.directory.path().join("s.sock");
    let second = Command::new(DAEMON)
        .args(["--backend", "sim", "--bus", "none", "--config", "/dev/null", "--socket"])
        .arg(&socket)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(5));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("another cgarbiterd serves this socket"), "{text}");
    daemon.says(&["list"]);
    assert!(daemon.stop().success());
    assert!(!socket.exists());
}

#[test]
fn a_stop_of_the_daemon_leaves_processes_running() {
    let daemon = Daemon::start();
    let mut sleeper = daemon.sleeper("r.scope", &[]);
    assert!(daemon.stop().success());
    assert!(sleeper.try_wait().unwrap().is_none(), "it still runs");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn the_load_client_finds_no_fault() {
    let daemon = Daemon::start();
    for load in [
        ["service", "100", "16"],
        ["scope", "100", "16"],
        ["cycle", "50", "8"],
        ["slice", "100", "16"],
        ["set", "50", "4"],
    ] {
        let args: Vec<&str> = load.iter().chain(&["--peer", "--tag", "t"]).copied().collect();
        let output = daemon.command(BENCH, &args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("\"errors\":0"), "{load:?}: {text}{}", daemon.log());
    }
}

/// A session of calls of every sort, from several clients.
fn some_of_everything(daemon: &Daemon) {
    let mut sleeper = daemon.sleeper("a.scope", &["--slice", "x-y", "-p", "MemoryMax=64M", "-p", "CPUWeight=20"]);
    daemon.says(&["set", "--runtime", "a.scope", "MemoryMax=32M", "IOWeight=50"]);
    assert!(!daemon.client(&["set", "a.scope", "MemoryMax=0"]).status.success());
    daemon.says(&["plan", "start", "p.scope", "-p", "CPUQuota=20%"]);
    daemon.says(&["status", "a.scope"]);
    daemon.says(&["ls"]);
    daemon.says(&["freeze", "a.scope"]);
    daemon.says(&["thaw", "a.scope"]);
    assert_eq!(
        daemon.client(&["run", "--scope", "-q", "-p", "TasksMax=5", "sh", "-c", "exit 3"]).status.code(),
        Some(3)
    );
    daemon.says(&["stop", "x.slice"]);
    sleeper.wait().unwrap();
    let load = daemon.command(BENCH, &["scope", "40", "8", "--peer", "--tag", "t"]).output().unwrap();
    assert!(load.status.success(), "{}", daemon.log());
}

fn replay(trace: &[u8]) -> Verdict {
    replay::replay(trace, &replay::Options { until: None, check: true }, &mut |_| {}).unwrap()
}

#[test]
fn what_was_recorded_comes_out_again_to_the_letter() {
    let daemon = Daemon::start_with(&["--record", "trace"]);
    some_of_everything(&daemon);
    let path = daemon.directory.path().join("trace");
    let (killed, keep) = (daemon.trace(), std::fs::File::open(path).unwrap());
    assert!(matches!(replay(&killed).end, End::Open | End::Cut(_)), "{}", replay(&killed));
    assert!(daemon.stop().success());
    let mut whole = Vec::new();
    (&keep).read_to_end(&mut whole).unwrap();
    let verdict = replay(&whole);
    assert_eq!(verdict.end, End::Told("the daemon was told to stop".into()), "{verdict}");
    assert!(verdict.inputs > 200 && verdict.outputs > 500, "{verdict}");
    for (word, other, part) in [("pids.max", "pids.min", 2), ("JobRemoved{id=4", "JobRemoved{id=5", 3)] {
        let text = String::from_utf8(whole.clone()).unwrap();
        let at = text.match_indices(word).nth(part).map(|(at, _)| at).unwrap();
        let altered = format!("{}{other}{}", &text[..at], &text[at + word.len()..]);
        let End::Differs(difference) = replay(altered.as_bytes()).end else { panic!("{word} is missed") };
        assert_eq!(difference.line, text[..at].lines().count());
        assert!(difference.recorded.unwrap().contains(other) && difference.replayed.unwrap().contains(word));
    }
}

#[test]
fn a_trace_ends_at_its_limit_and_a_daemon_serves_without_one() {
    let daemon = Daemon::start_with(&["--record", "trace", "--record-limit", "0"]);
    daemon.says(&["list"]);
    assert_eq!(replay(&daemon.trace()).end, End::Told("it has reached its limit".into()));
    assert!(daemon.stop().success());
    let daemon = Daemon::start_with(&["--record", "no/such/directory/trace"]);
    daemon.says(&["list"]);
    assert_eq!(daemon.log().matches("nothing is recorded").count(), 1, "{}", daemon.log());
    let daemon = Daemon::start_with(&["--record", "trace"]);
    let (mut sleeper, trace) = (daemon.sleeper("k.scope", &[]), daemon.directory.path().join("trace"));
    let open = std::fs::File::open(trace).unwrap();
    drop(daemon);
    let mut text = Vec::new();
    (&open).read_to_end(&mut text).unwrap();
    assert_eq!(replay(&text).end, End::Open, "it was killed without a warning, between two turns");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn busctl_reads_and_is_refused_in_systemds_words() {
    let daemon = Daemon::start();
    let address = format!("--address={}", daemon.address());
    let busctl = |args: &[&str]| Command::new("busctl").arg(&address).args(args).output();
    if busctl(&["--version"]).is_err() {
        return eprint_skip("busctl is not installed");
    }
    let call = |rest: &[&str]| {
        let args: Vec<&str> = ["call"].iter().chain(&MANAGER).chain(rest).copied().collect();
        let output = busctl(&args).unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    for (rest, wanted) in [
        (&["GetUnit", "s", "no.scope"][..], "Unit no.scope not loaded."),
        (&["GetUnit", "s", "bad name"], "Unit bad name not loaded."),
        (&["StopUnit", "ss", "system.slice", "replace"], "not applicable"),
        (&["StartTransientUnit", "ssa(sv)a(sa(sv))", "a.scope", "bogus", "0", "0"], "Job mode bogus is invalid."),
        (
            &["StartTransientUnit", "ssa(sv)a(sa(sv))", "a.scope", "fail", "1", "Nope", "s", "x", "0"],
            "Cannot set property Nope, or unknown property.",
        ),
        (
            &["StartTransientUnit", "ssa(sv)a(sa(sv))", "a.scope", "fail", "1", "PIDs", "au", "1", "4194303", "0"],
            "Process with ID 4194303 does not exist.",
        ),
        (&["NoSuchMethod"], "Unknown method"),
    ] {
        let text = call(rest);
        assert!(text.contains(wanted), "{rest:?}: {text}");
    }
    let tree = busctl(&["introspect", MANAGER[0], MANAGER[1]]).unwrap();
    assert!(String::from_utf8_lossy(&tree.stdout).contains("StartTransientUnit"));
}

#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn eprint_skip(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn unit_files_are_masked_listed_and_shown() {
    let daemon = Daemon::start();
    let plan = daemon.says(&["mask", "--plan", "m"]);
    assert!(plan.contains("link     /etc/cgarbiter/units/m.service /dev/null"), "{plan}");
    assert!(!daemon.says(&["list-unit-files"]).contains("m.service"), "a plan changes nothing");
    assert_eq!(daemon.says(&["mask", "m"]), "linked /etc/cgarbiter/units/m.service -> /dev/null\n");
    assert_eq!(daemon.says(&["mask", "m"]), "");
    let listed = daemon.says(&["list-unit-files", "--json", "m*"]);
    assert!(listed.contains("\"masked\"") && listed.contains("/etc/cgarbiter/units/m.service"), "{listed}");
    let refused = daemon.client(&["start", "m"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("m.service is masked"));
    assert_eq!(daemon.says(&["unmask", "m"]), "removed /etc/cgarbiter/units/m.service\n");
    assert_eq!(daemon.client(&["start", "m"]).status.code(), Some(5));
    assert_eq!(daemon.client(&["enable", "m"]).status.code(), Some(5));
    assert_eq!(daemon.says(&["list-jobs"]), "no jobs\n");
    assert_eq!(daemon.says(&["reload"]), "");
    assert_eq!(daemon.says(&["analyze", "cycles"]), "no cycles\n");
    let edit = daemon.client(&["edit", "m"]);
    assert_eq!(edit.status.code(), Some(2), "no editor without a terminal");
}

#[test]
fn faults_in_files_are_named_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.service");
    let check = || Command::new(CLIENT).arg("check").arg(&path).output().unwrap();
    std::fs::write(&path, "[Service]\nExecStart=/bin/true\nMemoryMax=lots\n").unwrap();
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("{}:3: MemoryMax:", path.display())), "{text}");
    std::fs::write(&path, "[Service]\nExecStart=/bin/true\nMemoryMax=1M\n").unwrap();
    assert!(check().status.success());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(check().status.code(), Some(1), "a directory is no file");
}
