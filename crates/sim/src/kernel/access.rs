//! Who may do what to a directory or file: owners, modes, and calls that change or show them.

use super::cgroup::{Attributes, CgroupId};
use super::files::{File, Part};
use super::process::Pid;
use super::{Errno, Kernel};

pub(super) const READ: u16 = 4;
pub(super) const WRITE: u16 = 2;
pub(super) const EXECUTE: u16 = 1;
pub(super) const STICKY: u16 = 0o1000;

/// Who makes a call: a process, and the effective user and group that it acts with. User 0 has all capabilities,
/// others have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Number of the process or thread that makes the call.
    pub pid: Pid,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
}

impl Caller {
    /// The first process with all privileges.
    pub const INIT: Self = Self { pid: Kernel::INIT, uid: 0, gid: 0 };

    /// This process with all privileges.
    #[must_use]
    pub fn root(pid: Pid) -> Self {
        Self { pid, uid: 0, gid: 0 }
    }

    /// The same process as another user, with the group of that number.
    #[must_use]
    pub fn as_user(self, uid: u32) -> Self {
        Self { uid, gid: uid, ..self }
    }

    pub(super) fn privileged(&self) -> bool {
        self.uid == 0
    }
}

fn permitted(who: &Caller, attributes: Attributes, directory: bool, want: u16) -> bool {
    if who.privileged() {
        return directory || want & EXECUTE == 0 || attributes.mode & 0o111 != 0;
    }
    let shift = match who {
        _ if who.uid == attributes.uid => 6,
        _ if who.gid == attributes.gid => 3,
        _ => 0,
    };
    (attributes.mode >> shift) & want == want
}

impl Kernel {
    /// Is the file in the directory now?
    pub(super) fn has_file(&self, index: u32, file: File) -> bool {
        let cgroup = &self.cgroups[index];
        file.spec().shown(&self.config, cgroup.is_root(), cgroup.visible, cgroup.pressure)
    }

    pub(super) fn attributes(&self, index: u32, file: Option<File>) -> Attributes {
        let cgroup = &self.cgroups[index];
        let Some(file) = file else { return cgroup.directory };
        if let Some(changed) = cgroup.changed.get(&file) {
            return *changed;
        }
        let maker = match file.spec().part {
            Part::Core | Part::Pressure => &cgroup.core_maker,
            Part::Of(controller) => &cgroup.makers[controller as usize],
        };
        Attributes { uid: maker.uid, gid: maker.gid, mode: file.spec().mode_in(&self.config) }
    }

    pub(super) fn permit_directory(&self, who: &Caller, index: u32, want: u16) -> Result<(), Errno> {
        let allowed = who.privileged() || permitted(who, self.cgroups[index].directory, true, want);
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    pub(super) fn permit_file(&self, who: &Caller, index: u32, file: File, want: u16) -> Result<(), Errno> {
        let allowed = (who.privileged() && want & EXECUTE == 0)
            || permitted(who, self.attributes(index, Some(file)), false, want);
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// A directory (`None`) or a file in it that is there. Where a cgroup has taken the name of a file that is not
    /// there, the name means that directory.
    pub(super) fn node(&self, id: CgroupId, file: Option<File>) -> Result<(u32, Option<File>), Errno> {
        let index = self.live(id)?;
        let Some(name) = file.filter(|file| !self.has_file(index, *file)).map(File::name) else {
            return Ok((index, file));
        };
        let child = self.cgroups[index].children.get(name.as_bytes());
        child.map(|child| (*child, None)).ok_or(Errno::ENOENT)
    }

    /// The file that is to be written: no directory can be.
    pub(super) fn writable_node(&self, id: CgroupId, file: Option<File>) -> Result<(u32, File), Errno> {
        let (index, file) = self.node(id, file)?;
        file.map(|file| (index, file)).ok_or(Errno::EISDIR)
    }

    /// Owner and mode of a directory (`None`) or file.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn stat(&self, id: CgroupId, file: Option<File>) -> Result<Attributes, Errno> {
        self.node(id, file).map(|(index, file)| self.attributes(index, file))
    }

    /// May the caller read, write, execute it?
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`.
    pub fn access(
        &self,
        who: &Caller,
        id: CgroupId,
        file: Option<File>,
        read: bool,
        write: bool,
        execute: bool,
    ) -> Result<(), Errno> {
        let (index, file) = self.node(id, file)?;
        // Nothing can be executed from this file system, whatever the modes say.
        if execute && file.is_some() {
            return Err(Errno::EACCES);
        }
        let bit = |wanted: bool, bit| if wanted { bit } else { 0 };
        let want = bit(read, READ) | bit(write, WRITE) | bit(execute, EXECUTE);
        let allowed = permitted(who, self.attributes(index, file), file.is_none(), want);
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Changes owner and group.
    ///
    /// # Errors
    /// `ENOENT`; `EPERM` without privileges, unless the owner keeps all or takes his own group.
    pub fn chown(&mut self, who: &Caller, id: CgroupId, file: Option<File>, uid: u32, gid: u32) -> Result<(), Errno> {
        let (index, file) = self.node(id, file)?;
        let old = self.attributes(index, file);
        let harmless = who.uid == old.uid && uid == old.uid && (gid == old.gid || gid == who.gid);
        if !who.privileged() && !harmless {
            return Err(Errno::EPERM);
        }
        self.set_attributes(index, file, Attributes { uid, gid, mode: old.mode });
        Ok(())
    }

    /// Changes the permission bits.
    ///
    /// # Errors
    /// `ENOENT`; `EPERM` for others than the owner.
    pub fn chmod(&mut self, who: &Caller, id: CgroupId, file: Option<File>, mode: u16) -> Result<(), Errno> {
        let (index, file) = self.node(id, file)?;
        let old = self.attributes(index, file);
        if !who.privileged() && who.uid != old.uid {
            return Err(Errno::EPERM);
        }
        self.set_attributes(index, file, Attributes { mode: mode & 0o7777, ..old });
        Ok(())
    }

    fn set_attributes(&mut self, index: u32, file: Option<File>, attributes: Attributes) {
        match file {
            None => self.cgroups[index].directory = attributes,
            Some(file) => drop(self.cgroups[index].changed.insert(file, attributes)),
        }
    }

    /// Opening with `O_CREAT | O_EXCL`: nobody can make a file.
    ///
    /// # Errors
    /// Always: `ENOENT`, `EEXIST`, `EACCES`.
    pub fn create(&self, who: &Caller, id: CgroupId, name: &[u8]) -> Result<(), Errno> {
        self.refuse_entry(who, id, name, Errno::EACCES)
    }

    /// `symlink`, or `link` when the new name is `name`: there is nothing like that here.
    ///
    /// # Errors
    /// Always: `ENOENT`, `EEXIST`, `EACCES`, `EPERM`.
    pub fn link(&self, who: &Caller, id: CgroupId, name: &[u8]) -> Result<(), Errno> {
        self.refuse_entry(who, id, name, Errno::EPERM)
    }

    fn refuse_entry(&self, who: &Caller, id: CgroupId, name: &[u8], refusal: Errno) -> Result<(), Errno> {
        let index = self.live(id)?;
        self.permit_directory(who, index, EXECUTE)?;
        if self.has_name(index, name) {
            return Err(Errno::EEXIST);
        }
        self.permit_directory(who, index, WRITE | EXECUTE)?;
        Err(refusal)
    }

    fn has_name(&self, index: u32, name: &[u8]) -> bool {
        let file = File::from_name(name).is_some_and(|file| self.has_file(index, file));
        file || self.cgroups[index].children.contains_key(name)
    }

    /// Unlinking an interface file (`Some`) or a directory (`None`).
    ///
    /// # Errors
    /// Always: `ENOENT`, `EACCES`, `EISDIR`, `EPERM`.
    pub fn unlink(&self, who: &Caller, id: CgroupId, file: Option<File>) -> Result<(), Errno> {
        let (index, file) = self.node(id, file)?;
        let directory = if file.is_some() { Some(index) } else { self.cgroups[index].parent };
        if let Some(directory) = directory {
            self.permit_directory(who, directory, WRITE | EXECUTE)?;
            self.permit_sticky(who, directory, self.attributes(index, file).uid)?;
        }
        Err(if file.is_some() { Errno::EPERM } else { Errno::EISDIR })
    }

    /// Renaming by path; only the same path is allowed, and changes nothing.
    ///
    /// # Errors
    /// `ENOENT`; `EINVAL` for a place inside what is renamed, `ENOTEMPTY` for a directory that it is in; then `EACCES`,
    /// `ENOTDIR`, `EISDIR`, `EPERM`.
    pub fn rename<'a>(&self, who: &Caller, from: &'a [u8], to: &'a [u8]) -> Result<(), Errno> {
        // The mount point's own name belongs to the file system above.
        if from == b"/" && to == b"/" {
            return Ok(());
        }
        let parent = |path: &'a [u8]| if path == b"/" { Ok(None) } else { self.entry_parent(who, path).map(Some) };
        let (Some(from_parent), Some(to_parent)) = (parent(from)?, parent(to)?) else { return Err(Errno::EXDEV) };
        if !self.has_name(from_parent.0, from_parent.1) {
            return Err(Errno::ENOENT);
        }
        let moved = self.cgroups[from_parent.0].children.get(from_parent.1).copied();
        let replaced = self.cgroups[to_parent.0].children.get(to_parent.1).copied();
        if from_parent == to_parent {
            return Ok(());
        }
        if moved.is_some_and(|moved| self.is_below(to_parent.0, moved)) {
            return Err(Errno::EINVAL);
        }
        if replaced.is_some_and(|replaced| self.is_below(from_parent.0, replaced)) {
            return Err(Errno::ENOTEMPTY);
        }
        self.permit_removal(who, from_parent.0, moved, from_parent.1)?;
        if self.has_name(to_parent.0, to_parent.1) {
            self.permit_removal(who, to_parent.0, replaced, to_parent.1)?;
            match (moved, replaced) {
                (Some(_), None) => return Err(Errno::ENOTDIR),
                (None, Some(_)) => return Err(Errno::EISDIR),
                _ => {}
            }
        } else {
            self.permit_directory(who, to_parent.0, WRITE | EXECUTE)?;
        }
        if let Some(moved) = moved.filter(|_| from_parent.0 != to_parent.0) {
            self.permit_directory(who, moved, WRITE)?;
        }
        Err(Errno::EPERM)
    }

    /// May the caller take this name out of a directory? In a sticky one only what he owns.
    fn permit_removal(&self, who: &Caller, directory: u32, child: Option<u32>, name: &[u8]) -> Result<(), Errno> {
        self.permit_directory(who, directory, WRITE | EXECUTE)?;
        let owner = match child {
            Some(child) => self.cgroups[child].directory.uid,
            None => self.attributes(directory, File::from_name(name)).uid,
        };
        self.permit_sticky(who, directory, owner)
    }

    /// # Errors
    /// `EPERM` in a sticky directory of others, for what belongs to others.
    pub(super) fn permit_sticky(&self, who: &Caller, directory: u32, owner: u32) -> Result<(), Errno> {
        let Attributes { uid, mode, .. } = self.cgroups[directory].directory;
        let others = mode & STICKY != 0 && ![uid, owner].contains(&who.uid);
        if others && !who.privileged() { Err(Errno::EPERM) } else { Ok(()) }
    }

    fn entry_parent<'a>(&self, who: &Caller, path: &'a [u8]) -> Result<(u32, &'a [u8]), Errno> {
        let cut = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (parent, name) = (&path[..cut], path[cut..].strip_prefix(b"/").unwrap_or(&path[cut..]));
        if name.is_empty() {
            return Err(Errno::EBUSY);
        }
        let parent = self.live(self.lookup(who, parent)?)?;
        self.permit_directory(who, parent, EXECUTE)?;
        Ok((parent, name))
    }
}
