//! `analyze`: what there is to know about how units stand to each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::args::client::Analyze;

use super::client::Client;
use super::error::{Error, FAILURE, Result};
use super::names;
use super::output::Output;
use super::plan;
use super::units;

pub(super) async fn analyze(client: &Client, args: &Analyze, out: &mut Output) -> Result<()> {
    match args {
        Analyze::Cycles => cycles(client, out).await,
        Analyze::Plan(args) => plan::jobs(client, "start", &[names::mangle(&args.unit, "service")], out).await,
    }
}

/// Units that are all to come after each other; the shape in JSON.
#[derive(Debug, Serialize)]
struct Cycle {
    units: Vec<String>,
}

/// Exit status 1 if there are any.
async fn cycles(client: &Client, out: &mut Output) -> Result<()> {
    let mut after: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in units::list(client, &[], &[]).await? {
        let what = format!("cannot look at {}", row.unit);
        let properties = client.unit(&what, &row.unit).await?;
        after.insert(row.unit, units::texts(&properties, "After"));
    }
    let found: Vec<Cycle> = cycles_of(&after).into_iter().map(|units| Cycle { units }).collect();
    if out.is_json() {
        out.json(&found)?;
    } else if found.is_empty() {
        out.line("no cycles");
    } else {
        found.iter().for_each(|cycle| out.line(cycle.units.join(" after ")));
    }
    if found.is_empty() { Ok(()) } else { Err(Error::Status(FAILURE)) }
}

/// Ways that lead back to where they began, one for each knot of units, as short as they come.
fn cycles_of(after: &BTreeMap<String, Vec<String>>) -> Vec<Vec<String>> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for unit in after.keys().filter(|unit| !is_free(after, unit)) {
        if seen.contains(unit.as_str()) {
            continue;
        }
        if let Some(cycle) = way_back(after, unit) {
            seen.extend(cycle.iter().filter_map(|unit| after.get_key_value(unit)).map(|(unit, _)| unit.as_str()));
            found.push(cycle);
        }
    }
    found
}

fn is_free(after: &BTreeMap<String, Vec<String>>, unit: &str) -> bool {
    after.get(unit).is_none_or(Vec::is_empty)
}

/// The shortest way from a unit back to itself, both ends named.
fn way_back(after: &BTreeMap<String, Vec<String>>, unit: &str) -> Option<Vec<String>> {
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([unit]);
    while let Some(at) = queue.pop_front() {
        for next in after.get(at).into_iter().flatten() {
            if next == unit {
                let back = std::iter::successors(Some(at), |at| from.get(at).copied());
                let mut way: Vec<String> = back.map(str::to_owned).collect();
                way.reverse();
                way.push(unit.to_owned());
                return Some(way);
            }
            if next != unit && !from.contains_key(next.as_str()) && after.contains_key(next) {
                from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_are_found_once() {
        let edges = [("a", &["b"][..]), ("b", &["c", "x"]), ("c", &["a"]), ("x", &[]), ("s", &["s"]), ("d", &["a"])];
        let after = edges.map(|(unit, others)| (unit.to_owned(), others.iter().map(|o| (*o).to_owned()).collect()));
        let found: Vec<String> = cycles_of(&BTreeMap::from(after)).iter().map(|way| way.join(" ")).collect();
        assert_eq!(found, ["a b c a", "s s"]);
    }
}
