//! The spawner: a small process of one thread that starts all others. It is this program once more, started with an
//! argument that people do not use, so that nothing of the arbiter's memory and none of its descriptors is near a
//! service, and a fork costs the same however much the arbiter holds. What it forks becomes the arbiter's child and
//! not its own (`CLONE_PARENT`). Because it has one thread, a child may do anything before it becomes its program.

mod serve;
mod wire;

pub use serve::serve;

use crate::executor::{ChildOutput, Options};
use cgarbiter_core::exec::{ExecStep, Stream};
use cgarbiter_core::plan::Spawn;
use nix::errno::Errno;
use nix::sys::resource::rlim_t;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use std::ffi::OsString;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::process::{Child, Command, Stdio};
use wire::Wire;

/// The argument that makes this program a spawner.
pub const SPAWNER_ARGUMENT: &str = "--spawner";

/// As many descriptors as go with one message. A request needs fewer: report, cgroup, three standard streams, and what
/// is kept for a service.
const DESCRIPTORS_MAX: usize = 253;

/// How to start one.
#[derive(Clone, Debug)]
pub(crate) struct SpawnerCommand {
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    /// Whether standard output and error of children lead nowhere instead of where the arbiter's do.
    pub(crate) silent: bool,
}

impl SpawnerCommand {
    pub(crate) fn new(options: &Options) -> Self {
        Self { words: options.spawner.clone(), silent: options.child_output == ChildOutput::Null }
    }
}

/// A running spawner, as the arbiter holds it.
#[derive(Debug)]
pub(crate) struct Spawner {
    child: Child,
    /// None once it is to end.
    socket: Option<OwnedFd>,
}

/// What is to be started, and where.
pub(crate) struct Request<'a> {
    pub(crate) spawn: &'a Spawn,
    /// A directory to be born in, a `cgroup.procs` to move to, or nothing.
    pub(crate) place: Place<'a>,
    /// The limit of open files, soft and hard, that it has unless it is given another.
    pub(crate) open_files: (rlim_t, rlim_t),
    /// Where it tells what becomes of it.
    pub(crate) report: BorrowedFd<'a>,
    /// The descriptors behind [`handles`], in that order.
    pub(crate) handles: &'a [BorrowedFd<'a>],
}

/// Where a child belongs.
pub(crate) enum Place<'a> {
    Born(BorrowedFd<'a>),
    Moves(BorrowedFd<'a>),
    Anywhere,
}

/// What goes over the socket, beside descriptors.
pub(crate) struct Message {
    pub(crate) spawn: Spawn,
    /// 0: anywhere; 1: born in the first descriptor; 2: moves to it.
    pub(crate) place: u32,
    pub(crate) open_files: (u64, u64),
}

/// The handles of a command, in their order.
pub fn handles(spawn: &Spawn) -> impl Iterator<Item = u64> {
    stream_handles(spawn).chain(spawn.stored.iter().map(|(handle, _)| *handle))
}

/// Those of standard streams.
pub(crate) fn stream_handles(spawn: &Spawn) -> impl Iterator<Item = u64> {
    spawn.setup.iter().filter_map(|step| match step {
        ExecStep::Stream { stream: Stream::Handle(handle), .. } => Some(*handle),
        _ => None,
    })
}

impl Spawner {
    pub(crate) fn start(command: &SpawnerCommand) -> nix::Result<Self> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
        let (program, arguments) = command.words.split_first().ok_or(Errno::ENOENT)?;
        let output = || if command.silent { Stdio::null() } else { Stdio::inherit() };
        let mut process = Command::new(program);
        process.args(arguments).stdin(theirs).stdout(output()).stderr(output());
        let child = process.spawn().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
        Ok(Self { child, socket: Some(ours) })
    }

    /// Has a child forked. `EPIPE` when the spawner is not there any more.
    pub(crate) fn fork(&mut self, request: &Request<'_>) -> nix::Result<(u32, OwnedFd)> {
        let socket = self.socket.as_ref().ok_or(Errno::EPIPE)?;
        let (place, cgroup) = match request.place {
            Place::Anywhere => (0, None),
            Place::Born(directory) => (1, Some(directory)),
            Place::Moves(procs) => (2, Some(procs)),
        };
        let mut body = Vec::with_capacity(512);
        request.spawn.put(&mut body);
        place.put(&mut body);
        request.open_files.put(&mut body);
        let mut text = u32::try_from(body.len()).map_err(|_| Errno::E2BIG)?.to_ne_bytes().to_vec();
        text.append(&mut body);
        let descriptors = std::iter::once(request.report).chain(cgroup).chain(request.handles.iter().copied());
        let raw: Vec<RawFd> = descriptors.map(|fd| fd.as_raw_fd()).collect();
        send_all(socket, &text, &raw)?;
        let mut answer = [0_u8; 8];
        let mut received = receive_some(socket.as_fd(), &mut answer)?;
        let (pid, errno) = answer.split_at(4);
        let number = |bytes: &[u8]| i32::from_ne_bytes(bytes.try_into().expect("four bytes"));
        match (number(errno), received.pop()) {
            (0, Some(pidfd)) => Ok((number(pid).cast_unsigned(), pidfd)),
            (0, None) => Err(Errno::EPIPE),
            (errno, _) => Err(Errno::from_raw(errno)),
        }
    }
}

impl Drop for Spawner {
    /// It ends when nobody holds the other end of its socket.
    fn drop(&mut self) {
        self.socket = None;
        let _ = self.child.wait();
    }
}

/// Sends everything; descriptors go with the first byte.
fn send_all(socket: &OwnedFd, text: &[u8], descriptors: &[RawFd]) -> nix::Result<()> {
    let mut sent = 0;
    while sent < text.len() {
        let control = [ControlMessage::ScmRights(descriptors)];
        let control: &[ControlMessage<'_>] = if sent == 0 && !descriptors.is_empty() { &control } else { &[] };
        let part = [IoSlice::new(&text[sent..])];
        match sendmsg::<()>(socket.as_raw_fd(), &part, control, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(more) => sent += more,
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNRESET) => return Err(Errno::EPIPE),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Fills the buffer, and takes the descriptors that come along. `EPIPE` at the end.
fn receive_some(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<Vec<OwnedFd>> {
    let (mut filled, mut descriptors) = (0, Vec::new());
    while filled < buffer.len() {
        let mut control = nix::cmsg_space!([RawFd; DESCRIPTORS_MAX]);
        let mut part = [IoSliceMut::new(&mut buffer[filled..])];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = match recvmsg::<()>(socket.as_raw_fd(), &mut part, Some(&mut control), flags) {
            Ok(message) => message,
            Err(Errno::EINTR) => continue,
            Err(Errno::ECONNRESET) => return Err(Errno::EPIPE),
            Err(errno) => return Err(errno),
        };
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = control {
                // SAFETY: the kernel has just made these descriptors for us; nobody else knows of them.
                descriptors.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        match message.bytes {
            0 => return Err(Errno::EPIPE),
            more => filled += more,
        }
    }
    Ok(descriptors)
}

impl Message {
    fn take(mut body: &[u8]) -> Option<Self> {
        let from = &mut body;
        Some(Self { spawn: Wire::take(from)?, place: Wire::take(from)?, open_files: Wire::take(from)? })
    }
}
