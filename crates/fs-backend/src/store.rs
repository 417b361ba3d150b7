//! Records on disk: written aside and renamed over, below a prefix that no link leads out of.

use crate::errno::at;
use crate::root::open_stepwise;
use cgarbiter_core::OpError;
use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, symlinkat, unlinkat, write};
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

/// The file system below a prefix.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) root: OwnedFd,
    prefix: String,
    pub(crate) has_openat2: bool,
    /// The directory used last: records come in runs.
    last: Mutex<Option<(String, OwnedFd)>>,
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
        let (directory, name) = split(file);
        // Unless somebody has removed the directory.
        if let Some(done) = self.in_last(directory, |fd| put(fd, name, content, is_persistent(file))) {
            return done.map_err(self.at(file));
        }
        let fd = self.make_directory(directory).map_err(self.at(directory))?;
        put(&fd, name, content, is_persistent(file)).map_err(self.at(file))?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((directory.to_owned(), fd));
        Ok(())
    }

    /// Does something in the directory that was used last, if that is the one. None also when nothing is there any more
    /// by the name that it is about: then it may be another directory by now.
    fn in_last<T>(&self, directory: &str, act: impl FnOnce(&OwnedFd) -> Result<T>) -> Option<Result<T>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, fd) = last.as_ref().filter(|(path, _)| path == directory)?;
        match act(fd) {
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

fn put(directory: &OwnedFd, name: &str, content: &str, persistent: bool) -> Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o644);
    let file = openat(directory, ASIDE, flags, mode)?;
    let written = (|| {
        fchmod(&file, mode)?;
        write_all(&file, content.as_bytes())?;
        if persistent {
            fsync(&file)?;
        }
        renameat(directory, ASIDE, directory, name)
    })();
    if written.is_err() {
        let _ = unlink(directory, ASIDE, UnlinkatFlags::NoRemoveDir);
    } else if persistent {
        fsync(directory)?;
    }
    written
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
mod tests {
    use super::*;
    use std::fs;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(dir.path()).expect("opens");
        (dir, store)
    }

    /// A directory that was used last may be another one by now.
    #[test]
    fn a_directory_that_somebody_replaced_is_found_again() {
        let (dir, store) = store();
        let (file, here) = ("/run/x/transient/a.scope", dir.path().join("run/x/transient"));
        store.write(file, "old").expect("written");
        fs::rename(&here, dir.path().join("run/x/elsewhere")).expect("moved");
        fs::remove_file(dir.path().join("run/x/elsewhere/a.scope")).expect("removed");
        fs::create_dir(&here).expect("made");
        fs::write(here.join("a.scope"), "new").expect("written");
        assert_eq!(store.read(file).expect("read"), "new");
        store.write("/run/x/transient/b.scope", "b").expect("written");
        store.remove(file, false).expect("removed");
        assert_eq!(fs::read_dir(&here).expect("there").count(), 1);
        fs::remove_dir_all(&here).expect("removed");
        store.remove("/run/x/transient/b.scope", false).expect("one that has gone is fine");
        assert!(store.read(file).is_err());
    }

    #[test]
    fn a_record_is_written_over_and_removed() {
        let (dir, store) = store();
        let file = "/run/x/transient/a.scope";
        for content in ["[Unit]\n", "[Unit]\nDescription=b\n", ""] {
            store.write(file, content).expect("written");
            let path = dir.path().join(&file[1..]);
            assert_eq!(fs::read_to_string(path).expect("there"), content);
        }
        store.write("/etc/x/control/a.slice.d/50-CPUWeight.conf", "[Slice]\n").expect("written");
        let names = fs::read_dir(dir.path().join("run/x/transient")).expect("there").count();
        assert_eq!(names, 1, "nothing is left aside");
        store.remove(file, false).expect("removed");
        store.remove(file, false).expect("a missing one is fine");
        store.remove("/run/y/z/a.scope", false).expect("a missing directory is fine");
        store.remove("/etc/x/control/a.slice.d", true).expect("removed");
        store.remove("/etc/x/control/a.slice.d", true).expect("a missing one is fine");
        assert!(!dir.path().join("etc/x/control/a.slice.d").exists());
    }

    #[test]
    fn links_replace_what_was_there_and_empty_directories_go() {
        let (dir, store) = store();
        let path = dir.path().join("etc/u/a.target.wants/b.service");
        for target in ["/usr/u/b.service", "/dev/null"] {
            store.link("/etc/u/a.target.wants/b.service", target).expect("made");
            assert_eq!(fs::read_link(&path).expect("a link"), Path::new(target));
        }
        store.remove_empty("/etc/u/a.target.wants").expect("one that is not empty stays");
        assert_eq!(
            fs::read_dir(path.parent().expect("it has one")).expect("there").count(),
            1,
            "nothing is left aside"
        );
        store.remove("/etc/u/a.target.wants/b.service", false).expect("removed");
        for _ in 0..2 {
            store.remove_empty("/etc/u/a.target.wants").expect("a missing one is fine");
            assert!(!path.parent().expect("it has one").exists());
        }
        fs::create_dir_all(&path).expect("made");
        let error = store.link("/etc/u/a.target.wants/b.service", "/dev/null").expect_err("a directory is in the way");
        assert!(error.file.ends_with("/etc/u/a.target.wants/b.service"), "{error}");
        assert_eq!(
            fs::read_dir(path.parent().expect("it has one")).expect("there").count(),
            1,
            "nothing is left aside"
        );
    }

    #[test]
    fn a_directory_that_vanished_is_made_again() {
        let (dir, store) = store();
        store.write("/run/t/a.scope", "1").expect("written");
        fs::remove_dir_all(dir.path().join("run")).expect("removed");
        store.write("/run/t/a.scope", "2").expect("written");
        assert_eq!(fs::read_to_string(dir.path().join("run/t/a.scope")).expect("there"), "2");
    }

    #[test]
    fn whatever_becomes_of_an_entry_outside_of_run_is_on_the_disk() {
        let (_dir, store) = store();
        let kept = || std::mem::take(&mut *store.kept.lock().expect("not poisoned"));
        store.write("/etc/x/a.slice.d/50-TasksMax.conf", "[Slice]\n").expect("written");
        assert_eq!(kept(), ["/etc", "/etc/x", "/etc/x/a.slice.d"], "directories that were made, from the top down");
        store.rename("/etc/x/a.slice.d/50-TasksMax.conf", "/etc/y/a.conf").expect("moved");
        assert_eq!(kept(), ["/etc/y", "/etc/y/a.conf", "/etc/x/a.slice.d/50-TasksMax.conf"], "there, then not here");
        store.link("/etc/x/b.slice", "/dev/null").expect("made");
        store.remove("/etc/x/b.slice", false).expect("removed");
        store.remove_empty("/etc/x/a.slice.d").expect("removed");
        store.remove("/etc/y", true).expect("removed");
        assert_eq!(kept(), ["/etc/x/b.slice", "/etc/x/b.slice", "/etc/x/a.slice.d", "/etc/y"]);
        store.write("/run/x/a.scope", "").expect("written");
        store.remove("/run/x/a.scope", false).expect("removed");
        assert_eq!(kept(), ["/run"], "nothing below it outlives a boot");
    }

    #[test]
    fn no_link_leads_out() {
        let (dir, store) = store();
        let outside = tempfile::tempdir().expect("a temporary directory");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("etc")).expect("made");
        // The link's target is looked for inside of the prefix, where it is missing.
        let _ = store.write("/etc/a.scope", "x");
        assert_eq!(fs::read_dir(outside.path()).expect("there").count(), 0);
        fs::create_dir(dir.path().join("run")).expect("made");
        let victim = outside.path().join("victim");
        fs::write(&victim, "old").expect("written");
        std::os::unix::fs::symlink(&victim, dir.path().join("run/a.scope")).expect("made");
        store.write("/run/a.scope", "new").expect("the link itself is replaced");
        assert_eq!(fs::read_to_string(&victim).expect("there"), "old");
    }

    #[test]
    fn no_record_is_written_that_could_not_be_read() {
        let (_dir, store) = store();
        let largest = "x".repeat(RECORD_MAX as usize);
        store.write("/run/t/a.scope", &largest).expect("written");
        let error = store.write("/run/t/a.scope", &format!("{largest}x")).expect_err("refused");
        assert_eq!(error.errno.raw(), Errno::EFBIG as i32);
        store.renew("/run/t/a.scope", &format!("{largest}State=stop")).expect("its state has more to say");
        assert_eq!(store.read("/run/t/a.scope").expect("read").len(), largest.len() + 10);
    }

    #[test]
    fn errors_name_the_file() {
        let (dir, store) = store();
        fs::write(dir.path().join("run"), "a file in the way").expect("written");
        let error = store.write("/run/t/a.scope", "x").expect_err("refused");
        assert!(error.file.ends_with("/run/t"), "{error}");
    }
}
