//! Values as they travel in messages: a small, owned image of D-Bus's type system. No wire format lives here: `dbus`
//! turns these into bytes, the simulator's player into JSON, and the property table checks their signatures.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// A value with its type. An array carries the signature of its elements, since it may be empty.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `b`
    Bool(bool),
    /// `y`
    U8(u8),
    /// `n`
    I16(i16),
    /// `q`
    U16(u16),
    /// `i`
    I32(i32),
    /// `u`
    U32(u32),
    /// `x`
    I64(i64),
    /// `t`
    U64(u64),
    /// `d`
    F64(f64),
    /// `s`
    Str(String),
    /// `o`
    Path(String),
    /// `g`
    Signature(String),
    /// `h`: the front end has taken hold of the process behind the descriptor, and put the number of the
    /// [`Pin`](crate::plan::Pin) here; 0 when the descriptor was no pidfd of a live process.
    Handle(u64),
    /// `ay`, kept apart because byte arrays are common and dense.
    Bytes(Vec<u8>),
    /// `a…` with the element's signature; dictionaries are arrays of `Entry`.
    Array(String, Vec<Value>),
    /// `(…)`
    Struct(Vec<Value>),
    /// `{kv}`, only as the element of an array.
    Entry(Box<Value>, Box<Value>),
    /// `v`
    Variant(Box<Value>),
}

impl Value {
    /// A string value.
    pub fn str(s: impl AsRef<str>) -> Self {
        Self::Str(s.as_ref().to_owned())
    }

    /// An object path.
    pub fn path(s: impl AsRef<str>) -> Self {
        Self::Path(s.as_ref().to_owned())
    }

    /// An `as`.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::Array("s".to_owned(), items.into_iter().map(Self::str).collect())
    }

    /// The value's D-Bus signature.
    #[must_use]
    pub fn signature(&self) -> String {
        let mut out = String::new();
        self.push_signature(&mut out);
        out
    }

    /// Whether the signature is `wanted`, without allocating for basic types and arrays.
    #[must_use]
    pub fn has_signature(&self, wanted: &str) -> bool {
        match (self.basic_code(), self) {
            (Some(code), _) => wanted.len() == 1 && wanted.starts_with(code),
            (None, Self::Array(element, _)) => wanted.strip_prefix('a') == Some(element),
            (None, _) => self.signature() == wanted,
        }
    }

    fn basic_code(&self) -> Option<char> {
        Some(match self {
            Self::Bool(_) => 'b',
            Self::U8(_) => 'y',
            Self::I16(_) => 'n',
            Self::U16(_) => 'q',
            Self::I32(_) => 'i',
            Self::U32(_) => 'u',
            Self::I64(_) => 'x',
            Self::U64(_) => 't',
            Self::F64(_) => 'd',
            Self::Str(_) => 's',
            Self::Path(_) => 'o',
            Self::Signature(_) => 'g',
            Self::Handle(_) => 'h',
            Self::Variant(_) => 'v',
            Self::Bytes(_) | Self::Array(..) | Self::Struct(_) | Self::Entry(..) => return None,
        })
    }

    fn push_signature(&self, out: &mut String) {
        if let Some(code) = self.basic_code() {
            out.push(code);
            return;
        }
        match self {
            Self::Bytes(_) => out.push_str("ay"),
            Self::Array(element, _) => {
                // Writing into a String cannot fail.
                let _ = write!(out, "a{element}");
            }
            Self::Struct(fields) => {
                out.push('(');
                fields.iter().for_each(|field| field.push_signature(out));
                out.push(')');
            }
            Self::Entry(key, value) => {
                out.push('{');
                key.push_signature(out);
                value.push_signature(out);
                out.push('}');
            }
            _ => unreachable!("basic types were answered above"),
        }
    }

    /// The string inside `s`, `o` or `g`.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) | Self::Path(s) | Self::Signature(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of an array that is not `ay`.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(_, items) => Some(items),
            _ => None,
        }
    }

    /// The fields of a struct.
    #[must_use]
    pub fn as_struct(&self) -> Option<&[Value]> {
        match self {
            Self::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// An `a{sv}` from names and values, in the order given.
    pub fn dict<K: AsRef<str>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entry = |(k, v): (K, Value)| Self::Entry(Box::new(Self::str(k)), Box::new(Self::Variant(Box::new(v))));
        Self::Array("{sv}".to_owned(), entries.into_iter().map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn signatures_follow_the_shape() {
        let exec = Value::Array(
            "(sasb)".into(),
            vec![Value::Struct(vec![Value::str("/bin/true"), Value::strings(["true"]), Value::Bool(false)])],
        );
        assert_eq!(exec.signature(), "a(sasb)");
        assert_eq!(exec.as_array().expect("array")[0].signature(), "(sasb)");
        assert_eq!(Value::dict([("A", Value::U64(1))]).signature(), "a{sv}");
        assert!(Value::Bytes(vec![1]).has_signature("ay"));
        assert!(!Value::U32(1).has_signature("t"));
        assert!(Value::strings(["a"]).has_signature("as"));
        assert!(!Value::strings(["a"]).has_signature("a") && !Value::strings(["a"]).has_signature("s"));
    }
}
