//! What the operator may choose about connections: who may come in, and how much one may take.

use std::time::Duration;

/// How the front end is to behave.
#[derive(Clone, Debug, Default)]
pub struct FrontEndConfig {
    /// Who may connect to the peer-to-peer sockets.
    pub access: Access,
    /// Bounds.
    pub limits: Limits,
}

/// Who may connect to the peer-to-peer sockets. Root and the daemon's own user always may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Nobody else.
    #[default]
    Owner,
    /// These users, too.
    Users(Vec<u32>),
    /// Everybody; what each may do is the core's matter.
    Everyone,
}

impl Access {
    pub(crate) fn admits(&self, uid: u32, own: u32) -> bool {
        uid == 0
            || uid == own
            || match self {
                Self::Owner => false,
                Self::Users(users) => users.contains(&uid),
                Self::Everyone => true,
            }
    }
}

/// Bounds. One caller that reaches them waits, or is disconnected, alone.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Peer-to-peer connections at a time; one more is closed at once.
    pub connections: usize,
    /// The same for one user.
    pub connections_per_user: usize,
    /// Requests of one user that are not answered yet. On a peer-to-peer connection reading stops meanwhile; on a bus,
    /// where that would stop everybody, the request is refused.
    pub requests_per_user: usize,
    /// Longest message that is taken.
    pub message_bytes: usize,
    /// Bytes waiting for one peer to read them. A peer that lets more pile up and reads nothing for a while
    /// ([`Limits::patience`]) is disconnected; one that reads, but slowly, when it is four times as much.
    pub queue_bytes: usize,
    /// How long a peer may read nothing while too much is waiting for it.
    pub patience: Duration,
    /// The same for all connections of one user together.
    pub queue_bytes_per_user: usize,
    /// Descriptors of one user whose message has not come completely. Together with what is open anyway they must stay
    /// below the limit of open files.
    pub descriptors_per_user: usize,
    /// Time for the conversation before the first message.
    pub greeting: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_user: 2048,
            requests_per_user: 1024,
            message_bytes: 4 << 20,
            queue_bytes: 16 << 20,
            patience: Duration::from_secs(5),
            queue_bytes_per_user: 128 << 20,
            descriptors_per_user: 300,
            greeting: Duration::from_secs(25),
        }
    }
}
