//! One function per `Op`, one or two system calls each. What "already so" means for each is said at the `Op`.

use crate::device::disk_of;
use crate::dirs::Dir;
use crate::errno::at;
use crate::executor::Executor;
use crate::pins::{Pinned, has_ended};
use crate::tree::{Visit, walk};
use crate::{parse, sys};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::persist;
use cgarbiter_core::plan::{Pin, WatchId};
use cgarbiter_core::{Op, OpError, Outcome};
use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Group, Uid, UnlinkatFlags, User, fchown, fchownat, unlinkat, write};
use std::os::fd::{AsFd, OwnedFd};

/// Rounds of a removal that new directories keep undoing, before `EBUSY` is believed.
const RMDIR_ROUNDS: u32 = 8;
/// How often a process that somebody else moves away is moved back, before `EBUSY` is told.
const ATTACH_ROUNDS: u32 = 3;

const DIRECTORY_MODE: Mode = Mode::from_bits_truncate(0o755);
const FILE_MODE: Mode = Mode::from_bits_truncate(0o644);

type Done = Result<Outcome, OpError>;

impl Executor {
    /// Does one step.
    pub(crate) fn apply(&mut self, op: &Op) -> Done {
        match op {
            Op::WriteFile { file, content, spares_others } => {
                let store = &self.shared.store;
                let written =
                    if *spares_others { store.write_first(file, content) } else { store.write(file, content) };
                written.map(|()| Outcome::Done)
            }
            Op::RenewRecord { file, section } => self.renew_record(file, section),
            Op::Link { file, target } => self.shared.store.link(file, target).map(|()| Outcome::Done),
            Op::RemoveEmpty { directory } => self.shared.store.remove_empty(directory).map(|()| Outcome::Done),
            Op::RemoveFile { file, directory } => self.shared.store.remove(file, *directory).map(|()| Outcome::Done),
            Op::MoveFile { file, to } => self.shared.store.rename(file, to).map(|()| Outcome::Done),
            Op::RemoveRuntime { directories } => remove_runtime(directories).map(|()| Outcome::Done),
            Op::Mkdir { cgroup } => self.mkdir(cgroup),
            Op::Observe { cgroup } => self.observe(cgroup),
            Op::Rmdir { cgroup, watch } => self.rmdir(cgroup, *watch),
            Op::SubtreeControl { cgroup, enable, disable } => self.subtree_control(cgroup, *enable, *disable),
            Op::Write { cgroup, file, value } => self.write(cgroup, file, value),
            Op::WriteDevice { cgroup, file, device, value } => {
                let disk = disk_of(device).map_err(|errno| at(device.clone())(errno))?;
                self.write(cgroup, file, &format!("{disk} {value}"))
            }
            Op::Watch { cgroup, watch, memory } => {
                let directory = self.path_of(cgroup, "");
                self.shared.notices.add(&directory, *watch, *memory).map(|()| Outcome::Done)
            }
            Op::Attach { cgroup, pin } => self.attach(cgroup, *pin),
            Op::SignalAll { cgroup, signals, spare } => self.signal_all(cgroup, *signals, spare),
            Op::SignalOne { pid, signals } => self.signal_one(*pid, *signals),
            Op::Delegate { cgroup, user, group } => self.delegate(cgroup, user, group.as_deref()),
            Op::Xattr { cgroup, name, value } => self.xattr(cgroup, name, value.as_deref()),
            Op::Spawn { cgroup, command } => self.spawn(cgroup, command),
            Op::WatchProcess { cgroup, pid } => self.watch_process(cgroup, *pid),
            Op::ReadCounters { cgroup } => Ok(Outcome::Counters(self.counters(cgroup).unwrap_or_default())),
        }
    }

    fn renew_record(&mut self, file: &str, section: &str) -> Done {
        let old = self.shared.store.read(file)?;
        let new = persist::renew(&old, section).map_err(|_| at(file.to_owned())(Errno::EBADMSG))?;
        self.shared.store.renew(file, &new).map(|()| Outcome::Done)
    }

    fn mkdir(&mut self, cgroup: &CgroupPath) -> Done {
        let made = self.make(cgroup);
        match made {
            Ok(dir) => {
                let id = dir.id;
                self.dirs.keep(cgroup.clone(), dir);
                Ok(Outcome::Made { id })
            }
            Err(Errno::EAGAIN) => Err(at(self.exhausted_limit(cgroup))(Errno::EAGAIN)),
            Err(errno) => Err(at(self.path_of(cgroup, ""))(errno)),
        }
    }

    fn make(&mut self, cgroup: &CgroupPath) -> nix::Result<Dir> {
        let parent = cgroup.parent().ok_or(Errno::EEXIST)?;
        let name = cgroup.components().next_back().ok_or(Errno::EEXIST)?;
        self.dirs.with(&self.shared.root, &parent, |parent| mkdirat(&parent.fd, name, DIRECTORY_MODE))?;
        let made = self.dirs.with(&self.shared.root, &parent, |parent| {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let fd = openat(&parent.fd, name, flags, Mode::empty())?;
            let stat = fstat(&fd)?;
            if Mode::from_bits_truncate(stat.st_mode) != DIRECTORY_MODE {
                fchmod(&fd, DIRECTORY_MODE)?;
            }
            Ok(Dir { fd, id: stat.st_ino })
        });
        if made.is_err() {
            // Not made, as far as anybody is told: nobody would look for it.
            let _ = self
                .dirs
                .with(&self.shared.root, &parent, |parent| unlinkat(&parent.fd, name, UnlinkatFlags::RemoveDir));
        }
        made
    }

    /// Which limit of an ancestor forbids a new cgroup, as far as can be seen from here.
    fn exhausted_limit(&mut self, cgroup: &CgroupPath) -> String {
        let (mut depth, mut level) = (1, cgroup.parent());
        while let Some(ancestor) = level {
            let mut number = |file| self.read_text(&ancestor, file).as_deref().and_then(parse::single);
            if number("cgroup.max.depth").is_some_and(|max| max < depth) {
                return self.path_of(&ancestor, "cgroup.max.depth");
            }
            let max = number("cgroup.max.descendants");
            let stat = self.read_text(&ancestor, "cgroup.stat").unwrap_or_default();
            if max.zip(parse::keyed(&stat, "nr_descendants")).is_some_and(|(max, now)| max <= now) {
                return self.path_of(&ancestor, "cgroup.max.descendants");
            }
            (depth, level) = (depth + 1, ancestor.parent());
        }
        self.path_of(cgroup, "")
    }

    fn observe(&mut self, cgroup: &CgroupPath) -> Done {
        let opened = self.dirs.open(&self.shared.root, cgroup).map(|dir| dir.id);
        let id = opened.map_err(|errno| at(self.path_of(cgroup, ""))(errno))?;
        let text = self
            .read_text(cgroup, "cgroup.subtree_control")
            .ok_or_else(|| at(self.path_of(cgroup, "cgroup.subtree_control"))(Errno::ENOENT))?;
        Ok(Outcome::Seen { id, enabled: ControllerMask::parse(&text) })
    }

    fn rmdir(&mut self, cgroup: &CgroupPath, watch: Option<WatchId>) -> Done {
        self.dirs.forget_below(cgroup);
        self.remove(cgroup).map_err(|errno| at(self.path_of(cgroup, ""))(errno))?;
        if let Some(watch) = watch {
            self.shared.notices.remove(watch);
        }
        Ok(Outcome::Done)
    }

    fn remove(&mut self, cgroup: &CgroupPath) -> nix::Result<()> {
        // The root itself is never ours to remove.
        let (Some(parent), Some(name)) = (cgroup.parent(), cgroup.components().next_back()) else {
            return Err(Errno::EBUSY);
        };
        for round in 0..RMDIR_ROUNDS {
            let removed = self
                .dirs
                .with(&self.shared.root, &parent, |parent| unlinkat(&parent.fd, name, UnlinkatFlags::RemoveDir));
            match removed {
                Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => return Ok(()),
                Err(Errno::EBUSY) if round + 1 < RMDIR_ROUNDS => {}
                Err(errno) => return Err(errno),
            }
            if self.remove_below(cgroup)? == 0 {
                return Err(Errno::EBUSY);
            }
        }
        Err(Errno::EBUSY)
    }

    /// Removes what is empty below a cgroup; answers how much that was.
    fn remove_below(&self, cgroup: &CgroupPath) -> nix::Result<u32> {
        let top = match self.shared.root.open_cgroup(cgroup) {
            Err(Errno::ENOENT) => return Ok(1),
            opened => opened?,
        };
        let mut removed = 0;
        walk(top.as_fd(), |visit| {
            let Visit::Leave { parent, name } = visit else { return Ok(()) };
            match unlinkat(parent, name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => removed += 1,
                Err(Errno::EBUSY) => {}
                Err(errno) => return Err(errno),
            }
            Ok(())
        })?;
        Ok(removed)
    }

    fn subtree_control(&mut self, cgroup: &CgroupPath, enable: ControllerMask, disable: ControllerMask) -> Done {
        let path = self.path_of(cgroup, "cgroup.subtree_control");
        let text = &mut self.text;
        let mut refused = None;
        let signed = enable.controllers().map(|c| ('+', c)).chain(disable.controllers().map(|c| ('-', c)));
        let words: Vec<String> = signed.map(|(sign, controller)| format!("{sign}{}", controller.name())).collect();
        let enabled = self.dirs.with(&self.shared.root, cgroup, |dir| {
            let file = open_file(dir, "cgroup.subtree_control", OFlag::O_RDWR)?;
            refused = None;
            for word in &words {
                refused = refused.or(write(&file, word.as_bytes()).err());
            }
            text.resize(256, 0);
            let read = nix::sys::uio::pread(&file, text, 0)?;
            Ok(ControllerMask::parse(&String::from_utf8_lossy(&text[..read])))
        });
        match enabled {
            Ok(enabled) => Ok(Outcome::Controllers { enabled, refused: refused.map(at(path)) }),
            Err(errno) => Err(at(path)(errno)),
        }
    }

    fn write(&mut self, cgroup: &CgroupPath, file: &str, value: &str) -> Done {
        self.text.clear();
        self.text.extend_from_slice(value.as_bytes());
        self.text.push(b'\n');
        let text = &self.text;
        let done = self.dirs.with(&self.shared.root, cgroup, |dir| write_file(dir, file, text));
        done.map_err(|errno| at(self.path_of(cgroup, file))(errno))?;
        Ok(Outcome::Done)
    }

    /// The pin is let go of in any case: a start that failed is withdrawn, not repeated.
    fn attach(&mut self, cgroup: &CgroupPath, pin: Pin) -> Done {
        let pinned = self.shared.pins().take(pin);
        let moved = match pinned {
            Some(pinned) => self.move_here(cgroup, &pinned),
            None => Err(Errno::EBADF),
        };
        moved.map_err(|errno| at(self.path_of(cgroup, "cgroup.procs"))(errno))
    }

    fn move_here(&mut self, cgroup: &CgroupPath, pinned: &Pinned) -> nix::Result<Outcome> {
        let mut digits = [0_u8; 10];
        let digits = decimal(pinned.pid, &mut digits);
        for _ in 0..ATTACH_ROUNDS {
            // Once reaped, its number may already be another's.
            if sys::pidfd_signal(pinned.pidfd.as_fd(), 0) == Err(Errno::ESRCH) {
                return Ok(Outcome::Gone);
            }
            let written = self.dirs.with(&self.shared.root, cgroup, |dir| {
                write_file(dir, "cgroup.procs", digits)?;
                Ok(dir.id)
            });
            let id = match written {
                Ok(id) => id,
                Err(Errno::ESRCH) => return Ok(Outcome::Gone),
                Err(errno) => return Err(errno),
            };
            if self.is_here(cgroup, id, pinned) {
                return Ok(Outcome::Attached);
            }
            if has_ended(pinned.pidfd.as_fd()) {
                return Ok(Outcome::Gone);
            }
        }
        Err(Errno::EBUSY)
    }

    /// A write that succeeds proves nothing: for a zombie it does nothing.
    fn is_here(&self, cgroup: &CgroupPath, id: u64, pinned: &Pinned) -> bool {
        let told = sys::pidfd_info(pinned.pidfd.as_fd()).ok().and_then(|info| info.cgroup_id);
        match told {
            Some(now) if now == id => true,
            // The leader may have ended and stayed behind, while the other threads moved.
            _ => {
                let tasks = std::fs::read_dir(format!("/proc/{}/task", pinned.pid));
                let here = tasks.into_iter().flatten().flatten().any(|task| {
                    let text = std::fs::read_to_string(task.path().join("cgroup")).unwrap_or_default();
                    parse::proc_cgroup(&text).and_then(|path| self.shared.root.below(path)).as_ref() == Some(cgroup)
                });
                here && !has_ended(pinned.pidfd.as_fd())
            }
        }
    }

    fn delegate(&mut self, cgroup: &CgroupPath, user: &str, group: Option<&str>) -> Done {
        let (uid, primary) = find_user(user)?;
        let gid = match group {
            Some(group) => Some(find_group(group)?),
            None => primary,
        };
        let mut refused_at = "";
        let files = &self.shared.delegate_files;
        let done = self.dirs.with(&self.shared.root, cgroup, |dir| {
            refused_at = "";
            check_there(dir)?;
            fchmod(&dir.fd, DIRECTORY_MODE)?;
            fchown(&dir.fd, Some(uid), gid)?;
            for file in files {
                let handed = fchmodat(&dir.fd, file.as_str(), FILE_MODE, FchmodatFlags::FollowSymlink)
                    .and_then(|()| fchownat(&dir.fd, file.as_str(), Some(uid), gid, AtFlags::AT_SYMLINK_NOFOLLOW));
                // Without these two nothing can be done in it; the others are as the kernel has them.
                if matches!(file.as_str(), "cgroup.procs" | "cgroup.subtree_control") {
                    refused_at = file;
                    handed?;
                }
            }
            Ok(())
        });
        done.map_err(|errno| at(self.path_of(cgroup, refused_at))(errno))?;
        Ok(Outcome::Done)
    }

    fn xattr(&mut self, cgroup: &CgroupPath, name: &str, value: Option<&str>) -> Done {
        let done = self.dirs.with(&self.shared.root, cgroup, |dir| {
            check_there(dir)?;
            name.with_nix_path(|name| match value {
                Some(value) => sys::set_xattr(dir.fd.as_fd(), name, value.as_bytes()),
                None => match sys::remove_xattr(dir.fd.as_fd(), name) {
                    Err(Errno::ENODATA) => Ok(()),
                    done => done,
                },
            })?
        });
        done.map_err(|errno| at(self.path_of(cgroup, ""))(errno))?;
        Ok(Outcome::Done)
    }
}

/// `ENOENT` when a cgroup has been removed: its directory, held open, would take marks and owners all the same.
fn check_there(dir: &Dir) -> nix::Result<()> {
    fstatat(&dir.fd, "cgroup.procs", AtFlags::AT_SYMLINK_NOFOLLOW).map(drop)
}

/// Opens an interface file.
pub(crate) fn open_file(dir: &Dir, file: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    openat(&dir.fd, file, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

/// One write is one command to the kernel, taken whole or refused. It does not wait until a lowered memory limit has
/// been reclaimed, where the kernel can be asked not to (6.16); the limit holds all the same.
pub(crate) fn write_file(dir: &Dir, file: &str, text: &[u8]) -> nix::Result<()> {
    write(&open_file(dir, file, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?, text).map(drop)
}

/// A number as text, without allocation.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

/// The user of this name or number, and the user's own group where one is known.
fn find_user(user: &str) -> Result<(Uid, Option<Gid>), OpError> {
    if let Ok(number) = user.parse::<u32>() {
        let uid = Uid::from_raw(number);
        return Ok((uid, User::from_uid(uid).ok().flatten().map(|entry| entry.gid)));
    }
    match User::from_name(user) {
        Ok(Some(entry)) => Ok((entry.uid, Some(entry.gid))),
        Ok(None) => Err(at(format!("user {user}"))(Errno::ESRCH)),
        Err(errno) => Err(at(format!("user {user}"))(errno)),
    }
}

fn find_group(group: &str) -> Result<Gid, OpError> {
    if let Ok(number) = group.parse::<u32>() {
        return Ok(Gid::from_raw(number));
    }
    match Group::from_name(group) {
        Ok(Some(entry)) => Ok(entry.gid),
        Ok(None) => Err(at(format!("group {group}"))(Errno::ESRCH)),
        Err(errno) => Err(at(format!("group {group}"))(errno)),
    }
}

/// Every directory is tried; the first error counts.
fn remove_runtime(directories: &[String]) -> Result<(), OpError> {
    let mut first = Ok(());
    for path in directories {
        let removed = match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
            Ok(_) => std::fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
                first = first.and(Err(at(path.clone())(errno)));
            }
            _ => {}
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_text() {
        for number in [0, 7, 10, 4_194_304, u32::MAX] {
            assert_eq!(decimal(number, &mut [0; 10]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn users_and_groups_by_name_and_number() {
        assert_eq!(find_user("root").expect("known").0, Uid::from_raw(0));
        assert_eq!(find_user("4242").expect("a number").0, Uid::from_raw(4242));
        assert_eq!(find_group("4242").expect("a number"), Gid::from_raw(4242));
        assert_eq!(find_user("no-such-user").expect_err("unknown").to_string(), "user no-such-user: ESRCH");
        assert_eq!(find_group("no-such-group").expect_err("unknown").to_string(), "group no-such-group: ESRCH");
    }

    #[test]
    fn what_a_service_had_goes_and_what_its_links_lead_to_stays() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        let texts = |names: &[&str]| -> Vec<String> { names.iter().map(|n| path(n).display().to_string()).collect() };
        std::fs::create_dir_all(path("a/b")).expect("made");
        std::fs::create_dir(path("kept")).expect("made");
        std::fs::write(path("kept/file"), "x").expect("written");
        for link in ["a/b/link", "link"] {
            std::os::unix::fs::symlink(path("kept"), path(link)).expect("made");
        }
        assert_eq!(remove_runtime(&texts(&["a", "missing", "link"])), Ok(()));
        assert!(!path("a").exists() && path("link").symlink_metadata().is_err() && path("kept/file").exists());
        let error = remove_runtime(&texts(&["kept/file/x", "kept"])).expect_err("no directory");
        assert_eq!(error.errno, cgarbiter_core::Errno::NotDir);
        assert!(!path("kept").exists(), "the others are removed all the same");
    }
}
