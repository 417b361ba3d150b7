//! What the driver tells once, at the start, as text.

use crate::tables::{choice, record};
use cgarbiter_core::config::{Config, Defaults, Machine, Quotas, UnitPaths, Unsupported};

record!(Config {
    root,
    supported,
    root_enabled,
    machine,
    defaults,
    unit_paths,
    environment,
    seed,
    unsupported,
    quotas,
    uid,
    boot_id,
    notify_socket,
    reexecutes,
});
record!(Machine { memory_bytes, page_size, tasks_max, architecture, virtualization, specifiers });
record!(Defaults {
    timeout_start_usec,
    timeout_stop_usec,
    tasks_max,
    cpu_accounting,
    io_accounting,
    memory_accounting,
    tasks_accounting,
});
record!(UnitPaths { transient, runtime_control, persistent_control, quarantine, search });
record!(Quotas { units_per_uid, properties_per_request });
choice!(Unsupported { Report, Refuse });
