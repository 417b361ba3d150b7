//! The store, imagined: records by path. It outlives the arbiter. A write goes aside first and is then renamed over, as
//! the real one does it; what a crash leaves aside is no record (`backend/parts.rs`).
//!
//! What lies outside `/run` is on a disk, and gets there when it is synced: until then a power cut may leave what was
//! there before, for each path on its own. A renaming is there or not, never half of it.

mod paths;
mod steps;
mod unit_files;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The file beside a record while it is being written. What a crash leaves of it is overwritten by the next write.
pub const ASIDE: &str = ".cgarbiter~";

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A file with this content.
    Text(String),
    /// A symbolic link to this path.
    Link(Arc<str>),
}

/// Files by absolute, logical path. Directories exist as long as something is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    entries: BTreeMap<Arc<str>, Entry>,
    /// Paths that have changed and were not synced, with what the disk has there.
    unsynced: BTreeMap<Arc<str>, Option<Entry>>,
}

impl Store {
    /// Puts a file in its place, whatever was there.
    pub fn write(&mut self, file: impl Into<Arc<str>>, content: impl Into<String>) {
        self.set(file.into(), Some(Entry::Text(content.into())));
    }

    /// Puts a symbolic link in its place, whatever was there.
    pub fn link(&mut self, file: impl Into<Arc<str>>, target: impl Into<Arc<str>>) {
        self.set(file.into(), Some(Entry::Link(target.into())));
    }

    /// Removes a file or link; false when there was none.
    pub fn remove(&mut self, file: &str) -> bool {
        self.set(file.into(), None).is_some()
    }

    /// Everything that was done so far is on the disk.
    pub fn sync(&mut self) {
        self.unsynced.clear();
    }

    /// The power goes: nothing of `/run` is left, and of what was not synced what `is_lost` says is as it was before.
    pub fn cut_power(&mut self, mut is_lost: impl FnMut(&str) -> bool) {
        for (path, old) in std::mem::take(&mut self.unsynced) {
            if is_lost(&path) {
                self.set(path, old);
            }
        }
        self.unsynced.clear();
        self.entries.retain(|path, _| is_on_disk(path));
    }

    /// Changes one path; what was there before.
    fn set(&mut self, file: Arc<str>, entry: Option<Entry>) -> Option<Entry> {
        let old = match entry {
            Some(entry) => self.entries.insert(file.clone(), entry),
            None => self.entries.remove(&file),
        };
        if is_on_disk(&file) {
            self.unsynced.entry(file).or_insert_with(|| old.clone());
        }
        old
    }

    /// Gives a file, or everything in a directory, another path; what is not there is not moved.
    fn rename(&mut self, file: &str, to: &str) {
        let itself = self.entries.get_key_value(file).map(|(path, _)| path.clone());
        for path in self.paths_below(&format!("{file}/")).into_iter().chain(itself) {
            let new = format!("{to}{}", &path[file.len()..]);
            let entry = self.set(path, None).expect("it was there a line ago");
            self.set(new.into(), Some(entry));
        }
    }

    /// Removes everything in a directory.
    fn remove_directory(&mut self, directory: &str) {
        let inside = format!("{directory}/");
        for file in self.paths_below(&inside) {
            self.set(file, None);
        }
    }

    fn paths_below(&self, prefix: &str) -> Vec<Arc<str>> {
        self.range(prefix).map(|(file, _)| file.clone()).collect()
    }

    /// The content of a file; links are followed.
    #[must_use]
    pub fn read(&self, file: &str) -> Option<&str> {
        match self.entries.get(file) {
            Some(Entry::Text(content)) => Some(content),
            _ => match self.entries.get(self.follow(file).ok()?.as_str())? {
                Entry::Text(content) => Some(content),
                Entry::Link(_) => None,
            },
        }
    }

    /// Everything whose path begins so, sorted by path.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.range(prefix).map(|(file, entry)| (&**file, entry))
    }

    fn range<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Entry)> {
        let entries = self.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        entries.take_while(move |(file, _)| file.starts_with(prefix))
    }
}

/// Whether this outlives the machine's being switched off.
fn is_on_disk(path: &str) -> bool {
    !path.starts_with("/run/")
}

/// Whether this is a record that was never finished.
#[must_use]
pub fn is_aside(path: &str) -> bool {
    path.rsplit('/').next() == Some(ASIDE)
}

/// Where the record of this path is put while it is being written.
#[must_use]
pub fn aside(path: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{directory}/{ASIDE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_prefix_and_removed_with_their_directory() {
        let mut store = Store::default();
        store.write("/run/t/a.scope", "[Scope]\n");
        store.write("/run/t/a.scope.d/50-x.conf", "x");
        store.write("/run/t/b.scope", "y");
        store.link("/etc/u/c.service", "/run/t/b.scope");
        let found: Vec<_> = store.below("/run/t/a").map(|(file, _)| file).collect();
        assert_eq!(found, ["/run/t/a.scope", "/run/t/a.scope.d/50-x.conf"]);
        store.remove_directory("/run/t/a.scope.d");
        assert_eq!(store.below("/run/t/a").count(), 1);
        assert_eq!(store.read("/etc/u/c.service"), Some("y"));
        assert!(store.remove("/run/t/a.scope") && !store.remove("/run/t/a.scope"));
    }

    #[test]
    fn a_power_cut_leaves_what_was_synced_and_of_the_rest_the_old_or_the_new() {
        let mut store = Store::default();
        store.write("/etc/a", "old");
        store.write("/etc/gone", "old");
        store.write("/run/b", "new");
        store.sync();
        store.write("/etc/a", "newer");
        store.write("/etc/a", "newest");
        store.write("/etc/c", "new");
        store.remove("/etc/gone");
        let mut all = store.clone();
        all.cut_power(|_| true);
        let left: Vec<_> = all.below("/").map(|(path, entry)| (path, entry.clone())).collect();
        let text = |text: &str| Entry::Text(text.into());
        assert_eq!(left, [("/etc/a", text("old")), ("/etc/gone", text("old"))]);
        store.cut_power(|_| false);
        let left: Vec<_> = store.below("/").map(|(path, entry)| (path, entry.clone())).collect();
        assert_eq!(left, [("/etc/a", text("newest")), ("/etc/c", text("new"))]);
    }
}
