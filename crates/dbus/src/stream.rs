//! One connected socket: bytes and descriptors in, messages out. It knows where a message ends and nothing else.
//!
//! What goes out waits in a queue and leaves with as few system calls as possible, many messages in one; messages for
//! many peers are shared between their queues.

use crate::wire::message::{Broken, message_length, parse};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, sendmsg};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use zbus::Message;

/// Bytes read in one go.
const READ_SIZE: usize = 64 * 1024;
/// Messages sent in one go.
const WRITE_BATCH: usize = 64;
/// The kernel's own bound for one message (`SCM_MAX_FD`); more can only be waiting when a peer sends them for nothing.
const DESCRIPTORS_MAX: usize = 253;
/// An idle connection keeps no larger buffer than this.
const IDLE_BUFFER: usize = 4096;

/// Space to read into, shared by all connections.
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    control: Vec<MaybeUninit<u8>>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; READ_SIZE],
            control: vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))],
        }
    }
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Bytes; there may be more.
    Bytes,
    /// Nothing at the moment.
    Nothing,
    /// The peer will send no more.
    End,
}

/// Something to send.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    /// Part of the conversation before the first message.
    Plain(Vec<u8>),
    Message(Message),
}

impl Outgoing {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Message(message) => message.data().bytes(),
        }
    }
}

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: UnixStream,
    /// Received and not yet used up, from `start` on.
    input: Vec<u8>,
    start: usize,
    descriptors: Vec<OwnedFd>,
    output: VecDeque<Outgoing>,
    /// How much of the first in `output` has been sent.
    sent: usize,
    /// Bytes in `output` that have not been sent.
    queued: usize,
    /// When the peer last took something.
    taken_at: Instant,
}

impl Stream {
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            input: Vec::new(),
            start: 0,
            descriptors: Vec::new(),
            output: VecDeque::new(),
            sent: 0,
            queued: 0,
            taken_at: Instant::now(),
        })
    }

    /// Bytes received that are not used up yet.
    pub(crate) fn input(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Bytes waiting to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Descriptors received that belong to a message that is not complete yet.
    pub(crate) fn parked(&self) -> usize {
        self.descriptors.len()
    }

    /// Marks bytes as used up.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.input.len());
        if self.start == self.input.len() {
            self.start = 0;
            self.input.clear();
            self.input.shrink_to(IDLE_BUFFER);
        }
    }

    /// Reads once.
    pub(crate) fn read(&mut self, scratch: &mut Scratch) -> io::Result<Arrival> {
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let mut space = [IoSliceMut::new(&mut scratch.bytes)];
        let mut control = RecvAncillaryBuffer::new(&mut scratch.control);
        let received = match recvmsg(&self.socket, &mut space, &mut control, flags) {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(Arrival::Nothing),
            Err(errno) => return Err(errno.into()),
        };
        let count = received.bytes;
        // The kernel cuts off what no longer fits below our own limit of open files; the rest is ours already.
        let cut_off = received.flags.contains(ReturnFlags::CTRUNC);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if cut_off || self.descriptors.len() > DESCRIPTORS_MAX {
            return Err(io::Error::other("more descriptors than can be taken"));
        }
        if count == 0 {
            return Ok(Arrival::End);
        }
        self.input.drain(..self.start);
        self.start = 0;
        self.input.extend_from_slice(&scratch.bytes[..count]);
        Ok(Arrival::Bytes)
    }

    /// The next message that is there completely.
    pub(crate) fn take_message(&mut self, length_max: usize) -> Result<Option<Message>, Broken> {
        let input = &self.input[self.start..];
        let Some(length) = message_length(input, length_max)?.filter(|length| *length <= input.len()) else {
            return Ok(None);
        };
        let parsed = parse(&input[..length], &mut self.descriptors);
        self.consume(length);
        Ok(Some(parsed?))
    }

    /// Puts something in the queue.
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        self.queued += outgoing.bytes().len();
        self.output.push_back(outgoing);
    }

    /// Sends until the queue is empty or the peer's buffer is full.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            let mut slices = Vec::with_capacity(self.output.len().min(WRITE_BATCH));
            slices.extend(self.output.iter().take(WRITE_BATCH).map(|outgoing| IoSlice::new(outgoing.bytes())));
            slices[0].advance(self.sent);
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            match sendmsg::<()>(self.socket.as_raw_fd(), &slices, &[], flags, None) {
                Ok(count) => self.advance(count),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// How long the peer has taken nothing of what waits for it.
    pub(crate) fn ignored_for(&self) -> Duration {
        if self.queued == 0 { Duration::ZERO } else { self.taken_at.elapsed() }
    }

    fn advance(&mut self, count: usize) {
        self.taken_at = Instant::now();
        self.queued -= count;
        self.sent += count;
        while let Some(first) = self.output.front().map(|outgoing| outgoing.bytes().len()) {
            if self.sent < first {
                return;
            }
            self.sent -= first;
            self.output.pop_front();
        }
        assert!(self.sent == 0 && self.queued == 0);
        self.output.shrink_to(WRITE_BATCH);
    }

    /// Drops what is waiting: the peer reads no more.
    pub(crate) fn discard_output(&mut self) {
        self.output.clear();
        (self.sent, self.queued) = (0, 0);
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
