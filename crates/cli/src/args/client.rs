//! The command line of `cgarbiter`, the client.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

const AFTER_HELP: &str = "\
Without --address the client tries, in this order, /run/cgarbiter/systemd1.sock, \
/run/systemd/private and the system bus; with --session the same three of the user's own manager. \
Any server of org.freedesktop.systemd1 will do, systemd itself included.

With --json the answer on standard output is one JSON value and nothing else; errors are one JSON \
object on standard error.

Exit status:
  0         success
  1         the request was refused or a job failed
  2         the command line is wrong
  3         the unit does not support the operation; status: the unit is not active
  4         not permitted; status: there is no such unit
  5         the unit is not loaded
  6         the unit could not be loaded
  7         no server answered
  126, 127  run: the command cannot be executed, is not found
  other     run: with --scope, --wait, --pipe or --pty, that of the command; 128 and a signal's number if
            one ended it; 200 to 243 if the service's process could not become the command

Environment:
  CGARBITER_ADDRESS         where to connect, like --address
  CGARBITER_EDITOR, VISUAL, EDITOR
                            which editor to use (edit); vi if none is set
  XDG_RUNTIME_DIR           where the sockets of the user's manager are (--session)
  DBUS_SYSTEM_BUS_ADDRESS   the system bus
  DBUS_SESSION_BUS_ADDRESS  the session bus (--session)";

/// Inspect and steer the slices, scopes and services of a machine.
///
/// Speaks org.freedesktop.systemd1 to cgarbiterd, or to systemd.
#[derive(Debug, Parser)]
#[command(name = "cgarbiter", version, disable_help_subcommand = true, after_long_help = AFTER_HELP)]
#[command(after_help = "See --help for exit status and environment.")]
pub struct Args {
    /// Where and how to talk.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every subcommand takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Global {
    /// Connect to this D-Bus address: a peer-to-peer socket (unix:path=…) or a message bus
    #[arg(long, global = true, value_name = "ADDRESS", env = "CGARBITER_ADDRESS")]
    pub address: Option<String>,
    /// Talk to the manager of the system (default)
    #[arg(long, global = true, conflicts_with = "session")]
    pub system: bool,
    /// Talk to the user's own manager
    #[arg(long, global = true, visible_alias = "user")]
    pub session: bool,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command in a new service, or in a new scope
    Run(Box<Run>),
    /// Show the tree of slices with live figures
    Ls(Ls),
    /// List units
    List(List),
    /// Show what a unit or the manager is doing
    Status(Status),
    /// Show properties of a unit or of the manager
    Show(Show),
    /// Change properties of a unit
    Set(Set),
    /// Start units
    Start(Jobs),
    /// Stop units
    Stop(Jobs),
    /// Stop units and start them again
    Restart(Jobs),
    /// Have units take over changed settings of their own; without units, read all unit files again
    Reload(Reload),
    /// Send a signal to the processes of units
    Kill(Kill),
    /// Freeze the processes of units
    Freeze(Units),
    /// Let frozen processes run on
    Thaw(Units),
    /// Forget that units failed
    ResetFailed(Patterns),
    /// List pending jobs
    ListJobs,
    /// List unit files and whether they are enabled
    ListUnitFiles(ListFiles),
    /// Show the files of units
    Cat(Units),
    /// Write a drop-in of a unit in an editor
    Edit(Edit),
    /// Let units be started as their [Install] sections ask
    Enable(Enable),
    /// Undo enable
    Disable(Enable),
    /// Disable, then enable
    Reenable(Enable),
    /// Make units impossible to start
    Mask(Files),
    /// Undo mask
    Unmask(Files),
    /// Make unit files from elsewhere known
    Link(Files),
    /// Return unit files to what is installed
    Revert(FileList),
    /// Look at how units stand to each other
    #[command(subcommand)]
    Analyze(Analyze),
    /// Look for faults in unit files, without a server
    Check(Check),
    /// Show the steps a request would take, without taking them
    #[command(subcommand)]
    Plan(Plan),
    /// See it work: an arbiter of its own on the best backend there is, and nothing left afterwards
    Demo,
    /// Show the versions of the client and of the server
    Version,
    /// Print a completion script
    Completions(Completions),
    /// Write the man pages of all programs into a directory
    Man(Man),
}

/// `cgarbiter run`
#[derive(Debug, Clone, clap::Args)]
pub struct Run {
    /// Become the command, in a scope: it stays in the foreground, with all it has inherited
    #[arg(long, conflicts_with_all = ["wait", "pipe", "pty", "remain_after_exit", "service_type", "no_block", "setenv",
        "working_directory", "same_dir"])]
    pub scope: bool,
    /// Set a property of the unit, for example MemoryMax=64M (may be repeated)
    #[arg(short, long = "property", value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
    /// Name of the unit; .service (or .scope) is added if missing
    #[arg(short, long, value_name = "NAME")]
    pub unit: Option<String>,
    /// Put the unit into this slice; .slice is added if missing
    #[arg(long, value_name = "SLICE")]
    pub slice: Option<String>,
    /// Describe the unit (default: the command line)
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Wait until the service has ended, say how, and exit as it did; an interrupt is passed on to it
    #[arg(long, conflicts_with = "no_block")]
    pub wait: bool,
    /// Connect the service to our standard streams; waits, too
    #[arg(short = 'P', long, conflicts_with = "no_block")]
    pub pipe: bool,
    /// Connect the service to this terminal by one of its own; waits, too. With --pipe: if this is a terminal
    #[arg(short = 't', long, conflicts_with = "no_block")]
    pub pty: bool,
    /// Return when the start is queued
    #[arg(long)]
    pub no_block: bool,
    /// Drop the unit when it ends, even if it failed
    #[arg(short = 'G', long)]
    pub collect: bool,
    /// Let the service count as running when its processes have ended
    #[arg(short, long)]
    pub remain_after_exit: bool,
    /// When the service counts as started: simple, exec (the default), oneshot, forking, notify, …
    #[arg(long, value_name = "TYPE")]
    pub service_type: Option<String>,
    /// Run the command as this user
    #[arg(long, value_name = "USER")]
    pub uid: Option<String>,
    /// Run the command as this group
    #[arg(long, value_name = "GROUP")]
    pub gid: Option<String>,
    /// Run the command at this nice level
    #[arg(long, value_name = "-20..19", allow_hyphen_values = true, value_parser = clap::value_parser!(i32).range(-20..=19))]
    pub nice: Option<i32>,
    /// Set a variable of the command; without a value, to what it is here (may be repeated)
    #[arg(short = 'E', long, value_name = "NAME[=VALUE]")]
    pub setenv: Vec<String>,
    /// Run the command in this directory (default: /)
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub working_directory: Option<String>,
    /// Run the command in the directory where we are
    #[arg(short = 'd', long, conflicts_with = "working_directory")]
    pub same_dir: bool,
    /// Do not say which unit was started, nor how it ended
    #[arg(short, long)]
    pub quiet: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND", value_hint = clap::ValueHint::CommandWithArguments)]
    pub command: Vec<std::ffi::OsString>,
}

/// `cgarbiter ls`
#[derive(Debug, Clone, clap::Args)]
pub struct Ls {
    /// Show only the tree below this slice
    #[arg(value_name = "SLICE")]
    pub slice: Option<String>,
    /// Show the processes of each scope and service
    #[arg(short, long)]
    pub processes: bool,
    /// Show units that are not active, too
    #[arg(short, long)]
    pub all: bool,
}

/// `cgarbiter list`
#[derive(Debug, Clone, clap::Args)]
pub struct List {
    /// Names or shell patterns
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Show only units in these load, active or sub states (comma-separated, may be repeated)
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<String>,
    /// Show only units of these types (slice, scope, service, …)
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Show inactive units, too
    #[arg(short, long)]
    pub all: bool,
    /// Print neither heading nor summary
    #[arg(long)]
    pub no_legend: bool,
}

/// `cgarbiter status`
#[derive(Debug, Clone, clap::Args)]
pub struct Status {
    /// Units, or pids whose unit is meant; without any, the manager
    #[arg(value_name = "UNIT|PID")]
    pub units: Vec<String>,
}

/// `cgarbiter show`
#[derive(Debug, Clone, clap::Args)]
pub struct Show {
    /// Units; without any, the manager
    #[arg(value_name = "UNIT")]
    pub units: Vec<String>,
    /// Show only these properties (comma-separated, may be repeated)
    #[arg(short, long = "property", value_name = "NAME", value_delimiter = ',')]
    pub properties: Vec<String>,
    /// Print values without names
    #[arg(long)]
    pub value: bool,
}

/// `cgarbiter set`
#[derive(Debug, Clone, clap::Args)]
pub struct Set {
    /// The unit
    #[arg(value_name = "UNIT")]
    pub unit: String,
    /// What to set, for example MemoryMax=64M CPUWeight=idle
    #[arg(required = true, value_name = "NAME=VALUE")]
    pub assignments: Vec<String>,
    /// Forget the change at the next boot
    #[arg(long)]
    pub runtime: bool,
    /// Show the steps, and take none
    #[arg(long)]
    pub plan: bool,
}

/// `cgarbiter start`, `stop`, `restart`
#[derive(Debug, Clone, clap::Args)]
pub struct Jobs {
    /// The units
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
    /// Return when the jobs are queued
    #[arg(long)]
    pub no_block: bool,
    /// Show the steps, and take none
    #[arg(long)]
    pub plan: bool,
}

/// `cgarbiter reload`
#[derive(Debug, Clone, clap::Args)]
pub struct Reload {
    /// The units; without any, the manager reads all unit files again
    #[arg(value_name = "UNIT")]
    pub units: Vec<String>,
    /// Return when the jobs are queued
    #[arg(long)]
    pub no_block: bool,
    /// Show the steps, and take none
    #[arg(long, requires = "units")]
    pub plan: bool,
}

/// `cgarbiter list-unit-files`
#[derive(Debug, Clone, clap::Args)]
pub struct ListFiles {
    /// Names or shell patterns
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Show only files in these states (comma-separated, may be repeated)
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<String>,
    /// Show only files of units of these types
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
}

/// `cgarbiter mask`, `unmask`, `link`
#[derive(Debug, Clone, clap::Args)]
pub struct Files {
    /// Names of units, or paths of their files
    #[arg(required = true, value_name = "UNIT|PATH")]
    pub names: Vec<String>,
    /// Until the next boot only
    #[arg(long)]
    pub runtime: bool,
    /// Replace links that lead elsewhere
    #[arg(short, long)]
    pub force: bool,
    /// Show the steps, and take none
    #[arg(long)]
    pub plan: bool,
}

/// `cgarbiter enable`, `disable`, `reenable`
#[derive(Debug, Clone, clap::Args)]
pub struct Enable {
    /// Which, and how.
    #[command(flatten)]
    pub files: Files,
    /// Start (disable: stop) the units, too
    #[arg(long)]
    pub now: bool,
}

/// `cgarbiter revert`
#[derive(Debug, Clone, clap::Args)]
pub struct FileList {
    /// The units
    #[arg(required = true, value_name = "UNIT")]
    pub names: Vec<String>,
    /// Show the steps, and take none
    #[arg(long)]
    pub plan: bool,
}

/// `cgarbiter edit`
#[derive(Debug, Clone, clap::Args)]
pub struct Edit {
    /// The unit
    #[arg(value_name = "UNIT")]
    pub unit: String,
    /// Name of the drop-in
    #[arg(long, value_name = "NAME", default_value = "override")]
    pub drop_in: String,
    /// Until the next boot only
    #[arg(long)]
    pub runtime: bool,
    /// Take the text from standard input
    #[arg(long)]
    pub stdin: bool,
}

/// `cgarbiter analyze`
#[derive(Debug, Clone, Subcommand)]
pub enum Analyze {
    /// Find loaded units that are all to come after each other
    Cycles,
    /// Show the steps that starting a unit would take
    Plan(PlanUnit),
}

/// `cgarbiter check`
#[derive(Debug, Clone, clap::Args)]
pub struct Check {
    /// Unit files and drop-ins
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `cgarbiter kill`
#[derive(Debug, Clone, clap::Args)]
pub struct Kill {
    /// The units
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
    /// Which signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "TERM")]
    pub signal: String,
    /// Which processes
    #[arg(long, visible_alias = "kill-whom", default_value = "all", value_name = "WHOM")]
    pub whom: Whom,
}

/// Which processes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Whom {
    /// The main process of a service
    Main,
    /// The control process of a service
    Control,
    /// All of them
    All,
    /// As main, but fail if there is none
    MainFail,
    /// As control, but fail if there is none
    ControlFail,
    /// As all, but fail if there is none
    AllFail,
}

/// `cgarbiter freeze`, `cgarbiter thaw`
#[derive(Debug, Clone, clap::Args)]
pub struct Units {
    /// The units
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
}

/// `cgarbiter reset-failed`
#[derive(Debug, Clone, clap::Args)]
pub struct Patterns {
    /// The units; without any, all that failed
    #[arg(value_name = "UNIT", action = ArgAction::Append)]
    pub units: Vec<String>,
}

/// `cgarbiter plan`
#[derive(Debug, Clone, Subcommand)]
pub enum Plan {
    /// Start a transient unit
    Start(PlanStart),
    /// Stop a unit
    Stop(PlanUnit),
    /// Change properties of a unit
    Set(Set),
}

/// `cgarbiter plan start`
#[derive(Debug, Clone, clap::Args)]
pub struct PlanStart {
    /// The unit; .scope is added if there is no type
    #[arg(value_name = "UNIT")]
    pub unit: String,
    /// A property, for example MemoryMax=64M (may be repeated)
    #[arg(short, long = "property", value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
    /// The slice to put it into; .slice is added if missing
    #[arg(long, value_name = "SLICE")]
    pub slice: Option<String>,
    /// Processes to take in (may be repeated; default for a scope: this one)
    #[arg(long = "pid", value_name = "PID")]
    pub pids: Vec<u32>,
}

/// `cgarbiter plan stop`
#[derive(Debug, Clone, clap::Args)]
pub struct PlanUnit {
    /// The unit
    #[arg(value_name = "UNIT")]
    pub unit: String,
}

/// `cgarbiter completions`
#[derive(Debug, Clone, clap::Args)]
pub struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
    /// For which program
    #[arg(long, value_name = "PROGRAM", default_value = "cgarbiter")]
    pub program: String,
}

/// `cgarbiter man`
#[derive(Debug, Clone, clap::Args)]
pub struct Man {
    /// The directory; it is made if missing
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}
