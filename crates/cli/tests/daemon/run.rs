//! `cgarbiter run`: commands as services, as people run them: with pipes, on a terminal, interrupted, left alone.

use super::{CLIENT, Daemon};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

/// Exit status and both outputs, with the figures taken out.
fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let is_figure = |line: &&str| line.starts_with("Service runtime") || line.starts_with("CPU time");
    let errors = text(&output.stderr);
    let kept: Vec<&str> = errors.lines().filter(|line| !is_figure(line)).collect();
    format!("{:?}\n{}{}", output.status.code(), text(&output.stdout), kept.join("\n"))
}

fn run(daemon: &Daemon, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["run", "-u", "x"].iter().chain(arguments).copied().collect();
    let told = told(&daemon.client(&all));
    daemon.client(&["reset-failed", "x.service"]);
    told
}

#[test]
fn the_end_of_a_service_is_waited_for_and_its_status_passed_on() {
    let daemon = Daemon::start();
    insta::assert_snapshot!(run(&daemon, &["--wait", "sh", "-c", "exit 7"]), @r"
    Some(7)
    Running as unit: x.service
    Finished with result: exit-code
    Main processes terminated with: code=exited/status=7
    ");
    insta::assert_snapshot!(run(&daemon, &["--wait", "-p", "SuccessExitStatus=7", "sh", "-c", "exit 7"]), @r"
    Some(0)
    Running as unit: x.service
    Finished with result: success
    Main processes terminated with: code=exited/status=7
    ");
    assert_eq!(run(&daemon, &["--wait", "-q", "sh", "-c", "kill -KILL $$"]), "Some(137)\n");
    assert_eq!(run(&daemon, &["--wait", "-q", "--service-type", "oneshot", "sh", "-c", "exit 5"]), "Some(5)\n");
    assert_eq!(run(&daemon, &["--wait", "-q", "-p", "Type=oneshot", "sh", "-c", "exit 5"]), "Some(5)\n");
    daemon.says(&["run", "-q", "-u", "t", "-r", "-p", "Type=oneshot", "true"]);
    assert_eq!(daemon.client(&["show", "t.service", "-p", "Type", "--value"]).stdout, b"oneshot\n");
    daemon.says(&["stop", "t.service"]);
    assert_eq!(run(&daemon, &["--wait", "-q", "-p", "WorkingDirectory=/none", "true"]), "Some(200)\n");
    assert_eq!(run(&daemon, &["--wait", "-q", "--uid", "nosuchuser", "true"]), "Some(217)\n");
    assert_eq!(run(&daemon, &["--wait", "-q", "/no/such/program"]), "Some(203)\n");
}

#[test]
fn without_waiting_only_the_start_counts() {
    let daemon = Daemon::start();
    assert_eq!(run(&daemon, &["sh", "-c", "sleep 0.1; exit 7"]), "Some(0)\nRunning as unit: x.service");
    daemon.wait_until(|| daemon.client(&["show", "x.service", "-p", "Result", "--value"]).stdout == b"exit-code\n");
    daemon.says(&["reset-failed", "x.service"]);
    let lasting = &["-r", "--description", "A thing", "--slice", "s", "-p", "MemoryMax=64M", "true"];
    assert_eq!(run(&daemon, lasting), "Some(0)\nRunning as unit: x.service");
    daemon.wait_until(|| daemon.says(&["show", "x.service", "-p", "SubState", "--value"]) == "exited\n");
    let shown = daemon.says(&["show", "x.service", "-p", "Description,MemoryMax,Slice"]);
    assert_eq!(shown, "Description=A thing\nMemoryMax=67108864\nSlice=s.slice\n");
    daemon.says(&["stop", "x.service"]);
    assert_eq!(run(&daemon, &["--no-block", "-q", "true"]), "Some(0)\n");
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let daemon = Daemon::start();
    insta::assert_snapshot!(run(&daemon, &["no-such-program"]), @r"
    Some(127)
    cgarbiter: cannot execute no-such-program: No such file or directory
    ");
    insta::assert_snapshot!(run(&daemon, &["--gid", "nosuchgroup", "true"]), @r"
    Some(1)
    cgarbiter: cannot start x.service: exit-code, code=exited/status=216 (GROUP)
    ");
    insta::assert_snapshot!(run(&daemon, &["-p", "Restart=often", "true"]), @r"
    Some(2)
    cgarbiter: Restart=often: Invalid value 'often' in Restart=
    ");
    insta::assert_snapshot!(run(&daemon, &["-p", "Restert=no", "true"]), @r"
    Some(2)
    cgarbiter: unknown property Restert, did you mean Restart?
    ");
    insta::assert_snapshot!(run(&daemon, &["-E", "NO_SUCH_VARIABLE", "true"]), @r"
    Some(2)
    cgarbiter: there is no variable NO_SUCH_VARIABLE to hand over
    ");
    insta::assert_snapshot!(run(&daemon, &["--service-type", "odd", "true"]), @r"
    Some(1)
    cgarbiter: cannot start x.service: Invalid Type setting: odd
    ");
    assert!(run(&daemon, &["--scope", "--wait", "true"]).starts_with("Some(2)"));
}

#[test]
fn streams_and_words_arrive_as_they_are() {
    let daemon = Daemon::start();
    let args = ["run", "-P", "-q", "-E", "A=b c", "--working-directory", "/usr", "sh", "-c"];
    let script = "cat; echo \"$A\" \"$0\" \"$1\"; pwd; echo error >&2; exit 3";
    let args: Vec<&str> = args.into_iter().chain([script, "$HOME", "50%"]).collect();
    let mut child = daemon
        .command(CLIENT, &args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    insta::assert_snapshot!(told(&child.wait_with_output().unwrap()), @r"
    Some(3)
    typed
    b c $HOME 50%
    /usr
    error
    ");
}

#[test]
fn for_programs_the_end_is_one_value() {
    let daemon = Daemon::start();
    let output = daemon.client(&["run", "--json", "--wait", "-u", "j", "sh", "-c", "exit 2"]);
    let ending: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert_eq!((ending["unit"].as_str(), ending["result"].as_str()), (Some("j.service"), Some("exit-code")));
    assert_eq!((ending["code"].as_str(), ending["status"].as_i64()), (Some("exited"), Some(2)));
    assert_eq!(ending["invocation_id"].as_str().map(str::len), Some(32));
    let output = daemon.client(&["run", "--json", "-u", "k", "true"]);
    let started: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(started["unit"].as_str(), Some("k.service"));
}

#[test]
fn an_interrupt_is_passed_on() {
    let daemon = Daemon::start();
    let script = "trap 'exit 4' INT; echo ready; while :; do sleep 0.05; done";
    let mut child =
        daemon.command(CLIENT, &["run", "-P", "-q", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4), "{}", daemon.log());
    let mut plain = daemon.command(CLIENT, &["run", "--wait", "-q", "-u", "p", "sleep", "600"]).spawn().unwrap();
    daemon.wait_until(|| daemon.client(&["show", "p.service", "-p", "SubState", "--value"]).stdout == b"running\n");
    kill(Pid::from_raw(plain.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(plain.wait().unwrap().code(), Some(130));
}

#[test]
fn a_service_goes_on_without_who_waits_for_it() {
    let daemon = Daemon::start();
    let mut child = daemon.command(CLIENT, &["run", "--wait", "-q", "-u", "g", "sleep", "600"]).spawn().unwrap();
    let state = || daemon.client(&["show", "g.service", "-p", "SubState", "--value"]).stdout;
    daemon.wait_until(|| state() == b"running\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(state(), b"running\n");
    daemon.says(&["stop", "g.service"]);
}

/// A person at a terminal.
struct Person {
    keys_and_screen: File,
    seat: OwnedFd,
    client: Child,
}

impl Person {
    fn sits_down(daemon: &Daemon, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let seat = open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&seat, size).unwrap();
        let all: Vec<&str> = ["run", "--pty", "-u", "t"].iter().chain(arguments).copied().collect();
        let mut command: Command = daemon.command(CLIENT, &all);
        let end = || Stdio::from(seat.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "dumb");
        // SAFETY: both calls are safe between fork and exec.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    -1 => Err(std::io::Error::last_os_error()),
                    _ => Ok(()),
                }
            });
        }
        let client = command.spawn().unwrap();
        Self { keys_and_screen: File::from(master), seat, client }
    }

    fn types(&mut self, keys: &[u8]) {
        self.keys_and_screen.write_all(keys).unwrap();
    }

    /// What is on the screen once this is.
    fn sees(&mut self, wanted: &str) -> String {
        let (mut screen, mut buffer) = (String::new(), [0; 1024]);
        while !screen.contains(wanted) {
            let count = self.keys_and_screen.read(&mut buffer).unwrap();
            screen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        screen
    }

    fn resizes(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keys_and_screen, size).unwrap();
    }

    /// Whether what is typed is edited and shown by the terminal, as it should be when nobody has changed that.
    fn is_as_before(&self) -> bool {
        use rustix::termios::LocalModes;
        tcgetattr(&self.seat).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }
}

#[test]
fn a_terminal_is_as_if_the_command_ran_on_ours() {
    let daemon = Daemon::start();
    let script = "stty size; echo $TERM; trap 'stty size' WINCH; trap 'echo stopping; exit 9' INT; echo ready; \
                  while :; do sleep 0.05; done";
    let mut person = Person::sits_down(&daemon, &["sh", "-c", script]);
    let screen = person.sees("ready");
    assert!(screen.contains("30 100\r\ndumb\r\n"), "{screen}");
    assert!(!person.is_as_before(), "keys are passed on raw");
    person.resizes(11, 22);
    person.sees("11 22");
    person.types(&[3]);
    person.sees("stopping");
    assert!(person.sees("status=9").contains("Finished with result: exit-code"));
    assert_eq!(person.client.wait().unwrap().code(), Some(9));
    assert!(person.is_as_before());
}

#[test]
fn three_escapes_disconnect_and_the_service_is_hung_up() {
    let daemon = Daemon::start();
    let mut person = Person::sits_down(&daemon, &["sh", "-c", "echo ready; exec sleep 600"]);
    person.sees("ready");
    person.types(&[0x1d, 0x1d, 0x1d]);
    person.sees("Disconnected from t.service");
    assert_eq!(person.client.wait().unwrap().code(), Some(0));
    assert!(person.is_as_before());
    daemon.wait_until(|| daemon.client(&["show", "t.service", "-p", "ActiveState", "--value"]).stdout == b"inactive\n");
}

#[test]
fn input_that_ends_ends_at_a_terminal_too() {
    let daemon = Daemon::start();
    let mut child = daemon
        .command(CLIENT, &["run", "-q", "-t", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hi\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"hi\r\nhi\r\n"[..]));
}
