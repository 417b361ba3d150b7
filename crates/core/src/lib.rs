//! The arbiter's core: all of its rules, none of its I/O.
//!
//! A pure state machine without clock, file, thread, randomness or async: what is not in an [`Event`] did not happen.
//!
//! ```text
//! manager.handle_event(now, event);               // in:   something happened
//! manager.handle_timeout(now);                    // in:   time passed
//! while let Some(effect) = manager.poll_effect()  // out:  something to do, in order
//! let wake = manager.poll_timeout();              // out:  when to call handle_timeout
//! let graph = manager.graph();                    // look: changes nothing
//! ```
//!
//! What an earlier life has left comes in once, before the first event: [`Manager::recover`] with what was [`Found`].
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod atoms;
pub mod attribute;
pub mod canonical;
pub mod cgarbiter1;
pub mod client;
pub mod config;
pub mod controllers;
pub mod effect;
pub mod error;
pub mod event;
pub mod exec;
pub mod found;
pub mod glob;
pub mod graph;
pub mod install;
pub mod invariants;
pub mod job;
pub mod jobs;
pub mod manager;
pub mod names;
pub mod notification;
mod ordering;
pub mod persist;
pub mod plan;
pub mod policy;
pub mod propagation;
pub mod properties;
mod realize;
pub mod realized;
pub mod request;
pub mod resources;
mod rng;
pub mod service;
pub mod settings;
pub mod slice;
pub mod systemd1;
pub mod time;
pub mod timers;
mod transaction;
pub mod unit;
pub mod unit_file;
pub mod unit_files;
pub mod value;
mod work;

pub use config::Config;
pub use effect::{Audience, Effect, Reply, Signal};
pub use error::{Errno, OpError, Refusal, RefusalKind};
pub use event::{Answer, Event, Question, ReadId};
pub use found::Found;
pub use manager::Manager;
pub use plan::{Op, Outcome, Plan, Report, Step};
pub use request::{CallId, Request};
pub use time::{Instant, Now};
