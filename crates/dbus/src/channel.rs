//! A stream that is being waited for: what we want to hear of it follows from what it has to do.

use crate::intake::Intake;
use crate::poller::{Poller, Token, Wanted};
use crate::stream::{Outgoing, Scratch, Stream};
use std::io;
use std::os::unix::net::UnixStream;

/// What all transports work with.
pub(crate) struct Ground {
    pub(crate) poller: Poller,
    pub(crate) scratch: Scratch,
    pub(crate) intake: Intake,
}

/// A stream in the poller's set.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) token: Token,
    pub(crate) stream: Stream,
    wanted: Wanted,
    /// The peer reads no more; it may still have sent something.
    deaf: bool,
}

impl Channel {
    pub(crate) fn open(socket: UnixStream, ground: &mut Ground) -> io::Result<Self> {
        let token = ground.intake.new_token();
        let stream = Stream::new(socket)?;
        ground.poller.add(&stream, token, Wanted::READ)?;
        Ok(Self { token, stream, wanted: Wanted::READ, deaf: false })
    }

    /// Puts something in the queue, unless nobody will read it.
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        if !self.deaf {
            self.stream.push(outgoing);
        }
    }

    /// Sends what the peer will take now; the rest follows when there is room.
    pub(crate) fn flush(&mut self, poller: &Poller) -> io::Result<()> {
        if let Err(error) = self.stream.write() {
            tracing::debug!(token = self.token.0, %error, "the peer reads no more");
            self.stream.discard_output();
            self.deaf = true;
        }
        let write = self.stream.queued() > 0;
        self.want(poller, Wanted { write, ..self.wanted })
    }

    /// Begins or stops to read.
    pub(crate) fn want_read(&mut self, poller: &Poller, read: bool) -> io::Result<()> {
        self.want(poller, Wanted { read, ..self.wanted })
    }

    fn want(&mut self, poller: &Poller, wanted: Wanted) -> io::Result<()> {
        poller.change(&self.stream, self.token, self.wanted, wanted)?;
        self.wanted = wanted;
        Ok(())
    }

    pub(crate) fn close(self, poller: &Poller) {
        poller.remove(&self.stream);
    }
}
