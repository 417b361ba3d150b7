//! `run --scope`: puts itself into a new scope, drops privileges and becomes the command.

use std::convert::Infallible;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use zbus::{Fd, OwnedObjectPath, Variant};

use crate::args::client::{Global, Run};

use crate::control::assign::{self, Property};
use crate::control::client::{Client, UNIT};
use crate::control::error::{Error, Result};
use crate::control::identity::{self, Identity};
use crate::control::job::JobWatch;
use crate::control::names;
use crate::control::value;

use super::{NO_UNITS, Started, command_line, unit_name};

/// Returns only if something failed.
pub(super) fn run(global: &Global, args: &Run) -> Result<Infallible> {
    let properties = assign::parse_all(&args.properties)?;
    let unit = unit_name(args, "scope")?;
    let identity = identity::look_up(args.uid.as_deref(), args.gid.as_deref())?;
    let started = crate::control::runtime()?.block_on(start(global, args, unit, properties))?;
    if !args.quiet {
        started.announce(global.json);
    }
    if let Some(nice) = args.nice {
        identity::set_nice(nice)?;
    }
    become_command(args, &identity, &started.invocation_id)
}

async fn start(global: &Global, args: &Run, unit: String, properties: Vec<Property>) -> Result<Started> {
    let client = Client::connect(global).await?;
    let what = format!("cannot start {unit}");
    let mut watch = JobWatch::start(&client).await?;
    let job = start_scope(&client, &what, &unit, &scope_properties(args, properties)).await?;
    watch.wait(&unit, &job).await?;
    let id = client.get(&what, &names::unit_path(&unit), UNIT, "InvocationID").await?;
    Ok(Started { invocation_id: value::text("InvocationID", &id), unit })
}

/// In systemd-run's order: description, collect mode, what was asked for, slice.
fn scope_properties(args: &Run, asked: Vec<Property>) -> Vec<(String, Variant<'static>)> {
    let text = |name: &str, text: String| (name.to_owned(), Variant::from(text));
    let description = args.description.clone().unwrap_or_else(|| command_line(&args.command));
    let mut properties = vec![text("Description", description)];
    if args.collect {
        properties.push(text("CollectMode", "inactive-or-failed".to_owned()));
    }
    properties.extend(asked.into_iter().map(|property| (property.name, property.value.to_variant())));
    if let Some(slice) = &args.slice {
        properties.push(text("Slice", names::mangle(slice, "slice")));
    }
    properties
}

/// Names this process by a descriptor, which cannot go stale, or by number where the server or the transport
/// does not know descriptors.
async fn start_scope(
    client: &Client,
    what: &str,
    unit: &str,
    properties: &[(String, Variant<'static>)],
) -> Result<OwnedObjectPath> {
    if let Some(own) = own_pidfd() {
        let fds = Variant::from(vec![Fd::from(own)]);
        match start_with(client, what, unit, properties, ("PIDFDs", fds)).await {
            Err(error) if knows_no_pidfds(&error) => {}
            outcome => return outcome,
        }
    }
    let pids = Variant::from(vec![std::process::id()]);
    start_with(client, what, unit, properties, ("PIDs", pids)).await
}

async fn start_with(
    client: &Client,
    what: &str,
    unit: &str,
    properties: &[(String, Variant<'static>)],
    process: (&str, Variant<'_>),
) -> Result<OwnedObjectPath> {
    let all: Vec<(&str, &Variant<'_>)> =
        properties.iter().map(|(name, value)| (name.as_str(), value)).chain([(process.0, &process.1)]).collect();
    client.manager(what, "StartTransientUnit", &(unit, "fail", all, NO_UNITS)).await
}

fn knows_no_pidfds(error: &Error) -> bool {
    match error {
        Error::Transport { source: zbus::Error::Unsupported, .. } => true,
        _ => matches!(
            error.name(),
            Some("org.freedesktop.DBus.Error.UnknownProperty" | "org.freedesktop.DBus.Error.PropertyReadOnly")
        ),
    }
}

/// None on kernels before 5.3.
fn own_pidfd() -> Option<OwnedFd> {
    // SAFETY: pidfd_open takes a pid and flags and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::pid_t::from(nix::unistd::getpid()), 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn become_command(args: &Run, identity: &Identity, invocation_id: &str) -> Result<Infallible> {
    let (program, rest) = args.command.split_first().ok_or_else(|| Error::Usage("no command given".to_owned()))?;
    let mut command = Command::new(program);
    command.args(rest).env("INVOCATION_ID", invocation_id).envs(identity.environment());
    identity.assume()?;
    let source = command.exec();
    Err(Error::Exec { command: program.to_string_lossy().into_owned(), source })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::client::Args;

    fn properties(line: &str) -> String {
        let crate::args::client::Command::Run(args) = Args::parse_from(line.split(' ')).command else {
            panic!("{line}")
        };
        let asked = assign::parse_all(&args.properties).unwrap();
        let show = |(name, value): &(String, Variant<'_>)| {
            format!("{name} {} {}", value.value_signature(), value::json(value))
        };
        scope_properties(&args, asked).iter().map(show).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn order_of_properties() {
        let line = "cgarbiter run --scope --collect --slice foo-bar -p MemoryMax=64M -p CPUQuota=50% sleep 1";
        insta::assert_snapshot!(properties(line), @r#"
        Description s "sleep 1"
        CollectMode s "inactive-or-failed"
        MemoryMax t 67108864
        CPUQuotaPerSecUSec t 500000
        Slice s "foo-bar.slice"
        "#);
    }

    #[test]
    fn when_to_fall_back() {
        let refused = |name: &str| Error::Refused { what: "x".into(), name: name.into(), text: "y".into() };
        assert!(knows_no_pidfds(&refused("org.freedesktop.DBus.Error.PropertyReadOnly")));
        assert!(knows_no_pidfds(&refused("org.freedesktop.DBus.Error.UnknownProperty")));
        assert!(!knows_no_pidfds(&refused("org.freedesktop.systemd1.UnitExists")));
    }
}
