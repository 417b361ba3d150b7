//! What of a manager its future depends on (see [`crate::canonical`]). Every field is named here, so that a new one has
//! to be thought about.

use super::{InFlight, Manager};
use crate::plan::PlanId;
use core::hash::{Hash, Hasher};

/// To be taken between two events, when all effects have been polled and all questions answered. Left out are:
///
/// * the configuration, which does not change, but for what the root hands down;
/// * the time and the numbers handed out last: what is still known by a number is hashed under it, marked as a name;
/// * the seed of invocation ids; an id matters by what bears it (a unit, its record, its directory), and is a name;
/// * when it was started, and how many jobs there were: only shown.
impl Hash for Manager {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            config,
            now: _,
            started: _,
            graph,
            files,
            to_load,
            jobs,
            timers,
            rng: _,
            effects,
            after_replies,
            collect,
            changed,
            new_jobs,
            realize,
            in_flight,
            loose,
            installs,
            recovered,
            left: idle,
            foreign,
            waiting,
            watches,
            children,
            stored,
            early_exits,
            early_executions,
            held,
            held_seen,
            unrecorded,
            private_clients,
            subscribers,
            references,
            controlled,
            freezing,
            units_by_owner,
            failed_units,
            consequences,
            own_acts,
            environment,
            successor,
            next_plan,
            next_read: _,
            next_watch: _,
            failed_jobs: _,
            installed_jobs: _,
        } = self;
        assert!(effects.is_empty() && after_replies.is_empty(), "effects have been taken");
        assert!(waiting.is_empty(), "questions have been answered");
        (config.root_enabled, graph, files, to_load, jobs, timers).hash(state);
        (collect, changed, new_jobs, realize, in_flight, loose, installs, recovered, idle, foreign).hash(state);
        (watches, children, stored, early_exits, early_executions).hash(state);
        // For how many plans a reply is held yet, and whether this plan's turn has been.
        let left = |latest: &PlanId| (next_plan.abs_diff(latest.0), *next_plan < latest.0);
        held.len().hash(state);
        held.iter().for_each(|(job, latest)| (job, left(latest)).hash(state));
        unrecorded.len().hash(state);
        unrecorded.iter().for_each(|(call, refusal, latest)| (call, refusal, left(latest)).hash(state));
        (!held.is_empty() && held_seen.0 == *next_plan).hash(state);
        (private_clients, subscribers, references, controlled, freezing).hash(state);
        (units_by_owner, failed_units, consequences, own_acts, environment, successor).hash(state);
    }
}

/// The number of the plan is that of the report which comes for it, whichever it is.
impl Hash for InFlight {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { plan, units, installs } = self;
        (&plan.steps, units, installs).hash(state);
    }
}
