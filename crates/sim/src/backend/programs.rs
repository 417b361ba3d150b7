//! What the programs do that services run here: the few that a test needs, in virtual time.
//!
//! | command | does |
//! |---|---|
//! | `/bin/sleep infinity` | lives until a signal ends it |
//! | `/bin/sleep SECONDS` | ends with 0 after that time |
//! | `/bin/true`, `/bin/false` | ends with 0, with 1 |
//! | `/bin/sh -c 'exit N'` | ends with N |
//! | `/bin/sh -c 'trap "" TERM; …'` | lives, and ignores SIGTERM |
//! | `/nonexistent` and whatever is unknown | is not there |

use crate::kernel::{Kernel, Pid};
use cgarbiter_core::Instant;
use cgarbiter_core::plan::Spawn;
use std::collections::{BTreeMap, BTreeSet};

/// How long a program takes that does nothing.
const MOMENT_USEC: u64 = 1000;

/// What a program is going to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Live,
    LiveIgnoring { signal: u8 },
    End { after_usec: u64, code: u8 },
}

/// The behaviour of a command; none when there is no such program.
pub(super) fn behaviour(command: &Spawn) -> Option<Behaviour> {
    let arguments: Vec<&str> = command.arguments.iter().skip(1).map(String::as_str).collect();
    let soon = |code| Behaviour::End { after_usec: MOMENT_USEC, code };
    let path = command.path.strip_prefix("/usr").unwrap_or(&command.path);
    match (path, arguments.as_slice()) {
        ("/bin/true", _) => Some(soon(0)),
        ("/bin/false", _) => Some(soon(1)),
        ("/bin/sleep", ["infinity"]) => Some(Behaviour::Live),
        ("/bin/sleep", [time]) => Some(Behaviour::End { after_usec: seconds(time)?, code: 0 }),
        ("/bin/sh", ["-c", script]) => Some(shell(script)),
        _ => None,
    }
}

fn shell(script: &str) -> Behaviour {
    if let Some(code) = script.strip_prefix("exit ").and_then(|code| code.trim().parse().ok()) {
        return Behaviour::End { after_usec: MOMENT_USEC, code };
    }
    if script.starts_with("trap \"\" TERM") {
        return Behaviour::LiveIgnoring { signal: 15 };
    }
    Behaviour::Live
}

/// A decimal number of seconds in microseconds.
fn seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part.parse().ok()?)
}

/// Which programs run, and when they end by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs {
    now: Instant,
    pub(super) ends: BTreeSet<(Instant, Pid, u8)>,
    commands: BTreeMap<Pid, String>,
}

impl Programs {
    pub(super) fn set_time(&mut self, now: Instant) {
        assert!(self.now <= now, "time goes on");
        self.now = now;
    }

    pub(super) fn started(&mut self, pid: Pid, command: &Spawn, behaviour: Behaviour) {
        self.name(pid, command.arguments.join(" "));
        if let Behaviour::End { after_usec, code } = behaviour {
            self.ends.insert((self.now.after(after_usec), pid, code));
        }
    }

    /// The command line that a process shows.
    pub(super) fn name(&mut self, pid: Pid, command: String) {
        self.commands.insert(pid, command);
    }

    pub(super) fn command(&self, pid: Pid) -> Option<&str> {
        self.commands.get(&pid).map(String::as_str)
    }

    pub(super) fn ended(&mut self, pid: Pid) {
        if self.commands.remove(&pid).is_some() {
            self.ends.retain(|(_, other, _)| *other != pid);
        }
    }

    /// A program whose time has come. A frozen or stopped one ends when it goes on.
    pub(super) fn take_due(&mut self, kernel: &Kernel) -> Option<(Pid, u8)> {
        let due = self.ends.iter().take_while(|(at, ..)| *at <= self.now);
        let found = due.copied().find(|(_, pid, _)| kernel.can_act(*pid))?;
        self.ends.remove(&found);
        Some((found.1, found.2))
    }

    pub(super) fn next_end(&self, kernel: &Kernel) -> Option<Instant> {
        self.ends.iter().find(|(_, pid, _)| kernel.can_act(*pid)).map(|(at, ..)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, arguments: &[&str]) -> Option<Behaviour> {
        behaviour(&Spawn::new(path, std::iter::once(path).chain(arguments.iter().copied())))
    }

    #[test]
    fn the_programs_of_the_vectors_are_known() {
        assert_eq!(of("/bin/sleep", &["infinity"]), Some(Behaviour::Live));
        assert_eq!(of("/bin/sleep", &["0.5"]), Some(Behaviour::End { after_usec: 500_000, code: 0 }));
        assert_eq!(of("/usr/bin/false", &[]), Some(Behaviour::End { after_usec: 1000, code: 1 }));
        assert_eq!(of("/bin/sh", &["-c", "exit 3"]), Some(Behaviour::End { after_usec: 1000, code: 3 }));
        let trap = "trap \"\" TERM; exec /bin/sleep infinity";
        assert_eq!(of("/bin/sh", &["-c", trap]), Some(Behaviour::LiveIgnoring { signal: 15 }));
        assert_eq!(of("/nonexistent", &[]), None);
    }
}
