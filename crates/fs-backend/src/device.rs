//! From a path to the number of the disk that limits are about (reference 04.7).

use nix::Result;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, major, minor, stat};
use std::fmt;
use std::path::{Path, PathBuf};

/// How many mappings may lie upon each other before they are taken for a circle.
const LAYERS_MAX: u32 = 16;

/// Number of a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    major: u64,
    minor: u64,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// The disk behind a path: a block device's own, else that of the file system the path lies in; through mappings with
/// one origin, and from a partition to its whole disk. A path `/dev/block/MAJ:MIN` need not exist.
pub(crate) fn disk_of(path: &str) -> Result<Device> {
    Ok(whole_disk(Path::new("/sys/dev/block"), device_of(path)?))
}

fn device_of(path: &str) -> Result<Device> {
    if let Some(number) = path.strip_prefix("/dev/block/") {
        return parse(number).ok_or(Errno::ENODEV);
    }
    if path.starts_with("/dev/char/") {
        return Err(Errno::ENOTBLK);
    }
    let found = stat(path)?;
    match SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFBLK => Ok(numbered(found.st_rdev)),
        SFlag::S_IFCHR => Err(Errno::ENOTBLK),
        _ => match numbered(found.st_dev) {
            Device { major: 0, minor } => behind_volume(minor),
            device => Ok(device),
        },
    }
}

fn numbered(number: libc::dev_t) -> Device {
    Device { major: major(number), minor: minor(number) }
}

/// A btrfs has a number that is no device's; its mount names the device.
fn behind_volume(minor: u64) -> Result<Device> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let source = btrfs_source(&mounts, minor).ok_or(Errno::ENODEV)?;
    let found = stat(source)?;
    if found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFBLK.bits() {
        Ok(numbered(found.st_rdev))
    } else {
        Err(Errno::ENODEV)
    }
}

fn btrfs_source(mounts: &str, minor: u64) -> Option<&str> {
    let number = format!("0:{minor}");
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut tail = file_system.split(' ');
        let fits = mount.split(' ').nth(2) == Some(&number) && tail.next() == Some("btrfs");
        tail.next().filter(|_| fits)
    })
}

fn whole_disk(sysfs: &Path, mut device: Device) -> Device {
    for _ in 0..LAYERS_MAX {
        let directory = sysfs.join(device.to_string());
        let Some(origin) = only_origin(&directory) else { break };
        device = origin;
    }
    let directory = sysfs.join(device.to_string());
    if directory.join("partition").exists() {
        // The partition's directory lies in the disk's; the entry we came by is a link to it.
        let disk = directory.canonicalize().ok().and_then(|real| read_number(&real.parent()?.join("dev")));
        device = disk.unwrap_or(device);
    }
    device
}

/// The device below a mapping, if there is exactly one.
fn only_origin(directory: &Path) -> Option<Device> {
    let mut origins = std::fs::read_dir(directory.join("slaves")).ok()?.flatten();
    let origin: PathBuf = origins.next()?.path();
    if origins.next().is_some() { None } else { read_number(&origin.join("dev")) }
}

fn read_number(file: &Path) -> Option<Device> {
    parse(std::fs::read_to_string(file).ok()?.trim_end())
}

fn parse(number: &str) -> Option<Device> {
    let (major, minor) = number.split_once(':')?;
    Some(Device { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_of_devices() {
        assert_eq!(disk_of("/dev/block/4090:7").expect("parsed").to_string(), "4090:7");
        assert_eq!(disk_of("/dev/block/x"), Err(Errno::ENODEV));
        assert_eq!(disk_of("/dev/char/1:3"), Err(Errno::ENOTBLK));
        assert_eq!(disk_of("/dev/null"), Err(Errno::ENOTBLK));
        assert_eq!(disk_of("/no/such/path"), Err(Errno::ENOENT));
        assert_eq!(disk_of("/proc"), Err(Errno::ENODEV), "in no device at all");
    }

    #[test]
    fn mappings_and_partitions_lead_to_the_disk() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let block = dir.path().join("dev/block");
        let make = |number: &str, path: &str| {
            let real = dir.path().join("devices").join(path);
            fs::create_dir_all(&real).expect("made");
            fs::create_dir_all(&block).expect("made");
            fs::write(real.join("dev"), format!("{number}\n")).expect("written");
            symlink(&real, block.join(number)).expect("linked");
            real
        };
        make("8:0", "sda");
        let partition = make("8:1", "sda/sda1");
        fs::write(partition.join("partition"), "1\n").expect("written");
        let mapping = make("253:0", "dm-0");
        fs::create_dir(mapping.join("slaves")).expect("made");
        symlink(&partition, mapping.join("slaves/sda1")).expect("linked");
        let striped = make("253:1", "dm-1");
        fs::create_dir(striped.join("slaves")).expect("made");
        symlink(&partition, striped.join("slaves/sda1")).expect("linked");
        symlink(&mapping, striped.join("slaves/dm-0")).expect("linked");
        for (from, to) in [("8:0", "8:0"), ("8:1", "8:0"), ("253:0", "8:0"), ("253:1", "253:1"), ("9:9", "9:9")] {
            let device = parse(from).expect("a number");
            assert_eq!(whole_disk(&block, device).to_string(), to, "{from}");
        }
    }

    #[test]
    fn the_device_of_a_volume_is_named_by_its_mount() {
        let text = "29 1 0:30 / /a rw - tmpfs tmpfs rw\n31 1 0:31 /sub /b rw shared:1 - btrfs /dev/vda2 rw\n";
        assert_eq!(btrfs_source(text, 31), Some("/dev/vda2"));
        assert_eq!(btrfs_source(text, 30), None);
    }
}
