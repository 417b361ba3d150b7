//! The spawner's own half: takes requests, forks, answers, until the arbiter has gone.

use super::{Message, receive_some};
use crate::child::{self, Birth};
use crate::sys::{self, Forked};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stdin, setsid};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

/// Serves as a spawner whose socket is its standard input. To be called first thing in `main`, when the program has
/// been started with [`SPAWNER_ARGUMENT`](super::SPAWNER_ARGUMENT); comes back when the arbiter has gone.
#[must_use]
pub fn serve() -> ExitCode {
    // What a terminal sends to the arbiter is not for us.
    let _ = setsid();
    child::heed_all_signals();
    match take_socket().and_then(|socket| serve_all(&socket)) {
        Ok(()) | Err(Errno::EPIPE) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Moves the socket out of the way of children, who find `/dev/null` there.
fn take_socket() -> nix::Result<OwnedFd> {
    let number = fcntl(std::io::stdin().as_fd(), FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: fcntl has just made this descriptor for us; nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    Ok(socket)
}

fn serve_all(socket: &OwnedFd) -> nix::Result<()> {
    loop {
        let mut length = [0_u8; 4];
        let descriptors = receive_some(socket.as_fd(), &mut length)?;
        let mut body = vec![0_u8; u32::from_ne_bytes(length) as usize];
        receive_some(socket.as_fd(), &mut body)?;
        let forked = Message::take(&body).ok_or(Errno::EBADMSG).and_then(|message| start(message, descriptors));
        answer(socket, forked)?;
    }
}

/// Forks. Only the spawner comes back; its copies of the descriptors are closed then.
fn start(message: Message, descriptors: Vec<OwnedFd>) -> nix::Result<(u32, OwnedFd)> {
    let mut descriptors = descriptors.into_iter();
    let report = descriptors.next().ok_or(Errno::EBADMSG)?;
    let cgroup = if message.place == 0 { None } else { Some(descriptors.next().ok_or(Errno::EBADMSG)?) };
    let into = cgroup.as_ref().filter(|_| message.place == 1);
    // SAFETY: this process has one thread, so that its copy is whole: no lock is held in it by anybody else.
    match unsafe { sys::fork_as_sibling(into.map(AsFd::as_fd)) }? {
        Forked::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Forked::Child => {
            let procs = cgroup.filter(|_| message.place == 2);
            let birth = Birth { report, procs, open_files: message.open_files, handles: descriptors.collect() };
            child::become_program(birth, message.spawn)
        }
    }
}

fn answer(socket: &OwnedFd, forked: nix::Result<(u32, OwnedFd)>) -> nix::Result<()> {
    let (pid, errno) = match &forked {
        Ok((pid, _)) => (pid.cast_signed(), 0),
        Err(errno) => (0, *errno as i32),
    };
    let text = [pid.to_ne_bytes(), errno.to_ne_bytes()].concat();
    let raw: Vec<_> = forked.iter().map(|(_, pidfd)| pidfd.as_raw_fd()).collect();
    let control = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &control };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&text)], control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}
