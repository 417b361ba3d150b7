//! `show`: properties as they are.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::args::client::Show;

use super::change::expand;
use super::client::{Client, MANAGER_PATH, PropertyMap};
use super::error::Result;
use super::output::Output;
use super::value;

/// The shape in JSON; `unit` is null for the manager.
#[derive(Debug, Serialize)]
struct Shown {
    unit: Option<String>,
    properties: Map<String, Json>,
}

pub(super) async fn show(client: &Client, args: &Show, out: &mut Output) -> Result<()> {
    let mut all = Vec::new();
    if args.units.is_empty() {
        all.push((None, client.get_all("cannot show the manager", MANAGER_PATH, "").await?));
    }
    for unit in expand(client, &args.units).await? {
        let map = client.unit(&format!("cannot show {unit}"), &unit).await?;
        all.push((Some(unit), map));
    }
    if out.is_json() {
        let shape = |(unit, map)| Shown { properties: chosen(args, &map, value::json), unit };
        return out.json(&all.into_iter().map(shape).collect::<Vec<_>>());
    }
    for (i, (_, map)) in all.iter().enumerate() {
        if i > 0 {
            out.line("");
        }
        for line in lines(args, map) {
            out.line(line);
        }
    }
    Ok(())
}

/// Name and converted value of the properties asked for.
fn chosen<T>(args: &Show, map: &PropertyMap, convert: impl Fn(&zbus::Variant<'_>) -> T) -> Map<String, Json>
where
    Json: From<T>,
{
    let wanted = map.iter().filter(|(name, _)| args.properties.is_empty() || args.properties.contains(name));
    wanted.map(|(name, value)| (name.clone(), Json::from(convert(value)))).collect()
}

/// In the order asked for, else by name.
fn lines(args: &Show, map: &PropertyMap) -> Vec<String> {
    let names: Vec<&String> =
        if args.properties.is_empty() { map.keys().collect() } else { args.properties.iter().collect() };
    let line = |name: &String| {
        let text = value::text(name, map.get(name)?);
        Some(if args.value { text } else { format!("{name}={text}") })
    };
    names.into_iter().filter_map(line).collect()
}
