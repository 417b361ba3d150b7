//! Traces: everything that goes into the core and everything that comes out of it, as text that a person can read.
//!
//! ```text
//! cgarbiter-trace 1
//! # cgarbiterd 0.1.0: simulated kernel; no cgroup is touched
//! 35.000001 1700000000.000000 start
//!         {root="" supported=cpu+memory+pids …}
//!         {cgroups=[…] files=[…]}
//! 36.010203 1700000001.010203 connected 2
//! 36.010344 1700000001.010344 request 1 {id=2 transport=Private uid=0 pid=77} StartTransient{name="x.scope" …}
//!   read 1 Pin([77])
//! 36.010401 1700000001.010401 read 1 Processes([Held{pin=1 uid=0}])
//!   emit All UnitNew(x.scope)
//!   run 1
//!     x.scope Start Stop Mkdir{cgroup=/x.scope}
//! ```
//!
//! * The first line names the format and its version. Lines that begin with `#`, and empty ones, mean nothing.
//! * A line without indent is an input: both clocks in seconds, a word, and what belongs to it. Two blanks: an effect
//!   that followed. Four: a step of the plan above. Eight: the line before goes on.
//! * `Word`, `Word(item)`, `Word{name=item name=item}`, `{name=item …}`, `[item, item]`, `(item, item)`, `-` for none,
//!   numbers, `"text"` with Rust's escapes, `<hex>` for bytes, names of units and cgroups as they are. Words are the
//!   core's own.
//! * The start holds what the core is told and, if there is anything, what an earlier arbiter has left.
//! * A value of the bus is its signature and its content, as busctl prints it, with brackets instead of counts:
//!   `t 67108864`, `a(ss) [("a", "b")]`, `a{sv} ["Key"=s "x"]`.
//!
//! Requests are recorded decoded, as the core gets them: that is what decides, and it has no other spelling on another
//! transport. Inputs are read back exactly ([`Records`]); effects are compared as text. What is to happen with either
//! is not this crate's business: the daemon writes, the simulator replays.

mod client;
mod config;
mod cursor;
mod effect;
mod event;
mod found;
mod plan;
mod reader;
mod request;
mod tables;
mod text;
mod value;
mod words;
mod writer;

pub use cursor::ParseError;
pub use reader::{Input, Output, Record, Records, TraceError, is_trace};
pub use text::{Parse, Print, parse, print};
pub use writer::Writer;

/// The first line of a trace, without the version.
pub const FORMAT: &str = "cgarbiter-trace";

/// The version that is written and read.
pub const VERSION: u32 = 1;
