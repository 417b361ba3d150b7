//! Method calls on their way to the core: taken apart, their descriptors handed over, decoded, counted, remembered
//! until the answer comes. The same for every transport.

use crate::accounts::Accounts;
use crate::config::Limits;
use crate::descriptors::Descriptors;
use crate::poller::Token;
use crate::wire::message::{Address, Broken, Composer, ReplyTo};
use crate::wire::value::arguments;
use cgarbiter_core::client::Client;
use cgarbiter_core::error::{Refusal, RefusalKind};
use cgarbiter_core::event::Event;
use cgarbiter_core::request::CallId;
use cgarbiter_core::systemd1::{self, MethodCall};
use cgarbiter_core::value::Value;
use cgarbiter_core::{Request, cgarbiter1};
use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd};
use zbus::Message;
use zbus::message::Flags;

const PEER: &str = "org.freedesktop.DBus.Peer";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";

/// A request whose answer is awaited.
#[derive(Debug)]
pub(crate) struct Call {
    /// The connection it came by.
    pub(crate) via: Token,
    pub(crate) reply: ReplyTo,
    /// Whether the caller wants to know.
    pub(crate) wanted: bool,
    pub(crate) uid: u32,
    /// Processes that came with it.
    pins: Vec<u64>,
}

/// What became of a method call.
#[derive(Debug)]
pub(crate) enum Fate {
    /// The core has it.
    Asked,
    /// It is answered already.
    Answer(Box<Message>),
    /// It is answered already, and nobody wants to know.
    Silence,
}

/// Everything between the transports and the core.
pub(crate) struct Intake {
    pub(crate) events: VecDeque<Event>,
    pub(crate) accounts: Accounts,
    pub(crate) limits: Limits,
    pub(crate) composer: Composer,
    descriptors: Box<dyn Descriptors>,
    calls: HashMap<u64, Call>,
    calls_made: u64,
    tokens_made: u64,
}

impl Intake {
    pub(crate) fn new(limits: Limits, descriptors: Box<dyn Descriptors>) -> zbus::Result<Self> {
        Ok(Self {
            events: VecDeque::new(),
            accounts: Accounts::default(),
            limits,
            composer: Composer::new()?,
            descriptors,
            calls: HashMap::new(),
            calls_made: 0,
            tokens_made: 0,
        })
    }

    /// A number that no connection, listener or client has had before.
    pub(crate) fn new_token(&mut self) -> Token {
        self.tokens_made += 1;
        Token(self.tokens_made)
    }

    /// Whether somebody waits for an answer.
    pub(crate) fn has_open_calls(&self) -> bool {
        !self.calls.is_empty() || !self.events.is_empty()
    }

    /// Whom to tell the answer.
    pub(crate) fn answered(&mut self, call: CallId) -> Option<Call> {
        self.calls.remove(&call.0)
    }

    /// Lets go of the processes that came with a call that has changed nothing.
    pub(crate) fn release(&mut self, call: &Call) {
        call.pins.iter().for_each(|pin| self.descriptors.release(*pin));
    }

    /// Hands a method call in.
    ///
    /// # Errors
    /// Its body is not what its signature says.
    pub(crate) fn call(
        &mut self,
        message: &Message,
        client: &Client,
        via: Token,
        address: Address,
    ) -> Result<Fate, Broken> {
        let reply = ReplyTo { serial: message.primary_header().serial_num(), address };
        let wanted = expects_reply(message);
        let answered = match self.decode(message)? {
            Decoded::Request(request, pins) => {
                self.calls_made += 1;
                self.calls.insert(self.calls_made, Call { via, reply, wanted, uid: client.uid, pins });
                self.accounts.request(client.uid);
                let call = CallId(self.calls_made);
                self.events.push_back(Event::Request { call, client: client.clone(), request });
                return Ok(Fate::Asked);
            }
            Decoded::Known(values) => self.composer.values(&reply, &values),
            Decoded::Refused(refusal) => self.composer.refuse(&reply, &refusal),
        };
        Ok(if wanted { Fate::Answer(Box::new(answered?)) } else { Fate::Silence })
    }

    fn decode(&mut self, message: &Message) -> Result<Decoded, Broken> {
        let header = message.header();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let mut call = MethodCall {
            path: text(header.path().map(|path| path.as_str())),
            interface: header.interface().map(|interface| interface.as_str().to_owned()),
            member: text(header.member().map(|member| member.as_str())),
            args: arguments(&message.body())?,
        };
        if let Some(known) = answer_of_any_object(&call) {
            return Ok(known);
        }
        let pins = self.adopt(message, &mut call.args)?;
        let decoded = if call.path == cgarbiter1::PATH { cgarbiter1::decode(call) } else { systemd1::decode(call) };
        Ok(match decoded {
            Ok(request) => Decoded::Request(request, pins),
            Err(refusal) => {
                pins.into_iter().for_each(|pin| self.descriptors.release(pin));
                Decoded::Refused(refusal)
            }
        })
    }

    /// Replaces raw descriptors among the arguments by the numbers under which they are kept.
    fn adopt(&mut self, message: &Message, args: &mut [Value]) -> Result<Vec<u64>, Broken> {
        let fds = message.data().fds();
        let mut pins = Vec::new();
        if fds.is_empty() {
            return Ok(pins);
        }
        let mut handles = Vec::new();
        args.iter_mut().for_each(|value| collect_handles(value, &mut handles));
        // Each descriptor is kept once; naming one many times would make many of it.
        if handles.len() > fds.len() {
            return Err(Broken::Descriptors);
        }
        for handle in handles {
            let of_handle = |fd: &&zbus::Fd<'_>| u64::from(fd.as_raw_fd().unsigned_abs()) == *handle;
            let own = fds.iter().find(of_handle).and_then(|fd| fd.as_fd().try_clone_to_owned().ok());
            *handle = own.map_or(0, |fd| self.descriptors.adopt(fd));
            pins.extend((*handle != 0).then_some(*handle));
        }
        Ok(pins)
    }
}

/// A method call that has been understood, or not.
enum Decoded {
    Request(Request, Vec<u64>),
    Known(Vec<Value>),
    Refused(Refusal),
}

/// Whether the caller waits for an answer.
pub(crate) fn expects_reply(message: &Message) -> bool {
    !message.primary_header().flags().contains(Flags::NO_REPLY_EXPECTED)
}

/// What can be answered without asking anybody.
fn answer_of_any_object(call: &MethodCall) -> Option<Decoded> {
    let known = match (call.interface.as_deref()?, call.member.as_str()) {
        (PEER, "Ping") => Decoded::Known(Vec::new()),
        (PEER, "GetMachineId") => machine_id(),
        (PEER, member) => {
            let text = format!("Unknown method {member} or interface {PEER}.");
            Decoded::Refused(Refusal::new(RefusalKind::UnknownMethod, text))
        }
        (INTROSPECTABLE, "Introspect") if call.path == cgarbiter1::PATH => {
            Decoded::Known(vec![Value::str(cgarbiter1::INTROSPECTION)])
        }
        _ => return None,
    };
    Some(known)
}

fn machine_id() -> Decoded {
    let read = |file| std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
    let found = ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().filter_map(read).find(|id| id.len() == 32);
    match found {
        Some(id) => Decoded::Known(vec![Value::Str(id)]),
        None => Decoded::Refused(Refusal::new(RefusalKind::FileNotFound, "This machine has no /etc/machine-id.")),
    }
}

fn collect_handles<'a>(value: &'a mut Value, handles: &mut Vec<&'a mut u64>) {
    match value {
        Value::Handle(handle) => handles.push(handle),
        Value::Array(_, values) | Value::Struct(values) => {
            values.iter_mut().for_each(|value| collect_handles(value, handles));
        }
        Value::Entry(key, value) => {
            collect_handles(key, handles);
            collect_handles(value, handles);
        }
        Value::Variant(value) => collect_handles(value, handles),
        _ => {}
    }
}
