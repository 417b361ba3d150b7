//! A unit in words for a person: what `Dump` shows.

use super::read::View;
use super::read::cgroup::control_group;
use crate::unit::Unit;
use alloc::string::String;
use core::fmt::{self, Write};

/// One unit as several lines.
#[must_use]
pub fn dump(view: &View<'_>) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = push(&mut out, view, view.subject());
    out
}

fn push(out: &mut String, view: &View<'_>, unit: &Unit) -> fmt::Result {
    writeln!(out, "-> Unit {}:", unit.name)?;
    writeln!(out, "\tDescription: {}", unit.description())?;
    writeln!(out, "\tUnit Load State: {}", unit.load.as_str())?;
    writeln!(out, "\tUnit Active State: {}", unit.active().as_str())?;
    writeln!(out, "\tState: {}", unit.state.sub())?;
    writeln!(out, "\tFreezer State: {}", unit.freezer.as_str())?;
    writeln!(out, "\tResult: {}", unit.result.as_str())?;
    writeln!(out, "\tTransient: {}", yes_no(unit.transient))?;
    writeln!(out, "\tPerpetual: {}", yes_no(unit.perpetual))?;
    if let Some(slice) = unit.slice {
        writeln!(out, "\tSlice: {}", view.graph.unit(slice).name)?;
    }
    writeln!(out, "\tCGroup: {}", control_group(view.config, unit))?;
    writeln!(out, "\tCGroup realized: {}", yes_no(unit.realized.exists))?;
    writeln!(out, "\tCGroup enabled: {}", unit.realized.enabled)?;
    if let Some(fragment) = &unit.fragment {
        writeln!(out, "\tFragment Path: {fragment}")?;
    }
    unit.drop_ins.iter().try_for_each(|path| writeln!(out, "\tDropIn Path: {path}"))?;
    if let Some(error) = &unit.load_error {
        writeln!(out, "\tLoad Error: {error}")?;
    }
    if let Some(job) = unit.job {
        writeln!(out, "\tJob: {}", job.0)?;
    }
    for (edge, other) in view.graph.all_edges(view.unit) {
        writeln!(out, "\t{}: {}", edge.name(), view.graph.unit(other).name)?;
    }
    Ok(())
}

fn yes_no(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}
