//! Waits for any of many sockets, as one thing that tokio waits for.
//!
//! An epoll set of our own stands inside tokio's: a wake-up costs as much as there are sockets with news, not as there
//! are connections, and needs no task, channel or lock per connection.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

/// Sockets looked at in one go.
const BATCH: usize = 64;

/// Names one socket in the set; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) u64);

/// A socket has news.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: Token,
    /// There may be something to read, if only the end.
    pub(crate) readable: bool,
    /// There may be room to write.
    pub(crate) writable: bool,
}

/// What to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Wanted {
    pub(crate) const READ: Self = Self { read: true, write: false };

    fn flags(self) -> EpollFlags {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, self.read);
        flags.set(EpollFlags::EPOLLOUT, self.write);
        flags
    }

    fn is_nothing(self) -> bool {
        self.flags().is_empty()
    }
}

/// The set.
#[derive(Debug)]
pub(crate) struct Poller {
    set: AsyncFd<Set>,
}

#[derive(Debug)]
struct Set(Epoll);

impl AsRawFd for Set {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let set = Set(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        // SAFETY: the set owns its descriptor, keeps it to the end, and never names another.
        Ok(Self { set: unsafe { AsyncFd::register_with_interest(set, Interest::READABLE)? } })
    }

    pub(crate) fn add(&self, socket: impl AsFd, token: Token, wanted: Wanted) -> io::Result<()> {
        Ok(self.epoll().add(socket, EpollEvent::new(wanted.flags(), token.0))?)
    }

    /// Changes what to hear of. Who wants nothing is taken out altogether: a hang-up would be reported for ever.
    pub(crate) fn change(&self, socket: impl AsFd, token: Token, from: Wanted, to: Wanted) -> io::Result<()> {
        match (from.is_nothing(), to.is_nothing()) {
            _ if from == to => Ok(()),
            (true, _) => self.add(socket, token, to),
            (_, true) => Ok(self.epoll().delete(socket)?),
            _ => Ok(self.epoll().modify(socket, &mut EpollEvent::new(to.flags(), token.0))?),
        }
    }

    pub(crate) fn remove(&self, socket: impl AsFd) {
        // It may have been taken out before.
        let _ = self.epoll().delete(socket);
    }

    /// Who has news at this moment.
    pub(crate) fn look(&self) -> io::Result<Vec<Ready>> {
        let mut events = [EpollEvent::empty(); BATCH];
        let count = match self.epoll().wait(&mut events, EpollTimeout::ZERO) {
            Err(nix::errno::Errno::EINTR) => 0,
            other => other?,
        };
        let broken = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        Ok(events[..count]
            .iter()
            .map(|event| Ready {
                token: Token(event.data()),
                readable: event.events().intersects(EpollFlags::EPOLLIN | broken),
                writable: event.events().intersects(EpollFlags::EPOLLOUT),
            })
            .collect())
    }

    /// Waits until somebody has news; nobody has when the deadline passes.
    pub(crate) async fn ready(&self, deadline: Option<Instant>) -> io::Result<Vec<Ready>> {
        let ready = async {
            loop {
                let mut guard = self.set.readable().await?;
                let ready = self.look()?;
                if !ready.is_empty() {
                    return Ok(ready);
                }
                // News that comes between the look and this is not lost: tokio counts its wake-ups.
                guard.clear_ready();
            }
        };
        match deadline {
            None => ready.await,
            Some(deadline) => timeout_at(deadline, ready).await.unwrap_or(Ok(Vec::new())),
        }
    }

    fn epoll(&self) -> &Epoll {
        &self.set.get_ref().0
    }
}
