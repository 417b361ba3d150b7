//! `list`: a table of units.

use crate::args::client::List;

use super::client::Client;
use super::error::Result;
use super::names;
use super::output::Output;
use super::table::{Align, render};
use super::units::{self, UnitRow};

const COLUMNS: &[(&str, Align)] = &[
    ("UNIT", Align::Left),
    ("LOAD", Align::Left),
    ("ACTIVE", Align::Left),
    ("SUB", Align::Left),
    ("DESCRIPTION", Align::Left),
];

pub(super) async fn list(client: &Client, args: &List, out: &mut Output) -> Result<()> {
    let patterns: Vec<String> = args.patterns.iter().map(|pattern| names::mangle_pattern(pattern)).collect();
    let mut rows = units::list(client, &args.state, &patterns).await?;
    rows.retain(|row| wanted(args, row));
    if out.is_json() {
        return out.json(&rows);
    }
    let text = render(COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>());
    match text.split_once('\n') {
        Some((_, body)) if args.no_legend => out.text(body),
        _ => {
            out.text(text);
            out.line(format_args!("\n{} {}", rows.len(), if rows.len() == 1 { "unit" } else { "units" }));
        }
    }
    Ok(())
}

/// Idle units are shown only if asked for: by state, by name or altogether.
fn wanted(args: &List, row: &UnitRow) -> bool {
    let of_type = args.types.is_empty()
        || names::type_of(&row.unit).is_some_and(|kind| args.types.iter().any(|wanted| wanted == kind));
    let idle = row.active == "inactive" && row.job.is_none();
    of_type && (args.all || !idle || !args.state.is_empty())
}

fn cells(row: &UnitRow) -> Vec<String> {
    [&row.unit, &row.load, &row.active, &row.sub, &row.description].map(Clone::clone).to_vec()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::client::{Args, Command};

    fn row(unit: &str, active: &str) -> UnitRow {
        let text = str::to_owned;
        UnitRow {
            unit: text(unit),
            description: text("A b"),
            load: text("loaded"),
            active: text(active),
            sub: text("x"),
            job: None,
        }
    }

    fn kept(line: &str) -> Vec<String> {
        let Command::List(args) = Args::parse_from(line.split(' ')).command else { panic!("{line}") };
        let rows = [row("a.scope", "active"), row("b.slice", "inactive"), row("c.service", "failed")];
        rows.into_iter().filter(|row| wanted(&args, row)).map(|row| row.unit).collect()
    }

    #[test]
    fn which_are_shown() {
        assert_eq!(kept("cgarbiter list"), ["a.scope", "c.service"]);
        assert_eq!(kept("cgarbiter list --all"), ["a.scope", "b.slice", "c.service"]);
        assert_eq!(kept("cgarbiter list --state=inactive"), ["a.scope", "b.slice", "c.service"]);
        assert_eq!(kept("cgarbiter list -t slice,scope"), ["a.scope"]);
    }

    #[test]
    fn looks() {
        insta::assert_snapshot!(render(COLUMNS, &[cells(&row("a.scope", "active"))]), @r"
        UNIT     LOAD    ACTIVE  SUB  DESCRIPTION
        a.scope  loaded  active  x    A b
        ");
    }
}
