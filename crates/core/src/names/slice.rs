//! Slice arithmetic: the name of a slice is its path (reference 01.4, 01.7).

use super::escape::escape;
use super::unit_name::UnitName;
use alloc::format;

/// Whether `stem` names a slice: `-`, or no dash at either end and no two in a row, and no instance.
pub(super) fn is_valid_slice_stem(stem: &str) -> bool {
    stem == "-"
        || !(stem.is_empty()
            || stem.contains('@')
            || stem.starts_with('-')
            || stem.ends_with('-')
            || stem.as_bytes().windows(2).any(|pair| pair == b"--"))
}

/// The slice that `slice` lies in; none for the root.
///
/// # Panics
/// When `slice` is not a valid slice name; callers check that at the door.
#[must_use]
pub fn slice_parent(slice: &UnitName) -> Option<UnitName> {
    assert!(slice.is_valid_slice(), "{slice} is not a slice");
    if slice.is_root_slice() {
        return None;
    }
    let parent = slice.stem().rsplit_once('-').map(|(stem, _)| format!("{stem}.slice"));
    Some(parent.map_or_else(UnitName::root_slice, |name| UnitName::parse(&name).expect("a cut slice name is valid")))
}

/// Where a unit goes that names no slice itself (01.7): instances into a slice of their template, others into
/// `system.slice`; slices into their parent.
#[must_use]
pub fn default_slice(unit: &UnitName) -> Option<UnitName> {
    if unit.is_valid_slice() {
        return slice_parent(unit);
    }
    let name = match unit.instance() {
        Some(_) => format!("system-{}.slice", escape(unit.prefix())),
        None => "system.slice".into(),
    };
    Some(UnitName::parse(&name).unwrap_or_else(|_| UnitName::parse("system.slice").expect("valid")))
}

/// Whether a unit that names no slice itself goes there: what [`default_slice`] says, without making a name of it.
#[must_use]
pub fn is_default_slice(slice: &UnitName, unit: &UnitName) -> bool {
    if unit.is_root_slice() {
        return false;
    }
    if unit.is_valid_slice() {
        return match unit.stem().rsplit_once('-') {
            Some((parent, _)) => slice.as_str().strip_suffix(".slice") == Some(parent),
            None => slice.is_root_slice(),
        };
    }
    match unit.instance() {
        Some(_) => default_slice(unit).as_ref() == Some(slice),
        None => slice.as_str() == "system.slice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::parse(text).expect("valid name")
    }

    #[test]
    fn which_names_are_slices() {
        for good in ["-.slice", "a.slice", "a-b-c.slice", "system-sshd\\x2dkeygen.slice"] {
            assert!(name(good).is_valid_slice(), "{good}");
        }
        for bad in ["-a.slice", "a-.slice", "a--b.slice", "a@b.slice", "a.scope", "--.slice"] {
            assert!(!name(bad).is_valid_slice(), "{bad}");
        }
    }

    #[test]
    fn parents_go_up_to_the_root() {
        assert_eq!(slice_parent(&name("a-b-c.slice")), Some(name("a-b.slice")));
        assert_eq!(slice_parent(&name("a.slice")), Some(name("-.slice")));
        assert_eq!(slice_parent(&name("-.slice")), None);
    }

    #[test]
    fn default_slices() {
        assert_eq!(default_slice(&name("x.scope")), Some(name("system.slice")));
        assert_eq!(default_slice(&name("a-b@x.service")), Some(name("system-a\\x2db.slice")));
        assert_eq!(default_slice(&name("a-b.slice")), Some(name("a.slice")));
    }

    #[test]
    fn a_default_slice_is_told_without_its_name() {
        let slices = ["-.slice", "a.slice", "a-b.slice", "system.slice", "system-a.slice", "system-a\\x2db.slice"];
        let units =
            ["-.slice", "a.slice", "a-b.slice", "a-b-c.slice", "a--b.slice", "x.scope", "a@x.service", "a-b@x.service"];
        for (unit, slice) in units.into_iter().flat_map(|unit| slices.map(|slice| (name(unit), name(slice)))) {
            assert_eq!(
                is_default_slice(&slice, &unit),
                default_slice(&unit) == Some(slice.clone()),
                "{unit} in {slice}"
            );
        }
    }
}
