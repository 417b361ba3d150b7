//! Reading the parts of a [`Value`], and the checked forms that come out of it.

use super::wrong_type;
use crate::controllers::ControllerMask;
use crate::error::Refusal;
use crate::settings::{CpuSet, ExecCommand, IpPrefix, StatusSet, StreamKind};
use crate::value::Value;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A value that has passed the check of its row's kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Checked {
    Flag(bool),
    Number(u64),
    Fraction(u32),
    /// A fraction of memory, and the bytes it comes to.
    Share(u32, u64),
    Signal(i32),
    Integer(i32),
    /// Path, whether a missing one is fine.
    Files(Vec<(String, bool)>),
    Stream(StreamKind),
    /// The same from a file, with its path.
    StreamAt(StreamKind, Option<String>),
    /// Soft and hard.
    Limits(u64, u64),
    Choice(usize),
    /// None when empty.
    Text(Option<Arc<str>>),
    Strings(Vec<String>),
    Set(CpuSet),
    /// Path, number.
    Devices(Vec<(String, u64)>),
    /// Pattern, permissions.
    Allow(Vec<(String, String)>),
    /// The same from a file, where what comes later stands later.
    AllowLast(Vec<(String, String)>),
    Prefixes(Vec<IpPrefix>),
    Controllers(ControllerMask, OtherControllers),
    Commands(Vec<ExecCommand>),
    /// None when empty.
    Statuses(Option<StatusSet>),
}

/// Names that systemd takes for controllers, beside ours, as a set of places in [`OTHER_CONTROLLERS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OtherControllers(pub(super) u16);

/// What else may stand in a list of controllers; none of it exists as a controller of cgroup v2.
pub(super) const OTHER_CONTROLLERS: [&str; 8] = [
    "cpuacct",
    "blkio",
    "devices",
    "bpf-firewall",
    "bpf-devices",
    "bpf-foreign",
    "bpf-socket-bind",
    "bpf-restrict-network-interfaces",
];

impl OtherControllers {
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        OTHER_CONTROLLERS.into_iter().enumerate().filter(move |(i, _)| self.0 & (1 << i) != 0).map(|(_, name)| name)
    }
}

pub(super) fn boolean(value: &Value) -> Result<bool, Refusal> {
    if let Value::Bool(flag) = value { Ok(*flag) } else { Err(wrong_type()) }
}

pub(super) fn u64(value: &Value) -> Result<u64, Refusal> {
    if let Value::U64(number) = value { Ok(*number) } else { Err(wrong_type()) }
}

pub(super) fn u32(value: &Value) -> Result<u32, Refusal> {
    if let Value::U32(number) = value { Ok(*number) } else { Err(wrong_type()) }
}

pub(super) fn i32(value: &Value) -> Result<i32, Refusal> {
    if let Value::I32(number) = value { Ok(*number) } else { Err(wrong_type()) }
}

pub(super) fn string(value: &Value) -> Result<&str, Refusal> {
    if let Value::Str(text) = value { Ok(text) } else { Err(wrong_type()) }
}

/// The elements of an array whose elements have this signature.
pub(super) fn array<'a>(value: &'a Value, element: &str) -> Result<&'a [Value], Refusal> {
    match value {
        Value::Array(signature, items) if signature == element => Ok(items),
        _ => Err(wrong_type()),
    }
}

pub(super) fn strings(value: &Value) -> Result<impl Iterator<Item = Result<&str, Refusal>>, Refusal> {
    Ok(array(value, "s")?.iter().map(string))
}

/// The fields of a struct of N.
pub(super) fn fields<const N: usize>(value: &Value) -> Result<&[Value; N], Refusal> {
    value.as_struct().and_then(|fields| fields.try_into().ok()).ok_or_else(wrong_type)
}
