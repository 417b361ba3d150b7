//! The command line of `cgarbiterd`, the daemon.

use clap::{Parser, ValueEnum};
use serde::Deserialize;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Every option can stand in the configuration file under the same name (/etc/cgarbiter/cgarbiter.toml, then \
/etc/cgarbiter/conf.d/*.toml in the order of their names); the command line wins. [defaults] in the file sets what \
units start with: timeout-stop, tasks-max (a number, \"infinity\" or a percentage), cpu-accounting, io-accounting, \
memory-accounting, tasks-accounting. unsupported-limits = \"report\" or \"refuse\" says what becomes of a limit whose \
controller the tree does not have.

Signals:
  TERM, INT  stop serving; everything that runs goes on running, limits stay
  USR2       give way to the program that is installed now under the same path (as the method Reexecute does): it \
takes over units, processes and listening sockets; if it does not accept the configuration, nothing changes

Exit status:
  0  stopped by a signal, or --check-config found nothing wrong
  1  could not go on
  2  the command line is wrong
  3  the configuration file is wrong
  4  the cgroup tree cannot be managed (not there, not ours, not writable)
  5  a socket or bus name could not be had

Environment:
  CGARBITER_LOG              what to log, e.g. info or cgarbiter=debug
  NOTIFY_SOCKET              tell this socket when ready (sd_notify)
  DBUS_SYSTEM_BUS_ADDRESS    the system bus
  DBUS_SESSION_BUS_ADDRESS   the session bus";

/// Be the arbiter of a cgroup-v2 tree, and answer org.freedesktop.systemd1.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "cgarbiterd", version, after_long_help = AFTER_HELP)]
#[command(after_help = "See --help for the configuration file, signals, exit status and environment.")]
pub struct Args {
    /// Where the cgroups are: the real file system, or an imagined kernel around the clients' real processes
    #[arg(long, value_enum)]
    pub backend: Option<BackendChoice>,
    /// Manage the tree below this directory of a cgroup2 mount, instead of the whole mount
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Serve peer-to-peer connections on this Unix socket; may be given several times
    #[arg(long, value_name = "PATH")]
    pub socket: Vec<PathBuf>,
    /// Join this message bus: system, session, an address, or none
    #[arg(long, value_name = "BUS")]
    pub bus: Option<String>,
    /// Be found by software that looks for systemd: off, or global (/run/systemd/system, /run/systemd/private)
    #[arg(long, value_enum)]
    pub presence: Option<Presence>,
    /// Whose directories hold unit files and drop-ins
    #[arg(long, value_enum)]
    pub unit_paths: Option<UnitPathChoice>,
    /// Put every unit file and drop-in below this directory
    #[arg(long, value_name = "DIR")]
    pub file_root: Option<PathBuf>,
    /// Work in a tree that systemd owns although it was not delegated
    #[arg(long)]
    pub beside_systemd: bool,
    /// Let all users connect to the sockets; what each may do is checked all the same
    #[arg(long)]
    pub open_sockets: bool,
    /// Read this configuration file instead of those in /etc/cgarbiter
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration, say what it comes to, and exit
    #[arg(long)]
    pub check_config: bool,
    /// Record everything that happens in this file, as text that `cgarbiter-sim replay` can replay
    ///
    /// Every request, every answer of the kernel and every effect stands in it, with its time: command lines of
    /// processes, environments and whatever else clients send included. Only the owner may read it. What is there
    /// already is kept as FILE.old. Recording ends when the file has reached its limit or cannot be written; serving
    /// goes on.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// End the recording when the file is this long, in MiB [default: 256]
    #[arg(long, value_name = "MIB")]
    pub record_limit: Option<u64>,
    /// Write a newline to this file descriptor when ready, and close it (s6, dinit)
    #[arg(long, value_name = "FD")]
    pub notify_fd: Option<i32>,
}

/// Where the cgroups are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The real file system if it can be managed, else the simulated kernel
    #[default]
    Auto,
    /// The real file system
    Cgroupfs,
    /// The simulated kernel
    Sim,
}

/// Who shall find us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Only who knows our sockets
    #[default]
    Off,
    /// Everybody who looks for systemd
    Global,
}

/// Whose directories hold unit files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitPathChoice {
    /// Our own, below /run/cgarbiter and /etc/cgarbiter
    Own,
    /// systemd's
    Systemd,
}
