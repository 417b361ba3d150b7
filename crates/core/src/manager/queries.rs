//! Requests that change nothing: look-ups, lists, property reads.

use super::Manager;
use super::process::Waiting;
use super::requests::{Answered, reading_failed};
use super::reread::Reread;
use crate::client::Client;
use crate::effect::{Effect, JobRow, ProcessRow, Reply, UnitRow};
use crate::error::{Refusal, RefusalKind};
use crate::event::{Member, Question, Readings};
use crate::glob;
use crate::graph::Edge;
use crate::job::{JobId, JobType};
use crate::names::{CgroupPath, UnitName, cgroup_unescape};
use crate::ordering;
use crate::plan::Pin;
use crate::request::{CallId, JobRef, Object, Request, UnitRef};
use crate::systemd1::{self, ManagerView, View};
use crate::unit::{UnitId, invocation_hex};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Bounds on the lists that a request may bring (reference 07.3).
const STATES_MAX: usize = 256;
const PATTERNS_MAX: usize = 4096;
const PATTERN_BYTES_MAX: usize = 64 << 10;
const NAMES_MAX: usize = 4096;

impl Manager {
    /// A reader's view of a unit.
    pub(super) fn view<'a>(&'a self, unit: UnitId, readings: Option<&'a Readings>) -> View<'a> {
        View { config: &self.config, graph: &self.graph, files: &self.files, unit, readings, outdated: false }
    }

    fn manager_view(&self) -> ManagerView<'_> {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        ManagerView {
            config: &self.config,
            units: count(self.graph.len()),
            failed_units: count(self.failed_units.len()),
            jobs: count(self.jobs.len()),
            installed_jobs: self.installed_jobs,
            failed_jobs: self.failed_jobs,
            environment: &self.environment,
            started: self.started,
        }
    }

    /// Answers what the other handlers leave.
    pub(super) fn query(&mut self, call: CallId, client: &Client, request: Request) -> Answered {
        match request {
            Request::GetUnit { name } => self.get_unit(&name).map(Some),
            Request::LoadUnit { name } => {
                let name = Self::parse_name(&name)?;
                let id = self.load_name(&name);
                Ok(Some(Reply::Unit(self.graph.unit(id).name.clone())))
            }
            Request::UnitByPid { pid } => self.unit_by_pid(call, client, pid),
            Request::UnitByPidFd { pin } => self.unit_by_pin(call, pin),
            Request::UnitByControlGroup { path } => self.unit_by_control_group(&path).map(Some),
            Request::UnitByInvocationId { id } => self.unit_by_invocation(&id).map(Some),
            Request::UnitFileState { .. } | Request::UnitFiles { .. } | Request::UnitFileLinks { .. } => {
                self.ask_about_files(call, request)
            }
            Request::ListUnits { states, patterns } => self.list_units(&states, &patterns).map(Some),
            Request::ListUnitsByNames { names } if names.len() > NAMES_MAX => {
                Err(Refusal::new(RefusalKind::LimitsExceeded, "Too many names"))
            }
            Request::ListUnitsByNames { names } => Ok(Some(self.list_units_by_names(&names))),
            Request::ListJobs => Ok(Some(Reply::Jobs(self.jobs.iter().filter_map(|j| self.job_row(j.id)).collect()))),
            Request::GetJob { id } => self.find_job(&JobRef::Id(id)).map(|id| Some(Reply::Job(id.0))),
            Request::JobNeighbours { job, after } => self.job_neighbours(&job, after).map(Some),
            Request::Processes { unit } => self.processes(call, &unit),
            Request::Get { object, interface, property } => self.get(call, object, interface, Some(property)),
            Request::GetAll { object, interface } => self.get(call, object, interface, None),
            Request::Set { object, interface, property, .. } => Err(self.refuse_set(&object, &interface, &property)),
            Request::Introspect { path } => self.introspect(&path).map(Some),
            Request::Dump { patterns } => Ok(Some(Reply::Text(self.dump(&patterns)))),
            other => unreachable!("{other:?} is handled elsewhere"),
        }
    }

    fn get_unit(&self, name: &str) -> Result<Reply, Refusal> {
        match self.find(name) {
            Some(id) => Ok(Reply::Unit(self.graph.unit(id).name.clone())),
            None => Err(Refusal::new(RefusalKind::NoSuchUnit, format!("Unit {name} not loaded."))),
        }
    }

    fn unit_by_pid(&mut self, call: CallId, client: &Client, pid: u32) -> Answered {
        let pid = if pid == 0 { client.pid.unwrap_or(0) } else { pid };
        if pid == 0 || i32::try_from(pid).is_err() {
            return Err(Refusal::new(RefusalKind::InvalidArgs, format!("Invalid PID {pid}")));
        }
        self.ask_cgroup_of(pid, Waiting::UnitOfPid { call, with_invocation: false });
        Ok(None)
    }

    fn unit_by_pin(&mut self, call: CallId, pin: Option<Pin>) -> Answered {
        let Some(pin) = pin else {
            return Err(Refusal::new(RefusalKind::InvalidArgs, "Not a descriptor of a live process"));
        };
        self.read(Question::CgroupOfPin(pin), Waiting::UnitOfPid { call, with_invocation: true });
        Ok(None)
    }

    pub(super) fn answer_unit_of_pid(
        &mut self,
        call: CallId,
        with_invocation: bool,
        pid: u32,
        cgroup: Option<&CgroupPath>,
    ) {
        let unit = cgroup.and_then(|cgroup| self.unit_of_cgroup(cgroup));
        let reply = match unit.map(|id| self.graph.unit(id)) {
            Some(unit) if with_invocation => {
                Ok(Reply::UnitOfPid { unit: unit.name.clone(), invocation_id: unit.invocation_id })
            }
            Some(unit) => Ok(Reply::Unit(unit.name.clone())),
            None => {
                let text = format!("PID {pid} does not belong to any loaded unit.");
                Err(Refusal::new(RefusalKind::NoUnitForPid, text))
            }
        };
        self.reply(call, reply);
    }

    /// The unit whose cgroup this is, or that of the nearest cgroup above; never the root slice.
    pub(super) fn unit_of_cgroup(&self, cgroup: &CgroupPath) -> Option<UnitId> {
        let mut path = cgroup.clone();
        loop {
            let name = cgroup_unescape(path.components().next_back()?).to_string();
            let found = self.graph.find(&name).filter(|id| self.graph.unit(*id).realized.path.as_ref() == Some(&path));
            if found.is_some() {
                return found;
            }
            path = path.parent()?;
        }
    }

    fn unit_by_control_group(&self, path: &str) -> Result<Reply, Refusal> {
        let invalid = |what| {
            let text = format!("Control group path is not {what}: {path}");
            Err(Refusal::new(RefusalKind::InvalidArgs, text))
        };
        if !path.starts_with('/') {
            return invalid("absolute");
        }
        let trimmed = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let Some(cgroup) = CgroupPath::parse(trimmed) else { return invalid("normalized") };
        let below = cgroup.as_str().strip_prefix(self.config.root.as_str()).and_then(CgroupPath::parse);
        let unit = below.as_ref().and_then(|cgroup| match cgroup.is_root() {
            true => self.graph.find("-.slice"),
            false => self.unit_of_cgroup(cgroup),
        });
        match unit {
            Some(id) => Ok(Reply::Unit(self.graph.unit(id).name.clone())),
            None => {
                let text = format!("Control group '{path}' is not valid or not managed by this instance");
                Err(Refusal::new(RefusalKind::NoSuchUnit, text))
            }
        }
    }

    fn unit_by_invocation(&self, id: &[u8]) -> Result<Reply, Refusal> {
        let id: [u8; 16] =
            id.try_into().map_err(|_| Refusal::new(RefusalKind::InvalidArgs, "Invalid invocation ID"))?;
        match self.graph.find_invocation(&id) {
            Some(_) => Ok(Reply::UnitByInvocation(id)),
            None => {
                let text = format!("No unit with the specified invocation ID {} known.", invocation_hex(&id));
                Err(Refusal::new(RefusalKind::NoUnitForInvocationId, text))
            }
        }
    }

    fn list_units(&self, states: &[String], patterns: &[String]) -> Result<Reply, Refusal> {
        let bytes: usize = patterns.iter().map(String::len).sum();
        if states.len() > STATES_MAX || patterns.len() > PATTERNS_MAX || bytes > PATTERN_BYTES_MAX {
            return Err(Refusal::new(RefusalKind::LimitsExceeded, "Too many states or patterns"));
        }
        let mut rows = Vec::with_capacity(if patterns.is_empty() { self.graph.len() } else { 0 });
        for (id, unit) in self.graph.iter() {
            let words = [unit.load.as_str(), unit.active().as_str(), unit.state.sub()];
            let by_state = states.is_empty() || states.iter().any(|state| words.contains(&state.as_str()));
            if by_state && glob::matches_any(patterns, unit.name.as_str()) {
                rows.push(self.unit_row(id));
            }
        }
        Ok(Reply::Units(rows))
    }

    /// Loads each valid name, as systemd does; invalid ones are left out.
    fn list_units_by_names(&mut self, names: &[String]) -> Reply {
        let valid = names.iter().filter_map(|name| UnitName::parse(name).ok());
        let ids: Vec<UnitId> = valid.map(|name| self.load_name(&name)).collect();
        Reply::Units(ids.into_iter().map(|id| self.unit_row(id)).collect())
    }

    fn unit_row(&self, id: UnitId) -> UnitRow {
        let unit = self.graph.unit(id);
        let job = unit.job.and_then(|job| self.jobs.get(job)).map(|job| (job.id.0, job.kind.as_str()));
        UnitRow {
            name: unit.name.clone(),
            description: unit.description(),
            load: unit.load.as_str(),
            active: unit.active().as_str(),
            sub: unit.state.sub(),
            job,
        }
    }

    pub(super) fn job_row(&self, id: JobId) -> Option<JobRow> {
        let job = self.jobs.get(id)?;
        let unit = self.graph.unit(job.unit).name.clone();
        Some(JobRow { id: id.0, unit, kind: job.kind.as_str(), state: job.state() })
    }

    /// A row for a job that was over at once.
    pub(super) fn ended_job_row(&self, id: JobId, unit: UnitId, kind: JobType) -> JobRow {
        JobRow { id: id.0, unit: self.graph.unit(unit).name.clone(), kind: kind.as_str(), state: "waiting" }
    }

    /// Jobs that wait for this one (`after`), or that it waits for.
    fn job_neighbours(&self, job: &JobRef, after: bool) -> Result<Reply, Refusal> {
        let id = self.find_job(job)?;
        let job = self.jobs.get(id).expect("it has just been found");
        let (unit, kind) = (job.unit, job.kind);
        let comes_after = |other: UnitId| {
            self.graph.edges(unit, Edge::After).any(|u| u == other) || self.graph.unit(unit).slice == Some(other)
        };
        let comes_before = |other: UnitId| {
            self.graph.edges(unit, Edge::Before).any(|u| u == other) || self.graph.unit(other).slice == Some(unit)
        };
        let waits_for = |other: UnitId, other_kind: JobType| {
            (comes_after(other) && ordering::waits_for_predecessor(kind, other_kind))
                || (comes_before(other) && ordering::waits_for_successor(kind, other_kind))
        };
        let waited_by = |other: UnitId, other_kind: JobType| {
            (comes_after(other) && ordering::waits_for_successor(other_kind, kind))
                || (comes_before(other) && ordering::waits_for_predecessor(other_kind, kind))
        };
        let rows = self.jobs.iter().filter(|other| other.id != id).filter(|other| match after {
            true => waited_by(other.unit, other.kind),
            false => waits_for(other.unit, other.kind),
        });
        Ok(Reply::Jobs(rows.filter_map(|other| self.job_row(other.id)).collect()))
    }

    fn processes(&mut self, call: CallId, unit: &UnitRef) -> Answered {
        let id = self.find_loaded(unit)?;
        let realized = &self.graph.unit(id).realized;
        let Some(cgroup) = realized.path.clone().filter(|_| realized.is_used()) else {
            return Ok(Some(Reply::Processes(Vec::new())));
        };
        self.read(Question::Members(cgroup), Waiting::Processes { call, unit: id });
        Ok(None)
    }

    pub(super) fn answer_processes(&mut self, call: CallId, unit: UnitId, members: Vec<Member>) {
        let _ = unit;
        let root = &self.config.root;
        let row = |member: Member| {
            let path = format!("{root}{}", member.cgroup.as_str());
            let cgroup = if path.is_empty() { String::from("/") } else { path };
            ProcessRow { cgroup, pid: member.pid, command: member.command }
        };
        let rows = members.into_iter().map(row).collect();
        self.reply(call, Ok(Reply::Processes(rows)));
    }

    fn get(&mut self, call: CallId, object: Object, interface: String, name: Option<String>) -> Answered {
        match &object {
            Object::Unit(unit) => {
                let id = self.find_or_load(unit)?;
                self.get_unit_property(call, interface, name, id)
            }
            Object::Manager => self.manager_value(&interface, name.as_deref()).map(Some),
            Object::LogControl => {
                let view = self.manager_view();
                match &name {
                    Some(name) => systemd1::log_property(&view, &interface, name).map(Reply::Value).map(Some),
                    None => systemd1::log_properties(&view, &interface).map(Reply::Properties).map(Some),
                }
            }
            Object::Job(job) => {
                let row = self.job_row(self.find_job(job)?).expect("it has just been found");
                match &name {
                    Some(name) => systemd1::job_property(&row, &interface, name).map(Reply::Value).map(Some),
                    None => systemd1::job_properties(&row, &interface).map(Reply::Properties).map(Some),
                }
            }
        }
    }

    /// Asks the kernel if a property needs what it says, and answers otherwise.
    pub(super) fn get_with_readings(
        &mut self,
        call: CallId,
        interface: String,
        name: Option<String>,
        id: UnitId,
        outdated: bool,
    ) -> Answered {
        let realized = &self.graph.unit(id).realized;
        let needs = realized.is_used() && systemd1::needs_readings(&interface, name.as_deref());
        match realized.path.clone().filter(|_| needs) {
            Some(cgroup) => {
                self.read(Question::Readings(cgroup), Waiting::Property { call, interface, name, unit: id, outdated });
                Ok(None)
            }
            None => self.unit_value(id, &interface, name.as_deref(), None, outdated).map(Some),
        }
    }

    pub(super) fn unit_value(
        &self,
        id: UnitId,
        interface: &str,
        name: Option<&str>,
        readings: Option<&Readings>,
        outdated: bool,
    ) -> Result<Reply, Refusal> {
        let view = View { outdated, ..self.view(id, readings) };
        match name {
            Some(name) => systemd1::unit_property(&view, interface, name).map(Reply::Value),
            None => systemd1::unit_properties(&view, interface).map(Reply::Properties),
        }
    }

    fn manager_value(&self, interface: &str, name: Option<&str>) -> Result<Reply, Refusal> {
        let view = self.manager_view();
        match name {
            Some(name) => systemd1::manager_property(&view, interface, name).map(Reply::Value),
            None => systemd1::manager_properties(&view, interface).map(Reply::Properties),
        }
    }

    fn refuse_set(&mut self, object: &Object, interface: &str, name: &str) -> Refusal {
        match object {
            Object::Manager => systemd1::refuse_manager_set(interface, name),
            Object::LogControl => systemd1::refuse_log_set(interface, name),
            Object::Job(_) => systemd1::refuse_job_set(interface, name),
            Object::Unit(unit) => match self.find_or_load(unit) {
                Ok(id) => systemd1::refuse_unit_set(&self.view(id, None), interface, name),
                Err(refusal) => refusal,
            },
        }
    }

    fn introspect(&mut self, path: &str) -> Result<Reply, Refusal> {
        let units = self.graph.iter().map(|(_, unit)| &unit.name);
        systemd1::introspect(path, units, self.jobs.iter().map(|job| job.id.0)).map(Reply::Text)
    }

    /// The state of everything, for a person.
    fn dump(&self, patterns: &[String]) -> String {
        let mut out = String::new();
        for (id, unit) in self.graph.iter().filter(|(_, unit)| glob::matches_any(patterns, unit.name.as_str())) {
            let cgroup = self.graph.cgroup_path(id).map(|path| path.to_string()).unwrap_or_default();
            let enabled = unit.realized.enabled;
            out.push_str(&format!(
                "{}: {} {} ({}) cgroup {cgroup} {} enabled [{enabled}] own [{}] members [{}]\n",
                unit.name,
                unit.load.as_str(),
                unit.active().as_str(),
                unit.state.sub(),
                if unit.realized.exists { "realized" } else { "not realized" },
                unit.masks.own,
                unit.masks.members(),
            ));
        }
        out
    }

    /// What a request would do, found out on a copy: its first plan.
    pub(super) fn plan_only(&mut self, client: &Client, request: Request) -> Answered {
        let mut copy = self.clone();
        copy.effects.clear();
        // What came with the message is for nobody: the copy only imagines that it is used.
        let handles = super::requests::handles_of(&request);
        let steps = copy.rehearse(client, request)?;
        if !handles.is_empty() {
            self.effects.push_back(Effect::Release(handles));
        }
        Ok(Some(Reply::Steps(steps)))
    }

    /// A reading failed in a way that leaves nothing to say but that.
    pub(super) fn unanswered(&mut self, waiting: Waiting) {
        let call = match waiting {
            Waiting::Events { .. }
            | Waiting::Controller
            | Waiting::RecoveredController { .. }
            | Waiting::Orphans { .. }
            | Waiting::PidFile { .. }
            | Waiting::MainPid { .. }
            | Waiting::Records(Reread { call: None, .. }) => return,
            Waiting::Pinned { call, .. }
            | Waiting::UnitOfPid { call, .. }
            | Waiting::OwnUnit { call, .. }
            | Waiting::Property { call, .. }
            | Waiting::PropertyFiles { call, .. }
            | Waiting::Processes { call, .. }
            | Waiting::Reload { call }
            | Waiting::Records(Reread { call: Some(call), .. })
            | Waiting::UnitFiles { call, .. } => call,
        };
        self.reply(call, Err(reading_failed("The kernel could not be asked.")));
    }
}
