//! The files that configure units, as the arbiter finds them: which lie in the directories that it searches, and what
//! can be read of them.

use super::paths::{Kind, split};
use super::{Entry, Store, is_aside};
use cgarbiter_core::names::{NameError, UnitName};
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::{Errno, OpError};

/// No unit file is as large as this.
const SIZE_MAX: usize = 1 << 20;
/// Directories beside units of which only the names count.
const TIED: [&str; 3] = [".wants", ".requires", ".upholds"];
/// `EFBIG`, which the core has no word for.
const TOO_LARGE: Errno = Errno::Other(27);

impl Store {
    /// The files in a directory for units, and in the directories beside units in there; or one file by its path.
    #[must_use]
    pub fn unit_files(&self, path: &str) -> Vec<UnitFile> {
        let directory = match self.directory(path) {
            Ok(directory) => directory,
            Err(Errno::NotDir) => return self.single(path),
            Err(errno) => return vec![unread(path, errno)],
        };
        let mut files = Vec::new();
        for (name, kind) in self.listed(&directory) {
            let file = format!("{path}/{name}");
            if kind != Kind::File && is_beside(&name) {
                files.extend(self.beside(&file));
            } else {
                files.extend(self.entry(&directory, &name, file, kind));
            }
        }
        files
    }

    /// The files of a directory beside a unit, which may be behind a link.
    fn beside(&self, path: &str) -> Vec<UnitFile> {
        match self.directory(path) {
            Err(Errno::NoEnt | Errno::NotDir) => Vec::new(),
            Err(errno) => vec![unread(path, errno)],
            Ok(directory) => {
                let names = self.listed(&directory).into_iter();
                names.filter_map(|(name, kind)| self.entry(&directory, &name, format!("{path}/{name}"), kind)).collect()
            }
        }
    }

    fn entry(&self, directory: &str, name: &str, file: String, kind: Kind) -> Option<UnitFile> {
        let above = split(&file).0;
        if is_aside(&file) {
            return None;
        }
        if kind == Kind::Directory {
            return is_meant(above, name).then(|| unread(&file, Errno::IsDir));
        }
        let link = match self.entries.get(format!("{directory}/{name}").as_str()) {
            Some(Entry::Link(target)) => Some(target.clone()),
            _ => None,
        };
        Some(match is_tied(above) {
            true => UnitFile { link, ..UnitFile::text(file, "") },
            false => self.unit_file(&file, link.as_deref()),
        })
    }

    /// A file by itself; not one that lies in what is no directory.
    fn single(&self, path: &str) -> Vec<UnitFile> {
        let Ok(place) = self.place(path) else { return Vec::new() };
        let link = match self.entries.get(place.as_str()) {
            Some(Entry::Link(target)) => Some(target.clone()),
            _ => None,
        };
        vec![self.unit_file(path, link.as_deref())]
    }

    fn unit_file(&self, path: &str, link: Option<&str>) -> UnitFile {
        let content = match link {
            Some("/dev/null") => Content::Text("".into()),
            _ => match self.text(path) {
                Ok(text) => Content::Text(text.into()),
                Err(errno) => Content::Unreadable(OpError::new(path, errno)),
            },
        };
        UnitFile { path: path.into(), link: link.map(Into::into), content }
    }

    /// The text of a file, links followed.
    fn text(&self, path: &str) -> Result<&str, Errno> {
        let place = self.follow(path)?;
        match self.entries.get(place.as_str()) {
            Some(Entry::Text(text)) if text.len() > SIZE_MAX => Err(TOO_LARGE),
            Some(Entry::Text(text)) => Ok(text),
            _ if self.kind(&place).is_some() => Err(Errno::Inval),
            _ => Err(Errno::NoEnt),
        }
    }
}

fn unread(path: &str, errno: Errno) -> UnitFile {
    UnitFile { path: path.into(), link: None, content: Content::Unreadable(OpError::new(path, errno)) }
}

fn is_tied(directory: &str) -> bool {
    TIED.iter().any(|suffix| directory.ends_with(suffix))
}

/// Whether a directory of this name belongs to a unit.
fn is_beside(name: &str) -> bool {
    is_tied(name) || name.ends_with(".d")
}

/// Whether what has this name there should be a file.
fn is_meant(directory: &str, name: &str) -> bool {
    let is_unit = !matches!(UnitName::parse(name), Err(NameError::Invalid));
    if directory.ends_with(".d") { name.ends_with(".conf") } else { is_unit && !is_tied(directory) }
}
