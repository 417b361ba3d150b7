//! One operation of a recording, done with real system calls by whoever runs this: the driver or a test process.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cgarbiter_sim::kernel::Errno;
use cgarbiter_sim::vectors::kernel::Object;
use rustix::fs::{self as calls, Access, AtFlags, CWD, Mode, OFlags, XattrFlags};
use rustix::io;
use rustix::mount::MountFlags;
use rustix::process::{Gid, Uid};
use rustix::thread::{UnshareFlags, set_thread_res_gid, set_thread_res_uid};
use serde_json::Value;

/// What an operation answers beside `r`.
pub(crate) type Answer = io::Result<Vec<(&'static str, Value)>>;

/// Where the hierarchy is mounted.
#[derive(Clone, Debug)]
pub(crate) struct Mount(pub(crate) PathBuf);

pub(crate) fn text<'a>(step: &'a Object, key: &str) -> Option<&'a str> {
    step.get(key).and_then(Value::as_str)
}

/// One code point, one byte.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

pub(crate) fn latin(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn number(step: &Object, key: &str) -> Option<u32> {
    step.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
}

fn done() -> Answer {
    Ok(Vec::new())
}

/// The name of an error, as recordings have it.
pub(crate) fn errno_name(errno: io::Errno) -> String {
    let number = errno.raw_os_error();
    Errno::from_number(number).map_or_else(|| format!("ERRNO {number}"), |errno| errno.name().to_owned())
}

/// An answer as an object.
pub(crate) fn answer_object(answer: Answer) -> Object {
    match answer {
        Ok(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
            fields.chain([("r".to_owned(), 0.into())]).collect()
        }
        Err(errno) => word(&errno_name(errno)),
    }
}

/// An answer that is one word.
pub(crate) fn word(word: &str) -> Object {
    Object::from_iter([("r".to_owned(), word.into())])
}

/// Does something as another user, when the step says so. The real user stays 0, so there is a way back.
pub(crate) fn as_user<T>(step: &Object, act: impl FnOnce() -> T) -> io::Result<T> {
    let Some(user) = number(step, "u") else { return Ok(act()) };
    let (own_user, own_group) = (rustix::process::geteuid(), rustix::process::getegid());
    set_thread_res_uid(None, Uid::ROOT, None)?;
    set_thread_res_gid(None, Gid::from_raw(user), None)?;
    set_thread_res_uid(None, Uid::from_raw(user), None)?;
    let result = act();
    set_thread_res_uid(None, Uid::ROOT, None)?;
    set_thread_res_gid(None, own_group, None)?;
    set_thread_res_uid(None, own_user, None)?;
    Ok(result)
}

fn errno(error: std::io::Error) -> io::Errno {
    io::Errno::from_io_error(&error).unwrap_or(io::Errno::IO)
}

impl Mount {
    /// A path in the hierarchy as one in the file system.
    pub(crate) fn path(&self, step: &Object, key: &str) -> PathBuf {
        let path = bytes(text(step, key).unwrap_or("/"));
        self.0.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(&path)))
    }

    pub(crate) fn node(&self, step: &Object) -> PathBuf {
        let directory = self.path(step, "g");
        match text(step, "f").unwrap_or(".") {
            // With the dot behind it, a file is not taken for a directory.
            "." if directory.is_dir() => directory,
            file => directory.join(OsStr::from_bytes(&bytes(file))),
        }
    }

    /// Everything that is one or two system calls on paths.
    pub(crate) fn perform(&self, operation: &str, step: &Object, pid: i32) -> Answer {
        match operation {
            "mkdir" | "rmdir" | "rename" | "creat" | "unlink" | "symlink" => self.directory(operation, step),
            "write" | "move" | "read" | "ls" => self.content(operation, step, pid),
            "access" | "stat" | "chown" | "chmod" => self.attributes(operation, step),
            "xset" | "xget" | "xrm" | "xlist" => self.xattr(operation, step),
            "where" => whereabouts(pid),
            "unshare" => {
                // SAFETY: a cgroup namespace has nothing to do with memory or descriptors.
                unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP) }?;
                done()
            }
            "remount" => {
                let options = text(step, "opts").unwrap_or("-");
                self.remount(if options == "-" { "" } else { options })?;
                done()
            }
            _ => Err(io::Errno::NOSYS),
        }
    }

    /// With exactly these options, and the one that makes changes fast where there is one: it changes nothing else.
    pub(crate) fn remount(&self, options: &str) -> io::Result<()> {
        let fast = format!("favordynmods,{options}");
        self.remount_exactly(fast.trim_end_matches(',')).or_else(|_| self.remount_exactly(options))
    }

    pub(crate) fn remount_exactly(&self, options: &str) -> io::Result<()> {
        rustix::mount::mount_remount(&self.0, MountFlags::empty(), options)
    }

    fn directory(&self, operation: &str, step: &Object) -> Answer {
        match operation {
            "mkdir" => calls::mkdir(self.path(step, "g"), Mode::from_raw_mode(0o755))?,
            "rmdir" => calls::rmdir(self.path(step, "g"))?,
            "rename" => calls::rename(self.path(step, "g"), self.path(step, "to"))?,
            "unlink" => calls::unlink(self.node(step))?,
            "symlink" => calls::symlink("elsewhere", self.node(step))?,
            _ => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                calls::open(self.node(step), flags, Mode::from_raw_mode(0o644))?;
            }
        }
        done()
    }

    fn content(&self, operation: &str, step: &Object, pid: i32) -> Answer {
        match operation {
            "ls" => names_in(&self.path(step, "g")),
            "read" => {
                let file = calls::open(self.node(step), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
                let mut text = Vec::new();
                fs::File::from(file).read_to_end(&mut text).map_err(errno)?;
                Ok(vec![("v", latin(&text))])
            }
            _ => {
                let data = if operation == "move" {
                    pid.to_string().into_bytes()
                } else {
                    bytes(text(step, "d").unwrap_or(""))
                };
                let file = calls::open(self.node(step), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
                fs::File::from(file).write(&data).map_err(errno)?;
                done()
            }
        }
    }

    fn attributes(&self, operation: &str, step: &Object) -> Answer {
        let path = self.node(step);
        match operation {
            "access" => {
                let letters = text(step, "m").unwrap_or("");
                let letter = |letter, access| if letters.contains(letter) { access } else { Access::empty() };
                let access =
                    letter('r', Access::READ_OK) | letter('w', Access::WRITE_OK) | letter('x', Access::EXEC_OK);
                calls::accessat(CWD, path, access, AtFlags::EACCESS)?;
            }
            "chown" => {
                let (user, group) = (number(step, "uid").unwrap_or(0), number(step, "gid").unwrap_or(0));
                calls::chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
            }
            "chmod" => {
                let mode = u32::from_str_radix(text(step, "mode").unwrap_or("0"), 8).unwrap_or(0);
                calls::chmod(path, Mode::from_raw_mode(mode))?;
            }
            _ => {
                let stat = calls::stat(path)?;
                let kind = if stat.st_mode & 0o170_000 == 0o040_000 { "dir" } else { "file" };
                let mode = stat.st_mode & 0o7777;
                return Ok(vec![("v", format!("{kind} {mode:04o} {} {}", stat.st_uid, stat.st_gid).into())]);
            }
        }
        done()
    }

    fn xattr(&self, operation: &str, step: &Object) -> Answer {
        let (path, name) = (self.node(step), bytes(text(step, "x").unwrap_or("")));
        match operation {
            "xset" => {
                let flags = match text(step, "how") {
                    Some("create") => XattrFlags::CREATE,
                    Some("replace") => XattrFlags::REPLACE,
                    _ => XattrFlags::empty(),
                };
                calls::setxattr(path, name, &bytes(text(step, "d").unwrap_or("")), flags)?;
            }
            "xget" => {
                let mut value = vec![0; 1 << 16];
                let length = calls::getxattr(path, name, &mut value[..])?;
                return Ok(vec![("v", latin(&value[..length]))]);
            }
            "xrm" => calls::removexattr(path, name)?,
            _ => {
                let names: Vec<u8> =
                    xattr_names(&path)?.into_iter().flat_map(|name| [name, b"\n".to_vec()].concat()).collect();
                return Ok(vec![("v", latin(&names))]);
            }
        }
        done()
    }

    /// A directory to clone into.
    pub(crate) fn directory_of(&self, step: &Object) -> io::Result<Option<OwnedFd>> {
        if !step.contains_key("into") {
            return Ok(None);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        calls::open(self.path(step, "into"), flags, Mode::empty()).map(Some)
    }
}

pub(crate) fn xattr_names(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut list = vec![0; 1 << 16];
    let length = calls::listxattr(path, &mut list[..])?;
    let mut names: Vec<Vec<u8>> =
        list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect();
    names.sort_unstable();
    Ok(names)
}

/// Huge pages of 1 GiB depend on the processor; the recordings know those of 2 MiB only.
fn names_in(path: &Path) -> Answer {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(errno)? {
        let entry = entry.map_err(errno)?;
        let slash: &[u8] = if entry.file_type().map_err(errno)?.is_dir() { b"/" } else { b"" };
        let name = [entry.file_name().as_bytes(), slash].concat();
        if !name.starts_with(b"hugetlb.1GB.") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(vec![("v", names.iter().map(|name| latin(name)).collect())])
}

fn whereabouts(pid: i32) -> Answer {
    let text = fs::read(format!("/proc/{pid}/cgroup")).map_err(errno)?;
    let line = text.split_inclusive(|byte| *byte == b'\n').find(|line| line.starts_with(b"0::"));
    Ok(vec![("v", latin(line.unwrap_or(b"")))])
}

/// Writes at the start of a file that is open.
pub(crate) fn write_again(file: impl AsFd, data: &[u8]) -> io::Result<()> {
    // Not at a position: files of this kind refuse that.
    calls::seek(&file, calls::SeekFrom::Start(0))?;
    io::write(file, data).map(drop)
}

/// Reads from the start of a file that is open.
pub(crate) fn read_again(file: impl AsFd) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    let length = io::pread(file, &mut buffer[..], 0)?;
    buffer.truncate(length);
    Ok(buffer)
}
