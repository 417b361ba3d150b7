//! Who is on the bus of the world, and what they have sent that has not come yet.

use super::{Visible, World};
use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::systemd1::{self, MethodCall};
use cgarbiter_core::{CallId, Event, cgarbiter1};
use std::sync::Arc;

impl World {
    /// A client comes to the bus; it has the unique name `:1.N`.
    pub fn connect(&mut self, uid: u32, pid: Option<u32>) -> ClientId {
        self.last_client += 1;
        let id = ClientId(self.last_client);
        let name: Arc<str> = format!(":1.{}", self.last_client).into();
        self.clients.insert(id, Client { id, transport: Transport::Bus(name), uid, pid });
        id
    }

    /// A client leaves the bus.
    pub fn disconnect(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(&id) else { return };
        if let Some(name) = client.bus_name() {
            self.sent.push_back(Event::BusNameGone(String::from(&**name)));
        }
        self.sent.push_back(Event::ClientGone(id));
    }

    /// Look: a client.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(&id)
    }

    /// A client calls a method. The call is on its way until a [`Move::Client`].
    ///
    /// # Panics
    /// When the client has left.
    pub fn call(&mut self, client: ClientId, call: MethodCall) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let client = self.clients.get(&client).expect("only a connected client calls").clone();
        let pings = call.member == "Ping" && call.interface.as_deref() == Some("org.freedesktop.DBus.Peer");
        let decoded = if call.path == cgarbiter1::PATH { cgarbiter1::decode(call) } else { systemd1::decode(call) };
        match decoded {
            // Every connection answers this by itself.
            _ if pings => self.visible.push_back(Visible::Reply { call: id, result: Ok(Vec::new()) }),
            Ok(request) => self.sent.push_back(Event::Request { call: id, client, request }),
            Err(refusal) => self.visible.push_back(Visible::Reply { call: id, result: Err(refusal) }),
        }
        id
    }

    /// Look: what a [`Move::Client`] would hand in.
    #[must_use]
    pub fn next_sent(&self) -> Option<&Event> {
        self.sent.front()
    }

    /// Look: how many calls and departures are on their way.
    #[must_use]
    pub fn sent_count(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn owns(&self, name: &str) -> bool {
        self.clients.values().any(|client| client.bus_name().is_some_and(|own| &**own == name))
    }
}
