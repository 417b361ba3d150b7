//! The index of unit files: which file is a unit's own, which drop-ins come on top of it, which names are other names,
//! what is masked (reference 10.1, 10.2). What is in the files is `unit_file.rs`'s business.
//!
//! The core reads no files. The driver hands in all of them, at the start and whenever a `Reload` asks for them
//! ([`Question::UnitFiles`](crate::event::Question::UnitFiles)); what the arbiter writes itself is added at once. So a
//! unit is loaded in the middle of a transaction without asking anybody, and a request costs the same whatever lies on
//! the disk. Transient unit files and their drop-ins are not in here: they belong to units that are known.

mod changed;
mod names;

use crate::error::{Errno, OpError};
use crate::names::{UnitName, UnitType};
use crate::plan::Op;
use crate::settings::Dependency;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Where a file lies that stands for nothing.
const NOTHING: &str = "/dev/null";

/// A file below one of the directories of the search path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnitFile {
    /// Absolute, logical path.
    pub path: Arc<str>,
    /// Where it leads, if it is a symbolic link.
    pub link: Option<Arc<str>>,
    /// What is in it, or in what it leads to.
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// This text.
    Text(Arc<str>),
    /// It could not be read (`EILSEQ` when it is no text).
    Unreadable(OpError),
}

impl UnitFile {
    /// A plain file.
    #[must_use]
    pub fn text(path: impl Into<Arc<str>>, content: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), link: None, content: Content::Text(content.into()) }
    }

    /// What stands in it, if that could be read.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Unreadable(_) => None,
        }
    }

    /// A link to what is not there.
    #[must_use]
    pub fn is_dangling(&self) -> bool {
        let is_missing = matches!(&self.content, Content::Unreadable(error) if error.errno == Errno::NoEnt);
        self.link.is_some() && is_missing
    }

    /// An empty file, or a link to nothing: it hides what has the same name elsewhere.
    #[must_use]
    pub fn is_mask(&self) -> bool {
        self.link.as_deref() == Some(NOTHING) || matches!(&self.content, Content::Text(text) if text.is_empty())
    }
}

/// A unit's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// This one.
    File(&'a UnitFile),
    /// A mask: there is none, and must be none.
    Masked(&'a UnitFile),
}

/// All files of the search path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnitFiles {
    /// The directories, highest priority first.
    search: Vec<Arc<str>>,
    /// What lies under each name: of a unit, a template, a prefix (`a-.slice`), a type (`slice`).
    names: BTreeMap<Arc<str>, Named>,
    /// Other names, each with the unit that it is a name of; and the same the other way round.
    aliases: BTreeMap<UnitName, UnitName>,
    other_names: BTreeMap<UnitName, Vec<UnitName>>,
    /// Files that were asked for by their path, outside of the directories.
    outside: BTreeMap<Arc<str>, UnitFile>,
    /// Directories that could not be read, and why. Those of drop-ins are not among them: they stand for drop-ins that
    /// cannot be read.
    unread: BTreeMap<Arc<str>, OpError>,
}

/// What lies under one name, by the rank of its directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Named {
    fragments: BTreeMap<usize, UnitFile>,
    drop_ins: BTreeMap<(usize, Arc<str>), UnitFile>,
    /// Links in `NAME.wants` and the like, and where they lead.
    ties: BTreeMap<(Dependency, Arc<str>, usize), Tie>,
}

/// What lies in `NAME.wants` or the like, and where it leads if it is a link: only these tie. Only the name counts, so
/// what is behind it is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tie {
    path: Arc<str>,
    target: Option<Arc<str>>,
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A file.
    File,
    /// A symbolic link, and where it leads.
    Link(&'a str),
}

/// A symbolic link below one of the directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// Absolute, logical path.
    pub path: &'a str,
    /// The rank of its directory.
    pub rank: usize,
    /// Where it leads, as it says.
    pub target: &'a str,
    /// Whether it ties units together, instead of being a unit's own file.
    pub is_tie: bool,
}

impl<'a> Link<'a> {
    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &'a str {
        last_part(self.path)
    }
}

impl UnitFiles {
    /// An index of these directories without any file.
    #[must_use]
    pub fn new(search: Vec<Arc<str>>) -> Self {
        Self { search, ..Self::default() }
    }

    /// The directories, highest priority first.
    #[must_use]
    pub fn search(&self) -> &[Arc<str>] {
        &self.search
    }

    /// Forgets everything and takes these.
    pub fn replace(&mut self, files: impl IntoIterator<Item = UnitFile>) {
        self.names.clear();
        self.outside.clear();
        self.unread.clear();
        files.into_iter().for_each(|file| self.insert(file));
        self.name_anew();
    }

    /// Adds a file, or replaces one of the same path. What is no unit file is passed over.
    pub fn insert(&mut self, file: UnitFile) {
        if let Some(error) = self.why_unread(&file) {
            self.unread.insert(file.path.clone(), error.clone());
            return;
        }
        let Some((rank, inside)) = self.place_of(&file.path) else {
            self.outside.insert(file.path.clone(), file);
            return;
        };
        match inside.split_once('/') {
            None if is_unread_of_drop_ins(inside, &file) => {
                let unit: Arc<str> = inside[..inside.len() - DROP_INS.len()].into();
                self.names.entry(unit).or_default().drop_ins.insert((rank, file.path.clone()), file);
            }
            None => {
                let name: Arc<str> = inside.into();
                self.names.entry(name).or_default().fragments.insert(rank, file);
            }
            Some((directory, name)) => {
                let (directory, name): (Arc<str>, Arc<str>) = (directory.into(), name.into());
                self.insert_beside(rank, &directory, name, file);
            }
        }
    }

    /// Why a directory was not read that ties units, or that a file may lie in of which nothing is known now.
    fn why_unread<'a>(&self, file: &'a UnitFile) -> Option<&'a OpError> {
        let Content::Unreadable(error) = &file.content else { return None };
        let is_of_ties = || {
            let inside = self.place_of(&file.path).map(|(_, inside)| inside);
            inside.is_some_and(|name| !name.contains('/') && TIES.iter().any(|(suffix, _)| name.ends_with(suffix)))
        };
        (self.search.contains(&file.path) || is_of_ties()).then_some(error)
    }

    /// Why files may be missing among these: a directory of the search path could not be read.
    #[must_use]
    pub fn why_incomplete<'a>(&self, files: &'a [UnitFile]) -> Option<&'a OpError> {
        files.iter().filter(|file| self.search.contains(&file.path)).find_map(|file| self.why_unread(file))
    }

    /// Whether there may be files of which nothing is known.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.unread.keys().any(|path| self.search.contains(path))
    }

    /// Why directories could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &OpError> {
        self.unread.values()
    }

    /// What the arbiter writes, or removes again, counts at once.
    pub fn follow_op(&mut self, op: &Op) {
        match op {
            Op::WriteFile { file, content, .. } if self.place_of(file).is_some() => {
                self.insert(UnitFile::text(file.clone(), content.as_str()));
            }
            Op::RemoveFile { file, directory: false } => self.remove(file),
            Op::Link { file, target } => {
                let content = self.content_of(target);
                self.insert(UnitFile { path: file.clone(), link: Some(target.clone()), content });
                self.name_anew();
            }
            _ => {}
        }
    }

    /// What a link to this path would show.
    fn content_of(&self, path: &str) -> Content {
        match self.at(path) {
            _ if path == NOTHING => Content::Text("".into()),
            Some(file) => file.content.clone(),
            None => Content::Unreadable(OpError::new(path, Errno::NoEnt)),
        }
    }

    fn remove(&mut self, path: &str) {
        let Some((rank, inside)) = self.place_of(path) else { return };
        let Some((directory, name)) = inside.split_once('/') else {
            let named = self.names.get_mut(inside);
            let removed = named.and_then(|named| named.fragments.remove(&rank));
            if removed.is_some_and(|file| file.link.is_some()) {
                self.name_anew();
            }
            return;
        };
        let Some((unit, kind)) = directory.rsplit_once('.') else { return };
        let Some(named) = self.names.get_mut(unit) else { return };
        let name: Arc<str> = name.into();
        match TIES.iter().find(|(suffix, _)| suffix[1..] == *kind) {
            Some((_, dependency)) => drop(named.ties.remove(&(*dependency, name, rank))),
            None => drop(named.drop_ins.remove(&(rank, name))),
        }
    }

    /// The file, drop-in or not, that has this path; links in `NAME.wants` and the like are none.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&UnitFile> {
        let Some((rank, inside)) = self.place_of(path) else { return self.outside.get(path) };
        match inside.split_once('/') {
            None => self.names.get(inside)?.fragments.get(&rank),
            Some((directory, name)) => {
                self.names.get(directory.strip_suffix(".d")?)?.drop_ins.get(&(rank, Arc::from(name)))
            }
        }
    }

    /// What lies at this path.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<Entry<'_>> {
        let link = match self.tie_at(path) {
            Some(tie) => &tie.target,
            None => &self.at(path)?.link,
        };
        Some(link.as_deref().map_or(Entry::File, Entry::Link))
    }

    fn tie_at(&self, path: &str) -> Option<&Tie> {
        let (rank, inside) = self.place_of(path)?;
        let (directory, name) = inside.split_once('/')?;
        let (unit, kind) = directory.rsplit_once('.')?;
        let (_, dependency) = TIES.iter().find(|(suffix, _)| suffix[1..] == *kind)?;
        self.names.get(unit)?.ties.get(&(*dependency, Arc::from(name), rank))
    }

    /// The rank of the directory that the path lies below, 0 for the first.
    #[must_use]
    pub fn rank_of(&self, path: &str) -> Option<usize> {
        self.place_of(path).map(|(rank, _)| rank)
    }

    /// Whether the path lies directly in one of the directories.
    #[must_use]
    pub fn is_in_search_path(&self, path: &str) -> bool {
        self.place_of(path).is_some_and(|(_, inside)| !inside.contains('/'))
    }

    /// Every file that is a unit's own by its name alone, from the directory of highest priority on.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a UnitFile> + use<'a> {
        self.names.get(name).into_iter().flat_map(|named| named.fragments.values())
    }

    /// Every drop-in that lies beside this very name.
    pub fn beside<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a UnitFile> + use<'a> {
        self.names.get(name).into_iter().flat_map(|named| named.drop_ins.values())
    }

    /// Every name that something lies under.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// Every symbolic link but those in place of drop-ins.
    pub fn links(&self) -> impl Iterator<Item = Link<'_>> {
        self.names.values().flat_map(|named| {
            let own = named.fragments.iter().filter_map(|(rank, file)| {
                Some(Link { path: &file.path, rank: *rank, target: file.link.as_deref()?, is_tie: false })
            });
            let ties = named.ties.iter().filter_map(|((_, _, rank), tie)| {
                Some(Link { path: &tie.path, rank: *rank, target: tie.target.as_deref()?, is_tie: true })
            });
            own.chain(ties)
        })
    }

    /// The rank of the directory that a file lies below, and where in there.
    fn place_of<'a>(&self, path: &'a str) -> Option<(usize, &'a str)> {
        let below = |directory: &str| path.strip_prefix(directory)?.strip_prefix('/');
        self.search.iter().enumerate().find_map(|(rank, directory)| Some((rank, below(directory)?)))
    }

    fn insert_beside(&mut self, rank: usize, directory: &str, name: Arc<str>, file: UnitFile) {
        if let Some(unit) = directory.strip_suffix(".d").filter(|_| name.ends_with(".conf") && !name.contains('/')) {
            self.names.entry(unit.into()).or_default().drop_ins.insert((rank, name), file);
            return;
        }
        for (suffix, dependency) in TIES {
            if let Some(unit) = directory.strip_suffix(suffix) {
                let tie = Tie { path: file.path.clone(), target: file.link.clone() };
                self.names.entry(unit.into()).or_default().ties.insert((dependency, name.clone(), rank), tie);
            }
        }
    }

    /// Every file that is known, for a copy of the arbiter that has no driver.
    pub fn iter(&self) -> impl Iterator<Item = UnitFile> {
        let files =
            |named: &Named| named.fragments.values().chain(named.drop_ins.values()).cloned().collect::<Vec<_>>();
        let tie = |tie: &Tie| UnitFile { link: tie.target.clone(), ..UnitFile::text(tie.path.clone(), "") };
        let ties = move |named: &Named| named.ties.values().map(tie).collect::<Vec<_>>();
        let unread = |(path, error): (&Arc<str>, &OpError)| UnitFile {
            path: path.clone(),
            link: None,
            content: Content::Unreadable(error.clone()),
        };
        let known = self.names.values().flat_map(move |named| files(named).into_iter().chain(ties(named)));
        known.chain(self.unread.iter().map(unread))
    }

    /// The unit's own file: under its name, or else under that of its template.
    #[must_use]
    pub fn fragment(&self, name: &UnitName) -> Option<Fragment<'_>> {
        let under = |name: &str| self.names.get(name)?.fragments.values().next();
        let template = || name.instance().map(|_| names::template_of(name));
        let file = under(name.as_str()).or_else(|| under(&template()?))?;
        if file.is_mask() {
            return Some(Fragment::Masked(file));
        }
        self.follow(name, file).map(Fragment::File)
    }

    /// A link to a file of another name makes this name one more of that unit, unless units of the type have but one.
    fn follow<'a>(&'a self, name: &UnitName, file: &'a UnitFile) -> Option<&'a UnitFile> {
        let Some(target) = file.link.as_deref() else { return Some(file) };
        let (target, own) = (last_part(target), last_part(&file.path));
        let is_itself = target == own || target == names::template_of(name);
        (is_itself || name.unit_type() == UnitType::Service).then_some(file)
    }

    /// The drop-ins of a unit, in the order in which they apply, those of its other names among them.
    #[must_use]
    pub fn drop_ins(&self, name: &UnitName) -> Vec<&UnitFile> {
        let mut found: BTreeMap<&str, (Place, &UnitFile)> = BTreeMap::new();
        if self.names.is_empty() {
            return Vec::new();
        }
        let own = core::iter::once(name).chain(self.aliases_of(name));
        for (which, name) in own.enumerate() {
            for (depth, beside) in names::drop_in_names(name).into_iter().enumerate() {
                self.collect(&beside, |rank| (which, rank, depth), &mut found);
            }
        }
        self.collect(name.unit_type().suffix(), |rank| (usize::MAX, rank, 0), &mut found);
        found.into_values().map(|(_, file)| file).filter(|file| !file.is_mask()).collect()
    }

    fn collect<'a>(
        &'a self,
        name: &str,
        place: impl Fn(usize) -> Place,
        found: &mut BTreeMap<&'a str, (Place, &'a UnitFile)>,
    ) {
        let Some(named) = self.names.get(name) else { return };
        for ((rank, stem), file) in &named.drop_ins {
            let place = place(*rank);
            let first = found.entry(stem).or_insert((place, file));
            if place < first.0 {
                *first = (place, file);
            }
        }
    }

    /// What links beside the unit tie it to, by name; a template among them is for the reader of names.
    pub fn ties<'a>(&'a self, name: &UnitName) -> impl Iterator<Item = (Dependency, &'a str)> + use<'a> {
        let template = name.instance().map(|_| names::template_of(name));
        let own = [Some(String::from(name.as_str())), template];
        let named = own.into_iter().flatten().filter_map(|name| self.names.get(name.as_str()));
        named.flat_map(|named| {
            let mut last = None;
            let ties = named.ties.iter().filter_map(move |((dependency, name, _), tie)| {
                // The first directory that has the link decides, and may say that there is no such tie.
                let is_first = last.replace((*dependency, name)) != Some((*dependency, name));
                (is_first && tie.target.as_deref().is_some_and(|target| target != NOTHING))
                    .then_some((*dependency, &**name))
            });
            ties.collect::<Vec<_>>()
        })
    }

    /// The unit that this is another name of.
    #[must_use]
    pub fn canonical(&self, name: &str) -> Option<&UnitName> {
        self.aliases.get(name)
    }

    /// The other names of a unit.
    pub fn aliases_of<'a>(&'a self, name: &'a UnitName) -> impl Iterator<Item = &'a UnitName> {
        self.other_names.get(name).into_iter().flatten()
    }

    fn name_anew(&mut self) {
        self.aliases = self.find_aliases();
        self.other_names.clear();
        for (alias, unit) in &self.aliases {
            self.other_names.entry(unit.clone()).or_default().push(alias.clone());
        }
    }

    /// Links from one name to another, followed to their end.
    fn find_aliases(&self) -> BTreeMap<UnitName, UnitName> {
        let target_of = |name: &str| {
            let file = self.names.get(name)?.fragments.values().next().filter(|file| !file.is_mask())?;
            let target = file.link.as_deref()?.rsplit('/').next()?;
            UnitName::parse(target).ok().filter(|target| target.as_str() != name)
        };
        let names = self.names.keys().filter_map(|name| UnitName::parse(name).ok());
        let services = names.filter(|name| name.unit_type() == UnitType::Service);
        let end_of = |name: UnitName| {
            let first = target_of(name.as_str()).filter(|target| target.unit_type() == UnitType::Service)?;
            let next = |target: &UnitName| target_of(target.as_str());
            let end = core::iter::successors(Some(first), next).take(LINKS_MAX).last()?;
            (end != name).then_some((name, end))
        };
        services.filter_map(end_of).collect()
    }
}

/// A directory of drop-ins that could not be read is a drop-in that could not be read.
fn is_unread_of_drop_ins(name: &str, file: &UnitFile) -> bool {
    name.ends_with(DROP_INS) && matches!(file.content, Content::Unreadable(_))
}

/// The last part of a path.
pub(crate) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or("")
}

/// Which of several drop-ins of the same name counts: the name it lies under, its directory, how special that name is.
type Place = (usize, usize, usize);

/// So many links in a row are followed.
const LINKS_MAX: usize = 8;

/// How directories of drop-ins end.
const DROP_INS: &str = ".d";

const TIES: [(&str, Dependency); 3] =
    [(".wants", Dependency::Wants), (".requires", Dependency::Requires), (".upholds", Dependency::Upholds)];

#[cfg(test)]
mod tests;
