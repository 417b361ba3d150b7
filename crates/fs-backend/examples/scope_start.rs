//! Measures what the start of a scope costs the kernel, step by step, in a cgroup of its own; prints JSON.
//!
//! `cargo run --release -p cgarbiter-fs-backend --example scope_start [SCOPES [PARENT]]`, as root. PARENT is a
//! directory of a cgroup2 mount. The limits are written to core files, so that no controller is needed.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use cgarbiter_core::event::PinAnswer;
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::{Cause, OnError, Plan, PlanId, Spawn, WatchId};
use cgarbiter_core::{Answer, Event, Op, Question, Step};
use cgarbiter_fs_backend::{Executor, Kernel, Options, Root, RootChoice};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Instant;

/// Processes that are started.
const SPAWNS: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let scopes: usize = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let usual = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let parent = arguments.next().map(PathBuf::from);
    let parent = parent.or_else(|| usual.iter().map(PathBuf::from).find(|p| p.join("cgroup.procs").exists()));
    let group = Group::new(&parent.ok_or("no cgroup2 mount")?)?;
    let mut figures = Figures::default();
    for whole in [true, false] {
        run(&group, scopes, whole, &mut figures)?;
    }
    figures.print(scopes);
    Ok(())
}

/// Starts scopes one after the other and removes them again; as whole plans, or step by step.
fn run(group: &Group, scopes: usize, whole: bool, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let choice = RootChoice { path: Some(group.directory.clone()), beside_systemd: true };
    let root = figures.time("open the root", || Root::find(&choice))?;
    let kernel = figures.time("probe the kernel", || Kernel::probe(&root));
    // A memory file system, as /run is on most machines.
    let files = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let options = Options { file_root: files.path().into(), ..Options::default() };
    figures.remarks = kernel.remarks();
    let mut executor = Executor::new(root, kernel, &options)?;
    let slice = CgroupPath::root().child("system.slice");
    let unit = UnitName::parse("x.scope").map_err(|e| e.to_string())?;
    let plan = |ops: Vec<Op>| Plan {
        id: PlanId(1),
        steps: ops
            .into_iter()
            .map(|op| Step { unit: unit.clone(), cause: Cause::Start, on_error: OnError::Stop, op })
            .collect(),
    };
    check(executor.run(&plan(vec![Op::Mkdir { cgroup: slice.clone() }])))?;
    let sleeper = Sleeper::new()?;
    for number in 0..scopes {
        let cgroup = slice.child(&format!("s{number}.scope"));
        let question = Question::Pin(vec![sleeper.0.id()]);
        let answer = figures.time("question: pin", || executor.answer(&question));
        let Answer::Processes(answers) = answer else { return Err("no answer".into()) };
        let [PinAnswer::Held { pin, .. }] = answers[..] else { return Err("not held".into()) };
        let limit = |file, value: &str| Op::Write { cgroup: cgroup.clone(), file, value: value.into() };
        let content =
            "# A transient unit\n[Unit]\nDescription=A scope of the bench\n\n[Scope]\nMemoryMax=1G\n".to_owned();
        let ops = vec![
            Op::WriteFile {
                file: format!("/run/cgarbiter/transient/s{number}.scope").into(),
                content,
                spares_others: true,
            },
            Op::Mkdir { cgroup: cgroup.clone() },
            limit("cgroup.max.depth", "10"),
            limit("cgroup.max.descendants", "100"),
            limit("cgroup.pressure", "1"),
            Op::Xattr { cgroup: cgroup.clone(), name: "user.invocation_id", value: Some("0".repeat(32)) },
            Op::Watch { cgroup: cgroup.clone(), watch: WatchId(number as u64), memory: false },
            Op::Attach { cgroup: cgroup.clone(), pin },
        ];
        if whole {
            let plan = plan(ops);
            check(figures.time("start: whole plan", || executor.run(&plan)))?;
            figures.time("drain", || executor.drain(&mut |_| {}));
            figures.time("question: cgroup of a process", || executor.answer(&Question::CgroupOf(sleeper.0.id())));
            figures.time("question: events", || executor.answer(&Question::Events(cgroup.clone())));
            figures.time("question: readings", || executor.answer(&Question::Readings(cgroup.clone())));
        } else {
            for op in ops {
                let name = format!("step: {}", op.to_string().split(' ').next().unwrap_or_default());
                let plan = plan(vec![op]);
                check(figures.time(&name, || executor.run(&plan)))?;
            }
        }
    }
    std::fs::write(group.directory.join("system.slice/cgroup.procs"), sleeper.0.id().to_string())?;
    for number in 0..scopes {
        let file = format!("/run/cgarbiter/transient/s{number}.scope").into();
        let remove = plan(vec![
            Op::Rmdir { cgroup: slice.child(&format!("s{number}.scope")), watch: Some(WatchId(number as u64)) },
            Op::RemoveFile { file, directory: false },
        ]);
        check(figures.time(if whole { "stop: whole plan" } else { "stop: again" }, || executor.run(&remove)))?;
    }
    drop(sleeper);
    if whole {
        spawn_some(&mut executor, &slice, &plan, figures)?;
    }
    while check(executor.run(&plan(vec![Op::Rmdir { cgroup: slice.clone(), watch: None }]))).is_err() {}
    Ok(())
}

/// Starts processes in a cgroup, one after the other, and waits for the end of each.
fn spawn_some(
    executor: &mut Executor,
    slice: &CgroupPath,
    plan: &dyn Fn(Vec<Op>) -> Plan,
    figures: &mut Figures,
) -> Result<(), Box<dyn Error>> {
    let cgroup = slice.child("spawned.service");
    check(executor.run(&plan(vec![Op::Mkdir { cgroup: cgroup.clone() }])))?;
    for _ in 0..SPAWNS {
        let command = Spawn::new("/bin/true", ["true"]);
        let spawn = plan(vec![Op::Spawn { cgroup: cgroup.clone(), command: Box::new(command) }]);
        check(figures.time("step: spawn", || executor.run(&spawn)))?;
        let mut ended = false;
        while !ended {
            executor.drain(&mut |event| ended |= matches!(event, Event::Exited { .. }));
        }
    }
    Ok(())
}

fn check(report: cgarbiter_core::Report) -> Result<(), Box<dyn Error>> {
    report.failed.map_or(Ok(()), |error| Err(error.into()))
}

#[derive(Default)]
struct Figures {
    usec: BTreeMap<String, Vec<f64>>,
    remarks: Vec<&'static str>,
}

impl Figures {
    fn time<T>(&mut self, name: &str, act: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = act();
        let usec = start.elapsed().as_secs_f64() * 1e6;
        self.usec.entry(name.to_owned()).or_default().push(usec);
        done
    }

    fn print(mut self, scopes: usize) {
        println!("{{\n  \"scopes\": {scopes},\n  \"unit\": \"usec\",\n  \"figures\": {{");
        let last = self.usec.len();
        for (i, (name, values)) in self.usec.iter_mut().enumerate() {
            values.sort_by(f64::total_cmp);
            let at = |part: f64| values[((values.len() - 1) as f64 * part) as usize];
            let comma = if i + 1 < last { "," } else { "" };
            println!(
                "    \"{name}\": {{ \"p50\": {:.1}, \"p90\": {:.1}, \"p99\": {:.1} }}{comma}",
                at(0.5),
                at(0.9),
                at(0.99)
            );
        }
        let remarks: Vec<String> = self.remarks.iter().map(|line| format!("\"{line}\"")).collect();
        println!("  }},\n  \"kernel\": [{}]\n}}", remarks.join(", "));
    }
}

/// The cgroup everything happens in.
struct Group {
    directory: PathBuf,
}

impl Group {
    fn new(parent: &Path) -> std::io::Result<Self> {
        let directory = parent.join(format!("cgarbiter-bench-{}", std::process::id()));
        std::fs::create_dir(&directory)?;
        Ok(Self { directory })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.directory);
    }
}

struct Sleeper(Child);

impl Sleeper {
    fn new() -> std::io::Result<Self> {
        Command::new("sleep").arg("1000").spawn().map(Self)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
