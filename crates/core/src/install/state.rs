//! What state a unit file is in: the answer of `GetUnitFileState`, and the rows of `ListUnitFiles`.

use super::find::{Follow, Found, find};
use super::problem::Problem;
use super::section::{instantiate, template_of};
use crate::config::{Config, UnitPaths};
use crate::names::NameForm;
use crate::unit_files::{Link, UnitFiles, last_part};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The state of the file that is meant by this name.
///
/// # Errors
/// There is none, or it cannot be used.
pub fn state(files: &UnitFiles, config: &Config, name: &str) -> Result<&'static str, Problem> {
    state_among(files, config, name, |name| files.links().filter(|link| is_about(link, name)).collect())
}

/// Every unit file: its name, where it lies, and its state; `bad` if that cannot be told.
pub fn list<'a>(files: &'a UnitFiles, config: &'a Config) -> impl Iterator<Item = (&'a str, &'a str, &'static str)> {
    let mut about: BTreeMap<&str, Vec<Link<'a>>> = BTreeMap::new();
    for link in files.links() {
        let names = BTreeSet::from([link.name(), last_part(link.target)]);
        names.into_iter().for_each(|name| about.entry(name).or_default().push(link));
    }
    let names = files.all_names().filter(|name| NameForm::of(name).is_some());
    names.filter_map(move |name| {
        let file = files.named(name).next()?;
        let links = |name: &str| about.get(name).cloned().unwrap_or_default();
        Some((name, &*file.path, state_among(files, config, name, links).unwrap_or("bad")))
    })
}

/// The state, when links that are called so or lead there are to be had by name.
fn state_among<'a>(
    files: &'a UnitFiles,
    config: &Config,
    name: &str,
    links: impl Fn(&str) -> Vec<Link<'a>>,
) -> Result<&'static str, Problem> {
    let found = find(files, config, name, Follow::All)?;
    if found.is_masked {
        return Ok(either(UnitPaths::is_runtime(&found.path), "masked-runtime", "masked"));
    }
    if name != last_part(&found.path) && NameForm::of(&found.name) != Some(NameForm::Instance) {
        return Ok("alias");
    }
    let links = links(&found.name);
    if let Some(state) = linked_as(files, config, &found, &links, true) {
        return Ok(state);
    }
    Ok(match linked_as(files, config, &found, &links, false) {
        Some(_) => "indirect",
        None if found.section.has_rules() => "disabled",
        None if !found.section.also.is_empty() => "indirect",
        None => "static",
    })
}

fn is_about(link: &Link<'_>, name: &str) -> bool {
    link.name() == name || last_part(link.target) == name
}

fn either(condition: bool, yes: &'static str, no: &'static str) -> &'static str {
    if condition { yes } else { no }
}

/// The state that links give the unit, those with names that enabling would have given them (`known`) or any.
fn linked_as(
    files: &UnitFiles,
    config: &Config,
    found: &Found,
    links: &[Link<'_>],
    known: bool,
) -> Option<&'static str> {
    let paths = &config.unit_paths;
    let (persistent, runtime) = (paths.install(false), paths.install(true));
    let own_rank = files.rank_of(&found.path).unwrap_or(usize::MAX);
    let (mut is_enabled, mut in_runtime, mut anywhere) = (false, false, false);
    let (mut linked, mut linked_runtime) = (false, false);
    for link in links {
        let directory = &files.search()[link.rank];
        if is_same_name(link, &found.name, link.rank > own_rank) {
            linked |= directory == persistent;
            linked_runtime |= directory == runtime;
        } else if leads_to(link, &found.name, link.rank > own_rank) && (!known || is_known_name(found, link.name())) {
            is_enabled |= directory == persistent;
            in_runtime |= UnitPaths::is_runtime(directory);
            anywhere = true;
        }
    }
    let is_instance = NameForm::of(&found.name) == Some(NameForm::Instance);
    match () {
        () if is_enabled => Some("enabled"),
        () if in_runtime => Some("enabled-runtime"),
        () if anywhere && is_instance => Some("static"),
        () if linked => Some("linked"),
        () if linked_runtime => Some("linked-runtime"),
        () => None,
    }
}

/// A link to the unit's file under the unit's own name; below the file itself it means nothing.
fn is_same_name(link: &Link<'_>, name: &str, is_below: bool) -> bool {
    !link.is_tie && link.name() == name && !is_below
}

fn leads_to(link: &Link<'_>, name: &str, is_below: bool) -> bool {
    (link.name() == name && !is_below) || last_part(link.target) == name
}

/// Whether enabling the unit would have called a link so.
fn is_known_name(found: &Found, name: &str) -> bool {
    let default = || instantiate(&found.name, found.section.default_instance.as_deref()?);
    name == found.name
        || found.section.aliases.iter().any(|alias| alias == name)
        || (template_of(name).as_ref() == Some(&found.name) && default().as_deref() == Some(name))
}
