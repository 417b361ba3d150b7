//! The guest's kernel and root image: made once by image/recipe.sh, kept in ci/cache under a key of the recipe.

use crate::{Outcome, files, step};
use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// What the recipe makes.
pub(crate) struct Image {
    pub(crate) directory: PathBuf,
}

impl Image {
    pub(crate) fn kernel(&self) -> PathBuf {
        self.directory.join("vmlinuz")
    }

    pub(crate) fn modules(&self) -> PathBuf {
        self.directory.join("modules")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root.img")
    }
}

/// The cached image if it fits the recipe and the package versions of the apt lists, otherwise a new one.
pub(crate) fn ensure() -> Outcome<Image> {
    let recipe = files::workspace().join("ci/image/recipe.sh");
    let cache = files::workspace().join("ci/cache");
    let directory = cache.join(key(&recipe)?);
    if directory.join("root.img").exists() {
        return Ok(Image { directory });
    }
    files::directory(&cache)?;
    // Made aside and renamed, so that an interrupted run leaves nothing that looks complete.
    let aside = cache.join("unfinished");
    files::fresh_directory(&aside)?;
    step::run("guest image", Command::new(&recipe).arg(&aside))?;
    fs::rename(&aside, &directory).map_err(|e| format!("rename {}: {e}", aside.display()))?;
    remove_others(&cache, &directory);
    Ok(Image { directory })
}

/// The recipe's text and what it says it depends on, as a file name.
fn key(recipe: &Path) -> Outcome<String> {
    let versions = Command::new(recipe).arg("--key").output().map_err(|e| format!("{}: {e}", recipe.display()))?;
    if !versions.status.success() {
        return Err(format!("{} --key failed: {}", recipe.display(), String::from_utf8_lossy(&versions.stderr)));
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(files::read(recipe)?.as_bytes());
    hasher.write(&versions.stdout);
    Ok(format!("{:016x}", hasher.finish()))
}

/// Images of older recipes: 900 MB each, of no more use.
fn remove_others(cache: &Path, keep: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.path() != keep {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
