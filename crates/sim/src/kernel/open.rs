//! Opening, and what is decided there for all later reads and writes: existence, permission, credentials, namespace.

use super::access::{Caller, READ, WRITE};
use super::cgroup::CgroupId;
use super::files::{File, Part};
use super::{Errno, Kernel};

/// The longest write, in bytes.
const WRITE_MAX: usize = 4096;

#[derive(Clone, Debug)]
pub(super) struct OpenFile {
    cgroup: u32,
    /// `None`: the directory.
    file: Option<File>,
    readable: bool,
    writable: bool,
    opener: Caller,
    namespace: Option<u32>,
    /// How often the files of this part had been taken away at the open.
    epoch: u32,
    /// A pressure trigger belongs to it.
    trigger: bool,
}

impl OpenFile {
    /// The cgroups that it holds on to.
    pub(super) fn references(&self) -> impl Iterator<Item = u32> + use<> {
        [self.cgroup].into_iter().chain(self.namespace)
    }
}

/// An open descriptor by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Descriptor(u32);

impl Kernel {
    /// Opens a file, writes once, closes.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, `EACCES` from the open; `E2BIG`, `EPERM` under `nsdelegate`; then what the file answers.
    pub fn write(&mut self, who: &Caller, id: CgroupId, file: File, data: &[u8]) -> Result<(), Errno> {
        let (index, file) = self.writable_node(id, Some(file))?;
        self.permit_file(who, index, file, WRITE)?;
        let namespace = self.namespace_root(who.pid);
        self.write_opened(who, who, namespace, index, file, data)
    }

    /// Opens a file, reads all of it, closes.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES` from the open; `EISDIR`; then what the file answers.
    pub fn read(&self, who: &Caller, id: CgroupId, file: File) -> Result<String, Errno> {
        let mut text = String::new();
        self.read_into(who, id, file, &mut text)?;
        Ok(text)
    }

    /// The same, appending to a text that can be used again.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_into(&self, who: &Caller, id: CgroupId, file: File, text: &mut String) -> Result<(), Errno> {
        let (index, Some(file)) = self.node(id, Some(file))? else {
            self.access(who, id, Some(file), true, false, false)?;
            return Err(Errno::EISDIR);
        };
        self.permit_file(who, index, file, READ)?;
        self.show(who, index, file, text)
    }

    fn write_opened(
        &mut self,
        writer: &Caller,
        opener: &Caller,
        namespace: Option<u32>,
        index: u32,
        file: File,
        data: &[u8],
    ) -> Result<(), Errno> {
        if data.len() > WRITE_MAX {
            return Err(Errno::E2BIG);
        }
        if data.is_empty() {
            return Ok(());
        }
        if self.options.nsdelegate && namespace == Some(index) && !file.spec().delegatable() {
            return Err(Errno::EPERM);
        }
        let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
        let text = &data[..end];
        match file {
            File::CgroupProcs => self.write_members(writer.pid, opener, namespace, index, true, text)?,
            File::CgroupThreads => self.write_members(writer.pid, opener, namespace, index, false, text)?,
            File::CgroupSubtreeControl => self.write_subtree_control(writer, index, text)?,
            _ => self.store(writer, opener, index, file, text)?,
        }
        self.cgroups[index].changes.modified += 1;
        Ok(())
    }

    /// Opens a directory (`None`, `O_PATH`) or a file.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, `EACCES`.
    pub fn open(
        &mut self,
        who: &Caller,
        id: CgroupId,
        file: Option<File>,
        read: bool,
        write: bool,
    ) -> Result<Descriptor, Errno> {
        let (index, found) = self.node(id, file)?;
        let want = if read { READ } else { 0 } | if write { WRITE } else { 0 };
        match found {
            Some(file) => self.permit_file(who, index, file, want)?,
            None if write => return Err(Errno::EISDIR),
            None => self.permit_directory(who, index, want)?,
        }
        let file = found;
        let namespace = self.namespace_root(who.pid);
        self.pin(index);
        if let Some(root) = namespace {
            self.pin(root);
        }
        let epoch = self.file_epoch(index, file);
        let open = OpenFile {
            cgroup: index,
            file,
            readable: read,
            writable: write,
            opener: *who,
            namespace,
            epoch,
            trigger: false,
        };
        Ok(Descriptor(self.files.insert(open)))
    }

    fn file_epoch(&self, index: u32, file: Option<File>) -> u32 {
        match file.map(|file| file.spec().part) {
            Some(Part::Of(controller)) => self.cgroups[index].makers[controller as usize].epoch,
            Some(Part::Core | Part::Pressure) | None => 0,
        }
    }

    /// The file behind a descriptor that was opened for this, if it is still there.
    fn opened(&self, descriptor: Descriptor, for_this: fn(&OpenFile) -> bool) -> Result<(&OpenFile, File), Errno> {
        let open = self.files.get(descriptor.0).filter(|open| for_this(open)).ok_or(Errno::EBADF)?;
        let file = open.file.ok_or(if open.readable { Errno::EISDIR } else { Errno::EBADF })?;
        if self.is_gone(open) { Err(Errno::ENODEV) } else { Ok((open, file)) }
    }

    /// Is the file no more that was opened?
    fn is_gone(&self, open: &OpenFile) -> bool {
        let there = open.file.is_some_and(|file| self.has_file(open.cgroup, file));
        !self.cgroups[open.cgroup].live || !there || self.file_epoch(open.cgroup, open.file) != open.epoch
    }

    /// Reads from the beginning.
    ///
    /// # Errors
    /// `EBADF` also without having opened for reading, `EISDIR`, `ENODEV` once the file is gone, and what the file
    /// answers.
    pub fn read_descriptor(&self, descriptor: Descriptor) -> Result<String, Errno> {
        let (open, file) = self.opened(descriptor, |open| open.readable)?;
        let mut text = String::new();
        self.show(&open.opener, open.cgroup, file, &mut text)?;
        Ok(text)
    }

    /// Writes with the credentials of the open, whoever writes.
    ///
    /// # Errors
    /// `EBADF` also without having opened for writing, `ENODEV` once the file is gone (6.12 looks for that first),
    /// `EBUSY` for a second pressure trigger, and what the file answers.
    pub fn write_descriptor(&mut self, who: &Caller, descriptor: Descriptor, data: &[u8]) -> Result<(), Errno> {
        let read_only = self.files.get(descriptor.0).filter(|open| open.file.is_some() && !open.writable);
        if read_only.is_some_and(|open| self.config.at_least(6, 12) && self.is_gone(open)) {
            return Err(Errno::ENODEV);
        }
        let (open, file) = self.opened(descriptor, |open| open.writable)?;
        let pressure = file.spec().part == Part::Pressure;
        if open.trigger && pressure && !data.is_empty() {
            return Err(Errno::EBUSY);
        }
        let (opener, namespace, index) = (open.opener, open.namespace, open.cgroup);
        self.write_opened(who, &opener, namespace, index, file, data)?;
        self.files[descriptor.0].trigger = pressure && !data.is_empty();
        Ok(())
    }

    /// The cgroup of a directory descriptor, removed or not.
    ///
    /// # Errors
    /// `EBADF` for a descriptor that is not open, or of a file.
    pub fn descriptor_directory(&self, descriptor: Descriptor) -> Result<CgroupId, Errno> {
        match self.files.get(descriptor.0) {
            Some(open) if open.file.is_none() => Ok(self.id(open.cgroup)),
            _ => Err(Errno::EBADF),
        }
    }

    /// Is this directory or file open?
    pub(super) fn has_descriptor(&self, index: u32, file: Option<File>) -> bool {
        self.files.iter().any(|(_, open)| open.cgroup == index && open.file == file)
    }

    /// Closes a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close(&mut self, descriptor: Descriptor) -> Result<(), Errno> {
        if self.files.get(descriptor.0).is_none() {
            return Err(Errno::EBADF);
        }
        let open = self.files.remove(descriptor.0);
        self.unpin(open.cgroup);
        if let Some(root) = open.namespace {
            self.unpin(root);
        }
        Ok(())
    }
}
