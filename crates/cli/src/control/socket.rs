//! The stream under a connection, so that zbus accepts what the manager sends on its private socket.
//!
//! systemd stamps its messages there with the sender `org.freedesktop.systemd1`. zbus 6 takes only unique names
//! for a sender and drops the connection otherwise. Such a sender field is turned, in place, into a destination
//! field, which may hold any name and which nobody reads on a private socket.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;

const READ_SIZE: usize = 16 * 1024;

/// A connected stream, to be handed to zbus.
#[derive(Debug)]
pub(crate) struct ManagerSocket(pub(crate) UnixStream);

impl Socket for ManagerSocket {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let stream = Arc::new(self.0);
        Split::new(Reader { stream: Arc::clone(&stream), inbox: Inbox::default() }, Writer { stream })
    }
}

#[derive(Debug)]
pub(crate) struct Reader {
    stream: Arc<UnixStream>,
    inbox: Inbox,
}

#[async_trait]
impl ReadHalf for Reader {
    /// Descriptors are not received: no method the client calls returns any.
    async fn recvmsg(&mut self, out: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        loop {
            let taken = self.inbox.take(out);
            if taken > 0 || out.is_empty() {
                return Ok((taken, vec![]));
            }
            let mut chunk = [0; READ_SIZE];
            self.stream.readable().await?;
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return Ok((0, vec![])),
                Ok(n) => self.inbox.push(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    stream: Arc<UnixStream>,
}

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let send = || {
            let rights = [ControlMessage::ScmRights(&raw)];
            let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
            let data = [IoSlice::new(buffer)];
            Ok(sendmsg::<()>(self.stream.as_raw_fd(), &data, control, MsgFlags::MSG_NOSIGNAL, None)?)
        };
        self.stream.async_io(Interest::WRITABLE, send).await
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(nix::sys::socket::shutdown(self.stream.as_raw_fd(), nix::sys::socket::Shutdown::Write)?)
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// Bytes received and not yet handed on. A message's header is handed on only when it is complete and corrected.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// Up to here handed on.
    taken: usize,
    /// Up to here corrected.
    ready: usize,
    /// Bytes of the current message's body still to come.
    body_left: usize,
}

impl Inbox {
    fn push(&mut self, chunk: &[u8]) {
        self.bytes.drain(..self.taken);
        self.ready -= self.taken;
        self.taken = 0;
        self.bytes.extend_from_slice(chunk);
        while self.advance() > 0 {}
    }

    fn take(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.ready - self.taken);
        out[..n].copy_from_slice(&self.bytes[self.taken..self.taken + n]);
        self.taken += n;
        n
    }

    /// Corrects the next piece, if it is there: rest of a body, a line of the handshake, or a message's header.
    fn advance(&mut self) -> usize {
        let rest = &mut self.bytes[self.ready..];
        let step = if self.body_left > 0 {
            let step = rest.len().min(self.body_left);
            self.body_left -= step;
            step
        } else if matches!(rest.first(), Some(b'l' | b'B')) {
            match header_and_body_len(rest) {
                Some((header, body)) if header <= rest.len() => {
                    self.body_left = body;
                    correct_sender(&mut rest[..header]);
                    header
                }
                _ => 0,
            }
        } else {
            rest.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1)
        };
        self.ready += step;
        step
    }
}

fn number(bytes: &[u8], at: usize, big: bool) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) } as usize)
}

fn header_and_body_len(message: &[u8]) -> Option<(usize, usize)> {
    let big = message[0] == b'B';
    let (body, fields) = (number(message, 4, big)?, number(message, 12, big)?);
    Some(((16 + fields).next_multiple_of(8), body))
}

const DESTINATION: u8 = 6;
const SENDER: u8 = 7;

/// Walks the header fields; a malformed header is left as it is, for zbus to refuse.
fn correct_sender(header: &mut [u8]) {
    let big = header[0] == b'B';
    let Some(end) = number(header, 12, big).map(|len| 16 + len) else { return };
    let mut at = 16;
    while at + 4 < end {
        // A field: code, signature (length 1, type, 0), value.
        let value = at + 4;
        let size = match (header[at + 1], header[at + 2]) {
            (1, b's' | b'o') => number(header, value, big).map(|len| 4 + len + 1),
            (1, b'u') => Some(4),
            (1, b'g') => Some(1 + usize::from(header[value]) + 1),
            _ => None,
        };
        let Some(size) = size else { return };
        if header[at] == SENDER {
            let name = header.get(value + 4..value + size - 1).unwrap_or_default();
            if !name.starts_with(b":") && name != b"org.freedesktop.DBus" {
                header[at] = DESTINATION;
            }
        }
        at = (value + size).next_multiple_of(8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signal as systemd sends it on its private socket.
    fn signal(sender: &str) -> Vec<u8> {
        let mut m = vec![b'l', 4, 1, 1, 4, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        for (code, kind, text) in [(1, b'o', "/a"), (2, b's', "a.b"), (3, b's', "C"), (7, b's', sender)] {
            m.resize(m.len().next_multiple_of(8), 0);
            m.extend([code, 1, kind, 0]);
            m.extend((text.len() as u32).to_le_bytes());
            m.extend(text.as_bytes());
            m.push(0);
        }
        m.resize(m.len().next_multiple_of(8), 0);
        m.extend([8, 1, b'g', 0, 1, b'u', 0]);
        let len = (m.len() - 16) as u32;
        m[12..16].copy_from_slice(&len.to_le_bytes());
        m.resize(m.len().next_multiple_of(8), 0);
        m.extend([7, 1, b's', 0]);
        m
    }

    fn through(input: &[u8], chunk: usize) -> Vec<u8> {
        let (mut inbox, mut out) = (Inbox::default(), Vec::new());
        for piece in input.chunks(chunk) {
            inbox.push(piece);
            let mut buffer = [0; 7];
            loop {
                match inbox.take(&mut buffer) {
                    0 => break,
                    n => out.extend(&buffer[..n]),
                }
            }
        }
        out
    }

    #[test]
    fn a_well_known_sender_becomes_a_destination_however_it_is_cut() {
        let mut stream = b"OK 0123\r\nAGREE_UNIX_FD\r\n".to_vec();
        stream.extend(signal("org.freedesktop.systemd1"));
        stream.extend(signal(":1.5"));
        let whole = through(&stream, stream.len());
        assert_eq!(whole.len(), stream.len());
        let changed: Vec<_> = (0..stream.len()).filter(|&i| whole[i] != stream[i]).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!((stream[changed[0]], whole[changed[0]]), (SENDER, DESTINATION));
        for chunk in 1..40 {
            assert_eq!(through(&stream, chunk), whole, "{chunk}");
        }
    }

    #[test]
    fn nonsense_passes_unchanged() {
        let mut broken = signal("org.freedesktop.systemd1");
        broken[17] = 9;
        assert_eq!(through(&broken, 64), broken);
    }
}
