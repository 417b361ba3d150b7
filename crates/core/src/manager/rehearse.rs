//! Rehearsal: what a request would do, found out on a copy of the manager in which every step succeeds.

use super::Manager;
use crate::client::Client;
use crate::controllers::ControllerMask;
use crate::effect::{Effect, StepRow};
use crate::error::Refusal;
use crate::event::{Answer, Event, PinAnswer, Question};
use crate::plan::{Counters, Op, Outcome, Pin, Plan, Report};
use crate::request::{CallId, Request};
use crate::unit_files::UnitFile;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// More plans than any request needs.
const PLANS_MAX: usize = 64;

impl Manager {
    /// Runs the request on this copy; the steps it would take.
    ///
    /// # Errors
    /// The refusal the request would get.
    pub(super) fn rehearse(&mut self, client: &Client, request: Request) -> Result<Vec<StepRow>, Refusal> {
        let call = CallId(u64::MAX);
        let now = self.now;
        let mut steps = Vec::new();
        let mut plans = 0;
        let pids = super::requests::pids_of(&request, client);
        // A plan of the original that is under way is taken for done.
        if let Some(in_flight) = &self.in_flight {
            let report = succeed(&in_flight.plan, &self.controllers_now(&in_flight.plan));
            self.handle_event(now, Event::PlanDone(report));
            self.effects.clear();
        }
        self.handle_event(now, Event::Request { call, client: client.clone(), request });
        while let Some(effect) = self.poll_effect() {
            match effect {
                Effect::Run(plan) if plans < PLANS_MAX => {
                    plans += 1;
                    steps.extend(rows(&plan, &pids));
                    let report = succeed(&plan, &self.controllers_now(&plan));
                    self.handle_event(now, Event::PlanDone(report));
                }
                Effect::Read(id, question) => {
                    let answer = match question {
                        Question::UnitFiles(search) => Answer::UnitFiles(self.imagine_files(&search)),
                        question => imagine(question),
                    };
                    self.handle_event(now, Event::ReadDone { id, answer });
                }
                Effect::Reply(_, Err(refusal)) => return Err(refusal),
                _ => {}
            }
        }
        Ok(steps)
    }

    /// The files that were read last; those that are asked for by their path are taken to be there.
    fn imagine_files(&self, search: &[Arc<str>]) -> Vec<UnitFile> {
        let known = self.files.search();
        let asked = search.iter().filter(|path| !known.contains(path) && self.files.rank_of(path).is_none());
        self.files.iter().chain(asked.map(|path| UnitFile::text(path.clone(), "[Unit]\n"))).collect()
    }

    /// What each step's cgroup has enabled now, for the answers to `SubtreeControl`.
    fn controllers_now(&self, plan: &Plan) -> Vec<ControllerMask> {
        let enabled = |name: &str| {
            self.graph.find(name).map_or(ControllerMask::empty(), |id| self.graph.unit(id).realized.enabled)
        };
        plan.steps.iter().map(|step| enabled(step.unit.as_str())).collect()
    }
}

fn rows(plan: &Plan, pids: &[u32]) -> Vec<StepRow> {
    let text = |op: &Op| match op {
        // Rehearsed pins are the process numbers.
        Op::Attach { cgroup, pin } if pids.contains(&u32::try_from(pin.0).unwrap_or(0)) => {
            format!("attach   {} {}", cgroup.as_str().trim_start_matches('/'), pin.0)
        }
        op => op.to_string(),
    };
    let row = |step: &crate::plan::Step| StepRow {
        unit: step.unit.clone(),
        cause: step.cause.as_str(),
        step: text(&step.op),
    };
    plan.steps.iter().map(row).collect()
}

/// The report of a plan in which everything works.
fn succeed(plan: &Plan, enabled: &[ControllerMask]) -> Report {
    let outcome = |(step, enabled): (&crate::plan::Step, &ControllerMask)| match &step.op {
        Op::Mkdir { .. } => Outcome::Made { id: 1 },
        Op::Observe { .. } => Outcome::Seen { id: 1, enabled: *enabled },
        Op::SubtreeControl { enable, disable, .. } => {
            Outcome::Controllers { enabled: (*enabled | *enable) - *disable, refused: None }
        }
        Op::Attach { .. } => Outcome::Attached,
        Op::SignalAll { .. } | Op::SignalOne { .. } => Outcome::Signalled { count: 1 },
        Op::Spawn { .. } => Outcome::Spawned { pid: u32::MAX },
        Op::ReadCounters { .. } => Outcome::Counters(Counters::default()),
        _ => Outcome::Done,
    };
    Report { plan: plan.id, outcomes: plan.steps.iter().zip(enabled).map(outcome).collect(), failed: None }
}

/// An answer under which the request goes on.
fn imagine(question: Question) -> Answer {
    match question {
        Question::Pin(pids) => Answer::Processes(
            pids.into_iter().map(|pid| PinAnswer::Held { pin: Pin(u64::from(pid)), uid: 0 }).collect(),
        ),
        Question::Events(_) => Answer::Events(None),
        Question::Readings(_) => Answer::Readings(None),
        Question::Members(_) => Answer::Members(None),
        Question::CgroupOf(pid) => Answer::Cgroup { pid, cgroup: None },
        Question::CgroupOfPin(_) => Answer::Cgroup { pid: 0, cgroup: None },
        Question::Orphans(_) => Answer::Pids(Vec::new()),
        Question::PidFile(_) => Answer::Cgroup { pid: 0, cgroup: None },
        Question::BusNameOwned(_) => Answer::Flag(true),
        Question::UnitFiles(_) => Answer::UnitFiles(Vec::new()),
    }
}
