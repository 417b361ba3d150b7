//! Rows that every unit has: description, dependencies, load and job behaviour (reference 06.2).

use super::{Row, Types, When};
use crate::properties::kind::{Choice, Kind, field};
use crate::settings::{CollectMode, Dependency};
use crate::unit_file::Section;

const fn creation(name: &'static str, key: &'static str, kind: Kind) -> Row {
    Row { name, key, section: Section::Unit, types: Types::ANY, when: When::Creation, controller: None, kind }
}

const fn runtime(name: &'static str, key: &'static str, kind: Kind) -> Row {
    Row { when: When::Runtime, ..creation(name, key, kind) }
}

macro_rules! dependencies {
    ($($kind:ident),*) => { [$(dependency(stringify!($kind), Dependency::$kind)),*] };
}

const fn dependency(name: &'static str, kind: Dependency) -> Row {
    creation(name, name, Kind::Dependency(kind))
}

macro_rules! inverses {
    ($($name:literal),*) => { [$(creation($name, "", Kind::Inverse)),*] };
}

const fn is_absolute(path: &str) -> bool {
    matches!(path.as_bytes(), [b'/', ..])
}

/// A rough form of systemd's check: one of five schemes with something behind it.
fn is_documentation(url: &str) -> bool {
    ["http://", "https://", "file:/", "info:", "man:"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        && url.bytes().all(|b| b.is_ascii_graphic())
}

const COLLECT_MODES: [CollectMode; 2] = [CollectMode::Inactive, CollectMode::InactiveOrFailed];

pub(super) const SETTINGS: &[Row] = &[
    runtime("Description", "Description", Kind::Description),
    runtime("Markers", "", Kind::Markers),
    creation(
        "Documentation",
        "Documentation",
        Kind::Strings(field!(rare documentation), is_documentation, "Invalid URL in"),
    ),
    creation("SourcePath", "SourcePath", Kind::Text(field!(rare source_path), is_absolute)),
    creation("DefaultDependencies", "DefaultDependencies", Kind::Flag(field!(default_dependencies))),
    creation("StopWhenUnneeded", "StopWhenUnneeded", Kind::Flag(field!(rare stop_when_unneeded))),
    creation("RefuseManualStart", "RefuseManualStart", Kind::Flag(field!(rare refuse_manual_start))),
    creation("RefuseManualStop", "RefuseManualStop", Kind::Flag(field!(rare refuse_manual_stop))),
    creation("AllowIsolate", "AllowIsolate", Kind::Flag(field!(rare allow_isolate))),
    creation("IgnoreOnIsolate", "IgnoreOnIsolate", Kind::OptionalFlag(field!(rare ignore_on_isolate))),
    creation(
        "CollectMode",
        "CollectMode",
        Kind::Choice(Choice {
            words: &["inactive", "inactive-or-failed"],
            unserved: &[],
            get: |s| s.collect_mode as usize,
            set: |s, index| s.collect_mode = COLLECT_MODES[index],
            named_refusal: true,
        }),
    ),
    creation("JobTimeoutUSec", "JobTimeoutSec", Kind::Patience(field!(rare job_timeout_usec))),
    creation(
        "StartLimitIntervalUSec",
        "StartLimitIntervalSec",
        Kind::OptionalTime(field!(rare start_limit_interval_usec), false),
    ),
    creation("StartLimitBurst", "StartLimitBurst", Kind::OptionalCount(field!(rare start_limit_burst))),
    creation(
        "StartLimitAction",
        "StartLimitAction",
        Kind::Choice(Choice {
            words: &["none"],
            unserved: &[
                "reboot",
                "reboot-force",
                "reboot-immediate",
                "poweroff",
                "poweroff-force",
                "poweroff-immediate",
                "exit",
                "exit-force",
            ],
            get: |_| 0,
            set: |_, _| {},
            named_refusal: true,
        }),
    ),
    creation("JobRunningTimeoutUSec", "JobRunningTimeoutSec", Kind::Patience(field!(rare job_running_timeout_usec))),
    creation(
        "RequiresMountsFor",
        "RequiresMountsFor",
        Kind::Strings(field!(rare requires_mounts_for), is_absolute, "Path specified is not absolute in"),
    ),
    // Obsolete names of two dependencies.
    creation("RequiresOverridable", "Requires", Kind::Dependency(Dependency::Requires)),
    creation("RequisiteOverridable", "Requisite", Kind::Dependency(Dependency::Requisite)),
    creation("AddRef", "", Kind::AddRef),
];

pub(super) const DEPENDENCIES: &[Row] = &dependencies![
    Requires,
    Requisite,
    Wants,
    BindsTo,
    PartOf,
    Upholds,
    Conflicts,
    Before,
    After,
    OnSuccess,
    OnFailure,
    PropagatesReloadTo,
    ReloadPropagatedFrom,
    PropagatesStopTo,
    StopPropagatedFrom,
    JoinsNamespaceOf
];

/// The other ends of dependencies: known, but made by the graph alone.
pub(super) const INVERSES: &[Row] = &inverses![
    "RequiredBy",
    "RequisiteOf",
    "WantedBy",
    "BoundBy",
    "UpheldBy",
    "ConsistsOf",
    "ConflictedBy",
    "OnSuccessOf",
    "OnFailureOf",
    "Triggers",
    "TriggeredBy",
    "References",
    "ReferencedBy",
    "InSlice",
    "SliceOf"
];
