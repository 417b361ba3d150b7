//! The kernel as the arbiter sees it: the cgroup-v2 file system and the processes in it, at the level of system calls.
//! It knows nothing of the arbiter. Each answer, down to the error number, is that of a real kernel; the vectors in
//! `vectors/kernel` hold it to that.
//!
//! ```
//! use cgarbiter_sim::kernel::{Caller, CgroupId, Config, Errno, File, Fork, Kernel, Notice};
//!
//! let mut kernel = Kernel::new(Config::default());
//! let root = Caller::INIT;
//! let slice = kernel.mkdir(&root, CgroupId::ROOT, b"app.slice")?;
//! let scope = kernel.mkdir(&root, slice, b"a.scope")?;
//! let pid = kernel.fork(&root, &Fork { into: Some(scope), ..Fork::default() })?;
//!
//! kernel.write(&root, CgroupId::ROOT, File::CgroupSubtreeControl, b"+memory")?;
//! kernel.write(&root, slice, File::MemoryMax, b"64M")?;
//! assert_eq!(kernel.read(&root, slice, File::MemoryMax)?, "67108864\n");
//! assert_eq!(kernel.rmdir(&root, scope), Err(Errno::EBUSY));
//!
//! kernel.take_notices();
//! kernel.write(&root, scope, File::CgroupKill, b"1")?;
//! assert!(kernel.notices().contains(&Notice::Modified { cgroup: scope, file: File::CgroupEvents }));
//! kernel.reap(Kernel::INIT, pid)?;
//! kernel.rmdir(&root, scope)?;
//! assert_eq!(kernel.lookup(&root, b"/app.slice/a.scope"), Err(Errno::ENOENT));
//! # Ok::<(), Errno>(())
//! ```
//!
//! * **By number or by path.** Every call takes a [`CgroupId`]; [`Kernel::lookup`] finds one for a path. A number is
//!   never used again, so what was remembered across a removal finds nothing.
//! * **A value.** `Clone` copies the world; nothing depends on time, chance or addresses.
//! * **Who acts** is a [`Caller`]: a process with an effective user and group. User 0 has all capabilities.
//! * **At once, or later.** With [`Config::immediate`] deaths and freezing happen inside the call. Without, they wait
//!   in [`Kernel::unsettled`] until the world lets them happen, in any order; from 6.19 on a process that ended also
//!   leaves its cgroup only then.
//! * **What others notice** collects in [`Kernel::take_notices`]: changed event files, made and removed cgroups, ended
//!   processes. [`Kernel::watch`] shows the same as poll and inotify would.
//! * **Processes** do nothing by themselves. They fork, exit, touch memory, take signals when the world says so, and
//!   [`Kernel::can_act`] tells whether they could.
//! * **Cost.** A call costs by depth, never by the number of siblings; only what visits children by its meaning
//!   (handing controllers down, freezing, killing, listing) costs by their number.

mod access;
mod bpf;
mod canonical;
mod cgroup;
mod config;
mod control;
mod controllers;
mod cpu;
mod cpuset;
mod errno;
mod exit;
mod files;
mod hugetlb;
mod invariants;
mod io;
mod look;
mod members;
mod memory;
mod migrate;
mod notices;
mod oom;
mod open;
mod parse;
mod partition;
mod pids;
mod pressure;
mod process;
mod show;
mod signal;
mod slab;
mod spawn;
mod store;
mod tree;
mod usage;
mod xattr;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use access::Caller;
pub use bpf::{AttachFlags, ProgramBody, ProgramId, ProgramKind};
pub use cgroup::{Attributes, CgroupId};
pub use config::{Config, MountOptions, Version};
pub use controllers::{Controller, ControllerSet};
pub use errno::Errno;
pub use exit::Unsettled;
pub use files::File;
pub use notices::{Check, Inotify, Notice, WatchId};
pub use open::Descriptor;
pub use process::{Exit, Pid, PidNamespace, State};
pub use signal::{Disposition, SIGKILL, SIGTERM};
pub use spawn::Fork;
pub use xattr::SetMode;

use cgroup::Cgroup;
use slab::Slab;

/// A kernel with its cgroup hierarchy and processes. See the [module](self) for an example.
#[derive(Clone, Debug)]
pub struct Kernel {
    config: Config,
    options: MountOptions,
    cgroups: Slab<Cgroup>,
    processes: Slab<process::Process>,
    tasks: Slab<process::Task>,
    tids: BTreeMap<Pid, u32>,
    virtual_pids: BTreeMap<(PidNamespace, Pid), Pid>,
    pids: Slab<pids::PidsObject>,
    memory: Slab<memory::MemoryObject>,
    files: Slab<open::OpenFile>,
    watches: Slab<notices::Watch>,
    programs: Slab<bpf::Program>,
    /// Cpuset partitions that came true, oldest first.
    partitions: Vec<u32>,
    notices: Vec<Notice>,
    unsettled: Vec<Unsettled>,
    /// Processes that left a frozen cgroup with signals waiting; empty between calls.
    thawed: Vec<u32>,
    next_pid: Pid,
}

impl Kernel {
    /// The first process, in the root, with all privileges. It cannot be killed.
    pub const INIT: Pid = 1;
    /// A kernel thread, in the root. It can be neither killed nor moved.
    pub const KTHREADD: Pid = 2;

    /// A fresh mount without options, and nothing in the hierarchy but the root.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut kernel = Self {
            options: MountOptions::default(),
            cgroups: Slab::new(),
            processes: Slab::new(),
            tasks: Slab::new(),
            tids: BTreeMap::new(),
            virtual_pids: BTreeMap::new(),
            pids: Slab::new(),
            memory: Slab::new(),
            files: Slab::new(),
            watches: Slab::new(),
            programs: Slab::new(),
            partitions: Vec::new(),
            notices: Vec::new(),
            unsettled: Vec::new(),
            thawed: Vec::new(),
            next_pid: 1,
            config,
        };
        kernel.mount();
        kernel.boot();
        kernel
    }

    fn mount(&mut self) {
        let attributes = Attributes { uid: 0, gid: 0, mode: 0o555 };
        let root = self.cgroups.insert(Cgroup::new(Arc::from(&b""[..]), None, 0, attributes));
        assert!(self.id(root) == CgroupId::ROOT, "the root comes first");
        let pids = self.pids.insert(pids::PidsObject::new(None, root));
        let memory = self.memory.insert(memory::MemoryObject::new(None, root));
        let cgroup = &mut self.cgroups[root];
        (cgroup.domain, cgroup.pids, cgroup.memory) = (root, Some(pids), Some(memory));
        (cgroup.visible, cgroup.active) = (self.config.controllers, self.config.controllers);
    }

    /// Mounts again with exactly these options.
    pub fn remount(&mut self, options: MountOptions) {
        self.options = options;
    }

    /// Which kernel this is.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The options of the last mount.
    #[must_use]
    pub fn mount_options(&self) -> MountOptions {
        self.options
    }
}
