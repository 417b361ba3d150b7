//! Whole messages: where one ends in a stream of bytes, and how answers, errors, signals and calls are put together.

use crate::wire::units;
use crate::wire::value::Body;
use cgarbiter_core::effect::Reply;
use cgarbiter_core::error::Refusal;
use cgarbiter_core::systemd1::{self, SignalMessage};
use cgarbiter_core::value::Value;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use zbus::Variant;
use zbus::message::{Builder, Flags, Message};
use zbus::names::{BusName, UniqueName};
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};

/// The name under which everything is sent on peer-to-peer connections, where nobody has a unique name.
pub(crate) const NAME: &str = "org.freedesktop.systemd1";

/// Bytes that say how long a message is.
const FIXED_HEADER: usize = 16;
/// Code of the header field that counts descriptors.
const UNIX_FDS: u8 = 9;

/// What a peer sent is no message of ours to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("a message of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("the bytes do not begin like a D-Bus message")]
    Beginning,
    #[error("descriptors are missing, or too many")]
    Descriptors,
    /// Where the message ends is known, so that it can be skipped.
    #[error("not a proper D-Bus message: {0}")]
    Format(#[from] zbus::Error),
}

/// The length of the message that begins here, as soon as enough of it is there to tell.
pub(crate) fn message_length(bytes: &[u8], length_max: usize) -> Result<Option<usize>, Broken> {
    let Some(first) = bytes.first() else { return Ok(None) };
    let endian = endian(*first)?;
    if bytes.len() < FIXED_HEADER {
        return Ok(None);
    }
    // In 64 bits: on a small machine two lengths that a peer makes up must not wrap around.
    let field = |at: usize| u64::from(endian.read_u32(&bytes[at..at + 4]));
    let length = FIXED_HEADER as u64 + field(12).next_multiple_of(8) + field(4);
    match usize::try_from(length) {
        Ok(length) if length <= length_max => Ok(Some(length)),
        _ => Err(Broken::TooLong(usize::try_from(length).unwrap_or(usize::MAX))),
    }
}

fn endian(first: u8) -> Result<Endian, Broken> {
    match first {
        b'l' => Ok(Endian::Little),
        b'B' => Ok(Endian::Big),
        _ => Err(Broken::Beginning),
    }
}

/// Reads a message of known length. Descriptors that came with it are taken from the front of `pending`.
pub(crate) fn parse(bytes: &[u8], pending: &mut Vec<OwnedFd>) -> Result<Message, Broken> {
    let context = Context::new(endian(bytes[0])?, 0);
    let mut data = Data::new(bytes.to_vec(), context);
    if !pending.is_empty() {
        let count = descriptor_count(&data)?;
        if count > pending.len() {
            return Err(Broken::Descriptors);
        }
        data = Data::new_fds(bytes.to_vec(), context, pending.drain(..count).collect::<Vec<_>>());
    }
    // SAFETY: unsafe because the bytes may be no message; the constructor itself checks the whole header, all that is
    // later read without looking again, and bodies are only ever read through the checking deserializer.
    Ok(unsafe { Message::from_bytes(data) }?)
}

fn descriptor_count(data: &Data<'_, '_>) -> zbus::Result<usize> {
    type Header<'a> = (u8, u8, u8, u8, u32, u32, Vec<(u8, Variant<'a>)>);
    let ((.., fields), _) = data.deserialize::<Header<'_>>()?;
    let count = fields.iter().find_map(|(code, value)| match value {
        Variant::U32(count) if *code == UNIX_FDS => Some(*count as usize),
        _ => None,
    });
    Ok(count.unwrap_or(0))
}

/// Where an answer or signal goes, which decides what stands in its header.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// To the peer at the other end, under our name.
    Private,
    /// To a name on the bus; the bus fills in the sender.
    Bus(Arc<str>),
    /// To whoever listens on the bus.
    Broadcast,
}

impl Address {
    fn fill<'b>(&'b self, builder: Builder<'b>) -> Builder<'b> {
        match self {
            Self::Private => builder.sender(UniqueName::from_static_str_unchecked(NAME)),
            Self::Bus(name) => match BusName::try_from(&**name) {
                Ok(name) => builder.destination(name),
                // Left to the bus, which drops what has no destination and is no signal.
                Err(_) => builder,
            },
            Self::Broadcast => builder,
        }
    }
}

/// Which call an answer belongs to.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    pub(crate) serial: NonZeroU32,
    pub(crate) address: Address,
}

/// Puts messages together.
pub(crate) struct Composer {
    /// Answers are built from a call's header; which call it was is filled in afterwards, since by the time the core
    /// answers, the call itself has long been dropped.
    call: Message,
}

impl Composer {
    pub(crate) fn new() -> zbus::Result<Self> {
        Ok(Self { call: Message::method_call("/", "Call").build(&())? })
    }

    /// The answer to a call. When the core's values make no message, the caller is told so instead.
    pub(crate) fn reply(&self, to: &ReplyTo, result: Result<Reply, Refusal>) -> zbus::Result<Message> {
        let built = match result {
            Ok(Reply::Units(rows)) => units::build(self.return_builder(to), &rows),
            Ok(reply) => self.values(to, &systemd1::encode_reply(reply)),
            Err(refusal) => return self.refuse(to, &refusal),
        };
        built.or_else(|error| {
            tracing::error!(%error, "an answer could not be put into a message");
            self.error(to, "org.freedesktop.DBus.Error.Failed", "The answer could not be put into a message.")
        })
    }

    /// An answer with these values.
    pub(crate) fn values(&self, to: &ReplyTo, values: &[Value]) -> zbus::Result<Message> {
        self.return_builder(to).build(&Body::new(values)?)
    }

    /// A refusal, under its name on the bus.
    pub(crate) fn refuse(&self, to: &ReplyTo, refusal: &Refusal) -> zbus::Result<Message> {
        self.error(to, refusal.kind.bus_name(), &refusal.message)
    }

    /// An error with its text.
    pub(crate) fn error(&self, to: &ReplyTo, name: &str, text: &str) -> zbus::Result<Message> {
        let header = self.call.header();
        let builder = Message::error(&header, name).reply_serial(Some(to.serial));
        // A text from the file system may hold anything.
        to.address.fill(builder).build(&(text.replace('\0', "?"),))
    }

    fn return_builder<'a>(&self, to: &'a ReplyTo) -> Builder<'a> {
        to.address.fill(Message::method_return(&self.call.header()).reply_serial(Some(to.serial)))
    }
}

/// A signal for one kind of listener.
pub(crate) fn signal(signal: &SignalMessage, address: &Address) -> zbus::Result<Message> {
    let builder = Message::signal(signal.path.as_str(), signal.interface, signal.member);
    address.fill(builder).build(&Body::new(&signal.body)?)
}

/// A call to the bus itself.
pub(crate) fn bus_call(member: &'static str, arguments: &[Value]) -> zbus::Result<Message> {
    Message::method_call("/org/freedesktop/DBus", member)
        .destination("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .with_flags(Flags::NO_AUTO_START)
        .build(&Body::new(arguments)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::value::arguments;
    use cgarbiter_core::effect::UnitRow;
    use cgarbiter_core::names::UnitName;
    use proptest::prelude::*;

    fn to() -> ReplyTo {
        ReplyTo { serial: NonZeroU32::MIN, address: Address::Bus(":1.1".into()) }
    }

    fn row(name: &str, job: Option<(u32, &'static str)>) -> UnitRow {
        let name = UnitName::parse(name).expect("a valid name");
        UnitRow { name, description: "Ein Käfig".into(), load: "loaded", active: "active", sub: "running", job }
    }

    #[test]
    fn rows_written_directly_are_the_rows_built_from_values() {
        for rows in [vec![], vec![row("a.scope", None), row("a-b@c.slice", Some((12, "start"))), row("-.slice", None)]]
        {
            let composer = Composer::new().expect("a composer");
            let direct = composer.reply(&to(), Ok(Reply::Units(rows.clone()))).expect("a message");
            let values = systemd1::encode_reply(Reply::Units(rows));
            let slow = composer.values(&to(), &values).expect("a message");
            assert_eq!(direct.body().data().bytes(), slow.body().data().bytes());
            assert_eq!(arguments(&direct.body()).expect("a body"), values);
        }
    }

    #[test]
    fn what_is_no_message_is_an_error_for_the_caller() {
        let composer = Composer::new().expect("a composer");
        for wrong in [
            Value::path("not a path"),
            Value::str("zero \0 byte"),
            Value::Handle(3),
            Value::Struct(Vec::new()),
            Value::Array("u".into(), vec![Value::str("no number")]),
            Value::Signature("(".into()),
        ] {
            let answer = composer.reply(&to(), Ok(Reply::Value(wrong.clone()))).expect("a message");
            assert_eq!(answer.message_type(), zbus::message::Type::Error, "{wrong:?}");
        }
    }

    #[test]
    fn the_length_is_known_early() {
        let message = bus_call("Hello", &[]).expect("a message");
        let bytes = message.data().bytes();
        assert!(matches!(message_length(&bytes[..15], 1000), Ok(None)));
        assert!(matches!(message_length(&bytes[..16], 1000), Ok(Some(length)) if length == bytes.len()));
        assert!(matches!(message_length(&bytes[..16], 100), Err(Broken::TooLong(_))));
        assert!(matches!(message_length(b"GET", 100), Err(Broken::Beginning)));
        let huge = [b'l', 1, 0, 1, 255, 255, 255, 255, 1, 0, 0, 0, 255, 255, 255, 255];
        assert!(matches!(message_length(&huge, 1 << 20), Err(Broken::TooLong(_))));
    }

    proptest! {
        /// Bytes of a peer may be anything; they make a message or an error.
        #[test]
        fn no_bytes_make_us_panic(
            changes in prop::collection::vec((0usize..400, any::<u8>()), 0..12),
            cut in 0usize..60,
        ) {
            let pids = Value::Array("u".into(), vec![Value::U32(1)]);
            let value = Value::Variant(Box::new(Value::dict([("PIDs", pids)])));
            let args = [Value::str("a.scope"), value, Value::Bytes(vec![1, 2]), Value::path("/a")];
            let message = bus_call("StartTransientUnit", &args).expect("a message");
            let mut bytes = message.data().bytes().to_vec();
            bytes.truncate(bytes.len() - cut.min(bytes.len() - FIXED_HEADER));
            for (at, byte) in changes {
                let length = bytes.len();
                bytes[at % length] = byte;
            }
            if let Ok(Some(length)) = message_length(&bytes, 4096) {
                bytes.resize(length, 0);
                if let Ok(message) = parse(&bytes, &mut Vec::new()) {
                    let _ = message.header().path();
                    let _ = arguments(&message.body());
                }
            }
        }
    }
}
