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
//! The wire format, names and addresses are zbus's; its `Connection` is not used: a task, a channel and a lock stand between
//! its socket and its user, each answer is a write of its own, and its header type does not take a well-known name as the
//! sender, which systemd's clients insist on.
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
