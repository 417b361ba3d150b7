//! The two programs, and the only place where the parts meet.

pub mod args;
pub mod bench;
pub mod control;
pub mod daemon;
