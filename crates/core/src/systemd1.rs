//! The vocabulary of org.freedesktop.systemd1, without a wire: which objects, interfaces and methods there are, how a
//! method call becomes a [`Request`](crate::Request), how a [`Reply`](crate::Reply) or [`Signal`](crate::Signal)
//! becomes message values, what each property shows. The bus front end and the simulator's players share it, so neither
//! can drift from the other. Nothing is decided here that depends on a unit's state.
//!
//! One table drives it all: [`objects`] says which interfaces stand where, `methods.rs` and `read/` hold their rows.

mod arguments;
mod decode;
mod encode;
mod introspect;
mod methods;
pub mod objects;
mod read;
mod refusals;
pub mod table;
#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encode::{encode_reply, encode_signal};
pub use introspect::introspect;
pub use objects::{UNIT_INTERFACE, type_interface};
pub use read::cgroup::control_group;
pub use read::manager::VERSION;
pub use read::{
    JobView, ManagerView, Values, View, changed_properties, job_properties, job_property, log_properties, log_property,
    manager_properties, manager_property, needs_files, needs_readings, refuse_job_set, refuse_log_set,
    refuse_manager_set, refuse_unit_set, unit_properties, unit_property,
};
pub use refusals::{unknown_interface, unknown_object, unknown_property};

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
