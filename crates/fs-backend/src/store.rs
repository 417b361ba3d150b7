//! Records on disk: written aside and renamed over, below a prefix that no link leads out of.

use crate::errno::at;
use crate::root::open_stepwise;
use cgarbiter_core::{OpError, persist};
use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, symlinkat, unlinkat, write};
use rustix::fs::{RenameFlags, renameat_with};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The file beside a record while it is being written. There is one writer, and what a crash leaves is overwritten.
pub(crate) const ASIDE: &str = ".cgarbiter~";
/// Few records are larger than this.
const RECORD_USUAL: usize = 4096;
/// No record is made larger than this: `EFBIG`.
const RECORD_MAX: u64 = 1 << 20;
/// So much more may a record hold that is renewed: its settings stay, its state has more to say.
const RENEWED_MAX: u64 = RECORD_MAX + (64 << 10);

/// What may go when a record is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// Whatever is there.
    Anything,
    /// Nothing must be there: `EEXIST`.
    Nothing,
}

/// An open directory and what it is known by.
#[derive(Debug)]
struct Last {
    path: String,
    fd: OwnedFd,
    /// Device and inode.
    id: (u64, u64),
}

/// The file system below a prefix.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) root: OwnedFd,
    prefix: String,
    pub(crate) has_openat2: bool,
    /// The directory used last: records come in runs.
    last: Mutex<Option<Last>>,
    /// Entries whose directory has been written to the disk.
    #[cfg(test)]
    kept: Mutex<Vec<String>>,
}

impl Store {
    /// Opens the prefix, `/` for none; it is made when missing.
    pub(crate) fn open(prefix: &Path) -> std::result::Result<Self, OpError> {
        let shown = prefix.display().to_string();
        let fail = |e: std::io::Error| at(shown.clone())(Errno::from_raw(e.raw_os_error().unwrap_or(0)));
        std::fs::create_dir_all(prefix).map_err(fail)?;
        let root: OwnedFd = std::fs::File::open(prefix).map_err(fail)?.into();
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
        let has_openat2 = openat2(&root, ".", how).is_ok();
        let prefix = shown.trim_end_matches('/').to_owned();
        Ok(Self {
            root,
            prefix,
            has_openat2,
            last: Mutex::default(),
            #[cfg(test)]
            kept: Mutex::default(),
        })
    }

    /// Keeps others out of a directory, which is made when it is missing; none when somebody has it already.
    pub(crate) fn lock(&self, directory: &str) -> std::result::Result<Option<Flock<OwnedFd>>, OpError> {
        let fd = self.make_directory(directory).map_err(self.at(directory))?;
        match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(self.at(directory)(errno)),
        }
    }

    /// Puts a record in its place. It is there as a whole or not at all, whatever happens; outside `/run` it is also
    /// on the disk when this returns.
    pub(crate) fn write(&self, file: &str, content: &str) -> std::result::Result<(), OpError> {
        if content.len() as u64 > RECORD_MAX {
            return Err(self.at(file)(Errno::EFBIG));
        }
        self.renew(file, content)
    }

    /// The same for a record that is there already.
    pub(crate) fn renew(&self, file: &str, content: &str) -> std::result::Result<(), OpError> {
        self.place(file, content, Over::Anything)
    }

    /// The same for one of which nothing is known: what lies there and is no record stays, and the answer is `EEXIST`,
    /// whatever else stands in the way.
    pub(crate) fn write_first(&self, file: &str, content: &str) -> std::result::Result<(), OpError> {
        let written = match content.len() as u64 {
            0..=RECORD_MAX => self.place(file, content, Over::Nothing),
            _ => Err(self.at(file)(Errno::EFBIG)),
        };
        let Err(error) = written else { return Ok(()) };
        let raw = |error: &OpError| Errno::from_raw(error.errno.raw());
        match self.read(file) {
            // Left by an arbiter before this one, or by an attempt before.
            Ok(text) if persist::is_record(&text) && raw(&error) == Errno::EEXIST => self.write(file, content),
            Ok(text) if !persist::is_record(&text) => Err(self.at(file)(Errno::EEXIST)),
            // A link, a directory, what is no text or too much of it: no record was ever that.
            Err(other) if matches!(raw(&other), Errno::ELOOP | Errno::EISDIR | Errno::EILSEQ | Errno::EFBIG) => {
                Err(self.at(file)(Errno::EEXIST))
            }
            Ok(_) | Err(_) => Err(error),
        }
    }

    fn place(&self, file: &str, content: &str, over: Over) -> std::result::Result<(), OpError> {
        let (directory, name) = split(file);
        // Unless somebody has removed the directory.
        if let Some(done) = self.in_last(directory, |fd| put(fd, name, content, over, is_persistent(file))) {
            return done.map_err(self.at(file));
        }
        let fd = self.make_directory(directory).map_err(self.at(directory))?;
        put(&fd, name, content, over, is_persistent(file)).map_err(self.at(file))?;
        if let Ok(id) = fstat(&fd).map(|found| (found.st_dev, found.st_ino)) {
            let last = Last { path: directory.to_owned(), fd, id };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        }
        Ok(())
    }

    /// Does something in the directory that was used last, if that is the one, and still lies there: it may have been
    /// moved. None also when nothing is there any more by the name that it is about.
    fn in_last<T>(&self, directory: &str, act: impl FnOnce(&OwnedFd) -> Result<T>) -> Option<Result<T>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.as_ref().filter(|kept| kept.path == directory)?;
        // A link on the way may lead out of the prefix here; then it is not the one that was opened.
        let below = directory.strip_prefix('/').unwrap_or(".");
        let now = fstatat(&self.root, below, AtFlags::empty()).map(|found| (found.st_dev, found.st_ino));
        if now != Ok(kept.id) {
            *last = None;
            return None;
        }
        match act(&kept.fd) {
            Err(Errno::ENOENT) => {
                *last = None;
                None
            }
            done => Some(done),
        }
    }

    /// The content of a record.
    pub(crate) fn read(&self, file: &str) -> std::result::Result<String, OpError> {
        let (directory, name) = split(file);
        if let Some(read) = self.in_last(directory, |fd| content(fd, name)) {
            return read.map_err(self.at(file));
        }
        self.open_directory(directory).and_then(|fd| content(&fd, name)).map_err(self.at(file))
    }

    /// Removes a record, or a directory of records with what is in it; a missing one is fine.
    pub(crate) fn remove(&self, file: &str, directory: bool) -> std::result::Result<(), OpError> {
        let (parent, name) = split(file);
        if !directory
            && !is_persistent(file)
            && let Some(removed) = self.in_last(parent, |fd| unlinkat(fd, name, UnlinkatFlags::NoRemoveDir))
        {
            return removed.map_err(self.at(file));
        }
        let removed = match self.open_directory(parent) {
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => Err(errno),
            Ok(fd) => {
                let removed = match directory {
                    true => remove_directory(&fd, name),
                    false => unlink(&fd, name, UnlinkatFlags::NoRemoveDir),
                };
                removed.and_then(|()| self.keep(&fd, file))
            }
        };
        removed.map_err(self.at(file))
    }

    /// Puts a symbolic link in its place, in the same way; what it says is not looked at.
    pub(crate) fn link(&self, file: &str, target: &str) -> std::result::Result<(), OpError> {
        let (directory, name) = split(file);
        let fd = self.make_directory(directory).map_err(self.at(directory))?;
        let made = (|| {
            unlink(&fd, ASIDE, UnlinkatFlags::NoRemoveDir)?;
            symlinkat(target, &fd, ASIDE)?;
            renameat(&fd, ASIDE, &fd, name)?;
            self.keep(&fd, file)
        })();
        if made.is_err() {
            let _ = unlink(&fd, ASIDE, UnlinkatFlags::NoRemoveDir);
        }
        made.map_err(self.at(file))
    }

    /// Removes a directory that nothing is in.
    pub(crate) fn remove_empty(&self, path: &str) -> std::result::Result<(), OpError> {
        let (parent, name) = split(path);
        let removed = match self.open_directory(parent) {
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => Err(errno),
            Ok(fd) => unlink(&fd, name, UnlinkatFlags::RemoveDir).and_then(|()| self.keep(&fd, path)),
        };
        match removed {
            Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(()),
            Err(errno) => Err(self.at(path)(errno)),
        }
    }

    /// Gives a record, or a directory of records, another path; a missing one is fine.
    pub(crate) fn rename(&self, file: &str, to: &str) -> std::result::Result<(), OpError> {
        let ((from, name), (directory, new_name)) = (split(file), split(to));
        let from = match self.open_directory(from) {
            Err(Errno::ENOENT) => return Ok(()),
            opened => opened.map_err(self.at(file))?,
        };
        let directory = self.make_directory(directory).map_err(self.at(to))?;
        match renameat(&from, name, &directory, new_name) {
            // First where it is now: a power cut may leave both, and not neither.
            Ok(()) => self.keep(&directory, to).and_then(|()| self.keep(&from, file)).map_err(self.at(to)),
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.at(file)(errno)),
        }
    }

    /// Hands over the files in a directory, and those in its drop-in directories (`NAME.d`), each by its path and with
    /// its content. A missing directory has none.
    pub(crate) fn list(
        &self,
        path: &str,
        hand_over: &mut dyn FnMut(String, Result<String>),
    ) -> std::result::Result<(), OpError> {
        let directory = match self.open_directory(path) {
            Err(Errno::ENOENT) => return Ok(()),
            opened => opened.map_err(self.at(path))?,
        };
        for (name, is_directory) in entries(&directory).map_err(self.at(path))? {
            let file = format!("{path}/{name}");
            if !is_directory {
                hand_over(file, content(&directory, &name));
            } else if name.ends_with(".d") {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let inside = openat(&directory, name.as_str(), flags, Mode::empty()).map_err(self.at(&file))?;
                for (name, _) in entries(&inside).map_err(self.at(&file))?.into_iter().filter(|(_, is)| !is) {
                    hand_over(format!("{file}/{name}"), content(&inside, &name));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn at(&self, file: &str) -> impl FnOnce(Errno) -> OpError {
        at(format!("{}{file}", self.prefix))
    }

    fn make_directory(&self, path: &str) -> Result<OwnedFd> {
        match self.open_directory(path) {
            Err(Errno::ENOENT) if !path.is_empty() => {}
            opened => return opened,
        }
        let (parent, name) = split(path);
        let parent = self.make_directory(parent)?;
        match mkdirat(&parent, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) => self.keep(&parent, path)?,
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        self.open_directory(path)
    }

    /// What has just become of an entry of this directory is on the disk when this returns, unless the entry lives in
    /// `/run`.
    fn keep(&self, directory: &OwnedFd, entry: &str) -> Result<()> {
        if !is_persistent(entry) {
            return Ok(());
        }
        #[cfg(test)]
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(entry.to_owned());
        fsync(directory)
    }

    /// Links are followed inside of the prefix only.
    pub(crate) fn open_directory(&self, path: &str) -> Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let relative = if path.is_empty() { "." } else { &path[1..] };
        if self.has_openat2 {
            let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
            return openat2(&self.root, relative, OpenHow::new().flags(flags).resolve(resolve));
        }
        open_stepwise(self.root.as_fd(), relative, flags)
    }
}

fn put(directory: &OwnedFd, name: &str, content: &str, over: Over, persistent: bool) -> Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o644);
    let file = openat(directory, ASIDE, flags, mode)?;
    let written = (|| {
        fchmod(&file, mode)?;
        write_all(&file, content.as_bytes())?;
        if persistent {
            fsync(&file)?;
        }
        match over {
            Over::Anything => renameat(directory, ASIDE, directory, name),
            Over::Nothing => rename_to_nothing(directory, ASIDE, name),
        }
    })();
    if written.is_err() {
        let _ = unlink(directory, ASIDE, UnlinkatFlags::NoRemoveDir);
    } else if persistent {
        fsync(directory)?;
    }
    written
}

/// Gives a file a name that nothing has. File systems that cannot promise that (NFS, FUSE of old) are looked at first:
/// who comes between look and renaming is written over there. Making a link instead would leave no such gap, but is
/// refused by file systems that have none.
fn rename_to_nothing(directory: &OwnedFd, from: &str, to: &str) -> Result<()> {
    use rustix::io::Errno as Raw;
    match renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Raw::INVAL | Raw::NOSYS) => rename_if_free(directory, from, to),
        Err(errno) => Err(Errno::from_raw(errno.raw_os_error())),
    }
}

fn rename_if_free(directory: &OwnedFd, from: &str, to: &str) -> Result<()> {
    match fstatat(directory, to, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EEXIST),
        Err(Errno::ENOENT) => renameat(directory, from, directory, to),
        Err(errno) => Err(errno),
    }
}

fn write_all(file: &OwnedFd, mut content: &[u8]) -> Result<()> {
    while !content.is_empty() {
        match write(file, content) {
            Ok(0) => return Err(Errno::EIO),
            Ok(written) => content = &content[written..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The files of a drop-in directory and the directory; anything deeper in it is not ours and stays.
fn remove_directory(parent: &OwnedFd, name: &str) -> Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = match openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        opened => opened?,
    };
    let mut listing = nix::dir::Dir::openat(&directory, ".", flags, Mode::empty())?;
    let names: Vec<_> = listing.iter().filter_map(|entry| Some(entry.ok()?.file_name().to_owned())).collect();
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        match unlinkat(&directory, name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT | Errno::EISDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    unlink(parent, name, UnlinkatFlags::RemoveDir)
}

/// Names in a directory, sorted, and which of them are directories. What is being written aside is no record yet.
fn entries(directory: &OwnedFd) -> Result<Vec<(String, bool)>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listing = nix::dir::Dir::openat(directory, ".", flags, Mode::empty())?;
    let mut found = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let is_directory = match entry.file_type() {
            Some(kind) => kind == nix::dir::Type::Directory,
            None => {
                let stat = fstatat(directory, entry.file_name(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
                SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
            }
        };
        if let Ok(name) = entry.file_name().to_str()
            && !matches!(name, "." | ".." | ASIDE)
        {
            found.push((name.to_owned(), is_directory));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The text of a file; `EFBIG` when it is larger than any record, `EILSEQ` when it is no text.
fn content(directory: &OwnedFd, name: &str) -> Result<String> {
    // A pipe in its place would keep us waiting.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file: std::fs::File = openat(directory, name, flags, Mode::empty())?.into();
    // Room for most at once: it would be read in ever larger pieces, beginning with very small ones.
    let mut bytes = Vec::with_capacity(RECORD_USUAL);
    let read = file.take(RENEWED_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    if bytes.len() as u64 > RENEWED_MAX {
        return Err(Errno::EFBIG);
    }
    String::from_utf8(bytes).map_err(|_| Errno::EILSEQ)
}

fn unlink(directory: &OwnedFd, name: &str, flag: UnlinkatFlags) -> Result<()> {
    match unlinkat(directory, name, flag) {
        Err(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

/// Directory (empty for the top) and name of an absolute path.
fn split(path: &str) -> (&str, &str) {
    assert!(path.starts_with('/') && !path.contains("/../"), "records have absolute, normalized paths: {path}");
    path.rsplit_once('/').expect("it begins with a slash")
}

/// Whether a record is to be on the disk once it is said to be written: what lives in `/run` is gone after a boot in
/// any case.
#[must_use]
pub fn is_persistent(file: &str) -> bool {
    !file.starts_with("/run/")
}

#[cfg(test)]
mod tests;
