//! Jobs: what a unit is asked to become. Types, modes, results, and the table that merges two jobs on one unit
//! (reference 03.1 to 03.5).

/// A job's number; 1 is the first of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u32);
