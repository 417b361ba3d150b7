//! What can go wrong, in words an operator can act on, and the exit status that says so.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;

use super::assign::AssignError;

pub(crate) const FAILURE: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const NOT_APPLICABLE: u8 = 3;
pub(crate) const NOT_PERMITTED: u8 = 4;
pub(crate) const NOT_LOADED: u8 = 5;
pub(crate) const LOAD_FAILED: u8 = 6;
pub(crate) const NO_SERVER: u8 = 7;
pub(crate) const CANNOT_EXECUTE: u8 = 126;
pub(crate) const NOT_FOUND: u8 = 127;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// One address that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) address: String,
    pub(crate) reason: String,
}

/// Why a verb did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no server of org.freedesktop.systemd1 answers{}", tried(.0))]
    NoServer(Vec<Attempt>),
    /// The server answered with an error.
    #[error("{what}: {text}{}", hint(.name))]
    Refused { what: String, name: String, text: String },
    #[error("{what}: {source}")]
    Transport { what: String, source: zbus::Error },
    #[error("{what}: no answer within {seconds} s")]
    NoAnswer { what: String, seconds: u64 },
    #[error("the connection ended while waiting for the job of {unit}")]
    Disconnected { unit: String },
    #[error("{}", job_text(.unit, .result))]
    Job { unit: String, result: String },
    /// A service whose process says why it did not come up.
    #[error("cannot start {unit}: {why}")]
    NotStarted { unit: String, why: String },
    #[error("{0}")]
    Assign(#[from] AssignError),
    #[error("{0}")]
    Usage(String),
    #[error("{what}: {}", io_text(.source))]
    Io { what: String, source: io::Error },
    #[error("cannot execute {command}: {}", io_text(.source))]
    Exec { command: String, source: io::Error },
    /// Everything was said already; only the exit status is left.
    #[error("exit status {0}")]
    Status(u8),
}

impl Error {
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::NoServer(_) => NO_SERVER,
            Self::Refused { name, .. } => status_of(name),
            Self::Assign(_) | Self::Usage(_) => USAGE,
            Self::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::Exec { .. } => CANNOT_EXECUTE,
            Self::Status(status) => *status,
            Self::Transport { .. }
            | Self::NoAnswer { .. }
            | Self::Disconnected { .. }
            | Self::Job { .. }
            | Self::NotStarted { .. }
            | Self::Io { .. } => FAILURE,
        }
    }

    /// The D-Bus name of the error, if the server gave one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Refused { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The error of a call made to achieve `what`.
    pub(crate) fn from_call(what: &str, error: zbus::Error) -> Self {
        let what = what.to_owned();
        match error {
            zbus::Error::MethodError(name, text, _) => {
                let name = name.to_string();
                Self::Refused { what, text: text_or_name(text.as_deref(), &name), name }
            }
            zbus::Error::FDO(error) => {
                use zbus::DBusError as _;
                let name = error.name().to_string();
                Self::Refused { what, text: text_or_name(error.description(), &name), name }
            }
            source => Self::Transport { what, source },
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    pub(crate) fn as_json(&self) -> ErrorJson<'_> {
        ErrorJson { error: ErrorBody { message: self.to_string(), name: self.name(), exit_status: self.exit_status() } }
    }
}

/// The shape of an error on standard error with `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorJson<'a> {
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    message: String,
    name: Option<&'a str>,
    exit_status: u8,
}

/// Error name → exit status, as systemctl has it.
fn status_of(name: &str) -> u8 {
    const STATUS: &[(&str, u8)] = &[
        ("org.freedesktop.DBus.Error.AccessDenied", NOT_PERMITTED),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", NOT_PERMITTED),
        ("org.freedesktop.systemd1.OnlyByDependency", NOT_PERMITTED),
        ("org.freedesktop.systemd1.NoIsolation", NOT_PERMITTED),
        ("org.freedesktop.systemd1.TransactionIsDestructive", NOT_PERMITTED),
        ("org.freedesktop.systemd1.NoSuchUnit", NOT_LOADED),
        ("org.freedesktop.systemd1.JobTypeNotApplicable", NOT_APPLICABLE),
        ("org.freedesktop.DBus.Error.NotSupported", NOT_APPLICABLE),
        ("org.freedesktop.systemd1.LoadFailed", LOAD_FAILED),
    ];
    STATUS.iter().find(|(known, _)| *known == name).map_or(FAILURE, |(_, status)| *status)
}

/// The system's own words, without "(os error 2)".
pub(crate) fn io_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

fn tried(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return ": XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS are not set, so there is nowhere to look".to_owned();
    }
    let mut text = String::new();
    for Attempt { address, reason } in attempts {
        let _ = write!(text, "\n  {address}: {reason}");
    }
    text
}

fn hint(name: &str) -> &'static str {
    match name {
        "org.freedesktop.DBus.Error.AccessDenied" | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
            if !nix::unistd::geteuid().is_root() =>
        {
            " (try as root)"
        }
        _ => "",
    }
}

/// What the server said. A bus daemon's refusal is a page of detail nobody can use.
fn text_or_name(text: Option<&str>, name: &str) -> String {
    match text {
        None | Some("") => name.to_owned(),
        Some(text) if text.starts_with("Rejected send message") => "the message bus does not let you".to_owned(),
        Some(text) => text.to_owned(),
    }
}

/// Job result → sentence.
fn job_text(unit: &str, result: &str) -> String {
    let text = match result {
        "failed" => "failed",
        "canceled" => "was canceled",
        "timeout" => "timed out",
        "dependency" => "was not run because a unit it depends on failed",
        "invalid" => "is not possible in the unit's present state",
        "assert" => "was refused by an assertion of the unit",
        "unsupported" => "is not supported here",
        "collected" => "was dropped before it ran",
        "once" => "was not run: the unit runs only once and has run",
        "frozen" => "is not possible while the unit is frozen",
        "concurrency" => "was refused: its slice runs as many units as it may",
        other => return format!("the job of {unit} ended with '{other}'"),
    };
    format!("the job of {unit} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> Error {
        Error::Refused {
            what: "cannot stop a.scope".into(),
            name: name.into(),
            text: "Unit a.scope not loaded.".into(),
        }
    }

    #[test]
    fn statuses_are_those_of_systemctl() {
        for (name, status) in [
            ("org.freedesktop.DBus.Error.AccessDenied", 4),
            ("org.freedesktop.systemd1.OnlyByDependency", 4),
            ("org.freedesktop.systemd1.NoIsolation", 4),
            ("org.freedesktop.systemd1.TransactionIsDestructive", 4),
            ("org.freedesktop.systemd1.NoSuchUnit", 5),
            ("org.freedesktop.systemd1.JobTypeNotApplicable", 3),
            ("org.freedesktop.DBus.Error.NotSupported", 3),
            ("org.freedesktop.systemd1.LoadFailed", 6),
            ("org.freedesktop.systemd1.UnitMasked", 1),
            ("org.freedesktop.DBus.Error.InvalidArgs", 1),
        ] {
            assert_eq!(refused(name).exit_status(), status, "{name}");
        }
        assert_eq!(Error::NoServer(vec![]).exit_status(), 7);
        assert_eq!(Error::Job { unit: "a.scope".into(), result: "timeout".into() }.exit_status(), 1);
        assert_eq!(Error::Usage("x".into()).exit_status(), 2);
    }

    #[test]
    fn texts() {
        let attempt = |address: &str, reason: &str| Attempt { address: address.into(), reason: reason.into() };
        let none = Error::NoServer(vec![
            attempt("unix:path=/run/cgarbiter/systemd1.sock", "No such file or directory"),
            attempt("the system bus", "Connection refused"),
        ]);
        insta::assert_snapshot!(none, @r"
        no server of org.freedesktop.systemd1 answers
          unix:path=/run/cgarbiter/systemd1.sock: No such file or directory
          the system bus: Connection refused
        ");
        insta::assert_snapshot!(refused("org.freedesktop.systemd1.NoSuchUnit"), @"cannot stop a.scope: Unit a.scope not loaded.");
        insta::assert_snapshot!(Error::Job { unit: "a.scope".into(), result: "timeout".into() }, @"the job of a.scope timed out");
        insta::assert_snapshot!(Error::Job { unit: "a.scope".into(), result: "odd".into() }, @"the job of a.scope ended with 'odd'");
    }

    #[test]
    fn io_errors_in_the_words_of_the_system() {
        let source = io::Error::from_raw_os_error(libc::ENOENT);
        let error = Error::Exec { command: "x".into(), source };
        insta::assert_snapshot!(error, @"cannot execute x: No such file or directory");
        assert_eq!(error.exit_status(), 127);
    }

    #[test]
    fn json() {
        let text = serde_json::to_string(&refused("org.freedesktop.systemd1.NoSuchUnit").as_json()).unwrap();
        insta::assert_snapshot!(text, @r#"{"error":{"message":"cannot stop a.scope: Unit a.scope not loaded.","name":"org.freedesktop.systemd1.NoSuchUnit","exit_status":5}}"#);
    }
}
