//! A file system that looks otherwise: a mount namespace, in which parts can be read only, are empty, or out of reach.

use super::{Done, about, called};
use cgarbiter_core::exec::Mounts;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

/// Devices that do no harm.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// What else of the machine's devices is to be there.
const DEVICE_DIRECTORIES: [&str; 4] = ["pts", "shm", "mqueue", "hugepages"];
/// `MOUNT_ATTR_RDONLY`, `AT_RECURSIVE`.
const ATTRIBUTE_READ_ONLY: u64 = 1;
const RECURSIVE: i32 = 0x8000;

/// The kernel's `struct mount_attr`.
#[repr(C)]
#[derive(Default)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Makes it so. What is mounted here is seen by this process and its children only.
pub(super) fn arrange(mounts: &Mounts) -> Done {
    unshare(CloneFlags::CLONE_NEWNS).map_err(about("mount namespace"))?;
    change(None, "/", None, MsFlags::MS_REC | MsFlags::MS_SLAVE, None)?;
    if mounts.private_devices {
        private_devices()?;
    }
    // What can be written has to be a mount of its own before what it lies in is made read only.
    let mut changes: Vec<(&str, bool)> = Vec::new();
    changes.extend(existing(&mounts.read_only)?.into_iter().map(|path| (path, true)));
    changes.extend(existing(&mounts.read_write)?.into_iter().map(|path| (path, false)));
    changes.sort_by_key(|(path, read_only)| (path.len(), *read_only));
    for (path, _) in changes.iter().filter(|(path, _)| *path != "/") {
        change(Some(path), path, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    }
    for (path, read_only) in changes {
        set_read_only(path, read_only)?;
    }
    // These stay writable, whatever is not.
    if mounts.private_tmp {
        for place in ["/tmp", "/var/tmp"] {
            cover(place, "mode=1777", MsFlags::MS_NOSUID | MsFlags::MS_NODEV)?;
        }
    }
    for path in existing(&mounts.empty)? {
        cover(path, "mode=755", MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_RDONLY)?;
    }
    existing(&mounts.inaccessible)?.into_iter().try_for_each(put_out_of_reach)
}

/// The paths that are there; one that need not be has a `-` before it.
fn existing(paths: &[String]) -> Result<Vec<&str>, super::Fault> {
    let mut found = Vec::new();
    for path in paths {
        let optional = path.starts_with(['-', '+']);
        let plain = path.trim_start_matches(['-', '+']);
        match fs::symlink_metadata(plain) {
            Ok(_) => found.push(plain),
            Err(_) if optional => {}
            Err(error) => return Err(super::about_io(plain)(error)),
        }
    }
    Ok(found)
}

fn change(source: Option<&str>, target: &str, kind: Option<&str>, flags: MsFlags, data: Option<&str>) -> Done {
    mount(source, target, kind, flags, data).map_err(about(target))
}

fn cover(place: &str, options: &str, flags: MsFlags) -> Done {
    change(Some("tmpfs"), place, Some("tmpfs"), flags, Some(options))
}

/// With all that is mounted below.
fn set_read_only(path: &str, read_only: bool) -> Done {
    let name = CString::new(path).map_err(|_| about(path)(Errno::EINVAL))?;
    let mut attributes = MountAttributes::default();
    *(if read_only { &mut attributes.set } else { &mut attributes.clear }) = ATTRIBUTE_READ_ONLY;
    let size = size_of::<MountAttributes>();
    // SAFETY: name and attributes are live and only read; the size is theirs.
    let done = unsafe {
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, name.as_ptr(), RECURSIVE, &raw const attributes, size)
    };
    called(done as i32, path)
}

/// A directory becomes an empty one that nobody can enter; a file, a device that cannot be opened.
fn put_out_of_reach(path: &str) -> Done {
    let is_directory = fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    if is_directory {
        return cover(path, "mode=000,size=4k", flags);
    }
    change(Some("/dev/null"), path, None, MsFlags::MS_BIND, None)?;
    change(None, path, None, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags, None)
}

/// Takes hold of what is to stay, covers `/dev`, and puts it back.
fn private_devices() -> Done {
    let held = |name: &&str| {
        let path = format!("/dev/{name}");
        open(path.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok().map(|fd| (path, fd))
    };
    let devices: Vec<(String, OwnedFd)> = DEVICES.iter().filter_map(held).collect();
    let directories: Vec<(String, OwnedFd)> = DEVICE_DIRECTORIES.iter().filter_map(held).collect();
    cover("/dev", "mode=755", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)?;
    for (path, fd) in &devices {
        fs::write(path, "").map_err(super::about_io(path.as_str()))?;
        put_back(path, fd)?;
    }
    for (path, fd) in &directories {
        fs::create_dir(path).map_err(super::about_io(path.as_str()))?;
        put_back(path, fd)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
        ("log", "/run/systemd/journal/dev-log"),
    ] {
        let _ = std::os::unix::fs::symlink(target, format!("/dev/{name}"));
    }
    set_read_only("/dev", true)?;
    Ok(())
}

fn put_back(path: &str, fd: &OwnedFd) -> Done {
    let source = format!("/proc/self/fd/{}", fd.as_raw_fd());
    change(Some(&source), path, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)
}
