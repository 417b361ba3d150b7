//! Values that do not need a row of their own: what the property table says of a unit's settings, and nothing at all.

use crate::properties;
use crate::systemd1::read::View;
use crate::systemd1::table::Property;
use crate::value::Value;
use alloc::vec;
use alloc::vec::Vec;

/// The value of a settable property.
pub(super) fn value(view: &View<'_>, property: &Property) -> Value {
    let unit = view.subject();
    let value = properties::read(property.name, &unit.settings, view.config, unit.unit_type());
    value.unwrap_or_else(|| unreachable!("the property table can tell {} of a {:?}", property.name, unit.unit_type()))
}

/// The value of the type that stands for "nothing".
pub(super) fn nothing(signature: &str) -> Value {
    match signature {
        "b" => Value::Bool(false),
        "i" => Value::I32(0),
        "u" => Value::U32(0),
        "t" => Value::U64(0),
        "s" => Value::str(""),
        "ay" => Value::Bytes(Vec::new()),
        "(bas)" => Value::Struct(vec![nothing("b"), nothing("as")]),
        "(aiai)" => Value::Struct(vec![nothing("ai"), nothing("ai")]),
        other => match other.strip_prefix('a') {
            Some(element) => Value::Array(element.into(), Vec::new()),
            None => unreachable!("no property has the signature {other}"),
        },
    }
}
