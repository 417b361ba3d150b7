//! From the vectors' JSON to values, and back to a comparable text.

use cgarbiter_core::value::Value;
use serde_json::Value as Json;

/// Splits the first complete type off a signature.
fn first_type(signature: &str) -> (&str, &str) {
    let mut depth = 0;
    for (i, c) in signature.char_indices() {
        match c {
            'a' => continue,
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return signature.split_at(i + 1);
        }
    }
    (signature, "")
}

/// A JSON value of this type, the symbols of the vectors replaced.
pub(crate) fn decode(signature: &str, json: &Json) -> Value {
    let number = || json.as_u64().unwrap_or_else(|| symbol_number(json.as_str().expect("number or symbol")));
    match signature {
        "b" => Value::Bool(json.as_bool().expect("boolean")),
        "u" => Value::U32(u32::try_from(number()).expect("u")),
        "t" => Value::U64(number()),
        "i" => Value::I32(json.as_i64().map_or_else(|| number() as i32, |n| i32::try_from(n).expect("i"))),
        "x" => Value::I64(json.as_i64().expect("x")),
        "y" => Value::U8(u8::try_from(number()).expect("y")),
        "s" => Value::str(symbol_text(json.as_str().expect("string"))),
        "o" => Value::path(json.as_str().expect("path")),
        "ay" => Value::Bytes(items(json).iter().map(|b| u8::try_from(b.as_u64().expect("y")).expect("y")).collect()),
        _ => decode_container(signature, json),
    }
}

fn decode_container(signature: &str, json: &Json) -> Value {
    if let Some(element) = signature.strip_prefix('a') {
        return Value::Array(element.into(), items(json).iter().map(|item| decode(element, item)).collect());
    }
    let mut rest = signature.strip_prefix('(').and_then(|s| s.strip_suffix(')')).expect("struct");
    let mut fields = Vec::new();
    for item in items(json) {
        let (field, tail) = first_type(rest);
        fields.push(decode(field, item));
        rest = tail;
    }
    Value::Struct(fields)
}

/// The one member of a variant: signature and value.
pub(crate) fn variant(json: &Json) -> (&str, &Json) {
    let (signature, value) = json.as_object().and_then(|map| map.iter().next()).expect("variant");
    (signature, value)
}

pub(crate) fn items(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn symbol_text(text: &str) -> &str {
    if text == "$busname" { ":1.5" } else { text }
}

fn symbol_number(text: &str) -> u64 {
    match text {
        "$default_tasks_max" => 2362,
        pid => 100 + pid.bytes().map(u64::from).sum::<u64>(),
    }
}
