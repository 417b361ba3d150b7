//! Texts of the kernel as values. Pure: nothing is read here.

use cgarbiter_core::event::CgroupEvents;

/// The number after `key` in a flat-keyed file.
#[must_use]
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim_end().parse().ok())
}

/// A file that holds one number; `max` is the largest.
#[must_use]
pub fn single(text: &str) -> Option<u64> {
    match text.trim_end() {
        "max" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// `cgroup.events`, without the kill count.
#[must_use]
pub fn cgroup_events(text: &str) -> CgroupEvents {
    CgroupEvents {
        populated: keyed(text, "populated") == Some(1),
        frozen: keyed(text, "frozen") == Some(1),
        oom_kills: None,
    }
}

/// `io.stat` summed over the devices: rbytes, rios, wbytes, wios.
#[must_use]
pub fn io_stat(text: &str) -> [u64; 4] {
    let mut sums = [0_u64; 4];
    for field in text.split_whitespace() {
        let Some((key, value)) = field.split_once('=') else { continue };
        let index = match key {
            "rbytes" => 0,
            "rios" => 1,
            "wbytes" => 2,
            "wios" => 3,
            _ => continue,
        };
        sums[index] = sums[index].saturating_add(value.parse().unwrap_or(0));
    }
    sums
}

/// The cgroup v2 path in `/proc/PID/cgroup`; none when there is no such line. A trailing ` (deleted)` stays.
#[must_use]
pub fn proc_cgroup(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// What is needed of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcStat {
    /// The state letter is `Z` or `X`.
    pub ended: bool,
    /// A thread of the kernel (`PF_KTHREAD`).
    pub kernel_thread: bool,
}

/// Reads `/proc/PID/stat`. The name in it may hold anything, parentheses included.
#[must_use]
pub fn proc_stat(text: &str) -> Option<ProcStat> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let flags: u64 = fields.nth(5)?.parse().ok()?;
    Some(ProcStat { ended: matches!(state, "Z" | "X" | "x"), kernel_thread: flags & PF_KTHREAD != 0 })
}

/// How a process has ended that still waits to be reaped, as `wait` would give it, from `/proc/PID/stat`. Who may not
/// know is told 0.
#[must_use]
pub fn zombie_status(text: &str) -> Option<i32> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if fields.next()? != "Z" {
        return None;
    }
    // The fifty-second field of all; the state is the third.
    fields.nth(48)?.parse().ok()
}

/// The first number after `key:` in files like `/proc/PID/status` and `/proc/PID/fdinfo/FD`.
#[must_use]
pub fn proc_field(text: &str, key: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// A line of `/proc/self/mountinfo` that shows a cgroup2 file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMount {
    /// Which cgroup the mount shows at its top, as this process's cgroup namespace names it.
    pub shows: String,
    /// Where it is mounted.
    pub point: String,
    /// Options of the hierarchy.
    pub options: Vec<String>,
}

/// The cgroup2 mounts in `/proc/self/mountinfo`, in its order.
#[must_use]
pub fn cgroup_mounts(text: &str) -> Vec<CgroupMount> {
    text.lines().filter_map(cgroup_mount).collect()
}

fn cgroup_mount(line: &str) -> Option<CgroupMount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut tail = file_system.split(' ');
    if tail.next()? != "cgroup2" {
        return None;
    }
    let mut fields = mount.split(' ');
    let (shows, point) = (fields.nth(3)?, fields.next()?);
    let options = tail.nth(1).unwrap_or_default();
    Some(CgroupMount {
        shows: unescape_octal(shows),
        point: unescape_octal(point),
        options: options.split(',').map(str::to_owned).collect(),
    })
}

/// Undoes the `\ooo` escapes of mountinfo.
fn unescape_octal(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let digits =
            bytes.get(i + 1..i + 4).filter(|d| bytes[i] == b'\\' && d.iter().all(|c| (b'0'..b'8').contains(c)));
        match digits {
            Some(d) => {
                out.push(d.iter().fold(0_u8, |n, c| n.wrapping_mul(8).wrapping_add(c - b'0')));
                i += 4;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Names of the sub-directories in a buffer of `getdents64`.
pub(crate) fn directories(mut entries: &[u8]) -> impl Iterator<Item = &[u8]> {
    const NAME_AT: usize = 19;
    std::iter::from_fn(move || {
        loop {
            let length = usize::from(u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]));
            let kind = *entries.get(18)?;
            let entry = entries.get(..length).filter(|_| length > NAME_AT)?;
            entries = &entries[length..];
            let name = entry[NAME_AT..].split(|byte| *byte == 0).next()?;
            if kind == libc::DT_DIR && name != b"." && name != b".." {
                return Some(name);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_keyed_files() {
        let text = "usage_usec 12\nuser_usec 7\nsystem_usec 5\n";
        assert_eq!(keyed(text, "usage_usec"), Some(12));
        assert_eq!(keyed(text, "user"), None);
        assert_eq!(keyed("low 0\noom 1\noom_kill 3\noom_group_kill 9\n", "oom_kill"), Some(3));
        assert_eq!(keyed("", "x"), None);
        assert_eq!(single("max\n"), Some(u64::MAX));
        assert_eq!(single("4096\n"), Some(4096));
        assert_eq!(single("\n"), None);
    }

    #[test]
    fn events() {
        let events = cgroup_events("populated 1\nfrozen 0\n");
        assert!(events.populated && !events.frozen);
        assert!(cgroup_events("populated 0\nfrozen 1\n").frozen);
        assert_eq!(cgroup_events(""), CgroupEvents::default());
    }

    #[test]
    fn io_is_summed_over_devices() {
        let text = "259:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:0 rbytes=5 wbytes=1 rios=1 wios=1\n";
        assert_eq!(io_stat(text), [15, 2, 21, 3]);
        assert_eq!(io_stat(""), [0; 4]);
        assert_eq!(io_stat("8:0\nrbytes=x"), [0; 4]);
    }

    #[test]
    fn proc_texts() {
        assert_eq!(proc_cgroup("1:cpu:/\n0::/a.slice/b c.scope\n"), Some("/a.slice/b c.scope"));
        assert_eq!(proc_cgroup("1:cpu:/\n"), None);
        let stat = "12 (a) Z (b) S 1 12 12 0 -1 4194560 89 0";
        assert_eq!(proc_stat(stat), Some(ProcStat { ended: false, kernel_thread: false }));
        let thread = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0";
        assert_eq!(proc_stat(thread), Some(ProcStat { ended: false, kernel_thread: true }));
        assert!(proc_stat("3 (x) Z 1 3 3 0 -1 4227148 0").is_some_and(|s| s.ended));
        assert_eq!(proc_stat("3 (x"), None);
        let zeros = "0 ".repeat(48);
        assert_eq!(zombie_status(&format!("3 (x) Z {zeros}1792\n")), Some(7 << 8));
        assert_eq!(zombie_status(&format!("3 (x) S {zeros}0\n")), None);
        assert_eq!(zombie_status("3 (x) Z 1"), None);
        assert_eq!(proc_field("Name:\tx\nUid:\t1000\t0\t0\t0\n", "Uid"), Some(1000));
        assert_eq!(proc_field("pos:\t0\nPid:\t-1\n", "Pid"), Some(-1));
    }

    #[test]
    fn mounts() {
        let text = "30 23 0:26 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n\
                    31 23 0:27 / /proc rw - proc proc rw\n\
                    32 23 0:26 /a\\040b /mnt/c\\134d rw - cgroup2 none rw\n";
        let mounts = cgroup_mounts(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].point, "/sys/fs/cgroup/unified");
        assert_eq!(mounts[0].options, ["rw", "nsdelegate"]);
        assert_eq!((mounts[1].shows.as_str(), mounts[1].point.as_str()), ("/a b", "/mnt/c\\d"));
    }

    #[test]
    fn directory_entries() {
        let mut buffer = Vec::new();
        for (name, kind) in [(".", libc::DT_DIR), ("cgroup.procs", libc::DT_REG), ("a.slice", libc::DT_DIR)] {
            let length = (19 + name.len() + 1).next_multiple_of(8);
            let start = buffer.len();
            buffer.extend([0_u8; 16]);
            buffer.extend((length as u16).to_ne_bytes());
            buffer.push(kind);
            buffer.extend(name.as_bytes());
            buffer.resize(start + length, 0);
        }
        assert_eq!(directories(&buffer).collect::<Vec<_>>(), [b"a.slice"]);
        assert_eq!(directories(&buffer[..30]).count(), 0);
    }
}
