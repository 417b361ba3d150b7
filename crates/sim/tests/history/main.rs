//! The historical bugs of systemd and its clients that concern a manager, each told as a short story in the imagined
//! world, with what the client would have seen. docs/historical-bugs.md has the list; `cargo ci mutant-cores` puts each
//! bug back into a copy of the code and demands that its story fails.

mod delegation;
mod empty_notices;
mod leftovers;
mod pids;
mod properties;
mod replies;
mod restart;
mod results;
mod story;
mod waiting;
