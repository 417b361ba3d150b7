//! Unit names as people write them → full names and object paths. The server judges whether they are valid.

use cgarbiter_core::names::{UnitName, UnitType, label_escape, slice_parent};

/// Adds the suffix if there is none, and escapes what cannot stand in a name.
pub(crate) fn mangle(name: &str, default_type: &str) -> String {
    let mut full = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        match byte {
            b'/' => full.push('-'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b':' | b'-' | b'_' | b'.' | b'\\' | b'@' => {
                full.push(byte.into())
            }
            _ => full.push_str(&format!("\\x{byte:02x}")),
        }
    }
    if !has_type(&full) {
        full.push('.');
        full.push_str(default_type);
    }
    full
}

/// As `mangle`, and shell patterns stay patterns.
pub(crate) fn mangle_pattern(pattern: &str) -> String {
    if is_pattern(pattern) { pattern.to_owned() } else { mangle(pattern, "service") }
}

pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn has_type(name: &str) -> bool {
    type_of(name).is_some()
}

/// The unit's type: the known suffix.
pub(crate) fn type_of(name: &str) -> Option<&'static str> {
    let (_, suffix) = name.rsplit_once('.')?;
    UnitType::from_suffix(suffix).map(UnitType::suffix)
}

/// The interface with the properties of the unit's type.
pub(crate) fn type_interface(name: &str) -> String {
    let kind = type_of(name).unwrap_or("unit");
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    format!("org.freedesktop.systemd1.{}", first.into_iter().chain(letters).collect::<String>())
}

/// The object path of a unit, valid name or not: the server is to judge.
pub(crate) fn unit_path(name: &str) -> String {
    format!("/org/freedesktop/systemd1/unit/{}", label_escape(name))
}

/// The slice a slice lies in; none for the root.
pub(crate) fn parent_slice(slice: &str) -> Option<String> {
    let name = UnitName::parse(slice).ok().filter(UnitName::is_valid_slice)?;
    slice_parent(&name).map(|parent| parent.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mangling() {
        assert_eq!(mangle("a", "scope"), "a.scope");
        assert_eq!(mangle("a.slice", "scope"), "a.slice");
        assert_eq!(mangle("a.waldo", "service"), "a.waldo.service");
        assert_eq!(mangle("a/b c", "service"), "a-b\\x20c.service");
        assert_eq!(mangle("x@y.service", "scope"), "x@y.service");
        assert_eq!(mangle("ä", "scope"), "\\xc3\\xa4.scope");
        assert_eq!(mangle_pattern("a*"), "a*");
        assert_eq!(mangle_pattern("a"), "a.service");
    }

    #[test]
    fn paths() {
        for (name, label) in [
            ("dbus.socket", "dbus_2esocket"),
            ("-.slice", "_2d_2eslice"),
            ("user@1000.service", "user_401000_2eservice"),
            ("system-sshd\\x2dkeygen.slice", "system_2dsshd_5cx2dkeygen_2eslice"),
            ("1.service", "_31_2eservice"),
            ("", "_"),
        ] {
            assert_eq!(unit_path(name), format!("/org/freedesktop/systemd1/unit/{label}"));
        }
    }

    #[test]
    fn slices_and_types() {
        assert_eq!(parent_slice("a-b-c.slice").as_deref(), Some("a-b.slice"));
        assert_eq!(parent_slice("a.slice").as_deref(), Some("-.slice"));
        assert_eq!(parent_slice("-.slice"), None);
        assert_eq!(parent_slice("a.scope"), None);
        assert_eq!(type_interface("a.scope"), "org.freedesktop.systemd1.Scope");
        assert_eq!(type_of("a.b"), None);
    }
}
