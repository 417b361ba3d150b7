//! What the machine is like, as the first line of a recording tells it.

use std::fs;

use cgarbiter_sim::vectors::kernel::Object;

use super::operations::Mount;

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Whole disks, as `io.max` names them.
fn disks() -> String {
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let mut numbers: Vec<String> = entries.map(|entry| line(&format!("{}/dev", entry.path().display()))).collect();
    numbers.sort_unstable();
    numbers.join(" ")
}

/// The machine that this runs on. Configurations are told by files that only a cgroup below the root has.
pub(crate) fn machine(mount: &Mount) -> std::io::Result<Object> {
    let probe = mount.0.join("cgarbiter-sim.probe");
    let controllers = fs::read_to_string(mount.0.join("cgroup.controllers"))?;
    let words: Vec<String> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
    fs::write(mount.0.join("cgroup.subtree_control"), words.join(" "))?;
    fs::create_dir(&probe)?;
    let has = |file: &str| probe.join(file).exists();
    let machine = [
        ("op", "machine".into()),
        ("kernel", line("/proc/sys/kernel/osrelease").into()),
        ("page", 4096.into()),
        ("controllers", controllers.trim().into()),
        ("cpus", line("/sys/devices/system/cpu/online").into()),
        ("mems", line("/sys/devices/system/node/online").into()),
        ("blockdev", disks().into()),
        ("uclamp", has("cpu.uclamp.max").into()),
        ("zswap", has("memory.zswap.max").into()),
    ];
    fs::remove_dir(&probe)?;
    Ok(machine.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
