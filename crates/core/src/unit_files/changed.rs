//! Whether the files of one unit are still what they were when it was loaded from the index (reference 10.1). Texts are
//! compared, so that the time of a change, and the clock it was taken from, tell nothing.

use super::{Fragment, UnitFile, UnitFiles, names};
use crate::names::UnitName;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

impl UnitFiles {
    /// What has to be read to tell: the unit's own file, as it lies in the search path, and each directory in which a
    /// drop-in of it may lie.
    #[must_use]
    pub fn places_of(&self, name: &UnitName, own: Option<&UnitFile>) -> Vec<Arc<str>> {
        let mut beside: BTreeSet<Arc<str>> = BTreeSet::new();
        for name in core::iter::once(name).chain(self.aliases_of(name)) {
            beside.extend(names::drop_in_names(name).iter().map(|name| Arc::from(&**name)));
        }
        beside.insert(name.unit_type().suffix().into());
        let directories = self.search.iter().flat_map(|directory| {
            beside.iter().map(move |name| Arc::from([&**directory, "/", name, super::DROP_INS].concat()))
        });
        own.map(|file| file.path.clone()).into_iter().chain(directories).collect()
    }

    /// The file that is shown under this path as a unit's own, or else the one that keeps the unit from being loaded.
    #[must_use]
    pub fn own_file(&self, name: &UnitName, shown: Option<&str>) -> Option<&UnitFile> {
        match shown {
            Some(shown) => {
                let template = name.instance().map(|_| names::template_of(name));
                let named = self.named(name.as_str()).chain(template.iter().flat_map(|name| self.named(name)));
                named.into_iter().find(|file| file.shown_path() == shown)
            }
            None => match self.fragment(name)? {
                Fragment::File(file) | Fragment::Masked(file) => Some(file),
            },
        }
    }

    /// An index of what lies in the places of one unit now.
    #[must_use]
    pub fn of_one<'a>(
        &self,
        name: &UnitName,
        files: Vec<UnitFile>,
        unwritten: impl Iterator<Item = &'a crate::plan::Op>,
    ) -> Self {
        let mut now = Self::new(self.search.clone());
        files.into_iter().for_each(|file| now.insert(file));
        unwritten.for_each(|op| now.follow_op(op));
        let aliases = self.aliases_of(name).cloned().collect();
        now.other_names = BTreeMap::from([(name.clone(), aliases)]);
        now
    }

    /// Whether a unit that was loaded from these drop-ins would get others, or others texts, by what lies there now.
    #[must_use]
    pub fn drop_ins_differ(&self, name: &UnitName, loaded: &[Arc<str>], now: &Self) -> bool {
        let before: BTreeSet<&str> =
            loaded.iter().map(|path| &**path).filter(|path| self.rank_of(path).is_some()).collect();
        let after: BTreeMap<&str, &UnitFile> = now.drop_ins(name).into_iter().map(|file| (&*file.path, file)).collect();
        let is_same = |(path, file): (&&str, &&UnitFile)| self.at(path) == Some(*file);
        !before.iter().eq(after.keys()) || !after.iter().all(is_same)
    }
}

impl UnitFile {
    /// A linked file is shown where it really lies.
    #[must_use]
    pub fn shown_path(&self) -> &str {
        self.link.as_deref().filter(|target| target.starts_with('/')).unwrap_or(&self.path)
    }
}
