//! What each user has at the moment: connections, unanswered requests, bytes waiting to be read, descriptors sent ahead
//! of their message.

use crate::config::Limits;
use crate::poller::Token;
use std::collections::HashMap;

/// All users that have anything.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    users: HashMap<u32, Account>,
}

#[derive(Debug, Default)]
struct Account {
    connections: usize,
    requests: usize,
    queued: usize,
    parked: usize,
    /// Connections that are not read until some requests are answered.
    paused: Vec<Token>,
}

impl Accounts {
    /// One more connection, if the user may have it.
    pub(crate) fn connect(&mut self, uid: u32, limits: &Limits) -> bool {
        let account = self.users.entry(uid).or_default();
        let room = account.connections < limits.connections_per_user;
        account.connections += usize::from(room);
        room
    }

    /// One connection less, with the bytes that were waiting on it and the descriptors that were parked there.
    pub(crate) fn disconnect(&mut self, uid: u32, queued: usize, parked: usize) {
        self.change(uid, |account| {
            account.connections -= 1;
            account.queued -= queued;
            account.parked -= parked;
        });
    }

    /// Whether another request has to wait.
    pub(crate) fn is_busy(&self, uid: u32, limits: &Limits) -> bool {
        self.users.get(&uid).is_some_and(|account| account.requests >= limits.requests_per_user)
    }

    pub(crate) fn request(&mut self, uid: u32) {
        self.users.entry(uid).or_default().requests += 1;
    }

    /// A request was answered. Names the connections that can be read again, once there is room for a good many
    /// requests.
    pub(crate) fn answered(&mut self, uid: u32, limits: &Limits) -> Vec<Token> {
        let mut resumed = Vec::new();
        self.change(uid, |account| {
            account.requests -= 1;
            if account.requests <= limits.requests_per_user / 2 {
                resumed = std::mem::take(&mut account.paused);
            }
        });
        resumed
    }

    pub(crate) fn pause(&mut self, uid: u32, token: Token) {
        self.users.entry(uid).or_default().paused.push(token);
    }

    /// Bytes waiting were `before` and are `after`. Says whether they are within bounds.
    pub(crate) fn queued(&mut self, uid: u32, before: usize, after: usize, limits: &Limits) -> bool {
        let account = self.users.entry(uid).or_default();
        account.queued = account.queued - before + after;
        account.queued <= limits.queue_bytes_per_user
    }

    /// Descriptors parked were `before` and are `after`. Says whether they are within bounds.
    pub(crate) fn parked(&mut self, uid: u32, before: usize, after: usize, limits: &Limits) -> bool {
        let account = self.users.entry(uid).or_default();
        account.parked = account.parked - before + after;
        account.parked <= limits.descriptors_per_user
    }

    fn change(&mut self, uid: u32, change: impl FnOnce(&mut Account)) {
        let Some(account) = self.users.get_mut(&uid) else { return };
        change(account);
        if account.connections == 0 && account.requests == 0 {
            assert!(account.queued == 0 && account.parked == 0);
            self.users.remove(&uid);
        }
    }
}
