//! Introspection: the table as XML.

use super::objects::{Node, STANDARD};
use super::refusals;
use super::table::{Arguments, Emits, Interface};
use crate::error::Refusal;
use crate::names::{UnitName, label_escape};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

const HEAD: &str = concat!(
    "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n",
    "\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n"
);

/// The XML of the object at `path`. `units` and `jobs` are those that exist; they become the children of their folders.
///
/// # Errors
/// `UnknownObject` when there is no such path.
pub fn introspect<'a>(
    path: &str,
    units: impl IntoIterator<Item = &'a UnitName>,
    jobs: impl IntoIterator<Item = u32>,
) -> Result<String, Refusal> {
    let node = Node::at(path).ok_or_else(|| refusals::unknown_object(path))?;
    let mut out = String::from(HEAD);
    for interface in STANDARD.iter().chain(node.interfaces()) {
        // Writing into a String cannot fail.
        let _ = push_interface(&mut out, interface);
    }
    match (path, &node) {
        ("/org/freedesktop/systemd1/unit", _) => {
            units.into_iter().for_each(|name| push_child(&mut out, &label_escape(name.as_str())));
        }
        ("/org/freedesktop/systemd1/job", _) => {
            jobs.into_iter().for_each(|id| push_child(&mut out, &id.to_string()));
        }
        (_, Node::Folder(children)) => children.iter().for_each(|child| push_child(&mut out, child)),
        (_, Node::Manager) => ["job", "unit"].iter().for_each(|child| push_child(&mut out, child)),
        _ => {}
    }
    out.push_str("</node>\n");
    Ok(out)
}

fn push_child(out: &mut String, name: &str) {
    out.push_str(&format!(" <node name=\"{name}\"/>\n"));
}

fn push_interface(out: &mut String, interface: &Interface) -> fmt::Result {
    writeln!(out, " <interface name=\"{}\">", interface.name)?;
    for method in interface.methods() {
        writeln!(out, "  <method name=\"{}\">", method.name)?;
        push_arguments(out, method.input, " direction=\"in\"")?;
        push_arguments(out, method.output, " direction=\"out\"")?;
        out.push_str("  </method>\n");
    }
    for signal in interface.signals {
        writeln!(out, "  <signal name=\"{}\">", signal.name)?;
        push_arguments(out, signal.body, "")?;
        out.push_str("  </signal>\n");
    }
    for property in interface.properties() {
        push_property(out, property.name, property.signature, property.emits)?;
    }
    out.push_str(" </interface>\n");
    Ok(())
}

fn push_arguments(out: &mut String, arguments: Arguments, direction: &str) -> fmt::Result {
    arguments
        .iter()
        .try_for_each(|(name, signature)| writeln!(out, "   <arg type=\"{signature}\" name=\"{name}\"{direction}/>"))
}

fn push_property(out: &mut String, name: &str, signature: &str, emits: Emits) -> fmt::Result {
    let open = format!("  <property name=\"{name}\" type=\"{signature}\" access=\"read\"");
    match emits.annotation() {
        None => writeln!(out, "{open}/>"),
        Some(value) => {
            let name = "org.freedesktop.DBus.Property.EmitsChangedSignal";
            writeln!(out, "{open}>\n   <annotation name=\"{name}\" value=\"{value}\"/>\n  </property>")
        }
    }
}
