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
        _ => false,
    }
}

/// Whether the file is one that systemd writes wrongly.
pub(crate) fn is_other_file(quirk: &str, path: &str) -> bool {
    quirk == "tasksmaxscale-dropin" && path.ends_with("50-TasksMaxScale.conf")
}
