//! Messages and what is in them. zbus knows the wire format; here its types meet the core's.

pub(crate) mod message;
pub(crate) mod units;
pub(crate) mod value;
