//! The player: who makes the calls, spawns and kills of one scenario, and what it remembers of it.

use super::compare::Object;
use super::json;
use super::machine::{Facts, Ready};
use crate::kernel::{Caller, Exit, Pid, State};
use crate::world::{Visible, World};
use cgarbiter_core::client::ClientId;
use cgarbiter_core::effect::Audience;
use cgarbiter_core::systemd1::{MethodCall, SignalMessage};
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Refusal};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub(super) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(super) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const CALL_TIMEOUT_USEC: u64 = 20_000_000;
/// What a call costs, so that time goes on between the steps.
const CALL_USEC: u64 = 500;

/// A process of the scenario.
#[derive(Clone, Debug)]
pub(super) struct Proc {
    pub(super) pid: Pid,
    /// How it ended, once that is known.
    pub(super) status: Option<String>,
    /// The connection on which it makes calls.
    pub(super) agent: Option<ClientId>,
}

/// Runs the steps of one scenario.
#[derive(Clone, Debug)]
pub(super) struct Player {
    pub(super) world: World,
    pub(super) facts: Facts,
    pub(super) prefix: String,
    me: ClientId,
    user: Option<ClientId>,
    pub(super) procs: BTreeMap<String, Proc>,
    /// Job numbers in the order of first appearance.
    pub(super) jobs: Vec<u64>,
    replies: BTreeMap<CallId, Result<Vec<Value>, Refusal>>,
    signals: Vec<SignalMessage>,
}

/// Why a call brought no reply.
pub(super) enum NoReply {
    Refused(Refusal),
    TimedOut,
}

impl Player {
    pub(super) fn new(ready: &Ready, prefix: &str) -> Self {
        Self {
            world: ready.world.clone(),
            facts: ready.facts.clone(),
            prefix: prefix.to_owned(),
            me: ready.me,
            user: None,
            procs: BTreeMap::new(),
            jobs: Vec::new(),
            replies: BTreeMap::new(),
            signals: Vec::new(),
        }
    }

    /// Runs one step; what came of it, or why it could not be run.
    pub(super) fn run(&mut self, step: &Object) -> Result<Object, String> {
        match step.get("op").and_then(Json::as_str).unwrap_or_default() {
            "spawn" => self.spawn(step),
            "kill" => self.kill(step),
            "sleep" => self.sleep(step),
            "settle" => self.settle(step),
            "call" => self.call_step(step),
            "get" => self.get(step),
            "listing" => self.listing(),
            "cgroup" => self.cgroup(step),
            "tree" => self.tree(step),
            "cgtree" => self.cgtree(step),
            "proc" => self.proc(step),
            "files" => self.files(step),
            "mkdir" | "rmdir" | "write" | "move" => self.meddle(step),
            "write_unit_file" => self.write_unit_file(step),
            "remove_unit_file" => self.remove_unit_file(step),
            other => Err(format!("unknown step {other}")),
        }
    }

    pub(super) fn mine(&self, unit: &str) -> bool {
        unit.contains(&self.prefix)
    }

    pub(super) fn bus_name(&self) -> String {
        let name = self.world.client(self.me).and_then(|client| client.bus_name().cloned());
        name.map_or_else(String::new, |name| String::from(&*name))
    }

    /// The player's own process, acting as this user.
    pub(super) fn caller(&self, uid: u32) -> Caller {
        Caller::root(self.facts.pid).as_user(uid)
    }

    fn client_of(&mut self, step: &Object) -> Result<ClientId, String> {
        if let Some(from) = step.get("from").and_then(Json::as_str) {
            let agent = self.procs.get(from).and_then(|process| process.agent);
            return agent.ok_or_else(|| format!("{from} has no connection"));
        }
        if step.get("as_uid").and_then(Json::as_u64).unwrap_or(0) == 0 {
            return Ok(self.me);
        }
        let pid = u32::try_from(self.facts.pid).ok();
        Ok(*self.user.get_or_insert_with(|| self.world.connect(1000, pid)))
    }

    fn call_step(&mut self, step: &Object) -> Result<Object, String> {
        let text = |key: &str| step.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let args = step.get("args").cloned().unwrap_or_default();
        let args = self.substitute(&args)?;
        let args = json::to_args(&text("sig"), args.as_array().map_or(&[], Vec::as_slice));
        let call = MethodCall {
            path: self.substitute(&Json::from(text("path")))?.as_str().unwrap_or_default().to_owned(),
            interface: Some(text("iface")),
            member: text("member"),
            args: args.map_err(|error| error.to_string())?,
        };
        let client = self.client_of(step)?;
        let mut out = Object::new();
        match self.call(client, call) {
            Ok(body) => {
                let values = self.normalize_reply(step, body.iter().map(json::from_value).collect());
                let reply = serde_json::json!({"sig": json::signature(&body), "values": values});
                out.insert("reply".to_owned(), reply);
            }
            Err(NoReply::Refused(refusal)) => {
                out.insert("error".to_owned(), Json::from(refusal.kind.bus_name()));
                out.insert("message".to_owned(), Json::from(refusal.message));
            }
            Err(NoReply::TimedOut) => drop(out.insert("error".to_owned(), Json::from("$timeout"))),
        }
        Ok(out)
    }

    /// Makes a call and waits for its reply.
    pub(super) fn call(&mut self, client: ClientId, call: MethodCall) -> Result<Vec<Value>, NoReply> {
        let id = self.world.call(client, call);
        self.world.advance(CALL_USEC);
        self.collect();
        let end = self.world.now().after(CALL_TIMEOUT_USEC);
        loop {
            if let Some(result) = self.replies.remove(&id) {
                return result.map_err(NoReply::Refused);
            }
            let now = self.world.now();
            let next = self.world.next_deadline().unwrap_or(end).min(end);
            if now >= end {
                return Err(NoReply::TimedOut);
            }
            self.world.advance(next.0.saturating_sub(now.0).max(1));
            self.collect();
        }
    }

    /// A call of the manager's interface by the player itself, for looking around.
    pub(super) fn ask(&mut self, member: &str, args: Vec<Value>) -> Option<Vec<Value>> {
        self.ask_object(MANAGER_PATH, MANAGER, member, args).ok()
    }

    /// The same of any object; the error's name when there is one.
    pub(super) fn ask_object(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        args: Vec<Value>,
    ) -> Result<Vec<Value>, &'static str> {
        let call = MethodCall {
            path: path.to_owned(),
            interface: Some(interface.to_owned()),
            member: member.to_owned(),
            args,
        };
        self.call(self.me, call).map_err(|error| match error {
            NoReply::Refused(refusal) => refusal.kind.bus_name(),
            NoReply::TimedOut => "$timeout",
        })
    }

    fn collect(&mut self) {
        let me = self.bus_name();
        while let Some(visible) = self.world.take_visible() {
            match visible {
                Visible::Reply { call, result } => drop(self.replies.insert(call, result)),
                Visible::Message(_) => {}
                Visible::Signal { message, audience } => match audience {
                    Audience::All => self.signals.push(message),
                    Audience::Peer(name) if *name == *me => self.signals.push(message),
                    Audience::Peer(_) | Audience::Private => {}
                },
            }
        }
    }

    /// Signals since the last time.
    pub(super) fn take_signals(&mut self) -> Vec<SignalMessage> {
        self.collect();
        std::mem::take(&mut self.signals)
    }

    /// Looks which processes have ended; like a parent that waits for its children.
    pub(super) fn poll_processes(&mut self) {
        let mut left = Vec::new();
        for process in self.procs.values_mut().filter(|process| process.status.is_none()) {
            let kernel = self.world.backend_mut().kernel_mut();
            match kernel.state(process.pid) {
                Some(State::Alive) => {}
                Some(State::Zombie(exit)) => {
                    let _ = kernel.reap(self.facts.pid, process.pid);
                    process.status = Some(describe(exit));
                    left.extend(process.agent.take());
                }
                None => process.status = Some("gone".to_owned()),
            }
        }
        left.into_iter().for_each(|client| self.world.disconnect(client));
    }

    /// The name of a live process.
    pub(super) fn pid_name(&self, pid: Pid) -> &str {
        let known = self.procs.iter().find(|(_, process)| process.pid == pid && process.status.is_none());
        known.map_or("?", |(name, _)| name)
    }

    pub(super) fn main_pid(&mut self, unit: &str) -> u64 {
        let path = super::observe::unit_path(unit);
        let args = vec![Value::str("org.freedesktop.systemd1.Service"), Value::str("MainPID")];
        let reply = self.ask_object(&path, PROPERTIES, "Get", args).unwrap_or_default();
        match reply.first() {
            Some(Value::Variant(value)) => json::from_value(value).as_u64().unwrap_or(0),
            _ => 0,
        }
    }
}

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit:{code}"),
        Exit::Signal(signal) => format!("signal:{signal}"),
    }
}
