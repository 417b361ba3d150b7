//! The real backend in a group of its own: upgrade in place, with programs that take each other's place, and reload,
//! with files that come and go. Skipped where no cgroup can be made.

// Tests may panic: that is how they fail.
#![allow(clippy::unwrap_used)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const DAEMON: &str = env!("CARGO_BIN_EXE_cgarbiterd");
const CLIENT: &str = env!("CARGO_BIN_EXE_cgarbiter");
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A directory of its own, in which a program is installed, and a cgroup.
struct Place {
    cgroup: PathBuf,
    directory: tempfile::TempDir,
    notify: UnixDatagram,
}

impl Place {
    /// None on a machine that does not let us have one.
    fn new() -> Option<Self> {
        let name = format!("cgarbiter-upgrade-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = MOUNTS.iter().map(|mount| Path::new(mount).join(&name)).find(|directory| {
            directory.parent().is_some_and(|mount| mount.join("cgroup.procs").exists())
                && fs::create_dir(directory).is_ok()
        });
        let Some(cgroup) = made else {
            assert!(std::env::var_os("CGARBITER_REQUIRE_LIVE").is_none(), "no cgroup could be made below {MOUNTS:?}");
            skip(&format!("no cgroup can be made below {MOUNTS:?}; run as root where cgroup2 is mounted"));
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let place = Self { cgroup, directory, notify };
        symlink(DAEMON, place.installed()).unwrap();
        Some(place)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn installed(&self) -> PathBuf {
        self.at("cgarbiterd")
    }

    /// Puts a program in the place of the installed one: it does what the script says, and is the daemon then.
    fn install(&self, script: &str) {
        let new = self.at("new");
        fs::write(&new, format!("#!/bin/sh\n{script}\nexec {DAEMON} \"$@\"\n")).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.installed()).unwrap();
    }

    fn command(&self) -> Command {
        // Fewer open files than it may have.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 500; exec \"$0\" \"$@\""]).arg(self.installed());
        command.args(["--backend", "cgroupfs", "--beside-systemd", "--bus", "none", "--root"]).arg(&self.cgroup);
        command.arg("--file-root").arg(self.directory.path()).arg("--config").arg(self.at("config"));
        command.env("NOTIFY_SOCKET", self.at("notify")).stdin(Stdio::null());
        command.stderr(fs::OpenOptions::new().create(true).append(true).open(self.at("log")).unwrap());
        command
    }

    /// A daemon that serves, with these sockets.
    fn start(&self, sockets: &[&str]) -> Running<'_> {
        self.configure(sockets, "");
        let running = Running { process: self.command().spawn().unwrap(), place: self };
        running.is_ready();
        running
    }

    fn configure(&self, sockets: &[&str], more: &str) {
        let paths: Vec<PathBuf> = sockets.iter().map(|name| self.at(name)).collect();
        fs::write(self.at("config"), format!("socket = {paths:?}\n{more}")).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for child in fs::read_dir(&self.cgroup).into_iter().flatten().flatten() {
            let _ = fs::remove_dir(child.path());
        }
        let _ = fs::remove_dir(&self.cgroup);
    }
}

/// A daemon.
struct Running<'a> {
    process: Child,
    place: &'a Place,
}

impl Running<'_> {
    fn is_ready(&self) {
        let mut buffer = [0; 256];
        let length =
            self.place.notify.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {}", self.place.log()));
        assert!(buffer[..length].starts_with(b"READY=1"));
    }

    fn ask_to_give_way(&self) {
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGUSR2).unwrap();
    }

    fn client(&self, socket: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(CLIENT);
        command.args(arguments).env("CGARBITER_ADDRESS", format!("unix:path={}", self.place.at(socket).display()));
        command
    }

    /// What the client gets to hear on a socket.
    fn answers(&self, socket: &str) -> bool {
        self.client(socket, &["list"]).output().unwrap().status.success()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_daemon_that_is_asked_again_and_again_to_give_way_serves_on() {
    let Some(place) = Place::new() else { return };
    let mut daemon = place.start(&["s"]);
    let until = Instant::now() + Duration::from_secs(3);
    place.notify.set_nonblocking(true).unwrap();
    while Instant::now() < until {
        daemon.ask_to_give_way();
        std::thread::sleep(Duration::from_millis(1));
        // A daemon waits until somebody hears that it is ready.
        while place.notify.recv(&mut [0; 256]).is_ok() {}
        assert_eq!(daemon.process.try_wait().unwrap(), None, "{}", place.log());
    }
    assert!(place.log().matches("a new program takes over").count() > 1, "{}", place.log());
    // The last request may still be under way, and cut the client off between two calls.
    let mut answers = (0..10).map(|_| daemon.answers("s"));
    assert!(answers.any(|answered| answered), "{}", place.log());
    assert_eq!(daemon.process.try_wait().unwrap(), None, "{}", place.log());
}

#[test]
fn the_program_that_the_installed_name_leads_to_now_takes_over() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s"]);
    place.install(&format!("echo \"$@\" >> {}", place.at("ran").display()));
    daemon.ask_to_give_way();
    daemon.is_ready();
    let ran = fs::read_to_string(place.at("ran")).unwrap();
    assert_eq!(ran.lines().count(), 2, "it was tried out, and taken: {ran}");
    assert!(daemon.answers("s"), "{}", place.log());
}

#[test]
fn a_program_that_takes_its_time_to_start_keeps_nobody_waiting() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s"]);
    let began = place.at("began");
    place.install(&format!("case \"$*\" in *--check-config*) : >{}; sleep 2 ;; esac", began.display()));
    daemon.ask_to_give_way();
    while !began.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let asked = Instant::now();
    assert!(daemon.answers("s"), "{}", place.log());
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    daemon.is_ready();
}

#[test]
fn who_waits_for_a_job_hears_that_it_ends_before_the_new_program_takes_over() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s"]);
    let unit = format!("slow-{}.service", std::process::id());
    let mut start = daemon.client("s", &["run", "--unit", &unit, "-p", "Type=notify", "sleep", "30"]);
    let waiting = start.stderr(Stdio::piped()).spawn().unwrap();
    let jobs = || String::from_utf8(daemon.client("s", &["list-jobs"]).output().unwrap().stdout).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !jobs().contains(&unit) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon.ask_to_give_way();
    daemon.is_ready();
    let output = waiting.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("canceled"), "{text}");
    daemon.client("s", &["kill", "--signal", "KILL", &unit]).output().unwrap();
    let is_over = || !place.cgroup.join("system.slice").join(&unit).exists();
    while !is_over() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(is_over(), "{}", place.log());
}

#[test]
fn a_new_program_begins_with_the_limit_of_open_files_that_the_old_one_began_with() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s"]);
    place.install(&format!("ulimit -Sn > {}", place.at("limit").display()));
    daemon.ask_to_give_way();
    daemon.is_ready();
    assert_eq!(fs::read_to_string(place.at("limit")).unwrap().trim(), "500");
}

#[test]
fn sockets_that_are_no_longer_wanted_are_closed_and_others_get_the_mode_that_is_wanted_now() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s", "t"]);
    let mode = || fs::metadata(place.at("s")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    place.configure(&["s"], "open-sockets = true\n");
    daemon.ask_to_give_way();
    daemon.is_ready();
    assert!(daemon.answers("s"), "{}", place.log());
    assert_eq!(mode(), 0o666);
    let unwanted = std::os::unix::net::UnixStream::connect(place.at("t")).unwrap_err();
    assert_eq!(unwanted.kind(), std::io::ErrorKind::NotFound);
    let listening = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!listening.contains(place.at("t").to_str().unwrap()), "nobody listens there unseen");
}

#[test]
fn a_daemon_of_another_tree_leaves_the_records_of_the_first_alone() {
    let (Some(place), Some(other)) = (Place::new(), Place::new()) else { return };
    let daemon = place.start(&["s"]);
    let record = place.at("run/cgarbiter/transient/a.scope");
    fs::create_dir_all(record.parent().unwrap()).unwrap();
    fs::write(&record, "[Scope]\n[X-Cgarbiter]\nVersion=1\n").unwrap();
    let second = Command::new(DAEMON)
        .args(["--backend", "cgroupfs", "--beside-systemd", "--bus", "none", "--config", "/dev/null", "--root"])
        .arg(&other.cgroup)
        .arg("--file-root")
        .arg(place.directory.path())
        .arg("--socket")
        .arg(place.at("t"))
        .stderr(fs::File::create(place.at("log2")).unwrap())
        .spawn()
        .unwrap();
    let mut second = Running { process: second, place: &other };
    let until = Instant::now() + Duration::from_secs(30);
    let mut ended = None;
    while ended.is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
        ended = second.process.try_wait().unwrap();
    }
    let text = fs::read_to_string(place.at("log2")).unwrap();
    assert_eq!(ended.and_then(|status| status.code()), Some(4), "{text}");
    assert!(text.contains("another cgarbiterd keeps its records in"), "{text}");
    assert!(record.exists() && daemon.answers("s"), "{}", place.log());
}

#[test]
fn a_reload_reads_the_drop_ins_of_a_transient_unit_as_an_upgrade_does() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s"]);
    let unit = format!("a-{}.service", std::process::id());
    let says = |arguments: &[&str]| {
        let output = daemon.client("s", arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    says(&["run", "-q", "--unit", &unit, "--description", "made", "-p", "TimeoutStopSec=7s", "sleep", "600"]);
    let shown = || says(&["show", &unit, "-p", "Description,TimeoutStopUSec,NeedDaemonReload", "--value"]);
    let first = shown();
    assert!(first.starts_with("made\n") && first.ends_with("no\n"), "{first}");
    let file = place.at("etc/cgarbiter/units/a-.service.d/50-x.conf");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "[Unit]\nDescription=dropped in\n").unwrap();
    assert_eq!(shown(), first.replace("no\n", "yes\n"));
    says(&["reload"]);
    let second = shown();
    assert_eq!(second, first.replace("made\n", "dropped in\n"));
    daemon.ask_to_give_way();
    daemon.is_ready();
    assert_eq!(shown(), second);
    fs::remove_file(&file).unwrap();
    says(&["reload"]);
    assert_eq!(shown(), first);
    says(&["stop", &unit]);
}

/// Who waits for the end of a service has its status, whoever is the manager by then.
#[test]
fn who_waits_for_the_end_of_a_service_hears_of_it_from_the_new_program() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&["s"]);
    let unit = format!("wait-{}.service", std::process::id());
    let go = place.at("go");
    let script = format!("until [ -e {} ]; do sleep 0.05; done; exit 7", go.display());
    let mut run = daemon.client("s", &["run", "--wait", "--unit", &unit, "sh", "-c", &script]);
    let waiting = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let state = || daemon.client("s", &["show", &unit, "-p", "SubState", "--value"]).output().unwrap().stdout;
    let until = Instant::now() + Duration::from_secs(30);
    while state() != b"running\n" && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The client may not refer to it again yet when the second one comes.
    for _ in 0..2 {
        daemon.ask_to_give_way();
        daemon.is_ready();
    }
    assert_eq!(state(), b"running\n", "{}", place.log());
    fs::write(&go, "").unwrap();
    let output = waiting.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{text}{}", place.log());
    assert!(text.contains("Finished with result: exit-code"), "{text}");
}
