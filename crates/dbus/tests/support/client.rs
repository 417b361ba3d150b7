//! A client on a bare socket.

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zbus::message::{Builder, Flags, Message};
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{DynamicType, LE};

pub(crate) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const PATH: &str = "/org/freedesktop/systemd1";

pub(crate) struct Client {
    pub(crate) socket: UnixStream,
    input: Vec<u8>,
}

impl Client {
    /// Connected, not a byte sent.
    pub(crate) fn mute(path: &Path) -> Self {
        let socket = UnixStream::connect(path).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        Self { socket, input: Vec::new() }
    }

    /// Connected, and past BEGIN.
    pub(crate) fn connect(path: &Path) -> Self {
        let mut client = Self::mute(path);
        client.say(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
        assert_eq!(client.line(), "DATA");
        assert!(client.line().starts_with("OK "));
        assert_eq!(client.line(), "AGREE_UNIX_FD");
        client
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server takes it");
    }

    /// One line of the conversation, without its end.
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(length) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..length + 2).collect();
                return String::from_utf8(line[..length].to_vec()).expect("ASCII");
            }
            assert!(self.fill() > 0, "the server hung up");
        }
    }

    pub(crate) fn send(&mut self, message: &Message) {
        self.say(message.data().bytes());
    }

    /// Sends a message and the descriptors that belong to it.
    pub(crate) fn send_with(&mut self, message: &Message, fds: &[RawFd]) {
        let rights = [ControlMessage::ScmRights(fds)];
        let bytes = [IoSlice::new(message.data().bytes())];
        let sent = sendmsg::<()>(self.socket.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None);
        assert_eq!(sent, Ok(message.data().bytes().len()));
    }

    /// The next message.
    pub(crate) fn receive(&mut self) -> Message {
        self.try_receive().expect("the server hung up")
    }

    /// The next message, or none when the server has hung up.
    pub(crate) fn try_receive(&mut self) -> Option<Message> {
        loop {
            if let Some(mut bytes) = self.take_frame() {
                mend_sender(&mut bytes);
                let data = Data::new(bytes, Context::new(LE, 0));
                // SAFETY: the constructor checks the header, and the body is read through the checking deserializer.
                return Some(unsafe { Message::from_bytes(data) }.expect("a proper message"));
            }
            if self.fill() == 0 {
                return None;
            }
        }
    }

    /// Calls, and waits for the answer.
    pub(crate) fn call(&mut self, message: &Message) -> Message {
        self.send(message);
        self.receive()
    }

    /// Whether the server has hung up, or does so soon.
    pub(crate) fn is_closed(&mut self) -> bool {
        loop {
            match self.socket.read(&mut [0; 4096]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// Counts messages until the bytes end for a moment, without looking into them.
    pub(crate) fn take_frame(&mut self) -> Option<Vec<u8>> {
        if self.input.len() < 16 {
            return None;
        }
        assert_eq!(self.input[0], b'l');
        let word = |at: usize| {
            u32::from_le_bytes([self.input[at], self.input[at + 1], self.input[at + 2], self.input[at + 3]]) as usize
        };
        let length = 16 + word(12).next_multiple_of(8) + word(4);
        (self.input.len() >= length).then(|| self.input.drain(..length).collect())
    }

    pub(crate) fn fill(&mut self) -> usize {
        let mut bytes = [0; 65536];
        let count = self.socket.read(&mut bytes).unwrap_or_else(|error| match error.kind() {
            std::io::ErrorKind::ConnectionReset => 0,
            _ => panic!("{error}"),
        });
        self.input.extend_from_slice(&bytes[..count]);
        count
    }
}

/// Everything must come from our well-known name, as from systemd. zbus takes only unique names for senders, so for its
/// sake the first letter becomes a colon.
fn mend_sender(bytes: &mut [u8]) {
    let field = [&[7, 1, b's', 0, 24, 0, 0, 0][..], b"org.freedesktop.systemd1\0"].concat();
    let at = bytes.windows(field.len()).position(|window| window == field).expect("our name as the sender");
    bytes[at + 8] = b':';
}

/// A call of the manager's.
pub(crate) fn manager<'a>(member: &'a str) -> Builder<'a> {
    Message::method_call(PATH, member).interface(MANAGER).destination("org.freedesktop.systemd1")
}

pub(crate) fn call<B: serde::Serialize + DynamicType>(member: &str, body: &B) -> Message {
    manager(member).build(body).expect("a message")
}

pub(crate) fn call_without_reply<B: serde::Serialize + DynamicType>(member: &str, body: &B) -> Message {
    manager(member).with_flags(Flags::NO_REPLY_EXPECTED).build(body).expect("a message")
}

/// StartTransientUnit with the properties most clients send.
pub(crate) fn start_transient(name: &str) -> Message {
    use zbus::Variant;
    let properties: Vec<(&str, Variant<'_>)> = vec![
        ("Description", "libcontainer container".into()),
        ("Slice", "machine.slice".into()),
        ("PIDs", vec![1234u32].into()),
        ("Delegate", true.into()),
        ("MemoryAccounting", true.into()),
        ("CPUAccounting", true.into()),
        ("TasksMax", 100u64.into()),
        ("MemoryMax", (1u64 << 30).into()),
    ];
    let auxiliary: Vec<(&str, Vec<(&str, Variant<'_>)>)> = Vec::new();
    call("StartTransientUnit", &(name, "replace", properties, auxiliary))
}
