//! Which entry a path leads to: links on the way are followed, directories are whatever something lies in.

use super::{Entry, Store};
use cgarbiter_core::Errno;

/// So many links are followed.
const LINKS_MAX: u32 = 40;

/// What lies at a path itself, a link not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Link,
    Directory,
}

impl Store {
    /// What lies there, if anything does.
    pub(super) fn kind(&self, path: &str) -> Option<Kind> {
        match self.entries.get(path) {
            Some(Entry::Text(_)) => Some(Kind::File),
            Some(Entry::Link(_)) => Some(Kind::Link),
            None => self.below(&format!("{path}/")).next().map(|_| Kind::Directory),
        }
    }

    /// The path that this one leads to, the last link followed, too. It need not be there.
    pub(super) fn follow(&self, path: &str) -> Result<String, Errno> {
        let mut left: Vec<String> = parts(path);
        let (mut here, mut links) = (String::new(), 0);
        while let Some(part) = left.pop() {
            if part == ".." {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{here}/{part}");
            match self.entries.get(next.as_str()) {
                Some(Entry::Link(_)) if links == LINKS_MAX => return Err(Errno::Loop),
                Some(Entry::Link(target)) => {
                    links += 1;
                    if target.starts_with('/') {
                        here.clear();
                    }
                    left.extend(parts(target));
                }
                Some(Entry::Text(_)) if !left.is_empty() => return Err(Errno::NotDir),
                _ => here = next,
            }
        }
        Ok(here)
    }

    /// The same for a directory, in which something lies or not.
    pub(super) fn directory(&self, path: &str) -> Result<String, Errno> {
        let found = self.follow(path)?;
        if self.entries.contains_key(found.as_str()) { Err(Errno::NotDir) } else { Ok(found) }
    }

    /// Where an entry lies whose directory is reached by this path.
    pub(super) fn place(&self, path: &str) -> Result<String, Errno> {
        let (directory, name) = split(path);
        if self.is_plain(directory) {
            return Ok(path.to_owned());
        }
        Ok(format!("{}/{name}", self.directory(directory)?))
    }

    /// Nothing but directories is on this way, as nearly always.
    fn is_plain(&self, path: &str) -> bool {
        let ends = path.char_indices().filter(|(at, letter)| *letter == '/' && *at > 0).map(|(at, _)| at);
        ends.chain([path.len()]).all(|end| !self.entries.contains_key(&path[..end]))
    }

    /// Names of what lies directly in a directory, and what it is.
    pub(super) fn listed(&self, directory: &str) -> Vec<(String, Kind)> {
        let inside = format!("{directory}/");
        let mut found: Vec<(String, Kind)> = Vec::new();
        for (path, entry) in self.below(&inside) {
            let (name, kind) = match (path[inside.len()..].split_once('/'), entry) {
                (Some((name, _)), _) => (name, Kind::Directory),
                (None, Entry::Text(_)) => (&path[inside.len()..], Kind::File),
                (None, Entry::Link(_)) => (&path[inside.len()..], Kind::Link),
            };
            if found.last().is_none_or(|(last, _)| last != name) {
                found.push((name.to_owned(), kind));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The parts of a path, the first one last.
fn parts(path: &str) -> Vec<String> {
    path.rsplit('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
}

/// Directory (empty for the top) and name of an absolute path.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').expect("paths are absolute")
}
