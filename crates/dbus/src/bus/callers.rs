//! Who is who on the bus: unique names, and the user and process that the bus vouches for.

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::value::Value;
use std::collections::HashMap;
use std::sync::Arc;
use zbus::Message;

/// Everybody who has called and is still on the bus.
#[derive(Debug, Default)]
pub(super) struct Callers {
    known: HashMap<Arc<str>, Client>,
    /// Calls of those of whom the bus has been asked, but has not answered yet.
    waiting: HashMap<Arc<str>, Vec<Message>>,
}

/// What to do with a call.
#[derive(Debug)]
pub(super) enum Introduction {
    /// Hand it in: this is the caller.
    Known(Client),
    /// It is kept; ask the bus who this is.
    Ask,
    /// It is kept; the bus has been asked.
    Wait,
    /// It is not kept: too many are waiting.
    TooMany,
}

impl Callers {
    /// A call has come from this name.
    pub(super) fn introduce(&mut self, name: &Arc<str>, message: &Message, waiting_max: usize) -> Introduction {
        if let Some(client) = self.known.get(name) {
            return Introduction::Known(client.clone());
        }
        let waiting = self.waiting.entry(name.clone()).or_default();
        if waiting.len() >= waiting_max {
            return Introduction::TooMany;
        }
        waiting.push(message.clone());
        if waiting.len() == 1 { Introduction::Ask } else { Introduction::Wait }
    }

    /// The bus has said who it is. Hands out the caller and its calls, in order.
    pub(super) fn identify(
        &mut self,
        name: &Arc<str>,
        id: ClientId,
        credentials: &[Value],
    ) -> Option<(Client, Vec<Message>)> {
        let calls = self.waiting.remove(name)?;
        let uid = number(credentials, "UnixUserID")?;
        let pid = number(credentials, "ProcessID");
        let client = Client { id, transport: Transport::Bus(name.clone()), uid, pid };
        self.known.insert(name.clone(), client.clone());
        Some((client, calls))
    }

    /// The name has left the bus. Hands out who that was, if it had called.
    pub(super) fn vanish(&mut self, name: &str) -> Option<ClientId> {
        self.waiting.remove(name);
        self.known.remove(name).map(|client| client.id)
    }

    /// The bus itself has gone. Hands out everybody, in the order of their numbers.
    pub(super) fn vanish_all(&mut self) -> Vec<ClientId> {
        self.waiting.clear();
        let mut gone: Vec<_> = std::mem::take(&mut self.known).into_values().map(|client| client.id).collect();
        gone.sort_unstable();
        gone
    }
}

/// A number in the `a{sv}` that GetConnectionCredentials answers.
fn number(credentials: &[Value], key: &str) -> Option<u32> {
    credentials.first()?.as_array()?.iter().find_map(|entry| match entry {
        Value::Entry(name, value) if name.as_str() == Some(key) => match &**value {
            Value::Variant(value) => match **value {
                Value::U32(number) => Some(number),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
