//! Masks, files linked in from elsewhere, and the way back to what is installed.

use super::change::Changer;
use super::problem::Problem;
use crate::config::UnitPaths;
use crate::error::Errno;
use crate::names::NameForm;
use crate::unit_files::{Content, last_part};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

fn check_names(names: &[String]) -> Result<(), Problem> {
    let is_valid = |name: &String| NameForm::of(name).is_some();
    if names.iter().all(is_valid) { Ok(()) } else { Err(Problem::InvalidArgument) }
}

/// Links the names to nothing.
pub(super) fn mask(changer: &mut Changer<'_>, names: &[String]) -> Result<bool, Problem> {
    check_names(names)?;
    for name in names {
        changer.link(name, name, "/dev/null", changer.force)?;
    }
    Ok(false)
}

/// Removes masks; what hides others by being empty is one, too.
pub(super) fn unmask(changer: &mut Changer<'_>, names: &[String]) -> Result<bool, Problem> {
    check_names(names)?;
    let path = |name: &String| [&*changer.directory, "/", name].concat();
    let is_mask = |path: &String| changer.files.at(path).is_some_and(|file| file.is_mask());
    let masks: Vec<String> = names.iter().map(path).filter(is_mask).collect();
    masks.iter().for_each(|path| changer.unlink(path));
    let directory = changer.directory.clone();
    changer.remove_links_to(masks.into_iter().collect(), &directory);
    Ok(false)
}

/// Links files that lie elsewhere into the directory.
pub(super) fn link(changer: &mut Changer<'_>, paths: &[String]) -> Result<bool, Problem> {
    let mut found = Vec::new();
    for path in paths {
        let name = last_part(path);
        if !path.starts_with('/') || NameForm::of(name).is_none() {
            return Err(Problem::InvalidArgument);
        }
        let file = changer.files.at(path).ok_or_else(|| Problem::NotFound(path.clone()))?;
        if file.link.is_some() {
            return Err(Problem::Linked(path.clone()));
        }
        if let Content::Unreadable(error) = &file.content
            && matches!(error.errno, Errno::NoEnt | Errno::IsDir | Errno::Inval)
        {
            return Err(Problem::Unusable { file: path.clone(), errno: error.errno });
        }
        if !changer.files.is_in_search_path(path) {
            found.push((name.to_owned(), path));
        }
    }
    for (name, path) in found {
        changer.link(&name, &name, path, changer.force)?;
    }
    Ok(false)
}

/// Removes what the operator has put beside a unit, and what hides the file that came with what is installed.
pub(super) fn revert(changer: &mut Changer<'_>, names: &[String]) -> Result<bool, Problem> {
    check_names(names)?;
    let mut removed = BTreeSet::new();
    for name in names {
        let drop_ins = changer.files.beside(name).map(|file| file.path.clone());
        let mut paths: Vec<_> = drop_ins.filter(|path| !UnitPaths::is_vendor(path)).collect();
        let own: Vec<_> = changer.files.named(name).collect();
        if own.iter().any(|file| file.link.is_none() && UnitPaths::is_vendor(&file.path)) {
            let is_ours = |path: &str| changer.config.unit_paths.is_installed_into(path);
            paths.extend(own.iter().map(|file| file.path.clone()).filter(|path| is_ours(path)));
        }
        for path in paths {
            changer.unlink(&path);
            removed.insert((*path).to_owned());
        }
    }
    for runtime in [true, false] {
        let directory = changer.config.unit_paths.install(runtime).clone();
        changer.remove_links_to(removed.clone(), &directory);
    }
    Ok(false)
}
