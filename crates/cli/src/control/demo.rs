//! `demo`: an arbiter in this process, on the best backend there is; a slice with two scopes, limits, a look at the
//! tree, the steps and why, a refusal; then everything is stopped and nothing is left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use cgarbiter_core::controllers::ControllerMask;
use tokio::sync::oneshot;
use zbus::{OwnedObjectPath, Variant};

use crate::args::client::{Global, Ls};
use crate::args::daemon::BackendChoice;
use crate::daemon::{Choices, Daemon, Program, ServeError, controllers_to_share};

use super::assign;
use super::client::Client;
use super::error::{Error, Result};
use super::job::JobWatch;
use super::output::Output;
use super::{ls, plan};

const SLICE: &str = "demo.slice";
/// The scopes of the show: name, limits, what runs in them.
const SCOPES: [(&str, &[&str], u32); 2] = [
    ("demo-web.scope", &["MemoryMax=64M", "TasksMax=16", "CPUWeight=200"], 2),
    ("demo-batch.scope", &["MemoryHigh=256M", "CPUQuota=20%"], 1),
];
/// The exit status of a program that was interrupted.
const INTERRUPTED: u8 = 130;
/// No auxiliary units.
const NO_UNITS: &[(&str, Vec<(&str, Variant<'static>)>)] = &[];

pub(super) fn demo(out: &mut Output) -> Result<()> {
    if out.is_json() {
        return Err(Error::Usage("the demo is for people: it has no JSON".to_owned()));
    }
    let stage = Stage::set(out)?;
    let outcome = super::runtime()?.block_on(async {
        tokio::select! {
            outcome = play(&stage, out) => outcome,
            _ = tokio::signal::ctrl_c() => Err(Error::Status(INTERRUPTED)),
        }
    });
    let left = stage.strike()?;
    outcome?;
    out.line(match left.is_empty() {
        true => "\nEverything is stopped, and nothing is left: no process, no cgroup, no file.".to_owned(),
        false => format!("\nLeft behind, please report this: {}", left.join(", ")),
    });
    Ok(())
}

/// Where the show takes place: a daemon on a thread of its own, in directories of its own.
struct Stage {
    directory: PathBuf,
    group: Option<PathBuf>,
    stop: Option<oneshot::Sender<()>>,
    daemon: Option<JoinHandle<std::result::Result<(), ServeError>>>,
}

impl Stage {
    fn set(out: &mut Output) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("cgarbiter-demo-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|e| Error::io("cannot make a directory for the demo", e))?;
        let group = own_group(out);
        let choices = Choices {
            backend: if group.is_some() { BackendChoice::Cgroupfs } else { BackendChoice::Sim },
            root: group.clone(),
            sockets: vec![socket(&directory)],
            file_root: directory.clone(),
            ..Choices::default()
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, opened) = std::sync::mpsc::channel();
        let daemon = std::thread::spawn(move || serve(choices, stopped, &ready));
        let mut stage = Self { directory, group, stop: Some(stop), daemon: Some(daemon) };
        match opened.recv() {
            Ok(summary) => out.line(format_args!("Backend: {summary}")),
            Err(_) => {
                let error = stage.join();
                let _ = stage.strike();
                return Err(error.err().unwrap_or_else(|| Error::Usage("the demo's daemon did not start".to_owned())));
            }
        }
        Ok(stage)
    }

    fn join(&mut self) -> Result<()> {
        match self.daemon.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(Error::Refused {
                what: "cannot start the demo's daemon".to_owned(),
                name: "org.cgarbiter.Error".to_owned(),
                text: error.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Stops the daemon and clears up; what could not be removed.
    fn strike(mut self) -> Result<Vec<String>> {
        drop(self.stop.take());
        self.join()?;
        let mut left = Vec::new();
        if let Some(group) = &self.group {
            // system.slice is the only group of a fresh arbiter that is made on demand.
            let _ = std::fs::remove_dir(group.join("system.slice"));
            if std::fs::remove_dir(group).is_err() {
                left.push(group.display().to_string());
            }
        }
        if std::fs::remove_dir_all(&self.directory).is_err() {
            left.push(self.directory.display().to_string());
        }
        Ok(left)
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("systemd1.sock")
}

/// A cgroup of our own at the top of the real tree, when there is one that hands down what the show needs. Nothing of
/// anybody else's is changed for the demo, so otherwise it is simulated.
fn own_group(out: &mut Output) -> Option<PathBuf> {
    let needed = ControllerMask::CPU | ControllerMask::MEMORY | ControllerMask::PIDS;
    let Some((top, shared)) = controllers_to_share() else {
        out.line("There is no cgroup-v2 tree here that this user may manage, so the kernel is simulated.");
        return None;
    };
    if !shared.contains(needed) {
        let missing = needed - shared;
        out.line(format_args!(
            "Groups in {} do not have the controllers {missing}, and the demo changes nothing outside a group of its own, so the kernel is simulated.",
            top.display()
        ));
        return None;
    }
    let group = top.join(format!("cgarbiter-demo-{}", std::process::id()));
    match std::fs::create_dir(&group) {
        Ok(()) => Some(group),
        Err(error) => {
            out.line(format_args!("No group can be made in {}: {error}; so the kernel is simulated.", top.display()));
            None
        }
    }
}

/// The daemon's thread.
fn serve(
    choices: Choices,
    stopped: oneshot::Receiver<()>,
    ready: &std::sync::mpsc::Sender<String>,
) -> std::result::Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut daemon = Daemon::prepare(choices, Program::own()?)?;
        daemon.open().await?;
        let _ = ready.send(daemon.summary().to_owned());
        daemon
            .serve(async {
                let _ = stopped.await;
            })
            .await
    })
}

/// Processes of the show; whatever happens, they do not outlive it.
struct Cast(Vec<Child>);

impl Cast {
    fn hire(&mut self, count: u32) -> Result<Vec<u32>> {
        let mut pids = Vec::new();
        for _ in 0..count {
            let mut command = Command::new("sleep");
            command.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = command.spawn().map_err(|e| Error::io("cannot start a process for the demo", e))?;
            pids.push(child.id());
            self.0.push(child);
        }
        Ok(pids)
    }

    /// How many have ended.
    fn gone(&mut self) -> usize {
        self.0.iter_mut().map(is_over).filter(|over| *over).count()
    }
}

/// Over, or dead and waited for now.
fn is_over(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(Some(_)))
}

impl Drop for Cast {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn play(stage: &Stage, out: &mut Output) -> Result<()> {
    let address = format!("unix:path={}", socket(&stage.directory).display());
    let client = &Client::connect(&Global { address: Some(address), ..Global::default() }).await?;
    let mut cast = Cast(Vec::new());
    let mut watch = JobWatch::start(client).await?;
    out.line("\nA slice with a limit for everything in it, and two scopes with limits of their own:\n");
    let limits = properties(&["MemoryMax=512M", "TasksMax=100"])?;
    start(client, &mut watch, SLICE, limits).await?;
    for (index, (scope, limits, count)) in SCOPES.into_iter().enumerate() {
        let mut properties = properties(limits)?;
        properties.push(("Slice".to_owned(), Variant::from(SLICE.to_owned())));
        properties.push(("PIDs".to_owned(), Variant::from(cast.hire(count)?)));
        if index == 0 {
            let steps = plan::rehearse_start(client, scope, properties.clone()).await?;
            out.line(format_args!("  {scope} ({}) takes these steps, each for a reason:\n", limits.join(" ")));
            plan::print(&steps, out);
            out.line("");
        }
        start(client, &mut watch, scope, properties).await?;
        out.line(format_args!("  started {scope} ({})", limits.join(" ")));
    }
    out.line("\nThe tree:\n");
    ls::ls(client, &Ls { slice: Some(SLICE.to_owned()), processes: true, all: false }, out).await?;
    refuse(client, out).await?;
    out.line("\nStopping the slice stops everything in it:\n");
    let job: OwnedObjectPath = client.manager("cannot stop the slice", "StopUnit", &(SLICE, "replace")).await?;
    watch.wait(SLICE, &job).await?;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    out.line(format_args!("  {} of {} processes have ended", cast.gone(), cast.0.len()));
    Ok(())
}

fn properties(assignments: &[&str]) -> Result<Vec<(String, Variant<'static>)>> {
    let parsed = assign::parse_all(assignments)?;
    Ok(parsed.into_iter().map(|property| (property.name, property.value.to_variant())).collect())
}

async fn start(
    client: &Client,
    watch: &mut JobWatch,
    unit: &str,
    properties: Vec<(String, Variant<'static>)>,
) -> Result<()> {
    let what = format!("cannot start {unit}");
    let job: OwnedObjectPath =
        client.manager(&what, "StartTransientUnit", &(unit, "fail", properties, NO_UNITS)).await?;
    watch.wait(unit, &job).await
}

/// Requests that are turned down, and change nothing.
async fn refuse(client: &Client, out: &mut Output) -> Result<()> {
    out.line("\nWhat is out of range or unknown is refused, and changes nothing:\n");
    let (scope, ..) = SCOPES[0];
    let wrong: [(&str, Variant<'static>); 2] =
        [("MemoryMax", Variant::from(0_u64)), ("MemroyMax", Variant::from(1_u64))];
    for (name, value) in wrong {
        let what = format!("cannot set {name} of {scope}");
        let answer: Result<()> = client.manager(&what, "SetUnitProperties", &(scope, true, vec![(name, value)])).await;
        match answer {
            Err(error) => out.line(format_args!("  {error}")),
            Ok(()) => return Err(Error::Usage(format!("{name} was accepted"))),
        }
    }
    Ok(())
}
