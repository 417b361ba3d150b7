//! Names, escaping, labels, paths and slices: what goes in comes out again, and what comes out is well-formed.

use cgarbiter_core::names::{
    CgroupPath, UNIT_PREFIX, UnitName, cgroup_escape, cgroup_unescape, default_slice, escape, label_escape,
    label_unescape, path_escape, slice_parent, unescape, unit_object_path,
};

/// The input is one text.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    escaping(&text);
    paths_as_names(&text);
    labels(&text);
    cgroup_names(&text);
    cgroup_paths(&text);
    if let Ok(name) = UnitName::parse(&text) {
        unit_name(&name, &text);
    }
}

fn escaping(text: &str) {
    let escaped = escape(text);
    assert_eq!(unescape(&escaped).expect("what was escaped"), text.as_bytes());
    let name = format!("{escaped}.scope");
    let fits = !escaped.is_empty() && name.len() <= 255;
    assert_eq!(UnitName::parse(&name).is_ok(), fits, "{name}");
    if let Ok(bytes) = unescape(text)
        && let Ok(plain) = std::str::from_utf8(&bytes)
    {
        assert_eq!(unescape(&escape(plain)).expect("what was escaped"), bytes);
    }
}

fn paths_as_names(text: &str) {
    let Ok(escaped) = path_escape(text) else {
        return assert!(text.split('/').any(|part| part == ".."));
    };
    let path = String::from_utf8(unescape(&escaped).expect("what was escaped")).expect("as it was");
    assert_eq!(path_escape(&path).as_ref(), Ok(&escaped), "{path} is not normal");
}

fn labels(text: &str) {
    let label = label_escape(text);
    let legal = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    assert!(legal && !label.is_empty(), "{label} is no component of an object path");
    assert_eq!(label_unescape(&label).as_deref(), Some(text));
    if let Some(plain) = label_unescape(text) {
        assert_eq!(label_unescape(&label_escape(&plain)), Some(plain));
    }
}

fn cgroup_names(text: &str) {
    let escaped = cgroup_escape(text);
    assert_eq!(cgroup_unescape(&escaped), text);
    let taken = escaped.is_empty() || escaped.starts_with('.') || escaped.starts_with("cgroup.");
    assert!(!taken && !matches!(&*escaped, "tasks" | "notify_on_release" | "release_agent"), "{escaped}");
}

fn cgroup_paths(text: &str) {
    let Some(path) = CgroupPath::parse(text) else { return };
    let again: String = path.components().map(|part| format!("/{part}")).collect();
    assert_eq!(again, path.as_str());
    let mut above = path.clone();
    for _ in 0..path.components().count() {
        above = above.parent().expect("below the root");
    }
    assert!(above.is_root() && above.parent().is_none(), "{above}");
    assert_eq!(path.join(&CgroupPath::root()), path);
    assert_eq!(CgroupPath::root().join(&path), path);
}

fn unit_name(name: &UnitName, text: &str) {
    assert_eq!(name.as_str(), text);
    assert_eq!(format!("{}.{}", name.stem(), name.unit_type().suffix()), text);
    match name.instance() {
        Some(instance) => assert_eq!(format!("{}@{instance}", name.prefix()), name.stem()),
        None => assert_eq!(name.prefix(), name.stem()),
    }
    let path = unit_object_path(name);
    let label = path.strip_prefix(UNIT_PREFIX).expect("a unit's object");
    assert_eq!(label_unescape(label).as_deref(), Some(text));
    let place = CgroupPath::parse("/a.slice").expect("valid");
    let child = place.child(text);
    assert_eq!(CgroupPath::parse(child.as_str()).as_ref(), Some(&child));
    assert_eq!(child.parent(), Some(place));
    assert_eq!(cgroup_unescape(child.components().next_back().expect("a component")), text);
    slices(name);
}

/// Going up ends at the root, and every slice on the way is one.
fn slices(name: &UnitName) {
    let mut above = default_slice(name);
    assert_eq!(above.is_none(), name.is_root_slice());
    if name.is_valid_slice() {
        assert_eq!(above, slice_parent(name));
    }
    let mut left = above.as_ref().map_or(0, depth);
    while let Some(slice) = above {
        assert!(slice.is_valid_slice() && depth(&slice) == left, "{slice} above {name}");
        left = left.saturating_sub(1);
        above = slice_parent(&slice);
        assert_eq!(above.is_none(), slice.is_root_slice());
    }
}

/// How many slices are above it.
fn depth(slice: &UnitName) -> usize {
    if slice.is_root_slice() { 0 } else { slice.stem().split('-').count() }
}
