//! Extended attributes of directories and files.

use std::collections::BTreeMap;

use super::access::{Caller, READ, WRITE};
use super::cgroup::CgroupId;
use super::files::{File, Part};
use super::{Controller, Errno, Kernel};

/// Most attributes, and bytes of values, in the `user.` namespace of one node.
const USER_COUNT_MAX: usize = 128;
const USER_BYTES_MAX: usize = 128 << 10;
/// The longest value.
const VALUE_MAX: usize = 64 << 10;

type Attributes = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Attributes of the directory (`None`) and of its files.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Xattrs(BTreeMap<Option<File>, Attributes>);

impl Xattrs {
    /// The files of a controller are gone.
    pub(super) fn forget(&mut self, controller: Controller) {
        self.0.retain(|file, _| file.is_none_or(|file| file.spec().part != Part::Of(controller)));
    }
}

/// What `setxattr` demands of the present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// Set in any case.
    Any,
    /// `XATTR_CREATE`: not there yet.
    Create,
    /// `XATTR_REPLACE`: there already.
    Replace,
}

impl Kernel {
    /// Sets an attribute.
    ///
    /// # Errors
    /// `ENOENT`, `E2BIG`, `EOPNOTSUPP`, `EINVAL`, `EPERM`, `EACCES`, `EEXIST`, `ENODATA`, `ENOSPC`.
    pub fn set_xattr(
        &mut self,
        who: &Caller,
        id: CgroupId,
        file: Option<File>,
        name: &[u8],
        value: &[u8],
        mode: SetMode,
    ) -> Result<(), Errno> {
        let (index, file) = self.node(id, file)?;
        if value.len() > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        self.permit_xattr(who, index, file, name, WRITE)?;
        let there = self.xattr(index, file, name).is_some();
        match (mode, there) {
            (SetMode::Create, true) => return Err(Errno::EEXIST),
            (SetMode::Replace, false) => return Err(Errno::ENODATA),
            _ => {}
        }
        let attributes = self.cgroups[index].xattrs.get_or_insert_default().0.entry(file).or_default();
        if name.starts_with(b"user.") && !user_fits(attributes, name, value) {
            return Err(Errno::ENOSPC);
        }
        attributes.insert(name.into(), value.into());
        Ok(())
    }

    /// Gets an attribute.
    ///
    /// # Errors
    /// `ENOENT`, `EOPNOTSUPP`, `EINVAL`, `EACCES`, `ENODATA`.
    pub fn get_xattr(&self, who: &Caller, id: CgroupId, file: Option<File>, name: &[u8]) -> Result<&[u8], Errno> {
        let (index, file) = self.node(id, file)?;
        self.permit_xattr(who, index, file, name, READ)?;
        self.xattr(index, file, name).ok_or(Errno::ENODATA)
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// As [`set_xattr`](Self::set_xattr), and `ENODATA`.
    pub fn remove_xattr(&mut self, who: &Caller, id: CgroupId, file: Option<File>, name: &[u8]) -> Result<(), Errno> {
        let (index, file) = self.node(id, file)?;
        self.permit_xattr(who, index, file, name, WRITE)?;
        let attributes = self.cgroups[index].xattrs.as_mut().and_then(|xattrs| xattrs.0.get_mut(&file));
        attributes.and_then(|attributes| attributes.remove(name)).map(drop).ok_or(Errno::ENODATA)
    }

    /// Names of the attributes, sorted; those of `trusted.` only for the privileged.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn list_xattrs(&self, who: &Caller, id: CgroupId, file: Option<File>) -> Result<Vec<Vec<u8>>, Errno> {
        let (index, file) = self.node(id, file)?;
        let attributes = self.cgroups[index].xattrs.as_ref().and_then(|xattrs| xattrs.0.get(&file));
        let names = attributes.into_iter().flat_map(|attributes| attributes.keys());
        let seen = names.filter(|name| who.privileged() || !name.starts_with(b"trusted."));
        Ok(seen.map(|name| name.to_vec()).collect())
    }

    fn xattr(&self, index: u32, file: Option<File>, name: &[u8]) -> Option<&[u8]> {
        let attributes = self.cgroups[index].xattrs.as_ref()?.0.get(&file)?;
        attributes.get(name).map(|value| &**value)
    }

    /// Rights come before the question whether there are such names at all.
    fn permit_xattr(&self, who: &Caller, index: u32, file: Option<File>, name: &[u8], want: u16) -> Result<(), Errno> {
        let space = name.iter().position(|byte| *byte == b'.').map_or(&b""[..], |cut| &name[..=cut]);
        match space {
            _ if who.privileged() => {}
            b"security." if want == READ => {}
            b"security." => return Err(Errno::EPERM),
            b"trusted." => return Err(if want == READ { Errno::ENODATA } else { Errno::EPERM }),
            b"system." => {}
            _ => {
                let directory = self.cgroups[index].directory;
                let sticky = file.is_none() && directory.mode & 0o1000 != 0 && directory.uid != who.uid;
                if space == b"user." && sticky && want == WRITE {
                    return Err(Errno::EPERM);
                }
                match file {
                    Some(file) => self.permit_file(who, index, file, want)?,
                    None => self.permit_directory(who, index, want)?,
                }
            }
        }
        match space {
            b"user." | b"trusted." | b"security." if name.len() > space.len() => Ok(()),
            b"user." | b"trusted." | b"security." => Err(Errno::EINVAL),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }
}

fn user_fits(attributes: &Attributes, name: &[u8], value: &[u8]) -> bool {
    let others = attributes.iter().filter(|(other, _)| other.starts_with(b"user.") && &***other != name);
    let (count, bytes) = others.fold((0, 0), |(count, bytes), (_, value)| (count + 1, bytes + value.len()));
    count < USER_COUNT_MAX && bytes + value.len() <= USER_BYTES_MAX
}
