//! Calls and their answers: what a request promises once it has arrived, and what of it a refusal takes back.

use super::crashed::is_drop_in;
use super::{Promise, Reference, Said, Wish, cgroup_of, limit_of};
use crate::kernel::Pid;
use cgarbiter_core::client::Client;
use cgarbiter_core::request::{JobVerb, PropertyList, Request, UnitRef};
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Refusal};
use std::collections::BTreeMap;

/// Signals of which nobody ends: none, going on, and standing still.
pub const HARMLESS: [i32; 3] = [0, 18, 19];

/// Properties by which one unit starts or stops with another.
const TIES: [&str; 6] = ["Wants", "Requires", "BindsTo", "PartOf", "Conflicts", "OnFailure"];

/// What was asked for, as far as it promises anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// The unit is to be made and started.
    Make,
    /// The unit is to be started.
    Start,
    /// The unit is to be stopped.
    Stop,
    /// Limits are to be changed.
    Set,
    /// Processes are to be moved in.
    Attach,
    /// A slice is to be stopped and started.
    Restart,
    /// Something may come to its end: kill, restart, cancel.
    Risk,
    /// Nothing is to change.
    Look,
}

/// A call that has arrived.
#[derive(Clone, Debug, Hash)]
pub struct Asked {
    /// By whom.
    pub uid: u32,
    /// About which unit, if about one.
    pub unit: Option<String>,
    /// For what.
    pub verb: Verb,
    /// What was promised before of whatever it may change, while nobody else can have changed that.
    before: Option<Box<Before>>,
    /// Moves that this call alone asks for.
    moves: Vec<(Pid, String)>,
    /// Those of them that have not been made.
    pub(super) unmade: Vec<(Pid, String)>,
    /// How the unit that is to be made is to run.
    pub(super) said: Option<Box<Said>>,
    /// What comes of it waits for nobody.
    pub(super) ignores_order: bool,
}

/// What was promised before.
#[derive(Clone, Debug, Default, Hash)]
struct Before {
    /// Of the unit itself.
    unit: Option<Promise>,
    /// What the others were to be.
    wishes: BTreeMap<String, Wish>,
    /// The unit may have been transient.
    transient: bool,
}

/// A job that a reply has named.
#[derive(Clone, Debug, Hash)]
pub(super) struct Meant {
    /// The unit that was asked about.
    pub(super) unit: String,
    pub(super) verb: Verb,
    /// Moves that are made when it is done, and have not been.
    pub(super) unmade: Vec<(Pid, String)>,
}

impl Asked {
    /// Whether this unit is to be made.
    pub(super) fn makes(&self, name: &str) -> bool {
        self.verb == Verb::Make && self.unit.as_deref() == Some(name)
    }
}

impl Reference {
    /// A call reaches the manager. To be followed by [`answered`](Self::answered) or [`accepted`](Self::accepted).
    pub fn arrives(&mut self, call: CallId, client: &Client, request: &Request) {
        let verb = verb_of(request);
        let unit = unit_of(request).map(str::to_owned);
        let before = Some(Box::new(self.before(unit.as_deref())));
        if matches!(request, Request::Reload) {
            self.files_are_read();
        }
        let said = Self::said_by(request);
        let (moves, unmade) = Default::default();
        let ignores_order = mode_of(request) == Some("ignore-dependencies");
        let mut asked = Asked { uid: client.uid, unit, verb, before, moves, unmade, said, ignores_order };
        match (verb, &asked.unit) {
            (Verb::Make, Some(name)) => asked.moves = self.promise_unit(name, client, request),
            (Verb::Set, Some(name)) => self.promise_limits(call, name, request),
            (Verb::Attach, Some(name)) => asked.moves = self.promise_moves(name, client, request),
            (Verb::Start, Some(name)) => {
                self.pull_up(name);
                self.release_tied(name);
                // A scope lives by its processes, whoever asks for it to be started once more.
                if name.ends_with(".slice") {
                    self.wish(name, Wish::Up { kept: false });
                } else if matches!(self.unit(name), Some(Promise { wish: Wish::Down { .. }, .. })) {
                    self.wish(name, Wish::Either);
                }
            }
            (Verb::Stop, Some(name)) => {
                self.release(name);
                self.wish(name, Wish::Down { kept: false });
            }
            (Verb::Restart, Some(name)) => {
                self.pull_up(name);
                self.release(name);
                self.wish(name, Wish::Up { kept: false });
            }
            (Verb::Risk, Some(name)) => {
                // A restart also starts.
                self.pull_up(name);
                self.release(name);
            }
            // Jobs of anybody may be gone.
            (Verb::Risk, None) => self.release_unkept(),
            _ => {}
        }
        asked.unmade.clone_from(&asked.moves);
        self.asked.insert(call, asked);
    }

    /// The call was not refused at once: what it asks for is what is wanted now.
    pub fn accepted(&mut self, call: CallId) {
        if let Some(asked) = self.asked.get_mut(&call) {
            asked.before = None;
        }
    }

    /// A call is answered; whether it was still to be.
    pub fn answered(&mut self, call: CallId, result: &Result<Vec<Value>, Refusal>) -> bool {
        let Some(asked) = self.asked.remove(&call) else { return false };
        if let (Ok(body), true) = (result, asked.ignores_order) {
            self.unordered.extend(job_of(body));
        }
        match (result, asked.unit) {
            (Ok(body), Some(name)) => {
                if let (Some(job), Verb::Make | Verb::Start | Verb::Stop | Verb::Restart) = (job_of(body), asked.verb) {
                    self.jobs.insert(job, Meant { unit: name.clone(), verb: asked.verb, unmade: asked.unmade });
                }
                self.say(&name, asked.said);
                self.keep_limits(call, &name, true);
                self.keep_settings(call, &name, true);
            }
            (Err(_), Some(name)) => {
                asked.moves.iter().for_each(|wanted| self.unwant(wanted));
                self.keep_limits(call, &name, false);
                self.keep_settings(call, &name, false);
                self.restore(Some(&name), asked.before);
            }
            (Err(_), None) => self.restore(None, asked.before),
            (Ok(_), None) => {}
        }
        true
    }

    fn before(&self, unit: Option<&str>) -> Before {
        Before {
            unit: unit.and_then(|name| self.units.get(name).cloned()),
            wishes: self.units.iter().map(|(name, promise)| (name.clone(), promise.wish)).collect(),
            transient: unit.is_some_and(|name| self.transient.contains(name)),
        }
    }

    /// Nothing comes of what was refused at once, neither for the unit nor for those below.
    fn restore(&mut self, unit: Option<&str>, before: Option<Box<Before>>) {
        let Some(before) = before else { return };
        for (name, wish) in before.wishes {
            self.units.entry(name).and_modify(|promise| promise.wish = wish);
        }
        let Some(name) = unit else { return };
        if !before.transient {
            self.transient.remove(name);
        }
        match before.unit {
            Some(promise) => drop(self.units.insert(name.to_owned(), promise)),
            None => drop(self.units.remove(name)),
        }
    }

    /// A job has ended in this way.
    pub fn job_removed(&mut self, job: u32, unit: &str, result: &str) {
        self.unordered.remove(&job);
        let meant = self.jobs.remove(&job);
        // The caller believes what the reply to its call means.
        let unit = meant.as_ref().map_or(unit, |meant| meant.unit.as_str());
        let Some(promise) = self.units.get_mut(unit) else { return };
        let done = result == "done";
        let verb = meant.as_ref().map(|meant| meant.verb);
        if !done && verb == Some(Verb::Make) {
            // It has what it had before, or is not there any more.
            promise.limits.clear();
        }
        promise.wish = match (verb, promise.wish) {
            (Some(Verb::Make | Verb::Start | Verb::Restart), Wish::Up { kept: false }) if done => {
                Wish::Up { kept: true }
            }
            (Some(Verb::Stop), Wish::Down { kept: false }) if done => Wish::Down { kept: true },
            (None, wish @ (Wish::Up { kept: true } | Wish::Down { kept: true })) => wish,
            _ => Wish::Either,
        };
    }

    /// Look: was this job of the unit asked for without regard to any order?
    #[must_use]
    pub fn ignores_order(&self, job: u32, unit: &str) -> bool {
        let is_asked = |asked: &Asked| asked.ignores_order && asked.unit.as_deref() == Some(unit);
        self.unordered.contains(&job) || self.asked.values().any(is_asked)
    }

    /// Look: was this job asked for as a stop?
    #[must_use]
    pub fn is_stop(&self, job: u32) -> bool {
        self.jobs.get(&job).is_some_and(|meant| meant.verb == Verb::Stop)
    }

    /// A unit is no longer known.
    pub fn unit_removed(&mut self, unit: &str) {
        // One that is being made again keeps its new promise.
        self.said.remove(unit);
        if self.asked.values().any(|asked| asked.makes(unit)) {
            return;
        }
        self.transient.remove(unit);
        self.untie(unit);
        if let Some(promise) = self.units.remove(unit) {
            self.wanted.retain(|(_, cgroup), _| *cgroup != promise.cgroup);
        }
    }

    fn wish(&mut self, name: &str, wish: Wish) {
        let is_tied = self.is_tied_loosely(name);
        let is_at_risk = self.is_at_risk(name) || is_tied;
        if let Some(promise) = self.units.get_mut(name) {
            let is_down = matches!(wish, Wish::Down { .. });
            let is_safe = if is_down { !is_tied } else { !is_at_risk && !promise.ends_by_itself };
            promise.wish = if is_safe { wish } else { Wish::Either };
        }
    }

    /// Somebody has asked for its end, and has not been answered.
    fn is_at_risk(&self, name: &str) -> bool {
        self.asked.values().any(|asked| asked.verb == Verb::Risk && asked.unit.as_deref() == Some(name))
    }

    /// The slices above a unit that is started are started, too.
    fn pull_up(&mut self, name: &str) {
        let is_up = |promise: &&Promise| promise.wish == Wish::Up { kept: true };
        match self.units.get(name).filter(is_up).map(|promise| promise.cgroup.clone()) {
            Some(cgroup) => self.pull_up_to(&cgroup),
            None if name.ends_with(".slice") => self.pull_up_to(&cgroup_of(name, None)),
            // Where one that is down lies is known to nobody but the arbiter.
            None => self
                .units
                .values_mut()
                .filter(|promise| matches!(promise.wish, Wish::Down { .. }))
                .for_each(|promise| promise.wish = Wish::Either),
        }
    }

    fn pull_up_to(&mut self, cgroup: &str) {
        for promise in self.units.values_mut() {
            let is_above = cgroup.strip_prefix(promise.cgroup.as_str()).is_some_and(|rest| rest.starts_with('/'));
            if is_above && matches!(promise.wish, Wish::Down { .. }) {
                promise.wish = Wish::Either;
            }
        }
    }

    fn release_unkept(&mut self) {
        let unkept = |promise: &&mut Promise| promise.wish != Wish::Up { kept: true };
        self.units.values_mut().filter(unkept).for_each(|promise| promise.wish = Wish::Either);
    }

    fn promise_unit(&mut self, name: &str, client: &Client, request: &Request) -> Vec<(Pid, String)> {
        let Request::StartTransient { properties, .. } = request else { return Vec::new() };
        self.transient.insert(name.to_owned());
        let slice = text(properties, "Slice");
        let cgroup = cgroup_of(name, slice);
        let mut limits = limits(properties);
        if !name.ends_with(".slice") {
            limits.entry("pids.max").or_insert_with(|| "2362".into());
        }
        // Its time may be up, and a program may end by itself.
        let ends_by_itself = properties.iter().any(|(name, value)| match name.as_str() {
            "RuntimeMaxUSec" => true,
            "ExecStart" => !sleeps(value),
            _ => false,
        });
        tied(properties).into_iter().for_each(|other| self.tie(name, other));
        if text(properties, "Restart").is_some_and(|when| when != "no") {
            self.restarting.insert(name.to_owned());
        }
        self.release_tied(name);
        let is_safe = !ends_by_itself && !self.is_at_risk(name) && !self.is_tied_loosely(name);
        let wish = if is_safe { Wish::Up { kept: false } } else { Wish::Either };
        let delegated = flag(properties, "Delegate") == Some(true);
        let moves = self.want(pids(properties, client), &cgroup);
        self.pull_up_to(&cgroup);
        let old = self.units.get(name).filter(|_| name.ends_with(".slice"));
        // A slice may be up already, by a member; then nothing is forgotten of what it was given.
        let mut all = old.map(|old| old.limits.clone()).unwrap_or_default();
        let mut pending = old.map(|old| old.pending.clone()).unwrap_or_default();
        pending.retain(|(_, file, _)| !limits.contains_key(file));
        all.append(&mut limits);
        // What was set before lies above what the maker says; which of several drop-ins counts is not our business.
        let may_differ = |file: &'static str| self.dropped_in.contains_key(&(name.to_owned(), file));
        all.retain(|file, _| !may_differ(file));
        pending.retain(|(_, file, _)| !may_differ(file));
        let promise = Promise { cgroup, wish, limits: all, pending, delegated, owner: client.uid, ends_by_itself };
        self.units.insert(name.to_owned(), promise);
        moves
    }

    /// Drop-ins of both kinds count in another order than that in which they came.
    pub(super) fn files_are_read(&mut self) {
        for (name, promise) in &mut self.units {
            let may_differ = |file: &'static str| {
                self.dropped_in.get(&(name.clone(), file)).is_some_and(|drop_ins| drop_ins.lasting && drop_ins.runtime)
            };
            promise.limits.retain(|file, _| !may_differ(file));
            promise.pending.retain(|(_, file, _)| !may_differ(file));
            // Drop-ins that were to be taken back count again, which was told.
            if self.left.iter().any(|file| is_drop_in(file, name)) {
                promise.limits.clear();
            }
        }
    }

    fn promise_limits(&mut self, call: CallId, name: &str, request: &Request) {
        let Request::SetProperties { properties, runtime, .. } = request else { return };
        if !runtime {
            self.promise_settings(call, name, properties);
        }
        let promise = self.units.entry(name.to_owned()).or_insert_with(|| Promise {
            cgroup: cgroup_of(name, None),
            wish: Wish::Either,
            limits: BTreeMap::new(),
            pending: Vec::new(),
            delegated: false,
            owner: 0,
            ends_by_itself: false,
        });
        let limits = limits(properties);
        for file in limits.keys() {
            let drop_ins = self.dropped_in.entry((name.to_owned(), *file)).or_default();
            drop_ins.lasting |= !runtime;
            drop_ins.runtime |= runtime;
        }
        promise.pending.extend(limits.into_iter().map(|(file, value)| (call, file, value)));
    }

    /// Answers come in the order of the calls, or the refused one does not count.
    fn keep_limits(&mut self, call: CallId, name: &str, keep: bool) {
        let Some(promise) = self.units.get_mut(name) else { return };
        let (ours, others) = std::mem::take(&mut promise.pending).into_iter().partition(|(other, ..)| *other == call);
        promise.pending = others;
        let ours: Vec<(CallId, &'static str, String)> = ours;
        if keep {
            promise.limits.extend(ours.into_iter().map(|(_, file, value)| (file, value)));
        }
    }

    fn promise_moves(&mut self, name: &str, client: &Client, request: &Request) -> Vec<(Pid, String)> {
        let Request::Attach { subpath, pids, .. } = request else { return Vec::new() };
        let Some(cgroup) = self.units.get(name).map(|promise| promise.cgroup.clone()) else { return Vec::new() };
        let cgroup = format!("{cgroup}{}", subpath.trim_end_matches('/'));
        let own = client.pid;
        let pids = pids.iter().filter_map(|pid| Pid::try_from(if *pid == 0 { own.unwrap_or(0) } else { *pid }).ok());
        self.want(pids.collect(), &cgroup)
    }
}

fn verb_of(request: &Request) -> Verb {
    match request {
        Request::StartTransient { .. } => Verb::Make,
        Request::Job { verb: JobVerb::Start, .. } => Verb::Start,
        Request::Job { verb: JobVerb::Stop, .. } => Verb::Stop,
        Request::Job { verb: JobVerb::Restart, unit: UnitRef::Name(name), .. } if name.ends_with(".slice") => {
            Verb::Restart
        }
        Request::Kill { signal, .. } if HARMLESS.contains(signal) => Verb::Look,
        Request::SetProperties { .. } => Verb::Set,
        Request::Attach { .. } => Verb::Attach,
        Request::Job { .. }
        | Request::EnqueueJob { .. }
        | Request::Kill { .. }
        | Request::CancelJob { .. }
        | Request::ClearJobs => Verb::Risk,
        _ => Verb::Look,
    }
}

fn mode_of(request: &Request) -> Option<&str> {
    match request {
        Request::StartTransient { mode, .. } | Request::Job { mode, .. } | Request::EnqueueJob { mode, .. } => {
            Some(mode)
        }
        _ => None,
    }
}

/// A program that goes on until it is ended.
fn sleeps(commands: &Value) -> bool {
    let Some([Value::Struct(parts)]) = commands.as_array() else { return false };
    let argv = parts.get(1).and_then(Value::as_array).unwrap_or_default();
    argv.last().and_then(Value::as_str).is_some_and(|last| last.ends_with("infinity"))
}

fn unit_of(request: &Request) -> Option<&str> {
    match request {
        Request::StartTransient { name, .. } => Some(name),
        Request::Job { unit, .. }
        | Request::EnqueueJob { unit, .. }
        | Request::Kill { unit, .. }
        | Request::SetProperties { unit, .. }
        | Request::Abandon { unit }
        | Request::Attach { unit, .. } => match unit {
            UnitRef::Name(name) | UnitRef::Object(name) => Some(name),
        },
        _ => None,
    }
}

/// The number of the job in a reply.
fn job_of(body: &[Value]) -> Option<u32> {
    match body {
        [Value::Path(path)] => path.rsplit('/').next()?.parse().ok(),
        [Value::U32(job), Value::Path(_), ..] => Some(*job),
        _ => None,
    }
}

fn limits(properties: &PropertyList) -> BTreeMap<&'static str, String> {
    let number = |value: &Value| if let Value::U64(number) = value { Some(*number) } else { None };
    properties.iter().filter_map(|(name, value)| limit_of(name, number(value)?)).collect()
}

pub(super) fn text<'a>(properties: &'a PropertyList, name: &str) -> Option<&'a str> {
    properties.iter().rev().find(|(other, _)| other == name).and_then(|(_, value)| value.as_str())
}

/// The units that the properties speak of, other than in what order.
fn tied(properties: &PropertyList) -> Vec<String> {
    let lists = properties.iter().filter(|(name, _)| TIES.contains(&name.as_str()));
    let names = lists.filter_map(|(_, value)| value.as_array()).flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What was said last.
pub(super) fn flag(properties: &PropertyList, name: &str) -> Option<bool> {
    let last = properties.iter().rev().find(|(other, _)| other == name);
    last.and_then(|(_, value)| if let Value::Bool(flag) = value { Some(*flag) } else { None })
}

fn pids(properties: &PropertyList, client: &Client) -> Vec<Pid> {
    let lists = properties.iter().filter(|(name, _)| name == "PIDs").filter_map(|(_, value)| value.as_array());
    let number = |value: &Value| match value {
        Value::U32(0) => client.pid.and_then(|pid| Pid::try_from(pid).ok()),
        Value::U32(pid) => Pid::try_from(*pid).ok(),
        _ => None,
    };
    lists.flatten().filter_map(number).collect()
}
