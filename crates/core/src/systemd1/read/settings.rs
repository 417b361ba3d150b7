//! What the property table says of a unit's settings.

use crate::systemd1::read::View;
use crate::systemd1::table::Property;
use crate::value::Value;
use alloc::vec;
use alloc::vec::Vec;

/// The value of a settable property.
pub(super) fn value(view: &View<'_>, property: &Property) -> Value {
    let _ = view;
    empty(property.signature)
}

/// The value that stands for "nothing set" where the settings hold none.
fn empty(signature: &str) -> Value {
    match signature {
        "b" => Value::Bool(false),
        "i" => Value::I32(0),
        "u" => Value::U32(0),
        "t" => Value::U64(u64::MAX),
        "s" => Value::str(""),
        "ay" => Value::Bytes(Vec::new()),
        "(bas)" => Value::Struct(vec![Value::Bool(false), Value::Array("s".into(), Vec::new())]),
        other => match other.strip_prefix('a') {
            Some(element) => Value::Array(element.into(), Vec::new()),
            None => unreachable!("no property has the signature {other}"),
        },
    }
}
