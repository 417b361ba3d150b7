//! The kinds of properties: how a value is stored. Checking, applying, printing and reading hang on the kind alone, so
//! that a property is nothing but a row of the table.

use crate::exec::FileMode;
use crate::settings::{CpuSet, Dependency, IpPrefix, ServiceCommand, Settings, StatusSet};
use crate::unit_file::boolean;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// Where in the settings something is kept.
pub(super) struct Field<T: 'static> {
    pub(super) get: fn(&Settings) -> &T,
    pub(super) get_mut: fn(&mut Settings) -> &mut T,
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

/// A field reached by a path: plain, below `resources.extra`, `rare` or `service`.
macro_rules! field {
    (extra $name:ident) => {
        $crate::properties::kind::Field {
            get: |s| &s.resources.extra().$name,
            get_mut: |s| &mut s.resources.extra_mut().$name,
        }
    };
    (rare $name:ident) => {
        $crate::properties::kind::Field { get: |s| &s.rare().$name, get_mut: |s| &mut s.rare_mut().$name }
    };
    (exec $name:ident) => {
        $crate::properties::kind::Field { get: |s| &s.exec().$name, get_mut: |s| &mut s.exec_mut().$name }
    };
    (service $name:ident) => {
        $crate::properties::kind::Field { get: |s| &s.service().$name, get_mut: |s| &mut s.service_mut().$name }
    };
    ($($path:ident).+) => {
        $crate::properties::kind::Field { get: |s| &s.$($path).+, get_mut: |s| &mut s.$($path).+ }
    };
}
pub(super) use field;

/// One of a few words.
pub(super) struct Choice {
    /// The words, in the order of the numbers that `get` and `set` speak of.
    pub(super) words: &'static [&'static str],
    /// Words that systemd knows, too, but that are not served here.
    pub(super) unserved: &'static [&'static str],
    pub(super) get: fn(&Settings) -> usize,
    pub(super) set: fn(&mut Settings, usize),
    /// Whether the refusal names the property; otherwise it is that of `EINVAL`.
    pub(super) named_refusal: bool,
}

impl Choice {
    /// The place of a word. Where the first words are `no` and `yes`, other words for that will do.
    pub(super) fn place_of(&self, word: &str) -> Option<usize> {
        let found = self.words.iter().position(|known| *known == word);
        let is_switch = self.words.starts_with(&["no", "yes"]);
        found.or_else(|| boolean(word).filter(|_| is_switch).map(usize::from))
    }
}

/// A signed number in a range; in files, some have names.
pub(super) struct Integer {
    pub(super) get: fn(&Settings) -> i32,
    pub(super) set: fn(&mut Settings, i32),
    pub(super) range: RangeInclusive<i32>,
    pub(super) words: &'static [(&'static str, i32)],
}

/// A size in bytes with its least value, and whether setting it, even to 0, is remembered.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) field: Field<u64>,
    pub(super) set: Option<Field<bool>>,
    pub(super) minimum: u64,
}

/// How values of a property are stored.
pub(super) enum Kind {
    /// `b`
    Flag(Field<bool>),
    /// `b` that can also be unset.
    OptionalFlag(Field<Option<bool>>),
    /// `s`; empty is unset.
    Text(Field<Option<String>>, fn(&str) -> bool),
    /// `s`: user or group.
    Principal(Field<Option<Arc<str>>>),
    /// `s`
    Description,
    /// `s`
    Choice(Choice),
    /// `i`: a signal number.
    Signal(fn(&Settings) -> i32, fn(&mut Settings, i32)),
    /// `t`: microseconds.
    Time(Field<u64>),
    /// `t`: microseconds to wait for the end; in the file of a service, 0 is without end.
    StopTime(Field<u64>),
    /// `t`: microseconds; 0 is never.
    Patience(Field<Option<u64>>),
    /// `t`: microseconds, or unset. With `true`, 0 in a file is without end.
    OptionalTime(Field<Option<u64>>, bool),
    /// `u`
    Count(Field<u32>),
    /// `u`, or unset.
    OptionalCount(Field<Option<u32>>),
    /// `(aiai)`: exit codes and signals; nothing at all resets.
    Statuses(Field<StatusSet>),
    /// `t`: a number in a range, or `u64::MAX` for unset. With `true`, 0 is `idle`.
    Weight(Field<u64>, u64, u64, bool),
    /// `t`: microseconds per second.
    Quota(Field<u64>),
    /// `t`: microseconds.
    Period(Field<u64>),
    /// `ay`
    CpuSet(Field<CpuSet>),
    /// `t`
    Memory(Memory),
    /// `u`: a fraction of the machine's memory.
    MemoryScale(Memory),
    /// `t`
    TasksMax,
    /// `u`: a fraction of the tasks the system can hold.
    TasksMaxScale,
    /// `u`: a fraction.
    Fraction(Field<u32>),
    /// `a(st)`: weights by device, in a range; with the text of the refusal.
    DeviceWeights(Field<Vec<(String, u64)>>, u64, u64, &'static str),
    /// `a(st)`: the n-th of four limits by device.
    DeviceLimit(usize),
    /// `a(st)`: microseconds by device.
    DeviceLatency,
    /// `a(st)`: the n-th of two bandwidths by device.
    DeviceBandwidth(usize),
    /// `a(ss)`
    DeviceAllow,
    /// `a(iayu)`
    IpPrefixes(Field<Vec<IpPrefix>>),
    /// `i`
    Integer(Integer),
    /// `u`: permissions, octal in files.
    Mode(Field<u32>),
    /// `t`: the n-th resource limit, hard or soft.
    Limit(usize, bool),
    /// `t`: a set of capabilities.
    Capabilities(Field<u64>),
    /// `a(sb)`
    EnvironmentFiles,
    /// `s`: the n-th standard stream.
    Stream(usize),
    /// `s`: the file that the n-th standard stream is, opened in this way.
    StreamFile(usize, FileMode),
    /// `h`: a descriptor for the n-th standard stream.
    StreamHandle(usize),
    /// `b`
    Delegate,
    /// `as`
    DelegateControllers,
    /// `as`
    DisableControllers,
    /// `as`; an empty list resets. With the check of each, and the words for its refusal.
    Strings(Field<Vec<String>>, fn(&str) -> bool, &'static str),
    /// `as`: variables; an empty list resets.
    Environment,
    /// `as`
    Markers,
    /// `a(sasb)`: the commands of one step of a service.
    Commands(ServiceCommand),
    /// `a(sasas)`: the same with flags by name.
    CommandsEx(ServiceCommand),
    /// `as`: names of units.
    Dependency(Dependency),
    /// `as`: the other end of a dependency, which only the graph makes.
    Inverse,
    /// `s`
    Slice,
    /// `au`
    Pids,
    /// `ah`
    PidFds,
    /// `b`
    AddRef,
    /// `s`
    Controller,
}

impl Kind {
    /// The D-Bus signature of the values.
    pub(super) fn signature(&self) -> &'static str {
        match self {
            Self::Flag(_) | Self::OptionalFlag(_) | Self::Delegate | Self::AddRef => "b",
            Self::Text(..)
            | Self::Principal(_)
            | Self::Description
            | Self::Choice(_)
            | Self::Slice
            | Self::Stream(_)
            | Self::StreamFile(..)
            | Self::Controller => "s",
            Self::Signal(..) | Self::Integer(_) => "i",
            Self::Time(_)
            | Self::StopTime(_)
            | Self::Patience(_)
            | Self::OptionalTime(..)
            | Self::Weight(..)
            | Self::Quota(_)
            | Self::Period(_)
            | Self::Memory(_)
            | Self::Limit(..)
            | Self::Capabilities(_)
            | Self::TasksMax => "t",
            Self::MemoryScale(_)
            | Self::TasksMaxScale
            | Self::Fraction(_)
            | Self::Count(_)
            | Self::OptionalCount(_)
            | Self::Mode(_) => "u",
            Self::Statuses(_) => "(aiai)",
            Self::CpuSet(_) => "ay",
            Self::DeviceWeights(..) | Self::DeviceLimit(_) | Self::DeviceLatency | Self::DeviceBandwidth(_) => "a(st)",
            Self::DeviceAllow => "a(ss)",
            Self::IpPrefixes(_) => "a(iayu)",
            Self::DelegateControllers
            | Self::DisableControllers
            | Self::Strings(..)
            | Self::Environment
            | Self::Markers
            | Self::Dependency(_)
            | Self::Inverse => "as",
            Self::Commands(_) => "a(sasb)",
            Self::CommandsEx(_) => "a(sasas)",
            Self::Pids => "au",
            Self::PidFds => "ah",
            Self::EnvironmentFiles => "a(sb)",
            Self::StreamHandle(_) => "h",
        }
    }
}
