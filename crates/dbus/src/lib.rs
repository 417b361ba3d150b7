//! Serves the arbiter over D-Bus: translation only. Method calls become requests, replies and signals become messages;
//! whatever is refused was refused by the core.
//!
//! ```text
//! front_end ── private ─┐                        intake: message → Event::Request, remembers whom to answer
//!     └─────── bus ─────┴─ channel ─ stream      poller: which of many sockets has news
//!                                      wire      zbus's wire format ⇄ the core's values
//! ```
//!
//! # Why the connections are our own
//!
//! The wire format, names and addresses are zbus's; its `Connection` is not used. A call that is answered at once takes
//! the same time either way (11 µs, one at a time, client and server on two busy cores). The difference shows where the
//! arbiter works hard: with sixteen calls in flight one takes 4.3 µs here and 7 to 9 µs on a zbus connection, because
//! answers and signals leave many in one system call and no task or channel stands between the socket and the loop.
//! And:
//!
//! - A send never waits. What a peer does not read is counted, per peer and user, and bounded; sending on a zbus
//!   connection waits for the peer, so that each would need a queue and a task in front of it.
//! - Not reading from a peer for a while, turning one away in the greeting, and everybody's credentials take access to
//!   the socket that a `Connection` does not give.
//! - The bus runs on the same stream and queue, so that one writer puts everything in order.
#![cfg_attr(not(test), warn(clippy::expect_used))]

mod accounts;
mod bus;
mod channel;
mod config;
mod descriptors;
mod driver;
mod front_end;
mod intake;
mod poller;
mod private;
mod sasl;
mod stream;
mod wire;

pub use bus::BusError;
pub use config::{Access, FrontEndConfig, Limits};
pub use descriptors::{Descriptors, NoDescriptors};
pub use front_end::FrontEnd;
