//! `status`: what a unit or the manager is doing, for people; exit status 3 if not active, 4 if there is no such unit.

use serde::Serialize;
use zbus::OwnedObjectPath;

use crate::args::client::Status;

use super::change::expand;
use super::client::{Client, MANAGER_PATH, PropertyMap, UNIT};
use super::error::{Error, NOT_APPLICABLE, NOT_PERMITTED, Result};
use super::human;
use super::output::{self, Output};
use super::units::{self, Process};
use super::value;

/// The shape of a unit in JSON. Null = not known, not set or not limited.
#[derive(Debug, Clone, Serialize)]
struct UnitStatus {
    unit: String,
    description: String,
    load: String,
    active: String,
    sub: String,
    freezer: String,
    result: Option<String>,
    fragment: Option<String>,
    drop_ins: Vec<String>,
    /// Its files on the disk are others than it was loaded from.
    need_daemon_reload: bool,
    transient: bool,
    /// When the present active state began, µs since 1970.
    since_usec: Option<u64>,
    main_pid: Option<u64>,
    slice: Option<String>,
    control_group: Option<String>,
    memory_bytes: Option<u64>,
    memory_max_bytes: Option<u64>,
    tasks: Option<u64>,
    tasks_max: Option<u64>,
    cpu_nsec: Option<u64>,
    invocation_id: Option<String>,
    processes: Vec<Process>,
}

/// The shape of the manager in JSON.
#[derive(Debug, Clone, Serialize)]
struct ManagerStatus {
    state: String,
    version: String,
    address: String,
    units: Option<u64>,
    jobs: Option<u64>,
    failed: Option<u64>,
    since_usec: Option<u64>,
    tainted: Option<String>,
    control_group: String,
}

pub(super) async fn status(client: &Client, args: &Status, out: &mut Output) -> Result<()> {
    if args.units.is_empty() {
        return manager(client, out).await;
    }
    let (mut all, mut exit) = (Vec::new(), None);
    for unit in named(client, &args.units).await? {
        let status = look(client, &unit).await?;
        if let Some(code) = exit_of(&status) {
            exit.get_or_insert(code);
        }
        all.push(status);
    }
    if out.is_json() {
        out.json(&all)?;
    } else {
        print(&all, out);
    }
    exit.map_or(Ok(()), |code| Err(Error::Status(code)))
}

/// Units by name, pattern or pid.
async fn named(client: &Client, given: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for word in given {
        match word.parse::<u32>() {
            Ok(pid) => names.push(unit_of_pid(client, pid).await?),
            Err(_) => names.extend(expand(client, std::slice::from_ref(word)).await?),
        }
    }
    Ok(names)
}

async fn unit_of_pid(client: &Client, pid: u32) -> Result<String> {
    let what = format!("cannot find the unit of process {pid}");
    let path: OwnedObjectPath = client.manager(&what, "GetUnitByPID", &(pid,)).await?;
    Ok(value::text("Id", &*client.get(&what, path.as_str(), UNIT, "Id").await?))
}

async fn look(client: &Client, unit: &str) -> Result<UnitStatus> {
    let map = client.unit(&format!("cannot show {unit}"), unit).await?;
    let mut status = unit_status(unit, &map);
    if status.need_daemon_reload {
        output::note(units::outdated(unit));
    }
    if status.control_group.is_some() {
        match units::processes(client, unit).await {
            Ok(processes) => status.processes = processes,
            Err(error) => output::note(format_args!("cgarbiter: {error}")),
        }
    }
    Ok(status)
}

fn unit_status(unit: &str, map: &PropertyMap) -> UnitStatus {
    let text = |name| units::text(map, name).to_owned();
    let known = |name| Some(text(name)).filter(|text| !text.is_empty());
    let counted = |name| units::number(map, name).filter(|number| *number != 0);
    let active = text("ActiveState");
    let since = match active.as_str() {
        "active" | "reloading" => "ActiveEnterTimestamp",
        "inactive" | "failed" => "InactiveEnterTimestamp",
        _ => "StateChangeTimestamp",
    };
    UnitStatus {
        unit: known("Id").unwrap_or_else(|| unit.to_owned()),
        description: text("Description"),
        load: text("LoadState"),
        sub: text("SubState"),
        freezer: text("FreezerState"),
        result: known("Result"),
        fragment: known("FragmentPath"),
        drop_ins: units::texts(map, "DropInPaths"),
        need_daemon_reload: units::switch(map, "NeedDaemonReload"),
        transient: units::switch(map, "Transient"),
        since_usec: counted(since),
        main_pid: counted("MainPID"),
        slice: known("Slice"),
        control_group: known("ControlGroup"),
        memory_bytes: units::number(map, "MemoryCurrent"),
        memory_max_bytes: units::number(map, "MemoryMax"),
        tasks: units::number(map, "TasksCurrent"),
        tasks_max: units::number(map, "TasksMax"),
        cpu_nsec: units::number(map, "CPUUsageNSec"),
        invocation_id: map.get("InvocationID").map(|id| value::text("InvocationID", id)).filter(|id| !id.is_empty()),
        processes: vec![],
        active,
    }
}

fn exit_of(status: &UnitStatus) -> Option<u8> {
    match status.active.as_str() {
        "inactive" if status.load == "not-found" => Some(NOT_PERMITTED),
        "inactive" | "failed" => Some(NOT_APPLICABLE),
        _ => None,
    }
}

fn print(all: &[UnitStatus], out: &mut Output) {
    for (i, status) in all.iter().enumerate() {
        if i > 0 {
            out.line("");
        }
        if exit_of(status) == Some(NOT_PERMITTED) {
            out.line(format_args!("There is no unit {}.", status.unit));
        } else {
            out.text(draw(status));
        }
    }
}

fn draw(status: &UnitStatus) -> String {
    let mut lines = vec![head(status)];
    let mut add = |name: &str, text: Option<String>| lines.extend(text.map(|text| format!("{name:>12}: {text}")));
    add("Loaded", Some(loaded(status)));
    add("Drop-In", (!status.drop_ins.is_empty()).then(|| status.drop_ins.join("\n              ")));
    add("Active", Some(active(status)));
    add("Invocation", status.invocation_id.clone());
    add("Main PID", status.main_pid.map(|pid| pid.to_string()));
    add("Tasks", status.tasks.map(|n| limited(n.to_string(), status.tasks_max.map(|max| max.to_string()))));
    add("Memory", status.memory_bytes.map(|n| limited(human::size(n), status.memory_max_bytes.map(human::size))));
    add("CPU", status.cpu_nsec.map(|nsec| human::span(nsec / 1_000)));
    add("CGroup", status.control_group.clone());
    let last = status.processes.len().saturating_sub(1);
    for (i, process) in status.processes.iter().enumerate() {
        let branch = if i == last { "└─" } else { "├─" };
        lines.push(format!("{:14}{branch}{} {}", "", process.pid, process.command));
    }
    lines.join("\n") + "\n"
}

fn head(status: &UnitStatus) -> String {
    let dot = match status.active.as_str() {
        "active" | "reloading" => "●",
        "failed" => "×",
        "inactive" => "○",
        _ => "↻",
    };
    let description = if status.description == status.unit { "" } else { &status.description };
    format!("{dot} {} - {description}", status.unit).trim_end_matches(" - ").to_owned()
}

fn loaded(status: &UnitStatus) -> String {
    let details = [status.fragment.clone(), status.transient.then(|| "transient".to_owned())];
    parenthesised(&status.load, &details.into_iter().flatten().collect::<Vec<_>>(), "; ")
}

fn active(status: &UnitStatus) -> String {
    let result = status.result.clone().filter(|result| result != "success").map(|result| format!("Result: {result}"));
    let frozen = (!matches!(status.freezer.as_str(), "" | "running")).then(|| status.freezer.clone());
    let details: Vec<String> = [Some(status.sub.clone()), frozen, result].into_iter().flatten().collect();
    let text = parenthesised(&status.active, &details, "; ");
    match status.since_usec {
        Some(usec) => format!("{text} since {}; {} ago", human::timestamp(usec), human::ago(usec)),
        None => text,
    }
}

fn parenthesised(text: &str, details: &[String], separator: &str) -> String {
    if details.is_empty() { text.to_owned() } else { format!("{text} ({})", details.join(separator)) }
}

fn limited(current: String, max: Option<String>) -> String {
    match max {
        Some(max) => format!("{current} (limit: {max})"),
        None => current,
    }
}

async fn manager(client: &Client, out: &mut Output) -> Result<()> {
    let map = client.get_all("cannot show the manager", MANAGER_PATH, "").await?;
    let status = ManagerStatus {
        state: units::text(&map, "SystemState").to_owned(),
        version: units::text(&map, "Version").to_owned(),
        address: client.address().to_owned(),
        units: units::number(&map, "NNames"),
        jobs: units::number(&map, "NJobs"),
        failed: units::number(&map, "NFailedUnits"),
        since_usec: units::number(&map, "UserspaceTimestamp").filter(|usec| *usec != 0),
        tainted: Some(units::text(&map, "Tainted").to_owned()).filter(|text| !text.is_empty()),
        control_group: units::text(&map, "ControlGroup").to_owned(),
    };
    if out.is_json() {
        return out.json(&status);
    }
    let count = |number: Option<u64>, word: &str| number.map(|number| format!("{number} {word}"));
    let mut add = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            out.line(format_args!("{name:>8}: {text}"));
        }
    };
    add("Address", Some(status.address));
    add("Version", Some(status.version));
    add("State", Some(status.state));
    add("Units", count(status.units, "loaded"));
    add("Jobs", count(status.jobs, "queued"));
    add("Failed", count(status.failed, "units"));
    add("Since", status.since_usec.map(|usec| format!("{}; {} ago", human::timestamp(usec), human::ago(usec))));
    add("Tainted", status.tainted);
    add("CGroup", Some(if status.control_group.is_empty() { "/".to_owned() } else { status.control_group }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use zbus::{OwnedVariant, Variant};

    use super::*;

    fn map(pairs: &[(&str, Variant<'static>)]) -> PropertyMap {
        let owned = |value: &Variant<'static>| OwnedVariant::try_from(value.try_clone().unwrap()).unwrap();
        pairs.iter().map(|(name, value)| ((*name).to_owned(), owned(value))).collect()
    }

    fn scope() -> UnitStatus {
        let text = |text: &'static str| Variant::from(text);
        let mut status = unit_status(
            "x.scope",
            &map(&[
                ("Id", text("x.scope")),
                ("Description", text("A job")),
                ("LoadState", text("loaded")),
                ("ActiveState", text("active")),
                ("SubState", text("running")),
                ("FreezerState", text("frozen")),
                ("FragmentPath", text("/run/x.scope")),
                ("Result", text("success")),
                ("Transient", Variant::from(true)),
                ("ControlGroup", text("/a.slice/x.scope")),
                ("TasksCurrent", Variant::from(2_u64)),
                ("TasksMax", Variant::from(33_u64)),
                ("MemoryCurrent", Variant::from(u64::MAX)),
                ("MemoryMax", Variant::from(u64::MAX)),
                ("CPUUsageNSec", Variant::from(3_000_000_u64)),
            ]),
        );
        let process = |pid, command: &str| Process { pid, command: command.into(), control_group: String::new() };
        status.processes = vec![process(7, "sh"), process(8, "sleep 1")];
        status
    }

    #[test]
    fn looks() {
        insta::assert_snapshot!(draw(&scope()), @r"
        ● x.scope - A job
              Loaded: loaded (/run/x.scope; transient)
              Active: active (running; frozen)
               Tasks: 2 (limit: 33)
                 CPU: 3ms
              CGroup: /a.slice/x.scope
                      ├─7 sh
                      └─8 sleep 1
        ");
    }

    #[test]
    fn exits() {
        let exit =
            |active: &str, load: &str| exit_of(&UnitStatus { active: active.into(), load: load.into(), ..scope() });
        assert_eq!(exit("active", "loaded"), None);
        assert_eq!(exit("inactive", "loaded"), Some(3));
        assert_eq!(exit("failed", "loaded"), Some(3));
        assert_eq!(exit("inactive", "not-found"), Some(4));
    }
}
