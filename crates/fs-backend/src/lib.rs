//! Runs the arbiter's plans on the real cgroup file system, and answers its questions about it. No rule lives here.
//!
//! ```no_run
//! use cgarbiter_fs_backend::{Executor, Kernel, Options, Root, RootChoice};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let root = Root::find(&RootChoice::default())?;
//! let kernel = Kernel::probe(&root);
//! for line in kernel.remarks() {
//!     eprintln!("{line}");
//! }
//! let mut executor = Executor::new(root, kernel, &Options::default())?;
//! // let report = executor.run(&plan);                       // do
//! // let answer = executor.answer(&question);                // look
//! executor.drain(&mut |event| println!("{event:?}"));        // when executor.notices() is readable
//! # Ok(())
//! # }
//! ```
//!
//! [`Executor`] can be cloned: a clone shares the pins, the watches, the children and the store, and may run plans on a
//! thread of its own while the first answers questions. One plan is in flight at a time.

mod apply;
mod child;
mod cmdline;
mod device;
mod dirs;
mod errno;
mod executor;
mod find;
mod launcher;
mod machine;
mod notify;
pub mod parse;
mod pins;
mod probe;
mod read;
mod reaper;
mod root;
mod signal;
mod spawn;
mod spawner;
mod store;
mod sys;
mod tree;
mod unit_files;
mod watch;

pub use executor::{ChildOutput, Executor, Options};
pub use launcher::{Launched, Launcher, Report};
pub use machine::{machine, specifiers};
pub use probe::Kernel;
pub use root::{Root, RootChoice, RootError};
pub use spawner::{SPAWNER_ARGUMENT, handles, serve as serve_as_spawner};
pub use store::is_persistent;
