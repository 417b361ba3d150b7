//! Peer-to-peer connections: no bus in between, so no names, no match rules, and every signal goes to everybody.
//!
//! A connection is closed for what it does wrong, and nothing else notices. One that asks more than is answered is not
//! read for a while; one that does not read is closed when too much waits for it.

use crate::channel::{Channel, Ground};
use crate::config::Access;
use crate::driver::{self, Facts};
use crate::intake::{Fate, Intake, expects_reply};
use crate::poller::{Ready, Token, Wanted};
use crate::sasl::server::{Progress, Server};
use crate::stream::{Arrival, Outgoing};
use crate::wire::message::{Address, Broken, ReplyTo};
use crate::wire::value::arguments;
use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::event::Event;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;
use tokio::time::Instant;
use zbus::message::{Message, Type};

/// Connections accepted, and messages of one connection taken, before others get their turn.
const TURN: usize = 32;
/// How long not to accept when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// All listeners and their connections.
pub(crate) struct Private {
    access: Access,
    own_uid: u32,
    guid: String,
    listeners: BTreeMap<Token, UnixListener>,
    /// When to accept again; none while accepting.
    accept_at: Option<Instant>,
    peers: BTreeMap<Token, Peer>,
    /// Who has not said BEGIN yet, oldest first, and until when it may take.
    greeting: VecDeque<(Instant, Token)>,
    /// Who has something to send.
    dirty: Vec<Token>,
    /// Who may have sent more messages than were taken.
    backlog: VecDeque<Token>,
}

struct Peer {
    channel: Channel,
    client: Client,
    stage: Stage,
    /// It will send no more.
    ended: bool,
    dirty: bool,
    /// It has been asked something, or has asked something.
    asked: bool,
}

enum Stage {
    Greeting(Server),
    Open,
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
enum Close {
    #[error("the peer has hung up")]
    End,
    #[error("the peer did not get in")]
    Stranger,
    #[error("it reads too little: too much is waiting")]
    Queue,
    #[error("it has sent more descriptors than messages they belong to")]
    Descriptors,
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("an answer could not be built: {0}")]
    Answer(#[from] zbus::Error),
}

impl Private {
    pub(crate) fn new(access: Access, own_uid: u32, guid: String) -> Self {
        Self {
            access,
            own_uid,
            guid,
            listeners: BTreeMap::new(),
            accept_at: None,
            peers: BTreeMap::new(),
            greeting: VecDeque::new(),
            dirty: Vec::new(),
            backlog: VecDeque::new(),
        }
    }

    pub(crate) fn listen(&mut self, listener: UnixListener, ground: &mut Ground) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let token = ground.intake.new_token();
        ground.poller.add(&listener, token, Wanted::READ)?;
        self.listeners.insert(token, listener);
        Ok(())
    }

    /// From now on, or until [`Private::accept_again`], connections wait in the kernel's queues.
    pub(crate) fn accept_no_more(&mut self, ground: &Ground) {
        if self.accept_at.take().is_none() {
            self.listeners.values().for_each(|listener| ground.poller.remove(listener));
        }
    }

    pub(crate) fn accept_again(&mut self, ground: &Ground) -> io::Result<()> {
        self.listeners.iter().try_for_each(|(token, listener)| ground.poller.add(listener, *token, Wanted::READ))
    }

    /// Whether somebody has come and asked nothing yet, is in the middle of a message, or has not got all of an answer.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.peers.values().any(|peer| {
            let stream = &peer.channel.stream;
            !peer.ended && (!peer.asked || !stream.input().is_empty() || stream.queued() > 0)
        })
    }

    /// Whether somebody is listening.
    pub(crate) fn has_open_peers(&self) -> bool {
        self.peers.values().any(|peer| matches!(peer.stage, Stage::Open))
    }

    /// Whether messages wait to be taken that no news will announce.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// When [`Private::expire`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.greeting.front().map(|(deadline, _)| *deadline).into_iter().chain(self.accept_at).min()
    }

    /// Ends what took too long.
    pub(crate) fn expire(&mut self, now: Instant, ground: &mut Ground) -> io::Result<()> {
        while let Some((_, token)) = self.greeting.front().copied().filter(|(deadline, _)| *deadline <= now) {
            // It leaves the queue with its connection.
            self.close(token, &Close::Stranger, ground);
        }
        if self.accept_at.take_if(|at| *at <= now).is_some() {
            let mut listeners = self.listeners.iter();
            listeners.try_for_each(|(token, listener)| ground.poller.add(listener, *token, Wanted::READ))?;
        }
        Ok(())
    }

    /// Deals with a socket's news, if it is one of ours.
    pub(crate) fn ready(&mut self, ready: Ready, ground: &mut Ground) {
        if self.listeners.contains_key(&ready.token) {
            self.accept(ready.token, ground);
        } else if self.peers.contains_key(&ready.token) {
            self.attempt(ready.token, ground, |private, ground| private.exchange(ready, ground));
        }
    }

    /// Takes more messages of those that had many.
    pub(crate) fn work_off(&mut self, ground: &mut Ground) {
        for token in std::mem::take(&mut self.backlog) {
            self.attempt(token, ground, |private, ground| private.take_messages(token, ground));
        }
    }

    /// Reads again from connections whose user had asked too much.
    pub(crate) fn resume(&mut self, tokens: Vec<Token>, ground: &mut Ground) {
        for token in tokens {
            self.backlog.push_back(token);
            self.attempt(token, ground, |private, ground| match private.peers.get_mut(&token) {
                Some(peer) if !peer.ended => Ok(peer.channel.want_read(&ground.poller, true)?),
                _ => Ok(()),
            });
        }
    }

    /// Sends a message to one peer, if it is still there.
    pub(crate) fn send(&mut self, token: Token, message: Message, ground: &mut Ground) {
        self.attempt(token, ground, |private, ground| private.push(token, Outgoing::Message(message), ground));
    }

    /// Sends a message to every peer.
    pub(crate) fn broadcast(&mut self, message: &Message, ground: &mut Ground) {
        let open = self.peers.iter().filter(|(_, peer)| matches!(peer.stage, Stage::Open));
        let tokens: Vec<_> = open.map(|(token, _)| *token).collect();
        tokens.into_iter().for_each(|token| self.send(token, message.clone(), ground));
    }

    /// Lets everything go that waits to be sent.
    pub(crate) fn flush(&mut self, ground: &mut Ground) {
        for token in std::mem::take(&mut self.dirty) {
            self.attempt(token, ground, |private, ground| private.flush_one(token, ground));
        }
    }

    fn accept(&mut self, listener: Token, ground: &mut Ground) {
        for _ in 0..TURN {
            match self.listeners[&listener].accept() {
                Ok((socket, _)) => {
                    if let Err(error) = self.admit(socket, ground) {
                        tracing::warn!(%error, "a connection could not be set up");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted for the moment");
                    self.listeners.values().for_each(|listener| ground.poller.remove(listener));
                    self.accept_at = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, socket: UnixStream, ground: &mut Ground) -> io::Result<()> {
        let credentials = getsockopt(&socket, PeerCredentials)?;
        let uid = credentials.uid();
        let limits = &ground.intake.limits;
        let full = self.peers.len() >= limits.connections;
        if full || !ground.intake.accounts.connect(uid, limits) {
            tracing::warn!(uid, connections = self.peers.len(), "too many connections: one is turned away");
            return Ok(());
        }
        let deadline = Instant::now() + limits.greeting;
        let channel = Channel::open(socket, ground).inspect_err(|_| ground.intake.accounts.disconnect(uid, 0, 0))?;
        let token = channel.token;
        // A peer from another pid namespace that we cannot see shows as 0.
        let pid = u32::try_from(credentials.pid()).ok().filter(|pid| *pid != 0);
        let client = Client { id: ClientId(token.0), transport: Transport::Private, uid, pid };
        let welcome = self.access.admits(uid, self.own_uid);
        let stage = Stage::Greeting(Server::new(uid, welcome, self.guid.clone()));
        self.peers.insert(token, Peer { channel, client, stage, ended: false, dirty: false, asked: false });
        self.greeting.push_back((deadline, token));
        Ok(())
    }

    /// Does something with a peer, and closes its connection when that fails.
    fn attempt(
        &mut self,
        token: Token,
        ground: &mut Ground,
        action: impl FnOnce(&mut Self, &mut Ground) -> Result<(), Close>,
    ) {
        if let Err(reason) = action(self, ground) {
            self.close(token, &reason, ground);
        }
    }

    fn close(&mut self, token: Token, reason: &Close, ground: &mut Ground) {
        let Some(peer) = self.peers.remove(&token) else { return };
        self.greeting.retain(|(_, other)| *other != token);
        match reason {
            // Many tools leave as soon as they know what they wanted to know.
            Close::Io(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                tracing::debug!(token = token.0, "closed: {reason}");
            }
            Close::End | Close::Stranger => tracing::debug!(token = token.0, "closed: {reason}"),
            _ => tracing::warn!(uid = peer.client.uid, pid = peer.client.pid, "a connection is closed: {reason}"),
        }
        let stream = &peer.channel.stream;
        ground.intake.accounts.disconnect(peer.client.uid, stream.queued(), stream.parked());
        if matches!(peer.stage, Stage::Open) {
            ground.intake.events.push_back(Event::ClientGone(peer.client.id));
        }
        peer.channel.close(&ground.poller);
    }

    fn exchange(&mut self, ready: Ready, ground: &mut Ground) -> Result<(), Close> {
        if ready.writable {
            self.flush_one(ready.token, ground)?;
        }
        if !ready.readable {
            return Ok(());
        }
        let Some(peer) = self.peers.get_mut(&ready.token) else { return Ok(()) };
        let parked = peer.channel.stream.parked();
        let arrival = peer.channel.stream.read(&mut ground.scratch);
        if !book_parked(peer, parked, &mut ground.intake) {
            return Err(Close::Descriptors);
        }
        match arrival? {
            Arrival::Bytes => {}
            Arrival::Nothing => return Ok(()),
            Arrival::End => {
                peer.ended = true;
                peer.channel.want_read(&ground.poller, false)?;
            }
        }
        self.take_messages(ready.token, ground)
    }

    /// Takes the messages that are there, up to a turn's worth.
    fn take_messages(&mut self, token: Token, ground: &mut Ground) -> Result<(), Close> {
        for _ in 0..TURN {
            let Some(peer) = self.peers.get_mut(&token) else { return Ok(()) };
            if let Stage::Greeting(_) = peer.stage {
                if self.greet(token, ground)? {
                    continue;
                }
                return Ok(());
            }
            let uid = peer.client.uid;
            if ground.intake.accounts.is_busy(uid, &ground.intake.limits) {
                peer.channel.want_read(&ground.poller, false)?;
                ground.intake.accounts.pause(uid, token);
                return Ok(());
            }
            let parked = peer.channel.stream.parked();
            let taken = peer.channel.stream.take_message(ground.intake.limits.message_bytes);
            book_parked(peer, parked, &mut ground.intake);
            match taken? {
                Some(message) => self.receive(token, &message, ground)?,
                None if peer.ended => return Err(Close::End),
                None => return Ok(()),
            }
        }
        self.backlog.push_back(token);
        Ok(())
    }

    /// Goes on with the conversation before the first message; says whether it is over.
    fn greet(&mut self, token: Token, ground: &mut Ground) -> Result<bool, Close> {
        let Some(peer) = self.peers.get_mut(&token) else { return Ok(false) };
        let Stage::Greeting(server) = &mut peer.stage else { return Ok(true) };
        let mut output = Vec::new();
        let (used, progress) = server.feed(peer.channel.stream.input(), &mut output);
        peer.channel.stream.consume(used);
        let (ended, client) = (peer.ended, peer.client.id);
        let done = matches!(progress, Progress::Done);
        if done {
            peer.stage = Stage::Open;
            ground.intake.events.push_back(Event::ClientConnected(client));
            self.greeting.retain(|(_, other)| *other != token);
        }
        self.push(token, Outgoing::Plain(output), ground)?;
        if progress == Progress::Failed || (ended && !done) {
            self.flush_one(token, ground)?;
            return Err(Close::Stranger);
        }
        Ok(done)
    }

    fn receive(&mut self, token: Token, message: &Message, ground: &mut Ground) -> Result<(), Close> {
        // We call nobody here, so answers and signals mean nothing.
        if message.message_type() != Type::MethodCall {
            return Ok(());
        }
        if driver::is_for_driver(message) {
            return self.answer_for_bus(token, message, ground);
        }
        let Some(peer) = self.peers.get_mut(&token) else { return Ok(()) };
        peer.asked = true;
        match ground.intake.call(message, &peer.client, token, Address::Private)? {
            Fate::Answer(answer) => self.push(token, Outgoing::Message(*answer), ground),
            Fate::Asked | Fate::Silence => Ok(()),
        }
    }

    fn answer_for_bus(&mut self, token: Token, message: &Message, ground: &mut Ground) -> Result<(), Close> {
        let args = arguments(&message.body()).map_err(Broken::Format)?;
        let header = message.header();
        let member = header.member().map(|member| member.as_str()).unwrap_or_default();
        let facts = Facts { connection: token.0, guid: &self.guid, own_uid: self.own_uid };
        let to = ReplyTo { serial: message.primary_header().serial_num(), address: Address::Private };
        let answer = match driver::answer(member, &args, facts) {
            Ok(values) => ground.intake.composer.values(&to, &values)?,
            Err((name, text)) => ground.intake.composer.error(&to, name, &text)?,
        };
        if expects_reply(message) { self.push(token, Outgoing::Message(answer), ground) } else { Ok(()) }
    }

    fn push(&mut self, token: Token, outgoing: Outgoing, ground: &mut Ground) -> Result<(), Close> {
        let Some(peer) = self.peers.get_mut(&token) else { return Ok(()) };
        let before = peer.channel.stream.queued();
        peer.channel.push(outgoing);
        if !std::mem::replace(&mut peer.dirty, true) {
            self.dirty.push(token);
        }
        let bound = ground.intake.limits.queue_bytes;
        let user_within = book(peer, before, &mut ground.intake);
        if user_within && peer.channel.stream.queued() <= bound {
            return Ok(());
        }
        // What piled up since the last flush does not count against a peer that reads.
        self.flush_one(token, ground)?;
        let Some(peer) = self.peers.get(&token) else { return Ok(()) };
        let queued = peer.channel.stream.queued();
        let ignored = peer.channel.stream.ignored_for() > ground.intake.limits.patience;
        let too_much = queued > 4 * bound || (queued > bound && ignored) || !book(peer, queued, &mut ground.intake);
        if too_much { Err(Close::Queue) } else { Ok(()) }
    }

    fn flush_one(&mut self, token: Token, ground: &mut Ground) -> Result<(), Close> {
        let Some(peer) = self.peers.get_mut(&token) else { return Ok(()) };
        peer.dirty = false;
        let before = peer.channel.stream.queued();
        let flushed = peer.channel.flush(&ground.poller);
        book(peer, before, &mut ground.intake);
        Ok(flushed?)
    }
}

/// Books the change of what waits for a peer since it was `before`; says whether its user is within bounds.
fn book(peer: &Peer, before: usize, intake: &mut Intake) -> bool {
    intake.accounts.queued(peer.client.uid, before, peer.channel.stream.queued(), &intake.limits)
}

/// The same for descriptors that wait for the rest of their message.
fn book_parked(peer: &Peer, before: usize, intake: &mut Intake) -> bool {
    intake.accounts.parked(peer.client.uid, before, peer.channel.stream.parked(), &intake.limits)
}
