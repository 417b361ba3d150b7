//! The conversation before the first message.

pub(crate) mod client;
pub(crate) mod server;
