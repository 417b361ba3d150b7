//! `ls`: the slice tree with live figures, from ListUnits and the properties of each unit.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::args::client::Ls;

use super::client::{Client, PropertyMap};
use super::error::{Error, Result};
use super::human;
use super::names;
use super::output::Output;
use super::table::{Align, render};
use super::tree::{Branch, flatten};
use super::units::{self, Process, UnitRow};

const ROOT: &str = "-.slice";
/// Requests in flight.
const DEPTH: usize = 64;
const COLUMNS: &[(&str, Align)] =
    &[("UNIT", Align::Left), ("MEMORY", Align::Right), ("TASKS", Align::Right), ("CPU", Align::Right)];

/// A unit with its figures; the shape in JSON, where `children` holds the units inside. Null = not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Node {
    unit: String,
    active: String,
    sub: String,
    #[serde(skip)]
    slice: String,
    control_group: String,
    memory_bytes: Option<u64>,
    tasks: Option<u64>,
    cpu_nsec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<Process>>,
}

#[derive(Debug, Serialize)]
struct NodeJson<'a> {
    #[serde(flatten)]
    node: &'a Node,
    children: Vec<NodeJson<'a>>,
}

pub(super) async fn ls(client: &Client, args: &Ls, out: &mut Output) -> Result<()> {
    let top = names::mangle(args.slice.as_deref().unwrap_or(ROOT), "slice");
    let rows = units::list(client, &[], &["*.slice", "*.scope", "*.service"].map(str::to_owned)).await?;
    let rows = rows.into_iter().filter(|row| args.all || row.active != "inactive");
    let nodes = stream::iter(rows).map(|row| look(client, row, args.processes)).buffered(DEPTH);
    let nodes: Vec<Node> = nodes.try_filter_map(async |node| Ok(node)).try_collect().await?;
    let tree = grow(nodes, &top).ok_or_else(|| Error::Refused {
        what: format!("cannot show {top}"),
        name: "org.freedesktop.systemd1.NoSuchUnit".to_owned(),
        text: "there is no such slice, or it is not active (see --all)".to_owned(),
    })?;
    if out.is_json() {
        return out.json(&shape(&tree));
    }
    out.text(draw(&tree));
    Ok(())
}

/// None if the unit went away meanwhile.
async fn look(client: &Client, row: UnitRow, with_processes: bool) -> Result<Option<Node>> {
    let what = format!("cannot read the figures of {}", row.unit);
    let answer = client.get_all(&what, &names::unit_path(&row.unit), &names::type_interface(&row.unit)).await;
    let map = match answer {
        Err(Error::Refused { .. }) => return Ok(None),
        other => other?,
    };
    let mut node = node(row, &map);
    if with_processes && !node.unit.ends_with(".slice") && !node.control_group.is_empty() {
        node.processes = units::processes(client, &node.unit).await.ok();
    }
    Ok(Some(node))
}

fn node(row: UnitRow, map: &PropertyMap) -> Node {
    let slice = match names::parent_slice(&row.unit) {
        Some(parent) => parent,
        None => units::text(map, "Slice").to_owned(),
    };
    Node {
        slice,
        control_group: units::text(map, "ControlGroup").to_owned(),
        memory_bytes: units::number(map, "MemoryCurrent"),
        tasks: units::number(map, "TasksCurrent"),
        cpu_nsec: units::number(map, "CPUUsageNSec"),
        processes: None,
        unit: row.unit,
        active: row.active,
        sub: row.sub,
    }
}

/// The tree below one slice; none if it is not among the nodes.
fn grow(nodes: Vec<Node>, top: &str) -> Option<Branch<Node>> {
    let known: std::collections::BTreeSet<String> = nodes.iter().map(|node| node.unit.clone()).collect();
    let mut inside: BTreeMap<String, Vec<Node>> = BTreeMap::new();
    let mut root = None;
    for node in nodes {
        if node.unit == top {
            root = Some(node);
        } else {
            let place = if known.contains(&node.slice) { node.slice.clone() } else { ROOT.to_owned() };
            inside.entry(place).or_default().push(node);
        }
    }
    root.map(|root| attach(root, &mut inside))
}

fn attach(node: Node, inside: &mut BTreeMap<String, Vec<Node>>) -> Branch<Node> {
    let mut children = inside.remove(&node.unit).unwrap_or_default();
    children.sort_by(|a, b| a.unit.cmp(&b.unit));
    Branch { children: children.into_iter().map(|child| attach(child, inside)).collect(), item: node }
}

fn shape(branch: &Branch<Node>) -> NodeJson<'_> {
    NodeJson { node: &branch.item, children: branch.children.iter().map(shape).collect() }
}

/// A unit's row, or the line of a process below it.
enum Row<'a> {
    Unit(&'a Node),
    Process(&'a Process),
}

fn draw(tree: &Branch<Node>) -> String {
    let rows = with_processes(tree);
    let cells = flatten(std::slice::from_ref(&rows)).into_iter().map(|(drawing, row)| match row {
        Row::Unit(node) => cells(&drawing, node),
        Row::Process(process) => vec![format!("{drawing}{} {}", process.pid, process.command)],
    });
    render(COLUMNS, &cells.collect::<Vec<_>>())
}

fn with_processes(branch: &Branch<Node>) -> Branch<Row<'_>> {
    let processes = branch.item.processes.iter().flatten();
    let leaves = processes.map(|process| Branch { item: Row::Process(process), children: vec![] });
    let children = leaves.chain(branch.children.iter().map(with_processes)).collect();
    Branch { item: Row::Unit(&branch.item), children }
}

fn cells(drawing: &str, node: &Node) -> Vec<String> {
    let state = match node.active.as_str() {
        "active" => String::new(),
        other => format!(" ({other})"),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        format!("{drawing}{}{state}", node.unit),
        or_dash(node.memory_bytes.map(human::size)),
        or_dash(node.tasks.map(|tasks| tasks.to_string())),
        or_dash(node.cpu_nsec.map(|nsec| human::span(nsec / 1_000))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(unit: &str, slice: &str) -> Node {
        Node {
            unit: unit.into(),
            active: "active".into(),
            sub: "running".into(),
            slice: slice.into(),
            control_group: format!("/{unit}"),
            memory_bytes: Some(1 << 20),
            tasks: None,
            cpu_nsec: Some(1_500_000_000),
            processes: None,
        }
    }

    fn sample() -> Vec<Node> {
        let mut scope = node("x.scope", "a-b.slice");
        scope.processes = Some(vec![Process { pid: 7, command: "sleep infinity".into(), control_group: "/x".into() }]);
        let mut failed = node("z.service", "a.slice");
        failed.active = "failed".into();
        vec![
            node("-.slice", ""),
            node("a.slice", "-.slice"),
            node("a-b.slice", "a.slice"),
            scope,
            failed,
            node("lost.scope", "gone.slice"),
        ]
    }

    #[test]
    fn drawing() {
        insta::assert_snapshot!(draw(&grow(sample(), ROOT).unwrap()), @r"
        UNIT                    MEMORY  TASKS   CPU
        -.slice                   1.0M      -  1.5s
        ├─a.slice                 1.0M      -  1.5s
        │ ├─a-b.slice             1.0M      -  1.5s
        │ │ └─x.scope             1.0M      -  1.5s
        │ │   └─7 sleep infinity
        │ └─z.service (failed)    1.0M      -  1.5s
        └─lost.scope              1.0M      -  1.5s
        ");
    }

    #[test]
    fn a_part_of_the_tree() {
        assert!(grow(sample(), "no.slice").is_none());
        let part = grow(sample(), "a-b.slice").unwrap();
        insta::assert_snapshot!(serde_json::to_string(&shape(&part)).unwrap(), @r#"{"unit":"a-b.slice","active":"active","sub":"running","control_group":"/a-b.slice","memory_bytes":1048576,"tasks":null,"cpu_nsec":1500000000,"children":[{"unit":"x.scope","active":"active","sub":"running","control_group":"/x.scope","memory_bytes":1048576,"tasks":null,"cpu_nsec":1500000000,"processes":[{"pid":7,"command":"sleep infinity","control_group":"/x"}],"children":[]}]}"#);
    }
}
