//! Where things are in the work tree, and the few file operations with an error that names the file.

use crate::Outcome;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The top of the work tree.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|e| format!("read {}: {e}", path.display()))
}

pub(crate) fn write(path: &Path, content: &str) -> Outcome {
    fs::write(path, content).map_err(|e| format!("write {}: {e}", path.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Outcome {
    fs::copy(from, to).map(drop).map_err(|e| format!("copy {} to {}: {e}", from.display(), to.display()))
}

/// The directory, made with its parents if need be, and empty.
pub(crate) fn fresh_directory(path: &Path) -> Outcome {
    if path.exists() {
        fs::remove_dir_all(path).map_err(|e| format!("remove {}: {e}", path.display()))?;
    }
    directory(path)
}

pub(crate) fn directory(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(|e| format!("make {}: {e}", path.display()))
}

/// Copies a directory with everything in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Outcome {
    directory(to)?;
    let entries = fs::read_dir(from).map_err(|e| format!("list {}: {e}", from.display()))?;
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        match entry.path() {
            path if path.is_dir() => copy_tree(&path, &target)?,
            path => copy(&path, &target)?,
        }
    }
    Ok(())
}

/// A file of that many zero bytes that takes no room on the disk.
pub(crate) fn empty_disk(path: &Path, bytes: u64) -> Outcome {
    let file = fs::File::create(path).map_err(|e| format!("make {}: {e}", path.display()))?;
    file.set_len(bytes).map_err(|e| format!("size {}: {e}", path.display()))
}
