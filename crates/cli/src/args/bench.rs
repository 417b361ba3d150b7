//! The command line of `cgarbiter-bench`, the load client.

use clap::{Parser, ValueEnum};

/// Load a server of org.freedesktop.systemd1 and print one JSON object with the figures.
///
/// Fields: op, n, depth, seconds, per_second, p50_us, p99_us, max_us (time of one operation, from sending the call
/// until it is done), errors. Exit status 1 if there were errors.
#[derive(Debug, Parser)]
#[command(name = "cgarbiter-bench", version)]
pub struct Args {
    /// What to do
    pub operation: Operation,
    /// How often
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// How many in flight at once
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub depth: u32,
    /// The Unix socket to connect to, as a path or as unix:path=…
    #[arg(long, env = "CGARBITER_ADDRESS", default_value = "unix:path=/run/dbus/system_bus_socket")]
    pub address: String,
    /// The socket is a manager's own: no message bus, no Hello
    #[arg(long)]
    pub peer: bool,
    /// Part of the unit names, to keep several runs apart
    #[arg(long, default_value = "a", value_name = "WORD")]
    pub tag: String,
    /// Keep processes and connection for so many seconds after the figures are printed
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub hold: u64,
    /// Give up after so many seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub limit: u64,
}

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Start scopes with one process each, until JobRemoved
    Scope,
    /// Start slices, until JobRemoved
    Slice,
    /// Start a scope, kill its process, until UnitRemoved
    Cycle,
    /// Start services that run `true`, until UnitRemoved
    Service,
    /// Stop the slices that `slice` left
    Stop,
    /// ListUnits
    List,
    /// GetUnitByPID of one process in a scope
    Pid,
    /// SetUnitProperties of TasksMax on bench.slice
    Set,
    /// Peer.Ping: the floor, client and transport only
    Ping,
    /// Start `true` without any manager and wait for its end: the floor of `service`
    Spawn,
}
