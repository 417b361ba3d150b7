//! Everything outside the core, imagined.

pub mod backend;
pub mod check;
pub mod choice;
pub mod conformance;
pub mod crash;
pub mod exhaustive;
pub mod faults;
pub mod kernel;
pub mod live;
pub mod mutants;
pub mod reference;
pub mod replay;
pub mod run;
pub mod seen;
pub mod store;
pub mod story;
pub mod trace;
pub mod vectors;
pub mod workload;
pub mod world;
