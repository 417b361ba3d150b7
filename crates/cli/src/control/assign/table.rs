//! Which property takes which form of value. One row per form; the names are those people write.

/// How the text of a value is read, and what it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything → `s`
    Text,
    /// yes, no, … → `b`
    Bool,
    /// A whole number → `i`
    I32,
    /// A whole number → `u`
    U32,
    /// 1 … 10000, empty = unset → `t`
    Weight,
    /// As `Weight`, and `idle` = 0
    CpuWeight,
    /// A size, percentage or `infinity`; empty = 0 → `t`, or `…Scale u`
    Protection,
    /// A size, percentage or `infinity`; empty = infinity → `t`, or `…Scale u`
    SizeLimit,
    /// A number, percentage or `infinity`; empty = infinity → `t`, or `…Scale u`
    CountLimit,
    /// A percentage up to 100 → `u`, fraction of 2^32-1
    Fraction,
    /// A percentage of one CPU → `CPUQuotaPerSecUSec t`
    Quota,
    /// A time span → `…USec t`
    Span,
    /// A time span, empty = infinity → `…USec t`
    SpanLimit,
    /// A signal's name or number → `i`
    Signal,
    /// `0-3,5` → `ay`, a little-endian bitmap
    CpuSet,
    /// Words → `as`
    Words,
    /// yes, no or words → `Delegate b` or `DelegateControllers as`
    Delegate,
    /// One path, empty resets → `as`
    Paths,
    /// `PATH [rwm]`, empty resets → `a(ss)`
    DeviceAllow,
    /// `TYPE:PATH` → `a(ss)`
    Program,
    /// `PATH BYTES`, base 1000 → `a(st)`
    PathSize,
    /// `PATH WEIGHT` → `a(st)`
    PathWeight,
    /// `PATH SPAN` → `a(st)`
    PathSpan,
    /// Addresses with prefix lengths, or any, localhost, link-local, multicast → `a(iayu)`
    Addresses,
    /// `[FAMILY:][PROTOCOL:]PORTS` or `any` → `a(iiqq)`
    Binds,
    /// Interface names, `~` first = all but these → `(bas)`
    Interfaces,
}

/// Every property the client can write.
#[rustfmt::skip]
const TABLE: &[(Form, &[&str])] = &[
    (Form::Text, &[
        "Slice", "DevicePolicy", "ManagedOOMSwap", "ManagedOOMMemoryPressure", "ManagedOOMPreference",
        "DelegateSubgroup", "MemoryPressureWatch", "CPUPressureWatch", "IOPressureWatch", "CPUSetPartition",
        "BindNetworkInterface", "Description", "SourcePath", "CollectMode", "OOMPolicy", "KillMode", "User", "Group",
        "OnSuccessJobMode", "OnFailureJobMode", "JobTimeoutAction", "JobTimeoutRebootArgument", "StartLimitAction",
        "FailureAction", "SuccessAction", "RebootArgument",
    ]),
    (Form::Bool, &[
        "CPUAccounting", "MemoryAccounting", "IOAccounting", "BlockIOAccounting", "TasksAccounting", "IPAccounting",
        "MemoryZSwapWriteback", "CoredumpReceive", "SendSIGHUP", "SendSIGKILL", "DefaultDependencies",
        "StopWhenUnneeded", "RefuseManualStart", "RefuseManualStop", "AllowIsolate", "IgnoreOnIsolate",
        "SurviveFinalKillSignal",
    ]),
    (Form::I32, &["FailureActionExitStatus", "SuccessActionExitStatus"]),
    (Form::U32, &["StartLimitBurst", "ConcurrencyHardMax", "ConcurrencySoftMax"]),
    (Form::Weight, &["IOWeight", "StartupIOWeight"]),
    (Form::CpuWeight, &["CPUWeight", "StartupCPUWeight"]),
    (Form::Protection, &["MemoryMin", "MemoryLow", "DefaultMemoryMin", "DefaultMemoryLow", "StartupMemoryLow",
        "DefaultStartupMemoryLow"]),
    (Form::SizeLimit, &["MemoryHigh", "MemoryMax", "MemorySwapMax", "MemoryZSwapMax", "MemoryLimit",
        "StartupMemoryHigh", "StartupMemoryMax", "StartupMemorySwapMax", "StartupMemoryZSwapMax"]),
    (Form::CountLimit, &["TasksMax"]),
    (Form::Fraction, &["ManagedOOMMemoryPressureLimit"]),
    (Form::Quota, &["CPUQuota"]),
    (Form::Span, &[
        "TimeoutStopSec", "RuntimeMaxSec", "RuntimeRandomizedExtraSec", "JobTimeoutSec", "JobRunningTimeoutSec",
        "StartLimitIntervalSec", "MemoryPressureThresholdSec", "CPUPressureThresholdSec", "IOPressureThresholdSec",
        "ManagedOOMMemoryPressureDurationSec",
    ]),
    (Form::SpanLimit, &["CPUQuotaPeriodSec"]),
    (Form::Signal, &["KillSignal", "RestartKillSignal", "FinalKillSignal", "WatchdogSignal"]),
    (Form::CpuSet, &["AllowedCPUs", "StartupAllowedCPUs", "AllowedMemoryNodes", "StartupAllowedMemoryNodes"]),
    (Form::Words, &[
        "DisableControllers", "Markers", "Documentation", "Requires", "Requisite", "Wants", "BindsTo", "PartOf",
        "Upholds", "Conflicts", "Before", "After", "OnSuccess", "OnFailure", "PropagatesReloadTo",
        "ReloadPropagatedFrom", "PropagatesStopTo", "StopPropagatedFrom", "JoinsNamespaceOf", "RequiresMountsFor",
        "WantsMountsFor",
    ]),
    (Form::Delegate, &["Delegate"]),
    (Form::Paths, &["IPIngressFilterPath", "IPEgressFilterPath"]),
    (Form::DeviceAllow, &["DeviceAllow"]),
    (Form::Program, &["BPFProgram"]),
    (Form::PathSize, &["IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax"]),
    (Form::PathWeight, &["IODeviceWeight"]),
    (Form::PathSpan, &["IODeviceLatencyTargetSec"]),
    (Form::Addresses, &["IPAddressAllow", "IPAddressDeny"]),
    (Form::Binds, &["SocketBindAllow", "SocketBindDeny"]),
    (Form::Interfaces, &["RestrictNetworkInterfaces"]),
];

fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|(_, names)| names.iter().copied())
}

pub(super) fn form_of(name: &str) -> Option<Form> {
    TABLE.iter().find(|(_, names)| names.contains(&name)).map(|(form, _)| *form)
}

/// The property somebody probably meant: another case, the name on the bus, or a slip of the finger.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let person_form = match name {
        "CPUQuotaPerSecUSec" => "CPUQuota".to_owned(),
        _ => name.replace("USec", "Sec").replace("Scale", ""),
    };
    names()
        .chain(super::spoken::keys())
        .map(|known| (distance(&person_form.to_ascii_lowercase(), &known.to_ascii_lowercase()), known))
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, known)| known)
}

/// Edits (insert, drop, replace a byte) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substitute = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use cgarbiter_core::names::UnitType;
    use cgarbiter_core::properties::{Row, When, row, rows};

    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let mut all: Vec<_> = names().collect();
        all.sort_unstable();
        let before = all.len();
        all.dedup();
        assert_eq!(before, all.len());
    }

    /// What a name and form become on the bus, with the signature of the value.
    fn on_the_wire() -> Vec<(String, String)> {
        let sample = |form: Form| match form {
            Form::Text | Form::Words | Form::Paths | Form::Interfaces | Form::CpuSet => "",
            Form::Bool => "yes",
            Form::Delegate => "yes",
            Form::I32 | Form::U32 | Form::Weight | Form::CpuWeight => "1",
            Form::Protection | Form::SizeLimit | Form::CountLimit => "1",
            Form::Fraction | Form::Quota => "1%",
            Form::Span | Form::SpanLimit => "1s",
            Form::Signal => "TERM",
            Form::DeviceAllow | Form::Program | Form::PathSize | Form::PathWeight | Form::PathSpan => "",
            Form::Addresses | Form::Binds => "",
        };
        let encode = |form, name: &str, text: &str| {
            let property = super::super::encode(name, form, text).unwrap();
            (property.name, property.value.to_variant().value_signature().to_string())
        };
        let mut all = Vec::new();
        for (form, name) in TABLE.iter().flat_map(|(form, names)| names.iter().map(|name| (*form, *name))) {
            all.push(encode(form, name, sample(form)));
            match form {
                Form::Protection | Form::SizeLimit | Form::CountLimit => all.push(encode(form, name, "1%")),
                Form::Delegate => all.push(encode(form, name, "cpu")),
                _ => {}
            }
        }
        all
    }

    #[test]
    fn types_are_those_of_the_server() {
        for (name, signature) in on_the_wire() {
            if let Some(row) = row(&name) {
                assert_eq!(row.signature(), signature, "{name}");
            }
        }
    }

    fn missing(wanted: impl Fn(&Row) -> bool) -> String {
        let known: Vec<String> = on_the_wire().into_iter().map(|(name, _)| name).collect();
        let missing = rows().filter(|row| wanted(row) && !known.iter().any(|name| name == row.name));
        missing.map(|row| row.name).collect::<Vec<_>>().join(" ")
    }

    /// All but the names of version 1 of cgroups.
    #[test]
    fn everything_changeable_can_be_written() {
        insta::assert_snapshot!(missing(|row| row.is_settable(UnitType::Scope, false)), @"CPUShares StartupCPUShares BlockIOWeight StartupBlockIOWeight BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth");
    }

    /// All of a new scope but old spellings, what `run` sends by itself, what needs a bus, and backward dependencies.
    #[test]
    fn everything_of_a_new_scope_can_be_written() {
        let at_creation = missing(|row| row.when == When::Creation && row.is_settable(UnitType::Scope, true));
        insta::assert_snapshot!(at_creation, @"RequiresOverridable RequisiteOverridable AddRef RequiredBy RequisiteOf WantedBy BoundBy UpheldBy ConsistsOf ConflictedBy OnSuccessOf OnFailureOf Triggers TriggeredBy References ReferencedBy InSlice SliceOf PIDs PIDFDs Controller");
    }

    #[test]
    fn suggestions() {
        assert_eq!(nearest("memorymax"), Some("MemoryMax"));
        assert_eq!(nearest("MemoryMaxScale"), Some("MemoryMax"));
        assert_eq!(nearest("CPUQuotaPerSecUSec"), Some("CPUQuota"));
        assert_eq!(nearest("TimeoutStopUSec"), Some("TimeoutStopSec"));
        assert_eq!(nearest("AlowedCPUs"), Some("AllowedCPUs"));
        assert_eq!(nearest("Colour"), None);
    }
}
