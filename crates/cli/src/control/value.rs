//! Values from the bus → text for people (as systemctl show writes them) and JSON for programs.

use serde_json::{Value as Json, json};
use zbus::Variant;

use super::human;

/// For people; the name tells what a number means.
pub(crate) fn text(name: &str, value: &Variant<'_>) -> String {
    match value {
        Variant::Bool(true) => "yes".to_owned(),
        Variant::Bool(false) => "no".to_owned(),
        Variant::U64(number) => number_text(name, *number),
        Variant::Array(items) => match bytes(value) {
            Some(bytes) => hex(&bytes),
            None => items.iter().map(|item| text(name, item)).collect::<Vec<_>>().join(" "),
        },
        Variant::Structure(fields) => {
            let fields: Vec<_> = fields.fields().iter().map(|field| text(name, field)).collect();
            format!("({})", fields.join(", "))
        }
        Variant::Variant(inner) => text(name, inner),
        _ => match json(value) {
            Json::String(text) => text,
            other => other.to_string(),
        },
    }
}

fn number_text(name: &str, number: u64) -> String {
    let limit = name.ends_with("Max")
        || name.ends_with("High")
        || name.ends_with("Low")
        || name.ends_with("Min")
        || name.ends_with("USec")
        || name.contains("Limit");
    match number {
        u64::MAX if limit => "infinity".to_owned(),
        u64::MAX => "[not set]".to_owned(),
        _ if name.ends_with("Timestamp") => human::timestamp(number),
        _ if name.ends_with("USec") && !name.contains("Timestamp") => human::span(number),
        _ => number.to_string(),
    }
}

/// For programs: numbers as they are, bytes as hexadecimal digits, structures as arrays.
pub(crate) fn json(value: &Variant<'_>) -> Json {
    match value {
        Variant::U8(v) => json!(v),
        Variant::Bool(v) => json!(v),
        Variant::I16(v) => json!(v),
        Variant::U16(v) => json!(v),
        Variant::I32(v) => json!(v),
        Variant::U32(v) => json!(v),
        Variant::I64(v) => json!(v),
        Variant::U64(v) => json!(v),
        Variant::F64(v) => json!(v),
        Variant::Str(v) => json!(v.as_str()),
        Variant::Signature(v) => json!(v.to_string()),
        Variant::ObjectPath(v) => json!(v.as_str()),
        Variant::Variant(inner) => json(inner),
        Variant::Array(items) => match bytes(value) {
            Some(bytes) => json!(hex(&bytes)),
            None => items.iter().map(json).collect(),
        },
        Variant::Structure(fields) => fields.fields().iter().map(json).collect(),
        Variant::Dict(entries) => {
            let pairs = entries.iter().map(|(key, value)| (text("", key), json(value)));
            Json::Object(pairs.collect())
        }
        Variant::Fd(_) => Json::Null,
    }
}

/// The content of an `ay`.
fn bytes(value: &Variant<'_>) -> Option<Vec<u8>> {
    match value {
        Variant::Array(items) if items.element_signature() == &zbus::Signature::U8 => {
            Some(items.iter().filter_map(|item| u8::try_from(item).ok()).collect())
        }
        _ => None,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let max = Variant::from(u64::MAX);
        assert_eq!(text("MemoryMax", &max), "infinity");
        assert_eq!(text("TasksCurrent", &max), "[not set]");
        assert_eq!(text("CPUWeight", &max), "[not set]");
        assert_eq!(text("TimeoutStopUSec", &Variant::from(90_000_000_u64)), "1min 30s");
        assert_eq!(text("ActiveEnterTimestamp", &Variant::from(0_u64)), "");
        assert_eq!(text("ActiveEnterTimestampMonotonic", &Variant::from(5_u64)), "5");
        assert_eq!(text("Transient", &Variant::from(true)), "yes");
        assert_eq!(text("After", &Variant::from(vec!["a.slice", "b.slice"])), "a.slice b.slice");
        assert_eq!(text("InvocationID", &Variant::from(vec![1_u8, 0xab])), "01ab");
        assert_eq!(text("Job", &Variant::new((7_u32, "x"))), "(7, x)");
    }

    #[test]
    fn for_programs() {
        assert_eq!(json(&Variant::from(u64::MAX)).to_string(), "18446744073709551615");
        assert_eq!(json(&Variant::from(vec![0xff_u8])).to_string(), r#""ff""#);
        assert_eq!(json(&Variant::new(vec![("/dev/sda".to_owned(), 5_u64)])).to_string(), r#"[["/dev/sda",5]]"#);
    }
}
