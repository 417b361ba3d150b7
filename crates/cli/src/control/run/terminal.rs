//! A terminal for a service: a pseudo-terminal whose other end is what we are connected to. What is typed goes there
//! byte by byte, control keys included; its size follows ours.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use tokio::sync::mpsc::UnboundedSender;

use crate::control::error::{Error, Result};

/// `^]`: three of them within a second cut the connection.
const ESCAPE: u8 = 0x1d;
const ESCAPES: usize = 3;
const ESCAPE_TIME: Duration = Duration::from_secs(1);
/// What a terminal takes for the end of what is typed.
const END_OF_INPUT: u8 = 4;
/// How long what was written last may take to arrive here, if somebody keeps the terminal open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A pseudo-terminal that is open at both ends.
pub(super) struct Terminal {
    master: OwnedFd,
    /// Kept open until the service has ended: with nobody at the other end, reading would fail.
    slave: OwnedFd,
    path: String,
}

impl Terminal {
    pub(super) fn open() -> Result<Self> {
        Self::try_open().map_err(|e| Error::io("cannot open a terminal", e))
    }

    fn try_open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let slave = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let path = name.into_string().map_err(io::Error::other)?;
        let terminal = Self { master, slave, path };
        terminal.take_size();
        Ok(terminal)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Makes it as large as the one that we are on, if there is one.
    pub(super) fn take_size(&self) {
        if let Ok(size) = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())) {
            // As large as before, if it will not be changed.
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// From now on, what is typed goes there and what is written comes here. `leave` hears when three escapes came.
    pub(super) fn connect(self, leave: UnboundedSender<()>) -> Result<Connected> {
        let failed = |e| Error::io("cannot connect the terminal", e);
        let raw = RawMode::enter().map_err(failed)?;
        let (writer, reader) = (self.dup().map_err(failed)?, self.dup().map_err(failed)?);
        thread::spawn(move || pass_on_input(io::stdin(), writer, &leave));
        let (done, written) = channel();
        thread::spawn(move || pass_on_output(reader, io::stdout(), &done));
        Ok(Connected { terminal: self, raw: Some(raw), written })
    }

    fn dup(&self) -> io::Result<File> {
        Ok(File::from(self.master.try_clone()?))
    }
}

/// A terminal in use; ours is as before when this is dropped.
pub(super) struct Connected {
    terminal: Terminal,
    raw: Option<RawMode>,
    written: Receiver<()>,
}

impl Connected {
    pub(super) fn take_size(&self) {
        self.terminal.take_size();
    }

    /// After the end of the service: what it wrote last is written here, too.
    pub(super) fn finish(self) {
        let Self { terminal, raw, written } = self;
        drop(terminal.slave);
        let _ = written.recv_timeout(LAST_WORDS);
        drop(raw);
    }
}

/// The terminal of our own standard input, without its own ideas about what is typed.
struct RawMode(Option<Termios>);

impl RawMode {
    fn enter() -> io::Result<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Ok(Self(None));
        }
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // There may be no terminal any more.
            let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, before);
        }
    }
}

fn pass_on_input(mut from: impl Read, mut to: File, leave: &UnboundedSender<()>) {
    let (mut buffer, mut escapes) = ([0; 4096], Escapes::default());
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.write_all(&[END_OF_INPUT]);
                return;
            }
            Ok(count) => {
                if escapes.take(&buffer[..count], Instant::now()) {
                    let _ = leave.send(());
                    return;
                }
                if to.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Until nobody has the other end open, or nobody reads here.
fn pass_on_output(mut from: File, mut to: impl Write, done: &Sender<()>) {
    let mut buffer = [0; 16_384];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
                    break;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let _ = done.send(());
}

/// Escapes without anything between them.
#[derive(Default)]
struct Escapes(Vec<Instant>);

impl Escapes {
    /// Whether the last of them was among these bytes.
    fn take(&mut self, bytes: &[u8], now: Instant) -> bool {
        for byte in bytes {
            if *byte != ESCAPE {
                self.0.clear();
                continue;
            }
            self.0.retain(|when| now.duration_since(*when) < ESCAPE_TIME);
            self.0.push(now);
            if self.0.len() == ESCAPES {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_escapes_within_a_second() {
        let (mut escapes, start) = (Escapes::default(), Instant::now());
        let at = |msec| start + Duration::from_millis(msec);
        assert!(!escapes.take(b"\x1d\x1d", at(0)));
        assert!(!escapes.take(b"a\x1d", at(1)), "something was typed between");
        assert!(!escapes.take(b"\x1d", at(900)));
        assert!(!escapes.take(b"\x1d", at(1500)), "the first is too long ago");
        assert!(escapes.take(b"x\x1d\x1d\x1d", at(1600)));
    }

    #[test]
    fn bytes_go_both_ways() {
        let terminal = Terminal::open().unwrap();
        let (mut there, master) = (File::from(terminal.slave), terminal.master);
        let (leave, mut left) = tokio::sync::mpsc::unbounded_channel();
        pass_on_input(&b"hello\n"[..], File::from(master.try_clone().unwrap()), &leave);
        let mut line = [0; 6];
        there.read_exact(&mut line).unwrap();
        assert_eq!((&line, left.try_recv().is_err()), (b"hello\n", true));
        there.write_all(b"bye\n").unwrap();
        drop(there);
        let ((done, written), mut heard) = (channel(), Vec::new());
        pass_on_output(File::from(master), &mut heard, &done);
        assert!(written.try_recv().is_ok());
        assert!(heard.ends_with(b"bye\r\n"), "{heard:?}");
    }
}
