//! What a job pulls in, and all that this pulls in: how a transaction grows (reference 03.6). Depth first, with a stack
//! of its own, which is as long as the longest chain of units: a client's chain cannot exhaust the thread's.

use super::{Key, Transaction};
use crate::atoms::Atom;
use crate::error::{Refusal, RefusalKind};
use crate::job::{JobMode, JobType};
use crate::unit::{LoadState, UnitId};
use alloc::format;
use alloc::vec::{IntoIter, Vec};

/// A job that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Want {
    key: Key,
    /// Who asks cannot do without it: its refusal is theirs.
    matters: bool,
}

impl Want {
    pub(super) fn needed(key: Key) -> Self {
        Self { key, matters: true }
    }

    /// What can never be applied to a unit is passed over by all who ask for it.
    fn hands_on(self, refusal: &Refusal) -> bool {
        self.matters && refusal.kind != RefusalKind::JobTypeNotApplicable
    }
}

/// A job that is in the transaction, and what it still has to pull in.
struct Pulling {
    want: Want,
    rest: IntoIter<Want>,
}

/// What a start pulls in, in this order: by which tie, as which job, whether it matters.
const START: [(Atom, JobType, bool); 5] = [
    (Atom::PullInStart, JobType::Start, true),
    (Atom::PullInStartIgnored, JobType::Start, false),
    (Atom::PullInVerify, JobType::VerifyActive, true),
    (Atom::PullInStop, JobType::Stop, true),
    (Atom::PullInStopIgnored, JobType::Stop, false),
];

impl Transaction<'_> {
    /// Adds a job and everything that it pulls in.
    pub(super) fn add(&mut self, want: Want, by: Option<Key>) -> Result<(), Refusal> {
        let mut stack: Vec<Pulling> = self.enter(want, by)?.into_iter().collect();
        while let Some(top) = stack.last_mut() {
            let by = top.want.key;
            let Some(want) = top.rest.next() else {
                stack.pop();
                continue;
            };
            match self.enter(want, Some(by)) {
                Ok(pulling) => stack.extend(pulling),
                Err(refusal) if want.hands_on(&refusal) => self.give_up(&mut stack, refusal)?,
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The last of the stack cannot have what it needs: it goes, and so do those that led to it, up to one that can do
    /// without.
    fn give_up(&mut self, stack: &mut Vec<Pulling>, refusal: Refusal) -> Result<(), Refusal> {
        while let Some(failed) = stack.pop() {
            self.remove(failed.want.key);
            if !failed.want.matters {
                return Ok(());
            }
        }
        Err(refusal)
    }

    /// Adds one job. If it was not there, what it pulls in is still to be added.
    fn enter(&mut self, want: Want, by: Option<Key>) -> Result<Option<Pulling>, Refusal> {
        let key @ (unit, kind) = want.key;
        self.check_load(kind, unit)?;
        let target = self.graph.unit(unit);
        if !kind.is_applicable(target) {
            return Err(Refusal::new(
                RefusalKind::JobTypeNotApplicable,
                format!("Job type {} is not applicable for unit {}.", kind.as_str(), target.name),
            ));
        }
        let is_new = !self.jobs.contains_key(&key);
        self.jobs.entry(key).or_default().subjects.extend(by);
        if let Some(by) = by {
            let subject = self.jobs.get_mut(&by).expect("the subject is in the transaction");
            subject.objects.push((key, want.matters));
        }
        if !is_new {
            return Ok(None);
        }
        self.order.push(key);
        let alone = matches!(self.mode, JobMode::IgnoreDependencies | JobMode::IgnoreRequirements);
        let wants = if alone { Vec::new() } else { self.wants_of(key) };
        Ok(Some(Pulling { want, rest: wants.into_iter() }).filter(|pulling| !pulling.rest.as_slice().is_empty()))
    }

    fn check_load(&self, kind: JobType, unit: UnitId) -> Result<(), Refusal> {
        let unit = self.graph.unit(unit);
        let name = &unit.name;
        match unit.load {
            LoadState::Loaded => Ok(()),
            LoadState::Stub => {
                Err(Refusal::new(RefusalKind::LoadFailed, format!("Unit {name} is not loaded properly.")))
            }
            _ if kind == JobType::Stop => Ok(()),
            LoadState::NotFound => Err(Refusal::new(RefusalKind::NoSuchUnit, format!("Unit {name} not found."))),
            LoadState::BadSetting => {
                Err(Refusal::new(RefusalKind::BadUnitSetting, format!("Unit {name} has a bad unit file setting.")))
            }
            LoadState::Masked => Err(Refusal::new(RefusalKind::UnitMasked, format!("Unit {name} is masked."))),
            LoadState::Error => Err(unit.load_error.as_deref().cloned().unwrap_or_else(|| {
                Refusal::new(RefusalKind::LoadFailed, format!("Unit {name} failed to load properly."))
            })),
        }
    }

    /// The jobs that a job pulls in directly.
    fn wants_of(&self, (unit, kind): Key) -> Vec<Want> {
        let mut wants = Vec::new();
        if matches!(kind, JobType::Start | JobType::Restart) {
            self.wants_of_start(unit, &mut wants);
        }
        match kind {
            JobType::Stop => self.wants_of_end(unit, Atom::PropagateStop, JobType::Stop, true, &mut wants),
            JobType::Restart => self.wants_of_end(unit, Atom::PropagateStop, JobType::TryRestart, true, &mut wants),
            JobType::Reload => self.wants_of_end(unit, Atom::PropagateReload, JobType::TryReload, false, &mut wants),
            _ => {}
        }
        wants
    }

    fn wants_of_start(&self, unit: UnitId, wants: &mut Vec<Want>) {
        if !self.graph.is_tied(unit) {
            // As most units are: they need their slice and nothing else.
            wants.extend(self.graph.unit(unit).slice.map(|slice| Want::needed((slice, JobType::Start))));
            return;
        }
        for (atom, kind, matters) in &START {
            let targets = atom.targets(self.graph, unit).into_iter();
            wants.extend(targets.map(|other| Want { key: (other, *kind), matters: *matters }));
        }
    }

    /// What a stop, restart or reload is handed on as depends on the state of who gets it.
    fn wants_of_end(&self, unit: UnitId, atom: Atom, kind: JobType, matters: bool, wants: &mut Vec<Want>) {
        for other in atom.targets(self.graph, unit) {
            let kind = kind.collapse(self.graph.unit(other).active());
            if kind != JobType::Nop {
                wants.push(Want { key: (other, kind), matters });
            }
        }
    }
}
