//! Events, steps and effects as text: one line each, for traces, golden files and reports of bugs.

use cgarbiter_core::effect::Message;
use cgarbiter_core::plan::Step;
use cgarbiter_core::systemd1;
use cgarbiter_core::{Effect, Event};

/// What reached the manager.
#[must_use]
pub fn event(event: &Event) -> String {
    match event {
        Event::Request { call, client, request } => format!("call {} uid {}: {request:?}", call.0, client.uid),
        Event::PlanDone(report) => match &report.failed {
            Some(error) => format!("plan {} stopped after {} steps: {error}", report.plan.0, report.outcomes.len()),
            None => format!("plan {} done", report.plan.0),
        },
        Event::CgroupChanged { watch } => format!("watch {} changed", watch.0),
        other => format!("{other:?}"),
    }
}

/// A step of a plan that has been done.
#[must_use]
pub fn step(step: &Step) -> String {
    format!("    {:<14} {:<24} {}", step.cause.as_str(), step.unit.to_string(), step.op)
}

/// What the manager wants done.
#[must_use]
pub fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Run(plan) => format!("  plan {} of {} steps", plan.id.0, plan.steps.len()),
        Effect::Read(id, question) => format!("    read {}: {question:?}", id.0),
        Effect::Reply(call, Ok(reply)) => format!("  reply {}: {reply:?}", call.0),
        Effect::Reply(call, Err(refusal)) => format!("  refuse {}: {} {refusal}", call.0, refusal.kind.bus_name()),
        Effect::Emit(signal, audience) => {
            let message = systemd1::encode_signal(signal.clone());
            format!("  signal {} {:?} to {audience:?}", message.member, message.body)
        }
        Effect::Release(pins) => format!("  release {pins:?}"),
        Effect::Tell(Message { severity, unit, text }) => {
            let about = unit.as_ref().map_or_else(String::new, |unit| format!("{unit}: "));
            format!("  tell {severity:?} {about}{text}")
        }
        Effect::CheckSuccessor => "  check-successor".to_owned(),
        Effect::Reexecute => "  reexecute".to_owned(),
    }
}
