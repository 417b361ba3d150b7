//! Standard input, output and error.

use super::{Child, Done, about, raw};
use cgarbiter_core::exec::{FileMode, Stream};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::OwnedFd;

impl Child {
    pub(super) fn open_stream(&mut self, number: u32, stream: &Stream) -> Done {
        let number = number.cast_signed();
        match stream {
            Stream::Null => take("/dev/null", OFlag::O_RDWR, number).map(drop),
            Stream::Arbiter => Ok(()),
            Stream::Same(other) => duplicate(other.cast_signed(), number).map_err(about(format!("stream {other}"))),
            Stream::File { path, mode } => take(path, flags(*mode, number), number).map(drop),
            Stream::Terminal { path, force } => {
                take(path, OFlag::O_RDWR | OFlag::O_NOCTTY, number)?;
                if number == 0 { control(path, *force) } else { Ok(()) }
            }
            Stream::Handle(handle) => {
                let found = self.handles.iter().find(|(own, _)| own == handle);
                let found = found.ok_or(Errno::EBADF).and_then(|(_, fd)| duplicate(raw(fd), number));
                found.map_err(about("descriptor"))?;
                if number == 0 {
                    // One that is a terminal becomes the controlling one; what is none stays as it is.
                    let _ = control("descriptor", false);
                }
                Ok(())
            }
        }
    }
}

fn flags(mode: FileMode, number: i32) -> OFlag {
    match mode {
        FileMode::Read if number == 0 => OFlag::O_RDONLY,
        FileMode::Read | FileMode::ReadWrite => OFlag::O_RDWR | OFlag::O_CREAT,
        FileMode::Append => OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND,
        FileMode::Truncate => OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC,
    }
}

/// Opens a file as a stream; what is a socket there is connected to.
fn take(path: &str, flags: OFlag, number: i32) -> Result<OwnedFd, super::Fault> {
    let mode = Mode::from_bits_truncate(0o644);
    let file = open(path, flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY, mode).map_err(about(path))?;
    duplicate(raw(&file), number).map_err(about(path))?;
    Ok(file)
}

fn duplicate(from: i32, to: i32) -> nix::Result<()> {
    // SAFETY: takes numbers; what a child has at the number of a standard stream is its own.
    Errno::result(unsafe { libc::dup2(from, to) }).map(drop)
}

/// Makes standard input the terminal that controls this session.
fn control(what: &str, force: bool) -> Done {
    // SAFETY: takes numbers.
    let done = unsafe { libc::ioctl(0, libc::TIOCSCTTY, i32::from(force)) };
    Errno::result(done).map(drop).map_err(about(what))
}
