//! The manager: takes events, decides the order in which things happen, hands out effects. It owns no rule.
//!
//! Call [`Manager::handle_event`] or [`Manager::handle_timeout`], then [`Manager::poll_effect`] until it answers
//! `None`, answering each [`Effect::Read`] at once by [`Event::ReadDone`]; then ask [`Manager::poll_timeout`] how long
//! to wait.
//!
//! Four kinds of method and no others: `handle_*` (in), `poll_*` (out), and look-ups that change nothing. After each
//! event queues are drained in fixed order until none has work: units to collect, jobs to run, cgroups to realize, and
//! last the signals.

mod announce;
mod attach;
mod canonical;
mod change;
mod collect;
mod consequences;
mod control;
mod endings;
mod files;
mod fold;
mod idle;
mod install;
mod invariants;
mod jobs;
mod lifecycle;
mod load;
mod notices;
mod outdated;
mod planning;
mod process;
mod queries;
mod recover;
mod rehearse;
mod requests;
mod reread;
mod results;
mod service;
mod successor;
mod surprises;
mod transient;

use crate::client::{Client, ClientId};
use crate::config::Config;
use crate::effect::{Effect, Message, Reply, Severity};
use crate::error::Refusal;
use crate::event::{Event, ExitStatus, Question, ReadId};
use crate::exec::ExecFailure;
use crate::found::Found;
use crate::graph::Graph;
use crate::job::JobId;
use crate::jobs::JobTable;
use crate::names::{CgroupPath, UnitName};
use crate::plan::{Pin, Plan, PlanId, Step, WatchId};
use crate::realized::Realized;
use crate::request::CallId;
use crate::rng::Rng;
use crate::service::RateLimit;
use crate::time::{Instant, Now, Timestamp};
use crate::timers::Timers;
use crate::unit::UnitId;
use crate::unit_files::UnitFiles;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use consequences::Consequence;
use process::Waiting;
use successor::Successor;

/// The arbiter.
#[derive(Clone, Debug)]
pub struct Manager {
    config: Config,
    now: Now,
    started: Timestamp,
    graph: Graph,
    /// What lies in the directories for units.
    files: UnitFiles,
    /// Units that others name, still to be loaded.
    to_load: VecDeque<UnitId>,
    jobs: JobTable,
    timers: Timers,
    rng: Rng,
    effects: VecDeque<Effect>,
    /// Effects that must follow the replies of this event.
    after_replies: Vec<Effect>,
    /// Units that may have become collectable.
    collect: VecDeque<UnitId>,
    /// Units with a change to announce.
    changed: VecDeque<UnitId>,
    /// Jobs whose JobNew has not gone out.
    new_jobs: VecDeque<JobId>,
    /// Units whose cgroup has to be compared with what it should be.
    realize: BTreeSet<UnitId>,
    /// The plan that is being run, and the unit each step serves.
    in_flight: Option<InFlight>,
    /// Records of freed units that are still to be removed, and whatever else is for no unit.
    loose: Vec<Step>,
    /// Calls whose steps are among these.
    installs: Vec<install::Install>,
    /// Units of an earlier life whose cgroups have yet to be compared.
    recovered: VecDeque<UnitId>,
    /// Directories that units without a unit have: made for settings, and left when the unit was unloaded.
    left: BTreeMap<CgroupPath, Realized>,
    /// Names of which somebody else keeps a file among the transient ones.
    foreign: BTreeSet<UnitName>,
    waiting: BTreeMap<ReadId, Waiting>,
    watches: BTreeMap<WatchId, UnitId>,
    children: BTreeMap<u32, UnitId>,
    /// Descriptors that are kept, and for which service.
    stored: BTreeMap<Pin, UnitId>,
    /// Ends of processes that the plan in flight may have started.
    early_exits: Vec<(u32, ExitStatus)>,
    /// The same for children that have become their programs, or not.
    early_executions: Vec<(u32, Option<ExecFailure>)>,
    /// Replies held until processes are in place: the job, and the plan after which they go out at the latest.
    held: VecDeque<(JobId, PlanId)>,
    /// The plan after which they were looked through last: none becomes due before the next one.
    held_seen: PlanId,
    /// Replies held until what they say is on record: the call, why it is refused if it is, and the plan that sees to
    /// it at the latest.
    unrecorded: VecDeque<(CallId, Option<Refusal>, PlanId)>,
    private_clients: BTreeSet<ClientId>,
    subscribers: BTreeSet<ClientId>,
    /// Which units a client holds references to.
    references: BTreeSet<(ClientId, UnitId)>,
    /// Scopes that a bus name ends itself.
    controlled: BTreeSet<(alloc::sync::Arc<str>, UnitId)>,
    /// Freeze and thaw requests that wait for the kernel.
    freezing: BTreeMap<UnitId, CallId>,
    units_by_owner: BTreeMap<u32, u32>,
    failed_units: BTreeSet<UnitName>,
    /// What the ends of units mean for others.
    consequences: VecDeque<Consequence>,
    /// Units that were started or stopped of our own accord, and how often of late.
    own_acts: BTreeMap<UnitId, RateLimit>,
    successor: Successor,
    environment: Vec<String>,
    next_plan: u64,
    next_read: u64,
    next_watch: u64,
    /// Jobs that ended in failure since the start.
    failed_jobs: u32,
    installed_jobs: u32,
}

#[derive(Clone, Debug)]
struct InFlight {
    plan: Plan,
    units: Vec<UnitId>,
    installs: Vec<install::Install>,
}

impl Manager {
    /// An arbiter of an empty tree: the root slice and `system.slice` exist, nothing is written yet.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        Self::recover(config, now, Found::default())
    }

    /// An arbiter that goes on where an earlier one has ended, by what that has left in kernel and store. What has to
    /// be done comes out as effects.
    #[must_use]
    pub fn recover(config: Config, now: Now, mut found: Found) -> Self {
        let mut manager = Self::empty(config, now);
        manager.make_perpetual_units();
        drop(manager.take_files(core::mem::take(&mut found.unit_files)));
        manager.take_over(found);
        manager
    }

    fn empty(config: Config, now: Now) -> Self {
        let files = UnitFiles::new(config.unit_paths.files());
        let environment = config.environment.clone();
        let rng = Rng::new(config.seed);
        Self {
            config,
            now,
            started: now.into(),
            graph: Graph::default(),
            files,
            to_load: VecDeque::new(),
            jobs: JobTable::default(),
            timers: Timers::default(),
            rng,
            effects: VecDeque::new(),
            after_replies: Vec::new(),
            collect: VecDeque::new(),
            changed: VecDeque::new(),
            new_jobs: VecDeque::new(),
            realize: BTreeSet::new(),
            in_flight: None,
            loose: Vec::new(),
            installs: Vec::new(),
            recovered: VecDeque::new(),
            left: BTreeMap::new(),
            foreign: BTreeSet::new(),
            waiting: BTreeMap::new(),
            watches: BTreeMap::new(),
            children: BTreeMap::new(),
            stored: BTreeMap::new(),
            early_exits: Vec::new(),
            early_executions: Vec::new(),
            held: VecDeque::new(),
            held_seen: PlanId(0),
            unrecorded: VecDeque::new(),
            private_clients: BTreeSet::new(),
            subscribers: BTreeSet::new(),
            references: BTreeSet::new(),
            controlled: BTreeSet::new(),
            freezing: BTreeMap::new(),
            units_by_owner: BTreeMap::new(),
            failed_units: BTreeSet::new(),
            consequences: VecDeque::new(),
            own_acts: BTreeMap::new(),
            successor: Successor::default(),
            environment,
            next_plan: 0,
            next_read: 0,
            next_watch: 0,
            failed_jobs: 0,
            installed_jobs: 0,
        }
    }

    /// In: something happened.
    pub fn handle_event(&mut self, now: Now, event: Event) {
        self.now = now;
        match event {
            Event::Request { call, client, request } => self.handle_request(call, &client, request),
            Event::ClientConnected(client) => {
                self.private_clients.insert(client);
            }
            Event::ClientGone(client) => self.forget_client(client),
            Event::BusNameGone(name) => self.forget_controller(&name),
            Event::PlanDone(report) => self.fold(report),
            Event::ReadDone { id, answer } => self.resume(id, answer),
            Event::CgroupChanged { watch } => self.look_at(watch),
            Event::Executed { pid, failure } => self.child_executed(pid, failure),
            Event::Exited { pid, status } => self.child_exited(pid, status),
            Event::Notified { pid, uid, cgroup, message, descriptors } => {
                self.notified(pid, uid, cgroup.as_ref(), &message, descriptors);
            }
            Event::HungUp(pin) => self.hung_up(pin),
            Event::SuccessorWanted => self.successor_wanted(),
            Event::SuccessorChecked(unfit) => self.successor_checked(unfit),
            Event::GivingWay => self.giving_way(),
        }
        self.drain();
    }

    /// In: time passed. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        while let Some((unit, reason)) = self.timers.take_due(now.monotonic) {
            self.timed_out(unit, reason);
        }
        self.drain();
    }

    /// Out: something to do.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Out: when to call [`Manager::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Look: whom [`Manager::handle_timeout`] would see to at this time.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = UnitId> {
        self.timers.due(now)
    }

    /// Look: all units.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Look: installed jobs.
    #[must_use]
    pub fn jobs(&self) -> &JobTable {
        &self.jobs
    }

    /// Look: what it was told at start.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Look: nothing is pending: no plan in flight, nothing to realize, no job that could run.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let planned = self.in_flight.is_none() && !self.has_to_plan();
        planned && !self.jobs.any_queued() && self.waiting.is_empty()
    }

    /// Works until no queue has anything left; hands out at most one plan.
    fn drain(&mut self) {
        loop {
            self.run_jobs();
            self.plan();
            self.see_to_consequences();
            self.collect_units();
            let planned = self.in_flight.is_some() || !self.has_to_plan();
            if !self.jobs.any_queued() && self.consequences.is_empty() && planned {
                break;
            }
        }
        if !self.after_replies.is_empty() {
            self.effects.extend(self.after_replies.drain(..));
        }
        self.release_held_replies();
        self.release_recorded_replies();
        self.announce_changes();
    }

    fn reply(&mut self, call: CallId, reply: Result<Reply, Refusal>) {
        self.effects.push_back(Effect::Reply(call, reply));
    }

    fn read(&mut self, question: Question, then: Waiting) {
        self.next_read += 1;
        let id = ReadId(self.next_read);
        self.waiting.insert(id, then);
        self.effects.push_back(Effect::Read(id, question));
    }

    fn tell(&mut self, severity: Severity, unit: Option<UnitId>, text: String) {
        let unit = unit.map(|id| self.graph.unit(id).name.clone());
        self.effects.push_back(Effect::Tell(Message { severity, unit, text }));
    }

    /// Drops everything that was tied to a client's life.
    fn forget_client(&mut self, client: ClientId) {
        self.private_clients.remove(&client);
        self.subscribers.remove(&client);
        let held: Vec<UnitId> =
            self.references.range((client, UnitId::FIRST)..=(client, UnitId::LAST)).map(|r| r.1).collect();
        for unit in held {
            self.references.remove(&(client, unit));
            self.graph.unit_mut(unit).references.retain(|(holder, _)| *holder != client);
            self.queue_collect(unit);
        }
    }

    /// Whether the caller may do what root may.
    fn is_privileged(&self, client: &Client) -> bool {
        client.uid == 0 || client.uid == self.config.uid
    }
}
