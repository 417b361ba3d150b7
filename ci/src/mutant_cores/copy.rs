//! The copy of the sources with all patches in it. Only files that came out different are written, so that the next
//! build has little to do.

use super::patch::{self, Mutant};
use crate::{Outcome, files};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a build of the tests needs.
const SOURCES: [&str; 3] = ["crates", "ci", ".cargo"];
const FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];
/// Where the switch goes, and who has to know.
const SWITCH: &str = "crates/core/src/mutant.rs";
const LIBRARY: &str = "crates/core/src/lib.rs";

/// Patched sources, and what is built from them.
pub(crate) struct Copy(PathBuf);

impl Copy {
    /// Copies the sources and patches them.
    ///
    /// # Errors
    /// A patch that does not fit any more, among others.
    pub(crate) fn lay_out(mutants: &[Mutant]) -> Outcome<Self> {
        let copy = Self(files::target().join("mutant-cores"));
        let fresh = copy.0.join("fresh");
        files::fresh_directory(&fresh)?;
        for name in SOURCES {
            copy_sources(&files::workspace().join(name), &fresh.join(name))?;
        }
        for name in FILES {
            files::copy(&files::workspace().join(name), &fresh.join(name))?;
        }
        files::copy(&patch::directory().join("switch.rs"), &fresh.join(SWITCH))?;
        let library = files::read(&fresh.join(LIBRARY))? + "pub mod mutant;\n";
        files::write(&fresh.join(LIBRARY), &library)?;
        for mutant in mutants {
            apply(mutant, &fresh)?;
        }
        let mut kept = BTreeSet::new();
        renew(&fresh, &copy.tree(), &mut kept)?;
        forget(&copy.tree(), &kept)?;
        Ok(copy)
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.0.join("target")
    }
}

/// What was built, and images of machines, stay behind.
fn copy_sources(from: &Path, to: &Path) -> Outcome {
    files::directory(to)?;
    let entries = std::fs::read_dir(from).map_err(|e| format!("list {}: {e}", from.display()))?;
    for entry in entries.flatten().filter(|entry| entry.file_name() != "target" && entry.file_name() != "cache") {
        let target = to.join(entry.file_name());
        match entry.path() {
            path if path.is_dir() => copy_sources(&path, &target)?,
            path => files::copy(&path, &target)?,
        }
    }
    Ok(())
}

fn apply(mutant: &Mutant, tree: &Path) -> Outcome {
    let mut command = Command::new("git");
    // Otherwise git takes the paths for those of the repository around us.
    command.current_dir(tree).env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree));
    command.arg("apply").arg(&mutant.file);
    let output = command.output().map_err(|e| format!("start git: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} does not fit any more: {}", mutant.file.display(), why.trim()))
}

/// Writes what is different.
fn renew(from: &Path, to: &Path, kept: &mut BTreeSet<PathBuf>) -> Outcome {
    files::directory(to)?;
    let entries = std::fs::read_dir(from).map_err(|e| format!("list {}: {e}", from.display()))?;
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        kept.insert(target.clone());
        match entry.path() {
            path if path.is_dir() => renew(&path, &target, kept)?,
            path if std::fs::read(&path).ok() == std::fs::read(&target).ok() => {}
            path => {
                let bytes = std::fs::read(&path).map_err(|e| format!("read {}: {e}", path.display()))?;
                std::fs::write(&target, bytes).map_err(|e| format!("write {}: {e}", target.display()))?;
            }
        }
    }
    Ok(())
}

/// Removes what is in the tree no more.
fn forget(directory: &Path, kept: &BTreeSet<PathBuf>) -> Outcome {
    let entries = std::fs::read_dir(directory).map_err(|e| format!("list {}: {e}", directory.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let done = match (kept.contains(&path), path.is_dir()) {
            (true, true) => {
                forget(&path, kept)?;
                Ok(())
            }
            (true, false) => Ok(()),
            (false, true) => std::fs::remove_dir_all(&path),
            (false, false) => std::fs::remove_file(&path),
        };
        done.map_err(|e| format!("remove {}: {e}", path.display()))?;
    }
    Ok(())
}
