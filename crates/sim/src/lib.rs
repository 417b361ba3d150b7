//! Everything outside the core, imagined.
