//! Values of the execution context: how they are checked, read from files and written.

use super::values::{self, Checked};
use super::{invalid, plainly_invalid, wrong_type};
use crate::error::{Errno, Refusal, RefusalKind};
use crate::exec::FileMode;
use crate::plan::Pin;
use crate::settings::{ExecSettings, StreamKind};
use crate::unit_file::{self, Escapes, Words};
use crate::value::Value;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// Capabilities by number, as the kernel names them without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Every one of them.
const ALL_CAPABILITIES: u64 = (1 << CAPABILITIES.len()) - 1;

/// Words of standard streams that go to the log.
const LOGS: [&str; 5] = ["journal", "kmsg", "journal+console", "kmsg+console", "syslog"];

/// A number in a range.
pub(super) fn check_integer(name: &str, value: &Value, range: &RangeInclusive<i32>) -> Result<Checked, Refusal> {
    let number = values::i32(value)?;
    if range.contains(&number) {
        Ok(Checked::Integer(number))
    } else {
        Err(invalid(format!("Invalid {name}: {number}")))
    }
}

/// Permissions.
pub(super) fn check_mode(name: &str, value: &Value) -> Result<Checked, Refusal> {
    match values::u32(value)? {
        mode @ 0..=0o7777 => Ok(Checked::Fraction(mode)),
        mode => Err(invalid(format!("Invalid {name} setting: {mode:o}"))),
    }
}

/// A set of capabilities; all that there are is simply all.
pub(super) fn check_capabilities(value: &Value) -> Result<Checked, Refusal> {
    let set = values::u64(value)? & ALL_CAPABILITIES;
    Ok(Checked::Number(if set == ALL_CAPABILITIES { u64::MAX } else { set }))
}

/// A list of (path, whether a missing one is fine).
pub(super) fn check_files(value: &Value) -> Result<Checked, Refusal> {
    let file = |item: &Value| {
        let [path, optional] = values::fields::<2>(item)?;
        let path = values::string(path)?;
        match path.starts_with('/') {
            true => Ok((path.to_string(), values::boolean(optional)?)),
            false => Err(invalid(format!("Path {path} is not absolute."))),
        }
    };
    values::array(value, "(sb)")?.iter().map(file).collect::<Result<_, _>>().map(Checked::Files)
}

/// What a standard stream is to be, by word.
pub(super) fn check_stream(number: usize, value: &Value) -> Result<Checked, Refusal> {
    stream_kind(number, values::string(value)?).map(Checked::Stream).ok_or_else(plainly_invalid)
}

/// The path of a standard stream.
pub(super) fn check_stream_file(value: &Value) -> Result<Checked, Refusal> {
    match values::string(value)? {
        path if path.starts_with('/') => Ok(Checked::Text(Some(path.into()))),
        path => Err(invalid(format!("Path {path} is not absolute"))),
    }
}

/// A descriptor that is no process.
pub(super) fn check_handle(value: &Value) -> Result<Checked, Refusal> {
    match value {
        Value::Handle(handle) if handle & Pin::OTHER != 0 => Ok(Checked::Number(*handle)),
        Value::Handle(_) => {
            let text = "Failed to set unit properties: Bad file descriptor";
            Err(Refusal::new(RefusalKind::Errno(Errno::BadF), text))
        }
        _ => Err(wrong_type()),
    }
}

/// The meaning of a word without an argument.
pub(super) fn stream_kind(number: usize, word: &str) -> Option<StreamKind> {
    Some(match word {
        "null" => StreamKind::Null,
        "tty" => StreamKind::Tty,
        "inherit" if number > 0 => StreamKind::Inherit,
        "tty-force" if number == 0 => StreamKind::TtyForce,
        "tty-fail" if number == 0 => StreamKind::TtyFail,
        _ if number > 0 => StreamKind::Log(LOGS.iter().find(|log| **log == word)?),
        _ => return None,
    })
}

/// The meaning of a word of unit files, with its path if it has one.
pub(super) fn stream_text(number: usize, text: &str) -> Option<(StreamKind, Option<String>)> {
    let Some((word, path)) = text.split_once(':') else { return Some((stream_kind(number, text)?, None)) };
    let mode = match word {
        "file" => FileMode::ReadWrite,
        "append" if number > 0 => FileMode::Append,
        "truncate" if number > 0 => FileMode::Truncate,
        _ => return None,
    };
    path.starts_with('/').then(|| (StreamKind::File(mode), Some(path.into())))
}

/// The word for what was set, as the bus and unit files have it.
pub(super) fn stream_word(number: usize, exec: &ExecSettings) -> String {
    let stream = &exec.streams[number];
    if stream.handle.is_some() {
        return "fd".into();
    }
    let path = stream.file.as_deref().unwrap_or("");
    let word = match stream.kind {
        StreamKind::Default if number == 0 => "null",
        StreamKind::Default | StreamKind::Inherit => "inherit",
        StreamKind::Null => "null",
        StreamKind::Tty => "tty",
        StreamKind::TtyForce => "tty-force",
        StreamKind::TtyFail => "tty-fail",
        StreamKind::Log(word) => word,
        StreamKind::File(FileMode::Append) => return format!("append:{path}"),
        StreamKind::File(FileMode::Truncate) => return format!("truncate:{path}"),
        StreamKind::File(_) => return format!("file:{path}"),
    };
    word.into()
}

/// `SOFT:HARD`, or one for both. Sizes have the suffixes of memory, times of CPU are in seconds, that of realtime in
/// microseconds, and priorities are plain.
pub(super) fn limit_text(index: usize, text: &str) -> Option<(u64, u64)> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = |text: &str| match (text, index) {
        ("infinity", _) => Some(u64::MAX),
        (plain, _) if is_plain(plain) => plain.parse().ok(),
        (_, 0) => unit_file::time_span(text).map(|usec| usec.div_ceil(1_000_000)),
        (_, 1..=5 | 7 | 9 | 12) => unit_file::size(text, 1024),
        (_, 13) => match text.parse::<i64>().ok()? {
            // A level, or what the kernel makes of it.
            level @ -20..=-1 => u64::try_from(20 - level).ok(),
            level @ 0..=19 => u64::try_from(20 - level).ok(),
            _ => None,
        },
        (_, 15) => unit_file::time_span(text),
        _ => None,
    };
    let (soft, hard) = (value(soft)?, value(hard)?);
    (soft <= hard).then_some((soft, hard))
}

/// Capabilities by their names, all but these when `~` stands before; merged with what is there already.
pub(super) fn capabilities_text(text: &str, have: u64) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let (names, invert) = text.strip_prefix('~').map_or((text, false), |names| (names, true));
    let mut set = 0;
    for name in Words::new(names, Escapes::Literal).flatten() {
        let plain = name.to_ascii_lowercase();
        let plain = plain.strip_prefix("cap_").unwrap_or(&plain);
        let number = CAPABILITIES.iter().position(|known| *known == plain);
        set |= 1_u64 << number.ok_or_else(|| format!("Unknown capability '{name}', ignoring."))?;
    }
    let is_untouched = have == u64::MAX;
    Ok(match (invert, is_untouched) {
        (true, true) if set == 0 => u64::MAX,
        (true, false) if have == 0 && set == 0 => u64::MAX,
        (true, true) => ALL_CAPABILITIES & !set,
        (true, false) if have == 0 => ALL_CAPABILITIES & !set,
        (true, false) => have & !set,
        (false, true) => set,
        (false, false) => have | set,
    })
}

/// The same set by names.
pub(super) fn capability_names(set: u64) -> String {
    if set & ALL_CAPABILITIES == ALL_CAPABILITIES {
        return "~".into();
    }
    let named = CAPABILITIES.iter().enumerate().filter(|(number, _)| set & (1 << number) != 0);
    named.map(|(_, name)| format!("cap_{name}")).collect::<Vec<_>>().join(" ")
}

/// A directory to work in: absolute, or the user's home, with a mark when a missing one is fine.
pub(super) fn is_working_directory(text: &str) -> bool {
    let path = text.strip_prefix('-').unwrap_or(text);
    path == "~" || path.starts_with('/')
}

/// A path below one of the places.
pub(super) fn is_relative_path(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('/') && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// An absolute path, with marks.
pub(super) fn is_marked_path(text: &str) -> bool {
    text.trim_start_matches(['-', '+']).starts_with('/')
}

/// The name of a variable.
pub(super) fn is_variable_name(text: &str) -> bool {
    let legal = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    !text.is_empty() && legal && !text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_in_their_own_units() {
        for (index, text, want) in [
            (6, "1024:524288", Some((1024, 524_288))),
            (6, "infinity", Some((u64::MAX, u64::MAX))),
            (6, "2:1", None),
            (9, "64M", Some((64 << 20, 64 << 20))),
            (0, "1min", Some((60, 60))),
            (13, "-5", Some((25, 25))),
            (15, "10ms", Some((10_000, 10_000))),
            (8, "x", None),
        ] {
            assert_eq!(limit_text(index, text), want, "{index} {text}");
        }
    }

    #[test]
    fn capabilities_are_added_and_taken_away() {
        assert_eq!(capabilities_text("CAP_CHOWN cap_kill", u64::MAX), Ok(0b10_0001));
        assert_eq!(capabilities_text("CAP_CHOWN", 0b10_0000), Ok(0b10_0001));
        assert_eq!(capabilities_text("~CAP_CHOWN", u64::MAX), Ok(ALL_CAPABILITIES - 1));
        assert_eq!(capabilities_text("", u64::MAX), Ok(0));
        assert!(capabilities_text("CAP_NONE", 0).is_err());
        assert_eq!(capability_names(0b10_0001), "cap_chown cap_kill");
        assert_eq!(capabilities_text(&capability_names(u64::MAX), u64::MAX), Ok(u64::MAX));
    }

    #[test]
    fn streams_have_words_and_files() {
        assert_eq!(stream_text(1, "append:/x"), Some((StreamKind::File(FileMode::Append), Some("/x".into()))));
        assert_eq!(stream_text(0, "append:/x"), None);
        assert_eq!(stream_text(1, "journal"), Some((StreamKind::Log("journal"), None)));
        assert_eq!(stream_text(1, "file:x"), None);
        assert_eq!(stream_text(0, "inherit"), None);
    }
}
