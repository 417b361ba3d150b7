//! Facts of the machine that the core is told once.

use crate::parse;
use crate::root::Root;
use cgarbiter_core::config::Machine;
use nix::unistd::{SysconfVar, sysconf};

/// Looks at the machine: memory and number of tasks as far as the root may use them, and the words of the API.
#[must_use]
pub fn machine(root: &Root) -> Machine {
    let page_size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|n| u64::try_from(n).ok()).unwrap_or(4096);
    let limit = |file: &str| root.read(file).ok().as_deref().and_then(parse::single);
    let total = parse::proc_field(&text("/proc/meminfo"), "MemTotal").and_then(|kib| u64::try_from(kib).ok());
    let memory = total.map_or(u64::MAX, |kib| kib.saturating_mul(1024)).min(limit("memory.max").unwrap_or(u64::MAX));
    let number = |file: &str| parse::single(&text(file)).unwrap_or(u64::MAX);
    let tasks = number("/proc/sys/kernel/threads-max").min(number("/proc/sys/kernel/pid_max").saturating_sub(1));
    Machine {
        memory_bytes: memory / page_size * page_size,
        page_size,
        tasks_max: tasks.min(limit("pids.max").unwrap_or(u64::MAX)),
        architecture: architecture(std::env::consts::ARCH).to_owned(),
        virtualization: virtualization(),
        specifiers: specifiers(),
    }
}

/// What specifiers of unit files stand for on this machine; those that it has nothing for are missing.
#[must_use]
pub fn specifiers() -> Vec<(String, String)> {
    let line = |path: &str| text(path).lines().next().unwrap_or_default().trim().to_owned();
    let host = line("/proc/sys/kernel/hostname");
    let pretty = field(&text("/etc/machine-info"), "PRETTY_HOSTNAME").unwrap_or_else(|| host.clone());
    let short = host.split('.').next().unwrap_or_default().to_owned();
    let release = Some(text("/etc/os-release")).filter(|text| !text.is_empty());
    let release = release.unwrap_or_else(|| text("/usr/lib/os-release"));
    let os = [("o", "ID"), ("w", "VERSION_ID"), ("B", "BUILD_ID"), ("W", "VARIANT_ID"), ("M", "IMAGE_ID")];
    let os = os.into_iter().chain([("A", "IMAGE_VERSION")]);
    // A field that is missing is empty, as long as there is a file that could have it.
    let os = os.filter(|_| !release.is_empty()).map(|(s, key)| (s, field(&release, key).unwrap_or_default(), true));
    let machine = [
        ("H", host, false),
        ("l", short, false),
        ("q", pretty, false),
        ("m", line("/etc/machine-id"), false),
        ("v", line("/proc/sys/kernel/osrelease"), false),
    ];
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    let group = nix::unistd::Group::from_gid(nix::unistd::getegid()).ok().flatten();
    let user = user.into_iter().flat_map(|user| {
        let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        [("u", user.name, false), ("h", path(user.dir), false), ("s", path(user.shell), false)]
    });
    let group = group.into_iter().map(|group| ("g", group.name, false));
    let all = machine.into_iter().chain(os).chain(user).chain(group);
    all.filter(|(_, text, may_be_empty)| *may_be_empty || !text.is_empty())
        .map(|(specifier, text, _)| (specifier.to_owned(), text))
        .collect()
}

/// A field of a file of `KEY=VALUE` lines, without quotes.
fn field(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?.trim();
    Some(value.trim_matches(|c| c == '"' || c == '\'').to_owned())
}

fn text(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The API's word for what the program was built for.
fn architecture(arch: &str) -> &str {
    let little = cfg!(target_endian = "little");
    match arch {
        "x86_64" => "x86-64",
        "aarch64" if little => "arm64",
        "aarch64" => "arm64-be",
        "arm" if !little => "arm-be",
        "powerpc64" if little => "ppc64-le",
        "powerpc64" => "ppc64",
        "powerpc" if little => "ppc-le",
        "powerpc" => "ppc",
        "mips64" if little => "mips64-le",
        "mips" if little => "mips-le",
        // x86, arm, s390x, riscv64, loongarch64, mips64, mips, sparc64 are called the same.
        same => same,
    }
}

/// The API's word: a container manager if we are in a container, else the hypervisor, else nothing.
fn virtualization() -> String {
    if let Some(container) = container() {
        return container;
    }
    let dmi = ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"];
    let named = dmi.iter().find_map(|file| hypervisor_of_vendor(&text(&format!("/sys/class/dmi/id/{file}"))));
    if named.is_some() || text("/proc/cpuinfo").lines().any(is_hypervisor_flag) {
        return named.or_else(hypervisor_of_cpu).unwrap_or("vm-other").to_owned();
    }
    let tree = text("/proc/device-tree/hypervisor/compatible");
    match tree.trim_end_matches('\0') {
        "linux,kvm" => "kvm".to_owned(),
        "vmware" => "vmware".to_owned(),
        other if other.contains("xen") => "xen".to_owned(),
        _ => String::new(),
    }
}

fn is_hypervisor_flag(line: &str) -> bool {
    line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "hypervisor")
}

/// What the container manager says, or the marks that some leave behind.
fn container() -> Option<String> {
    let environment = text("/proc/1/environ");
    let told = environment.split('\0').find_map(|entry| entry.strip_prefix("container="));
    let word =
        [text("/run/host/container-manager"), told.unwrap_or_default().to_owned(), text("/run/systemd/container")]
            .into_iter()
            .find(|word| !word.trim().is_empty());
    let marks = [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")];
    match word.as_deref().map(str::trim) {
        Some("oci") | None => marks.iter().find(|(file, _)| std::path::Path::new(file).exists()).map(|(_, word)| *word),
        Some(
            word @ ("systemd-nspawn" | "lxc-libvirt" | "lxc" | "openvz" | "docker" | "podman" | "rkt" | "wsl" | "proot"
            | "pouch"),
        ) => return Some(word.to_owned()),
        Some(_) => Some("container-other"),
    }
    .map(str::to_owned)
}

/// The hypervisor behind a name in the firmware's tables.
fn hypervisor_of_vendor(name: &str) -> Option<&'static str> {
    const VENDORS: [(&str, &str); 16] = [
        ("KVM", "kvm"),
        ("OpenStack", "kvm"),
        ("KubeVirt", "kvm"),
        ("Amazon EC2", "amazon"),
        ("QEMU", "qemu"),
        ("VMware", "vmware"),
        ("VMW", "vmware"),
        ("innotek GmbH", "oracle"),
        ("VirtualBox", "oracle"),
        ("Xen", "xen"),
        ("Bochs", "bochs"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
        ("Hyper-V", "microsoft"),
        ("Apple Virtualization", "apple"),
        ("Google Compute Engine", "google"),
    ];
    VENDORS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, word)| *word)
}

/// The hypervisor that answers CPUID.
#[cfg(target_arch = "x86_64")]
fn hypervisor_of_cpu() -> Option<&'static str> {
    const HYPERVISOR_LEAF: u32 = 0x4000_0000;
    #[allow(unused_unsafe, reason = "a safe function since Rust 1.94, an unsafe one before")]
    // SAFETY: every x86-64 processor has the instruction, and a hypervisor flag was seen.
    let leaf = unsafe { std::arch::x86_64::__cpuid(HYPERVISOR_LEAF) };
    let signature: Vec<u8> = [leaf.ebx, leaf.ecx, leaf.edx].iter().flat_map(|word| word.to_le_bytes()).collect();
    hypervisor_of_signature(&signature)
}

#[cfg(not(target_arch = "x86_64"))]
fn hypervisor_of_cpu() -> Option<&'static str> {
    None
}

#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only one architecture asks"))]
fn hypervisor_of_signature(signature: &[u8]) -> Option<&'static str> {
    Some(match signature {
        b"XenVMMXenVMM" => "xen",
        b"KVMKVMKVM\0\0\0" | b"Linux KVM Hv" => "kvm",
        b"TCGTCGTCGTCG" => "qemu",
        b"VMwareVMware" => "vmware",
        b"Microsoft Hv" => "microsoft",
        b"bhyve bhyve " => "bhyve",
        b"QNXQVMBSQG\0\0" => "qnx",
        b"ACRNACRNACRN" => "acrn",
        b"SRESRESRESRE" => "sre",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_is_called() {
        let known = specifiers();
        let has = |specifier: &str| known.iter().any(|(known, text)| known == specifier && !text.is_empty());
        assert!(has("H") && has("l") && has("v"), "{known:?}");
        assert_eq!(field("A=1\nID=\"debian\"\n", "ID").as_deref(), Some("debian"));
        assert_eq!(field("VERSION_ID=1\n", "ID"), None);
    }

    #[test]
    fn words_of_the_api() {
        assert_eq!(architecture("x86_64"), "x86-64");
        assert_eq!(architecture("riscv64"), "riscv64");
        assert_eq!(hypervisor_of_vendor("Amazon EC2\n"), Some("amazon"));
        assert_eq!(hypervisor_of_vendor("Dell Inc.\n"), None);
        assert_eq!(hypervisor_of_signature(b"KVMKVMKVM\0\0\0"), Some("kvm"));
        assert_eq!(hypervisor_of_signature(b"GenuineIntel"), None);
        assert!(is_hypervisor_flag("flags\t\t: fpu sse hypervisor"));
        assert!(!is_hypervisor_flag("model name : hypervisor"));
    }
}
