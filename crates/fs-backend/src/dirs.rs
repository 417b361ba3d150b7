//! Open directories of the cgroups that were used last, so that the steps of one plan do not resolve the same path
//! anew.

use crate::root::Root;
use cgarbiter_core::names::CgroupPath;
use nix::Result;
use nix::errno::Errno;
use nix::sys::stat::fstat;
use std::os::fd::OwnedFd;

/// How many are kept: the slices above and the cgroup that a plan is about, for a few plans.
const KEPT: usize = 16;

/// An open cgroup.
#[derive(Debug)]
pub(crate) struct Dir {
    pub(crate) fd: OwnedFd,
    /// Inode number of the directory, which is the cgroup's id.
    pub(crate) id: u64,
}

/// The least recently used goes first.
#[derive(Debug, Default)]
pub(crate) struct Dirs {
    /// Most recently used last.
    kept: Vec<(CgroupPath, Dir)>,
}

impl Dirs {
    /// Does something in the directory of a cgroup. When a kept directory turns out to be gone, the path is resolved
    /// once more: another cgroup may have its name now.
    pub(crate) fn with<T>(
        &mut self,
        root: &Root,
        cgroup: &CgroupPath,
        mut act: impl FnMut(&Dir) -> Result<T>,
    ) -> Result<T> {
        if let Some(dir) = self.find(cgroup) {
            match act(dir) {
                Err(Errno::ENOENT | Errno::ENODEV) => self.forget(cgroup),
                done => return done,
            }
        }
        act(self.open(root, cgroup)?)
    }

    /// Opens the directory anew, whatever was kept.
    pub(crate) fn open(&mut self, root: &Root, cgroup: &CgroupPath) -> Result<&Dir> {
        let fd = root.open_cgroup(cgroup)?;
        let id = fstat(&fd)?.st_ino;
        Ok(self.keep(cgroup.clone(), Dir { fd, id }))
    }

    /// Keeps an opened directory.
    pub(crate) fn keep(&mut self, cgroup: CgroupPath, dir: Dir) -> &Dir {
        self.forget(&cgroup);
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push((cgroup, dir));
        &self.kept[self.kept.len() - 1].1
    }

    /// Closes the directory of a cgroup that is to go, or is gone.
    pub(crate) fn forget(&mut self, cgroup: &CgroupPath) {
        self.kept.retain(|(path, _)| path != cgroup);
    }

    /// Closes everything below a cgroup, and itself.
    pub(crate) fn forget_below(&mut self, cgroup: &CgroupPath) {
        self.kept.retain(|(path, _)| {
            let rest = path.as_str().strip_prefix(cgroup.as_str());
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }

    fn find(&mut self, cgroup: &CgroupPath) -> Option<&Dir> {
        let index = self.kept.iter().rposition(|(path, _)| path == cgroup)?;
        let last = self.kept.len() - 1;
        self.kept[index..].rotate_left(1);
        Some(&self.kept[last].1)
    }
}
