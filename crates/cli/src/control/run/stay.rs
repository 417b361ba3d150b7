//! Staying with a service until its end: what is told to us from outside is told to it, and its terminal is ours.

use std::future::Future;
use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zbus::OwnedObjectPath;

use crate::args::client::{Global, Run};
use crate::control::client::Client;
use crate::control::error::{Error, Result};
use crate::control::job::JobWatch;
use crate::control::output;

use super::ending::{self, Ending};
use super::service::{Properties, Streams, queue};
use super::terminal::{Connected, Terminal};
use super::watch::{self, UnitWatch};

/// What is added to the number of a signal that ended something.
const SIGNALED: i32 = 128;

/// Starts it and stays until its end. What is told to us from outside meanwhile is told to it.
pub(super) async fn stay(
    global: &Global,
    args: &Run,
    unit: &str,
    properties: Properties,
    streams: Streams,
) -> Result<Ending> {
    // From now on: the service may be seen at work before its start is answered.
    let signals = match &streams {
        Streams::Terminal(_) => None,
        Streams::Ours => Some(Signals::listen(true)?),
        Streams::Theirs => Some(Signals::listen(false)?),
    };
    let (client, jobs, changes, job) = begin(global, unit, &properties).await?;
    // The server has its own copies of the descriptors by now: only it keeps a pipe open for the service.
    drop(properties);
    if !args.quiet && !global.json {
        output::note(format_args!("Running as unit: {unit}"));
    }
    let life = live(global, unit, client, jobs, job, changes);
    match (streams, signals) {
        (Streams::Terminal(terminal), _) => at_terminal(args, unit, terminal, life).await,
        (_, Some(signals)) => interruptible(global, unit, life, signals).await,
        (_, None) => life.await,
    }
}

/// The unit has to be there when it has ended, so it is referred to; who cannot do that on a socket may on a bus.
async fn begin(
    global: &Global,
    unit: &str,
    properties: &Properties,
) -> Result<(Client, JobWatch, UnitWatch, OwnedObjectPath)> {
    let client = Client::connect(global).await?;
    let is_socket = !client.is_bus();
    match begin_with(client, unit, properties).await {
        Err(error) if is_socket && error.name() == Some("org.freedesktop.DBus.Error.NotSupported") => {
            match Client::connect_to_bus(global).await {
                Ok(client) if client.is_bus() => begin_with(client, unit, properties).await,
                _ => Err(error),
            }
        }
        outcome => outcome,
    }
}

async fn begin_with(
    client: Client,
    unit: &str,
    properties: &Properties,
) -> Result<(Client, JobWatch, UnitWatch, OwnedObjectPath)> {
    let jobs = JobWatch::start(&client).await?;
    let changes = UnitWatch::start(&client, unit).await?;
    let job = queue(&client, unit, properties).await?;
    Ok((client, jobs, changes, job))
}

/// The whole life of the unit. Where its start fails because its process does, that is how it ended.
async fn live(
    global: &Global,
    unit: &str,
    client: Client,
    mut jobs: JobWatch,
    job: OwnedObjectPath,
    changes: UnitWatch,
) -> Result<Ending> {
    match jobs.wait_quietly(unit, &job).await {
        Ok(()) | Err(Error::Disconnected { .. }) => {}
        Err(error @ Error::Job { .. }) => {
            let properties = client.unit("cannot find out why", unit).await?;
            if ending::reason(&properties).is_none() {
                return Err(error);
            }
        }
        Err(error) => return Err(error),
    }
    watch::until_over(global, client, unit, changes).await
}

/// Signals that would end us.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// A hangup ends us as ever, unless it concerns the service's streams.
    fn listen(with_hangup: bool) -> Result<Self> {
        let listen = |kind| signal(kind).map_err(|e| Error::io("cannot listen for signals", e));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: with_hangup.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    async fn next(&mut self) -> i32 {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => libc::SIGINT,
            _ = self.terminate.recv() => libc::SIGTERM,
            _ = hangup => libc::SIGHUP,
        }
    }
}

/// A signal goes to the service, which may heed it or not; its end is waited for. The third is for us.
async fn interruptible(
    global: &Global,
    unit: &str,
    life: impl Future<Output = Result<Ending>>,
    mut signals: Signals,
) -> Result<Ending> {
    let mut life = std::pin::pin!(life);
    for told in [false, true] {
        tokio::select! {
            ending = &mut life => return ending.map(|ending| if told { ending.of_interrupted() } else { ending }),
            number = signals.next() => pass_on(global, unit, number).await,
        }
    }
    tokio::select! {
        ending = &mut life => ending.map(Ending::of_interrupted),
        number = signals.next() => Err(left(unit, number)),
    }
}

/// It may have ended meanwhile, which is no failure of ours.
async fn pass_on(global: &Global, unit: &str, number: i32) {
    let what = format!("cannot pass the signal on to {unit}");
    let outcome: Result<()> = match Client::connect(global).await {
        Ok(client) => client.manager(&what, "KillUnit", &(unit, "all", number)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        output::note(error);
    }
}

/// We go, and the service goes on.
fn left(unit: &str, number: i32) -> Error {
    output::note(format_args!("{unit} goes on"));
    Error::Status(u8::try_from(SIGNALED + number).unwrap_or(u8::MAX))
}

/// Keys reach the service through its terminal. When we go, the terminal goes, and the service is told by a hangup.
async fn at_terminal(
    args: &Run,
    unit: &str,
    terminal: Terminal,
    life: impl Future<Output = Result<Ending>>,
) -> Result<Ending> {
    if !args.quiet && io::stdin().is_terminal() {
        output::note("Press ^] three times within 1s to disconnect.");
    }
    let (leave, leaving) = unbounded_channel();
    let resized = signal(SignalKind::window_change()).map_err(|e| Error::io("cannot listen for signals", e))?;
    let signals = Signals::listen(true)?;
    let connected = terminal.connect(leave)?;
    let outcome = forward(&connected, life, leaving, resized, signals).await;
    match &outcome {
        Err(Error::Status(_)) => drop(connected),
        _ => connected.finish(),
    }
    if let (Err(Error::Status(0)), false) = (&outcome, args.quiet) {
        output::note(format_args!("\nDisconnected from {unit}"));
    }
    outcome
}

async fn forward(
    connected: &Connected,
    life: impl Future<Output = Result<Ending>>,
    mut leaving: UnboundedReceiver<()>,
    mut resized: Signal,
    mut signals: Signals,
) -> Result<Ending> {
    let mut life = std::pin::pin!(life);
    loop {
        tokio::select! {
            ending = &mut life => return ending,
            Some(()) = leaving.recv() => return Err(Error::Status(0)),
            number = signals.next() => return Err(Error::Status(u8::try_from(SIGNALED + number).unwrap_or(u8::MAX))),
            _ = resized.recv() => connected.take_size(),
        }
    }
}
