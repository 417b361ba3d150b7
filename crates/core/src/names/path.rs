//! `CgroupPath`: where a unit's cgroup lies below the managed root, and the escaping of file names (reference 01.5,
//! 01.6).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// A path below the managed root: empty for the root itself, else `/a.slice/b.scope`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupPath(Arc<str>);

impl CgroupPath {
    /// The managed root.
    #[must_use]
    pub fn root() -> Self {
        Self("".into())
    }

    /// The cgroup of the unit called `name` in this one; the name is escaped when it would clash with a kernel file.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let name = cgroup_escape(name);
        let mut path = String::with_capacity(self.0.len() + 1 + name.len());
        [&*self.0, "/", &*name].into_iter().for_each(|part| path.push_str(part));
        Self(path.into())
    }

    /// How far below the managed root it lies.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.bytes().filter(|byte| *byte == b'/').count()
    }

    /// A path given as text; `None` unless it is empty or absolute and normalized.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text == "/" {
            return Some(Self::root());
        }
        let parts_ok = text.strip_prefix('/')?.split('/').all(|part| !matches!(part, "" | "." | ".."));
        parts_ok.then(|| Self(text.into()))
    }

    /// A sub-path of this cgroup that is not a unit: `sub` is empty or absolute and normalized.
    #[must_use]
    pub fn join(&self, sub: &Self) -> Self {
        if sub.is_root() { self.clone() } else { Self(format!("{}{}", self.0, sub.0).into()) }
    }

    /// Whether it is the [`child`](Self::child) of that name.
    #[must_use]
    pub fn is_child(&self, above: &Self, name: &str) -> bool {
        let inside = self.0.strip_prefix(&*above.0).and_then(|rest| rest.strip_prefix('/'));
        inside.is_some_and(|inside| *inside == *cgroup_escape(name))
    }

    /// Whether it is that cgroup, or lies anywhere below it.
    #[must_use]
    pub fn is_in(&self, above: &Self) -> bool {
        self.0.strip_prefix(&*above.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The text: empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The managed root?
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The cgroup above; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// Components from the top, as they stand in the file system.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "/" } else { &self.0 })
    }
}

impl fmt::Debug for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names that systemd takes for controllers when it escapes, whether or not the kernel has them.
fn is_controller(name: &str) -> bool {
    matches!(
        name,
        "cpu"
            | "cpuacct"
            | "cpuset"
            | "io"
            | "blkio"
            | "memory"
            | "devices"
            | "pids"
            | "bpf-firewall"
            | "bpf-devices"
            | "bpf-foreign"
            | "bpf-socket-bind"
            | "bpf-restrict-network-interfaces"
    )
}

/// A unit's name as a directory name: a `_` goes in front of what could be taken for a file of the kernel.
#[must_use]
pub fn cgroup_escape(name: &str) -> Cow<'_, str> {
    if needs_escape(name) { Cow::Owned(format!("_{name}")) } else { Cow::Borrowed(name) }
}

fn needs_escape(name: &str) -> bool {
    name.is_empty()
        || name.starts_with(['_', '.'])
        || name.starts_with("cgroup.")
        || matches!(name, "notify_on_release" | "release_agent" | "tasks")
        || name.rsplit_once('.').is_some_and(|(stem, _)| is_controller(stem))
}

/// The unit name behind a directory name.
#[must_use]
pub fn cgroup_unescape(name: &str) -> &str {
    name.strip_prefix('_').unwrap_or(name)
}

impl From<&CgroupPath> for String {
    fn from(path: &CgroupPath) -> Self {
        path.0.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_vectors() {
        for (name, want) in [
            ("foobar", "foobar"),
            (".foobar", "_.foobar"),
            ("cgroup.service", "_cgroup.service"),
            ("cpu.service", "_cpu.service"),
            ("io.scope", "_io.scope"),
            ("_foobar", "__foobar"),
            ("tasks", "_tasks"),
            ("cpu.x.service", "cpu.x.service"),
            ("hugetlb.scope", "hugetlb.scope"),
            ("", "_"),
        ] {
            assert_eq!(cgroup_escape(name), want);
            assert_eq!(cgroup_unescape(want), name);
        }
    }

    #[test]
    fn a_path_is_shown_as_it_is() {
        let path = CgroupPath::root().child("a.slice").child("cpu.service");
        assert_eq!(format!("{path}"), "/a.slice/_cpu.service");
        assert_eq!(format!("{}", CgroupPath::root()), "/");
    }

    #[test]
    fn only_normalized_absolute_paths_parse() {
        for good in ["", "/", "/a", "/a/b.scope"] {
            assert!(CgroupPath::parse(good).is_some(), "{good}");
        }
        for bad in ["a", "/a/", "//a", "/a/../b", "/./a"] {
            assert!(CgroupPath::parse(bad).is_none(), "{bad}");
        }
        let path = CgroupPath::root().child("a.slice").child("cpu.scope");
        assert_eq!(path.as_str(), "/a.slice/_cpu.scope");
        assert_eq!(path.parent().expect("parent").as_str(), "/a.slice");
        assert_eq!((path.depth(), CgroupPath::root().depth()), (2, 0));
        for (above, name, is_child) in
            [("/a.slice", "cpu.scope", true), ("/a.slice", "_cpu.scope", false), ("", "a", false)]
        {
            assert_eq!(path.is_child(&CgroupPath::parse(above).expect("a path"), name), is_child, "{above} {name}");
        }
    }
}
