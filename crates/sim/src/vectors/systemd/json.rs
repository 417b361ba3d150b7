//! Message values as the vector files write them: plain JSON on the one side, the signature says what it means; a
//! variant is an object whose one key is its signature.

use cgarbiter_core::value::Value;
use serde_json::{Map, Value as Json};
use std::fmt;

/// The JSON does not have the shape that the signature asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {signature}: {json}")]
pub(super) struct Mismatch {
    signature: String,
    json: String,
}

fn mismatch(signature: &str, json: &Json) -> Mismatch {
    Mismatch { signature: signature.to_owned(), json: json.to_string() }
}

/// The complete types of a signature, one by one.
pub(super) fn types(signature: &str) -> Vec<&str> {
    let mut rest = signature;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (first, tail) = rest.split_at(first_type_len(rest));
        out.push(first);
        rest = tail;
    }
    out
}

fn first_type_len(signature: &str) -> usize {
    let bytes = signature.as_bytes();
    let arrays = bytes.iter().take_while(|byte| **byte == b'a').count();
    let mut depth = 0;
    for (offset, byte) in bytes[arrays..].iter().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return arrays + offset + 1;
        }
    }
    bytes.len()
}

/// The arguments of a call.
///
/// # Errors
/// When number or shape do not fit the signature.
pub(super) fn to_args(signature: &str, json: &[Json]) -> Result<Vec<Value>, Mismatch> {
    let types = types(signature);
    if types.len() != json.len() {
        return Err(mismatch(signature, &Json::Array(json.to_vec())));
    }
    types.into_iter().zip(json).map(|(signature, json)| to_value(signature, json)).collect()
}

/// One value of a complete type.
///
/// # Errors
/// When the shape does not fit the signature.
pub(super) fn to_value(signature: &str, json: &Json) -> Result<Value, Mismatch> {
    basic(signature, json).or_else(|| container(signature, json)).ok_or_else(|| mismatch(signature, json))
}

fn basic(signature: &str, json: &Json) -> Option<Value> {
    let text = || json.as_str().map(str::to_owned);
    Some(match signature {
        "b" => Value::Bool(json.as_bool()?),
        "y" => Value::U8(json.as_u64()?.try_into().ok()?),
        "n" => Value::I16(json.as_i64()?.try_into().ok()?),
        "q" => Value::U16(json.as_u64()?.try_into().ok()?),
        "i" => Value::I32(json.as_i64()?.try_into().ok()?),
        "u" => Value::U32(json.as_u64()?.try_into().ok()?),
        "x" => Value::I64(json.as_i64()?),
        "t" => Value::U64(json.as_u64()?),
        "d" => Value::F64(json.as_f64()?),
        "h" => Value::Handle(json.as_u64()?),
        "s" => Value::Str(text()?),
        "o" => Value::Path(text()?),
        "g" => Value::Signature(text()?),
        _ => return None,
    })
}

fn container(signature: &str, json: &Json) -> Option<Value> {
    let (code, inner) = signature.split_at_checked(1)?;
    match code {
        "v" => {
            let (signature, json) = json.as_object().filter(|object| object.len() == 1)?.iter().next()?;
            Some(Value::Variant(Box::new(to_value(signature, json).ok()?)))
        }
        "a" if inner == "y" => {
            let bytes = json.as_array()?.iter().map(|byte| byte.as_u64()?.try_into().ok());
            Some(Value::Bytes(bytes.collect::<Option<_>>()?))
        }
        "a" if inner.starts_with('{') => dictionary(inner, json),
        "a" => {
            let items = json.as_array()?.iter().map(|item| to_value(inner, item).ok());
            Some(Value::Array(inner.to_owned(), items.collect::<Option<_>>()?))
        }
        "(" => {
            let fields = to_args(inner.strip_suffix(')')?, json.as_array()?).ok()?;
            Some(Value::Struct(fields))
        }
        _ => None,
    }
}

fn dictionary(entry: &str, json: &Json) -> Option<Value> {
    let types = types(entry.strip_prefix('{')?.strip_suffix('}')?);
    let [key_type, value_type] = types[..] else { return None };
    let entries = json.as_object()?.iter().map(|(key, value)| {
        let key = to_value(key_type, &Json::String(key.clone())).ok()?;
        let value = to_value(value_type, value).ok()?;
        Some(Value::Entry(Box::new(key), Box::new(value)))
    });
    Some(Value::Array(entry.to_owned(), entries.collect::<Option<_>>()?))
}

/// A value as JSON, its type forgotten except inside variants.
pub(super) fn from_value(value: &Value) -> Json {
    match value {
        Value::Bool(flag) => Json::from(*flag),
        Value::U8(number) => Json::from(*number),
        Value::I16(number) => Json::from(*number),
        Value::U16(number) => Json::from(*number),
        Value::I32(number) => Json::from(*number),
        Value::U32(number) => Json::from(*number),
        Value::I64(number) => Json::from(*number),
        Value::U64(number) | Value::Handle(number) => Json::from(*number),
        Value::F64(number) => Json::from(*number),
        Value::Str(text) | Value::Path(text) | Value::Signature(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => Json::from(bytes.as_slice()),
        Value::Array(element, items) if element.starts_with('{') => {
            Json::Object(items.iter().filter_map(entry).collect())
        }
        Value::Array(_, items) | Value::Struct(items) => Json::Array(items.iter().map(from_value).collect()),
        Value::Entry(..) => Json::Null,
        Value::Variant(inner) => variant(inner),
    }
}

/// A value as a variant: `{signature: value}`.
pub(super) fn variant(value: &Value) -> Json {
    Json::Object(Map::from_iter([(value.signature(), from_value(value))]))
}

fn entry(item: &Value) -> Option<(String, Json)> {
    let Value::Entry(key, value) = item else { return None };
    let key = match from_value(key) {
        Json::String(text) => text,
        other => other.to_string(),
    };
    Some((key, from_value(value)))
}

/// The signature of a message body.
pub(super) fn signature(body: &[Value]) -> String {
    body.iter().map(Value::signature).collect()
}

/// A step's text field, for messages about it.
pub(super) struct Brief<'a>(pub(super) &'a Json);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let cut = text.char_indices().nth(400).map_or(text.len(), |(at, _)| at);
        f.write_str(&text[..cut])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn signatures_come_apart_into_complete_types() {
        assert_eq!(types("ssa(sv)a(sa(sv))"), ["s", "s", "a(sv)", "a(sa(sv))"]);
        assert_eq!(types("a{sv}aasu"), ["a{sv}", "aas", "u"]);
    }

    #[test]
    fn values_go_both_ways() {
        let json =
            json!(["x.scope", [["PIDs", {"au": [7]}], ["MemoryMax", {"t": u64::MAX}]], {"A": {"(uo)": [0, "/"]}}]);
        let args = to_args("sa(sv)a{sv}", json.as_array().expect("a list")).expect("fits");
        assert_eq!(signature(&args), "sa(sv)a{sv}");
        assert_eq!(Json::Array(args.iter().map(from_value).collect()), json);
        assert!(to_value("u", &json!(-1)).is_err());
        assert!(to_args("ss", &[json!("one")]).is_err());
    }
}
