//! The vocabulary of org.freedesktop.systemd1, without a wire: which objects, interfaces and methods there are, how a
//! method call becomes a [`Request`], how a [`Reply`] or [`Signal`] becomes message values, what each property shows.
//! The bus front end and the simulator's players share it, so neither can drift from the other. Nothing is decided here
//! that depends on a unit's state.

use crate::effect::{Reply, Signal};
use crate::error::Refusal;
use crate::request::Request;
use crate::value::Value;
use alloc::string::String;
use alloc::vec::Vec;

/// A method call as it came, its body already taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodCall {
    /// Object path.
    pub path: String,
    /// Interface, if the caller named one.
    pub interface: Option<String>,
    /// Method.
    pub member: String,
    /// Arguments.
    pub args: Vec<Value>,
}

/// A signal ready to be put on a wire.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalMessage {
    /// Object path.
    pub path: String,
    /// Interface.
    pub interface: &'static str,
    /// Signal name.
    pub member: &'static str,
    /// Body.
    pub body: Vec<Value>,
}

/// Turns a method call into a request.
///
/// # Errors
/// `UnknownObject`, `UnknownInterface`, `UnknownMethod`, or `InvalidArgs` for a wrong signature.
pub fn decode(call: MethodCall) -> Result<Request, Refusal> {
    let _ = call;
    unimplemented!("being written")
}

/// The body of a reply.
#[must_use]
pub fn encode_reply(reply: Reply) -> Vec<Value> {
    let _ = reply;
    unimplemented!("being written")
}

/// A signal as a message.
#[must_use]
pub fn encode_signal(signal: Signal) -> SignalMessage {
    let _ = signal;
    unimplemented!("being written")
}
