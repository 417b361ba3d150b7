//! The door for requests: who may ask, which facts are needed first, who answers.

use super::Manager;
use super::process::Waiting;
use crate::client::Client;
use crate::effect::Reply;
use crate::error::{Refusal, RefusalKind};
use crate::event::Question;
use crate::job::{JobMode, JobType};
use crate::names::CgroupPath;
use crate::plan::Pin;
use crate::policy::{self, Privilege};
use crate::request::{CallId, JobVerb, Object, Request, UnitRef};
use crate::value::Value;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a handler has to say: a reply now, or one that comes later.
pub(super) type Answered = Result<Option<Reply>, Refusal>;

impl Manager {
    /// A request has come: it gets exactly one reply, now or later.
    pub(super) fn handle_request(&mut self, call: CallId, client: &Client, mut request: Request) {
        let privilege = if self.is_privileged(client) { Privilege::Full } else { Privilege::None };
        if let Err(refusal) = policy::check(privilege, &request) {
            let earlier = self.check_before_privilege(&request);
            self.reply(call, Err(earlier.err().unwrap_or(refusal)));
            return;
        }
        if own_unit_of(&mut request) {
            self.ask_own_unit(call, client, request);
            return;
        }
        let pids = pids_of(&request, client);
        if pids.is_empty() {
            self.execute(call, client, request);
        } else {
            let waiting = Waiting::Pinned { call, client: client.clone(), request: Box::new(request) };
            self.read(Question::Pin(pids), waiting);
        }
    }

    /// What systemd finds out before it asks who is asking: whether the unit is there (loading it if the method does
    /// that) and whether the job mode is one.
    fn check_before_privilege(&mut self, request: &Request) -> Result<(), Refusal> {
        match request {
            Request::StartTransient { mode, .. } => parse_mode(mode, "Job mode {} is invalid.").map(drop),
            Request::Job { unit, mode, .. } | Request::EnqueueJob { unit, mode, .. } => {
                self.find_or_load(unit)?;
                parse_mode(mode, "Job mode {} invalid").map(drop)
            }
            Request::SetProperties { unit, .. } | Request::Ref { unit } => {
                let id = self.find_or_load(unit)?;
                self.check_is_loaded(unit, id)
            }
            Request::Kill { unit, .. }
            | Request::Freeze { unit }
            | Request::Thaw { unit }
            | Request::ResetFailed { unit }
            | Request::Abandon { unit } => self.find_loaded(unit).map(drop),
            _ => Ok(()),
        }
    }

    /// Carries out a request for which all facts are there, and replies unless that has to wait.
    pub(super) fn execute(&mut self, call: CallId, client: &Client, request: Request) {
        match self.dispatch(call, client, request) {
            Ok(Some(reply)) => self.reply(call, Ok(reply)),
            Ok(None) => {}
            Err(refusal) => self.reply(call, Err(refusal)),
        }
    }

    fn dispatch(&mut self, call: CallId, client: &Client, request: Request) -> Answered {
        match request {
            Request::StartTransient { name, mode, properties, auxiliary } => {
                self.start_transient(call, client, &name, &mode, properties, auxiliary, &[])
            }
            Request::Attach { unit, subpath, .. } => self.attach(call, client, &unit, &subpath, &[]),
            Request::Job { unit, verb, mode } => self.job(client, &unit, verb, &mode),
            Request::EnqueueJob { unit, kind, mode } => self.enqueue_job(client, &unit, &kind, &mode),
            Request::Kill { unit, whom, signal } => self.kill(call, &unit, &whom, signal),
            Request::Freeze { unit } => self.freeze(call, &unit, true),
            Request::Thaw { unit } => self.freeze(call, &unit, false),
            Request::ResetFailed { unit } => self.reset_failed(call, &unit),
            Request::ResetFailedAll => self.reset_failed_all(call),
            Request::SetProperties { unit, runtime, properties } => {
                self.set_properties(call, client, &unit, runtime, properties)
            }
            Request::Ref { unit } => self.reference(client, &unit),
            Request::Unref { unit } => self.unreference(client, &unit),
            Request::Abandon { unit } => self.abandon(call, &unit),
            Request::CancelJob { job } => self.cancel_job(client, &job),
            Request::ClearJobs => self.clear_jobs(),
            Request::Subscribe => self.subscribe(client),
            Request::Unsubscribe => self.unsubscribe(client),
            Request::Reload => {
                self.ask_for_files(call);
                Ok(None)
            }
            request @ Request::ChangeUnitFiles { .. } => self.ask_about_files(call, request),
            Request::Reexecute => self.reexecute(call),
            Request::SetEnvironment { unset, set } => self.set_environment(&unset, set),
            Request::NotServed(refusal) => Err(refusal),
            Request::Plan(request) => self.plan_only(client, *request),
            request => self.query(call, client, request),
        }
    }

    fn job(&mut self, client: &Client, unit: &UnitRef, verb: JobVerb, mode: &str) -> Answered {
        let id = self.find_or_load(unit)?;
        let mode = parse_mode(mode, "Job mode {} invalid")?;
        let can_reload = self.graph.unit(id).can_reload();
        let job = self.enqueue(id, JobType::of_verb(verb, can_reload), mode, client)?;
        Ok(Some(Reply::Job(job.0)))
    }

    fn enqueue_job(&mut self, client: &Client, unit: &UnitRef, kind: &str, mode: &str) -> Answered {
        let invalid = || Refusal::new(RefusalKind::InvalidArgs, format!("Job type {kind} invalid"));
        let kind = match kind {
            "reload-or-restart" => Err(JobVerb::ReloadOrRestart),
            "reload-or-try-restart" => Err(JobVerb::ReloadOrTryRestart),
            word => Ok(JobType::parse(word).ok_or_else(invalid)?),
        };
        let mode = parse_mode(mode, "Job mode {} invalid")?;
        let id = self.find_or_load(unit)?;
        let can_reload = self.graph.unit(id).can_reload();
        let kind = kind.unwrap_or_else(|verb| JobType::of_verb(verb, can_reload));
        let kind_now = kind.collapse(self.graph.unit(id).active());
        let before: BTreeSet<_> = self.jobs.iter().map(|job| job.id).collect();
        let anchor = self.enqueue(id, kind, mode, client)?;
        let affected = self.jobs.iter().filter(|job| job.id != anchor && !before.contains(&job.id)).map(|job| job.id);
        let affected: Vec<_> = affected.collect();
        let row = |id| self.job_row(id);
        let job = row(anchor).unwrap_or_else(|| self.ended_job_row(anchor, id, kind_now));
        Ok(Some(Reply::EnqueuedJob { job, affected: affected.into_iter().filter_map(row).collect() }))
    }

    /// A request that means the caller's own unit: find out which that is.
    fn ask_own_unit(&mut self, call: CallId, client: &Client, request: Request) {
        match client.pid {
            Some(pid) => {
                let waiting = Waiting::OwnUnit { call, client: client.clone(), request: Box::new(request) };
                self.ask_cgroup_of(pid, waiting);
            }
            None => self.reply(call, Err(no_own_unit())),
        }
    }

    /// The caller's cgroup is known: put the unit's name where "my own" stood.
    pub(super) fn with_own_unit(
        &mut self,
        call: CallId,
        client: &Client,
        mut request: Request,
        cgroup: Option<&CgroupPath>,
    ) {
        let unit = cgroup.and_then(|cgroup| self.unit_of_cgroup(cgroup));
        let Some(unit) = unit else {
            self.reply(call, Err(no_own_unit()));
            return;
        };
        let name = self.graph.unit(unit).name.to_string();
        match &mut request {
            Request::GetUnit { name: slot } | Request::LoadUnit { name: slot } => *slot = name,
            Request::UnitByInvocationId { id } => {
                *id = self.graph.unit(unit).invocation_id.map(Vec::from).unwrap_or_else(|| Vec::from([1]));
            }
            other => {
                if let Some(slot) = unit_slot(other) {
                    *slot = UnitRef::Name(name);
                }
            }
        }
        let pids = pids_of(&request, client);
        if pids.is_empty() {
            self.execute(call, client, request);
        } else {
            let waiting = Waiting::Pinned { call, client: client.clone(), request: Box::new(request) };
            self.read(Question::Pin(pids), waiting);
        }
    }
}

/// Parses a job mode; the text differs between methods.
///
/// # Errors
/// `InvalidArgs`.
pub(super) fn parse_mode(mode: &str, text: &str) -> Result<JobMode, Refusal> {
    JobMode::parse(mode).ok_or_else(|| Refusal::new(RefusalKind::InvalidArgs, text.replace("{}", mode)))
}

fn no_own_unit() -> Refusal {
    Refusal::new(RefusalKind::NoSuchUnit, "Client not member of any unit.")
}

/// Whether the request speaks of the caller's own unit.
fn own_unit_of(request: &mut Request) -> bool {
    let is_own = |unit: &UnitRef| match unit {
        UnitRef::Name(name) => name.is_empty(),
        UnitRef::Object(label) => label == "self",
    };
    match request {
        Request::GetUnit { name } | Request::LoadUnit { name } => name.is_empty(),
        Request::UnitByInvocationId { id } => id.is_empty() || id.len() == 16 && id.iter().all(|byte| *byte == 0),
        // These verbs take no name for the caller's own unit.
        Request::Job { unit: UnitRef::Name(_), .. } | Request::EnqueueJob { unit: UnitRef::Name(_), .. } => false,
        _ => unit_slot(request).is_some_and(|unit| is_own(unit)),
    }
}

/// The place in a request where the unit is named.
fn unit_slot(request: &mut Request) -> Option<&mut UnitRef> {
    match request {
        Request::Job { unit, .. }
        | Request::EnqueueJob { unit, .. }
        | Request::Kill { unit, .. }
        | Request::Freeze { unit }
        | Request::Thaw { unit }
        | Request::ResetFailed { unit }
        | Request::SetProperties { unit, .. }
        | Request::Ref { unit }
        | Request::Unref { unit }
        | Request::Abandon { unit }
        | Request::Attach { unit, .. }
        | Request::Processes { unit }
        | Request::Get { object: Object::Unit(unit), .. }
        | Request::GetAll { object: Object::Unit(unit), .. }
        | Request::Set { object: Object::Unit(unit), .. } => Some(unit),
        _ => None,
    }
}

/// The processes that a request names by number and that have to be pinned before it is looked at; 0 is the caller.
pub(super) fn pids_of(request: &Request, client: &Client) -> Vec<u32> {
    let resolve = |pid: u32| if pid == 0 { client.pid.unwrap_or(0) } else { pid };
    let mut pids: Vec<u32> = match request {
        Request::StartTransient { properties, auxiliary, .. } => {
            let lists = core::iter::once(properties).chain(auxiliary.iter().map(|(_, properties)| properties));
            let values = lists.flatten().filter(|(name, _)| name == "PIDs").filter_map(|(_, value)| value.as_array());
            let pids = values.flatten().filter_map(|value| match value {
                Value::U32(pid) => Some(resolve(*pid)),
                _ => None,
            });
            pids.collect()
        }
        Request::Attach { pids, .. } => pids.iter().map(|pid| resolve(*pid)).collect(),
        _ => Vec::new(),
    };
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The descriptors that came with a request, held by the backend.
pub(super) fn handles_of(request: &Request) -> Vec<Pin> {
    fn add(value: &Value, handles: &mut Vec<Pin>) {
        match value {
            Value::Handle(handle) => handles.push(Pin(*handle)),
            Value::Variant(inner) => add(inner, handles),
            Value::Array(_, list) | Value::Struct(list) => list.iter().for_each(|value| add(value, handles)),
            _ => {}
        }
    }
    let mut handles = Vec::new();
    if let Request::StartTransient { properties, auxiliary, .. } = request {
        let lists = core::iter::once(properties).chain(auxiliary.iter().map(|(_, properties)| properties));
        lists.flatten().for_each(|(_, value)| add(value, &mut handles));
    }
    handles
}

/// Text of a request's refusal when a reading failed.
pub(super) fn reading_failed(what: &str) -> Refusal {
    Refusal::new(RefusalKind::Failed, String::from(what))
}
