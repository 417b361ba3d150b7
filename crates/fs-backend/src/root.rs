//! The managed root: which directory it is, whether we may own it, and how paths are resolved beneath it.

use crate::errno::at;
use crate::{parse, sys};
use cgarbiter_core::OpError;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::CgroupPath;
use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use nix::unistd::{AccessFlags, faccessat, write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where cgroup2 is mounted on a unified and on a hybrid host.
const USUAL_MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Which root the operator wants.
#[derive(Clone, Debug, Default)]
pub struct RootChoice {
    /// A directory of a cgroup2 mount; none looks for the mount.
    pub path: Option<PathBuf>,
    /// Work in a tree that systemd owns, although it was not delegated.
    pub beside_systemd: bool,
}

/// Why there is no root to manage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// No mount.
    #[error("no cgroup2 file system is mounted; mount one (mount -t cgroup2 cgroup2 /sys/fs/cgroup) or name a root")]
    NotMounted,
    /// The directory cannot be opened.
    #[error("cannot open the root {path}: {errno}")]
    Open {
        /// Which.
        path: String,
        /// Why.
        errno: Errno,
    },
    /// Another file system.
    #[error("{path} is not in a cgroup2 file system")]
    NotCgroup2 {
        /// Which.
        path: String,
    },
    /// No permission.
    #[error(
        "{path} cannot be written ({errno}); the arbiter needs to own the directory and its cgroup.procs and cgroup.subtree_control"
    )]
    NotWritable {
        /// The first file that refused.
        path: String,
        /// How.
        errno: Errno,
    },
    /// Somebody else's.
    #[error(
        "process 1 is systemd, which owns {path}; run below a unit with Delegate=yes and name its cgroup as the root"
    )]
    OwnedBySystemd {
        /// Which.
        path: String,
    },
}

/// The opened root.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    /// Absolute path of the directory, without a slash at the end.
    directory: String,
    /// Below the mount: empty or `/a/b`.
    path: String,
    /// As `/proc/PID/cgroup` shows it: empty or `/a/b`.
    proc_prefix: String,
    options: Vec<String>,
    /// The root of the whole hierarchy, which has rules of its own.
    top: bool,
    has_openat2: bool,
}

impl Root {
    /// Finds, checks and opens it.
    ///
    /// # Errors
    /// [`RootError`], in words for the operator.
    pub fn find(choice: &RootChoice) -> std::result::Result<Self, RootError> {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mounts = parse::cgroup_mounts(&text);
        let wanted = match &choice.path {
            Some(path) => path.clone(),
            None => usual_mount(&mounts).ok_or(RootError::NotMounted)?,
        };
        let root = Self::open(&wanted, &mounts)?;
        root.check_writable()?;
        let systemd = is_systemd(&std::fs::read_to_string("/proc/1/comm").unwrap_or_default());
        if systemd && !choice.beside_systemd && !root.is_delegated() {
            return Err(RootError::OwnedBySystemd { path: root.directory });
        }
        Ok(root)
    }

    fn open(wanted: &Path, mounts: &[parse::CgroupMount]) -> std::result::Result<Self, RootError> {
        let shown = wanted.display().to_string();
        let fail = |errno| RootError::Open { path: shown.clone(), errno };
        let real = wanted.canonicalize().map_err(|e| fail(Errno::from_raw(e.raw_os_error().unwrap_or(0))))?;
        let directory = real.to_str().ok_or_else(|| fail(Errno::EILSEQ))?.trim_end_matches('/').to_owned();
        let fd = open_directory(&real).map_err(fail)?;
        let kind = fstatfs(&fd).map_err(fail)?.filesystem_type();
        let mount = mounts.iter().filter(|m| real.starts_with(&m.point)).max_by_key(|m| m.point.len());
        let Some(mount) = mount.filter(|_| kind == CGROUP2_SUPER_MAGIC) else {
            return Err(RootError::NotCgroup2 { path: shown });
        };
        let path = directory[mount.point.trim_end_matches('/').len().min(directory.len())..].to_owned();
        let proc_prefix = format!("{}{path}", mount.shows.trim_end_matches('/'));
        let top = faccessat(&fd, "cgroup.type", AccessFlags::F_OK, AtFlags::empty()) == Err(Errno::ENOENT);
        let mut root =
            Self { fd, directory, path, proc_prefix, options: mount.options.clone(), top, has_openat2: true };
        root.has_openat2 = root.open_beneath(".", OFlag::O_PATH | OFlag::O_DIRECTORY).is_ok();
        Ok(root)
    }

    fn check_writable(&self) -> std::result::Result<(), RootError> {
        for file in [".", "cgroup.procs", "cgroup.subtree_control"] {
            faccessat(&self.fd, file, AccessFlags::W_OK, AtFlags::AT_EACCESS).map_err(|errno| {
                let path = if file == "." { self.directory.clone() } else { format!("{}/{file}", self.directory) };
                RootError::NotWritable { path, errno }
            })?;
        }
        Ok(())
    }

    /// Whether this directory, or one above it, bears the mark of delegation.
    fn is_delegated(&self) -> bool {
        let levels = self.path.matches('/').count();
        Path::new(&self.directory).ancestors().take(levels + 1).any(|directory| {
            open_directory(directory).is_ok_and(|fd| {
                [c"trusted.delegate", c"user.delegate"].iter().any(|name| {
                    let mut value = [0_u8; 8];
                    sys::get_xattr(fd.as_fd(), name, &mut value).is_ok_and(|n| &value[..n] == b"1")
                })
            })
        })
    }

    /// Path below the mount as clients see it: empty when it is the top.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Absolute path of the directory.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Options of the hierarchy, as mountinfo names them.
    #[must_use]
    pub fn mount_options(&self) -> &[String] {
        &self.options
    }

    /// Whether it is the root of the whole hierarchy, which accepts processes always.
    #[must_use]
    pub fn is_top(&self) -> bool {
        self.top
    }

    pub(crate) fn has_openat2(&self) -> bool {
        self.has_openat2
    }

    /// Controllers that can be handed down.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn supported(&self) -> std::result::Result<ControllerMask, OpError> {
        self.controllers("cgroup.controllers")
    }

    /// Controllers that are handed down now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn enabled(&self) -> std::result::Result<ControllerMask, OpError> {
        self.controllers("cgroup.subtree_control")
    }

    fn controllers(&self, file: &str) -> std::result::Result<ControllerMask, OpError> {
        self.read(file).map(|text| ControllerMask::parse(&text))
    }

    /// Reads a file of the root itself.
    pub(crate) fn read(&self, file: &str) -> std::result::Result<String, OpError> {
        let path = format!("{}/{file}", self.directory);
        std::fs::read_to_string(&path).map_err(|e| at(path)(Errno::from_raw(e.raw_os_error().unwrap_or(0))))
    }

    /// Processes that stand in the way of handing domain controllers down: those directly in the root, unless it is the
    /// top of the hierarchy. A process outside our pid namespace shows as 0.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn internal_processes(&self) -> std::result::Result<Vec<u32>, OpError> {
        if self.top {
            return Ok(Vec::new());
        }
        Ok(self.read("cgroup.procs")?.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Moves processes of the root to a leaf below it (`init.scope`), which is made when missing. Those that have ended
    /// are passed over, and so are those outside our pid namespace. Answers how many were moved.
    ///
    /// # Errors
    /// The first refusal; the processes before it have moved.
    pub fn move_to_leaf(&self, leaf: &str, pids: &[u32]) -> std::result::Result<u32, OpError> {
        let directory = format!("{}/{leaf}", self.directory);
        match mkdirat(&self.fd, leaf, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(at(directory)(errno)),
        }
        let file = format!("{directory}/cgroup.procs");
        let procs = self
            .open_beneath(&format!("{leaf}/cgroup.procs"), OFlag::O_WRONLY)
            .map_err(|errno| at(file.clone())(errno))?;
        let mut moved = 0;
        // 0 would mean ourselves; here it stands for a process that cannot be named.
        for pid in pids.iter().filter(|pid| **pid != 0) {
            match write(&procs, pid.to_string().as_bytes()) {
                Ok(_) => moved += 1,
                Err(Errno::ESRCH) => {}
                Err(errno) => return Err(at(file)(errno)),
            }
        }
        Ok(moved)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Opens the directory of a cgroup.
    pub(crate) fn open_cgroup(&self, cgroup: &CgroupPath) -> Result<OwnedFd> {
        let relative = cgroup.as_str().strip_prefix('/').unwrap_or(".");
        self.open_beneath(relative, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// Opens what `relative` names, never leaving the root and never following a link.
    pub(crate) fn open_beneath(&self, relative: &str, flags: OFlag) -> Result<OwnedFd> {
        let flags = flags | OFlag::O_CLOEXEC;
        if self.has_openat2 {
            let resolve = ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS
                | ResolveFlag::RESOLVE_NO_XDEV;
            return openat2(&self.fd, relative, OpenHow::new().flags(flags).resolve(resolve));
        }
        open_stepwise(self.fd.as_fd(), relative, flags)
    }

    /// Absolute path of a file of a cgroup, for messages and for inotify; an empty `file` names the directory.
    pub(crate) fn path_of(&self, cgroup: &CgroupPath, file: &str) -> String {
        let slash = if file.is_empty() { "" } else { "/" };
        format!("{}{}{slash}{file}", self.directory, cgroup.as_str())
    }

    /// The cgroup below the root that `/proc/PID/cgroup` names; none when it lies outside or is gone.
    pub(crate) fn below(&self, proc_path: &str) -> Option<CgroupPath> {
        let rest = proc_path.strip_prefix(self.proc_prefix.as_str())?;
        let gone = rest.ends_with(" (deleted)");
        // Below "/a" lies "/a/b", not "/ab"; the top itself shows as "/".
        let inside = rest.is_empty() || rest.starts_with('/');
        if gone || !inside { None } else { CgroupPath::parse(rest) }
    }
}

fn usual_mount(mounts: &[parse::CgroupMount]) -> Option<PathBuf> {
    let is_mounted = |path: &&str| mounts.iter().any(|m| m.point == **path);
    let usual = USUAL_MOUNTS.iter().find(|path| is_mounted(path)).map(PathBuf::from);
    usual.or_else(|| mounts.first().map(|m| PathBuf::from(&m.point)))
}

/// The directory `/run/systemd/system` alone says nothing: it is also made to look like systemd.
fn is_systemd(comm: &str) -> bool {
    comm.trim_end() == "systemd" && Path::new("/run/systemd/system").is_dir()
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    nix::fcntl::open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// The way without openat2: one component at a time, none of which may be a link or lead up.
pub(crate) fn open_stepwise(from: BorrowedFd<'_>, relative: &str, flags: OFlag) -> Result<OwnedFd> {
    let mut parts = relative.split('/').filter(|part| !part.is_empty()).peekable();
    let mut here: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        if part == ".." {
            return Err(Errno::EXDEV);
        }
        let step = if parts.peek().is_some() { OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC } else { flags };
        let directory = here.as_ref().map_or(from, AsFd::as_fd);
        here = Some(openat(directory, part, step | OFlag::O_NOFOLLOW, Mode::empty())?);
    }
    here.ok_or(Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(proc_prefix: &str) -> Root {
        Root {
            fd: open_directory(Path::new("/")).expect("the root directory opens"),
            directory: "/sys/fs/cgroup/a".into(),
            path: "/a".into(),
            proc_prefix: proc_prefix.into(),
            options: Vec::new(),
            top: false,
            has_openat2: false,
        }
    }

    #[test]
    fn where_a_process_is_below_the_root() {
        let root_a = root("/a");
        let below = |path| root_a.below(path).map(|c| c.as_str().to_owned());
        assert_eq!(below("/a"), Some(String::new()));
        assert_eq!(below("/a/b.slice/c.scope"), Some("/b.slice/c.scope".into()));
        for outside in ["/", "/ab", "/b", "/..", "/a/b (deleted)"] {
            assert_eq!(below(outside), None, "{outside}");
        }
        assert_eq!(root("").below("/").map(|c| c.is_root()), Some(true));
        assert_eq!(root("").below("/x.scope").map(|c| c.as_str().to_owned()), Some("/x.scope".into()));
    }

    #[test]
    fn paths_for_people() {
        let cgroup = CgroupPath::parse("/b.scope").expect("valid");
        assert_eq!(root("").path_of(&cgroup, "cgroup.procs"), "/sys/fs/cgroup/a/b.scope/cgroup.procs");
        assert_eq!(root("").path_of(&CgroupPath::root(), ""), "/sys/fs/cgroup/a");
    }

    #[test]
    fn steps_follow_no_link_and_lead_nowhere_up() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("a/b")).expect("made");
        std::os::unix::fs::symlink("a", dir.path().join("link")).expect("made");
        let fd = open_directory(dir.path()).expect("opens");
        let open = |path| open_stepwise(fd.as_fd(), path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        assert!(open("a/b").is_ok());
        assert!(open(".").is_ok());
        assert!(open("link/b").is_err());
        assert_eq!(open("a/../a").err(), Some(Errno::EXDEV));
        assert_eq!(open("missing").err(), Some(Errno::ENOENT));
    }

    #[test]
    fn other_file_systems_are_refused() {
        let choice = RootChoice { path: Some("/proc".into()), beside_systemd: false };
        assert_eq!(Root::find(&choice).err(), Some(RootError::NotCgroup2 { path: "/proc".into() }));
        let choice = RootChoice { path: Some("/does/not/exist".into()), beside_systemd: false };
        assert!(matches!(Root::find(&choice), Err(RootError::Open { errno: Errno::ENOENT, .. })));
    }
}
