//! What is not compared, or differs on purpose; the reasons are in `docs/differences.md`.

/// Whether the refusal is about a property, and not about the unit, the job or the processes.
pub(crate) fn is_about_properties(error: &str, message: &str) -> bool {
    let about_property = match error.rsplit('.').next() {
        Some("PropertyReadOnly" | "ENXIO") => true,
        Some("InvalidArgs") => !is_about_something_else(message),
        _ => false,
    };
    about_property && message != "Permission denied"
}

fn is_about_something_else(message: &str) -> bool {
    let starts = ["Job mode", "Unit name", "Invalid unit name or type.", "Invalid argument"];
    let about_name = message.ends_with(" is not valid.") || message.ends_with(" is missing the instance name.");
    let kernel_thread = message.ends_with("is a kernel thread, refusing.");
    (starts.iter().any(|start| message.starts_with(start)) && (about_name || !message.contains("is not a slice")))
        || kernel_thread
}

/// Whether this difference is one of ours.
pub(crate) fn differs_on_purpose(theirs: Option<(&str, &str)>, ours: Option<(&str, &str)>) -> bool {
    match (theirs, ours) {
        // An empty slice is the default one.
        (Some((_, "Invalid unit name ''")), None) => true,
        // A slice whose name can be no slice's is refused in its turn, and not after all the other properties.
        (Some(_), Some((_, text))) => text.contains("--q.slice failed to load properly"),
        // What services cannot do here is refused by name.
        (None, Some((_, text))) => {
            text.contains("is not supported here; supported:") || UNSERVED.iter().any(|name| text.contains(name))
        }
        _ => false,
    }
}

const UNSERVED: [&str; 2] = ["property TimeoutStartUSec", "property RestartUSec"];

/// Whether the file is one that systemd writes wrongly.
pub(crate) fn is_other_file(quirk: &str, path: &str) -> bool {
    quirk == "tasksmaxscale-dropin" && path.ends_with("50-TasksMaxScale.conf")
}

/// Whether the kernel shows `theirs` after `ours` was written.
pub(crate) fn kernel_shows(file: &str, ours: &str, theirs: &str) -> bool {
    match file {
        "pids.max" if theirs == "$default_tasks_max" => ours == "2362",
        // The kernel refuses more than it can number; we ask for no limit then.
        "pids.max" if theirs == "4194304" => ours == theirs || ours == "max",
        // CPUs that do not exist are refused, and the value before stays.
        "cpuset.cpus" | "cpuset.mems" => true,
        // An idle cgroup has no weight.
        "cpu.weight" => ours == theirs || theirs == "0",
        _ if file.starts_with("memory.") => whole_pages(ours) == theirs,
        _ => ours == theirs,
    }
}

/// The kernel counts pages, and so many that they fill all but the sign of a number are no limit.
fn whole_pages(bytes: &str) -> String {
    const PAGES_MAX: u64 = i64::MAX as u64 / 4096;
    match bytes.parse::<u64>() {
        Ok(bytes) if bytes / 4096 < PAGES_MAX => (bytes / 4096 * 4096).to_string(),
        _ => "max".into(),
    }
}
