//! What the programs do that services run here: the few that a test needs, in virtual time.
//!
//! | command | does |
//! |---|---|
//! | `/bin/sleep infinity` | lives until a signal ends it |
//! | `/bin/sleep SECONDS` | ends with 0 after that time |
//! | `/bin/true`, `/bin/false` | ends with 0, with 1 |
//! | `/bin/sh -c 'A; B; …'` | does one after the other, and ends with 0 |
//! | `/nonexistent` and whatever is unknown | is not there |
//!
//! What a script may hold: `exit N`, `sleep SECONDS`, `trap "" SIGNAL`, `(…) &`, `echo $! > FILE`, `kill -SIGNAL $$`,
//! `systemd-notify WORD…`, each also with `exec`. At anything else it stands still until a signal ends it.

use crate::kernel::{Kernel, Pid};
use cgarbiter_core::Instant;
use cgarbiter_core::exec::ExecFailure;
use cgarbiter_core::plan::Spawn;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long a program takes that does nothing.
const MOMENT_USEC: u64 = 1000;

/// Something that a program does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    /// Goes on after this time.
    Sleep { usec: u64 },
    /// Does not heed this signal from now on.
    Ignore { signal: u8 },
    /// Tells whoever has started it.
    Notify { message: String },
    /// Leaves a process behind that does this.
    Fork { acts: Vec<Act> },
    /// Writes the number of the process that it left behind last.
    WriteChild { file: String },
    /// Sends itself a signal.
    Raise { signal: u8 },
    /// Ends.
    End { code: u8 },
    /// Becomes the program at last, or fails to.
    Become { failure: Option<ExecFailure> },
    /// Does nothing more.
    Live,
}

/// What a command does; none when there is no such program.
pub(super) fn acts(command: &Spawn) -> Option<Vec<Act>> {
    let arguments: Vec<&str> = command.arguments.iter().skip(1).map(String::as_str).collect();
    let path = command.path.strip_prefix("/usr").unwrap_or(&command.path);
    match (path, arguments.as_slice()) {
        ("/bin/true", _) => Some(vec![Act::End { code: 0 }]),
        ("/bin/false", _) => Some(vec![Act::End { code: 1 }]),
        ("/bin/sleep", ["infinity"]) => Some(vec![Act::Live]),
        ("/bin/sleep", [time]) => Some(vec![Act::Sleep { usec: seconds(time)? }, Act::End { code: 0 }]),
        ("/bin/sh", ["-c", script]) => Some(shell(script)),
        _ => None,
    }
}

fn shell(script: &str) -> Vec<Act> {
    let mut acts: Vec<Act> = segments(script).into_iter().map(segment).collect();
    acts.push(Act::End { code: 0 });
    acts
}

/// Split at semicolons, and after what is left behind, but not inside of parentheses.
fn segments(script: &str) -> Vec<&str> {
    let (mut found, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, letter) in script.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => {
                found.push(script[begin..at].trim());
                begin = at + 1;
            }
            '&' if depth == 0 => {
                found.push(script[begin..=at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(script[begin..].trim());
    found.retain(|segment| !segment.is_empty());
    found
}

fn segment(text: &str) -> Act {
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(") &")) {
        return Act::Fork { acts: shell(inner) };
    }
    if let Some(file) = text.strip_prefix("echo $! > ") {
        return Act::WriteChild { file: file.to_owned() };
    }
    let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "exec").collect();
    match words.as_slice() {
        ["exit", code] => code.parse().map_or(Act::Live, |code| Act::End { code }),
        ["sleep" | "/bin/sleep", time] => seconds(time).map_or(Act::Live, |usec| Act::Sleep { usec }),
        ["trap", "\"\"", name] => signal(name).map_or(Act::Live, |signal| Act::Ignore { signal }),
        ["kill", name, "$$"] => signal(name.trim_start_matches('-')).map_or(Act::Live, |signal| Act::Raise { signal }),
        ["systemd-notify", words @ ..] => Act::Notify { message: message(words) },
        _ => Act::Live,
    }
}

fn message(words: &[&str]) -> String {
    let line = |word: &&str| match *word {
        "--no-block" => String::new(),
        "--ready" => "READY=1\n".to_owned(),
        "--reloading" => "RELOADING=1\n".to_owned(),
        "--stopping" => "STOPPING=1\n".to_owned(),
        other => {
            other.strip_prefix("--status=").map_or_else(|| format!("{other}\n"), |text| format!("STATUS={text}\n"))
        }
    };
    words.iter().map(line).collect()
}

fn signal(name: &str) -> Option<u8> {
    Some(match name {
        "HUP" => 1,
        "INT" => 2,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "TERM" => 15,
        _ => return None,
    })
}

/// A decimal number of seconds in microseconds.
fn seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part.parse().ok()?)
}

/// A program that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    command: String,
    /// What it is still going to do.
    pub(super) acts: VecDeque<Act>,
    /// It knows whom to tell.
    pub(super) notifies: bool,
    /// The process that it left behind last.
    pub(super) child: Pid,
}

/// Which programs run, and when they go on by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs {
    now: Instant,
    pub(super) due: BTreeSet<(Instant, Pid)>,
    pub(super) programs: BTreeMap<Pid, Program>,
}

impl Programs {
    pub(super) fn set_time(&mut self, now: Instant) {
        assert!(self.now <= now, "time goes on");
        self.now = now;
    }

    /// A program begins. What it does first without taking time is done by the caller.
    pub(super) fn started(&mut self, pid: Pid, command: &Spawn, acts: Vec<Act>) {
        let notifies = command.environment.iter().any(|entry| entry.starts_with("NOTIFY_SOCKET="));
        self.begin(pid, command.arguments.join(" "), acts, notifies);
    }

    fn begin(&mut self, pid: Pid, command: String, acts: Vec<Act>, notifies: bool) {
        let mut acts: VecDeque<Act> = acts.into();
        let pause = match acts.front() {
            Some(Act::Live) | None => None,
            Some(Act::Sleep { usec }) => Some(*usec),
            Some(_) => Some(MOMENT_USEC),
        };
        if let Some(pause) = pause {
            self.due.insert((self.now.after(pause), pid));
        }
        if matches!(acts.front(), Some(Act::Sleep { .. })) {
            acts.pop_front();
        }
        self.programs.insert(pid, Program { command, acts, notifies, child: 0 });
    }

    /// A program has left another process behind.
    pub(super) fn forked(&mut self, parent: Pid, child: Pid, acts: Vec<Act>) {
        let Some(program) = self.programs.get_mut(&parent) else { return };
        program.child = child;
        let (command, notifies) = (program.command.clone(), program.notifies);
        self.begin(child, command, acts, notifies);
    }

    /// The command line that a process shows.
    pub(super) fn name(&mut self, pid: Pid, command: String) {
        self.programs.entry(pid).or_default().command = command;
    }

    pub(super) fn command(&self, pid: Pid) -> Option<&str> {
        self.programs.get(&pid).map(|program| program.command.as_str())
    }

    pub(super) fn notifies(&self, pid: Pid) -> bool {
        self.programs.get(&pid).is_some_and(|program| program.notifies)
    }

    pub(super) fn child_of(&self, pid: Pid) -> Pid {
        self.programs.get(&pid).map_or(0, |program| program.child)
    }

    pub(super) fn ended(&mut self, pid: Pid) {
        self.programs.remove(&pid);
        self.due.retain(|(_, other)| *other != pid);
    }

    /// What a program does whose time has come. A frozen or stopped one goes on when it may.
    pub(super) fn take_due(&mut self, kernel: &Kernel) -> Option<(Pid, Act)> {
        let due = self.due.iter().take_while(|(at, _)| *at <= self.now);
        let (at, pid) = due.copied().find(|(_, pid)| kernel.can_act(*pid))?;
        self.due.remove(&(at, pid));
        let act = self.programs.get_mut(&pid).and_then(|program| program.acts.pop_front()).unwrap_or(Act::Live);
        match act {
            Act::Sleep { usec } => drop(self.due.insert((at.after(usec), pid))),
            Act::End { .. } | Act::Live => {}
            _ => drop(self.due.insert((at, pid))),
        }
        Some((pid, act))
    }

    pub(super) fn next_end(&self, kernel: &Kernel) -> Option<Instant> {
        self.due.iter().find(|(_, pid)| kernel.can_act(*pid)).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, arguments: &[&str]) -> Option<Vec<Act>> {
        acts(&Spawn::new(path, std::iter::once(path).chain(arguments.iter().copied())))
    }

    #[test]
    fn the_programs_of_the_vectors_are_known() {
        let end = |code| Act::End { code };
        assert_eq!(of("/bin/sleep", &["infinity"]), Some(vec![Act::Live]));
        assert_eq!(of("/bin/sleep", &["0.5"]), Some(vec![Act::Sleep { usec: 500_000 }, end(0)]));
        assert_eq!(of("/usr/bin/false", &[]), Some(vec![end(1)]));
        assert_eq!(of("/bin/sh", &["-c", "exit 3"]), Some(vec![end(3), end(0)]));
        let trap = "trap \"\" TERM; exec /bin/sleep infinity";
        assert_eq!(of("/bin/sh", &["-c", trap]), Some(vec![Act::Ignore { signal: 15 }, Act::Live, end(0)]));
        assert_eq!(of("/nonexistent", &[]), None);
    }

    #[test]
    fn scripts_leave_processes_behind_and_tell() {
        let script = "(systemd-notify --ready X=1; sleep infinity) & echo $! > /run/x.pid; kill -USR1 $$";
        let notify = Act::Notify { message: "READY=1\nX=1\n".to_owned() };
        let child = vec![notify, Act::Live, Act::End { code: 0 }];
        let wanted = vec![
            Act::Fork { acts: child },
            Act::WriteChild { file: "/run/x.pid".to_owned() },
            Act::Raise { signal: 10 },
            Act::End { code: 0 },
        ];
        assert_eq!(of("/bin/sh", &["-c", script]), Some(wanted));
    }
}
