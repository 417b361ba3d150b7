//! The socket that services write to (`$NOTIFY_SOCKET`): one for all of them. Who has written is the kernel's word.

use crate::errno::at;
use cgarbiter_core::OpError;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, bind, recvmsg, setsockopt, socket,
    sockopt,
};
use std::fs::Permissions;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Longest message that is taken; one byte more tells those that are longer.
const MESSAGE_MAX: usize = 4096;
/// As many descriptors as the kernel lets pass with one message, so that none is cut off.
const DESCRIPTORS_MAX: usize = 253;
/// So many descriptors count as one message more.
const DESCRIPTORS_PER_MESSAGE: usize = 4;
/// So many messages are taken in one go, so that a flood of them does not keep others from being heard.
pub(crate) const MESSAGES_MAX: usize = 64;

/// The socket.
#[derive(Debug)]
pub(crate) struct NotifySocket(OwnedFd);

/// A message with what came along. The sender may wait until the descriptors are closed, and be gone then.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) text: String,
    pub(crate) descriptors: Vec<OwnedFd>,
}

impl NotifySocket {
    /// Makes the socket at this path, in the place of one that an arbiter before us has left.
    pub(crate) fn bind(path: &Path) -> Result<Self, OpError> {
        let fail = |errno| at(path.display().to_string())(errno);
        let io = |error: std::io::Error| fail(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(io)?;
        }
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let made = socket(AddressFamily::Unix, SockType::Datagram, flags, None).map_err(fail)?;
        setsockopt(&made, sockopt::PassCred, &true).map_err(fail)?;
        let _ = std::fs::remove_file(path);
        bind(made.as_raw_fd(), &UnixAddr::new(path).map_err(fail)?).map_err(fail)?;
        // Whoever runs in a unit may speak; whether it is believed is decided by who it is.
        std::fs::set_permissions(path, Permissions::from_mode(0o777)).map_err(io)?;
        Ok(Self(made))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The next message that makes sense; none when there is no more, or `left` is used up.
    pub(crate) fn take(&self, left: &mut usize) -> Option<Message> {
        while *left > 0 {
            *left -= 1;
            match self.receive() {
                Ok(Some(message)) => {
                    *left = left.saturating_sub(message.descriptors.len() / DESCRIPTORS_PER_MESSAGE);
                    return Some(message);
                }
                Ok(None) | Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn receive(&self) -> nix::Result<Option<Message>> {
        let mut text = [0_u8; MESSAGE_MAX + 1];
        let mut control = nix::cmsg_space!(libc::ucred, [RawFd; DESCRIPTORS_MAX]);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let mut parts = [IoSliceMut::new(&mut text)];
        let (mut sender, mut descriptors) = (None, Vec::new());
        let received = recvmsg::<UnixAddr>(self.0.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let length = received.bytes;
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::ScmCredentials(who) => sender = Some((who.pid(), who.uid())),
                ControlMessageOwned::ScmRights(fds) => {
                    // SAFETY: the kernel has just made these for us, and nobody else knows of them.
                    let owned = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
                    descriptors.extend(fds.into_iter().map(owned));
                }
                _ => {}
            }
        }
        // A sender of another pid namespace has no number here.
        let sender = sender.and_then(|(pid, uid)| Some((u32::try_from(pid).ok().filter(|pid| *pid > 0)?, uid)));
        let Some((pid, uid)) = sender.filter(|_| length <= MESSAGE_MAX) else { return Ok(None) };
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        Ok(Some(Message { pid, uid, text, descriptors }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn messages_come_with_their_sender_and_no_more_than_asked_for() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("run/notify");
        drop(NotifySocket::bind(&path).expect("bound"));
        let socket = NotifySocket::bind(&path).expect("bound again");
        let sender = UnixDatagram::unbound().expect("made");
        let mut left = 2;
        assert!(socket.take(&mut left).is_none());
        for text in ["READY=1\nSTATUS=up", &"x".repeat(MESSAGE_MAX + 1), "STOPPING=1"] {
            sender.send_to(text.as_bytes(), &path).expect("sent");
        }
        let mut left = 2;
        let Message { pid, text, .. } = socket.take(&mut left).expect("a message was sent");
        assert_eq!((pid, text.as_str()), (std::process::id(), "READY=1\nSTATUS=up"));
        assert!(socket.take(&mut left).is_none(), "too long");
        assert!(socket.take(&mut 1).is_some());
    }
}
