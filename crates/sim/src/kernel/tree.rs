//! Directories: making, removing and finding cgroups. Every step of a path is one look-up by name, and the number of
//! siblings does not matter.

use std::sync::Arc;

use super::access::{Caller, EXECUTE, WRITE};
use super::cgroup::{Attributes, Cgroup, CgroupId};
use super::files::File;
use super::notices::Notice;
use super::{Errno, Kernel};

/// The longest path of one system call, without its terminator.
const PATH_MAX: usize = 4095;

impl Kernel {
    /// Makes a cgroup with mode 0755, owned by the caller.
    ///
    /// # Errors
    /// `EACCES` when the parent cannot be searched, `EEXIST` (also for the name of a file that is there), `EACCES`,
    /// `EINVAL` for a newline in the name, `EAGAIN` over a limit of depth or number; in this order.
    pub fn mkdir(&mut self, who: &Caller, parent: CgroupId, name: &[u8]) -> Result<CgroupId, Errno> {
        let above = self.live(parent)?;
        if name.is_empty() || name.len() > PATH_MAX {
            return Err(if name.is_empty() { Errno::ENOENT } else { Errno::ENAMETOOLONG });
        }
        self.permit_directory(who, above, EXECUTE)?;
        let taken = name == b"." || name == b".." || self.cgroups[above].children.contains_key(name);
        if taken || File::from_name(name).is_some_and(|file| self.has_file(above, file)) {
            return Err(Errno::EEXIST);
        }
        self.permit_directory(who, above, WRITE | EXECUTE)?;
        if name.contains(&b'\n') || name.contains(&b'/') || name.contains(&0) {
            return Err(Errno::EINVAL);
        }
        self.check_limits(above)?;
        let attributes = Attributes { uid: who.uid, gid: who.gid, mode: 0o755 };
        Ok(self.add_child(above, Arc::from(name), attributes))
    }

    /// Every ancestor is asked: one more descendant, so deep below you?
    fn check_limits(&self, parent: u32) -> Result<(), Errno> {
        let (mut above, mut level) = (Some(parent), 1);
        while let Some(index) = above {
            let cgroup = &self.cgroups[index];
            if i64::from(cgroup.descendants) >= i64::from(cgroup.max_descendants) || level > cgroup.max_depth {
                return Err(Errno::EAGAIN);
            }
            (above, level) = (cgroup.parent, level + 1);
        }
        Ok(())
    }

    fn add_child(&mut self, parent: u32, name: Arc<[u8]>, attributes: Attributes) -> CgroupId {
        let depth = self.cgroups[parent].depth + 1;
        let child = self.cgroups.insert(Cgroup::new(Arc::clone(&name), Some(parent), depth, attributes));
        self.cgroups[child].domain = child;
        self.cgroups[parent].pins += 1;
        let previous = self.cgroups[parent].children.insert(name, child);
        assert!(previous.is_none(), "the name was free");
        self.count_descendants(child, 1);
        self.inherit_freeze(parent, child);
        self.inherit_controllers(parent, child);
        self.cgroups[parent].changes.created += 1;
        let id = self.id(child);
        self.notices.push(Notice::Created { parent: self.id(parent), child: id });
        id
    }

    fn count_descendants(&mut self, child: u32, change: i32) {
        let mut above = self.cgroups[child].parent;
        while let Some(index) = above {
            let cgroup = &mut self.cgroups[index];
            cgroup.descendants = cgroup.descendants.checked_add_signed(change).expect("descendants are counted");
            above = cgroup.parent;
        }
    }

    /// Removes a cgroup without processes and children.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES` without permission on the parent (for the root: unless privileged), `EPERM` in a sticky one,
    /// `EBUSY` for the root, when populated or with children; in this order.
    pub fn rmdir(&mut self, who: &Caller, id: CgroupId) -> Result<(), Errno> {
        let index = self.live(id)?;
        let Some(parent) = self.cgroups[index].parent else {
            return Err(if who.privileged() { Errno::EBUSY } else { Errno::EACCES });
        };
        self.permit_directory(who, parent, WRITE | EXECUTE)?;
        self.permit_sticky(who, parent, self.cgroups[index].directory.uid)?;
        if self.cgroups[index].holds_tasks() || !self.cgroups[index].children.is_empty() {
            return Err(Errno::EBUSY);
        }
        self.destroy(parent, index);
        Ok(())
    }

    fn destroy(&mut self, parent: u32, index: u32) {
        let id = self.id(index);
        self.forget_leaving(index);
        self.drop_controllers(index);
        self.count_descendants(index, -1);
        let name = Arc::clone(&self.cgroups[index].name);
        let removed = self.cgroups[parent].children.remove(&name);
        assert!(removed == Some(index), "the parent knows its child");
        if self.is_threaded(index) {
            self.cgroups[parent].threaded_children -= 1;
        }
        let gone = &mut self.cgroups[index];
        gone.live = false;
        gone.xattrs = None;
        gone.bpf = None;
        self.cgroups[parent].changes.deleted += 1;
        self.notices.push(Notice::Deleted { parent: self.id(parent), child: id });
        self.release(index);
    }

    /// One more reference to an entry.
    pub(super) fn pin(&mut self, index: u32) {
        self.cgroups[index].pins += 1;
    }

    /// One reference less.
    pub(super) fn unpin(&mut self, index: u32) {
        let cgroup = &mut self.cgroups[index];
        cgroup.pins = cgroup.pins.checked_sub(1).expect("only what was pinned is released");
        self.release(index);
    }

    /// Frees the entries of removed cgroups that nobody refers to any more, upwards.
    fn release(&mut self, index: u32) {
        let mut next = Some(index);
        while let Some(index) = next {
            if self.cgroups[index].live || self.cgroups[index].pins > 0 {
                return;
            }
            let gone = self.cgroups.remove(index);
            assert!(gone.tasks.is_empty() && gone.children.is_empty(), "an entry is freed when it is empty");
            next = gone.parent;
            if let Some(parent) = next {
                self.cgroups[parent].pins -= 1;
            }
        }
    }

    /// The entry of a cgroup that has not been removed.
    pub(super) fn live(&self, id: CgroupId) -> Result<u32, Errno> {
        let index = id.index();
        match self.cgroups.find(index, id.generation()) {
            Some(cgroup) if cgroup.live => Ok(index),
            _ => Err(Errno::ENOENT),
        }
    }

    pub(super) fn id(&self, index: u32) -> CgroupId {
        CgroupId::new(index, self.cgroups.generation(index))
    }

    /// Is this cgroup there, that is, made and not removed?
    #[must_use]
    pub fn exists(&self, id: CgroupId) -> bool {
        self.live(id).is_ok()
    }

    /// The parent; `None` for the root and for what is not there.
    #[must_use]
    pub fn parent(&self, id: CgroupId) -> Option<CgroupId> {
        let index = self.live(id).ok()?;
        self.cgroups[index].parent.map(|parent| self.id(parent))
    }

    /// The child of this name.
    #[must_use]
    pub fn child(&self, id: CgroupId, name: &[u8]) -> Option<CgroupId> {
        let index = self.live(id).ok()?;
        self.cgroups[index].children.get(name).map(|child| self.id(*child))
    }

    /// Children with their names, sorted by name.
    pub fn children(&self, id: CgroupId) -> impl Iterator<Item = (&[u8], CgroupId)> {
        let children = self.live(id).ok().map(|index| self.cgroups[index].children.iter());
        children.into_iter().flatten().map(|(name, child)| (&**name, self.id(*child)))
    }

    /// Number of cgroups, the root included.
    #[must_use]
    pub fn cgroup_count(&self) -> usize {
        self.cgroups[CgroupId::ROOT.index()].descendants as usize + 1
    }

    /// The cgroup of an absolute path inside the hierarchy, as the caller may walk it.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR` when a step is an interface file, `EACCES` when a directory may not be searched.
    pub fn lookup(&self, who: &Caller, path: &[u8]) -> Result<CgroupId, Errno> {
        if path.len() > PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut index = CgroupId::ROOT.index();
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            index = self.step(who, index, name)?;
        }
        Ok(self.id(index))
    }

    fn step(&self, who: &Caller, index: u32, name: &[u8]) -> Result<u32, Errno> {
        self.permit_directory(who, index, EXECUTE)?;
        if let Some(child) = self.cgroups[index].children.get(name) {
            return Ok(*child);
        }
        let file = File::from_name(name).is_some_and(|file| self.has_file(index, file));
        Err(if file { Errno::ENOTDIR } else { Errno::ENOENT })
    }

    /// The absolute path of a cgroup; of a removed one, the path that it had.
    #[must_use]
    pub fn path(&self, id: CgroupId) -> Vec<u8> {
        match self.cgroups.find(id.index(), id.generation()) {
            Some(_) => self.path_below(CgroupId::ROOT.index(), id.index()),
            None => Vec::new(),
        }
    }

    /// The path of a cgroup as seen from another: `/..` for each step up.
    pub(super) fn path_below(&self, base: u32, index: u32) -> Vec<u8> {
        let common = self.common_ancestor(base, index);
        let mut names = Vec::new();
        let mut at = base;
        let mut path = Vec::new();
        while at != common {
            path.extend_from_slice(b"/..");
            at = self.cgroups[at].parent.expect("the common ancestor lies above");
        }
        at = index;
        while at != common {
            names.push(&*self.cgroups[at].name);
            at = self.cgroups[at].parent.expect("the common ancestor lies above");
        }
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() { b"/".to_vec() } else { path }
    }

    /// The nearest cgroup that both are or lie below.
    pub(super) fn common_ancestor(&self, a: u32, b: u32) -> u32 {
        let (mut a, mut b) = (a, b);
        while a != b {
            let (deep_a, deep_b) = (self.cgroups[a].depth, self.cgroups[b].depth);
            if deep_a >= deep_b {
                a = self.cgroups[a].parent.expect("the root is common to all");
            } else {
                b = self.cgroups[b].parent.expect("the root is common to all");
            }
        }
        a
    }

    pub(super) fn is_below(&self, index: u32, ancestor: u32) -> bool {
        self.common_ancestor(index, ancestor) == ancestor
    }

    /// Calls `visit` for a live cgroup and all below it, parents first.
    pub(super) fn for_each_below(&mut self, index: u32, visit: &mut dyn FnMut(&mut Self, u32)) {
        let mut waiting = vec![index];
        while let Some(index) = waiting.pop() {
            visit(self, index);
            waiting.extend(self.cgroups[index].children.values().rev());
        }
    }

    /// Names in the directory, sorted: files as they are called, child cgroups with a slash behind.
    ///
    /// # Errors
    /// `ENOENT`; `EACCES` when the caller may not read the directory.
    pub fn list(&self, who: &Caller, id: CgroupId) -> Result<Vec<Vec<u8>>, Errno> {
        let index = self.live(id)?;
        self.permit_directory(who, index, super::access::READ)?;
        let files = File::all().filter(|file| self.has_file(index, *file)).map(|file| file.name().as_bytes().to_vec());
        let directories = self.cgroups[index].children.keys().map(|name| [&**name, b"/"].concat());
        let mut names: Vec<_> = files.chain(directories).collect();
        names.sort_unstable();
        Ok(names)
    }
}
