//! One guest: its initramfs, its disks, the QEMU process, and the lines it says. Knows nothing of tests.

use crate::{Outcome, files, image::Image, step};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// The machine on which the vectors were recorded had these; some recorded figures depend on them.
const CPUS: &str = "2";
/// All that can be emulated but `cmpxchg16b`: the allocator of newer kernels uses it, and now and then it goes wrong.
const PROCESSOR: &str = "max,-cx16";
const MEMORY_MIB: &str = "2048";

/// Room for logs and reports that come back.
const RESULTS_BYTES: u64 = 128 << 20;

pub(crate) struct Guest {
    /// Working files: payload/, payload.img, results.img, initramfs, console.log.
    pub(crate) directory: PathBuf,
    /// Program that becomes pid 1, as a path in the guest.
    pub(crate) init: &'static str,
    /// How the processors are emulated: `multi`, a thread each, or `single`.
    pub(crate) threads: &'static str,
}

impl Guest {
    /// The tree that the guest sees read-only at /payload; to be filled before `run`.
    pub(crate) fn payload(&self) -> PathBuf {
        self.directory.join("payload")
    }

    pub(crate) fn console_log(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    /// Boots, hands every line from the guest's second serial port to `heard`, and returns when the guest is off.
    /// A guest that is still up at the time limit is killed, and that is an error.
    pub(crate) fn run(&self, image: &Image, limit: Duration, heard: impl FnMut(&str)) -> Outcome {
        self.run_with(image, &[], limit, heard)
    }

    /// The same with more disks, from `/dev/vdd` on, which keep what is written to them.
    pub(crate) fn run_with(
        &self,
        image: &Image,
        disks: &[&Path],
        limit: Duration,
        mut heard: impl FnMut(&str),
    ) -> Outcome {
        self.make_disks(image)?;
        let console = format!("file:{}", self.console_log().display());
        // timeout(1) keeps the limit even when this process is killed.
        let mut qemu = self.qemu(image, &["-display", "none", "-serial", &console, "-serial", "stdio"]);
        for disk in disks {
            qemu.args(["-drive", &drive(disk, "off")]);
        }
        let mut child = Command::new("timeout")
            .args(["--foreground", "--kill-after=5", &limit.as_secs().to_string()])
            .arg(qemu.get_program())
            .args(qemu.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("start timeout qemu-system-x86_64: {e}"))?;
        let mut reader = BufReader::new(child.stdout.take().ok_or("qemu has no standard output")?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            heard(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
        let status = child.wait().map_err(|e| format!("wait for qemu: {e}"))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(124 | 137) => Err(format!("the guest was not off after {} s and was killed", limit.as_secs())),
            _ => Err(format!("qemu-system-x86_64: {status}")),
        }
    }

    /// Boots with this terminal as the guest's console.
    pub(crate) fn run_interactive(&self, image: &Image) -> Outcome {
        self.make_disks(image)?;
        let lines = format!("file:{}", self.directory.join("lines").display());
        let status = self.qemu(image, &["-display", "none", "-serial", "mon:stdio", "-serial", &lines]).status();
        status.map(drop).map_err(|e| format!("start qemu-system-x86_64: {e}"))
    }

    /// What the guest left on the results disk, unpacked into `to`.
    pub(crate) fn unpack_results(&self, to: &Path) -> Outcome {
        files::fresh_directory(to)?;
        step::quiet(Command::new("tar").arg("-xf").arg(self.directory.join("results.img")).arg("-C").arg(to))
    }

    fn make_disks(&self, image: &Image) -> Outcome {
        let payload = self.directory.join("payload.img");
        files::empty_disk(&payload, tree_bytes(&self.payload()) * 5 / 4 + (16 << 20))?;
        step::quiet(Command::new("mkfs.ext4").args(["-q", "-F", "-d"]).arg(self.payload()).arg(&payload))?;
        files::empty_disk(&self.directory.join("results.img"), RESULTS_BYTES)?;
        self.make_initramfs(image)
    }

    fn make_initramfs(&self, image: &Image) -> Outcome {
        let tree = self.directory.join("initramfs.d");
        files::fresh_directory(&tree)?;
        files::directory(&tree.join("bin"))?;
        files::copy(Path::new("/bin/busybox"), &tree.join("bin/busybox"))?;
        files::copy(&files::workspace().join("ci/image/initramfs-init"), &tree.join("init"))?;
        files::copy_tree(&image.modules(), &tree.join("modules"))?;
        let archive = self.directory.join("initramfs");
        let pack = "cd \"$0\" && find . | busybox cpio -o -H newc >\"$1\" 2>/dev/null";
        step::quiet(Command::new("sh").args(["-c", pack]).arg(&tree).arg(&archive))
    }

    fn qemu(&self, image: &Image, serial: &[&str]) -> Command {
        let append =
            format!("console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off net.ifnames=0 guest.init={}", self.init);
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args([
                "-accel",
                &format!("tcg,thread={}", self.threads),
                "-cpu",
                PROCESSOR,
                "-smp",
                CPUS,
                "-m",
                MEMORY_MIB,
            ])
            .args(["-no-reboot", "-nodefaults", "-nic", "none"])
            .args(serial)
            .arg("-kernel")
            .arg(image.kernel())
            .arg("-initrd")
            .arg(self.directory.join("initramfs"))
            .args(["-append", &append])
            .args(["-drive", &drive(&image.root(), "on")])
            .args(["-drive", &drive(&self.directory.join("payload.img"), "on")])
            .args(["-drive", &drive(&self.directory.join("results.img"), "off")]);
        command
    }
}

/// QEMU's words for a disk; what reaches it stays in this machine's memory, which keeps its power.
fn drive(path: &Path, snapshot: &str) -> String {
    format!("file={},format=raw,if=virtio,cache=unsafe,snapshot={snapshot}", path.display())
}

fn tree_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { tree_bytes(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}

/// Prints at once, also when standard output is a pipe.
pub(crate) fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}
