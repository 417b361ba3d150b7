//! The floor of services: the program that they run, started and waited for by nobody's manager.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::wait::wait;

use super::load::{PAYLOAD, name_of};
use super::report::Report;
use crate::args::bench::Args;

pub(super) fn run(args: &Args) -> io::Result<Report> {
    let began = Instant::now();
    let mut live: BTreeMap<i32, Instant> = BTreeMap::new();
    let mut times = Vec::with_capacity(args.count as usize);
    for started in 0..=args.count {
        // At the end all that are left.
        let room = if started == args.count { 0 } else { args.depth as usize - 1 };
        while live.len() > room {
            let ended = wait()?.pid().and_then(|pid| live.remove(&pid.as_raw()));
            times.extend(ended.map(|since| since.elapsed()));
        }
        if started < args.count {
            let since = Instant::now();
            // Waited for above, whichever ends first.
            let child = Command::new(PAYLOAD).stdin(Stdio::null()).env_clear().spawn()?;
            live.insert(child.id() as i32, since);
        }
    }
    Ok(Report { operation: name_of(args.operation), depth: args.depth, took: began.elapsed(), times, errors: 0 })
}
