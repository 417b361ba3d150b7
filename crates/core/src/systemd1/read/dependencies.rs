//! Lists of other units (reference 03.10): what was configured, what follows from the slice tree, and what systemd adds
//! to every unit that does not refuse default dependencies. Targets are shown as systemd shows them, though nothing
//! waits for them here.

use crate::graph::Edge;
use crate::names::UnitType;
use crate::systemd1::read::View;
use crate::systemd1::read::unit::has_default_dependencies;
use crate::systemd1::table::Emits::Const;
use crate::systemd1::table::{Property, nothing, unit};
use crate::unit::{LoadState, Unit};
use crate::value::Value;
use alloc::vec::Vec;

pub(crate) const PROPERTIES: &[Property] = &[
    unit("Requires", "as", Const, |v| list(v, Edge::Requires)),
    unit("Requisite", "as", Const, |v| list(v, Edge::Requisite)),
    unit("Wants", "as", Const, |v| list(v, Edge::Wants)),
    unit("BindsTo", "as", Const, |v| list(v, Edge::BindsTo)),
    unit("PartOf", "as", Const, |v| list(v, Edge::PartOf)),
    unit("Upholds", "as", Const, |v| list(v, Edge::Upholds)),
    unit("RequiredBy", "as", Const, |v| list(v, Edge::RequiredBy)),
    unit("RequisiteOf", "as", Const, |v| list(v, Edge::RequisiteOf)),
    unit("WantedBy", "as", Const, |v| list(v, Edge::WantedBy)),
    unit("BoundBy", "as", Const, |v| list(v, Edge::BoundBy)),
    unit("UpheldBy", "as", Const, |v| list(v, Edge::UpheldBy)),
    unit("ConsistsOf", "as", Const, |v| list(v, Edge::ConsistsOf)),
    unit("Conflicts", "as", Const, |v| list(v, Edge::Conflicts)),
    unit("ConflictedBy", "as", Const, |v| list(v, Edge::ConflictedBy)),
    unit("Before", "as", Const, |v| list(v, Edge::Before)),
    unit("After", "as", Const, |v| list(v, Edge::After)),
    unit("OnSuccess", "as", Const, |v| list(v, Edge::OnSuccess)),
    unit("OnSuccessOf", "as", Const, |v| list(v, Edge::OnSuccessOf)),
    unit("OnFailure", "as", Const, |v| list(v, Edge::OnFailure)),
    unit("OnFailureOf", "as", Const, |v| list(v, Edge::OnFailureOf)),
    nothing("Triggers", "as", Const),
    nothing("TriggeredBy", "as", Const),
    unit("PropagatesReloadTo", "as", Const, |v| list(v, Edge::PropagatesReloadTo)),
    unit("ReloadPropagatedFrom", "as", Const, |v| list(v, Edge::ReloadPropagatedFrom)),
    unit("PropagatesStopTo", "as", Const, |v| list(v, Edge::PropagatesStopTo)),
    unit("StopPropagatedFrom", "as", Const, |v| list(v, Edge::StopPropagatedFrom)),
    unit("JoinsNamespaceOf", "as", Const, |v| list(v, Edge::JoinsNamespaceOf)),
    unit("SliceOf", "as", Const, |v| list(v, Edge::SliceOf)),
];

fn list(view: &View<'_>, edge: Edge) -> Value {
    let mut names = Vec::new();
    names.extend_from_slice(defaults(view.subject(), edge));
    names.extend(slice_ties(view, edge));
    let implied = names.len();
    let configured = view.graph.edges(view.unit, edge).map(|other| view.graph.unit(other).name.as_str());
    for name in configured {
        if !names[..implied].contains(&name) {
            names.push(name);
        }
    }
    Value::strings(names)
}

/// A unit requires its slice and comes after it; seen from the slice the other way round.
fn slice_ties<'a>(view: &View<'a>, edge: Edge) -> impl Iterator<Item = &'a str> {
    let graph = view.graph;
    let up = matches!(edge, Edge::Requires | Edge::After).then_some(view.subject().slice).flatten();
    let down = matches!(edge, Edge::RequiredBy | Edge::Before | Edge::SliceOf).then(|| graph.members(view.unit));
    up.into_iter().chain(down.into_iter().flatten()).map(|other| graph.unit(other).name.as_str())
}

/// What systemd adds to loaded units of the type.
fn defaults(unit: &Unit, edge: Edge) -> &'static [&'static str] {
    if unit.load != LoadState::Loaded {
        return &[];
    }
    let service = unit.unit_type() == UnitType::Service;
    match (edge, has_default_dependencies(unit) && unit.unit_type().is_managed()) {
        (Edge::Before | Edge::Conflicts, true) => &["shutdown.target"],
        (Edge::Requires, true) if service => &["sysinit.target"],
        (Edge::After, true) if service => &["sysinit.target", "basic.target", "systemd-journald.socket"],
        (Edge::After, false) if service => &["systemd-journald.socket"],
        _ => &[],
    }
}
