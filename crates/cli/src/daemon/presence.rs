//! Sockets on disk, one daemon for each, and what makes software find us where it looks for systemd.

use super::replace::Inherited;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Its existence says "booted with systemd" (`sd_booted`).
const BOOTED: &str = "/run/systemd/system";
/// Says that the directory was made by an arbiter.
const BOOTED_MARK: &str = "/run/cgarbiter/made-run-systemd-system";
/// Where systemd's own tools connect to as root.
pub(super) const PRIVATE_SOCKET: &str = "/run/systemd/private";

/// A bound socket that only we serve; its file goes with it.
pub(super) struct Socket {
    path: PathBuf,
    /// The listening socket once more, for a successor.
    listener: UnixListener,
    /// Held for as long as we serve.
    _lock: Flock<File>,
}

impl Socket {
    /// Takes the socket over from a predecessor, or binds the path, in place of a socket that a dead daemon left.
    ///
    /// # Errors
    /// Another daemon serves it, or the directory cannot be written.
    pub(super) fn bind(path: &Path, open: bool, inherited: &mut Inherited) -> io::Result<(Self, UnixListener)> {
        if let Some(directory) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
        }
        let lock = lock(path)?;
        let listener = match inherited.take(path) {
            Some(listener) => listener,
            None => bind_anew(path)?,
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(if open { 0o666 } else { 0o600 }))?;
        listener.set_nonblocking(true)?;
        Ok((Self { path: path.to_owned(), listener: listener.try_clone()?, _lock: lock }, listener))
    }

    /// Closes what a predecessor has served and nobody serves any more: who connects there shall not wait for ever.
    pub(super) fn close_unclaimed(inherited: &mut Inherited) {
        for (path, listener) in inherited.drain() {
            drop(listener);
            // Somebody else may have come to serve it since.
            if let Ok(_lock) = lock(&path) {
                let _ = std::fs::remove_file(&path);
            }
            tracing::info!("no longer serving {}", path.display());
        }
    }

    /// Where connections wait.
    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Takes the place of a socket that a daemon before has left. Whatever else lies there is somebody's, and stays.
fn bind_anew(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "what lies there is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    UnixListener::bind(path)
}

fn lock(path: &Path) -> io::Result<Flock<File>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&name)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EAGAIN => io::Error::new(io::ErrorKind::AddrInUse, "another cgarbiterd serves this socket"),
        errno => errno.into(),
    })
}

/// The directory that says "booted with systemd": made once the sockets answer, removed before they close.
pub(super) struct Booted {
    made: bool,
}

impl Booted {
    /// Makes it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn announce() -> io::Result<Self> {
        let mark = Path::new(BOOTED_MARK);
        // The mark outlives a daemon that was killed, so that the next one knows whose the directory is.
        let made = mark.exists() || !Path::new(BOOTED).is_dir();
        let make = |path: &str| std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
        if made {
            make("/run/cgarbiter")?;
            File::create(mark)?;
        }
        make(BOOTED)?;
        Ok(Self { made })
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        if self.made {
            // Not empty: somebody keeps unit files there, and it stays.
            let _ = std::fs::remove_dir(BOOTED);
            let _ = std::fs::remove_file(BOOTED_MARK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_the_place_of_a_socket_and_of_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        drop(bind_anew(&path).expect("nothing is there"));
        drop(bind_anew(&path).expect("nobody serves the one that is there"));
        let notes = directory.path().join("notes");
        std::fs::write(&notes, "mine").expect("written");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        for others in [&notes, &link] {
            assert_eq!(bind_anew(others).expect_err("it is somebody's").kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(std::fs::read_to_string(&notes).expect("it stays"), "mine");
        assert!(std::fs::symlink_metadata(&link).expect("it stays").file_type().is_symlink());
    }
}
