//! Calls on org.freedesktop.systemd1: one place that names paths and interfaces and limits the time of a call.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use zbus::{Connection, DynamicType, MatchRule, Message, MessageStream, OwnedVariant, Type};

use crate::args::client::Global;
use cgarbiter_core::cgarbiter1;

use super::connect;
use super::error::{Error, Result};
use super::names;

pub(crate) const DESTINATION: &str = "org.freedesktop.systemd1";
pub(crate) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(crate) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// What libraries of other languages allow, too.
const USUAL: Duration = Duration::from_secs(25);
/// For calls that return only when the kernel is done (freezing).
pub(crate) const PATIENT: Duration = Duration::from_secs(120);

/// Raw properties, by name.
pub(crate) type PropertyMap = BTreeMap<String, OwnedVariant>;

/// A connected client.
pub(crate) struct Client {
    connection: Connection,
    bus: bool,
    address: String,
}

impl Client {
    pub(crate) async fn connect(global: &Global) -> Result<Self> {
        Ok(Self::over(connect::connect(global).await?))
    }

    /// Over a message bus, whatever sockets there are.
    pub(crate) async fn connect_to_bus(global: &Global) -> Result<Self> {
        Ok(Self::over(connect::connect_to_bus(global).await?))
    }

    fn over(connect::Link { connection, bus, address }: connect::Link) -> Self {
        Self { connection, bus, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether a message bus is in between.
    pub(crate) fn is_bus(&self) -> bool {
        self.bus
    }

    /// A signal of the manager's, from now on, until the connection ends. `what` opens the error.
    pub(crate) async fn signals(
        &self,
        what: &str,
        path: &str,
        interface: &str,
        member: &str,
    ) -> Result<UnboundedReceiver<Message>> {
        let failed = |e| Error::from_call(what, e);
        let mut rule =
            MatchRule::builder().msg_type(zbus::message::Type::Signal).path(path).interface(interface).member(member);
        if self.bus {
            rule = rule.sender(DESTINATION);
        }
        let rule = rule.build().map_err(failed)?;
        let mut signals = MessageStream::for_match_rule(rule, &self.connection, None).await.map_err(failed)?;
        let (sender, arriving) = unbounded_channel();
        // A task of its own: zbus stops reading, replies included, while a queue of signals is full.
        tokio::spawn(async move {
            while let Some(Ok(signal)) = signals.next().await {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        });
        Ok(arriving)
    }

    /// A method of the manager. `what` opens the error: "cannot stop a.scope".
    pub(crate) async fn manager<B, R>(&self, what: &str, member: &str, body: &B) -> Result<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        self.manager_within(USUAL, what, member, body).await
    }

    /// As `manager`, with a time limit of its own.
    pub(crate) async fn manager_within<B, R>(&self, limit: Duration, what: &str, member: &str, body: &B) -> Result<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let reply = self.call(limit, what, MANAGER_PATH, MANAGER, member, body).await?;
        decode(what, &reply)
    }

    /// A method of the arbiter's own interface.
    pub(crate) async fn arbiter<B, R>(&self, what: &str, member: &str, body: &B) -> Result<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let reply = self.call(USUAL, what, cgarbiter1::PATH, cgarbiter1::INTERFACE, member, body).await?;
        decode(what, &reply)
    }

    /// All properties of one interface; of all interfaces if it is empty.
    pub(crate) async fn get_all(&self, what: &str, path: &str, interface: &str) -> Result<PropertyMap> {
        let reply = self.call(USUAL, what, path, PROPERTIES, "GetAll", &interface).await?;
        decode(what, &reply)
    }

    pub(crate) async fn get(&self, what: &str, path: &str, interface: &str, name: &str) -> Result<OwnedVariant> {
        let reply = self.call(USUAL, what, path, PROPERTIES, "Get", &(interface, name)).await?;
        decode(what, &reply)
    }

    /// All properties of a unit, loaded or not.
    pub(crate) async fn unit(&self, what: &str, unit: &str) -> Result<PropertyMap> {
        self.get_all(what, &names::unit_path(unit), "").await
    }

    async fn call<B>(
        &self,
        limit: Duration,
        what: &str,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) -> Result<Message>
    where
        B: Serialize + DynamicType,
    {
        let call = self.connection.call_method(Some(DESTINATION), path, Some(interface), member, body);
        match timeout(limit, call).await {
            Ok(reply) => reply.map_err(|e| Error::from_call(what, e)),
            Err(_) => Err(Error::NoAnswer { what: what.to_owned(), seconds: limit.as_secs() }),
        }
    }
}

fn decode<R: DeserializeOwned + Type>(what: &str, reply: &Message) -> Result<R> {
    reply.body().deserialize().map_err(|e| Error::from_call(what, e))
}
