//! Commands and environments of services.

use super::{invalid, signals, values};
use crate::error::Refusal;
use crate::settings::{CommandRights, ExecCommand, StatusSet};
use crate::unit_file::{Escapes, Words, push_text, quote};
use crate::value::Value;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A list of (path, arguments with the program's own name first, ignore-failure or flags).
pub(super) fn check_commands(value: &Value, with_flags: bool) -> Result<Vec<ExecCommand>, Refusal> {
    let element = if with_flags { "(sasas)" } else { "(sasb)" };
    values::array(value, element)?.iter().map(|item| check_command(item, with_flags)).collect()
}

fn check_command(item: &Value, with_flags: bool) -> Result<ExecCommand, Refusal> {
    let [path, arguments, flags] = values::fields::<3>(item)?;
    let path = values::string(path)?;
    if !is_program(path) {
        return Err(invalid(format!("\"{path}\" is neither a valid executable name nor an absolute path")));
    }
    let arguments: Vec<String> =
        values::strings(arguments)?.map(|text| text.map(String::from)).collect::<Result<_, _>>()?;
    if arguments.is_empty() {
        return Err(invalid(format!("\"{path}\" argv list empty")));
    }
    let (path, rights) = (path.into(), CommandRights::Service);
    let mut command = ExecCommand { path, arguments, ignore_failure: false, no_env_expand: false, rights };
    if with_flags {
        values::strings(flags)?.try_for_each(|flag| set_flag(&mut command, flag?))?;
    } else {
        command.ignore_failure = values::boolean(flags)?;
    }
    Ok(command)
}

fn set_flag(command: &mut ExecCommand, flag: &str) -> Result<(), Refusal> {
    match flag {
        "ignore-failure" => command.ignore_failure = true,
        "no-env-expand" => command.no_env_expand = true,
        _ => {
            let mut named = CommandRights::ALL.into_iter().filter(|(_, name, _)| !name.is_empty() && *name == flag);
            let (rights, ..) = named.next().ok_or_else(super::plainly_invalid)?;
            command.rights = command.rights.max(rights);
        }
    }
    Ok(())
}

/// The key of the n-th resource limit.
pub(super) fn limit_key(index: usize) -> &'static str {
    LIMIT_KEYS[index]
}

/// The key of the n-th standard stream.
pub(super) fn stream_key(number: usize) -> &'static str {
    ["StandardInput", "StandardOutput", "StandardError"][number]
}

/// As [`crate::exec::LIMITS`].
const LIMIT_KEYS: [&str; crate::exec::LIMITS.len()] = [
    "LimitCPU",
    "LimitFSIZE",
    "LimitDATA",
    "LimitSTACK",
    "LimitCORE",
    "LimitRSS",
    "LimitNOFILE",
    "LimitAS",
    "LimitNPROC",
    "LimitMEMLOCK",
    "LimitLOCKS",
    "LimitSIGPENDING",
    "LimitMSGQUEUE",
    "LimitNICE",
    "LimitRTPRIO",
    "LimitRTTIME",
];

/// An absolute path, or the name of a program in the search path.
fn is_program(path: &str) -> bool {
    let name = !path.contains('/') && path.len() <= 255 && !matches!(path, "." | "..");
    !path.is_empty() && path.len() < 4096 && (path.starts_with('/') || name)
}

/// Exit codes and signals; none when both lists are empty.
pub(super) fn check_statuses(value: &Value) -> Result<Option<StatusSet>, Refusal> {
    let [codes, numbers] = values::fields::<2>(value)?;
    let mut set = StatusSet::NONE;
    for code in values::array(codes, "i")? {
        let code = values::i32(code)?;
        let bad = || invalid(format!("Invalid status code in {code}"));
        set.add_code(u8::try_from(code).map_err(|_| bad())?);
    }
    for number in values::array(numbers, "i")? {
        let number = values::i32(number)?;
        // The C library keeps two to itself, which have no names.
        let is_usable = signals::is_valid(number) && !matches!(number, 32 | 33);
        let valid = u8::try_from(number).ok().filter(|_| is_usable);
        set.add_signal(valid.ok_or_else(|| invalid(format!("Invalid signal in {number}")))?);
    }
    Ok((!set.is_empty()).then_some(set))
}

/// What some exit codes are called.
const STATUS_NAMES: [(&str, u8); 23] = [
    ("SUCCESS", 0),
    ("FAILURE", 1),
    ("INVALIDARGUMENT", 2),
    ("NOTIMPLEMENTED", 3),
    ("NOPERMISSION", 4),
    ("NOTINSTALLED", 5),
    ("NOTCONFIGURED", 6),
    ("NOTRUNNING", 7),
    ("USAGE", 64),
    ("DATAERR", 65),
    ("NOINPUT", 66),
    ("NOUSER", 67),
    ("NOHOST", 68),
    ("UNAVAILABLE", 69),
    ("SOFTWARE", 70),
    ("OSERR", 71),
    ("OSFILE", 72),
    ("CANTCREAT", 73),
    ("IOERR", 74),
    ("TEMPFAIL", 75),
    ("PROTOCOL", 76),
    ("NOPERM", 77),
    ("CONFIG", 78),
];

/// Adds an exit code, by number or name, or a signal by its name.
pub(super) fn add_status(set: &mut StatusSet, word: &str) -> Option<()> {
    let named = STATUS_NAMES.iter().find(|(name, _)| *name == word).map(|(_, code)| *code);
    if let Some(code) = word.parse().ok().or(named) {
        set.add_code(code);
        return Some(());
    }
    if word.parse::<i64>().is_ok() {
        return None;
    }
    set.add_signal(u8::try_from(signals::from_name(word)?).ok()?);
    Some(())
}

/// The set as unit files have it.
pub(super) fn status_words(set: &StatusSet) -> String {
    let codes = set.codes().map(|code| format!("{code}"));
    let names = set.signals().map(|number| signals::name(number).into_owned());
    codes.chain(names).collect::<Vec<_>>().join(" ")
}

/// `NAME=VALUE` each.
pub(super) fn check_environment(value: &Value) -> Result<Vec<String>, Refusal> {
    let variables: Vec<String> =
        values::strings(value)?.map(|text| text.map(String::from)).collect::<Result<_, _>>()?;
    match variables.iter().all(|variable| is_variable(variable)) {
        true => Ok(variables),
        false => Err(invalid("Invalid environment block.")),
    }
}

pub(super) fn is_variable(text: &str) -> bool {
    let legal_name = |name: &str| {
        let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        !name.is_empty() && legal && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let legal_value = |value: &str| value.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n'));
    text.split_once('=').is_some_and(|(name, value)| legal_name(name) && legal_value(value))
}

/// A later setting of a variable replaces the earlier one; nothing at all empties the list.
pub(super) fn merge_environment(list: &mut Vec<String>, given: &[String]) {
    if given.is_empty() {
        list.clear();
    }
    for variable in given {
        let name = variable.split_once('=').map_or("", |(name, _)| name);
        list.retain(|have| have.split_once('=').is_none_or(|(other, _)| other != name));
        list.push(variable.clone());
    }
}

/// A command as unit files have it.
pub(super) fn command_line(command: &ExecCommand) -> String {
    let mut line = String::new();
    line.push_str(if command.ignore_failure { "-" } else { "" });
    line.push_str(if command.no_env_expand { ":" } else { "" });
    line.push_str(command.rights.prefix());
    if command.arguments.first() != Some(&command.path) {
        push_text(&mut line, format_args!("@{} ", quote(&command.path)));
    }
    line + &quoted(&command.arguments)
}

/// The commands of a line, separated by a lone `;`; nothing at all is the empty list.
pub(super) fn read_commands(
    value: &str,
    expand: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<ExecCommand>, String> {
    let (mut words, mut commands) = (Words::new(value, Escapes::C), Vec::new());
    while !words.rest().is_empty() {
        if !words.take_bare(";") {
            commands.push(read_command(&mut words, &expand)?);
        }
    }
    Ok(commands)
}

fn read_command(
    words: &mut Words<'_>,
    expand: &impl Fn(&str) -> Result<String, String>,
) -> Result<ExecCommand, String> {
    let next = |words: &mut Words<'_>| match words.next() {
        Some(Ok(word)) => expand(&word).map(Some),
        Some(Err(_)) => Err(String::from("Invalid syntax of a command line")),
        None => Ok(None),
    };
    let first = next(words)?.unwrap_or_default();
    let (prefix, path) = read_prefix(&first);
    if !is_program(path) {
        return Err(format!("Neither a valid executable name nor an absolute path: {path}"));
    }
    let mut arguments = Vec::new();
    if !prefix.names_itself {
        arguments.push(path.into());
    }
    while !words.rest().is_empty() && !words.take_bare(";") {
        let literal = words.take_bare("\\;").then(|| String::from(";"));
        arguments.extend(literal.map_or_else(|| next(words), |word| Ok(Some(word)))?);
    }
    if arguments.is_empty() {
        return Err(format!("Empty argument list of {path}"));
    }
    let Prefix { ignore_failure, no_env_expand, rights, .. } = prefix;
    Ok(ExecCommand { path: path.into(), arguments, ignore_failure, no_env_expand, rights })
}

/// What stands before a command.
#[derive(Default)]
struct Prefix {
    ignore_failure: bool,
    /// The program's own name follows.
    names_itself: bool,
    no_env_expand: bool,
    rights: CommandRights,
}

/// Each prefix counts once, and only one that is about rights; what comes after is part of the path.
fn read_prefix(first: &str) -> (Prefix, &str) {
    let (mut prefix, mut rest) = (Prefix::default(), first);
    while let Some(sign) = rest.chars().next() {
        match (sign, prefix.rights) {
            ('-', _) if !prefix.ignore_failure => prefix.ignore_failure = true,
            ('@', _) if !prefix.names_itself => prefix.names_itself = true,
            (':', _) if !prefix.no_env_expand => prefix.no_env_expand = true,
            ('+', CommandRights::Service) => prefix.rights = CommandRights::Full,
            ('!', CommandRights::Service) => prefix.rights = CommandRights::NoSetuid,
            ('!', CommandRights::NoSetuid) => prefix.rights = CommandRights::Ambient,
            _ => break,
        }
        rest = &rest[1..];
    }
    (prefix, rest)
}

/// Words in quotes, separated by blanks.
pub(super) fn quoted(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn commands_are_written_with_their_flags() {
        let mut command = ExecCommand {
            path: "/bin/sh".into(),
            arguments: vec!["/bin/sh".into(), "-c".into(), "echo \"$A\" 5%".into()],
            ignore_failure: false,
            no_env_expand: false,
            rights: CommandRights::Service,
        };
        assert_eq!(command_line(&command), "\"/bin/sh\" \"-c\" \"echo \\\"$A\\\" 5%%\"");
        command.arguments = vec!["sh".into()];
        command.ignore_failure = true;
        command.no_env_expand = true;
        assert_eq!(command_line(&command), "-:@\"/bin/sh\" \"sh\"");
        command.rights = CommandRights::Ambient;
        assert_eq!(command_line(&command), "-:!!@\"/bin/sh\" \"sh\"");
    }

    #[test]
    fn prefixes_are_read_once_each() {
        let read = |line: &str| read_commands(line, |word| Ok(word.into()));
        let one = |line: &str| read(line).expect("a command").remove(0);
        let rights = ["/x", "+/x", "!/x", "!!/x", "-+/x", "!-!/x"].map(|line| one(line).rights);
        use CommandRights as R;
        assert_eq!(rights, [R::Service, R::Full, R::NoSetuid, R::Ambient, R::Full, R::Ambient]);
        for (rights, name, prefix) in CommandRights::ALL {
            assert_eq!((rights.name(), rights.prefix()), (name, prefix));
            assert_eq!(one(&command_line(&ExecCommand { rights, ..one("/x") })).rights, rights);
        }
        for line in ["--/x", "++/x", "+!/x", "!!!/x", "@@/x y"] {
            assert!(read(line).is_err(), "{line}");
        }
        assert_eq!(one("!@/x y z").arguments, ["y", "z"]);
    }

    #[test]
    fn a_later_variable_replaces_the_earlier_one() {
        let mut list = vec!["A=1".into(), "B=2".into()];
        merge_environment(&mut list, &["A=3".into()]);
        assert_eq!(list, ["B=2", "A=3"]);
        merge_environment(&mut list, &[]);
        assert!(list.is_empty());
    }
}
