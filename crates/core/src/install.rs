//! What `[Install]` sections ask for, and the links that enabling, masking and their like make and remove: pure
//! decisions over the index of files, as it is on the disk at that moment (see `unit_files.rs`). They come out as steps
//! for the store, with what takes each back, and as the list of changes that clients are told.
//!
//! A call is decided as a whole: when one link of it cannot be made, none is.

mod change;
mod enable;
mod find;
mod mask;
mod problem;
mod section;
mod state;

pub use change::{Change, ChangeKind, Decision, Made};
pub use problem::Problem;
pub use section::{Section, check};
pub use state::{list, state};

use crate::config::Config;
use crate::error::Refusal;
use crate::request::FileVerb;
use crate::unit_files::UnitFiles;
use alloc::string::String;
use change::Changer;

/// What a call about unit files comes to.
///
/// # Errors
/// Why it cannot be done; nothing is to be changed then.
pub fn decide(
    files: UnitFiles,
    config: &Config,
    verb: &FileVerb,
    names: &[String],
    runtime: bool,
    force: bool,
) -> Result<Decision, Refusal> {
    let mut changer = Changer::new(files, config, runtime, force);
    let carries = match verb {
        FileVerb::Enable => enable::enable(&mut changer, names)?,
        FileVerb::AddDependency { target, kind } => enable::add_dependency(&mut changer, names, target, kind)?,
        FileVerb::Disable => enable::disable(&mut changer, names, true)?,
        FileVerb::Reenable => {
            enable::disable(&mut changer, names, false)?;
            enable::enable(&mut changer, names)?
        }
        FileVerb::Link => mask::link(&mut changer, names)?,
        FileVerb::Mask => mask::mask(&mut changer, names)?,
        FileVerb::Unmask => mask::unmask(&mut changer, names)?,
        FileVerb::Revert => mask::revert(&mut changer, names)?,
    };
    Ok(changer.finish(carries))
}
