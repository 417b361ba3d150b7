//! Method calls, put together.

use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;

/// A call of the Manager interface.
pub(crate) fn manager(member: &str, args: Vec<Value>) -> MethodCall {
    MethodCall {
        path: "/org/freedesktop/systemd1".into(),
        interface: Some("org.freedesktop.systemd1.Manager".into()),
        member: member.into(),
        args,
    }
}

/// A call of our own interface.
pub(crate) fn planned(member: &str, args: Vec<Value>) -> MethodCall {
    MethodCall {
        path: "/org/cgarbiter1".into(),
        interface: Some("org.cgarbiter1.Manager".into()),
        member: member.into(),
        args,
    }
}

/// A call about a unit and a word.
pub(crate) fn about(member: &str, unit: &str, word: &str) -> MethodCall {
    manager(member, vec![Value::str(unit), Value::str(word)])
}

/// A property as it stands in a list.
pub(crate) fn property(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

/// A list of properties.
pub(crate) fn properties(list: Vec<Value>) -> Value {
    Value::Array("(sv)".into(), list)
}

/// A list of process numbers.
pub(crate) fn numbers(pids: impl IntoIterator<Item = u32>) -> Value {
    Value::Array("u".into(), pids.into_iter().map(Value::U32).collect())
}

/// StartTransientUnit.
pub(crate) fn start_transient(name: &str, mode: &str, list: Vec<Value>) -> MethodCall {
    let auxiliary = Value::Array("(sa(sv))".into(), Vec::new());
    manager("StartTransientUnit", vec![Value::str(name), Value::str(mode), properties(list), auxiliary])
}

/// SetUnitProperties.
pub(crate) fn set(name: &str, runtime: bool, list: Vec<Value>) -> MethodCall {
    manager("SetUnitProperties", vec![Value::str(name), Value::Bool(runtime), properties(list)])
}

/// A property that is read.
pub(crate) fn get(unit: &str, interface: &str, name: &str) -> MethodCall {
    MethodCall {
        path: unit_path(unit),
        interface: Some("org.freedesktop.DBus.Properties".into()),
        member: "Get".into(),
        args: vec![Value::str(interface), Value::str(name)],
    }
}

/// All properties of an interface.
pub(crate) fn get_all(unit: &str, interface: &str) -> MethodCall {
    MethodCall { member: "GetAll".into(), args: vec![Value::str(interface)], ..get(unit, interface, "") }
}

/// The object path of a unit, whose name is in ASCII.
fn unit_path(unit: &str) -> String {
    let escape = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    };
    let label: String = unit.bytes().map(escape).collect();
    format!("/org/freedesktop/systemd1/unit/{label}")
}

/// An array of bytes.
pub(crate) fn bytes(bytes: impl IntoIterator<Item = u8>) -> Value {
    Value::Bytes(bytes.into_iter().collect())
}
