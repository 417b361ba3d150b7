//! The front end in a thread of its own, with canned answers.

use cgarbiter_core::client::{ClientId, Transport};
use cgarbiter_core::effect::{Audience, Reply, Signal, StepRow, UnitRow};
use cgarbiter_core::error::{Refusal, RefusalKind};
use cgarbiter_core::event::Event;
use cgarbiter_core::names::UnitName;
use cgarbiter_core::request::{CallId, Request};
use cgarbiter_dbus::{BusError, Descriptors, FrontEnd, FrontEndConfig};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What the core has seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Connected(ClientId),
    Gone(ClientId),
    NameGone(String),
    Asked { client: ClientId, uid: u32, pid: Option<u32>, name: Option<String>, request: Request },
    Adopted(u64),
    Released(u64),
    Bus(bool),
    Owned(Option<bool>),
}

/// What the test wants of the thread.
enum Order {
    Stop,
    Signals { count: u32, audience: Audience },
    Join(String),
    Owned(String),
    Release,
}

pub(crate) struct Server {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) seen: Receiver<Seen>,
    orders: UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(config: FrontEndConfig) -> Self {
        Self::start_with(config, 3, true)
    }

    /// A server for benches: it lists this many units, and nobody looks at what it has seen.
    pub(crate) fn start_busy(units: usize) -> Self {
        Self::start_with(FrontEndConfig::default(), units, false)
    }

    fn start_with(config: FrontEndConfig, units: usize, listened_to: bool) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("sock")).expect("a socket");
        let (tell, seen) = channel();
        let (orders, mut take) = unbounded_channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let pins = Pins { tell: tell.clone(), made: 0 };
                let mut front_end = FrontEnd::new(config, Box::new(pins)).expect("a front end");
                front_end.listen_private(listener).expect("listening");
                let mut core =
                    Core { tell, jobs: 0, units: (0..units).map(row).collect(), listened_to, held: Vec::new() };
                loop {
                    tokio::select! {
                        event = front_end.next() => core.handle(event.expect("no trouble"), &mut front_end),
                        order = take.recv() => match order {
                            None | Some(Order::Stop) => return,
                            Some(order) => core.obey(order, &mut front_end).await,
                        },
                    }
                }
            });
        });
        Self { directory, seen, orders, thread: Some(thread) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("sock")
    }

    /// Makes the core emit UnitNew and JobRemoved this many times.
    pub(crate) fn signals(&self, count: u32, audience: Audience) {
        let _ = self.orders.send(Order::Signals { count, audience });
    }

    /// Joins a bus and says whether that worked at once.
    pub(crate) fn join(&self, address: &str) -> bool {
        let _ = self.orders.send(Order::Join(address.into()));
        self.wait(|seen| if let Seen::Bus(joined) = seen { Some(*joined) } else { None })
    }

    /// Answers the requests that were held.
    pub(crate) fn release(&self) {
        let _ = self.orders.send(Order::Release);
    }

    pub(crate) fn name_owned(&self, name: &str) -> Option<bool> {
        let _ = self.orders.send(Order::Owned(name.into()));
        self.wait(|seen| if let Seen::Owned(answer) = seen { Some(*answer) } else { None })
    }

    /// The first thing seen from now on that `pick` picks.
    pub(crate) fn wait<T>(&self, mut pick: impl FnMut(&Seen) -> Option<T>) -> T {
        loop {
            let seen = self.seen.recv_timeout(Duration::from_secs(10)).expect("something to be seen in time");
            if let Some(found) = pick(&seen) {
                return found;
            }
        }
    }

    /// The next request seen.
    pub(crate) fn request(&self) -> Seen {
        self.wait(|seen| matches!(seen, Seen::Asked { .. }).then(|| seen.clone()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic in the thread fails the test that caused it.
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

struct Core {
    tell: Sender<Seen>,
    jobs: u32,
    units: Vec<UnitRow>,
    /// Whether anybody looks at what was seen.
    listened_to: bool,
    /// Requests that are not answered until the test says so.
    held: Vec<CallId>,
}

impl Core {
    fn tell(&self, seen: Seen) {
        // Some tests do not look.
        let _ = self.tell.send(seen);
    }

    fn handle(&mut self, event: Event, front_end: &mut FrontEnd) {
        match event {
            Event::ClientConnected(id) => self.tell(Seen::Connected(id)),
            Event::ClientGone(id) => self.tell(Seen::Gone(id)),
            Event::BusNameGone(name) => self.tell(Seen::NameGone(name)),
            Event::Request { call, client, request } => {
                let name = match &client.transport {
                    Transport::Private => None,
                    Transport::Bus(name) => Some(name.to_string()),
                };
                // GetUnitByPID is what floods call; it would only fill the channel.
                if self.listened_to && !matches!(request, Request::UnitByPid { .. }) {
                    let (id, uid, pid) = (client.id, client.uid, client.pid);
                    self.tell(Seen::Asked { client: id, uid, pid, name, request: request.clone() });
                }
                self.answer(call, request, front_end);
            }
            other => panic!("the front end has no business with {other:?}"),
        }
    }

    fn answer(&mut self, call: CallId, request: Request, front_end: &mut FrontEnd) {
        let answer = match request {
            Request::StartTransient { name, .. } => {
                self.jobs += 1;
                front_end.reply(call, Ok(Reply::Job(self.jobs)));
                let name = UnitName::parse(&name).expect("a valid name");
                front_end.emit(Signal::UnitNew(name.clone()), &Audience::All);
                let removed = Signal::JobRemoved { id: self.jobs, unit: name, result: "done" };
                front_end.emit(removed, &Audience::All);
                return;
            }
            Request::Reload => return self.held.push(call),
            Request::UnitByPid { .. } => Ok(Reply::Unit(unit(0))),
            Request::UnitByPidFd { pin: Some(_) } => {
                Ok(Reply::UnitOfPid { unit: unit(0), invocation_id: Some([7; 16]) })
            }
            Request::ListUnits { .. } => Ok(Reply::Units(self.units.clone())),
            Request::Plan(_) => {
                Ok(Reply::Steps(vec![StepRow { unit: unit(0), cause: "start", step: "mkdir x".into() }]))
            }
            _ => Err(Refusal::new(RefusalKind::NoSuchUnit, "Unit x.scope not loaded.")),
        };
        front_end.reply(call, answer);
    }

    async fn obey(&mut self, order: Order, front_end: &mut FrontEnd) {
        match order {
            Order::Stop => {}
            Order::Release => self.held.drain(..).for_each(|held| front_end.reply(held, Ok(Reply::Done))),
            Order::Signals { count, audience } => {
                for id in 1..=count {
                    front_end.emit(Signal::JobRemoved { id, unit: unit(0), result: "done" }, &audience);
                }
            }
            Order::Join(address) => {
                let joined = front_end.join_bus(&address).await;
                if let Err(error @ BusError::NameTaken { .. }) = &joined {
                    assert!(error.to_string().contains("owned by another process"));
                }
                self.tell(Seen::Bus(joined.is_ok()));
            }
            Order::Owned(name) => {
                let owned = front_end.name_owned(&name).await.expect("no trouble");
                self.tell(Seen::Owned(owned));
            }
        }
    }
}

/// Counts what it is given.
struct Pins {
    tell: Sender<Seen>,
    made: u64,
}

impl Descriptors for Pins {
    fn adopt(&mut self, _: OwnedFd) -> u64 {
        self.made += 1;
        let _ = self.tell.send(Seen::Adopted(self.made));
        self.made
    }

    fn release(&mut self, pin: u64) {
        let _ = self.tell.send(Seen::Released(pin));
    }
}

fn unit(number: usize) -> UnitName {
    UnitName::parse(&format!("libpod-{number:064x}.scope")).expect("a valid name")
}

fn row(number: usize) -> UnitRow {
    UnitRow {
        name: unit(number),
        description: "libcontainer container".into(),
        load: "loaded",
        active: "active",
        sub: "running",
        job: number.is_multiple_of(50).then_some((7, "start")),
    }
}
