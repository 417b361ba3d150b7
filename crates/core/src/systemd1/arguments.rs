//! Taking a checked argument list apart into typed values.

use super::objects::Node;
use super::refusals;
use crate::error::Refusal;
use crate::request::{JobRef, Object, PropertyList, UnitRef};
use crate::value::Value;
use alloc::string::String;
use alloc::vec::Vec;

/// A method call whose method is known and whose arguments have the right types.
#[derive(Debug)]
pub struct Call {
    pub(super) node: Node,
    pub(super) path: String,
    pub(super) args: Vec<Value>,
}

impl Call {
    /// The arguments, typed.
    pub(super) fn take<T: FromArguments>(&mut self) -> Result<T, Refusal> {
        let mut values = core::mem::take(&mut self.args).into_iter();
        T::from_arguments(&mut values).ok_or_else(refusals::malformed)
    }

    /// The unit that the object path names.
    pub(super) fn unit(&self) -> UnitRef {
        match &self.node {
            Node::Unit(label) => UnitRef::Object(label.clone()),
            other => unreachable!("unit methods stand on unit objects only, not on {other:?}"),
        }
    }

    /// The job that the object path names.
    pub(super) fn job(&self) -> JobRef {
        match &self.node {
            Node::Job(label) => JobRef::Object(label.clone()),
            other => unreachable!("job methods stand on job objects only, not on {other:?}"),
        }
    }

    /// The object whose properties are meant; none on nodes that only hold others.
    pub(super) fn object(&self) -> Option<Object> {
        match &self.node {
            Node::Manager => Some(Object::Manager),
            Node::Unit(label) => Some(Object::Unit(UnitRef::Object(label.clone()))),
            Node::Job(label) => Some(Object::Job(JobRef::Object(label.clone()))),
            Node::LogControl => Some(Object::LogControl),
            Node::Folder(_) => None,
        }
    }
}

/// A value of one D-Bus type as a Rust type. None when the value is malformed inside.
pub(super) trait FromValue: Sized {
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty: $pattern:pat => $result:expr),* $(,)?) => {
        $(impl FromValue for $type {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    $pattern => Some($result),
                    _ => None,
                }
            }
        })*
    };
}

from_value! {
    bool: Value::Bool(x) => x,
    i32: Value::I32(x) => x,
    u32: Value::U32(x) => x,
    u64: Value::U64(x) => x,
    String: Value::Str(x) => x,
    Bytes: Value::Bytes(x) => Bytes(x),
    Handle: Value::Handle(x) => Handle(x),
    AnyValue: Value::Variant(x) => AnyValue(*x),
}

/// An `ay`.
pub(super) struct Bytes(pub(super) Vec<u8>);

/// An `h`.
pub(super) struct Handle(pub(super) u64);

/// What is inside a `v`.
pub(super) struct AnyValue(pub(super) Value);

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Array(_, items) => items.into_iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

/// `(sv)`
impl FromValue for (String, Value) {
    fn from_value(value: Value) -> Option<Self> {
        let (name, AnyValue(value)) = pair(value)?;
        Some((name, value))
    }
}

/// `(sa(sv))`
impl FromValue for (String, PropertyList) {
    fn from_value(value: Value) -> Option<Self> {
        pair(value)
    }
}

fn pair<A: FromValue, B: FromValue>(value: Value) -> Option<(A, B)> {
    let Value::Struct(fields) = value else { return None };
    let mut fields = fields.into_iter();
    let found = (A::from_value(fields.next()?)?, B::from_value(fields.next()?)?);
    fields.next().is_none().then_some(found)
}

/// A whole argument list.
pub(super) trait FromArguments: Sized {
    fn from_arguments(values: &mut impl Iterator<Item = Value>) -> Option<Self>;
}

macro_rules! from_arguments {
    ($($name:ident)+) => {
        impl<$($name: FromValue),+> FromArguments for ($($name,)+) {
            fn from_arguments(values: &mut impl Iterator<Item = Value>) -> Option<Self> {
                Some(($($name::from_value(values.next()?)?,)+))
            }
        }
    };
}

from_arguments!(A);
from_arguments!(A B);
from_arguments!(A B C);
from_arguments!(A B C D);
from_arguments!(A B C D E);
