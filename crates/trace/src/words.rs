//! The small vocabulary: names, places, controllers, errors, refusals, numbers with a type, clocks.

use crate::cursor::{Cursor, ParseError, ends_word};
use crate::tables::{choice, record};
use crate::text::{Parse, Print, parse_word};
use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::{Controller, ControllerMask};
use cgarbiter_core::error::{Errno, OpError, Refusal, RefusalKind};
use cgarbiter_core::event::ReadId;
use cgarbiter_core::names::{CgroupPath, UnitName};
use cgarbiter_core::plan::{Pin, PlanId, WatchId};
use cgarbiter_core::request::CallId;
use cgarbiter_core::time::{Instant, Now};
use std::fmt::Write;

macro_rules! numbers {
    ($($type:ident),* $(,)?) => {
        $(
            impl Print for $type {
                fn print(&self, out: &mut String) {
                    self.0.print(out);
                }
            }

            impl Parse for $type {
                fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
                    parse_word(cursor, concat!("a number: ", stringify!($type))).map(Self)
                }
            }
        )*
    };
}

numbers!(CallId, ClientId, Pin, PlanId, ReadId, WatchId);

impl Print for UnitName {
    fn print(&self, out: &mut String) {
        // All that a name of a unit may hold can stand in a word.
        out.push_str(self.as_str());
    }
}

impl Parse for UnitName {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = cursor.place();
        let word = cursor.word("the name of a unit")?;
        Self::parse(word).map_err(|_| cursor.wrong_at(at, "the name of a unit"))
    }
}

impl Print for CgroupPath {
    fn print(&self, out: &mut String) {
        match self.as_str() {
            "" => out.push('/'),
            path if path.contains(ends_word) => path.print(out),
            path => out.push_str(path),
        }
    }
}

impl Parse for CgroupPath {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = cursor.place();
        let path = if cursor.sees('"') {
            Self::parse(&String::parse(cursor)?)
        } else {
            Self::parse(cursor.word("the path of a cgroup")?)
        };
        path.ok_or_else(|| cursor.wrong_at(at, "the path of a cgroup"))
    }
}

impl Print for ControllerMask {
    fn print(&self, out: &mut String) {
        for (index, controller) in self.controllers().enumerate() {
            out.push_str(if index == 0 { "" } else { "+" });
            out.push_str(controller.name());
        }
        if self.is_empty() {
            out.push_str("none");
        }
    }
}

impl Parse for ControllerMask {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = cursor.place();
        let word = cursor.word("controllers")?;
        if word == "none" {
            return Ok(Self::empty());
        }
        let mask = |name| Controller::from_name(name).map(Controller::mask);
        let masks: Option<Self> = word.split('+').map(mask).collect();
        masks.ok_or_else(|| cursor.wrong_at(at, "controllers, or none"))
    }
}

impl Print for Errno {
    fn print(&self, out: &mut String) {
        let _ = match self {
            Self::Other(number) => write!(out, "errno({number})"),
            known => write!(out, "{known}"),
        };
    }
}

impl Parse for Errno {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = cursor.place();
        let word = cursor.word("an error of the kernel")?;
        if word == "errno" {
            return cursor.inside('(', ')', i32::parse).map(Self::Other);
        }
        let is_named = |errno: &Self| !matches!(errno, Self::Other(_)) && errno.to_string() == word;
        let found = (1..ERRNO_END).map(Self::from_raw).find(is_named);
        found.ok_or_else(|| cursor.wrong_at(at, "an error of the kernel, such as ENOENT or errno(4)"))
    }
}

/// All numbers of errors that have names are below this.
const ERRNO_END: i32 = 140;

record!(OpError { file, errno });
record!(Refusal { kind, message });

choice!(RefusalKind {
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
    WrongType,
    Errno(errno),
});

/// Both clocks, in seconds: `36.010203 1700000001.010203`.
impl Print for Now {
    fn print(&self, out: &mut String) {
        print_seconds(self.monotonic.0, out);
        out.push(' ');
        print_seconds(self.realtime, out);
    }
}

impl Parse for Now {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        Ok(Self { monotonic: Instant(parse_seconds(cursor)?), realtime: parse_seconds(cursor)? })
    }
}

fn print_seconds(usec: u64, out: &mut String) {
    let _ = write!(out, "{}.{:06}", usec / 1_000_000, usec % 1_000_000);
}

fn parse_seconds(cursor: &mut Cursor<'_>) -> Result<u64, ParseError> {
    let at = cursor.place();
    let usec = cursor.word("a time").ok().and_then(|word| {
        let (seconds, rest) = word.split_once('.')?;
        let rest: u64 = (rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_digit())).then(|| rest.parse().ok())??;
        seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(rest)
    });
    usec.ok_or_else(|| cursor.wrong_at(at, "a time in seconds with six places, such as 36.010203"))
}
