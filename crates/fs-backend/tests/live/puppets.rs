//! Processes of others, which begin, end and reap each other as they are told: shells that read commands from a pipe.
//! They are no children of this process, which is the arbiter, but of one that does nothing else.

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What each of them runs: begins another with its pipes, or asks how one has ended.
const SCRIPT: &str = r#"while read -r verb what; do case $verb in
begin) sh "$0" <"$what.in" >"$what.out" & echo $! ;;
reap) wait "$what"; echo $? ;;
fill) while :; do text="$text$text$what"; done ;;
esac; done"#;

/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One of them.
struct Puppet {
    parent: Option<u32>,
    commands: File,
    answers: BufReader<File>,
}

pub(crate) struct Puppets {
    directory: PathBuf,
    /// The parent of all, which is itself none of them.
    first: Child,
    all: BTreeMap<u32, Puppet>,
    begun: u32,
}

impl Puppets {
    /// The first of them begins in this cgroup.
    pub(crate) fn new(files: &Path, cgroup: &Path) -> Self {
        let directory = files.join("puppets");
        fs::create_dir(&directory).expect("made");
        fs::write(directory.join("script"), SCRIPT).expect("written");
        let (commands, answers) = pipes(&directory, 0);
        let open = |suffix| File::options().read(true).write(true).open(directory.join(format!("0.{suffix}")));
        let mut command = Command::new("sh");
        command.arg(directory.join("script")).current_dir("/").stderr(Stdio::null());
        command.stdin(open("in").expect("opens")).stdout(open("out").expect("opens"));
        let first = command.spawn().expect("sh runs");
        fs::write(cgroup.join("cgroup.procs"), first.id().to_string()).expect("moved");
        let all = BTreeMap::from([(first.id(), Puppet { parent: None, commands, answers })]);
        Self { directory, first, all, begun: 0 }
    }

    /// Another one, of this one or of the first.
    pub(crate) fn begin(&mut self, parent: Option<u32>) -> u32 {
        self.begun += 1;
        let (commands, answers) = pipes(&self.directory, self.begun);
        let parent = parent.unwrap_or(self.first.id());
        let path = self.directory.join(self.begun.to_string());
        let pid = self.ask(parent, &format!("begin {}", path.display())).parse().expect("a number");
        self.all.insert(pid, Puppet { parent: Some(parent), commands, answers });
        // It has become its program when it answers; before that it shows its parent's command line.
        assert_eq!(self.ask(pid, "reap 0"), "127", "nobody has that number");
        pid
    }

    pub(crate) fn kill(&mut self, pid: u32) {
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).expect("killed");
        assert!(await_end(pid), "{pid} does not end");
    }

    /// It wants ever more memory until it is killed.
    pub(crate) fn exhaust(&mut self, pid: u32) {
        let puppet = self.all.get_mut(&pid).expect("one of them");
        writeln!(puppet.commands, "fill {}", "x".repeat(1000)).expect("told");
        assert!(await_end(pid), "{pid} does not end");
    }

    pub(crate) fn reap(&mut self, pid: u32) {
        let puppet = self.all.remove(&pid).expect("one of them");
        self.ask(puppet.parent.expect("not the first"), &format!("reap {pid}"));
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} is reaped");
    }

    fn ask(&mut self, pid: u32, command: &str) -> String {
        let puppet = self.all.get_mut(&pid).expect("one of them");
        writeln!(puppet.commands, "{command}").expect("told");
        let mut answer = String::new();
        puppet.answers.read_line(&mut answer).expect("answered");
        answer.trim_end().to_owned()
    }
}

/// Waits until a process has ended, reaped or not; false when it does not.
pub(crate) fn await_end(pid: u32) -> bool {
    let end = Instant::now() + PATIENCE;
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    while lives() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

impl Drop for Puppets {
    fn drop(&mut self) {
        for pid in self.all.keys() {
            let _ = kill(Pid::from_raw(*pid as i32), Signal::SIGKILL);
        }
        let _ = self.first.wait();
    }
}

/// Both pipes of one, held open at both ends so that nobody waits for anybody to open them.
fn pipes(directory: &Path, number: u32) -> (File, BufReader<File>) {
    let [commands, answers] = ["in", "out"].map(|suffix| {
        let path = directory.join(format!("{number}.{suffix}"));
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("made");
        File::options().read(true).write(true).open(path).expect("opens")
    });
    (commands, BufReader::new(answers))
}
