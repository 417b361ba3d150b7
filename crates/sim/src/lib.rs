//! Everything outside the core, imagined.

pub mod kernel;
