//! Enabling and disabling: what `[Install]` says becomes links, and links go.

use super::change::Changer;
use super::find::{Follow, Found, find};
use super::problem::Problem;
use super::section::{Section, instantiate, may_alias, type_of};
use crate::error::{Refusal, RefusalKind};
use crate::names::NameForm;
use crate::unit_file::{NameParts, expand_for};
use crate::unit_files::last_part;
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The directories beside a unit whose links tie others to it.
const SUFFIXES: [&str; 3] = [".wants", ".requires", ".upholds"];

/// Makes the links of these files, and of those they name with `Also=`. Whether there was anything to make.
pub(super) fn enable(changer: &mut Changer<'_>, names: &[String]) -> Result<bool, Problem> {
    let found = discover(changer, names)?;
    install(changer, found)
}

/// Ties these files to a target, whatever they say themselves.
pub(super) fn add_dependency(
    changer: &mut Changer<'_>,
    names: &[String],
    target: &str,
    kind: &str,
) -> Result<bool, Refusal> {
    let target = find(&changer.files, changer.config, target, Follow::All)?;
    if target.is_masked {
        return Err(Problem::Masked(target.path).into());
    }
    let list = [target.name].to_vec();
    let section = match kind {
        "Wants" => Section { wanted_by: list, ..Section::default() },
        "Requires" => Section { required_by: list, ..Section::default() },
        _ => return Err(Refusal::new(RefusalKind::InvalidArgs, "Invalid argument")),
    };
    let mut found = discover(changer, names)?;
    for one in &mut found {
        let default_instance = one.section.default_instance.take();
        one.section = Section { default_instance, ..section.clone() };
    }
    Ok(install(changer, found)?)
}

/// All of the files, or why one of them is not to be dealt with.
fn discover(changer: &Changer<'_>, names: &[String]) -> Result<Vec<Found>, Problem> {
    let check = |name: &String| {
        let found = find(&changer.files, changer.config, name, Follow::Vendor)?;
        if found.is_masked { Err(Problem::Masked(found.path)) } else { Ok(found) }
    };
    names.iter().map(check).collect()
}

fn install(changer: &mut Changer<'_>, found: Vec<Found>) -> Result<bool, Problem> {
    let mut seen: BTreeSet<String> = found.iter().map(|found| found.name.clone()).collect();
    let mut queue = VecDeque::from(found);
    let mut carries = false;
    let mut problem = None;
    while let Some(found) = queue.pop_front() {
        for name in &found.section.also {
            if seen.insert(name.clone())
                // What is only named along may be missing.
                && let Ok(other) = find(&changer.files, changer.config, name, Follow::All)
            {
                carries |= other.is_masked;
                queue.push_back(other);
            }
        }
        if !found.is_masked {
            carries |= found.section.has_rules();
            problem = problem.or(install_one(changer, &found).err());
        }
    }
    problem.map_or(Ok(carries), Err)
}

/// Makes the links of one file. Of the lists, the first that comes to anything decides whether that is success: what
/// cannot be made of a later one is left out, and told.
fn install_one(changer: &mut Changer<'_>, found: &Found) -> Result<(), Problem> {
    let section = &found.section;
    let ties = SUFFIXES.into_iter().zip([&section.wanted_by, &section.required_by, &section.upheld_by]);
    let aliases = section.aliases.iter().map(|alias| add_alias(changer, found, alias)).collect();
    let mut lists: Vec<Vec<Result<(), Problem>>> = [aliases].into();
    lists.extend(
        ties.map(|(suffix, list)| {
            list.iter().map(|target| add_tie(changer, found, suffix, target)).collect::<Vec<_>>()
        }),
    );
    let mut decided = None;
    for list in lists.into_iter().filter(|list| !list.is_empty()) {
        let problems = list.into_iter().filter_map(Result::err);
        match decided {
            None => decided = Some(problems.take(1).next().map_or(Ok(()), Err)),
            Some(_) => changer.left_out(problems),
        }
    }
    if !changer.files.is_in_search_path(&found.path) {
        changer.link(&found.name, &found.name, &found.path, changer.force)?;
    }
    decided.unwrap_or(Ok(()))
}

fn add_alias(changer: &mut Changer<'_>, found: &Found, alias: &str) -> Result<(), Problem> {
    let mut alias = fill_in(changer, found, alias)?;
    if let Some((directory, name)) = alias.split_once('/') {
        let is_tie = SUFFIXES.iter().any(|suffix| directory.strip_suffix(suffix).and_then(NameForm::of).is_some());
        if !is_tie || name != found.name {
            return Err(Problem::Alias { name: found.name.clone(), alias });
        }
    } else {
        if let (Some(NameForm::Template), Some((_, rest))) = (NameForm::of(&alias), found.name.split_once('@'))
            && let Some((instance, _)) = rest.rsplit_once('.')
        {
            alias = instantiate(&alias, instance).unwrap_or(alias);
        }
        if alias == found.name {
            return Ok(());
        }
        if !can_alias(&alias, &found.name) {
            return Err(Problem::Alias { name: found.name.clone(), alias });
        }
    }
    changer.link(&found.name, &alias, &found.path, changer.force)
}

/// Whether a unit can be known by this name, too.
pub(super) fn can_alias(alias: &str, name: &str) -> bool {
    let forms = (NameForm::of(alias), NameForm::of(name));
    let is_same_kind = type_of(alias) == type_of(name) && may_alias(alias);
    let instance = |name: &str| name.split_once('@').map(|(_, rest)| rest.to_owned());
    let fits = match forms {
        (Some(NameForm::Instance), Some(NameForm::Template)) => true,
        (Some(NameForm::Instance), Some(NameForm::Instance)) => instance(alias) == instance(name),
        (Some(alias), Some(name)) => alias == name,
        _ => false,
    };
    is_same_kind && fits
}

fn add_tie(changer: &mut Changer<'_>, found: &Found, suffix: &str, target: &str) -> Result<(), Problem> {
    let default = found.section.default_instance.as_ref().and_then(|instance| instantiate(&found.name, instance));
    let is_template = NameForm::of(&found.name) == Some(NameForm::Template);
    let name = default.filter(|_| is_template).unwrap_or_else(|| found.name.clone());
    let target = fill_in(changer, found, target)?;
    match NameForm::of(&target) {
        None => return Err(Problem::InvalidName(target)),
        // A template can only be pulled in by templates.
        Some(form) if NameForm::of(&name) == Some(NameForm::Template) && form != NameForm::Template => {
            return Err(Problem::NoInstance(target));
        }
        Some(_) => {}
    }
    changer.link(&name, &format!("{target}{suffix}/{name}"), &found.path, true)
}

fn fill_in(changer: &Changer<'_>, found: &Found, text: &str) -> Result<String, Problem> {
    let filled = expand_for(text, &NameParts::of(&found.name), &found.path, changer.config);
    filled.map_err(|unresolved| match unresolved.is_known() {
        true => Problem::Unresolved(text.into()),
        false => Problem::InvalidSpecifier(text.into()),
    })
}

/// Removes the links of these files, and of those they name with `Also=`. Whether there is anything to install about
/// them. What is not there has no file to tell what else belongs to it; its name counts all the same, and that it is
/// missing is told only when there was nothing to remove (`strict`).
pub(super) fn disable(changer: &mut Changer<'_>, names: &[String], strict: bool) -> Result<bool, Problem> {
    if let Some(name) = names.iter().find(|name| NameForm::of(last_part(name)).is_none()) {
        return Err(Problem::InvalidName(name.clone()));
    }
    let mut marked = BTreeSet::new();
    let mut carries = false;
    let mut problem = None;
    // Each with whether it was only named along.
    let mut queue: VecDeque<(String, bool)> = names.iter().map(|name| (last_part(name).into(), false)).collect();
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    while let Some((name, is_auxiliary)) = queue.pop_front() {
        if seen.insert(name.clone(), ()).is_some() {
            continue;
        }
        match find(&changer.files, changer.config, &name, Follow::All) {
            Ok(found) if found.is_masked => continue,
            Ok(found) => {
                carries |= found.section.has_rules() || !found.section.also.is_empty();
                queue.extend(found.names.into_iter().chain(found.section.also).map(|name| (name, true)));
            }
            Err(_) if is_auxiliary => {}
            Err(other @ Problem::Alias { .. }) => return Err(other),
            Err(other) => problem = problem.or(Some(other)),
        }
        marked.insert(name);
    }
    let directory = changer.directory.clone();
    changer.remove_links_to(marked, &directory);
    match problem {
        Some(problem) if strict && !changer.has_changes() => Err(problem),
        _ => Ok(carries),
    }
}
