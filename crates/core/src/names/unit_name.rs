//! `UnitName`: a valid plain or instance name with its type (reference 01.1).

use super::slice::is_valid_slice_stem;
use alloc::sync::Arc;
use core::fmt;

/// Longest unit name, in bytes.
const NAME_LENGTH_MAX: usize = 255;

/// The type of a unit, from its suffix. The arbiter manages the first three; the others exist as names only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is its suffix")]
pub enum UnitType {
    Slice,
    Scope,
    Service,
    Mount,
    Swap,
    Socket,
    Target,
    Device,
    Automount,
    Timer,
    Path,
}

impl UnitType {
    /// Every type.
    pub const ALL: [Self; 11] = [
        Self::Slice,
        Self::Scope,
        Self::Service,
        Self::Mount,
        Self::Swap,
        Self::Socket,
        Self::Target,
        Self::Device,
        Self::Automount,
        Self::Timer,
        Self::Path,
    ];

    /// The suffix, without the dot.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Slice => "slice",
            Self::Scope => "scope",
            Self::Service => "service",
            Self::Mount => "mount",
            Self::Swap => "swap",
            Self::Socket => "socket",
            Self::Target => "target",
            Self::Device => "device",
            Self::Automount => "automount",
            Self::Timer => "timer",
            Self::Path => "path",
        }
    }

    /// The word used as a unit-file section and as the last part of the type's D-Bus interface.
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Self::Slice => "Slice",
            Self::Scope => "Scope",
            Self::Service => "Service",
            Self::Mount => "Mount",
            Self::Swap => "Swap",
            Self::Socket => "Socket",
            Self::Target => "Target",
            Self::Device => "Device",
            Self::Automount => "Automount",
            Self::Timer => "Timer",
            Self::Path => "Path",
        }
    }

    /// The type with this suffix.
    #[must_use]
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.suffix() == suffix)
    }

    /// Whether units of this type have a cgroup and can be managed here.
    #[must_use]
    pub fn is_managed(self) -> bool {
        matches!(self, Self::Slice | Self::Scope | Self::Service)
    }
}

/// Why a string is not the name of a unit that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a unit name at all.
    #[error("not a valid unit name")]
    Invalid,
    /// `name@.type`: an instance is missing.
    #[error("missing the instance name")]
    Template,
}

/// A valid plain or instance unit name. Cheap to clone; ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName {
    text: Arc<str>,
}

impl UnitName {
    /// Checks a name that shall be loaded.
    ///
    /// # Errors
    /// [`NameError`] when it is malformed or a template.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match NameForm::of(text) {
            Some(NameForm::Plain | NameForm::Instance) => Ok(Self { text: text.into() }),
            Some(NameForm::Template) => Err(NameError::Template),
            None => Err(NameError::Invalid),
        }
    }

    /// The root of the slice tree, `-.slice`.
    #[must_use]
    pub fn root_slice() -> Self {
        Self { text: "-.slice".into() }
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The shared text.
    #[must_use]
    pub fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// Its type.
    #[must_use]
    pub fn unit_type(&self) -> UnitType {
        // Asked very often, of units mostly, and names are kept without it: those that are managed by their last bytes.
        match self.text.as_bytes() {
            [.., b'.', b's', b'c', b'o', b'p', b'e'] => UnitType::Scope,
            [.., b'.', b's', b'l', b'i', b'c', b'e'] => UnitType::Slice,
            [.., b'.', b's', b'e', b'r', b'v', b'i', b'c', b'e'] => UnitType::Service,
            _ => {
                let suffix = self.text.rsplit('.').next().and_then(UnitType::from_suffix);
                suffix.expect("a UnitName has a known suffix")
            }
        }
    }

    /// Everything before the last dot.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.text.rsplit_once('.').map_or("", |(stem, _)| stem)
    }

    /// The part before the first `@`, or the stem.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.stem().split_once('@').map_or(self.stem(), |(prefix, _)| prefix)
    }

    /// The part after the first `@`, if any.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.stem().split_once('@').map(|(_, instance)| instance)
    }

    /// `-.slice`?
    #[must_use]
    pub fn is_root_slice(&self) -> bool {
        &*self.text == "-.slice"
    }

    /// A slice type whose stem also obeys the slice rules (01.4).
    #[must_use]
    pub fn is_valid_slice(&self) -> bool {
        self.unit_type() == UnitType::Slice && is_valid_slice_stem(self.stem())
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for UnitName {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl core::borrow::Borrow<str> for UnitName {
    fn borrow(&self) -> &str {
        &self.text
    }
}

/// What a file in a directory for units is called: units, and templates of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// `name.type`
    Plain,
    /// `name@.type`
    Template,
    /// `name@instance.type`
    Instance,
}

impl NameForm {
    /// The form of a name; none when it is no name.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text.len() > NAME_LENGTH_MAX {
            return None;
        }
        let (stem, suffix) = text.rsplit_once('.')?;
        UnitType::from_suffix(suffix)?;
        if stem.is_empty() || !stem.bytes().all(|b| is_legal(b) || b == b'@') {
            return None;
        }
        match stem.split_once('@') {
            None => Some(Self::Plain),
            Some(("", _)) => None,
            Some((_, "")) => Some(Self::Template),
            Some(_) => Some(Self::Instance),
        }
    }
}

/// Bytes a stem may hold, beside `@`.
pub(super) fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    #[test]
    fn valid_and_invalid_names() {
        for good in ["foo.service", "a-b.slice", "foo@bar.service", "foo@a@b.service", ".test.service", "f@x.y.service"]
        {
            assert!(UnitName::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["", ".service", "foo.waldo", "@x.service", "foo@%i.service", "a/b.service", "a b.scope", "a+b.scope"]
        {
            assert_eq!(UnitName::parse(bad), Err(NameError::Invalid), "{bad}");
        }
        assert_eq!(UnitName::parse("foo@.service"), Err(NameError::Template));
        assert_eq!(UnitName::parse("@.service"), Err(NameError::Invalid));
    }

    #[test]
    fn three_types_are_managed_here() {
        let managed: Vec<_> = UnitType::ALL.into_iter().filter(|unit_type| unit_type.is_managed()).collect();
        assert_eq!(managed, [UnitType::Slice, UnitType::Scope, UnitType::Service]);
    }

    #[test]
    fn the_length_limit_is_255_bytes() {
        assert!(UnitName::parse(&format!("{}.scope", "a".repeat(249))).is_ok());
        assert!(UnitName::parse(&format!("{}.scope", "a".repeat(250))).is_err());
    }

    #[test]
    fn parts_of_a_name() {
        let name = UnitName::parse("foo@x.y.service").expect("valid");
        assert_eq!((name.prefix(), name.instance(), name.stem()), ("foo", Some("x.y"), "foo@x.y"));
        assert_eq!(name.unit_type(), UnitType::Service);
    }
}
