//! The loop: waits for one thing, hands it to the manager, does what the manager wants.

use super::backend::{Backend, BackendError, Chosen};
use super::clock::now;
use super::config::{Choices, ConfigError};
use super::door::Door;
use super::executor::{PlanThread, is_slow};
use super::notify;
use super::presence::{Booted, PRIVATE_SOCKET, Socket};
use super::replace::{self, Program};
use crate::args::daemon::Presence;
use cgarbiter_core::effect::{Message, Severity};
use cgarbiter_core::plan::Plan;
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::{Answer, Effect, Event, Question};
use cgarbiter_dbus::{Access, BusError, FrontEnd, FrontEndConfig};
use nix::fcntl::Flock;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How many plans are run before everybody else is looked at again.
const PLANS_PER_TURN: usize = 16;

/// How long clients may take to finish what they are in the middle of before a new program takes over, and how often
/// that is looked at.
const GIVE_WAY_MAX: Duration = Duration::from_secs(1);
const GIVE_WAY_LOOK: Duration = Duration::from_millis(10);

/// How long an adopted child that has ended may wait to be asked for, and how soon it is looked at again when somebody
/// else is in the way.
const REAP_AFTER: Duration = Duration::from_secs(1);
const REAP_AGAIN: Duration = Duration::from_millis(100);

/// Why the daemon cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The tree.
    #[error("{0}")]
    Backend(#[from] BackendError),
    /// A socket.
    #[error("cannot serve {}: {error}", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The bus.
    #[error("cannot join the bus {address}: {error}")]
    Bus {
        /// Which.
        address: String,
        /// Why.
        error: BusError,
    },
    /// The system.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl ServeError {
    /// The exit status that goes with it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 3,
            Self::Backend(_) => 4,
            Self::Socket { .. } | Self::Bus { .. } => 5,
            Self::Io(_) => 1,
        }
    }
}

/// Everything put together.
pub struct Daemon {
    // Dropped in this order: what makes us found goes before the sockets.
    booted: Option<Booted>,
    sockets: Vec<Socket>,
    choices: Choices,
    summary: String,
    door: Door,
    front_end: FrontEnd,
    notices: AsyncFd<OwnedFd>,
    backend: Backend,
    plan_thread: Option<PlanThread>,
    /// Held for as long as tree and records are ours.
    _locks: Vec<Flock<OwnedFd>>,
    /// A plan that the manager has handed out and that has not been begun.
    plan: Option<Plan>,
    /// A plan runs on the thread.
    away: bool,
    /// What the backend has told and the manager has not heard yet.
    news: Vec<Event>,
    program: Program,
    /// SIGUSR2: the same as the method Reexecute, for who has no bus.
    upgrade: Signal,
    /// The installed program is being tried out; why it will not do.
    check: Option<Pin<Box<dyn Future<Output = Option<String>>>>>,
    /// SIGCHLD, and when those who have ended and nobody has asked for are reaped.
    children: Signal,
    reap_at: Option<Instant>,
    /// Until when those who are in the middle of something may finish it before a new program takes over.
    give_way: Option<Instant>,
}

impl Daemon {
    /// Which backend it is, for people.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Finds the backend and makes the manager; nothing is served yet. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// There is no tree to manage.
    pub fn prepare(choices: Choices, mut program: Program) -> Result<Self, ServeError> {
        let upgrade = signal(SignalKind::user_defined2())?;
        replace::hear_requests()?;
        let mut chosen = Backend::choose(&choices)?;
        tracing::info!("{}", chosen.summary);
        let access = if choices.open_sockets { Access::Everyone } else { Access::Owner };
        let config = FrontEndConfig { access, ..FrontEndConfig::default() };
        let front_end = FrontEnd::new(config, chosen.backend.descriptors())?;
        // SAFETY: an OwnedFd is open, names itself always the same, and stays open until the AsyncFd that owns it is
        // dropped.
        let registered = unsafe { AsyncFd::register_with_interest(chosen.backend.notices()?, Interest::READABLE) };
        let notices = registered.map_err(std::io::Error::from)?;
        let plan_thread = chosen.backend.second().map(PlanThread::start).transpose()?;
        chosen.found.unit_files = unit_files(&mut chosen);
        chosen.found.descriptors = chosen.backend.keep(std::mem::take(&mut program.stored));
        let found = chosen.found.cgroups.len();
        let door = Door::open(choices.recording.as_ref(), &chosen.summary, now(), chosen.config, chosen.found);
        if found > 0 {
            tracing::info!("{found} cgroups were there already, {} units are known", door.units());
        }
        Ok(Self {
            booted: None,
            sockets: Vec::new(),
            choices,
            summary: chosen.summary,
            door,
            front_end,
            notices,
            backend: chosen.backend,
            plan_thread,
            _locks: chosen.locks,
            plan: None,
            away: false,
            news: Vec::new(),
            program,
            upgrade,
            check: None,
            children: signal(SignalKind::child())?,
            reap_at: None,
            give_way: None,
        })
    }

    /// Opens sockets and joins the bus.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub async fn open(&mut self) -> Result<(), ServeError> {
        let global = self.choices.presence == Presence::Global;
        let mut paths = self.choices.sockets.clone();
        if global {
            paths.push(PRIVATE_SOCKET.into());
        }
        for path in paths {
            let failed = |error| ServeError::Socket { path: path.clone(), error };
            let inherited = &mut self.program.inherited;
            let (socket, listener) = Socket::bind(&path, self.choices.open_sockets, inherited).map_err(failed)?;
            self.front_end.listen_private(listener).map_err(failed)?;
            self.sockets.push(socket);
            tracing::info!("serving {}", path.display());
        }
        Socket::close_unclaimed(&mut self.program.inherited);
        self.join_bus().await?;
        if global {
            self.booted = Some(Booted::announce()?);
        }
        Ok(())
    }

    async fn join_bus(&mut self) -> Result<(), ServeError> {
        let Some(address) = self.choices.bus.clone() else { return Ok(()) };
        let joined = self.front_end.join_bus(&address).await;
        joined.map_err(|error| ServeError::Bus { address: address.clone(), error })?;
        tracing::info!("on the bus {address} as org.freedesktop.systemd1");
        Ok(())
    }

    /// Prepares to let the program that is installed now take over: whoever connects waits for it.
    fn begin_to_give_way(&mut self) {
        if self.give_way.is_some() {
            return;
        }
        tracing::info!("a new program takes over");
        self.front_end.accept_no_more();
        self.give_way = Some(Instant::now() + GIVE_WAY_MAX);
    }

    /// Becomes the new program once nobody is in the middle of something. When it cannot, everything stays as it is.
    async fn give_way_if_time(&mut self) -> Result<(), ServeError> {
        let Some(limit) = self.give_way else { return Ok(()) };
        let late = Instant::now() >= limit;
        let is_unfinished = self.front_end.is_unfinished() || self.door.has_jobs();
        if self.plan.is_some() || self.away || !late && is_unfinished {
            return Ok(());
        }
        self.hand_in(Event::GivingWay).await?;
        if self.plan.is_some() {
            // What the end of the jobs leads to is done first.
            return Ok(());
        }
        self.give_way = None;
        // The bus lets go of our name when the new program begins: what is on the bus now is not handed on.
        self.front_end.flush();
        self.backend.prepare_to_be_replaced();
        let listeners: Vec<_> = self.sockets.iter().map(Socket::listener).collect();
        let stored = self.backend.copies(self.door.stored_descriptors());
        let error = self.program.execute(&listeners, &stored);
        tracing::error!("not replaced: {error}");
        self.backend.go_on();
        Ok(self.front_end.accept_again()?)
    }

    /// Serves until `stop` is done. Whatever runs goes on running.
    ///
    /// # Errors
    /// The system no longer lets us wait.
    pub async fn serve(&mut self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let mut stop = pin!(stop);
        // What recovery wants done comes before the first request.
        self.carry_out().await?;
        // A predecessor has closed the descriptor long ago; the number is somebody else's.
        notify::ready(self.choices.notify_fd.take().filter(|_| !replace::is_successor()));
        while self.turn(stop.as_mut()).await? {
            self.give_way_if_time().await?;
        }
        notify::stopping();
        tracing::info!("stopped serving; everything that runs goes on");
        self.front_end.flush();
        self.door.close(now());
        self.booted = None;
        self.front_end.leave_bus();
        Ok(())
    }

    /// Waits for one thing and deals with it; false when that is to stop.
    async fn turn(&mut self, stop: Pin<&mut impl Future<Output = ()>>) -> Result<bool, ServeError> {
        let wait = self.door.poll_timeout().map(|at| Duration::from_micros(at.0.saturating_sub(now().monotonic.0)));
        let look = self.give_way.map(|_| GIVE_WAY_LOOK);
        let reap = self.reap_at.map(|at| at.saturating_duration_since(Instant::now()));
        let wait = [wait, look, reap].into_iter().flatten().min();
        let sleep = tokio::time::sleep(wait.unwrap_or(Duration::MAX));
        let away = self.away;
        tokio::select! {
            () = stop => return Ok(false),
            () = std::future::ready(()), if self.plan.is_some() => {}
            event = plan_done(&mut self.plan_thread), if away => {
                self.away = false;
                self.hand_in(event).await?;
                self.backend.announce();
            }
            event = self.front_end.next() => {
                let event = event?;
                self.hand_in(event).await?;
                // What has come with it is seen before the plan is run: one plan serves them all.
                while let Some(event) = self.front_end.take_ready() {
                    self.hand_in(event).await?;
                }
            }
            guard = self.notices.readable() => {
                let mut guard = guard?;
                if take_news(&mut self.backend, &mut self.news) {
                    guard.clear_ready();
                }
                self.hand_in_news().await?;
            }
            _ = self.upgrade.recv() => self.hand_in(Event::SuccessorWanted).await?,
            unfit = checked(&mut self.check) => {
                self.check = None;
                self.hand_in(Event::SuccessorChecked(unfit)).await?;
            }
            _ = self.children.recv() => drop(self.reap_at.get_or_insert_with(|| Instant::now() + REAP_AFTER)),
            () = sleep, if wait.is_some() => {
                self.door.handle_timeout(now());
                self.carry_out().await?;
            }
        }
        self.run_plans().await?;
        self.reap_if_time();
        // The simulated kernel has news without a descriptor that tells of it.
        while self.backend.is_simulated() {
            take_news(&mut self.backend, &mut self.news);
            if self.news.is_empty() {
                break;
            }
            self.hand_in_news().await?;
            self.run_plans().await?;
        }
        self.front_end.flush();
        self.door.flush();
        Ok(true)
    }

    /// Who has ended and is nobody's main process does not stay. A program that is tried out is waited for elsewhere.
    fn reap_if_time(&mut self) {
        let now = Instant::now();
        if self.reap_at.is_some_and(|at| at <= now) {
            let is_done = self.check.is_none() && self.backend.reap_strangers();
            self.reap_at = (!is_done).then(|| now + REAP_AGAIN);
        }
    }

    async fn hand_in_news(&mut self) -> Result<(), ServeError> {
        for event in std::mem::take(&mut self.news) {
            self.hand_in(event).await?;
        }
        Ok(())
    }

    async fn hand_in(&mut self, event: Event) -> Result<(), ServeError> {
        self.door.handle_event(now(), event);
        self.carry_out().await
    }

    /// Does what the manager wants; plans are put aside.
    async fn carry_out(&mut self) -> Result<(), ServeError> {
        while let Some(effect) = self.door.poll_effect() {
            match effect {
                Effect::Run(plan) => {
                    assert!(self.plan.is_none() && !self.away, "one plan is in flight at a time");
                    self.plan = Some(plan);
                }
                Effect::Read(id, question) => {
                    let answer = match &question {
                        // Once asked, the bus tells when the owner goes. Without a bus there is nobody to wait for.
                        Question::BusNameOwned(name) => {
                            Answer::Flag(self.front_end.name_owned(name).await?.unwrap_or(false))
                        }
                        question => self.backend.answer(question),
                    };
                    self.door.handle_event(now(), Event::ReadDone { id, answer });
                }
                Effect::Reply(call, reply) => self.front_end.reply(call, reply),
                Effect::Emit(signal, audience) => self.front_end.emit(signal, &audience),
                Effect::Release(pins) => self.backend.release(&pins),
                Effect::Tell(message) => log(&message),
                Effect::CheckSuccessor => self.check = Some(Box::pin(self.program.check())),
                Effect::Reexecute => self.begin_to_give_way(),
            }
        }
        Ok(())
    }

    /// Runs plans until there is none, or one has gone to the thread.
    async fn run_plans(&mut self) -> Result<(), ServeError> {
        for _ in 0..PLANS_PER_TURN {
            let Some(plan) = self.plan.take() else { break };
            match &self.plan_thread {
                Some(thread) if is_slow(&plan) => {
                    thread.run(plan);
                    self.away = true;
                    return Ok(());
                }
                _ => {
                    let report = self.backend.run(&plan);
                    self.hand_in(Event::PlanDone(report)).await?;
                }
            }
        }
        Ok(())
    }
}

/// What lies in the directories for units at the start.
fn unit_files(chosen: &mut Chosen) -> Vec<UnitFile> {
    match chosen.backend.answer(&Question::UnitFiles(chosen.config.unit_paths.files())) {
        Answer::UnitFiles(files) => files,
        // None of them is known, which is not to say that there are none.
        Answer::Failed(error) => {
            let unread = |path| UnitFile { path, link: None, content: Content::Unreadable(error.clone()) };
            chosen.config.unit_paths.files().into_iter().map(unread).collect()
        }
        other => unreachable!("{other:?} are no unit files"),
    }
}

/// Waits for a signal that says stop.
///
/// # Errors
/// The system lets us not hear of signals.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Takes what the backend has to tell; answers whether that was all.
fn take_news(backend: &mut Backend, news: &mut Vec<Event>) -> bool {
    backend.drain(&mut |event| news.push(event))
}

/// Never, while nothing is being tried out.
async fn checked(check: &mut Option<Pin<Box<dyn Future<Output = Option<String>>>>>) -> Option<String> {
    match check {
        Some(check) => check.await,
        None => std::future::pending().await,
    }
}

async fn plan_done(thread: &mut Option<PlanThread>) -> Event {
    match thread {
        Some(thread) => thread.done().await,
        None => std::future::pending().await,
    }
}

fn log(message: &Message) {
    let unit = message.unit.as_ref().map_or("", |name| name.as_str());
    let text = &message.text;
    match message.severity {
        Severity::Info => tracing::info!(unit, "{text}"),
        Severity::Warning => tracing::warn!(unit, "{text}"),
        Severity::Error => tracing::error!(unit, "{text}"),
    }
}
