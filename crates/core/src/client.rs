//! Who asks. Identity comes from the kernel (socket credentials) through the front end, never from a message.

use alloc::sync::Arc;

/// A connection that makes requests, as numbered by the front end; never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// The way a client reaches us; some requests are answered differently (reference 07.1, 07.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Peer-to-peer socket: gets every signal, has no bus name, so nothing can be tied to its life by name.
    Private,
    /// A message bus: the caller's unique name.
    Bus(Arc<str>),
}

/// The caller of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Which connection or bus peer.
    pub id: ClientId,
    /// How it reaches us.
    pub transport: Transport,
    /// Effective user.
    pub uid: u32,
    /// Process, when the kernel can tell.
    pub pid: Option<u32>,
}

impl Client {
    /// The unique bus name; none on the private socket.
    #[must_use]
    pub fn bus_name(&self) -> Option<&Arc<str>> {
        match &self.transport {
            Transport::Private => None,
            Transport::Bus(name) => Some(name),
        }
    }
}
