//! The message bus: one connection, on which we own our name, and many callers, of whom the bus tells us who they are.
//!
//! It runs on the same stream and queue as peer-to-peer connections, so that one writer orders everything that goes
//! out. When the bus goes away, its callers are gone with it, and the connection is tried again until it is back.

mod address;
mod callers;

use crate::bus::callers::{Callers, Introduction};
use crate::channel::{Channel, Ground};
use crate::intake::{Fate, expects_reply};
use crate::poller::{Ready, Token};
use crate::sasl::client::{admission, greeting};
use crate::stream::{Arrival, Outgoing};
use crate::wire::message::{Address, Broken, NAME, ReplyTo, bus_call};
use crate::wire::value::arguments;
use cgarbiter_core::client::{Client, ClientId};
use cgarbiter_core::error::{Refusal, RefusalKind};
use cgarbiter_core::event::Event;
use cgarbiter_core::value::Value;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use zbus::message::{Message, Type};

const DRIVER: &str = "org.freedesktop.DBus";
/// Only news of names that have vanished.
const VANISHED: &str = "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',\
                        interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''";
/// `DBUS_NAME_FLAG_DO_NOT_QUEUE`
const DO_NOT_QUEUE: u32 = 4;
/// The longest message there is; how long a caller's may be is looked at when it is there.
const MESSAGE_MAX: usize = 128 << 20;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(30);

/// Why we are not on the bus.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// The address cannot be used.
    #[error("the bus address {address}: {reason}")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there.
    #[error("the message bus at {address} cannot be reached: {reason}")]
    Unreachable {
        /// As it was given.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The bus does not let us in, or does not let us own the name.
    #[error("the message bus refuses: {0}")]
    Refused(String),
    /// Somebody else has the name.
    #[error("org.freedesktop.systemd1 is owned by another process on this bus ({owner})")]
    NameTaken {
        /// Who, as far as the bus tells.
        owner: String,
    },
}

/// The bus, connected or not.
pub(crate) struct Bus {
    address: String,
    link: Option<Link>,
    callers: Callers,
    /// Names whose vanishing somebody wants to know of.
    watched: BTreeSet<String>,
    retry_at: Instant,
    retry_after: Duration,
    /// What came of the latest attempt to join; none while it is under way.
    outcome: Option<Result<(), BusError>>,
    questions: u64,
    /// Answers to questions of the daemon that have not been fetched.
    answers: HashMap<u64, bool>,
}

/// A question that the daemon has put to the bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    link: Token,
    number: u64,
}

struct Link {
    channel: Channel,
    admitted: bool,
    joined: bool,
    dirty: bool,
    /// What the bus was asked, by serial.
    asked: HashMap<u32, Asked>,
}

#[derive(Clone, Debug)]
enum Asked {
    Hello,
    Match,
    Name,
    Owner,
    Caller(Arc<str>),
    NameOwned(u64, String),
}

impl Bus {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            link: None,
            callers: Callers::default(),
            watched: BTreeSet::new(),
            retry_at: Instant::now(),
            retry_after: RETRY_FIRST,
            outcome: None,
            questions: 0,
            answers: HashMap::new(),
        }
    }

    pub(crate) fn token(&self) -> Option<Token> {
        self.link.as_ref().map(|link| link.channel.token)
    }

    /// Whether we own the name there.
    pub(crate) fn is_joined(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.joined)
    }

    /// What came of the latest attempt; none while it is under way.
    pub(crate) fn outcome(&self) -> Option<&Result<(), BusError>> {
        self.outcome.as_ref()
    }

    /// When [`Bus::expire`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.link.is_none().then_some(self.retry_at)
    }

    /// Tries to connect again when it is time.
    pub(crate) fn expire(&mut self, now: Instant, ground: &mut Ground) {
        if self.link.is_none() && self.retry_at <= now {
            self.connect(ground);
        }
    }

    /// Begins to join.
    pub(crate) fn connect(&mut self, ground: &mut Ground) {
        self.outcome = None;
        let connected = address::connect(&self.address)
            .and_then(|socket| Channel::open(socket, ground).map_err(|error| unreachable(&self.address, &error)));
        match connected {
            Err(error) => self.leave(error, ground),
            Ok(mut channel) => {
                channel.push(Outgoing::Plain(greeting(nix::unistd::geteuid().as_raw())));
                let link = Link { channel, admitted: false, joined: false, dirty: true, asked: HashMap::new() };
                self.link = Some(link);
                self.flush(ground);
            }
        }
    }

    pub(crate) fn ready(&mut self, ready: Ready, ground: &mut Ground) {
        self.attempt(ground, |bus, ground| bus.exchange(ready, ground));
    }

    /// Sends a message, if we are connected by the same link as when it became due.
    pub(crate) fn send(&mut self, via: Token, message: Message, ground: &mut Ground) {
        if self.token() == Some(via) {
            self.attempt(ground, |bus, ground| bus.push(message, ground));
        }
    }

    /// Lets everything go that waits to be sent.
    pub(crate) fn flush(&mut self, ground: &mut Ground) {
        self.attempt(ground, |bus, ground| {
            let Some(link) = &mut bus.link else { return Ok(()) };
            if !std::mem::take(&mut link.dirty) {
                return Ok(());
            }
            link.channel.flush(&ground.poller).map_err(|error| unreachable(&bus.address, &error))
        });
    }

    /// Asks whether a name has an owner, and says so from then on when it loses it. Names the answer in
    /// [`Bus::take_answer`]; none when there is no bus to ask.
    pub(crate) fn ask_name_owned(&mut self, name: &str, ground: &mut Ground) -> Option<Question> {
        let link = self.link.as_mut().filter(|link| link.joined)?;
        self.watched.insert(name.to_owned());
        self.questions += 1;
        let question = Question { link: link.channel.token, number: self.questions };
        self.attempt(ground, |bus, ground| {
            bus.ask("NameHasOwner", &[Value::str(name)], Asked::NameOwned(question.number, name.to_owned()), ground)
        });
        Some(question)
    }

    /// The answer to a question: none while it is under way; inner none when there will be none.
    pub(crate) fn take_answer(&mut self, question: Question) -> Option<Option<bool>> {
        match self.answers.remove(&question.number) {
            Some(answer) => Some(Some(answer)),
            None if self.token() == Some(question.link) => None,
            None => Some(None),
        }
    }

    fn attempt(&mut self, ground: &mut Ground, action: impl FnOnce(&mut Self, &mut Ground) -> Result<(), BusError>) {
        if let Err(error) = action(self, ground) {
            self.leave(error, ground);
        }
    }

    fn leave(&mut self, error: BusError, ground: &mut Ground) {
        tracing::warn!("not on the message bus: {error}");
        if let Some(link) = self.link.take() {
            link.channel.close(&ground.poller);
        }
        let events = &mut ground.intake.events;
        events.extend(self.callers.vanish_all().into_iter().map(Event::ClientGone));
        events.extend(std::mem::take(&mut self.watched).into_iter().map(Event::BusNameGone));
        self.answers.clear();
        self.outcome = Some(Err(error));
        self.retry_at = Instant::now() + self.retry_after;
        self.retry_after = (self.retry_after * 2).min(RETRY_LAST);
    }

    /// Leaves the bus for good.
    pub(crate) fn close(mut self, ground: &mut Ground) {
        self.flush(ground);
        self.leave(BusError::Refused("we left".into()), ground);
    }

    fn exchange(&mut self, ready: Ready, ground: &mut Ground) -> Result<(), BusError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let lost = |error: io::Error| unreachable(&self.address, &error);
        if ready.writable {
            link.channel.flush(&ground.poller).map_err(lost)?;
        }
        if !ready.readable {
            return Ok(());
        }
        match link.channel.stream.read(&mut ground.scratch).map_err(lost)? {
            Arrival::Bytes => self.take_messages(ground),
            Arrival::Nothing => Ok(()),
            Arrival::End => Err(lost(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn take_messages(&mut self, ground: &mut Ground) -> Result<(), BusError> {
        while let Some(link) = &mut self.link {
            if !link.admitted {
                let Some(used) = admission(link.channel.stream.input()).map_err(BusError::Refused)? else { break };
                link.channel.stream.consume(used);
                link.admitted = true;
                self.introduce_ourselves(ground)?;
                continue;
            }
            match link.channel.stream.take_message(MESSAGE_MAX) {
                Ok(Some(message)) => self.receive(&message, ground)?,
                Ok(None) => break,
                // What one caller sent and the bus let pass must not cost all others the connection.
                Err(Broken::Format(error)) => tracing::warn!(%error, "a message from the bus is skipped"),
                Err(error) => return Err(BusError::Refused(error.to_string())),
            }
        }
        Ok(())
    }

    fn introduce_ourselves(&mut self, ground: &mut Ground) -> Result<(), BusError> {
        self.ask("Hello", &[], Asked::Hello, ground)?;
        self.ask("AddMatch", &[Value::str(VANISHED)], Asked::Match, ground)?;
        self.ask("RequestName", &[Value::str(NAME), Value::U32(DO_NOT_QUEUE)], Asked::Name, ground)
    }

    fn ask(&mut self, member: &'static str, args: &[Value], asked: Asked, ground: &mut Ground) -> Result<(), BusError> {
        let call = bus_call(member, args).map_err(|error| BusError::Refused(error.to_string()))?;
        if let Some(link) = &mut self.link {
            link.asked.insert(call.primary_header().serial_num().get(), asked);
        }
        self.push(call, ground)
    }

    fn push(&mut self, message: Message, ground: &mut Ground) -> Result<(), BusError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        link.channel.push(Outgoing::Message(message));
        link.dirty = true;
        let bound = ground.intake.limits.queue_bytes_per_user;
        if link.channel.stream.queued() > bound {
            link.channel.flush(&ground.poller).map_err(|error| unreachable(&self.address, &error))?;
            if link.channel.stream.queued() > bound {
                return Err(BusError::Refused("the bus does not read what it is sent".into()));
            }
        }
        Ok(())
    }

    fn receive(&mut self, message: &Message, ground: &mut Ground) -> Result<(), BusError> {
        let header = message.header();
        let sender = header.sender().map(|name| name.as_str()).unwrap_or_default();
        match message.message_type() {
            Type::MethodCall => self.receive_call(&Arc::from(sender), message, ground),
            Type::Signal if sender == DRIVER => self.receive_signal(message, ground),
            Type::Signal => Ok(()),
            Type::MethodReturn | Type::Error => {
                let serial = header.reply_serial().map_or(0, NonZeroU32::get);
                let asked = self.link.as_mut().and_then(|link| link.asked.remove(&serial));
                asked.map_or(Ok(()), |asked| self.receive_answer(asked, message, ground))
            }
        }
    }

    fn receive_call(&mut self, sender: &Arc<str>, message: &Message, ground: &mut Ground) -> Result<(), BusError> {
        match self.callers.introduce(sender, message, ground.intake.limits.requests_per_user) {
            Introduction::Known(client) => self.hand_in(&client, message, ground),
            Introduction::Ask => {
                let asked = Asked::Caller(sender.clone());
                self.ask("GetConnectionCredentials", &[Value::str(sender)], asked, ground)
            }
            Introduction::Wait => Ok(()),
            Introduction::TooMany => self.refuse(sender, message, &too_many(), ground),
        }
    }

    fn hand_in(&mut self, client: &Client, message: &Message, ground: &mut Ground) -> Result<(), BusError> {
        let (Some(via), Some(name)) = (self.token(), client.bus_name()) else { return Ok(()) };
        let intake = &mut ground.intake;
        let busy = intake.accounts.is_busy(client.uid, &intake.limits);
        if busy || message.data().len() > intake.limits.message_bytes {
            return self.refuse(name, message, &too_many(), ground);
        }
        match intake.call(message, client, via, Address::Bus(name.clone())) {
            Ok(Fate::Answer(answer)) => self.push(*answer, ground),
            Ok(Fate::Asked | Fate::Silence) => Ok(()),
            Err(broken) => {
                let refusal = Refusal::new(RefusalKind::InvalidArgs, broken.to_string());
                self.refuse(name, message, &refusal, ground)
            }
        }
    }

    fn refuse(
        &mut self,
        sender: &Arc<str>,
        message: &Message,
        refusal: &Refusal,
        ground: &mut Ground,
    ) -> Result<(), BusError> {
        let to = ReplyTo { serial: message.primary_header().serial_num(), address: Address::Bus(sender.clone()) };
        match ground.intake.composer.refuse(&to, refusal) {
            Ok(answer) if expects_reply(message) => self.push(answer, ground),
            _ => Ok(()),
        }
    }

    fn receive_signal(&mut self, message: &Message, ground: &mut Ground) -> Result<(), BusError> {
        let header = message.header();
        let args = arguments(&message.body()).unwrap_or_default();
        let texts: Vec<_> = args.iter().filter_map(Value::as_str).collect();
        match (header.member().map(|member| member.as_str()), &texts[..]) {
            (Some("NameLost"), [name]) if *name == NAME => {
                Err(BusError::NameTaken { owner: "it was taken from us".into() })
            }
            (Some("NameOwnerChanged"), [name, _, ""]) => {
                let events = &mut ground.intake.events;
                events.extend(self.callers.vanish(name).map(Event::ClientGone));
                events.extend(self.watched.take(*name).map(Event::BusNameGone));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn receive_answer(&mut self, asked: Asked, message: &Message, ground: &mut Ground) -> Result<(), BusError> {
        let args = arguments(&message.body()).unwrap_or_default();
        let failed = message.message_type() == Type::Error;
        let text = || args.first().and_then(Value::as_str).unwrap_or("no reason given").to_owned();
        match asked {
            Asked::Hello | Asked::Match if !failed => Ok(()),
            Asked::Hello | Asked::Match => Err(BusError::Refused(text())),
            Asked::Owner => Err(BusError::NameTaken { owner: text() }),
            Asked::Name => match args.first() {
                // Primary owner, or already owner.
                Some(Value::U32(1 | 4)) => {
                    self.joined();
                    Ok(())
                }
                _ if failed => Err(BusError::Refused(text())),
                _ => self.ask("GetNameOwner", &[Value::str(NAME)], Asked::Owner, ground),
            },
            Asked::NameOwned(number, name) => {
                let owned = matches!(args.first(), Some(Value::Bool(true)));
                if !owned {
                    self.watched.remove(&name);
                }
                self.answers.insert(number, owned);
                Ok(())
            }
            Asked::Caller(name) => {
                let id = ClientId(ground.intake.new_token().0);
                let Some((client, calls)) = self.callers.identify(&name, id, &args) else { return Ok(()) };
                calls.iter().try_for_each(|call| self.hand_in(&client, call, ground))
            }
        }
    }

    fn joined(&mut self) {
        if let Some(link) = &mut self.link {
            link.joined = true;
            self.retry_after = RETRY_FIRST;
            self.outcome = Some(Ok(()));
            tracing::info!(address = self.address, "on the message bus as {NAME}");
        }
    }
}

fn unreachable(address: &str, error: &io::Error) -> BusError {
    BusError::Unreachable { address: address.to_owned(), reason: error.to_string() }
}

fn too_many() -> Refusal {
    Refusal::new(RefusalKind::LimitsExceeded, "Too many requests of this user are waiting, or this one is too long.")
}
