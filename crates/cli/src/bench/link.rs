//! The socket: handshake, then bytes out of and into buffers without ever blocking on only one of them.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::wire::{self, Body, Incoming, Kind, Method};

const CHUNK: usize = 256 * 1024;

/// A connection with its buffers.
pub(super) struct Link {
    stream: UnixStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// Of `incoming`: up to here received.
    filled: usize,
    /// Of `incoming`: up to here consumed.
    used: usize,
    serial: u32,
}

impl Link {
    pub(super) fn connect(address: &str) -> io::Result<Self> {
        let mut stream = UnixStream::connect_addr(&socket_address(address)?)?;
        handshake(&mut stream)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, outgoing: Vec::new(), incoming: vec![0; CHUNK], filled: 0, used: 0, serial: 0 })
    }

    /// Queues a call; returns its serial number.
    pub(super) fn queue(&mut self, method: Method, fill: impl FnOnce(&mut Body)) -> u32 {
        self.serial += 1;
        wire::call(&mut self.outgoing, self.serial, method, fill);
        self.serial
    }

    /// The serial number the next call will get.
    pub(super) fn next_serial(&self) -> u32 {
        self.serial + 1
    }

    /// Sends what is queued; if nothing has arrived yet, waits for it.
    pub(super) fn turn(&mut self, wait_ms: u16) -> io::Result<()> {
        self.send()?;
        if self.receive()? {
            return Ok(());
        }
        let mut events = PollFlags::POLLIN;
        if !self.outgoing.is_empty() {
            events |= PollFlags::POLLOUT;
        }
        poll(&mut [PollFd::new(self.stream.as_fd(), events)], PollTimeout::from(wait_ms))?;
        self.receive().map(drop)
    }

    fn send(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[sent..]) {
                Ok(n) => sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        self.outgoing.drain(..sent);
        Ok(())
    }

    /// Whether anything arrived.
    fn receive(&mut self) -> io::Result<bool> {
        if self.used > 0 {
            self.incoming.copy_within(self.used..self.filled, 0);
            self.filled -= self.used;
            self.used = 0;
        }
        if self.incoming.len() - self.filled < CHUNK / 2 {
            self.incoming.resize(self.incoming.len() * 2, 0);
        }
        match self.stream.read(&mut self.incoming[self.filled..]) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(n) => {
                self.filled += n;
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Hands each complete message to `look`.
    pub(super) fn messages(&mut self, mut look: impl FnMut(Incoming<'_>)) -> io::Result<()> {
        loop {
            let rest = &self.incoming[self.used..self.filled];
            let Some(length) = wire::length(rest).filter(|length| *length <= rest.len()) else { return Ok(()) };
            let message = wire::parse(&rest[..length])
                .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the server sent a malformed message"))?;
            look(message);
            self.used += length;
        }
    }

    /// One call, one answer. The error's name is the outer, its text the inner part of an error answer.
    pub(super) fn call(&mut self, method: Method, fill: impl FnOnce(&mut Body)) -> io::Result<Result<(), String>> {
        let serial = self.queue(method, fill);
        let mut answer = None;
        while answer.is_none() {
            self.turn(1000)?;
            self.messages(|message| {
                if message.reply_serial == serial {
                    answer = Some(match message.kind {
                        Kind::Error => Err(message.error.to_owned()),
                        Kind::Return | Kind::Signal | Kind::Other => Ok(()),
                    });
                }
            })?;
        }
        Ok(answer.unwrap_or(Ok(())))
    }
}

fn socket_address(address: &str) -> io::Result<SocketAddr> {
    let unix = address.strip_prefix("unix:").unwrap_or(address);
    let first = unix.split([',', ';']).next().unwrap_or(unix);
    match first.split_once('=') {
        Some(("path", path)) => SocketAddr::from_pathname(path),
        Some(("abstract", name)) => SocketAddr::from_abstract_name(name),
        None if first.starts_with('/') => SocketAddr::from_pathname(first),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "expected a path or unix:path=…")),
    }
}

/// EXTERNAL: the kernel tells the server who we are. All lines go out before any answer is read: systemd does not
/// notice a message that arrives together with BEGIN until more follows.
fn handshake(stream: &mut UnixStream) -> io::Result<()> {
    let uid: String = nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n").as_bytes())?;
    if !line(stream)?.starts_with(b"OK ") {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "the server refused the handshake"));
    }
    line(stream).map(drop)
}

/// Byte by byte, so that nothing after the line is taken.
fn line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(line)
}
