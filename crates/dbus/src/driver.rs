//! Calls to `org.freedesktop.DBus` on connections that have no bus: libraries make them out of habit, and wait.

use crate::wire::message::NAME;
use cgarbiter_core::value::Value;
use zbus::Message;

const DRIVER: &str = "org.freedesktop.DBus";

/// Whether the call is meant for the bus.
pub(crate) fn is_for_driver(message: &Message) -> bool {
    let header = message.header();
    header.destination().is_some_and(|name| name.as_str() == DRIVER)
        || header.interface().is_some_and(|name| name.as_str() == DRIVER)
}

/// Why there is no answer: name and text of an error.
pub(crate) type Unknown = (&'static str, String);

/// Facts the answers are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Number of the connection.
    pub(crate) connection: u64,
    pub(crate) guid: &'a str,
    pub(crate) own_uid: u32,
}

/// Answers as a bus with two names would: its own and ours.
pub(crate) fn answer(member: &str, args: &[Value], facts: Facts<'_>) -> Result<Vec<Value>, Unknown> {
    let name = args.first().and_then(Value::as_str).unwrap_or_default();
    let known = name == NAME || name == DRIVER;
    let no_owner = || {
        let text = format!("Could not get owner of name '{name}': no such name");
        ("org.freedesktop.DBus.Error.NameHasNoOwner", text)
    };
    Ok(match member {
        "Hello" => vec![Value::Str(format!(":1.{}", facts.connection))],
        // Every signal is sent anyway.
        "AddMatch" | "RemoveMatch" => Vec::new(),
        "GetNameOwner" if known => vec![Value::str(name)],
        "NameHasOwner" => vec![Value::Bool(known)],
        "ListNames" => vec![Value::strings([DRIVER, NAME])],
        "ListActivatableNames" => vec![Value::strings([""; 0])],
        "GetId" => vec![Value::str(facts.guid)],
        // DBUS_START_REPLY_ALREADY_RUNNING
        "StartServiceByName" if known => vec![Value::U32(2)],
        "GetConnectionUnixUser" if known => vec![Value::U32(facts.own_uid)],
        "GetConnectionUnixProcessID" if known => vec![Value::U32(std::process::id())],
        "GetConnectionCredentials" if known => vec![Value::dict([
            ("UnixUserID", Value::U32(facts.own_uid)),
            ("ProcessID", Value::U32(std::process::id())),
        ])],
        "GetNameOwner"
        | "StartServiceByName"
        | "GetConnectionUnixUser"
        | "GetConnectionUnixProcessID"
        | "GetConnectionCredentials" => return Err(no_owner()),
        _ => {
            let text = format!("There is no message bus on this connection that would know {member}.");
            return Err(("org.freedesktop.DBus.Error.UnknownMethod", text));
        }
    })
}
