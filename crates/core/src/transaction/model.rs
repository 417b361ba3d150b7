//! The rules of transactions once more, slow and obvious, written from the reference (03.1 to 03.9) and not from the
//! code beside it: three units, named by number. Where the reference leaves open which of several jobs goes first,
//! every choice is followed, and each of their outcomes is allowed.

use crate::error::RefusalKind;
use crate::graph::Edge;
use crate::job::{JobMode, JobType};
use crate::unit::ActiveState;
use JobType::{Nop, Reload, ReloadOrStart, Restart, Start, Stop, TryReload, TryRestart, VerifyActive};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

pub(super) type Node = usize;
pub(super) type Key = (Node, JobType);

/// The jobs of a transaction, and whose installed jobs are canceled; or why it is refused.
pub(super) type Outcome = Result<(BTreeSet<Key>, BTreeSet<Node>), &'static str>;

/// Three units.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) ties: Vec<(Node, Edge, Node)>,
    pub(super) active: [ActiveState; 3],
    pub(super) can_reload: [bool; 3],
    pub(super) is_found: [bool; 3],
    /// Installed jobs, and whether they are irreversible.
    pub(super) installed: [Option<(JobType, bool)>; 3],
}

#[derive(Clone)]
struct Link {
    by: Option<Key>,
    to: Key,
    matters: bool,
    conflicts: bool,
}

#[derive(Clone, Default)]
struct Draft {
    /// In the order in which they came.
    jobs: Vec<Key>,
    links: Vec<Link>,
}

/// 3.2
fn merge(a: JobType, b: JobType) -> Option<JobType> {
    let row = |kind| match kind {
        Start => 0,
        VerifyActive => 1,
        Stop => 2,
        Reload => 3,
        Restart => 4,
        other => panic!("{other:?} is never in a transaction"),
    };
    const NONE: Option<JobType> = None;
    let table = [
        [Some(Start), Some(Start), NONE, Some(ReloadOrStart), Some(Restart)],
        [Some(Start), Some(VerifyActive), NONE, Some(Reload), Some(Restart)],
        [NONE, NONE, Some(Stop), NONE, NONE],
        [Some(ReloadOrStart), Some(Reload), NONE, Some(Reload), Some(Restart)],
        [Some(Restart), Some(Restart), NONE, Some(Restart), Some(Restart)],
    ];
    table[row(a)][row(b)]
}

/// 3.1
fn collapse(kind: JobType, active: ActiveState) -> JobType {
    let is_up = matches!(active, ActiveState::Active | ActiveState::Reloading);
    let is_activating = active == ActiveState::Activating;
    match kind {
        ReloadOrStart if is_up => Reload,
        ReloadOrStart => Start,
        TryRestart if is_up || is_activating => Restart,
        TryReload if is_up => Reload,
        TryRestart | TryReload => Nop,
        kind => kind,
    }
}

fn is_down(active: ActiveState) -> bool {
    matches!(active, ActiveState::Inactive | ActiveState::Failed)
}

/// 3.3
fn does_nothing(kind: JobType, active: ActiveState) -> bool {
    match kind {
        Start | VerifyActive => matches!(active, ActiveState::Active | ActiveState::Reloading),
        Stop => is_down(active),
        _ => false,
    }
}

/// Jobs of a unit, its dependencies, and what they pull in: kind, matters, conflicts.
type Pull = (&'static [JobType], &'static [Edge], JobType, bool, bool);

/// 3.6 and 3.10
const PULLS: &[Pull] = &[
    (&[Start, Restart], &[Edge::Requires, Edge::BindsTo], Start, true, false),
    (&[Start, Restart], &[Edge::Wants, Edge::Upholds], Start, false, false),
    (&[Start, Restart], &[Edge::Requisite], VerifyActive, true, false),
    (&[Start, Restart], &[Edge::Conflicts], Stop, true, true),
    (&[Start, Restart], &[Edge::ConflictedBy], Stop, false, false),
    (&[Stop], ENDS, Stop, true, false),
    (&[Restart], ENDS, TryRestart, true, false),
    (&[Reload], &[Edge::PropagatesReloadTo], TryReload, false, false),
];

const ENDS: &[Edge] = &[Edge::RequiredBy, Edge::RequisiteOf, Edge::BoundBy, Edge::ConsistsOf, Edge::PropagatesStopTo];

impl World {
    fn tied(&self, node: Node, edges: &[Edge]) -> BTreeSet<Node> {
        let there = self.ties.iter().filter(|(from, edge, _)| *from == node && edges.contains(edge));
        let back = self.ties.iter().filter(|(_, edge, to)| *to == node && edges.contains(&edge.inverse()));
        there.map(|(_, _, to)| *to).chain(back.map(|(from, ..)| *from)).collect()
    }

    fn conflicts_with_installed(&self, (node, kind): Key) -> bool {
        self.installed[node].is_some_and(|(other, _)| merge(other, kind).is_none())
    }

    /// 3.6
    fn add(&self, mode: JobMode, draft: &mut Draft, link: Link) -> Result<(), &'static str> {
        let key @ (node, kind) = link.to;
        if !self.is_found[node] && kind != Stop {
            return Err("not found");
        }
        if kind == Reload && !self.can_reload[node] {
            return Err("not applicable");
        }
        draft.links.push(link);
        if draft.jobs.contains(&key) {
            return Ok(());
        }
        draft.jobs.push(key);
        if matches!(mode, JobMode::IgnoreDependencies | JobMode::IgnoreRequirements) {
            return Ok(());
        }
        for (_, edges, pulled, matters, conflicts) in PULLS.iter().filter(|row| row.0.contains(&kind)) {
            for other in self.tied(node, edges) {
                let pulled = collapse(*pulled, self.active[other]);
                if pulled == Nop {
                    continue;
                }
                let link = Link { by: Some(key), to: (other, pulled), matters: *matters, conflicts: *conflicts };
                match self.add(mode, draft, link) {
                    Err(why) if *matters && why != "not applicable" => {
                        draft.delete(key, true);
                        return Err(why);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// 3.5, isolate: all others are stopped.
    fn isolate(&self, draft: &mut Draft, anchor: Key) {
        for node in 0..3 {
            let has_job = draft.jobs.iter().any(|(other, _)| *other == node);
            let is_idle = is_down(self.active[node]) && self.installed[node].is_none();
            if !has_job && !is_idle {
                let link = Link { by: Some(anchor), to: (node, Stop), matters: true, conflicts: false };
                let _ = self.add(JobMode::Isolate, draft, link);
            }
        }
    }

    /// Every outcome that is allowed.
    pub(super) fn outcomes(&self, anchor: Key, mode: JobMode) -> Vec<Outcome> {
        let mut draft = Draft::default();
        if let Err(why) = self.add(mode, &mut draft, Link { by: None, to: anchor, matters: true, conflicts: false }) {
            return Vec::from([Err(why)]);
        }
        if mode == JobMode::Isolate {
            self.isolate(&mut draft, anchor);
        }
        let matters = draft.what_matters(anchor);
        if mode == JobMode::Fail {
            while let Some(key) = draft.jobs.iter().copied().find(|key| {
                let stops =
                    key.1 == Stop && !is_down(self.active[key.0]) && self.active[key.0] != ActiveState::Deactivating;
                !matters.contains(key) && (stops || self.conflicts_with_installed(*key))
            }) {
                draft.delete(key, true);
            }
        }
        self.drop_redundant(&mut draft, anchor);
        let mut outcomes = Vec::new();
        self.order(draft, anchor, mode, &matters, &mut outcomes);
        outcomes
    }

    /// 3.7, 3
    fn drop_redundant(&self, draft: &mut Draft, anchor: Key) {
        for node in 0..3 {
            let mut jobs = draft.jobs.iter().filter(|(other, _)| *other == node);
            let is_needed = |key: &Key| {
                *key == anchor || !does_nothing(key.1, self.active[node]) || self.conflicts_with_installed(*key)
            };
            if !jobs.any(is_needed) {
                let jobs: Vec<Key> = draft.jobs.iter().copied().filter(|(other, _)| *other == node).collect();
                jobs.into_iter().for_each(|key| draft.delete(key, false));
            }
        }
    }

    /// 3.7, 4
    fn order(&self, mut draft: Draft, anchor: Key, mode: JobMode, matters: &BTreeSet<Key>, out: &mut Vec<Outcome>) {
        if mode != JobMode::Isolate {
            draft.collect(anchor);
        }
        let cycle = self.on_cycles(&draft);
        if cycle.is_empty() {
            return self.merge_all(draft, anchor, mode, matters, out);
        }
        let does_matter = |node: &Node| matters.iter().any(|key| key.0 == *node && draft.jobs.contains(key));
        let mut droppable = cycle
            .into_iter()
            .filter(|node| draft.jobs.iter().any(|key| key.0 == *node) && !does_matter(node))
            .peekable();
        if droppable.peek().is_none() {
            out.push(Err("cyclic"));
        }
        for node in droppable {
            let mut draft = draft.clone();
            let jobs: Vec<Key> = draft.jobs.iter().copied().filter(|(other, _)| *other == node).collect();
            jobs.into_iter().for_each(|key| draft.delete(key, true));
            self.order(draft, anchor, mode, matters, out);
        }
    }

    /// 3.9: the units whose jobs wait for themselves; if there are none, those that will when restarts have stopped
    /// what they restart.
    fn on_cycles(&self, draft: &Draft) -> BTreeSet<Node> {
        let now = self.on_cycles_of(draft, |kind| kind);
        if now.is_empty() { self.on_cycles_of(draft, |kind| if kind == Restart { Start } else { kind }) } else { now }
    }

    fn on_cycles_of(&self, draft: &Draft, phase: fn(JobType) -> JobType) -> BTreeSet<Node> {
        let job = |node: Node| {
            let own = draft.jobs.iter().rev().find(|(other, _)| *other == node).map(|(_, kind)| *kind);
            own.or(self.installed[node].map(|(kind, _)| kind)).map(phase)
        };
        let stops = |kind: JobType| matches!(kind, Stop | Restart);
        let waits = |a: Node, b: Node| {
            let (Some(mine), Some(other)) = (job(a), job(b)) else { return false };
            let after = self.tied(a, &[Edge::After]).contains(&b) && !stops(mine);
            let before = self.tied(a, &[Edge::Before]).contains(&b) && stops(other);
            after || before
        };
        let mut reached = [[false; 3]; 3];
        for _ in 0..3 {
            for (a, b) in PAIRS {
                let onward = (0..3).any(|c| waits(a, c) && reached[c][b]);
                reached[a][b] |= waits(a, b) || onward;
            }
        }
        let starts = (0..3).filter(|node| draft.jobs.iter().any(|key| key.0 == *node));
        let seen: BTreeSet<Node> =
            starts.flat_map(|from| (0..3).filter(move |to| from == *to || reached[from][*to])).collect();
        seen.into_iter().filter(|node| reached[*node][*node]).collect()
    }

    /// 3.7, 5
    fn merge_all(&self, draft: Draft, anchor: Key, mode: JobMode, matters: &BTreeSet<Key>, out: &mut Vec<Outcome>) {
        let mut pairs = Vec::new();
        for (at, a) in draft.jobs.iter().enumerate() {
            let rest = draft.jobs[at + 1..].iter().filter(|b| b.0 == a.0 && merge(a.1, b.1).is_none());
            pairs.extend(rest.map(|b| (*a, *b)));
        }
        if pairs.is_empty() {
            return self.finish(draft, anchor, mode, out);
        }
        for (a, b) in pairs {
            let drop = match (matters.contains(&a), matters.contains(&b)) {
                (true, true) => {
                    out.push(Err("conflicting"));
                    continue;
                }
                (true, false) => b,
                (false, true) => a,
                (false, false) => {
                    let (stop, other) = if a.1 == Stop { (a, b) } else { (b, a) };
                    let is_conflicted = draft.links.iter().any(|link| link.to == stop && link.conflicts);
                    if is_conflicted { other } else { stop }
                }
            };
            let mut draft = draft.clone();
            draft.delete(drop, true);
            if mode != JobMode::Isolate {
                draft.collect(anchor);
            }
            self.merge_all(draft, anchor, mode, matters, out);
        }
    }

    /// 3.7, 6 to 8
    fn finish(&self, draft: Draft, anchor: Key, mode: JobMode, out: &mut Vec<Outcome>) {
        let mut merged: BTreeSet<Key> = BTreeSet::new();
        for node in 0..3 {
            let kinds = draft.jobs.iter().filter(|(other, _)| *other == node).map(|(_, kind)| *kind);
            let both = |a, b| collapse(merge(a, b).expect("no two conflict"), self.active[node]);
            let Some(kind) = kinds.reduce(both) else { continue };
            let is_needed = node == anchor.0
                || !does_nothing(kind, self.active[node])
                || self.conflicts_with_installed((node, kind));
            if is_needed {
                merged.insert((node, kind));
            }
        }
        let destroys = |key: &Key| {
            let is_kept = self.installed[key.0].is_some_and(|(_, irreversible)| irreversible) || mode == JobMode::Fail;
            is_kept && self.conflicts_with_installed(*key)
        };
        if merged.iter().any(destroys) {
            out.push(Err("destructive"));
            return;
        }
        let others = (0..3).filter(|node| self.installed[*node].is_some() && merged.iter().all(|key| key.0 != *node));
        let cancels = matches!(mode, JobMode::Isolate | JobMode::Flush);
        let canceled = others.filter(|_| cancels).collect();
        out.push(Ok((merged, canceled)));
    }
}

/// Every unit beside every unit.
const PAIRS: [(Node, Node); 9] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)];

impl Draft {
    /// Takes out a job; on request also those that cannot do without it.
    fn delete(&mut self, key: Key, with_subjects: bool) {
        self.jobs.retain(|job| *job != key);
        let needing: Vec<Key> =
            self.links.iter().filter(|link| link.to == key && link.matters).filter_map(|link| link.by).collect();
        self.links.retain(|link| link.to != key && link.by != Some(key));
        for subject in needing.into_iter().filter(|_| with_subjects) {
            if self.jobs.contains(&subject) {
                self.delete(subject, true);
            }
        }
    }

    fn what_matters(&self, anchor: Key) -> BTreeSet<Key> {
        let mut matters = BTreeSet::from([anchor]);
        loop {
            let more = self.links.iter().filter(|link| link.matters && link.by.is_some_and(|by| matters.contains(&by)));
            let more: BTreeSet<Key> = more.map(|link| link.to).filter(|to| !matters.contains(to)).collect();
            if more.is_empty() {
                return matters;
            }
            matters.extend(more);
        }
    }

    /// Takes out what nobody asks for.
    fn collect(&mut self, anchor: Key) {
        while let Some(key) =
            self.jobs.iter().copied().find(|key| *key != anchor && self.links.iter().all(|link| link.to != *key))
        {
            self.delete(key, true);
        }
    }
}

/// The word for a refusal of the code beside this.
pub(super) fn word(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NoSuchUnit => "not found",
        RefusalKind::JobTypeNotApplicable => "not applicable",
        RefusalKind::TransactionOrderIsCyclic => "cyclic",
        RefusalKind::TransactionJobsConflicting => "conflicting",
        RefusalKind::TransactionIsDestructive => "destructive",
        other => panic!("{other:?} is no refusal of a transaction"),
    }
}
