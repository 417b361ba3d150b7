//! What the driver tells the core once, at start: facts of the machine and choices of the operator.

use crate::controllers::ControllerMask;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Facts and choices, fixed for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Path of the managed root below the cgroup2 mount as clients see it; empty when it is the top.
    pub root: String,
    /// Controllers that the managed root can hand down.
    pub supported: ControllerMask,
    /// What the root's `cgroup.subtree_control` held when we came; these are never switched off.
    pub root_enabled: ControllerMask,
    /// Facts of the machine that percentages refer to.
    pub machine: Machine,
    /// Defaults for units.
    pub defaults: Defaults,
    /// Where unit files go.
    pub unit_paths: UnitPaths,
    /// Environment block of the manager (`NAME=VALUE`).
    pub environment: Vec<String>,
    /// 32 bytes of the kernel's randomness for invocation ids.
    pub seed: [u64; 4],
    /// What becomes of a limit whose controller this tree does not have.
    pub unsupported: Unsupported,
    /// Quotas.
    pub quotas: Quotas,
    /// The arbiter's own uid: requests of the same uid or of root are privileged.
    pub uid: u32,
    /// Which boot of the machine this is: records of another one speak of cgroups that have gone.
    pub boot_id: String,
    /// The socket on which services tell of themselves (`$NOTIFY_SOCKET`); empty when there is none.
    pub notify_socket: String,
    /// Whether the driver can give way to a new program that finds everything again.
    pub reexecutes: bool,
}

/// What becomes of a limit whose controller this tree does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// Kept and shown as systemd does, and reported to the operator by name.
    #[default]
    Report,
    /// The request is refused.
    Refuse,
}

/// Facts of the machine (reference 06.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Physical memory in bytes, capped by the managed root's `memory.max`.
    pub memory_bytes: u64,
    /// Page size in bytes.
    pub page_size: u64,
    /// How many tasks the system can hold.
    pub tasks_max: u64,
    /// Architecture word of the API, e.g. `x86-64`.
    pub architecture: String,
    /// Virtualization word of the API, e.g. `kvm`, or empty.
    pub virtualization: String,
    /// What specifiers of unit files stand for that only the machine knows (`H` for its name, `m` for its id …), as far
    /// as the driver could find out.
    pub specifiers: Vec<(String, String)>,
}

/// Defaults for units (reference 07.6, 10.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// `DefaultTimeoutStartUSec`.
    pub timeout_start_usec: u64,
    /// `DefaultTimeoutStopUSec`.
    pub timeout_stop_usec: u64,
    /// `DefaultTasksMax` as a number of tasks; `u64::MAX` is none.
    pub tasks_max: u64,
    /// `DefaultCPUAccounting`.
    pub cpu_accounting: bool,
    /// `DefaultIOAccounting`.
    pub io_accounting: bool,
    /// `DefaultMemoryAccounting`.
    pub memory_accounting: bool,
    /// `DefaultTasksAccounting`.
    pub tasks_accounting: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            timeout_start_usec: 90_000_000,
            timeout_stop_usec: 90_000_000,
            tasks_max: u64::MAX,
            cpu_accounting: true,
            io_accounting: false,
            memory_accounting: true,
            tasks_accounting: true,
        }
    }
}

/// Beside no directory of systemd's: what lies here is for people to look at.
const QUARANTINE: &str = "/run/cgarbiter/quarantine";

/// Where unit files of each kind are written, as absolute directories (reference 10.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPaths {
    /// Transient units.
    pub transient: Arc<str>,
    /// Runtime drop-ins of `SetUnitProperties`.
    pub runtime_control: Arc<str>,
    /// Persistent drop-ins of `SetUnitProperties`.
    pub persistent_control: Arc<str>,
    /// Records that could not be read are put here.
    pub quarantine: Arc<str>,
    /// The whole search path, highest priority first, for the property `UnitPath`.
    pub search: Vec<Arc<str>>,
}

impl UnitPaths {
    /// systemd's directories.
    #[must_use]
    pub fn systemd() -> Self {
        Self::below(
            "/etc/systemd/system.control",
            "/run/systemd/system.control",
            "/run/systemd/transient",
            &["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"],
        )
    }

    /// The arbiter's own directories.
    #[must_use]
    pub fn own() -> Self {
        Self::below(
            "/etc/cgarbiter/control",
            "/run/cgarbiter/control",
            "/run/cgarbiter/transient",
            &["/etc/cgarbiter/units", "/run/cgarbiter/units", "/usr/lib/cgarbiter/units"],
        )
    }

    /// The directories whose files configure units, highest priority first. Transient units are not configured by
    /// files: theirs are written, and read back only after a restart.
    #[must_use]
    pub fn files(&self) -> Vec<Arc<str>> {
        self.search.iter().filter(|directory| **directory != self.transient).cloned().collect()
    }

    /// Where links that `EnableUnitFiles` and its like make are to stay, or to last until the next boot (`runtime`):
    /// the operator's own directory, in which nothing else is written.
    #[must_use]
    pub fn install(&self, runtime: bool) -> &Arc<str> {
        let (top, written) = match runtime {
            true => ("/run/", [&self.runtime_control, &self.transient]),
            false => ("/etc/", [&self.persistent_control; 2]),
        };
        let is_own = |directory: &&Arc<str>| directory.starts_with(top) && !written.contains(directory);
        self.search.iter().find(is_own).unwrap_or(written[0])
    }

    /// Whether a file lies where [`install`](Self::install) puts links.
    #[must_use]
    pub fn is_installed_into(&self, path: &str) -> bool {
        let is_in = |directory: &str| path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        is_in(self.install(true)) || is_in(self.install(false))
    }

    /// Whether a file came with what is installed, as opposed to being the operator's or ours.
    #[must_use]
    pub fn is_vendor(path: &str) -> bool {
        path.starts_with("/usr/") || path.starts_with("/lib/")
    }

    /// Whether a file is gone after a boot.
    #[must_use]
    pub fn is_runtime(path: &str) -> bool {
        path.starts_with("/run/")
    }

    fn below(persistent: &str, runtime: &str, transient: &str, others: &[&str]) -> Self {
        let first = [persistent, runtime, transient];
        Self {
            transient: transient.into(),
            runtime_control: runtime.into(),
            persistent_control: persistent.into(),
            quarantine: QUARANTINE.into(),
            search: first.iter().chain(others).map(|dir| Arc::from(*dir)).collect(),
        }
    }
}

/// Bounds on what one user may hold (root and the arbiter's own user are not bound).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Units made by one uid.
    pub units_per_uid: u32,
    /// Properties in one request.
    pub properties_per_request: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { units_per_uid: 4096, properties_per_request: 4096 }
    }
}

impl Config {
    /// A configuration for tests and the simulator: everything supported, a small machine.
    #[must_use]
    pub fn example() -> Self {
        Self {
            root: String::new(),
            supported: ControllerMask::all(),
            root_enabled: ControllerMask::empty(),
            machine: Machine {
                memory_bytes: 2_074_611_712,
                page_size: 4096,
                tasks_max: 15_751,
                architecture: "x86-64".into(),
                virtualization: String::new(),
                specifiers: [("H", "example"), ("v", "6.1.0")].map(|(s, text)| (s.into(), text.into())).into(),
            },
            defaults: Defaults { tasks_max: 2362, ..Defaults::default() },
            notify_socket: String::from("/run/cgarbiter/notify"),
            unit_paths: UnitPaths::systemd(),
            environment: Vec::new(),
            seed: [1, 2, 3, 4],
            unsupported: Unsupported::Report,
            quotas: Quotas::default(),
            uid: 0,
            boot_id: "00000000-0000-4000-8000-000000000001".into(),
            reexecutes: false,
        }
    }
}
