//! Why a unit file cannot be dealt with, in systemd's words.

use crate::error::{Errno, Refusal, RefusalKind};
use alloc::format;
use alloc::string::String;

/// Why a unit file cannot be dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such file.
    NotFound(String),
    /// The file is a mask.
    Masked(String),
    /// The unit was made by a call, and its file with it.
    Transient(String),
    /// A link of the operator's, or one that leads in a circle.
    Linked(String),
    /// Something is there already: a file, or a link that leads elsewhere.
    Exists {
        /// Where.
        path: String,
        /// Where the link leads.
        target: Option<String>,
    },
    /// A unit of this name cannot be known by that one.
    Alias {
        /// Its name.
        name: String,
        /// The other one.
        alias: String,
    },
    /// A template cannot be pulled in as long as no instance is named.
    NoInstance(String),
    /// This is no name of a unit.
    InvalidName(String),
    /// No specifier is called so.
    InvalidSpecifier(String),
    /// A specifier that cannot be filled in here.
    Unresolved(String),
    /// This cannot be the subject of the call at all.
    InvalidArgument,
    /// The file cannot be read, or is no unit file.
    Unusable {
        /// Which.
        file: String,
        /// Why.
        errno: Errno,
    },
}

/// `EBADMSG`: this is no unit file.
pub(super) const BAD_MESSAGE: Errno = Errno::Other(74);

/// Error numbers as people know them.
fn words(errno: Errno) -> String {
    match errno {
        Errno::Inval => "Invalid argument".into(),
        Errno::NoEnt => "No such file or directory".into(),
        Errno::Loop => "Too many levels of symbolic links".into(),
        Errno::IsDir => "Is a directory".into(),
        Errno::Access => "Permission denied".into(),
        BAD_MESSAGE => "Bad message".into(),
        other => format!("{other}"),
    }
}

impl Problem {
    /// Why the state of a file cannot be told: the bare error, as systemd gives it.
    #[must_use]
    pub fn bare(&self) -> Refusal {
        let errno = match self {
            Self::NotFound(_) => return Refusal::new(RefusalKind::FileNotFound, words(Errno::NoEnt)),
            Self::Unusable { errno, .. } => *errno,
            Self::Linked(_) => Errno::Loop,
            _ => Errno::Inval,
        };
        Refusal::new(RefusalKind::Errno(errno), words(errno))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let bad = RefusalKind::BadUnitSetting;
        let (kind, text) = match problem {
            Problem::NotFound(name) => (RefusalKind::NoSuchUnit, format!("Unit file {name} does not exist.")),
            Problem::Masked(path) => (RefusalKind::UnitMasked, format!("Unit file {path} is masked.")),
            Problem::Transient(name) => (RefusalKind::UnitGenerated, format!("Unit {name} is transient or generated.")),
            Problem::Linked(name) => {
                (RefusalKind::UnitLinked, format!("Refusing to operate on alias name or linked unit file: {name}"))
            }
            Problem::Exists { path, target: Some(target) } => {
                (RefusalKind::UnitExists, format!("File {path} already exists and is a symlink to {target}."))
            }
            Problem::Exists { path, target: None } => (RefusalKind::UnitExists, format!("File {path} already exists.")),
            Problem::Alias { name, alias } => (bad, format!("Cannot alias {name} as {alias}.")),
            Problem::NoInstance(target) => (bad, format!("Destination unit {target} is a non-template unit.")),
            Problem::InvalidName(name) => (bad, format!("\"{name}\" is not a valid unit name.")),
            Problem::InvalidSpecifier(text) => (bad, format!("Invalid specifier in {text}.")),
            Problem::Unresolved(text) => (bad, format!("Cannot resolve specifiers in {text}.")),
            Problem::InvalidArgument => (RefusalKind::InvalidArgs, "Invalid argument".into()),
            Problem::Unusable { file, errno } => (RefusalKind::Errno(errno), format!("File {file}: {}", words(errno))),
        };
        Self::new(kind, text)
    }
}
