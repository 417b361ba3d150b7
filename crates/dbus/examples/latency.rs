//! How long calls on the peer-to-peer socket take when the core answers at once: one at a time, sixteen in flight,
//! StartTransientUnit with its signals, ListUnits of 5,000. Client and server are two threads.
//!
//! `cargo run --release -p cgarbiter-dbus --example latency`
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measuring program")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;
use support::client::{call, start_transient};
use support::{Client, Server};

const UNITS: usize = 5000;

fn main() {
    let server = Server::start_busy(UNITS);
    let mut client = Client::connect(&server.socket());
    println!("resident, with one client: {}", resident());
    let empty = call("GetUnitByPID", &(1u32,));
    one_at_a_time("GetUnitByPID", &mut client, &empty, 1, 50_000);
    in_flight("GetUnitByPID", &mut client, &empty, 1, 200_000);
    let start = start_transient("libpod-1.scope");
    one_at_a_time("StartTransientUnit + 2 signals", &mut client, &start, 3, 30_000);
    in_flight("StartTransientUnit + 2 signals", &mut client, &start, 3, 100_000);
    one_at_a_time("ListUnits of 5,000", &mut client, &call("ListUnits", &()), 1, 200);
    println!("resident at the end: {}", resident());
}

fn one_at_a_time(what: &str, client: &mut Client, call: &zbus::Message, answers: usize, count: usize) {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        client.send(call);
        take(client, answers);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("{what}, one at a time: p50 {:?}, p99 {:?}", times[count / 2], times[count * 99 / 100]);
}

fn in_flight(what: &str, client: &mut Client, call: &zbus::Message, answers: usize, count: usize) {
    let burst = call.data().bytes().repeat(16);
    let start = Instant::now();
    for _ in 0..count / 16 {
        client.say(&burst);
        take(client, answers * 16);
    }
    let each = start.elapsed() / u32::try_from(count / 16 * 16).expect("few");
    println!("{what}, 16 in flight: {each:?} each");
}

fn take(client: &mut Client, mut answers: usize) {
    while answers > 0 {
        match client.take_frame() {
            Some(_) => answers -= 1,
            None => assert!(client.fill() > 0),
        }
    }
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned()
}
