//! The front end as the daemon's loop sees it: events come out of [`FrontEnd::next`], answers and signals go in.

use crate::bus::{Bus, BusError};
use crate::channel::Ground;
use crate::config::FrontEndConfig;
use crate::descriptors::Descriptors;
use crate::intake::Intake;
use crate::poller::Poller;
use crate::private::Private;
use crate::stream::Scratch;
use crate::wire::message::{Address, signal};
use cgarbiter_core::effect::{Audience, Reply, Signal};
use cgarbiter_core::error::Refusal;
use cgarbiter_core::event::Event;
use cgarbiter_core::request::CallId;
use cgarbiter_core::systemd1;
use std::io;
use std::os::unix::net::UnixListener;
use tokio::time::Instant;

/// All connections, private and by bus, in one thread.
///
/// ```text
/// front_end.listen_private(listener)?;
/// front_end.join_bus("system").await?;
/// loop {
///     let event = front_end.next().await?;           // in select! with everything else that happens
///     manager.handle_event(now, event);
///     while let Some(effect) = manager.poll_effect() // Reply → front_end.reply, Emit → front_end.emit
/// }
/// ```
///
/// Answers and signals leave, each peer's in the order given, when [`FrontEnd::next`] has no more events at hand: many
/// go out at once that way. Whoever is about to do something slow calls [`FrontEnd::flush`] before.
pub struct FrontEnd {
    ground: Ground,
    private: Private,
    bus: Option<Bus>,
}

impl FrontEnd {
    /// A front end without connections. Needs a tokio runtime with I/O and time around it.
    ///
    /// # Errors
    /// The system gives no epoll set.
    pub fn new(config: FrontEndConfig, descriptors: Box<dyn Descriptors>) -> io::Result<Self> {
        let intake = Intake::new(config.limits, descriptors).map_err(io::Error::other)?;
        let guid = zbus::Guid::generate().as_str().to_owned();
        let own_uid = nix::unistd::geteuid().as_raw();
        Ok(Self {
            ground: Ground { poller: Poller::new()?, scratch: Scratch::new(), intake },
            private: Private::new(config.access, own_uid, guid),
            bus: None,
        })
    }

    /// Serves peer-to-peer connections made to this socket.
    ///
    /// # Errors
    /// The socket cannot be waited for.
    pub fn listen_private(&mut self, listener: UnixListener) -> io::Result<()> {
        self.private.listen(listener, &mut self.ground)
    }

    /// Connects to a message bus (`system`, `session`, or an address) and takes the name there.
    ///
    /// # Errors
    /// Why that failed. It is tried again in the background all the same, with pauses that grow to 30 seconds; whoever
    /// does not want that calls [`FrontEnd::leave_bus`].
    pub async fn join_bus(&mut self, address: &str) -> Result<(), BusError> {
        self.leave_bus();
        let bus = self.bus.insert(Bus::new(address));
        bus.connect(&mut self.ground);
        loop {
            if let Some(outcome) = self.bus.as_ref().and_then(Bus::outcome) {
                return outcome.clone();
            }
            if let Err(error) = self.turn().await {
                return Err(BusError::Refused(error.to_string()));
            }
        }
    }

    /// Gives up the bus and the name there.
    pub fn leave_bus(&mut self) {
        if let Some(bus) = self.bus.take() {
            bus.close(&mut self.ground);
        }
    }

    /// Whether we own our name on a bus at the moment.
    #[must_use]
    pub fn is_on_bus(&self) -> bool {
        self.bus.as_ref().is_some_and(Bus::is_joined)
    }

    /// The next thing that happened. Cancelling this loses nothing.
    ///
    /// # Errors
    /// The system no longer lets us wait, which it has no reason to.
    pub async fn next(&mut self) -> io::Result<Event> {
        // A flood of requests must not keep the runtime from looking at everybody else's sockets and timers.
        tokio::task::consume_budget().await;
        loop {
            if let Some(event) = self.ground.intake.events.pop_front() {
                return Ok(event);
            }
            self.turn().await?;
        }
    }

    /// The next thing that has happened already, without waiting or looking for more.
    pub fn take_ready(&mut self) -> Option<Event> {
        self.ground.intake.events.pop_front()
    }

    /// Answers a request. The answer leaves with the next flush.
    pub fn reply(&mut self, call: CallId, result: Result<Reply, Refusal>) {
        let Some(call) = self.ground.intake.answered(call) else {
            tracing::error!(call = call.0, "an answer to a request that is not open");
            return;
        };
        // Refused, or only rehearsed: nobody has taken what came with it.
        if matches!(&result, Err(_) | Ok(Reply::Steps(_))) {
            self.ground.intake.release(&call);
        }
        if call.wanted {
            match self.ground.intake.composer.reply(&call.reply, result) {
                Ok(message) => match &mut self.bus {
                    Some(bus) if bus.token() == Some(call.via) => bus.send(call.via, message, &mut self.ground),
                    _ => self.private.send(call.via, message, &mut self.ground),
                },
                Err(error) => tracing::error!(%error, "an answer could not be built"),
            }
        }
        let intake = &mut self.ground.intake;
        let resumed = intake.accounts.answered(call.uid, &intake.limits);
        self.private.resume(resumed, &mut self.ground);
    }

    /// Sends a signal to those it is for. It leaves with the next flush.
    pub fn emit(&mut self, event: Signal, audience: &Audience) {
        let to_private = !matches!(audience, Audience::Peer(_)) && self.private.has_open_peers();
        let to_bus = match audience {
            Audience::Private => None,
            Audience::All => Some(Address::Broadcast),
            Audience::Peer(name) => Some(Address::Bus(name.clone())),
        };
        let bus = self.bus.as_mut().filter(|bus| bus.is_joined()).zip(to_bus);
        if !to_private && bus.is_none() {
            return;
        }
        let encoded = systemd1::encode_signal(event);
        let failed = |error| tracing::error!(%error, path = encoded.path, "a signal could not be built");
        if let Some((bus, address)) = bus {
            match (signal(&encoded, &address), bus.token()) {
                (Ok(message), Some(token)) => bus.send(token, message, &mut self.ground),
                (Err(error), _) => failed(error),
                (Ok(_), None) => {}
            }
        }
        if to_private {
            match signal(&encoded, &Address::Private) {
                Ok(message) => self.private.broadcast(&message, &mut self.ground),
                Err(error) => failed(error),
            }
        }
    }

    /// From now on connections to the peer-to-peer sockets wait in the kernel's queues, for somebody who listens there
    /// next.
    pub fn accept_no_more(&mut self) {
        self.private.accept_no_more(&self.ground);
    }

    /// Takes connections again after [`FrontEnd::accept_no_more`].
    ///
    /// # Errors
    /// The system no longer lets us wait.
    pub fn accept_again(&mut self) -> io::Result<()> {
        self.private.accept_again(&self.ground)
    }

    /// Whether a request is open, or a peer is in the middle of something: has just come, has sent half a message, or
    /// has not got all of an answer.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.ground.intake.has_open_calls() || self.private.is_unfinished()
    }

    /// Lets everything go that has been answered and emitted; [`FrontEnd::next`] does so before it waits.
    pub fn flush(&mut self) {
        self.private.flush(&mut self.ground);
        if let Some(bus) = &mut self.bus {
            bus.flush(&mut self.ground);
        }
    }

    /// Whether a name on the bus has an owner; none when there is no bus to ask. When it has,
    /// [`Event::BusNameGone`] follows once it has lost it.
    ///
    /// # Errors
    /// The system no longer lets us wait.
    pub async fn name_owned(&mut self, name: &str) -> io::Result<Option<bool>> {
        let asked = self.bus.as_mut().and_then(|bus| bus.ask_name_owned(name, &mut self.ground));
        let Some(question) = asked else { return Ok(None) };
        loop {
            match &mut self.bus {
                None => return Ok(None),
                Some(bus) => {
                    if let Some(answer) = bus.take_answer(question) {
                        return Ok(answer);
                    }
                }
            }
            self.turn().await?;
        }
    }

    /// Waits for news once, and deals with it. Nothing is half done when this is cancelled.
    async fn turn(&mut self) -> io::Result<()> {
        self.private.work_off(&mut self.ground);
        self.flush();
        let busy = self.private.has_backlog() || !self.ground.intake.events.is_empty();
        let ready = if busy {
            self.ground.poller.look()?
        } else {
            let deadline = self.private.deadline().into_iter().chain(self.bus.as_ref().and_then(Bus::deadline)).min();
            self.ground.poller.ready(deadline).await?
        };
        for news in ready {
            match &mut self.bus {
                Some(bus) if bus.token() == Some(news.token) => bus.ready(news, &mut self.ground),
                _ => self.private.ready(news, &mut self.ground),
            }
        }
        let now = Instant::now();
        self.private.expire(now, &mut self.ground)?;
        if let Some(bus) = &mut self.bus {
            bus.expire(now, &mut self.ground);
        }
        Ok(())
    }
}
