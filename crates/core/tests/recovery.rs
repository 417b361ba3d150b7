//! What a new arbiter does first with what it has found.

mod support;

use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::found::{Found, FoundCgroup};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Op;
use cgarbiter_core::{Config, Effect, Manager, Outcome, Report};
use support::clocks;

fn found(path: &str, invocation: Option<&str>, populated: bool) -> FoundCgroup {
    FoundCgroup {
        path: CgroupPath::parse(path).expect("a path"),
        enabled: if invocation.is_some() { ControllerMask::MEMORY } else { ControllerMask::empty() },
        invocation: invocation.map(Into::into),
        populated,
        id: 7,
        delegated: false,
        freeze: false,
        frozen: false,
        pids: Vec::new(),
    }
}

/// The steps of all plans until there are no more, each of them well done.
fn steps(mut manager: Manager) -> Vec<Op> {
    let mut steps = Vec::new();
    while let Some(effect) = manager.poll_effect() {
        let Effect::Run(plan) = effect else { continue };
        steps.extend(plan.steps.iter().map(|step| step.op.clone()));
        let outcomes = plan.steps.iter().map(|step| match &step.op {
            Op::SubtreeControl { enable, .. } => Outcome::Controllers { enabled: *enable, refused: None },
            _ => Outcome::Done,
        });
        let report = Report { plan: plan.id, outcomes: outcomes.collect(), failed: None };
        manager.handle_event(clocks(2_000_000), cgarbiter_core::Event::PlanDone(report));
    }
    steps
}

fn disables(cgroups: Vec<FoundCgroup>) -> bool {
    let manager = Manager::recover(Config::example(), clocks(1_000_000), Found { cgroups, ..Found::default() });
    let switches_off = |op: &Op| matches!(op, Op::SubtreeControl { disable, .. } if !disable.is_empty());
    steps(manager).iter().any(switches_off)
}

#[test]
fn controllers_stay_on_for_somebody_of_whom_nothing_is_known() {
    let slice = || found("/a.slice", Some("0123456789abcdef0123456789abcdef"), true);
    assert!(disables(vec![slice()]), "nobody is left who needs them");
    assert!(!disables(vec![slice(), found("/a.slice/web.service", None, true)]));
    assert!(!disables(vec![slice(), found("/a.slice/other", None, false)]));
}
