//! One function per target: it takes any bytes, does what they say, and panics if something is not as it must be.
//! `fuzz_targets/` hands these functions to libFuzzer, `tests/corpora.rs` replays what is known, `examples/explore.rs`
//! looks for more without libFuzzer.

mod bodies;
mod cgroup_files;
pub mod explore;
mod glob;
mod input;
mod names;
mod properties;
mod records;
mod trace;
mod unit_files;
mod values;
mod world;

pub use bodies::bodies;
pub use cgroup_files::cgroup_files;
pub use glob::glob;
pub use names::names;
pub use properties::properties;
pub use records::records;
pub use trace::trace;
pub use unit_files::unit_files;
pub use world::world;

use std::path::Path;

/// Something that takes bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus.
pub const TARGETS: [(&str, Target); 9] = [
    ("names", names),
    ("properties", properties),
    ("bodies", bodies),
    ("cgroup_files", cgroup_files),
    ("glob", glob),
    ("unit_files", unit_files),
    ("trace", trace),
    ("records", records),
    ("world", world),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// The files of a target's corpus, with their names, in the order of these.
///
/// # Errors
/// What reading them gives.
pub fn corpus(name: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path())?));
    }
    files.sort();
    Ok(files)
}
