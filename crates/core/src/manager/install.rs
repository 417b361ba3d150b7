//! Requests about unit files as they are on the disk now: what state they are in, and what enabling, masking and their
//! like change. What is to be linked or removed is decided in `install.rs`; the links are steps of a plan that serve
//! no cgroup, and the call is answered when they have been taken.

use super::Manager;
use super::process::Waiting;
use super::requests::Answered;
use crate::effect::{Audience, Effect, Reply, Severity, Signal};
use crate::error::{OpError, Refusal, RefusalKind};
use crate::event::Question;
use crate::glob;
use crate::install::{self, ChangeKind, Decision, Problem};
use crate::names::{NameForm, UnitName};
use crate::plan::{Cause, OnError, Op, Outcome, Report, Step};
use crate::request::{CallId, FileVerb, Request};
use crate::unit_files::{UnitFile, UnitFiles};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::ops::Range;

/// A call whose links are being made.
#[derive(Clone, Debug)]
pub(super) struct Install {
    call: CallId,
    /// Its steps, among those of the plan that serve no unit.
    pub(super) steps: Range<usize>,
    /// What takes each of them back.
    undo: Vec<Option<Op>>,
    /// The answer when all is done.
    reply: Reply,
}

/// The answer follows from the steps.
impl Hash for Install {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { call, steps, undo, reply: _ } = self;
        (call, steps, undo).hash(state);
    }
}

impl Manager {
    /// A request about unit files begins by reading all of them anew, and those it names by their path.
    pub(super) fn ask_about_files(&mut self, call: CallId, request: Request) -> Answered {
        let mut search = self.files.search().to_vec();
        match &request {
            Request::ChangeUnitFiles { verb, files, .. } => {
                self.check_not_transient(verb, files)?;
                search.extend(files.iter().filter(|file| is_path(file)).map(|file| file.as_str().into()));
            }
            Request::UnitFileState { name } => {
                if NameForm::of(name).is_none() {
                    return Err(Refusal::new(RefusalKind::InvalidArgs, "Invalid argument"));
                }
                if self.is_transient(name) {
                    return Ok(Some(Reply::Text("transient".into())));
                }
            }
            _ => {}
        }
        self.read(Question::UnitFiles(search), Waiting::UnitFiles { call, request: Box::new(request) });
        Ok(None)
    }

    fn is_transient(&self, name: &str) -> bool {
        self.graph.find(name).is_some_and(|id| self.graph.unit(id).transient)
    }

    /// What was made by a call is not there to be enabled.
    fn check_not_transient(&self, verb: &FileVerb, files: &[String]) -> Result<(), Refusal> {
        let is_about_installing =
            matches!(verb, FileVerb::Enable | FileVerb::Reenable | FileVerb::AddDependency { .. });
        match files.iter().find(|name| is_about_installing && self.is_transient(name)) {
            Some(name) => Err(Problem::Transient(name.clone()).into()),
            None => Ok(()),
        }
    }

    /// The files are there.
    pub(super) fn files_read(&mut self, call: CallId, request: Request, files: Vec<UnitFile>) {
        let index = self.index_now(files);
        let answer = match request {
            Request::UnitFileState { name } => install::state(&index, &self.config, &name)
                .map(|state| Some(Reply::Text(state.into())))
                .map_err(|problem| problem.bare()),
            Request::UnitFiles { states, patterns } => Ok(Some(self.list_unit_files(&index, &states, &patterns))),
            Request::UnitFileLinks { name, runtime } => self.unit_file_links(index, name, runtime),
            Request::ChangeUnitFiles { verb, files, runtime, force, with_info } => {
                let decided = install::decide(index, &self.config, &verb, &files, runtime, force);
                decided.map(|decision| self.carry_out(call, decision, with_info))
            }
            other => unreachable!("{other:?} does not wait for unit files"),
        };
        match answer {
            Ok(Some(reply)) => self.reply(call, Ok(reply)),
            Ok(None) => {}
            Err(refusal) => self.reply(call, Err(refusal)),
        }
    }

    /// An index of these files, and of what is on its way to the disk.
    fn index_now(&self, files: Vec<UnitFile>) -> UnitFiles {
        let mut index = UnitFiles::new(self.files.search().to_vec());
        index.replace(files);
        self.unwritten().for_each(|op| index.follow_op(op));
        index
    }

    /// Unit files, those of transient units among them.
    fn list_unit_files(&self, index: &UnitFiles, states: &[String], patterns: &[String]) -> Reply {
        let wanted = |state: &str| states.is_empty() || states.iter().any(|s| s == state);
        let units = self.graph.iter().filter(|(_, unit)| unit.transient && wanted("transient"));
        let files = units.filter(|(_, unit)| glob::matches_any(patterns, unit.name.as_str()));
        let transient = files.filter_map(|(_, unit)| Some((unit.fragment.as_deref()?.to_string(), "transient".into())));
        let on_disk = install::list(index, &self.config);
        let on_disk = on_disk.filter(|(name, _, state)| wanted(state) && glob::matches_any(patterns, name));
        Reply::UnitFiles(transient.chain(on_disk.map(|(_, path, state)| (path.into(), state.into()))).collect())
    }

    /// The links that disabling the unit would remove.
    fn unit_file_links(&self, index: UnitFiles, name: String, runtime: bool) -> Answered {
        let decision = install::decide(index, &self.config, &FileVerb::Disable, &[name], runtime, false)?;
        let removed = decision.changes.into_iter().filter(|change| change.kind == ChangeKind::Unlink);
        Ok(Some(Reply::Texts(removed.map(|change| change.path).collect())))
    }

    /// Queues the steps; the call is answered at once if there are none.
    fn carry_out(&mut self, call: CallId, decision: Decision, with_info: bool) -> Option<Reply> {
        for problem in decision.left_out {
            let text = format!("Not enabled as a whole: {}", Refusal::from(problem).message);
            self.tell(Severity::Warning, None, text);
        }
        let carries = with_info.then_some(decision.carries);
        let reply = Reply::FileChanges { carries, changes: decision.changes };
        if decision.steps.is_empty() {
            return Some(reply);
        }
        let first = self.loose.len();
        let mut undo = Vec::with_capacity(decision.steps.len());
        for made in decision.steps {
            // A template is no unit that could be named.
            let unit = UnitName::parse(&made.name).unwrap_or_else(|_| UnitName::root_slice());
            self.loose.push(Step { unit, cause: Cause::Install, on_error: OnError::Report, op: made.op });
            undo.push(made.undo);
        }
        let steps = first..self.loose.len();
        self.installs.push(Install { call, steps, undo, reply });
        None
    }

    /// The steps of a call have been taken, or not: what was done of a call that could not be done as a whole is taken
    /// back.
    pub(super) fn installed(&mut self, install: Install, steps: &[Step], report: &Report) {
        let outcome = |index: usize| report.outcomes.get(index);
        let refused = |index: usize| match outcome(index) {
            Some(Outcome::Refused(error)) => Some(error.clone()),
            Some(_) => None,
            None => report.failed.clone(),
        };
        match install.steps.clone().find_map(refused) {
            None => {
                install.steps.for_each(|index| self.files.follow_op(&steps[index].op));
                self.effects.push_back(Effect::Emit(Signal::UnitFilesChanged, Audience::All));
                self.reply(install.call, Ok(install.reply));
            }
            Some(error) => {
                let done = |index: &usize| matches!(outcome(*index), Some(other) if !is_refusal(other));
                let undo: Vec<(usize, Op)> =
                    install.steps.zip(install.undo).filter_map(|(i, op)| Some((i, op?))).collect();
                for (index, op) in undo.into_iter().rev().filter(|(index, _)| done(index)) {
                    let unit = steps[index].unit.clone();
                    self.loose.push(Step { unit, cause: Cause::Failed, on_error: OnError::Report, op });
                }
                self.reply(install.call, Err(refusal(&error)));
            }
        }
    }
}

fn is_path(file: &str) -> bool {
    file.starts_with('/') && !file.contains("/../") && !file.ends_with('/')
}

fn is_refusal(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(_))
}

fn refusal(error: &OpError) -> Refusal {
    Refusal::new(RefusalKind::Errno(error.errno), format!("{error}"))
}
