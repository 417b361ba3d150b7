//! The arbiter core: rules only.
#![no_std]
extern crate alloc;
