//! A walk over a cgroup and all below it. One directory is open at a time, however deep a tree a delegatee has made.

use crate::parse;
use crate::sys;
use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes for one reading of a directory.
const LISTING: usize = 32 * 1024;

/// What the walk has come to.
pub(crate) enum Visit<'a> {
    /// Into a directory, before those below it. The path is relative to where the walk began: empty or `/a/b`.
    Enter { directory: BorrowedFd<'a>, path: &'a [u8] },
    /// Out of a directory, after those below it.
    Leave { parent: BorrowedFd<'a>, name: &'a CString },
}

/// Walks depth first, a cgroup before its children. Directories that vanish meanwhile are passed over. The top itself
/// is entered but not left, since its parent is not ours to touch.
pub(crate) fn walk(top: BorrowedFd<'_>, mut visit: impl FnMut(Visit<'_>) -> Result<()>) -> Result<()> {
    let mut listing = vec![0_u8; LISTING];
    let mut here = reopen(top, c".")?;
    let mut path: Vec<u8> = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    visit(Visit::Enter { directory: here.as_fd(), path: &path })?;
    let mut below = list(here.as_fd(), &mut listing)?;
    loop {
        if let Some(name) = below.pop() {
            let Some(child) = enter(here.as_fd(), &name)? else { continue };
            path.push(b'/');
            path.extend(name.as_bytes());
            here = child;
            levels.push(Level { name, siblings: below });
            visit(Visit::Enter { directory: here.as_fd(), path: &path })?;
            below = list(here.as_fd(), &mut listing)?;
        } else {
            let Some(level) = levels.pop() else { return Ok(()) };
            // A cgroup cannot be renamed, so that the way up is the way down.
            here = reopen(here.as_fd(), c"..")?;
            path.truncate(path.len() - level.name.as_bytes().len() - 1);
            visit(Visit::Leave { parent: here.as_fd(), name: &level.name })?;
            below = level.siblings;
        }
    }
}

/// A directory on the way down, and what is still to be visited beside it.
struct Level {
    name: CString,
    siblings: Vec<CString>,
}

fn enter(directory: BorrowedFd<'_>, name: &CString) -> Result<Option<OwnedFd>> {
    match reopen(directory, name) {
        Ok(child) => Ok(Some(child)),
        Err(Errno::ENOENT | Errno::ENODEV) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn reopen(directory: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Names of the sub-directories.
pub(crate) fn children(directory: BorrowedFd<'_>) -> Result<Vec<CString>> {
    list(directory, &mut vec![0_u8; LISTING])
}

fn list(directory: BorrowedFd<'_>, listing: &mut [u8]) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    loop {
        let read = match sys::getdents(directory, listing) {
            Ok(0) | Err(Errno::ENOENT | Errno::ENODEV) => return Ok(names),
            Ok(read) => read,
            Err(errno) => return Err(errno),
        };
        names.extend(parse::directories(&listing[..read]).filter_map(|name| CString::new(name).ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{UnlinkatFlags, unlinkat};

    #[test]
    fn parents_come_before_children_and_are_left_after_them() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("a/b")).expect("made");
        std::fs::create_dir(dir.path().join("c")).expect("made");
        std::fs::write(dir.path().join("a/file"), "").expect("made");
        let top = std::fs::File::open(dir.path()).expect("opens");
        let mut seen = Vec::new();
        walk(top.as_fd(), |visit| {
            seen.push(match visit {
                Visit::Enter { path, .. } => format!("> {}", String::from_utf8_lossy(path)),
                Visit::Leave { name, .. } => format!("< {}", name.to_string_lossy()),
            });
            Ok(())
        })
        .expect("walks");
        let place = |word: &str| seen.iter().position(|s| s == word).expect("visited");
        assert_eq!(seen.len(), 7);
        assert_eq!(place("> "), 0);
        assert!(place("> /a") < place("> /a/b") && place("> /a/b") < place("< b") && place("< b") < place("< a"));
    }

    #[test]
    fn deeper_than_any_path_may_be_long() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let top = std::fs::File::open(dir.path()).expect("opens");
        let name = CString::new("d".repeat(100)).expect("no NUL");
        let mut here = reopen(top.as_fd(), c".").expect("opens");
        for _ in 0..100 {
            nix::sys::stat::mkdirat(&here, name.as_c_str(), Mode::S_IRWXU).expect("made");
            here = reopen(here.as_fd(), &name).expect("opens");
        }
        let mut removed = 0;
        walk(top.as_fd(), |visit| match visit {
            Visit::Enter { .. } => Ok(()),
            Visit::Leave { parent, name } => {
                removed += 1;
                unlinkat(parent, name.as_c_str(), UnlinkatFlags::RemoveDir)
            }
        })
        .expect("walks");
        assert_eq!(removed, 100);
    }
}
