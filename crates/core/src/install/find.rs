//! From a name to the file that is meant by it, and to what that says about installing.

use super::enable::can_alias;
use super::problem::Problem;
use super::section::{Section, instantiate, template_of};
use crate::config::{Config, UnitPaths};
use crate::error::Errno;
use crate::names::NameForm;
use crate::unit_files::{Content, UnitFile, UnitFiles, last_part};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// So many links in a row are followed.
const LINKS_MAX: usize = 64;

/// A unit file that was looked up.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The name it goes by: that of the file, or the instance that was asked for.
    pub(super) name: String,
    /// Where it lies, behind links of the same name.
    pub(super) path: String,
    /// It stands for nothing.
    pub(super) is_masked: bool,
    /// What it says.
    pub(super) section: Section,
    /// Every name that led here, the one asked for first.
    pub(super) names: Vec<String>,
}

/// Which links to other names are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// All.
    All,
    /// Those that came with what is installed; the operator's mean that the name is not to be dealt with.
    Vendor,
}

/// Looks a file up by the name of its unit, or by its path.
pub(super) fn find(files: &UnitFiles, config: &Config, asked: &str, follow: Follow) -> Result<Found, Problem> {
    if asked.starts_with('/') {
        return find_path(files, config, asked);
    }
    if NameForm::of(asked).is_none() {
        return Err(Problem::Unusable { file: asked.into(), errno: Errno::Inval });
    }
    let mut names = [asked.to_owned()].to_vec();
    loop {
        let name = names.last().expect("it began with one").clone();
        let file = file_of(files, &name).ok_or_else(|| Problem::NotFound(asked.into()))?;
        if file.is_mask() {
            let path = (*file.path).to_owned();
            return Ok(Found { name, path, is_masked: true, section: Section::default(), names });
        }
        match leads_to(files, file, &name)? {
            Next::Here(path) => return load(files, config, file, name, path, names),
            Next::Name(_) if follow == Follow::Vendor && !UnitPaths::is_vendor(&file.path) => {
                return Err(Problem::Linked(asked.into()));
            }
            Next::Name(_) if names.len() > LINKS_MAX => return Err(Problem::Linked(asked.into())),
            Next::Name(next) => names.push(next),
        }
    }
}

fn find_path(files: &UnitFiles, config: &Config, path: &str) -> Result<Found, Problem> {
    let file = files.at(path).ok_or_else(|| Problem::NotFound(path.into()))?;
    let name = last_part(path).to_owned();
    if NameForm::of(&name).is_none() {
        return Err(Problem::InvalidName(path.into()));
    }
    if file.is_mask() {
        return Err(Problem::Masked(path.into()));
    }
    if file.link.is_some() {
        return Err(Problem::Linked(path.into()));
    }
    load(files, config, file, name.clone(), path.into(), [name].to_vec())
}

/// The file under this name, or else under that of its template.
fn file_of<'a>(files: &'a UnitFiles, name: &str) -> Option<&'a UnitFile> {
    files.named(name).next().or_else(|| files.named(&template_of(name)?).next())
}

enum Next {
    /// This file, whose text lies there.
    Here(String),
    /// Another name.
    Name(String),
}

fn leads_to(files: &UnitFiles, file: &UnitFile, name: &str) -> Result<Next, Problem> {
    let Some(target) = &file.link else { return Ok(Next::Here((*file.path).to_owned())) };
    if let Content::Unreadable(error) = &file.content
        && error.errno == Errno::Loop
    {
        return Err(Problem::Linked(name.into()));
    }
    let (own, other) = (last_part(&file.path), last_part(target));
    let here = || Next::Here(absolute(&file.path, target));
    let is_outside = !files.is_in_search_path(&absolute(&file.path, target));
    if is_outside && file.is_dangling() {
        return Err(Problem::NotFound(name.into()));
    }
    if own != other && !can_alias(own, other) {
        return Err(Problem::Alias { name: other.into(), alias: own.into() });
    }
    if is_outside {
        return Ok(here());
    }
    if own == other {
        // A link from one of the directories into another one would be looked up again and again.
        return Err(Problem::Linked(name.into()));
    }
    let filled = match (NameForm::of(name), NameForm::of(other)) {
        (_, None) => return Err(Problem::Unusable { file: name.into(), errno: Errno::Inval }),
        (Some(NameForm::Instance), Some(NameForm::Template)) => {
            let instance = name.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.')).map_or("", |(i, _)| i);
            instantiate(other, instance)
        }
        _ => Some(other.to_owned()),
    };
    match filled {
        Some(filled) if filled != name => Ok(Next::Name(filled)),
        // An instance that is linked to its own template.
        _ => Ok(here()),
    }
}

fn load(
    files: &UnitFiles,
    config: &Config,
    file: &UnitFile,
    name: String,
    path: String,
    names: Vec<String>,
) -> Result<Found, Problem> {
    let mut section = Section::default();
    let drop_ins = drop_ins(files, &name);
    for file in core::iter::once(file).chain(drop_ins) {
        match &file.content {
            Content::Text(text) => section.read(text, &name, config)?,
            Content::Unreadable(error) => return Err(Problem::Unusable { file: name, errno: error.errno }),
        }
    }
    Ok(Found { name, path, is_masked: false, section, names })
}

/// Drop-ins that lie beside this very name or its template; others do not say how a unit is installed.
fn drop_ins<'a>(files: &'a UnitFiles, name: &str) -> Vec<&'a UnitFile> {
    let mut found: BTreeMap<&str, &UnitFile> = BTreeMap::new();
    let template = template_of(name);
    for file in files.beside(name).chain(template.iter().flat_map(|template| files.beside(template))) {
        found.entry(last_part(&file.path)).or_insert(file);
    }
    found.into_values().filter(|file| !file.is_mask()).collect()
}

/// Where a link leads, from the root on.
pub(super) fn absolute(path: &str, target: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let joined = if target.starts_with('/') { target.to_owned() } else { format!("{directory}/{target}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
