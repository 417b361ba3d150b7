//! What steps of a plan do to the store, refused where a file system would refuse it.

use super::paths::{Kind, split};
use super::{Entry, Store};
use cgarbiter_core::{Errno, OpError, persist};
use std::sync::Arc;

/// No record is made larger than this.
const RECORD_MAX: usize = 1 << 20;
/// So much more may a record hold that is renewed.
const RENEWED_MAX: usize = RECORD_MAX + (64 << 10);
/// `EFBIG`, which the core has no word for.
const TOO_LARGE: Errno = Errno::Other(27);
/// `EBADMSG`: a record that is damaged.
const DAMAGED: Errno = Errno::Other(74);

type Done = Result<(), OpError>;

impl Store {
    /// Whether a first record spares what lies here: whatever is no record.
    #[must_use]
    pub fn is_of_others(&self, file: &str) -> bool {
        match self.place(file).map(|place| (self.kind(&place), self.entries.get(place.as_str()))) {
            Ok((Some(_), Some(Entry::Text(content)))) => !persist::is_record(content),
            Ok((kind, _)) => kind.is_some(),
            Err(_) => false,
        }
    }

    /// Puts a record in its place; with `spares_others`, only over nothing or a record.
    ///
    /// # Errors
    /// `EEXIST` for what is spared, `EFBIG`, `EISDIR`, `ENOTDIR` where a file is on the way to it.
    pub fn put_record(&mut self, file: &Arc<str>, content: &str, spares_others: bool) -> Done {
        self.may_put_record(file, content, spares_others)?;
        self.put(file, Entry::Text(content.to_owned()))
    }

    /// Whether [`put_record`](Self::put_record) would.
    ///
    /// # Errors
    /// The same.
    pub fn may_put_record(&self, file: &str, content: &str, spares_others: bool) -> Done {
        if spares_others && self.is_of_others(file) {
            return Err(OpError::new(file, Errno::Exist));
        }
        if content.len() > RECORD_MAX {
            return Err(OpError::new(file, TOO_LARGE));
        }
        self.may_put(file).map(drop)
    }

    /// The record with another section.
    ///
    /// # Errors
    /// What reading it answers, and `EBADMSG` when it is damaged.
    pub fn renewed(&self, file: &str, section: &str) -> Result<String, OpError> {
        let fail = |errno| OpError::new(file, errno);
        let place = self.place(file).map_err(fail)?;
        let old = match self.entries.get(place.as_str()) {
            Some(Entry::Text(old)) if old.len() > RENEWED_MAX => return Err(fail(TOO_LARGE)),
            Some(Entry::Text(old)) => old,
            Some(Entry::Link(_)) => return Err(fail(Errno::Loop)),
            None if self.kind(&place).is_some() => return Err(fail(Errno::IsDir)),
            None => return Err(fail(Errno::NoEnt)),
        };
        persist::renew(old, section).map_err(|_| fail(DAMAGED))
    }

    /// Puts another section into a record.
    ///
    /// # Errors
    /// As [`renewed`](Self::renewed).
    pub fn renew(&mut self, file: &Arc<str>, section: &str) -> Done {
        let content = self.renewed(file, section)?;
        self.put(file, Entry::Text(content))
    }

    /// Puts a symbolic link in its place.
    ///
    /// # Errors
    /// `EISDIR`, `ENOTDIR` where a file is on the way to it.
    pub fn put_link(&mut self, file: &Arc<str>, target: &Arc<str>) -> Done {
        self.put(file, Entry::Link(target.clone()))
    }

    fn put(&mut self, file: &Arc<str>, entry: Entry) -> Done {
        let place = self.may_put(file)?;
        let place = if place == **file { file.clone() } else { place.into() };
        self.set(place, Some(entry));
        Ok(())
    }

    /// Where a file of this path comes to lie.
    fn may_put(&self, file: &str) -> Result<String, OpError> {
        let place = self.place(file).map_err(|errno| OpError::new(split(file).0, errno))?;
        match self.kind(&place) {
            Some(Kind::Directory) => Err(OpError::new(file, Errno::IsDir)),
            _ => Ok(place),
        }
    }

    /// Removes a record; a missing one is fine.
    ///
    /// # Errors
    /// `EISDIR`, `ENOTDIR`.
    pub fn forget(&mut self, file: &str) -> Done {
        let place = self.place(file).map_err(|errno| OpError::new(file, errno))?;
        match self.kind(&place) {
            Some(Kind::Directory) => Err(OpError::new(file, Errno::IsDir)),
            Some(_) => {
                self.remove(&place);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Removes the files in a directory, and so the directory; a missing one is fine.
    ///
    /// # Errors
    /// `ENOTDIR`; `ENOTEMPTY` when something lies deeper in it, which stays.
    pub fn forget_directory(&mut self, file: &str) -> Done {
        let fail = |errno| OpError::new(file, errno);
        let place = self.place(file).map_err(fail)?;
        match self.kind(&place) {
            None => return Ok(()),
            Some(Kind::Directory) => {}
            Some(_) => return Err(fail(Errno::NotDir)),
        }
        for inside in self.files_in(&place) {
            self.set(inside, None);
        }
        if self.kind(&place).is_some() { Err(fail(Errno::NotEmpty)) } else { Ok(()) }
    }

    /// The files directly in a directory.
    #[must_use]
    pub fn files_in(&self, directory: &str) -> Vec<Arc<str>> {
        let inside = format!("{directory}/");
        let files = self.range(&inside).map(|(file, _)| file.clone());
        files.filter(|file| !file[inside.len()..].contains('/')).collect()
    }

    /// Gives a record, or a directory of records, another path, over what is there; a missing one is fine.
    ///
    /// # Errors
    /// `EISDIR`, `ENOTDIR`, `ENOTEMPTY`: a directory takes the place of nothing, a file that of another.
    pub fn move_over(&mut self, file: &str, to: &str) -> Done {
        let from = self.place(file).map_err(|errno| OpError::new(file, errno))?;
        let target = self.place(to).map_err(|errno| OpError::new(to, errno))?;
        let refused = match (self.kind(&from), self.kind(&target)) {
            (None, _) => return Ok(()),
            (Some(Kind::Directory), Some(Kind::Directory)) if from != target => Some(Errno::NotEmpty),
            (Some(Kind::Directory), Some(Kind::File | Kind::Link)) => Some(Errno::NotDir),
            (Some(Kind::File | Kind::Link), Some(Kind::Directory)) => Some(Errno::IsDir),
            _ => None,
        };
        match refused {
            Some(errno) => Err(OpError::new(file, errno)),
            None => {
                self.rename(&from, &target);
                Ok(())
            }
        }
    }

    /// Removes a directory that nothing is in. There is none here that nothing is in.
    ///
    /// # Errors
    /// `ENOTDIR`.
    pub fn remove_empty(&self, directory: &str) -> Done {
        let kind = self.place(directory).map(|place| self.kind(&place));
        match kind {
            Ok(None | Some(Kind::Directory)) => Ok(()),
            Ok(Some(Kind::File | Kind::Link)) => Err(OpError::new(directory, Errno::NotDir)),
            Err(errno) => Err(OpError::new(directory, errno)),
        }
    }

    /// Removes what is there, with all that is in it; missing ones are fine.
    ///
    /// # Errors
    /// The first one; all are tried.
    pub fn remove_all<'a>(&mut self, paths: impl IntoIterator<Item = &'a str>) -> Done {
        let mut first = Ok(());
        for path in paths {
            match self.place(path) {
                Ok(place) => {
                    self.remove_directory(&place);
                    self.remove(&place);
                }
                Err(errno) => first = first.and(Err(OpError::new(path, errno))),
            }
        }
        first
    }
}
