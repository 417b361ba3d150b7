//! `run` without `--scope`: a transient service, made of what was asked for. How we stay until its end is in `stay`.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use zbus::{Fd, OwnedObjectPath, Variant};

use crate::args::client::{Global, Run};
use crate::control::assign::{self, Property};
use crate::control::client::{Client, UNIT};
use crate::control::error::{Error, Result};
use crate::control::job::JobWatch;
use crate::control::{names, value};

use super::stay::stay;
use super::terminal::Terminal;
use super::{NO_UNITS, Started, command_line, ending, executable, unit_name};

/// What goes over the bus.
pub(super) type Properties = Vec<(String, Variant<'static>)>;

/// What is to become of standard input, output and error.
pub(super) enum Streams {
    /// What the server gives.
    Theirs,
    /// Ours.
    Ours,
    Terminal(Terminal),
}

impl Streams {
    fn wanted(args: &Run) -> Result<Self> {
        let is_terminal = || io::stdin().is_terminal() && io::stdout().is_terminal();
        match (args.pipe, args.pty) {
            (true, true) if !is_terminal() => Ok(Self::Ours),
            (_, true) => Terminal::open().map(Self::Terminal),
            (true, false) => Ok(Self::Ours),
            (false, false) => Ok(Self::Theirs),
        }
    }

    fn properties(&self) -> Result<Properties> {
        const NAMES: [&str; 3] = ["StandardInput", "StandardOutput", "StandardError"];
        match self {
            Self::Theirs => Ok(vec![]),
            Self::Ours => {
                let handles = [
                    io::stdin().as_fd().try_clone_to_owned(),
                    io::stdout().as_fd().try_clone_to_owned(),
                    io::stderr().as_fd().try_clone_to_owned(),
                ];
                let pairs = NAMES.into_iter().zip(handles).map(|(name, handle)| {
                    let handle = handle.map_err(|e| Error::io("cannot hand over the standard streams", e))?;
                    Ok((format!("{name}FileDescriptor"), Variant::from(Fd::from(handle))))
                });
                pairs.collect()
            }
            Self::Terminal(terminal) => {
                let mut properties: Properties = NAMES.map(|name| text(name, "tty")).into();
                properties.push(text("TTYPath", terminal.path()));
                Ok(properties)
            }
        }
    }
}

/// Whether we stay until the end.
fn stays(args: &Run) -> bool {
    args.wait || args.pipe || args.pty
}

pub(super) fn run(global: &Global, args: &Run) -> Result<()> {
    let asked = assign::parse_all(&args.properties)?;
    let unit = unit_name(args, "service")?;
    let streams = Streams::wanted(args)?;
    let properties = properties(args, asked, &streams)?;
    let runtime = crate::control::runtime()?;
    if !stays(args) {
        return runtime.block_on(start(global, args, &unit, &properties));
    }
    let ending = runtime.block_on(stay(global, args, &unit, properties, streams))?;
    if !args.quiet {
        ending.tell(global.json);
    }
    match ending.exit_status() {
        0 => Ok(()),
        status => Err(Error::Status(status)),
    }
}

/// In systemd-run's order: description, collect mode, reference, what was asked for, slice, context, command. What is
/// the case if nothing else is said comes before what was asked for.
fn properties(args: &Run, asked: Vec<Property>, streams: &Streams) -> Result<Properties> {
    let description = args.description.clone().unwrap_or_else(|| command_line(&args.command));
    let mut properties = vec![text("Description", &description)];
    if args.collect {
        properties.push(text("CollectMode", "inactive-or-failed"));
    }
    if stays(args) {
        properties.push(("AddRef".to_owned(), Variant::from(true)));
    }
    properties.push(text("Type", "exec"));
    properties.extend(asked.into_iter().map(|property| (property.name, property.value.to_variant())));
    properties.extend(args.slice.iter().map(|slice| text("Slice", &names::mangle(slice, "slice"))));
    if args.remain_after_exit {
        properties.push(("RemainAfterExit".to_owned(), Variant::from(true)));
    }
    properties.extend(args.service_type.iter().map(|kind| text("Type", kind)));
    properties.extend(args.uid.iter().map(|user| text("User", user)));
    properties.extend(args.gid.iter().map(|group| text("Group", group)));
    properties.extend(args.nice.iter().map(|nice| ("Nice".to_owned(), Variant::from(*nice))));
    properties.extend(working_directory(args)?.map(|directory| text("WorkingDirectory", &directory)));
    properties.extend(streams.properties()?);
    let environment = environment(args, streams, |name| std::env::var(name).ok())?;
    if !environment.is_empty() {
        properties.push(("Environment".to_owned(), Variant::from(environment)));
    }
    properties.push(("ExecStartEx".to_owned(), exec_start(args)?));
    Ok(properties)
}

fn text(name: &str, text: &str) -> (String, Variant<'static>) {
    (name.to_owned(), Variant::from(text.to_owned()))
}

fn working_directory(args: &Run) -> Result<Option<String>> {
    if !args.same_dir {
        return Ok(args.working_directory.clone());
    }
    let here = std::env::current_dir().map_err(|e| Error::io("cannot tell where we are", e))?;
    plain(here.as_os_str()).map(Some)
}

/// What was asked for, and what kind of terminal ours is.
fn environment(args: &Run, streams: &Streams, ours: impl Fn(&str) -> Option<String>) -> Result<Vec<String>> {
    let terminal = match streams {
        Streams::Terminal(_) => ours("TERM").map(|kind| format!("TERM={kind}")),
        Streams::Theirs | Streams::Ours => None,
    };
    let assigned = args.setenv.iter().map(|variable| match variable.contains('=') {
        true => Ok(variable.clone()),
        false => ours(variable)
            .map(|value| format!("{variable}={value}"))
            .ok_or_else(|| Error::Usage(format!("there is no variable {variable} to hand over"))),
    });
    terminal.map(Ok).into_iter().chain(assigned).collect()
}

/// The command as it stands: our shell has replaced what was to be replaced.
fn exec_start(args: &Run) -> Result<Variant<'static>> {
    let (program, _) = args.command.split_first().ok_or_else(|| Error::Usage("no command given".to_owned()))?;
    let elsewhere = args.properties.iter().any(|p| p.starts_with("RootDirectory=") || p.starts_with("RootImage="));
    let path = if elsewhere { program.clone() } else { executable::find(program, std::env::var_os("PATH"))?.into() };
    let words: Vec<String> = args.command.iter().map(|word| plain(word)).collect::<Result<_>>()?;
    Ok(Variant::new(vec![(plain(&path)?, words, vec!["no-env-expand".to_owned()])]))
}

/// Messages carry no other text.
fn plain(word: &OsStr) -> Result<String> {
    let text = OsString::from(word).into_string();
    text.map_err(|word| Error::Usage(format!("'{}' is no UTF-8 text", word.to_string_lossy())))
}

/// Starts it and is done with it.
async fn start(global: &Global, args: &Run, unit: &str, properties: &Properties) -> Result<()> {
    let client = Client::connect(global).await?;
    let mut jobs = JobWatch::start(&client).await?;
    let job = queue(&client, unit, properties).await?;
    if !args.no_block {
        let outcome = jobs.wait(unit, &job).await;
        explained(&client, unit, outcome).await?;
    }
    if args.quiet {
        return Ok(());
    }
    started(&client, unit).await?.announce(global.json);
    Ok(())
}

pub(super) async fn queue(client: &Client, unit: &str, properties: &Properties) -> Result<OwnedObjectPath> {
    let what = format!("cannot start {unit}");
    client.manager(&what, "StartTransientUnit", &(unit, "fail", properties, NO_UNITS)).await
}

/// What the service's process says about a start that failed.
async fn explained(client: &Client, unit: &str, outcome: Result<()>) -> Result<()> {
    let Err(error @ Error::Job { .. }) = outcome else { return outcome };
    let properties = client.unit("cannot find out why", unit).await;
    match properties.ok().and_then(|properties| ending::reason(&properties)) {
        Some(why) => Err(Error::NotStarted { unit: unit.to_owned(), why }),
        None => Err(error),
    }
}

async fn started(client: &Client, unit: &str) -> Result<Started> {
    let id = client.get(&format!("cannot look at {unit}"), &names::unit_path(unit), UNIT, "InvocationID").await?;
    Ok(Started { unit: unit.to_owned(), invocation_id: value::text("InvocationID", &id) })
}
