//! What others can notice: changed event files, made and removed directories, ended processes; and watches, which see
//! what poll and inotify would report.

use super::access::{Caller, READ};
use super::cgroup::{CgroupId, NOTIFYING};
use super::files::File;
use super::process::Pid;
use super::{Errno, Kernel};

/// Something that the kernel would tell a watcher. Repeated changes of one file are told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notice {
    /// The content of an event file may have changed (POLLPRI, IN_MODIFY).
    Modified {
        /// Its directory.
        cgroup: CgroupId,
        /// The file.
        file: File,
    },
    /// A cgroup was made (IN_CREATE of the parent).
    Created {
        /// Where.
        parent: CgroupId,
        /// The new one.
        child: CgroupId,
    },
    /// A cgroup was removed (IN_DELETE of the parent).
    Deleted {
        /// Where it was.
        parent: CgroupId,
        /// What is there no longer.
        child: CgroupId,
    },
    /// A process ended (its pidfd becomes readable, its parent gets SIGCHLD).
    Exited {
        /// Its number.
        pid: Pid,
    },
}

/// A kind of inotify event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inotify {
    /// `IN_CREATE`
    Create,
    /// `IN_DELETE`
    Delete,
    /// `IN_DELETE_SELF`
    DeleteSelf,
    /// `IN_IGNORED`
    Ignored,
    /// `IN_MODIFY`
    Modify,
}

/// An inotify watch, with a descriptor for polling beside it or not.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    cgroup: u32,
    file: Option<File>,
    open: bool,
    /// Counters when poll was last armed, by reading.
    read: u32,
    /// Counters when events were last taken.
    modified: u32,
    created: u32,
    deleted: u32,
    ignored: bool,
}

impl Watch {
    pub(super) fn cgroup(&self) -> u32 {
        self.cgroup
    }
}

/// A watch by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u32);

/// What a watch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Poll reports POLLPRI and POLLERR.
    pub priority: bool,
    /// Kinds of events since the last check, each once.
    pub events: Vec<Inotify>,
    /// What reading the file again gives, which arms poll again.
    pub text: Result<String, Errno>,
}

impl Kernel {
    /// The file tells its watchers that it changed.
    pub(super) fn notify(&mut self, index: u32, file: File) {
        let Some(position) = NOTIFYING.iter().position(|known| *known == file) else { return };
        let id = self.id(index);
        let cgroup = &mut self.cgroups[index];
        cgroup.changes.files[position] += 1;
        cgroup.changes.modified += 1;
        if !cgroup.live || cgroup.is_root() || cgroup.changes.dirty >> position & 1 == 1 {
            return;
        }
        cgroup.changes.dirty |= 1 << position;
        self.notices.push(Notice::Modified { cgroup: id, file });
    }

    /// Takes what happened since the last call, oldest first. Changes of a file that changed before are not told twice.
    #[must_use]
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let notices = std::mem::take(&mut self.notices);
        for notice in &notices {
            let Notice::Modified { cgroup, .. } = notice else { continue };
            if let Ok(index) = self.live(*cgroup) {
                self.cgroups[index].changes.dirty = 0;
            }
        }
        notices
    }

    /// What [`take_notices`](Self::take_notices) would take.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// How often an event file has notified since the cgroup was made.
    #[must_use]
    pub fn modified_count(&self, id: CgroupId, file: File) -> u32 {
        let position = NOTIFYING.iter().position(|known| *known == file);
        match (self.live(id), position) {
            (Ok(index), Some(position)) => self.cgroups[index].changes.files[position],
            _ => 0,
        }
    }

    fn file_changes(&self, index: u32, file: Option<File>) -> u32 {
        let position = NOTIFYING.iter().position(|known| Some(*known) == file);
        position.map_or(0, |position| self.cgroups[index].changes.files[position])
    }

    /// Watches a directory (`None`) or file; with `open`, a descriptor for polling is open as well.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`.
    pub fn watch(&mut self, who: &Caller, id: CgroupId, file: Option<File>, open: bool) -> Result<WatchId, Errno> {
        let (index, file) = self.node(id, file)?;
        match file {
            Some(file) => self.permit_file(who, index, file, READ)?,
            None => self.permit_directory(who, index, READ)?,
        }
        self.pin(index);
        let changes = self.cgroups[index].changes;
        let modified = if file.is_some() { self.file_changes(index, file) } else { changes.modified };
        let (created, deleted) = (changes.created, changes.deleted);
        let watch = Watch { cgroup: index, file, open, read: 0, modified, created, deleted, ignored: false };
        Ok(WatchId(self.watches.insert(watch)))
    }

    /// Reads the watched file, which arms poll.
    ///
    /// # Errors
    /// `EISDIR` for a directory, `ENODEV` once the cgroup is removed, and what reading the file answers.
    pub fn read_watched(&mut self, who: &Caller, id: WatchId) -> Result<String, Errno> {
        let Watch { cgroup, file, .. } = self.watches[id.0];
        let file = file.ok_or(Errno::EISDIR)?;
        if !self.cgroups[cgroup].live || !self.has_file(cgroup, file) {
            return Err(Errno::ENODEV);
        }
        // One more than the count: a descriptor that was never read has seen nothing, not even the beginning.
        self.watches[id.0].read = self.file_changes(cgroup, Some(file)) + 1;
        let mut text = String::new();
        self.show(who, cgroup, file, &mut text)?;
        Ok(text)
    }

    /// What poll and inotify have to report since the last check; then reads the file, which arms poll again.
    pub fn check(&mut self, who: &Caller, id: WatchId) -> Check {
        let watch = &self.watches[id.0];
        let (open, file, cgroup) = (watch.open, watch.file, watch.cgroup);
        let gone = !self.cgroups[cgroup].live;
        let priority = open && file.is_some() && (gone || watch.read != self.file_changes(cgroup, file) + 1);
        let events = self.take_events(id);
        let text = if open { self.read_watched(who, id) } else { Ok(String::new()) };
        Check { priority, events, text }
    }

    fn take_events(&mut self, id: WatchId) -> Vec<Inotify> {
        let watch = &self.watches[id.0];
        let (cgroup, file) = (watch.cgroup, watch.file);
        let changes = self.cgroups[cgroup].changes;
        let modified = if file.is_some() { self.file_changes(cgroup, file) } else { changes.modified };
        let itself = self.tells_removal(id);
        let watch = &mut self.watches[id.0];
        let directory = file.is_none();
        let seen = [
            (Inotify::Create, directory && watch.created != changes.created),
            (Inotify::Delete, directory && watch.deleted != changes.deleted),
            (Inotify::DeleteSelf, itself),
            (Inotify::Ignored, itself),
            (Inotify::Modify, watch.modified != modified),
        ];
        (watch.modified, watch.created, watch.deleted) = (modified, changes.created, changes.deleted);
        watch.ignored |= itself;
        seen.into_iter().filter(|(_, happened)| *happened).map(|(kind, _)| kind).collect()
    }

    /// From 7.1 on inotify tells of the files of a cgroup that is removed.
    #[must_use]
    pub fn tells_removals(&self) -> bool {
        self.config.at_least(7, 1)
    }

    /// Whether inotify tells that the watched thing is gone: not as long as a descriptor of it is open.
    fn tells_removal(&self, id: WatchId) -> bool {
        let watch = &self.watches[id.0];
        if self.cgroups[watch.cgroup].live || watch.ignored || !self.tells_removals() {
            return false;
        }
        let same = |other: &Watch| other.open && other.cgroup == watch.cgroup && other.file == watch.file;
        !self.watches.iter().any(|(_, other)| same(other)) && !self.has_descriptor(watch.cgroup, watch.file)
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, id: WatchId) {
        let watch = self.watches.remove(id.0);
        self.unpin(watch.cgroup);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Config, Fork};

    #[test]
    fn notices_are_told_once_until_taken() {
        let mut kernel = Kernel::new(Config::default());
        let a = kernel.mkdir(&Caller::INIT, CgroupId::ROOT, b"a").expect("made");
        let into = Fork { into: Some(a), ..Fork::default() };
        let pid = kernel.fork(&Caller::INIT, &into).expect("started");
        kernel.exit(pid, 0).expect("ended");
        let populated = Notice::Modified { cgroup: a, file: File::CgroupEvents };
        let expected = [Notice::Created { parent: CgroupId::ROOT, child: a }, populated, Notice::Exited { pid }];
        assert_eq!(kernel.take_notices(), expected);
        assert_eq!(kernel.modified_count(a, File::CgroupEvents), 2);
        assert!(kernel.take_notices().is_empty());
        kernel.fork(&Caller::INIT, &into).expect("started");
        assert_eq!(kernel.take_notices(), [populated]);
    }
}
