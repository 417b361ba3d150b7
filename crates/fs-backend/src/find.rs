//! What an arbiter finds when it starts: the directories that units may have below the managed root, and the files of
//! the store. Looked at once, before anything else is done; what it means is not decided here.

use crate::errno::at;
use crate::executor::Executor;
use crate::read::{read_all, read_pids};
use crate::sys;
use cgarbiter_core::OpError;
use cgarbiter_core::config::UnitPaths;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::found::{Found, FoundCgroup, FoundFile};
use cgarbiter_core::names::CgroupPath;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::geteuid;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Slices lie no deeper than their names have dashes, and those are shorter than this.
const DEPTH_MAX: usize = 256;

impl Executor {
    /// Everything that an earlier arbiter may have left. What cannot be looked at is left out, as if it were somebody
    /// else's; files that cannot be read are named with the reason. Unit files are asked for like at any other time.
    ///
    /// # Errors
    /// The root, or a directory of the store, cannot be listed.
    pub fn find(&mut self, paths: &UnitPaths) -> Result<Found, OpError> {
        let mut found = Found::default();
        let mut todo = vec![CgroupPath::root()];
        while let Some(above) = todo.pop() {
            let listed = self.find_below(&above, &mut found, &mut todo);
            match listed {
                Err(errno) if above.is_root() => return Err(at(self.path_of(&above, ""))(errno)),
                // Gone again, or not ours to see.
                Ok(()) | Err(_) => {}
            }
        }
        found.cgroups.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for directory in [&paths.transient, &paths.quarantine] {
            self.shared.store.list(directory, &mut |path, content| {
                let content = content.map_err(at(path.clone()));
                found.files.push(FoundFile { path: path.into(), content });
            })?;
        }
        Ok(found)
    }

    /// Looks at every directory in this one; slices that were not handed over are looked into later.
    fn find_below(&mut self, above: &CgroupPath, found: &mut Found, todo: &mut Vec<CgroupPath>) -> nix::Result<()> {
        let directory = self.shared.root.open_cgroup(above)?;
        for name in crate::tree::children(directory.as_fd())? {
            let Ok(text) = name.to_str() else { continue };
            // The directory's own name, whatever unit it may stand for.
            let Some(path) = CgroupPath::parse(&format!("{}/{text}", above.as_str())) else { continue };
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let Ok(opened) = openat(&directory, name.as_c_str(), flags, Mode::empty()) else { continue };
            let Ok(cgroup) = self.look(&opened, path) else { continue };
            if is_slice(&cgroup.path) && !cgroup.delegated && cgroup.path.components().count() < DEPTH_MAX {
                todo.push(cgroup.path.clone());
            }
            found.cgroups.push(cgroup);
        }
        Ok(())
    }

    fn look(&mut self, directory: &OwnedFd, path: CgroupPath) -> nix::Result<FoundCgroup> {
        let fd = directory.as_fd();
        let text = &mut self.text;
        let events = crate::parse::cgroup_events(file(fd, "cgroup.events", text)?);
        let freeze = file(fd, "cgroup.freeze", text).is_ok_and(|text| text.trim_end() == "1");
        let mut enabled = ControllerMask::empty();
        if is_slice(&path) {
            enabled = ControllerMask::parse(file(fd, "cgroup.subtree_control", text).unwrap_or_default());
        }
        let mut pids = Vec::new();
        if path.as_str().ends_with(".service") {
            read_pids(fd, "cgroup.procs", text, &mut pids)?;
        }
        let delegated =
            [c"trusted.delegate", c"user.delegate"].iter().any(|name| attribute(fd, name).as_deref() == Some("1"));
        let stat = fstat(directory)?;
        // Whoever owns a directory may mark it. Slices are never handed to anybody.
        let is_marked_by_us = !is_slice(&path) || stat.st_uid == geteuid().as_raw();
        Ok(FoundCgroup {
            id: stat.st_ino,
            enabled,
            invocation: attribute(fd, c"user.invocation_id").filter(|_| is_marked_by_us),
            delegated,
            populated: events.populated,
            freeze,
            frozen: events.frozen,
            pids,
            path,
        })
    }
}

fn is_slice(path: &CgroupPath) -> bool {
    path.as_str().ends_with(".slice")
}

fn file<'a>(directory: BorrowedFd<'_>, name: &str, buffer: &'a mut Vec<u8>) -> nix::Result<&'a str> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    read_all(&openat(directory, name, flags, Mode::empty())?, buffer)
}

fn attribute(directory: BorrowedFd<'_>, name: &std::ffi::CStr) -> Option<String> {
    let mut value = [0_u8; 64];
    let length = sys::get_xattr(directory, name, &mut value).ok()?;
    String::from_utf8(value[..length].to_vec()).ok()
}
