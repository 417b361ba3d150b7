//! The refusals that concern the message itself, in systemd's words.

use crate::error::{Refusal, RefusalKind};
use alloc::format;
use alloc::string::String;

/// No object has this path.
#[must_use]
pub fn unknown_object(path: &str) -> Refusal {
    Refusal::new(RefusalKind::UnknownObject, format!("Unknown object '{path}'."))
}

/// No property has this name on this interface of the object.
#[must_use]
pub fn unknown_property(interface: &str, name: &str) -> Refusal {
    let text = format!("Unknown interface {interface} or property {name}.");
    Refusal::new(RefusalKind::UnknownProperty, text)
}

/// The object does not have this interface.
#[must_use]
pub fn unknown_interface(interface: &str) -> Refusal {
    Refusal::new(RefusalKind::UnknownInterface, format!("Unknown interface '{interface}'."))
}

/// The object has no such method.
pub(super) fn unknown_method(interface: Option<&str>, name: &str) -> Refusal {
    let interface = interface.unwrap_or("n/a");
    Refusal::new(RefusalKind::UnknownMethod, format!("Unknown method {name} or interface {interface}."))
}

/// Nothing is written through `Properties.Set`.
pub(super) fn read_only(name: &str) -> Refusal {
    Refusal::new(RefusalKind::PropertyReadOnly, format!("Property '{name}' is not writable."))
}

/// The arguments are of other types than the method takes.
pub(super) fn invalid_arguments(interface: &str, method: &str, given: &str, wanted: &str) -> Refusal {
    let text = format!("Invalid arguments '{given}' to call {interface}.{method}(), expecting '{wanted}'.");
    Refusal::new(RefusalKind::InvalidArgs, text)
}

/// A value that is not what its own signature says: no message from a wire is like that.
pub(super) fn malformed() -> Refusal {
    Refusal::new(RefusalKind::InvalidArgs, "Malformed arguments.")
}

/// A value that the method does not take.
pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgs, text)
}

/// A method of systemd's that the arbiter does not serve.
pub(super) fn not_served(method: &str, why: &str) -> Refusal {
    Refusal::new(RefusalKind::NotSupported, format!("{method} is not supported: cgarbiter {why}."))
}
