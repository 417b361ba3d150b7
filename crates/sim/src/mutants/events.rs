//! Mutants that meddle with what reaches the manager: requests and notices.

use super::{Mutant, OWN_CALLS};
use crate::backend::SimBackend;
use crate::kernel::CgroupId;
use cgarbiter_core::client::Client;
use cgarbiter_core::request::{JobVerb, PropertyList, Request, UnitRef};
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Event};

/// So often a service may be started: more often than services are, and yet not for ever.
const MANY_STARTS: u32 = 20;

impl Mutant {
    /// What the manager is told instead of this event.
    pub(crate) fn event(self, event: Event, backend: &SimBackend) -> Vec<Event> {
        match (self, event) {
            (Self::LooksAtEverything, event @ Event::PlanDone(_)) => {
                let all = backend.watches().into_iter().map(|watch| Event::CgroupChanged { watch });
                std::iter::once(event).chain(all).collect()
            }
            (Self::WaitsForNobody, Event::Exited { .. }) => Vec::new(),
            (Self::StopsLater, Event::Request { call, client, request }) => match started_instead(backend, &request) {
                // What is up is started at once.
                Some(start) if client.uid == 0 => {
                    let later = CallId(call.0 | OWN_CALLS);
                    let stop = Event::Request { call: later, client: client.clone(), request };
                    vec![Event::Request { call, client, request: start }, stop]
                }
                _ => vec![Event::Request { call, client, request }],
            },
            (_, Event::Request { call, mut client, request }) => {
                if self == Self::TakesAllForRoot {
                    client.uid = 0;
                }
                let also = self.also_asked(call, &client, &request, backend);
                let request = self.request(request);
                also.into_iter().chain([Event::Request { call, client, request }]).collect()
            }
            (_, event) => vec![event],
        }
    }

    /// What is asked for instead of this.
    fn request(self, request: Request) -> Request {
        match (self, request) {
            (Self::StopsNothing, Request::Job { unit, verb, mode }) => {
                let unit = match unit {
                    UnitRef::Name(name) if verb == JobVerb::Stop && name.ends_with(".scope") => {
                        UnitRef::Name("nothing.slice".into())
                    }
                    unit => unit,
                };
                Request::Job { unit, verb, mode }
            }
            (_, Request::StartTransient { name, mode, properties, auxiliary }) => {
                let properties = self.properties(&name, properties);
                let mode = if self == Self::BeginsAtOnce { "ignore-dependencies".into() } else { mode };
                Request::StartTransient { name, mode, properties, auxiliary }
            }
            (_, request) => request,
        }
    }

    /// What a unit is made with instead of this.
    fn properties(self, unit: &str, mut properties: PropertyList) -> PropertyList {
        let mut add = |name: &str, value| properties.push((name.to_owned(), value));
        match self {
            Self::NeverTires if unit.ends_with(".service") => {
                // The one kind that a oneshot may have.
                add("Restart", Value::str("on-failure"));
                add("StartLimitBurst", Value::U32(MANY_STARTS));
                for time in ["RestartUSec", "TimeoutStartUSec", "TimeoutStopUSec"] {
                    add(time, Value::U64(50_000));
                }
            }
            Self::SparesDescendants if !unit.ends_with(".slice") => add("KillMode", Value::str("process")),
            Self::ForgetsOrder => properties.retain(|(name, _)| !matches!(name.as_str(), "After" | "Before")),
            _ => {}
        }
        properties
    }

    /// What nobody has asked for, and is asked for before this.
    fn also_asked(self, call: CallId, client: &Client, request: &Request, backend: &SimBackend) -> Vec<Event> {
        let Request::SetProperties { unit: UnitRef::Name(named), runtime, properties } = request else {
            return Vec::new();
        };
        match self {
            Self::KeepsHalf if properties.len() > 1 && named.ends_with(".scope") && has_somebody(backend, named) => {
                let (unit, properties) = (UnitRef::Name(named.clone()), properties[..1].to_vec());
                let half = Request::SetProperties { unit, runtime: *runtime, properties };
                vec![Event::Request { call: CallId(call.0 | OWN_CALLS), client: client.clone(), request: half }]
            }
            Self::WritesEverything if client.uid == 0 => {
                let others = units_there(backend).into_iter().filter(|name| name != named);
                let of = |(name, number): (_, u64)| Event::Request {
                    call: CallId(call.0 | OWN_CALLS | number << 32),
                    client: client.clone(),
                    request: describe(name),
                };
                others.zip(1..).map(of).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The start of a unit with processes that is to be stopped.
fn started_instead(backend: &SimBackend, request: &Request) -> Option<Request> {
    match request {
        Request::Job { unit: UnitRef::Name(name), verb: JobVerb::Stop, mode }
            if mode == "replace" && !name.ends_with(".slice") && has_somebody(backend, name) =>
        {
            let unit = UnitRef::Name(name.clone());
            Some(Request::Job { unit, verb: JobVerb::Start, mode: mode.clone() })
        }
        _ => None,
    }
}

/// Whether a unit has processes, somewhere.
fn has_somebody(backend: &SimBackend, unit: &str) -> bool {
    let kernel = backend.kernel();
    let is_it = |id: &CgroupId| kernel.path(*id).rsplit(|byte| *byte == b'/').next() == Some(unit.as_bytes());
    kernel.below(CgroupId::ROOT).into_iter().filter(is_it).any(|id| kernel.is_populated(id))
}

/// The units that have cgroups.
fn units_there(backend: &SimBackend) -> Vec<String> {
    let kernel = backend.kernel();
    let all = kernel.below(CgroupId::ROOT).into_iter().map(|id| String::from_utf8_lossy(&kernel.path(id)).into_owned());
    let names = all.filter_map(|path| path.rsplit('/').next().map(str::to_owned));
    names.filter(|name| [".scope", ".service"].iter().any(|suffix| name.ends_with(suffix))).collect()
}

/// Has a unit described in other words, until the machine is switched off.
fn describe(unit: String) -> Request {
    let properties = vec![("Description".to_owned(), Value::str("something else"))];
    Request::SetProperties { unit: UnitRef::Name(unit), runtime: true, properties }
}
