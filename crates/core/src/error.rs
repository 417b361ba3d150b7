//! The two kinds of "no": a `Refusal` told to a client (nothing has changed), and an `OpError` told by the kernel.
//! The bus names of refusals stand here, in one table, because clients branch on them (reference 07.4).

use alloc::string::String;
use core::fmt;

/// Why a request is refused; each kind is one error name on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in reference 07.4")]
pub enum RefusalKind {
    NoSuchUnit,
    NoUnitForPid,
    NoUnitForInvocationId,
    NoSuchProcess,
    UnitExists,
    LoadFailed,
    BadUnitSetting,
    UnitMasked,
    UnitGenerated,
    UnitLinked,
    NoSuchJob,
    AlreadySubscribed,
    NotSubscribed,
    OnlyByDependency,
    TransactionJobsConflicting,
    TransactionOrderIsCyclic,
    TransactionIsDestructive,
    JobTypeNotApplicable,
    NoIsolation,
    ScopeNotRunning,
    NotReferenced,
    UnitBusy,
    UnitInactive,
    FreezeCancelled,
    NothingToClean,
    InvalidArgs,
    PropertyReadOnly,
    NotSupported,
    AccessDenied,
    LimitsExceeded,
    FileNotFound,
    UnixProcessIdUnknown,
    UnknownObject,
    UnknownInterface,
    UnknownMethod,
    UnknownProperty,
    Failed,
    IoError,
    /// A variant of the wrong type (`ENXIO`).
    WrongType,
    /// Any other errno of the kernel.
    Errno(Errno),
}

impl RefusalKind {
    /// The error name on the bus.
    #[must_use]
    pub fn bus_name(self) -> &'static str {
        macro_rules! systemd {
            ($name:literal) => {
                concat!("org.freedesktop.systemd1.", $name)
            };
        }
        macro_rules! dbus {
            ($name:literal) => {
                concat!("org.freedesktop.DBus.Error.", $name)
            };
        }
        match self {
            Self::NoSuchUnit => systemd!("NoSuchUnit"),
            Self::NoUnitForPid => systemd!("NoUnitForPID"),
            Self::NoUnitForInvocationId => systemd!("NoUnitForInvocationID"),
            Self::NoSuchProcess => systemd!("NoSuchProcess"),
            Self::UnitExists => systemd!("UnitExists"),
            Self::LoadFailed => systemd!("LoadFailed"),
            Self::BadUnitSetting => systemd!("BadUnitSetting"),
            Self::UnitMasked => systemd!("UnitMasked"),
            Self::UnitGenerated => systemd!("UnitGenerated"),
            Self::UnitLinked => systemd!("UnitLinked"),
            Self::NoSuchJob => systemd!("NoSuchJob"),
            Self::AlreadySubscribed => systemd!("AlreadySubscribed"),
            Self::NotSubscribed => systemd!("NotSubscribed"),
            Self::OnlyByDependency => systemd!("OnlyByDependency"),
            Self::TransactionJobsConflicting => systemd!("TransactionJobsConflicting"),
            Self::TransactionOrderIsCyclic => systemd!("TransactionOrderIsCyclic"),
            Self::TransactionIsDestructive => systemd!("TransactionIsDestructive"),
            Self::JobTypeNotApplicable => systemd!("JobTypeNotApplicable"),
            Self::NoIsolation => systemd!("NoIsolation"),
            Self::ScopeNotRunning => systemd!("ScopeNotRunning"),
            Self::NotReferenced => systemd!("NotReferenced"),
            Self::UnitBusy => systemd!("UnitBusy"),
            Self::UnitInactive => systemd!("UnitInactive"),
            Self::FreezeCancelled => systemd!("FreezeCancelled"),
            Self::NothingToClean => systemd!("NothingToClean"),
            Self::InvalidArgs => dbus!("InvalidArgs"),
            Self::PropertyReadOnly => dbus!("PropertyReadOnly"),
            Self::NotSupported => dbus!("NotSupported"),
            Self::AccessDenied => dbus!("AccessDenied"),
            Self::LimitsExceeded => dbus!("LimitsExceeded"),
            Self::FileNotFound => dbus!("FileNotFound"),
            Self::UnixProcessIdUnknown => dbus!("UnixProcessIdUnknown"),
            Self::UnknownObject => dbus!("UnknownObject"),
            Self::UnknownInterface => dbus!("UnknownInterface"),
            Self::UnknownMethod => dbus!("UnknownMethod"),
            Self::UnknownProperty => dbus!("UnknownProperty"),
            Self::Failed => dbus!("Failed"),
            Self::IoError => dbus!("IOError"),
            Self::WrongType => "System.Error.ENXIO",
            Self::Errno(errno) => errno.bus_name(),
        }
    }
}

/// "No", with the reason in words that a person can act on. Nothing has changed when a client gets one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Hash)]
#[error("{message}")]
pub struct Refusal {
    /// Which "no".
    pub kind: RefusalKind,
    /// The text that goes with it; some clients parse it.
    pub message: String,
}

impl Refusal {
    /// A refusal with its text.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kernel's error numbers that operations on cgroups, processes and records can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as in errno(3)")]
pub enum Errno {
    Again,
    Access,
    BadF,
    Busy,
    Child,
    Exist,
    Inval,
    Io,
    IsDir,
    Loop,
    MFile,
    NameTooLong,
    NFile,
    NoDev,
    NoData,
    NoEnt,
    NoExec,
    NoMem,
    NoSpc,
    NoSys,
    NotDir,
    NotEmpty,
    NotSup,
    NxIo,
    Perm,
    Range,
    RoFs,
    Srch,
    TooBig,
    Other(i32),
}

/// (kind, number on Linux, name, error name on the bus): the one table of error numbers.
const ERRNOS: [(Errno, i32, &str, &str); 29] = [
    (Errno::Again, 11, "EAGAIN", "System.Error.EAGAIN"),
    (Errno::Access, 13, "EACCES", "org.freedesktop.DBus.Error.AccessDenied"),
    (Errno::BadF, 9, "EBADF", "System.Error.EBADF"),
    (Errno::Busy, 16, "EBUSY", "System.Error.EBUSY"),
    (Errno::Child, 10, "ECHILD", "System.Error.ECHILD"),
    (Errno::Exist, 17, "EEXIST", "org.freedesktop.DBus.Error.FileExists"),
    (Errno::Inval, 22, "EINVAL", "org.freedesktop.DBus.Error.InvalidArgs"),
    (Errno::Io, 5, "EIO", "org.freedesktop.DBus.Error.IOError"),
    (Errno::IsDir, 21, "EISDIR", "System.Error.EISDIR"),
    (Errno::Loop, 40, "ELOOP", "System.Error.ELOOP"),
    (Errno::MFile, 24, "EMFILE", "System.Error.EMFILE"),
    (Errno::NameTooLong, 36, "ENAMETOOLONG", "System.Error.ENAMETOOLONG"),
    (Errno::NFile, 23, "ENFILE", "System.Error.ENFILE"),
    (Errno::NoDev, 19, "ENODEV", "System.Error.ENODEV"),
    (Errno::NoData, 61, "ENODATA", "System.Error.ENODATA"),
    (Errno::NoEnt, 2, "ENOENT", "org.freedesktop.DBus.Error.FileNotFound"),
    (Errno::NoExec, 8, "ENOEXEC", "System.Error.ENOEXEC"),
    (Errno::NoMem, 12, "ENOMEM", "org.freedesktop.DBus.Error.NoMemory"),
    (Errno::NoSpc, 28, "ENOSPC", "System.Error.ENOSPC"),
    (Errno::NoSys, 38, "ENOSYS", "System.Error.ENOSYS"),
    (Errno::NotDir, 20, "ENOTDIR", "System.Error.ENOTDIR"),
    (Errno::NotEmpty, 39, "ENOTEMPTY", "System.Error.ENOTEMPTY"),
    (Errno::NotSup, 95, "EOPNOTSUPP", "org.freedesktop.DBus.Error.NotSupported"),
    (Errno::NxIo, 6, "ENXIO", "System.Error.ENXIO"),
    (Errno::Perm, 1, "EPERM", "org.freedesktop.DBus.Error.AccessDenied"),
    (Errno::Range, 34, "ERANGE", "System.Error.ERANGE"),
    (Errno::RoFs, 30, "EROFS", "org.freedesktop.DBus.Error.PropertyReadOnly"),
    (Errno::Srch, 3, "ESRCH", "org.freedesktop.DBus.Error.UnixProcessIdUnknown"),
    (Errno::TooBig, 7, "E2BIG", "System.Error.E2BIG"),
];

impl Errno {
    /// From the kernel's number.
    #[must_use]
    pub fn from_raw(number: i32) -> Self {
        ERRNOS.iter().find(|row| row.1 == number).map_or(Self::Other(number), |row| row.0)
    }

    /// The kernel's number.
    #[must_use]
    pub fn raw(self) -> i32 {
        match self {
            Self::Other(number) => number,
            _ => self.row().1,
        }
    }

    fn row(self) -> &'static (Self, i32, &'static str, &'static str) {
        ERRNOS.iter().find(|row| row.0 == self).expect("every errno but Other stands in the table")
    }

    fn bus_name(self) -> &'static str {
        match self {
            Self::Other(_) => "org.freedesktop.DBus.Error.Failed",
            _ => self.row().3,
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(f, "errno {number}"),
            _ => f.write_str(self.row().2),
        }
    }
}

/// The kernel refused an operation: which file, and with what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Hash)]
#[error("{file}: {errno}")]
pub struct OpError {
    /// What was written, made or removed, as a path an operator can look at.
    pub file: String,
    /// The kernel's answer.
    pub errno: Errno,
}

impl OpError {
    /// An error with the file it is about.
    pub fn new(file: impl Into<String>, errno: Errno) -> Self {
        Self { file: file.into(), errno }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn errno_numbers_and_names_go_both_ways() {
        for (errno, number, name, _) in ERRNOS {
            assert_eq!(Errno::from_raw(number), errno);
            assert_eq!(errno.raw(), number);
            assert_eq!(errno.to_string(), name);
        }
        assert_eq!(Errno::from_raw(9999).raw(), 9999);
    }
}
