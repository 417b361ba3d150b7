//! Everything outside the core, imagined.

pub mod backend;
pub mod conformance;
pub mod kernel;
pub mod live;
pub mod replay;
pub mod store;
pub mod trace;
pub mod vectors;
pub mod world;
