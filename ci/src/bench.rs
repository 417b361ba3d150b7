//! `cargo ci bench`: the same load on systemd and on the daemon, on this machine, one after the other, and the ratios.
//!
//! Figures of different machines or days cannot be compared; quotients of one run can. Both managers run natively in
//! namespaces of their own (bench/namespace.sh), from the same root image, below the machine's own cgroup2 mount.

use crate::{Outcome, files, image, step};
use clap::Args;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What the client is asked to do, in this order; later lines find what earlier ones left loaded.
/// (what it tells, arguments of the client, field of its answer, whether more is better)
const RUNS: &[(&str, &str, &str, bool)] = &[
    ("resident, empty, KiB", "rss", "kib", false),
    ("scope, one at a time, p50 µs", "scope 500 1", "p50_us", false),
    ("scopes/s, 16 in flight", "scope 2000 16", "per_second", true),
    ("scope until unloaded, p50 µs", "cycle 300 1", "p50_us", false),
    ("GetUnitByPID, p50 µs", "pid 2000 1", "p50_us", false),
    ("SetUnitProperties/s, 16 in flight", "set 1000 16", "per_second", true),
    ("`true` without a manager, runs/s, 16 in flight", "spawn 1000 16", "per_second", true),
    ("services that run `true`/s, 16 in flight", "service 1000 16", "per_second", true),
    ("slices/s, 16 in flight", "slice 2000 16", "per_second", true),
    ("scopes/s, 16 in flight, 2000 slices loaded", "scope 1000 16", "per_second", true),
    ("ListUnits of 2000, p50 µs", "list 20", "p50_us", false),
    ("resident, 2000 slices, KiB", "rss", "kib", false),
];

#[derive(Args)]
pub(crate) struct Options {
    /// Use the programs in this directory instead of building them.
    #[arg(long, value_name = "DIRECTORY")]
    programs: Option<PathBuf>,
    /// Measure this one only (systemd or cgarbiter).
    #[arg(long, value_name = "MANAGER", value_parser = ["systemd", "cgarbiter"])]
    only: Option<String>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let image = image::ensure()?;
    let directory = files::target().join("bench");
    let payload = directory.join("payload");
    files::fresh_directory(&payload)?;
    provide_programs(options.programs.as_deref(), &payload)?;
    let wanted = |manager: &str| options.only.as_deref().is_none_or(|only| only == manager);
    let mut figures = Vec::new();
    for manager in ["systemd", "cgarbiter"] {
        if !wanted(manager) {
            figures.push(Vec::new());
            continue;
        }
        figures.push(measure(manager, &image.root(), &payload)?);
    }
    let rows = rows(&figures[0], &figures[1]);
    let path = directory.join("figures.json");
    files::write(&path, &format!("{:#}\n", json!({ "kernel": kernel(), "rows": rows })))?;
    print_table(&rows);
    println!("{}", path.display());
    match figures.iter().flatten().find(|figure| figure["errors"].as_u64().unwrap_or(0) > 0) {
        Some(figure) => Err(format!("some calls failed: {figure}")),
        None => Ok(()),
    }
}

/// Puts the daemon and the load client into the directory.
fn provide_programs(ready: Option<&Path>, directory: &Path) -> Outcome {
    let from = match ready {
        Some(ready) => ready.into(),
        None => {
            step::run("build", Command::new("cargo").args(["build", "-q", "--release", "-p", "cgarbiter"]))?;
            files::target().join("release")
        }
    };
    ["cgarbiterd", "cgarbiter-bench"]
        .iter()
        .try_for_each(|program| files::copy(&from.join(program), &directory.join(program)))
}

/// One line of JSON for each of RUNS.
fn measure(manager: &str, root: &Path, payload: &Path) -> Outcome<Vec<Value>> {
    let cgroup = cgroup2_mount()?.join(format!("cgarbiter-bench-{}", std::process::id()));
    let mut child = Command::new(files::workspace().join("ci/bench/namespace.sh"))
        .arg(manager)
        .args([root, payload, &cgroup])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("namespace.sh: {e}"))?;
    let runs: String = RUNS.iter().map(|(_, arguments, _, _)| format!("{arguments}\n")).collect();
    let mut stdin = child.stdin.take().ok_or("namespace.sh has no standard input")?;
    stdin.write_all(runs.as_bytes()).map_err(|e| format!("write to namespace.sh: {e}"))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|e| format!("namespace.sh: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if !output.status.success() || answers.len() != RUNS.len() {
        return Err(format!("{manager}: {} of {} figures ({})", answers.len(), RUNS.len(), output.status));
    }
    Ok(answers)
}

/// Name, both figures, and how many times better the daemon is.
fn rows(systemd: &[Value], cgarbiter: &[Value]) -> Vec<Value> {
    let figure = |figures: &[Value], at: usize, field: &str| figures.get(at).and_then(|f| f[field].as_f64());
    let row = |(at, (name, _, field, more_is_better)): (usize, &(&str, &str, &str, bool))| {
        let (theirs, ours) = (figure(systemd, at, field), figure(cgarbiter, at, field));
        let times_better = match (theirs, ours) {
            (Some(theirs), Some(ours)) if theirs > 0.0 && ours > 0.0 => {
                Some(if *more_is_better { ours / theirs } else { theirs / ours })
            }
            _ => None,
        };
        json!({ "name": name, "systemd": theirs, "cgarbiter": ours, "times_better": times_better })
    };
    RUNS.iter().enumerate().map(row).collect()
}

fn print_table(rows: &[Value]) {
    let number = |value: &Value, digits: usize| value.as_f64().map_or("-".into(), |v| format!("{v:.digits$}"));
    println!("{:<48} {:>12} {:>12} {:>8}", "", "systemd", "cgarbiter", "times");
    for row in rows {
        let name = row["name"].as_str().unwrap_or_default();
        let (theirs, ours) = (number(&row["systemd"], 0), number(&row["cgarbiter"], 0));
        println!("{name:<48} {theirs:>12} {ours:>12} {:>8}", number(&row["times_better"], 1));
    }
}

fn cgroup2_mount() -> Outcome<PathBuf> {
    let mounts = files::read(Path::new("/proc/mounts"))?;
    let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words[2] == "cgroup2");
    mount.map(|words| words[1].into()).ok_or_else(|| "no cgroup2 is mounted on this machine".into())
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into()
}

#[cfg(test)]
mod tests {
    use super::{RUNS, rows};
    use serde_json::{Value, json};

    #[test]
    fn better_means_more_per_second_or_fewer_microseconds() {
        let answers = |per_second: f64, p50_us: f64| -> Vec<Value> {
            RUNS.iter().map(|_| json!({ "per_second": per_second, "p50_us": p50_us, "kib": p50_us })).collect()
        };
        for row in rows(&answers(100.0, 80.0), &answers(400.0, 20.0)) {
            assert_eq!(row["times_better"], 4.0, "{row}");
        }
        assert!(rows(&answers(1.0, 1.0), &[]).iter().all(|row| row["times_better"].is_null()));
    }
}
