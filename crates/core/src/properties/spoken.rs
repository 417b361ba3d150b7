//! Assignments as people write them, for clients: what a key of unit files becomes on the bus. The reading is that of
//! unit files (`text.rs`), so that both mean the same; only specifiers are none here, as with systemd-run.

use super::kind::Kind;
use super::table::{Row, rows, rows_with_key};
use super::{default_settings, read, text};
use crate::config::Config;
use crate::names::{UnitName, UnitType};
use crate::settings::{ExecCommand, Settings, StreamKind};
use crate::unit_file::{Section, Source, escape_specifiers};
use crate::value::Value;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// What `key=text` of a service's file is on the bus: properties and values. None if there is no such key.
///
/// # Errors
/// Why the text is not understood, wholly or in part.
#[must_use]
pub fn spoken(key: &str, value: &str) -> Option<Result<Vec<(&'static str, Value)>, String>> {
    let row = rows_with_key(text::current_key(key)).find(|row| row.types.has(UnitType::Service))?;
    let (name, config) = (UnitName::parse("spoken.service").expect("a name"), Config::example());
    let source = Source { name: &name, path: "", config: &config };
    let mut settings = default_settings(UnitType::Service, &config);
    let mut notes = Vec::new();
    // Most values may hold specifiers, which systemd-run does not know; a percent sign is then just that.
    let literal = if reads_percentages(row) { value.into() } else { escape_specifiers(value).into_owned() };
    let taken = text::assign(row.section, key, &literal, &source, &mut settings, &mut notes);
    Some(match (taken, notes.is_empty()) {
        (Err(fault), _) => Err(fault.text),
        (Ok(()), false) => Err(notes.join("; ")),
        (Ok(()), true) => Ok(as_sent(row, &settings, &config)),
    })
}

fn reads_percentages(row: &Row) -> bool {
    matches!(row.kind, Kind::Memory(_) | Kind::TasksMax | Kind::Fraction(_) | Kind::Quota(_))
}

fn as_sent(row: &'static Row, settings: &Settings, config: &Config) -> Vec<(&'static str, Value)> {
    match &row.kind {
        Kind::Commands(step) => vec![(extended(row), commands(settings.service().commands(*step)))],
        Kind::Limit(index, _) => {
            let both = rows().filter(|row| matches!(row.kind, Kind::Limit(other, _) if other == *index));
            both.filter_map(|row| shown(row, settings, config)).collect()
        }
        Kind::Stream(number) => vec![stream(row, *number, settings)],
        _ => shown(row, settings, config).into_iter().collect(),
    }
}

fn shown(row: &'static Row, settings: &Settings, config: &Config) -> Option<(&'static str, Value)> {
    read(row.name, settings, config, UnitType::Service).map(|value| (row.name, value))
}

/// The spelling of the property that knows flags.
fn extended(row: &Row) -> &'static str {
    let same_key = rows_with_key(row.key).filter(|row| row.section == Section::Type);
    same_key.map(|row| row.name).find(|name| name.ends_with("Ex")).expect("each list of commands has one")
}

fn commands(list: &[ExecCommand]) -> Value {
    let command = |command: &ExecCommand| {
        let flags = [("ignore-failure", command.ignore_failure), ("no-env-expand", command.no_env_expand)];
        let set = flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| *flag);
        Value::Struct(vec![Value::str(&command.path), Value::strings(&command.arguments), Value::strings(set)])
    };
    Value::Array("(sasas)".into(), list.iter().map(command).collect())
}

/// A file goes by a property of its own.
fn stream(row: &'static Row, number: usize, settings: &Settings) -> (&'static str, Value) {
    let stream = &settings.exec().streams[number];
    let of_file = |other: &&Row| match (&other.kind, stream.kind) {
        (Kind::StreamFile(of, mode), StreamKind::File(wanted)) => *of == number && *mode == wanted,
        _ => false,
    };
    match (rows().find(of_file), stream.file.as_deref()) {
        (Some(file), Some(path)) => (file.name, Value::str(path)),
        _ => (row.name, Value::Str(super::context::stream_word(number, settings.exec()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Transport;
    use crate::properties::{Context, parse};
    use alloc::format;
    use alloc::string::ToString;
    use insta::assert_snapshot;

    fn sent(assignment: &str) -> String {
        let (key, value) = assignment.split_once('=').expect("an assignment");
        match spoken(key, value) {
            None => "unknown".into(),
            Some(Err(why)) => why,
            Some(Ok(list)) => list.iter().map(|(name, value)| format!("{name} {value:?}\n")).collect(),
        }
    }

    #[test]
    fn what_people_write_is_what_is_sent() {
        let all = [
            "User=nobody",
            "LimitNOFILE=100:200",
            "StandardOutput=append:/tmp/x",
            "StandardError=null",
            "EnvironmentFile=-/etc/x",
            "UMask=077",
            "RestartSec=5ms",
            "SuccessExitStatus=7 SIGHUP",
            "ReadWriteDirectories=/a",
            "Restart=sometimes",
            "Restarts=no",
        ];
        let text: String = all.iter().map(|one| format!("{one}: {}\n", sent(one))).collect();
        assert_snapshot!(text.replace("\n\n", "\n"), @r#"
        User=nobody: User Str("nobody")
        LimitNOFILE=100:200: LimitNOFILE U64(200)
        LimitNOFILESoft U64(100)
        StandardOutput=append:/tmp/x: StandardOutputFileToAppend Str("/tmp/x")
        StandardError=null: StandardError Str("null")
        EnvironmentFile=-/etc/x: EnvironmentFiles Array("(sb)", [Struct([Str("/etc/x"), Bool(true)])])
        UMask=077: UMask U32(63)
        RestartSec=5ms: RestartUSec U64(5000)
        SuccessExitStatus=7 SIGHUP: SuccessExitStatus Struct([Array("i", [I32(7)]), Array("i", [I32(1)])])
        ReadWriteDirectories=/a: ReadWritePaths Array("s", [Str("/a")])
        Restart=sometimes: Invalid value 'sometimes' in Restart=, ignoring.
        Restarts=no: unknown
        "#);
    }

    #[test]
    fn commands_keep_their_flags_and_percent_signs() {
        let sent = spoken("ExecStopPost", "-:/bin/echo \"a b\" $X 5% ; /bin/true").expect("known").expect("fine");
        let command = |path: &str, arguments: &[&str], flags: &[&str]| {
            Value::Struct(vec![Value::str(path), Value::strings(arguments), Value::strings(flags)])
        };
        let echo = command("/bin/echo", &["/bin/echo", "a b", "$X", "5%"], &["ignore-failure", "no-env-expand"]);
        let list = vec![echo, command("/bin/true", &["/bin/true"], &[])];
        assert_eq!(sent, [("ExecStopPostEx", Value::Array("(sasas)".into(), list))]);
    }

    /// The server takes what this makes: the name is settable, the type is the property's.
    #[test]
    fn what_is_sent_is_taken() {
        let config = Config::example();
        let context =
            Context { unit_type: UnitType::Service, creating: true, transport: &Transport::Private, config: &config };
        for assignment in [
            "ExecStartPre=/bin/true",
            "LimitCPU=5",
            "StandardInput=file:/x",
            "CapabilityBoundingSet=~CAP_KILL",
            "CPUAffinity=0-1",
            "IOSchedulingClass=idle",
            "ProtectSystem=strict",
            "RuntimeDirectory=a b",
            "Nice=-5",
            "WatchdogSec=1s",
            "Environment=A=1 \"B=2 3\"",
            "PIDFile=/run/x",
            "NotifyAccess=all",
            "Type=exec",
        ] {
            let (key, value) = assignment.split_once('=').expect("an assignment");
            for (name, value) in spoken(key, value).expect("known").expect("understood") {
                let taken = parse(name, &value, &context);
                assert!(taken.is_ok(), "{assignment}: {name}: {}", taken.map_err(|e| e.to_string()).expect_err("no"));
            }
        }
    }
}
