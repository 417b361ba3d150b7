//! The files that configure units: everything in the directories of the search path, read when the core asks. Which of
//! them counts is not decided here.

use crate::executor::Executor;
use crate::root::open_stepwise;
use crate::store::{ASIDE, Store};
use cgarbiter_core::Answer;
use cgarbiter_core::names::{NameError, UnitName};
use cgarbiter_core::unit_files::{Content, UnitFile};
use nix::Result;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// No unit file is as large as this.
const SIZE_MAX: u64 = 1 << 20;

/// Directories beside units that are looked into.
const BESIDE: [&str; 4] = [".d", ".wants", ".requires", ".upholds"];

impl Executor {
    pub(crate) fn unit_files(&self, search: &[Arc<str>]) -> Answer {
        let mut files = Vec::new();
        search.iter().for_each(|directory| self.shared.store.unit_files(directory, &mut files));
        Answer::UnitFiles(files)
    }
}

impl Store {
    /// Adds the files of a directory, and those in the directories in it that belong to units. What cannot be read is
    /// handed over by its path, with the reason; a directory, too.
    fn unit_files(&self, path: &str, files: &mut Vec<UnitFile>) {
        let directory = match self.open_directory(path) {
            Err(Errno::ENOENT) => return,
            // A file that was asked for by its path, or something odd in the place of a directory.
            Err(Errno::ENOTDIR) => return self.single(path, files),
            Err(errno) => return files.push(self.unread(path, errno)),
            Ok(directory) => directory,
        };
        for (name, kind) in self.listed(path, &directory, files) {
            let file = format!("{path}/{name}");
            match kind {
                Kind::Directory | Kind::Link if BESIDE.iter().any(|suffix| name.ends_with(suffix)) => {
                    self.beside(&file, files);
                }
                _ => self.entry(&directory, file, kind, files),
            }
        }
    }

    /// Adds the files of a directory beside a unit, which may be behind a link.
    fn beside(&self, path: &str, files: &mut Vec<UnitFile>) {
        match self.open_directory(path) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => files.push(self.unread(path, errno)),
            Ok(directory) => {
                for (name, kind) in self.listed(path, &directory, files) {
                    self.entry(&directory, format!("{path}/{name}"), kind, files);
                }
            }
        }
    }

    /// What is in a directory; nothing of one that cannot be read, which is handed over itself.
    fn listed(&self, path: &str, directory: &OwnedFd, files: &mut Vec<UnitFile>) -> Vec<(String, Kind)> {
        entries(directory).unwrap_or_else(|errno| {
            files.push(self.unread(path, errno));
            Vec::new()
        })
    }

    fn entry(&self, directory: &OwnedFd, file: String, kind: Kind, files: &mut Vec<UnitFile>) {
        let (above, name) = file.rsplit_once('/').expect("paths are absolute");
        let is_tied = is_tied(above);
        let link = match kind {
            // In the place of a file: the unit is there, and cannot be loaded.
            Kind::Directory if is_meant(above, name) => return files.push(self.unread(&file, Errno::EISDIR)),
            Kind::Other if is_meant(above, name) => return files.push(self.unread(&file, Errno::EINVAL)),
            Kind::Directory | Kind::Other => return,
            Kind::File => None,
            Kind::Link => match readlinkat(directory, name) {
                // It went after it was listed, as links do while packages are exchanged.
                Err(Errno::ENOENT) => return,
                Err(errno) => return files.push(self.unread(&file, errno)),
                Ok(target) => Some(target.to_string_lossy().into_owned()),
            },
        };
        files.push(match is_tied {
            true => UnitFile { link: link.map(Into::into), ..UnitFile::text(file, "") },
            false => self.unit_file(file, link.as_deref()),
        });
    }

    fn unread(&self, path: &str, errno: Errno) -> UnitFile {
        UnitFile { path: path.into(), link: None, content: Content::Unreadable(self.at(path)(errno)) }
    }

    /// A file by itself; not one that lies in what is none of the directories on its way.
    fn single(&self, path: &str, files: &mut Vec<UnitFile>) {
        let (parent, name) = path.rsplit_once('/').expect("paths are absolute");
        let Ok(directory) = self.open_directory(parent) else { return };
        let target = readlinkat(&directory, name).ok();
        files.push(self.unit_file(path.to_owned(), target.as_ref().map(|target| target.to_string_lossy()).as_deref()));
    }

    fn unit_file(&self, path: String, link: Option<&str>) -> UnitFile {
        let content = match link {
            Some("/dev/null") => Ok(String::new()),
            _ => self.content(&path).map_err(self.at(&path)),
        };
        let content = content.map_or_else(Content::Unreadable, |text| Content::Text(text.into()));
        UnitFile { path: path.into(), link: link.map(Into::into), content }
    }

    /// The text of a file; `EFBIG` when it is larger than any unit file, `EILSEQ` when it is no text. A link is
    /// followed inside of the prefix only.
    fn content(&self, path: &str) -> Result<String> {
        // A pipe in its place would keep us waiting.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let opened = if self.has_openat2 {
            let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
            openat2(&self.root, &path[1..], OpenHow::new().flags(flags).resolve(resolve))?
        } else {
            open_stepwise(self.root.as_fd(), &path[1..], flags)?
        };
        if kind_of(&fstat(&opened)?) != Kind::File {
            return Err(Errno::EINVAL);
        }
        let mut bytes = Vec::new();
        let read = File::from(opened).take(SIZE_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        if bytes.len() as u64 > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        String::from_utf8(bytes).map_err(|_| Errno::EILSEQ)
    }
}

/// Whether what has this name there should be a file.
fn is_meant(directory: &str, name: &str) -> bool {
    let is_unit = !matches!(UnitName::parse(name), Err(NameError::Invalid));
    if directory.ends_with(".d") { name.ends_with(".conf") } else { is_unit && !is_tied(directory) }
}

/// Only the names of what lies in there count, not what is behind them.
fn is_tied(directory: &str) -> bool {
    [".wants", ".requires", ".upholds"].iter().any(|suffix| directory.ends_with(suffix))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    File,
    Link,
    Directory,
    Other,
}

/// Names in a directory, sorted, and what they are of. What is being written aside is no file yet, and names that are
/// no text are no names of units.
fn entries(directory: &OwnedFd) -> Result<Vec<(String, Kind)>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listing = Dir::openat(directory, ".", flags, Mode::empty())?;
    let mut found = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let kind = match entry.file_type() {
            Some(Type::File) => Kind::File,
            Some(Type::Symlink) => Kind::Link,
            Some(Type::Directory) => Kind::Directory,
            Some(_) => Kind::Other,
            None => match fstatat(directory, entry.file_name(), nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => kind_of(&stat),
                Err(Errno::ENOENT) => continue,
                // Why it cannot be read is told when it is.
                Err(_) => Kind::File,
            },
        };
        match entry.file_name().to_str() {
            Ok("." | ".." | ASIDE) | Err(_) => {}
            Ok(name) => found.push((name.to_owned(), kind)),
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn kind_of(stat: &FileStat) -> Kind {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFLNK => Kind::Link,
        SFlag::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_links_and_the_directories_beside_units_are_found() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let units = dir.path().join("etc/units");
        for directory in ["a.slice.d", "a.slice.wants", "unrelated"] {
            fs::create_dir_all(units.join(directory)).expect("made");
        }
        for (file, content) in
            [("a.slice", &b"[Slice]\n"[..]), ("a.slice.d/x.conf", b"x"), ("unrelated/y", b"y"), ("odd.slice", b"\xff")]
        {
            fs::write(units.join(file), content).expect("written");
        }
        for (link, target) in [
            ("masked.service", "/dev/null"),
            ("other.service", "/etc/units/a.slice"),
            ("a.slice.wants/b.service", "../b.service"),
            ("out.service", "/../../../../etc/hostname"),
        ] {
            symlink(target, units.join(link)).expect("made");
        }
        fs::write(units.join(ASIDE), "half").expect("written");
        fs::create_dir(units.join("folder.service")).expect("made");
        for pipe in ["pipe.slice", "a.slice.d/pipe.conf", "a.slice.d/pipe"] {
            nix::unistd::mkfifo(&units.join(pipe), Mode::S_IRUSR).expect("made");
        }
        let socket = std::os::unix::net::UnixListener::bind(units.join("socket@.service"));
        symlink("loop.service", units.join("loop.service")).expect("made");
        let store = Store::open(dir.path()).expect("opens");
        let mut files = Vec::new();
        store.unit_files("/etc/units", &mut files);
        // A missing directory has none, a file stands for itself, and is no directory.
        store.unit_files("/etc/missing", &mut files);
        store.unit_files("/etc/units/unrelated/y", &mut files);
        store.unit_files("/etc/units/unrelated/y/z", &mut files);
        let shown = |file: &UnitFile| {
            let content = match &file.content {
                Content::Text(text) => text.to_string(),
                Content::Unreadable(error) => format!("{:?}", error.errno),
            };
            format!("{} -> {}: {content}", file.path, file.link.as_deref().unwrap_or(""))
        };
        let want = [
            "/etc/units/a.slice -> : [Slice]\n",
            "/etc/units/a.slice.d/pipe.conf -> : Inval",
            "/etc/units/a.slice.d/x.conf -> : x",
            "/etc/units/a.slice.wants/b.service -> ../b.service: ",
            "/etc/units/folder.service -> : IsDir",
            "/etc/units/loop.service -> loop.service: Loop",
            "/etc/units/masked.service -> /dev/null: ",
            "/etc/units/odd.slice -> : Other(84)",
            "/etc/units/other.service -> /etc/units/a.slice: [Slice]\n",
            "/etc/units/out.service -> /../../../../etc/hostname: NoEnt",
            "/etc/units/pipe.slice -> : Inval",
            "/etc/units/socket@.service -> : Inval",
            "/etc/units/unrelated/y -> : y",
        ];
        assert_eq!(files.iter().map(shown).collect::<Vec<_>>(), want);
        drop(socket);
    }

    #[test]
    fn what_cannot_be_read_is_handed_over_one_by_one_with_its_reason() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let units = dir.path().join("etc/units");
        for directory in ["a.slice.d", "b.slice.d"] {
            fs::create_dir_all(units.join(directory)).expect("made");
        }
        fs::write(units.join("a.slice.d/x.conf"), "x").expect("written");
        fs::write(units.join("c.slice"), "c").expect("written");
        // Links in a circle cannot be opened by anybody, not even by root.
        symlink("loop.slice.d", units.join("loop.slice.d")).expect("made");
        symlink("a.slice.d", units.join("linked.slice.d")).expect("made");
        symlink("/etc/circle", dir.path().join("etc/circle")).expect("made");
        let store = Store::open(dir.path()).expect("opens");
        let mut files = Vec::new();
        ["/etc/circle", "/etc/units"].iter().for_each(|path| store.unit_files(path, &mut files));
        let shown = |file: &UnitFile| match &file.content {
            Content::Text(text) => format!("{}: {text}", file.path),
            Content::Unreadable(error) => format!("{}: {:?}", file.path, error.errno),
        };
        let want = [
            "/etc/circle: Loop",
            "/etc/units/a.slice.d/x.conf: x",
            "/etc/units/c.slice: c",
            "/etc/units/linked.slice.d/x.conf: x",
            "/etc/units/loop.slice.d: Loop",
        ];
        assert_eq!(files.iter().map(shown).collect::<Vec<_>>(), want);
    }
}
